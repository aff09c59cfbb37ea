"""The command line: `python -m tests.harden [--short] [--only NAME] [--seed N] [--minutes M]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from tests.harden import ROOT, record, run_all


def main() -> int:
    """Try everything and print, and unless short record, what came of it; the exit status is 1 if something broke."""
    parser = argparse.ArgumentParser(prog="tests.harden", description="Try to break a build and a long run.")
    parser.add_argument("--short", action="store_true", help="each kind of harm once or twice, and nothing recorded")
    parser.add_argument("--only", default="", help="one kind of harm, by its name")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draws the moments (default: the clock)")
    parser.add_argument("--minutes", type=float, default=60, help="no trial starts later (default: 60)")
    given = parser.parse_args()
    results = {}
    for trial, tally in run_all(given.short, given.seed, given.minutes, given.only):
        results[trial] = tally
        print(f"{trial.name:12} {tally.held} of {tally.tried} held{tally.impossible and ': ' + tally.impossible}")
        for fault in tally.broke:
            print(f"  *** {fault}", flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    if results and not given.short:
        record(results, given.seed, commit.strip() or "no commit")
    return int(any(tally.broke for tally in results.values()))


if __name__ == "__main__":
    sys.exit(main())
