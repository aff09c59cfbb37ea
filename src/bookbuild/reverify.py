"""Check one claim again: `python -m bookbuild.reverify CLAIM [--profile P]`, or `make claim ID=CLAIM`.

The notebook that shows the claim is executed afresh, and its checks of the claim are printed.
"""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

from bookbuild import BuildError, claims, execute, exit_with, judge, notebooks
from bookbuild.pages import Page

FOLDER = Path("_build/claim")


def find(name: str) -> dict:
    """The claim of a name.

    Raises: BuildError for a name that is not listed, with those that are like it, and for a definition.
    """
    listed = {claim["id"]: claim for claim in claims.load()}
    if name not in listed:
        near = difflib.get_close_matches(name, listed, n=5, cutoff=0.4)
        raise BuildError(
            f"no claim is called `{name}`; make claim ID=… takes a name of {claims.LIST}",
            *([f"near it: {', '.join(near)}"] if near else []),
        )
    if listed[name]["kind"] == "definition":
        raise BuildError(f"`{name}` is a definition: there is nothing to check")
    return listed[name]


def verify(name: str, profile: str) -> list[dict]:
    """The records of a claim from a fresh execution of its notebook.

    Raises: BuildError as `find` does, where the notebook fails, and where a check does not hold.
    """
    claim = find(name)
    source = Path(claim["page"]).with_suffix(".ipynb")
    target = FOLDER / profile / source.relative_to(notebooks.BOOK)
    execute.run(source, target, profile, {})
    evidence = [record for record in claims.records([Page.read(claim["page"], target)]) if record["id"] == name]
    faults = claims.faults_of([claim], evidence)
    if faults:
        raise BuildError(*faults)
    return evidence


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bookbuild.reverify", description="Check one claim again.")
    parser.add_argument("claim")
    parser.add_argument("--profile", default="quick", choices=notebooks.PROFILES)
    given = parser.parse_args()
    for record in verify(given.claim, given.profile):
        print("  " + (record["part"] or record["id"]))
        print(f"    observed  {claims.measured(record)}")
        label = record["kind"] if record["kind"] in judge.BOUNDS else "predicted"
        print(f"    {label:9} {claims.show(record['expected'])}")
        print(f"    {record['criterion']}: {record['statistic']:.3g}")
        print(f"    control   {record['control']['variant']}: rejected, {record['control']['statistic']:.3g}")
    print(f"`{given.claim}` holds ({given.profile} profile)")


if __name__ == "__main__":
    exit_with(main)
