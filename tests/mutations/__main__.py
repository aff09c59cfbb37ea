"""The command line: `python -m tests.mutations [--only FILE] [--jobs N] [--table PATH]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.mutations import load, run_all, table


def main() -> int:
    """Run the mutations and print the table; the exit status is 1 if one survives or is broken."""
    parser = argparse.ArgumentParser(prog="tests.mutations", description="Apply planted errors, one at a time.")
    parser.add_argument("--only", default="", help="one file of mutations, by its name without ending")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", type=Path, default=Path("_build/mutants.md"))
    given = parser.parse_args()
    results = run_all(load(given.only), given.jobs)
    text = table(results)
    given.table.parent.mkdir(parents=True, exist_ok=True)
    given.table.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(any(fate not in ("killed", "equivalent") for fate in results.values()))


if __name__ == "__main__":
    sys.exit(main())
