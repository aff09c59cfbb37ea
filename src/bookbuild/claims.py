"""The claims of the book and their evidence, joined: `book/claims.yml` and the executed notebooks.

The evidence is what a notebook's cells carry under the claim media type. A claim without evidence
on its page, evidence without a claim, and a failed check each stop the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from bookbuild import BuildError, judge, media, notebooks
from bookbuild.pages import Page

LIST = Path("book/claims.yml")
#: Claims whose checks may still accept too much, by page: a list that only gets shorter.
BLUNT = Path("book/blunt.yml")
#: The form of `claims.json`, as JSON Schema; served beside it.
SCHEMA = Path(__file__).with_name("claims.schema.json")
FIELDS = ("id", "title", "source", "statement", "page", "kind")
#: The labels of the theorem boxes on its page that a claim checks; an entry may lack them.
BOXES = "boxes"
#: In what its checks count (`radians`, `of the networks`), one for all or by part; an entry may lack it.
UNIT = "unit"
KINDS = ("claim", "definition")
#: The papers that the book explains, and what each is about.
PAPERS = {
    "li2022covariance": "covariance SDE",
    "hayou2023infinite": "infinite depth",
    "peluchetti2021doubly": "doubly infinite",
}
#: Papers whose theorems nobody here has read in print.
UNREAD = ("hayou2023infinite", "li2022covariance", "li2024differential", "noci2023shaped")
EVIDENCE = (
    "part",
    "kind",
    "observed",
    "uncertainty",
    "expected",
    "bias",
    "limit",
    "criterion",
    "statistic",
    "verdict",
    "passed",
    "accepts",
    "sharpness",
    "scale",
    "control",
    "reason",
    "seed",
)


def load(path: Path = LIST) -> list[dict]:
    """The list of claims, each with every field.

    Raises: BuildError that names each entry which lacks a field, repeats an id, or has a field,
    a kind or a form of id that is not known.
    """
    claims = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    faults, seen = [], set()
    for claim in claims:
        name = claim.get("id")
        if set(claim) - {BOXES, UNIT} != set(FIELDS):
            differing = ", ".join(sorted(set(claim) - {BOXES, UNIT} ^ set(FIELDS)))
            faults.append(f"{path}: claim `{name}` needs exactly {', '.join(FIELDS)}; missing or unknown: {differing}")
        elif claim["kind"] not in KINDS:
            faults.append(f"{path}: claim `{name}` is of kind `{claim['kind']}`; known kinds: {', '.join(KINDS)}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
            faults.append(f"{path}: `{name}` is no slug (small letters and digits, with hyphens)")
        if name in seen:
            faults.append(f"{path}: claim `{name}` stands there twice")
        seen.add(name)
    if faults:
        raise BuildError(*faults)
    return claims


def unit_of(claim: dict, record: dict) -> str:
    """In what a check of a claim counts; empty for a bare number."""
    given = claim.get(UNIT, "")
    return given.get(record["part"], "") if isinstance(given, dict) else "" if record["kind"] == "laws" else given


def records(pages: Iterable[Page]) -> list[dict]:
    """The records of some pages in reading order, with page and card."""
    return [
        {**output.data[media.CLAIM], "page": page.name, "card": output.data["text/html"]}
        for page in pages
        for _, output in notebooks.outputs(page.notebook)
        if media.CLAIM in output.data
    ]


def faults_of(claims: list[dict], evidence: list[dict]) -> list[str]:
    """What is wrong between the list and the evidence, one line each."""
    known = {claim["id"]: claim for claim in claims}
    faults = [
        f"{record['page']}: a check of `{record['id']}`, which {LIST} does not list"
        for record in evidence
        if record["id"] not in known
    ]
    shown = {(record["id"], record["page"]) for record in evidence}
    faults += [
        f"{claim['page']}: no check of claim `{claim['id']}`"
        for claim in claims
        if claim["kind"] == "claim" and (claim["id"], claim["page"]) not in shown
    ]
    parts = {(record["id"], record["part"]) for record in evidence}
    for claim in claims:
        for part in claim[UNIT] if isinstance(claim.get(UNIT), dict) else ():
            if (claim["id"], part) not in parts:
                faults.append(f"{LIST}: claim `{claim['id']}` has a unit for `{part}`, which no check is called")
    for record in evidence:
        name = f"{record['page']}: `{record['id']}`" + (record["part"] and f" ({record['part']})")
        control = record["control"]
        if control:
            faults += judge.faults_of(record)
        if not control or not control["rejected"]:
            variant = control["variant"] if control else "none"
            faults.append(f"{name}: the negative control is not rejected: {variant}")
        elif not record["passed"]:
            faults.append(
                f"{name} {record['verdict']}: observed {measured(record)},"
                f" expected {show(record['expected'])}, {record['criterion']}: {record['statistic']:.3g}"
            )
    return faults


def too_blunt(evidence: list[dict], waiting: dict[str, list[str]]) -> list[str]:
    """The checks that accept more than a sharp one, give no reason, and are not among those that wait."""
    return [
        f"{record['page']}: `{record['id']}`"
        + (record["part"] and f" ({record['part']})")
        + f" accepts {100 * record['sharpness']:.0f} % to either side, more than {100 * judge.SHARP:.0f} %;"
        " sharpen it, or give `reason=` in one sentence"
        for record in evidence
        if judge.blunt(record) and record["id"] not in waiting.get(record["page"], ())
    ]


def waiting(path: Path = BLUNT) -> dict[str, list[str]]:
    """The claims that may still be blunt, by page; none where there is no list."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def join(claims: list[dict], evidence: list[dict], profile: str) -> list[dict]:
    """Each claim with its profile, verdict and checks.

    Raises: BuildError with the list of everything that does not hold, checks that accept too much among it.
    """
    faults = [*faults_of(claims, evidence), *too_blunt(evidence, waiting())]
    if faults:
        raise BuildError(*faults)
    joined = []
    for claim in claims:
        checks = [
            {"page": record["page"], "unit": unit_of(claim, record), **{field: record[field] for field in EVIDENCE}}
            for record in evidence
            if record["id"] == claim["id"]
        ]
        joined.append(
            {
                **claim,
                "attribution": attribution(claim["source"]),
                "profile": profile,
                "checks": checks,
                "passed": all(check["passed"] for check in checks) if checks else None,
            }
        )
    return joined


def to_json(joined: list[dict], profile: str, commit: str) -> str:
    """The stable machine-readable form, served as `claims.json`."""
    known = [
        {name: value for name, value in claim.items() if name != UNIT} for claim in joined
    ]  # each check has its own
    claims = [{**claim, "address": f"book/reference/claim-{claim['id']}.html"} for claim in known]
    document = {"$schema": SCHEMA.name, "format": 4, "profile": profile, "commit": commit, "claims": claims}
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def show(value: object) -> str:
    """A number or an array in a few characters."""
    flat: list[float] = []

    def walk(item: object) -> None:
        if isinstance(item, list):
            for each in item:
                walk(each)
        else:
            flat.append(item)  # type: ignore[arg-type]

    walk(value)
    text = ", ".join(f"{number:.4g}" for number in flat[:4])
    return text if len(flat) <= 4 else f"{text}, … ({len(flat)} values)"


def accepted(checks: list[dict]) -> str:
    """What the bluntest of some checks would still accept, in a few characters."""
    found = [(check["sharpness"], check["scale"]) for check in checks if check["sharpness"] is not None]
    if not found:
        return "bounds" if checks else ""
    value, scale = max(found)
    return f"± {value:.1g}" if scale == "one" else f"± {100 * value:.2g} %"


def measured(record: dict) -> str:
    """What was observed, with its standard error or, for an equality, the tolerance."""
    within = ", tolerance " if record["kind"] == "equality" else " ± "
    return show(record["observed"]) + within + show(record["uncertainty"])


def cell(text: object) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def cited(source: str, keys: set[str]) -> str:
    """A source with its bibliography keys turned into citations."""
    return re.sub(r"[\w-]+", lambda key: f"{{cite:t}}`{key[0]}`" if key[0] in keys else key[0], source)


def attribution(source: str) -> str:
    """How a claim is known to be in the paper that its source begins with, where that was not read."""
    return "attributed from the abstract and from citing papers" if source.startswith(UNREAD) else ""


def papers(source: str) -> str:
    """Which of the three papers a source names, in words."""
    return ", ".join(about for key, about in PAPERS.items() if key in source) or "ours or others"
