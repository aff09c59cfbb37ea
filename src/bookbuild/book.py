"""Make the book: `python -m bookbuild.book [--profile P] [--jobs N]`, or `make book`.

Notebooks are executed whose code, modules or lock have changed, several at a time and the longest first; of the others
the text is taken anew where it has changed; then the site is built if anything that it shows has changed. Nothing is
done twice, and nothing for the sake of a date.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from bookbuild import BuildError, current, exit_with, notebooks, texts
from bookbuild.site import INPUTS, SITE, build, recover

#: The longest notebooks, for a first run, of which no record tells how long it takes.
LONG = [notebooks.BOOK / name for name in ("residual/training.ipynb", "reference/engine.ipynb")]


def seconds(record: Path) -> float:
    """How long a notebook took the last time, for ever if nobody knows."""
    try:
        return float(json.loads(record.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return float("inf")


def stale(sources: list[Path], profile: str) -> list[Path]:
    """The notebooks to execute, the longest first."""
    waiting = []
    for source in sources:
        copy = notebooks.executed_copy(source, profile)
        record = copy.with_suffix(".provenance.json")
        if not copy.exists() or current.change(record):
            waiting.append((-seconds(record), source not in LONG, source))
    return [source for *_, source in sorted(waiting)]


def execute(sources: list[Path], profile: str, jobs: int) -> None:
    """Execute notebooks, so many at a time, each by a process of its own.

    Raises: BuildError if one fails; those that run are waited for and no other is started.
    """
    failed = Event()
    running: set[subprocess.Popen[bytes]] = set()

    def one(source: Path) -> None:
        if failed.is_set():
            return
        copy = notebooks.executed_copy(source, profile)
        command = [
            sys.executable,
            "-m",
            "bookbuild.execute",
            str(source),
            str(copy),
            "--profile",
            profile,
            *(["--no-bar"] if jobs > 1 else []),
        ]
        process = subprocess.Popen(command)
        running.add(process)
        if process.wait():
            failed.set()
        running.remove(process)

    with ThreadPoolExecutor(jobs) as workers:
        try:
            list(workers.map(one, sources))
        except BaseException:
            failed.set()
            for process in list(running):
                process.terminate()
            raise
    if failed.is_set():
        raise BuildError("the book is not built: a notebook failed")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bookbuild.book", description="Make the book.")
    parser.add_argument("--profile", default="quick", choices=notebooks.PROFILES)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    recover()
    sources = notebooks.find()
    copies = {source: notebooks.executed_copy(source, given.profile) for source in sources}
    for copy in copies.values():
        texts.recover(copy)
    execute(stale(sources, given.profile), given.profile, given.jobs)
    for source, copy in copies.items():
        if texts.renew(source, copy):
            print(f"  took the text of {source} anew", flush=True)
    inputs = current.of_site(given.profile, copies.values())
    made_from = SITE / INPUTS
    if not made_from.exists() or json.loads(made_from.read_text(encoding="utf-8")) != inputs:
        build(given.profile, inputs)
    index = (SITE / "index.html").absolute().as_uri()
    print(f"The book ({given.profile} profile) is ready: open {index}")


if __name__ == "__main__":
    exit_with(main)
