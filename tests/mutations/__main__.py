"""The command line: `python -m tests.mutations [--only FILE] [--waiting] [--jobs N]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime

from tests.mutations import ROOT, Fate, load, record, run_all, waiting


def main() -> int:
    """Run mutations, keep the results, and print them as they come; the exit status is 1 if one is not noticed."""
    parser = argparse.ArgumentParser(prog="tests.mutations", description="Plant errors, one at a time.")
    parser.add_argument("--only", default="", help="one file of mutations, by its name without ending")
    parser.add_argument("--waiting", action="store_true", help="only those that are not yet recorded as noticed")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    chosen = load(given.only)
    chosen = waiting(chosen) if given.waiting else chosen
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    when = f"{datetime.now(UTC).date()}, {commit.strip() or 'no commit'}"
    bad = 0
    record({}, load(), when)
    for mutation, (what, by) in run_all(chosen, given.jobs):
        bad += what not in ("killed", "equivalent")
        print(f"{what:10} {mutation.name}: {by or mutation.file}", flush=True)
        record({mutation: Fate(what, by)}, load(), when)
    print(f"{len(chosen) - bad} of {len(chosen)} noticed, or without effect")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
