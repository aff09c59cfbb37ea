"""Planted errors and their runner: `python -m tests.mutations [--only FILE] [--jobs N]`, or `make mutants`."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: What a copy of the project needs for its tests.
COPIED = ("src", "tests", "book", "pyproject.toml", "_toc.yml", "_config.yml", "CITATION.cff", "requirements.txt")
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

    def apply(self, root: Path) -> None:
        """Change the file below a root.

        Raises: ValueError unless the expression occurs exactly once, where it should.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        first, last = span(text, self.within) if self.within else (0, len(text))
        count = text.count(self.old, first, last)
        if count != 1:
            place = f"`{self.within}` of {self.file}" if self.within else self.file
            raise ValueError(f"{self.name}: the expression occurs {count} times in {place}: {self.old!r}")
        at = text.index(self.old, first)
        path.write_text(text[:at] + self.new + text[at + len(self.old) :], encoding="utf-8")


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


def run(mutation: Mutation, root: Path = ROOT) -> str:
    """What becomes of a mutation: killed, survived, equivalent, or broken, with the reason.

    Broken is one whose tests cannot be collected: an error that any import shows proves nothing.
    """
    if mutation.equivalent:
        return "equivalent"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        copy.mkdir()
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
            elif source.exists():
                shutil.copy2(source, copy / name)
        try:
            mutation.apply(copy)
        except ValueError as error:
            return f"broken: {error}"
        environment = os.environ | {"PYTHONPATH": str(copy / "src"), "NUMBA_CACHE_DIR": str(copy / ".numba")}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutation.tests]
        try:
            done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return "killed"
    if done.returncode in (0, 1):
        return ("survived", "killed")[done.returncode]
    return f"broken: {(done.stdout + done.stderr).strip().splitlines()[-1]}"


def table(results: dict[Mutation, str]) -> str:
    """The results as a table of Markdown, survivors first, with the rate."""
    judged = [fate for fate in results.values() if fate in ("killed", "survived")]
    lines = ["| mutation | kind | where | fate |", "|---|---|---|---|"]
    for mutation, fate in sorted(results.items(), key=lambda item: (item[1] != "survived", item[0].name)):
        where = f"`{mutation.file}`" + (f", `{mutation.within}`" if mutation.within else "")
        told = f"{fate}: {mutation.equivalent}" if fate == "equivalent" else fate
        lines.append(f"| {mutation.name} | {mutation.kind} | {where} | {told} |")
    return "\n".join([*lines, "", f"Noticed: {judged.count('killed')} of {len(judged)}."])


def run_all(mutations: list[Mutation], jobs: int, root: Path = ROOT) -> dict[Mutation, str]:
    """The fate of each mutation, several at a time."""
    with ThreadPoolExecutor(jobs) as workers:
        return dict(zip(mutations, workers.map(lambda each: run(each, root), mutations), strict=True))
