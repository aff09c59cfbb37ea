"""The command line: `python -m tests.formulas [--write]`: compare the tied formulas, and list the others again."""

from __future__ import annotations

import argparse
import sys

import yaml

from bookbuild import claims
from tests.formulas import UNTIED, counted, faults, load, of_book, tied, unlisted, untied

HEADER = """\
# Printed formulas that no callable of the package ties, and the reason why; none of them changes unseen.
# After a formula has been changed, and compared by a person: `python -m tests.formulas --write`.
"""


def reason(place: str, checked: dict[str, list[str]]) -> str:
    """Why the formulas of a place are not tied, if nobody has said it."""
    page, _, label = place.partition("#")
    if page.startswith("claims/"):
        return "states a law, a limit or an order, which the checks of the claim hold against samples"
    if label in checked:
        return f"states a law or a limit, which samples decide: {', '.join(checked[label])}"
    kinds = {
        "display": "a step of a derivation, or a relation between random objects",
        "answers": "an answer in words and small formulas; its numbers are tied by book/numbers.yml",
        "caption": "names what is drawn",
        "prose": "said in passing: a case, a setting, a step of the argument; not compared one by one",
    }
    return kinds.get(label, "defines its objects, or relates random objects: there is no value to compare")


def main() -> int:
    """Print what differs; the exit status is 1 if anything does."""
    parser = argparse.ArgumentParser(prog="tests.formulas", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"list the formulas that are not tied in {UNTIED.name}")
    given = parser.parse_args()
    load()
    printed, known = of_book(), untied()
    wrong = [fault for formula in printed if tied(formula) for fault in faults(formula)]
    if given.write:
        checked: dict[str, list[str]] = {}
        for claim in claims.load():
            for label in claim.get(claims.BOXES, []):
                checked.setdefault(label, []).append(claim["id"])
        found: dict[str, dict] = {}
        for formula in printed:
            if not tied(formula):
                why = known.get(formula.place, {}).get("why") or reason(formula.place, checked)
                found.setdefault(formula.place, {"why": why, "formulas": []})["formulas"].append(formula.whole)
        text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=10_000)
        UNTIED.write_text(HEADER + text, encoding="utf-8")
    else:
        wrong += unlisted(printed, known)
    print("\n".join(wrong) or f"{sum(map(bool, map(tied, printed)))} of {len(printed)} formulas are tied, and agree")
    print(counted(printed))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
