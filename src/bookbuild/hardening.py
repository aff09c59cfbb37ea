"""What was tried to break a build and a long run, as `make harden` recorded it in `book/hardening.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bookbuild.claims import cell

RESULTS = Path("book/hardening.json")


def load() -> dict[str, Any]:
    """What the last run of each kind found; nothing where none was recorded."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def to_markdown(results: dict[str, Any]) -> str:
    """The generated part of the page: how often each harm was tried, how often all held, and what broke."""
    if not results:
        return "Nothing has been recorded yet.\n"
    trials = results.values()
    tried, held = (sum(trial[count] for trial in trials) for count in ("tried", "held"))
    lines = [f"Tried: {tried}. Held: {held}.", "", "| harm | tried | held | run |", "|---|---|---|---|"]
    for trial in trials:
        left_out = f" (left out: {trial['impossible']})" if trial["impossible"] else ""
        lines.append(f"| {cell(trial['what'] + left_out)} | {trial['tried']} | {trial['held']} | {trial['run']} |")
    if broke := [fault for trial in trials for fault in trial["broke"]]:
        lines += ["", "What broke:", "", *(f"- `{' '.join(fault.split())[:300].replace('`', '')}`" for fault in broke)]
    return "\n".join(lines) + "\n"
