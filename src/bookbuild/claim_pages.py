"""The index of the claims, and a page for each: statement, evidence, rival, history, how to cite it.

The index is a table that a script filters. The pages are written into one source, each in a container of its own;
`bookbuild.extensions.claim_pages` puts every container on a page of its own, `reference/claim-<id>.html`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import numpy as np

from bookbuild import cards, citations, judge
from bookbuild.claims import BOXES, accepted, attribution, cited, papers, unit_of
from bookbuild.typeset import bare, count, words

CORRECTIONS = Path("book/reference/corrections.md")
#: What kinds of checks are called, and what they show.
KINDS = {
    "estimate": "simulation",
    "exponent": "measured exponent",
    "laws": "comparison of laws",
    "equality": "computation",
    "below": "bound",
    "above": "bound",
}


def address(claim: str) -> str:
    """The file of a claim's page, beside the index."""
    return f"claim-{claim}.html"


def kinds(checks: list[dict]) -> list[str]:
    """The kinds of evidence of a claim, in words."""
    return list(dict.fromkeys(KINDS[check["kind"]] for check in checks))


def used(checks: list[dict]) -> float | None:
    """The largest share of what a check allows that its data use; bounds have no such share."""
    shares = []
    for check in checks:
        if check["kind"] == "laws":
            shares.append(float(check["statistic"]))
        elif check["kind"] not in judge.BOUNDS:
            low, high = judge.ends(check)
            gap = np.abs(np.array(check["observed"]) - np.array(check["expected"]))
            shares.append(float(np.max(gap / ((high - low) / 2))))
    return max(shares, default=None)


def group(share: float | None, steps: tuple[tuple[float, str], ...], last: str) -> str:
    """The name of the first step that a number does not pass."""
    return "" if share is None else next((name for most, name in steps if share <= most), last)


CLOSE = ((0.25, "a quarter of the allowance"), (0.5, "half of the allowance"))
SHARP = ((0.01, "1 % or less"), (0.1, "10 % or less"))


def row(claim: dict, titles: dict[str, str]) -> str:
    """A claim in the index, with what the filters ask for."""
    checks, page = claim["checks"], claim["page"]
    share = used(checks)
    bluntest = max((check["sharpness"] for check in checks if check["sharpness"] is not None), default=None)
    asked = {
        "status": "holds" if claim["kind"] == "claim" else "definition",
        "paper": papers(claim["source"]).replace(", ", "|"),
        "page": bare(titles.get(page, page)),
        "evidence": "|".join(kinds(checks)),
        "close": group(share, CLOSE, "more than half"),
        "sharp": group(bluntest, SHARP, "more than 10 %"),
        "words": " ".join([claim["id"], bare(claim["title"]), bare(claim["statement"]), claim["source"]]),
    }
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in asked.items())
    mark = "✓" if claim["kind"] == "claim" else "≔"
    return (
        f'<tr id="claim-{claim["id"]}" {data}><td><span title="{asked["status"]}">{mark}</span></td>'
        f'<td><a href="{address(claim["id"])}">{words(claim["title"])}</a></td>'
        f"<td>{', '.join(kinds(checks))}</td><td>{'' if share is None else f'{100 * share:.0f} %'}</td>"
        f"<td>{accepted(checks)}</td></tr>"
    )


def index(joined: list[dict], titles: dict[str, str]) -> str:
    """The table of all claims, page by page."""
    checked = [claim for claim in joined if claim["kind"] == "claim"]
    heads = ("<span>status</span>", "claim", "evidence", "of what is allowed", "accepts")
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    bodies = []
    for page in dict.fromkeys(claim["page"] for claim in joined):
        link = f'<a href="../{page.removeprefix("book/")}.html">{words(titles.get(page, page))}</a>'
        rows = "\n".join(row(claim, titles) for claim in joined if claim["page"] == page)
        bodies.append(f'<tbody>\n<tr><th colspan="5" scope="rowgroup">{link}</th></tr>\n{rows}\n</tbody>')
    table = "\n".join(bodies)
    return (
        f"{count(len(checked), 'claim')}, {count(len(joined) - len(checked), 'definition')},"
        f" {count(sum(len(claim['checks']) for claim in checked), 'check')}, all of which hold.\n\n"
        f'```{{raw}} html\n<table class="claims table"><thead><tr>{cells}</tr></thead>\n{table}\n</table>\n```\n'
    )


def history() -> dict[str, list[str]]:
    """The rows of the page of corrections that name a claim."""
    found: dict[str, list[str]] = {}
    if CORRECTIONS.exists():
        for line in CORRECTIONS.read_text(encoding="utf-8").splitlines():
            for name in re.findall(r"<claim-([a-z0-9-]+)>", line):
                found.setdefault(name, []).append(line)
    return found


def status(claim: dict) -> str:
    """What a claim's page says first."""
    if claim["kind"] != "claim":
        return "A definition: there is nothing to check."
    many = "each with" if len(claim["checks"]) > 1 else "with"
    return f"✓ Holds: {count(len(claim['checks']), 'check')}, {many} a rival that the same data reject."


def page_of(claim: dict, evidence: list[dict], titles: dict[str, str], keys: set[str], corrected: bool) -> str:
    """The page of a claim, as the content of a container."""
    page, name = claim["page"], claim["id"]
    first = f"#{cards.anchor(evidence[0])}" if evidence else ""
    there = f"../{page.removeprefix('book/')}.html{first}"
    source = cited("; ".join(filter(None, [claim["source"], attribution(claim["source"])])), keys)
    lines = [
        f"(claim-{name})=",
        "::::::{container} claim-page",
        "```{raw} html",
        f'<h1>{words(claim["title"])}</h1><p class="claim-status">{status(claim)}</p>',
        "```",
        "",
        claim["statement"].strip(),
        "",
        f"Source: {source}." + "".join(f" Stated in {{prf:ref}}`{label}`." for label in claim.get(BOXES, [])),
        "",
        "```{raw} html",
        f'<p>Shown in <a href="{there}">{words(titles.get(page, page))}</a>;'
        f' <a href="../../_sources/{page}.ipynb" download>the notebook</a>. Again on your machine:'
        f" <code>make claim ID={name}</code></p>",
        *(cards.card(record, claim["title"], "", cards.anchor(record), unit_of(claim, record)) for record in evidence),
        "```",
        "",
        *(["It was corrected: see [corrections](corrections.md).", ""] if corrected else []),
        *cite(claim),
        "::::::",
        "",
    ]
    return "\n".join(lines)


def cite(claim: dict) -> list[str]:
    """How to cite a claim: the book, with the name and the address of the claim."""
    reference, entry = citations.of_claim(claim["title"], claim["id"], f"book/reference/{address(claim['id'])}")
    return ["```{raw} html", "<h2>Cite this claim</h2>", "```", "", reference, "", "```bibtex", entry, "```"]


def to_markdown(joined: list[dict], evidence: list[dict], titles: dict[str, str], keys: set[str]) -> str:
    """The generated part of the page of claims: the index, then the pages."""
    changed = history()
    own: dict[str, list[dict]] = {}
    for record in evidence:
        own.setdefault(record["id"], []).append(record)
    pages = [page_of(claim, own.get(claim["id"], []), titles, keys, claim["id"] in changed) for claim in joined]
    return "\n".join([index(joined, titles), *pages])
