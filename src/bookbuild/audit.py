"""What the site shows beside what was executed, and how sharp every check is.

`python -m bookbuild.audit [--profile P]`, or `make sharpness`, draws each verdict again and prints the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from bs4 import BeautifulSoup
from bs4.filter import SoupStrainer

from bookbuild import BuildError, claims, exit_with, media, notebooks, pages
from bookbuild.judge import SHARP, blunt, faults_of, limit
from bookbuild.pages import Page


def site_faults(site: Path, shown: list[Page]) -> list[str]:
    """Where the site differs from the executed notebooks: records, tables and pictures of figures."""
    document = json.loads((site / "claims.json").read_text(encoding="utf-8"))
    published = [{"id": claim["id"], **check} for claim in document["claims"] for check in claim["checks"]]
    faults = []
    for page in shown:
        checks = [check for check in published if check["page"] == page.name]
        drawn = pictures((site / page.name).with_suffix(".html"))
        for cell in json.loads(page.path.read_text(encoding="utf-8"))["cells"]:
            name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
            for output in cell.get("outputs", []):
                for kind, content in output.get("data", {}).items():
                    found = _differs(site, checks, drawn, name, kind, content)
                    faults += [f"{page.name}: {fault}" for fault in found]
    return faults


def _differs(
    site: Path, checks: list[dict], drawn: dict[str, list[Path]], name: str | None, kind: str, content: Any
) -> list[str]:
    """What of one output the site shows otherwise; `checks` and pictures `drawn` are those of the page."""
    if kind == media.CLAIM:
        record = {**{field: content[field] for field in claims.EVIDENCE}, "id": content["id"]}
        same = any(record.items() <= check.items() for check in checks)
        return [] if same else [f"`{content['id']}` ({content['part']}): claims.json differs from the notebook"]
    text = "".join(content) if isinstance(content, list) else content
    if kind == media.TABLE and name:
        table = site / "figures" / f"{name}.csv"
        same = table.exists() and table.read_text(encoding="utf-8").endswith(f"licence: CC BY 4.0\n{text}")
        return [] if same else [f"figure `{name}`: its table differs from the notebook"]
    if kind == "image/svg+xml" and name:
        # MyST-NB writes a picture without the line end that Matplotlib puts last.
        same = any(
            picture.exists() and picture.read_text(encoding="utf-8").rstrip() == text.rstrip()
            for picture in drawn.get(name, [])
        )
        return [] if same else [f"figure `{name}`: its picture differs from the notebook"]
    return []


def pictures(page: Path) -> dict[str, list[Path]]:
    """The files of the pictures in the figures of a page of the site, by the name of the figure."""
    figures = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser", parse_only=SoupStrainer("figure"))
    return {
        str(figure["id"]): [(page.parent / str(picture["src"])).resolve() for picture in figure.find_all("img")]
        for figure in figures.find_all("figure", id=True)
    }


def table(evidence: list[dict]) -> str:
    """How sharp each check is, the bluntest first."""
    lines = [f"{'sharpness':>9}  {'of':16}  {'control':>8}  {'allowance':>9}  check"]
    for record in sorted(evidence, key=lambda each: -(each["sharpness"] or 0)):
        sharp = "-" if record["sharpness"] is None else f"{record['sharpness']:.3f}"
        margin = record["control"]["statistic"] / limit(record)
        radius = limit(record) * np.array(record["uncertainty"]) + np.array(record["bias"])
        allowed = float(np.max(np.array(record["bias"]) / radius))
        part = record["part"] and f" ({record['part']})"
        mark = " *" if record["reason"] else " !" if blunt(record) else ""
        lines.append(
            f"{sharp:>9}  {record['scale']:16}  {margin:8.2f}  {100 * allowed:7.0f} %  "
            f"{record['page'].removeprefix('book/')}: {record['id']}{part}{mark}"
        )
    return "\n".join([*lines, "", summary(evidence)])


def summary(evidence: list[dict]) -> str:
    """How many checks are sharp, in a sentence."""
    two_sided = [record for record in evidence if record["sharpness"] is not None]
    sharp = sum(record["sharpness"] <= SHARP for record in two_sided)
    reasons = sum(record["sharpness"] > SHARP and bool(record["reason"]) for record in two_sided)
    return (
        f"Of {len(two_sided)} checks of a prediction, {sharp} ({100 * sharp / max(len(two_sided), 1):.0f} %) accept"
        f" at most {100 * SHARP:.0f} % to either side; {reasons} of the others give the reason (*). Of bounds,"
        f" which have one side only, there are {len(evidence) - len(two_sided)}."
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bookbuild.audit", description=__doc__.split("\n")[0])
    parser.add_argument("--profile", default="quick", choices=notebooks.PROFILES)
    evidence = claims.records(pages.of_book(parser.parse_args().profile))
    print(table(evidence))
    faults = [fault for record in evidence for fault in faults_of(record)]
    if faults:
        raise BuildError(*faults)


if __name__ == "__main__":
    exit_with(main)
