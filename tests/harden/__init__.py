"""Trials that try to break a build and a long run: `python -m tests.harden`, or `make harden`.

A trial does one harm to a small project of its own, or to one run, and says what broke. The harm comes at a moment that
is drawn from a seed. Processes are ended by their numbers, and only those that a trial has started.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
#: What the last run of each kind found; the site shows it.
RESULTS = ROOT / "book" / "hardening.json"


class Impossible(Exception):
    """This machine does not allow a trial; the message says what it lacks."""


class Broken(Exception):
    """A trial broke something; the message says what."""


def hold(condition: object, said: str) -> None:
    """Go on if something holds.

    Raises: Broken, with what was said, if it does not.
    """
    if not condition:
        raise Broken(said)


class Trial(NamedTuple):
    """One kind of harm: what is done, how often in a whole run and in a short one, and the function that does it."""

    name: str
    what: str
    whole: int
    short: int
    harm: Callable[[Any, random.Random], None]


class Tally(NamedTuple):
    """What became of the trials of one kind."""

    tried: int
    held: int
    broke: list[str]
    impossible: str = ""


def run(trial: Trial, times: int, prepared: Any, seed: int, until: float = float("inf")) -> Tally:
    """Try one kind of harm so many times, no more once the time is over; the place and moment come from the seed."""
    tried, broke = 0, []
    for number in range(times):
        if time.monotonic() > until:
            break
        drawn = random.Random(f"{seed} {trial.name} {number}")
        try:
            trial.harm(prepared, drawn)
        except Impossible as reason:
            return Tally(tried, tried - len(broke), broke, str(reason))
        except (Broken, subprocess.TimeoutExpired) as error:
            broke.append(f"trial {number} of seed {seed}: {error}")
        tried += 1
    return Tally(tried, tried - len(broke), broke)


def trials() -> tuple[Trial, ...]:
    """Every kind of harm."""
    from tests.harden import builds, environments, runs

    return *builds.TRIALS, *runs.TRIALS, *environments.TRIALS


def run_all(short: bool, seed: int, minutes: float, only: str = "") -> Iterator[tuple[Trial, Tally]]:
    """Try every kind of harm, or one by its name, on a book that is built first; the tallies as they come."""
    from tests.harden import builds

    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        chosen = [trial for trial in trials() if only in ("", trial.name)]
        needed = any(trial in builds.TRIALS for trial in chosen)
        prepared = builds.Prepared(Path(folder)) if needed else None
        for trial in chosen:
            yield trial, run(trial, trial.short if short else trial.whole, prepared, seed, until)


def record(results: dict[Trial, Tally], seed: int, commit: str, path: Path = RESULTS) -> None:
    """Keep what was found, each kind with its run, for the site; what stands there of other kinds stays."""
    stood = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    when = {"run": f"{datetime.now(UTC).date()}, {commit}", "seed": seed}
    found = {
        trial.name: {"what": trial.what} | when | tally._asdict()
        for trial, tally in results.items()
        if tally.tried or tally.impossible  # no time was left for the others
    }
    known = stood | found
    kept = {name: known[name] for name in dict.fromkeys([*(trial.name for trial in trials()), *found]) if name in known}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def copied(source: Path, target: Path) -> Path:
    """A copy of a project; links stay links, so that the environment is never copied and never touched."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target, symlinks=True))
