"""Planted errors and their runner: `python -m tests.mutations`, or `make mutants`."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.mutations import text

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: What the last runs found; the site shows it.
RESULTS = ROOT / "book" / "mutations.json"
#: What is not copied with the project: what was built, and what belongs to the machine.
LEFT = shutil.ignore_patterns(".git", ".venv*", "_build", "__pycache__", "node_modules", "*_cache", "shared")
#: Longest run of the tests of one mutation, in seconds.
LIMIT = 900


@dataclass(frozen=True)
class Mutation:
    """A planted error: where it is, what changes, and which tests should notice."""

    name: str
    file: str
    old: str
    new: str
    kind: str
    within: str = ""
    tests: tuple[str, ...] = ()
    equivalent: str = ""

    def changed(self, text: str) -> str:
        """The text of the file with the error in it.

        Raises: ValueError unless the expression occurs exactly once, where it should.
        """
        first, last = span(text, self.within) if self.within else (0, len(text))
        count = text.count(self.old, first, last)
        if count != 1:
            place = f"`{self.within}` of {self.file}" if self.within else self.file
            raise ValueError(f"{self.name}: the expression occurs {count} times in {place}: {self.old!r}")
        at = text.index(self.old, first)
        return text[:at] + self.new + text[at + len(self.old) :]

    def apply(self, root: Path) -> None:
        """Change the file below a root."""
        path = root / self.file
        path.write_text(self.changed(path.read_text(encoding="utf-8")), encoding="utf-8")

    @property
    def of_text(self) -> bool:
        """Whether the error is in what is printed, not in a program."""
        return self.kind == "text" and self.file.startswith("book/")


def span(text: str, name: str) -> tuple[int, int]:
    """Where a function or class stands in the text of a module, by its qualified name.

    Raises: ValueError for a name that is not there.
    """
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        found = [child for child in getattr(node, "body", []) if getattr(child, "name", None) == part]
        if not found:
            raise ValueError(f"there is no `{name}`")
        node = found[-1]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts[node.lineno - 1], starts[node.end_lineno]  # type: ignore[attr-defined]


def load(only: str = "", folder: Path = HERE) -> list[Mutation]:
    """The mutations of all files, or of one.

    Raises: ValueError for a name that stands there twice, a field that is not known, and a mutation that names
    neither tests nor the reason why it changes nothing.
    """
    found = []
    for path in sorted(folder.glob(f"{only or '*'}.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            try:
                tests = entry.pop("tests", [])
                found.append(Mutation(**entry, tests=tuple([tests] if isinstance(tests, str) else tests)))
            except TypeError as error:
                raise ValueError(f"{path.name}: {error}") from error
    names = [mutation.name for mutation in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"twice: {', '.join(sorted(twice))}")
    if idle := [mutation.name for mutation in found if bool(mutation.tests) == bool(mutation.equivalent)]:
        raise ValueError(f"needs tests, or the reason why nothing changes: {', '.join(idle)}")
    return found


class Fate(NamedTuple):
    """What became of a mutation: killed, survived, equivalent, or broken; and by what, or why."""

    what: str
    by: str = ""


def run(mutation: Mutation, root: Path = ROOT) -> Fate:
    """What becomes of a mutation.

    Broken is one whose tests cannot be collected: an error that any import shows proves nothing.
    """
    if mutation.equivalent:
        return Fate("equivalent", mutation.equivalent)
    if mutation.of_text:
        by = text.noticed(mutation, root)
        return Fate("killed", by) if by else Fate("survived")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(root, copy, ignore=LEFT, symlinks=True)
        try:
            mutation.apply(copy)
            if mutation.file.startswith("explorer/"):
                _build_explorer(root, copy)
        except (ValueError, subprocess.CalledProcessError) as error:
            return Fate("broken", str(error))
        # Machine code is kept by the state of all modules that it comes from, so that no mutation sees that of another.
        kept = os.environ.get("NUMBA_CACHE_DIR", str(root / "_build" / "numba"))
        environment = os.environ | {"PYTHONPATH": str(copy / "src"), "NUMBA_CACHE_DIR": kept}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutation.tests]
        try:
            done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return Fate("killed", f"no end within {LIMIT} s")
    return _fate(done)


def _build_explorer(root: Path, copy: Path) -> None:
    """Bundle the explorer of a copy, and put it into a copy of the site that was built.

    Raises: ValueError where there is no site, or not the packages that `npm ci` puts into `explorer`.
    """
    modules, site = root / "explorer/node_modules", root / "_build/html"
    if not modules.is_dir() or not site.is_dir():
        raise ValueError("the explorer is built with `npm ci` in its folder, and looked at in a site: run `make book`")
    (copy / "explorer/node_modules").symlink_to(modules)
    subprocess.run(["node", "build.mjs"], cwd=copy / "explorer", check=True, capture_output=True)
    shutil.copytree(site, copy / "_build/html", copy_function=os.link)
    bundle = Path("_static/explorer/explorer.js")
    (copy / "_build/html" / bundle).unlink()
    shutil.copy2(copy / "book" / bundle, copy / "_build/html" / bundle)


def _fate(done: subprocess.CompletedProcess[str]) -> Fate:
    """What a run of tests says."""
    said = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode == 0:
        return Fate("survived")
    failed = [line.split(" ")[1] for line in said if line.startswith("FAILED ")]
    if done.returncode == 1 and failed:
        return Fate("killed", failed[0].partition("[")[0])
    return Fate("broken", said[-1] if said else f"exit status {done.returncode}")


def digest(mutation: Mutation) -> str:
    """A name for what a mutation changes and which tests see it."""
    parts = (mutation.file, mutation.within, mutation.old, mutation.new, *mutation.tests, mutation.equivalent)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def recorded(path: Path = RESULTS) -> dict[str, dict[str, str]]:
    """The results of the last runs, by name."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def entry(mutation: Mutation, fate: Fate, when: str) -> dict[str, str]:
    """What is kept of a mutation and its fate."""
    where = {"kind": mutation.kind, "file": mutation.file, "within": mutation.within, "digest": digest(mutation)}
    return where | {"fate": fate.what, "by": fate.by, "run": when}


def record(results: dict[Mutation, Fate], known: list[Mutation], when: str, path: Path = RESULTS) -> None:
    """Keep the results beside those of other runs; what is new or has changed waits, what is gone is dropped."""
    new = {mutation.name: entry(mutation, fate, when) for mutation, fate in results.items()}
    with (Path(tempfile.gettempdir()) / "deeplimits-mutations.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # runs of several files at once take turns
        found = recorded(path) | new
        kept = {}
        for mutation in sorted(known, key=lambda each: each.name):
            last = found.get(mutation.name, {})
            stands = last.get("digest") == digest(mutation)
            kept[mutation.name] = last if stands else entry(mutation, Fate("waiting"), "")
        written = path.with_suffix(".new")
        written.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.replace(path)


def waiting(mutations: list[Mutation], path: Path = RESULTS) -> list[Mutation]:
    """The mutations that are not recorded as noticed, or have changed since."""
    known = recorded(path)
    good = {name for name, entry in known.items() if entry["fate"] in ("killed", "equivalent")}
    return [each for each in mutations if each.name not in good or known[each.name]["digest"] != digest(each)]


def run_all(mutations: list[Mutation], jobs: int, root: Path = ROOT) -> Iterator[tuple[Mutation, Fate]]:
    """The fate of each mutation, several at a time, as they come."""
    with ThreadPoolExecutor(jobs) as workers:
        runs = {workers.submit(run, mutation, root): mutation for mutation in mutations}
        for finished in as_completed(runs):
            yield runs[finished], finished.result()
