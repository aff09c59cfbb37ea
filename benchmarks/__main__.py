"""Run the benchmarks and write their tables: `python -m benchmarks [--quick] [--only EXPRESSION]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from . import report

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds; README.md is left alone")
    parser.add_argument("--only", metavar="EXPRESSION", help="only tests that match, as in pytest -k; likewise")
    parser.add_argument("--record", action="store_true", help="write README.md also after a part")
    wanted = parser.parse_args()
    record = FOLDER.parent / "_build" / "bench.json"
    record.parent.mkdir(exist_ok=True)
    record.unlink(missing_ok=True)
    options = ["--quick"] * wanted.quick + (["-k", wanted.only] if wanted.only else [])
    code = pytest.main(
        [
            str(FOLDER),
            "-q",
            "-rs",
            "--benchmark-disable-gc",
            "--benchmark-quiet",
            f"--benchmark-json={record}",
            *options,
        ]
    )
    if not record.exists():
        return int(code)
    command = " ".join(["make bench", *["QUICK=1"] * wanted.quick, *[f"ONLY='{wanted.only}'"] * bool(wanted.only)])
    text = report.tables(record, command)
    print(text)
    if code == 0 and (wanted.record or not options):
        report.write(text, FOLDER / "README.md")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
