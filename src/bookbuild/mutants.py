"""The planted errors and the tests that noticed them, as `make mutants` recorded them in `book/mutations.json`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from bookbuild.claims import cell

RESULTS = Path("book/mutations.json")


def load() -> dict[str, dict[str, str]]:
    """The results by the name of the mutation; nothing where none were recorded."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def part(file: str) -> str:
    """The part of the project in which a file lies."""
    parts = Path(file).parts
    if parts[0] == "book":
        return "what is printed"
    if parts[0] == "explorer":
        return "the explorer"
    if parts[1:2] == ("bookbuild",):
        return "publishing"
    return Path(parts[2]).stem.lstrip("_") if len(parts) > 2 else parts[-1]


def to_markdown(results: dict[str, dict[str, str]]) -> str:
    """The generated part of the page: how many of each part are noticed, then each error with its test."""
    if not results:
        return "Nothing has been recorded yet.\n"
    parts: dict[str, Counter[str]] = {}
    for entry in results.values():
        parts.setdefault(part(entry["file"]), Counter())[entry["fate"]] += 1
    total = sum(parts.values(), Counter())
    judged = total["killed"] + total["survived"]
    days = sorted({entry["run"].partition(",")[0] for entry in results.values()} - {""})
    lines = [
        f"Planted: {len(results)}. Noticed by a test: {total['killed']} of {judged}."
        f" Without effect, with the argument: {total['equivalent']}. Waiting for a run: {total['waiting']}."
        f" Runs: {', '.join(days)}.",
        "",
        "| part | planted | noticed | without effect | waiting |",
        "|---|---|---|---|---|",
    ]
    for name, fates in sorted(parts.items()):
        lines.append(
            f"| {name} | {fates.total()} | {fates['killed']} | {fates['equivalent'] or ''} | {fates['waiting'] or ''} |"
        )
    lines += ["", "## Each planted error", "", "| error | kind | where | noticed by | run |", "|---|---|---|---|---|"]
    for name, entry in sorted(results.items(), key=lambda item: (part(item[1]["file"]), item[0])):
        where = f"`{entry['file']}`" + (f", `{entry['within']}`" if entry["within"] else "")
        missed = {"waiting": "not run yet"}.get(entry["fate"], "no test")
        by = f"`{entry['by'].rpartition('::')[2]}`" if entry["fate"] == "killed" else cell(entry["by"] or missed)
        lines.append(f"| {name.replace('-', ' ')} | {entry['kind']} | {where} | {by} | {entry['run']} |")
    return "\n".join(lines) + "\n"
