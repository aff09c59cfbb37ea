"""Where a result comes from: commit, versions, seeds, profile, machine and time of every run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from bookbuild import current

PACKAGES = ("numpy", "scipy", "numba", "matplotlib", "scikit-learn", "sympy", "jax", "optax", "diffrax")
PUBLISHERS = ("papermill", "jupyter-book", "sphinx")
#: Git writes the commit into this file where it packs an archive of the project.
ARCHIVED = Path(__file__).with_name("archived.txt")


def git(*arguments: str) -> tuple[bool, str]:
    """Whether git answers, and what it says."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", errors="replace")
    except OSError as error:
        return False, str(error.strerror)
    return done.returncode == 0, (done.stdout or done.stderr).strip()


def commit() -> str:
    """The commit of this folder, with a mark where a file that the book is made from differs from it.

    A repository around this folder says nothing of it. An archive made by git carries its commit; whether it was
    changed since is not known.
    """
    answers, top = git("rev-parse", "--show-toplevel")
    if answers and Path(top).samefile(Path.cwd()):
        known, name = git("rev-parse", "--short=12", "HEAD")
        if not known:
            return "a git checkout without a commit"
        return name + (" with local changes" if git("status", "--porcelain", "--", *current.MADE_FROM)[1] else "")
    if not answers and Path(".git").exists():
        return f"unknown, as git says: {top.splitlines()[0]}" if top else "unknown"
    archived = ARCHIVED.read_text(encoding="utf-8").strip()
    return "not a git checkout" if archived.startswith("$") else f"{archived} (from an archive)"


def stamp(profile: str) -> str:
    """Version, commit and profile of the book, in a few words."""
    version = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))["version"]
    return f"Version {version}, commit {commit()}, {profile} profile"


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions in this process of Python and of what computes, or of other packages."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def of_run(source: Path, profile: str, parameters: dict[str, object]) -> dict[str, object]:
    """The record of one execution, before it starts; the kernel adds what it ran with."""
    return {
        "notebook": source.as_posix(),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "profile": profile,
        "parameters": parameters,
        "commit": commit(),
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def since(run: dict[str, Any]) -> str:
    """What a record says of a text that was changed after the run: code and results are those of the run."""
    text = run.get("text")
    if not text:
        return ""
    return f" when it ran; text of `{text['sha256'][:12]}`, commit `{text['commit']}`, since {text['taken']}"


def to_markdown(runs: list[dict], profile: str) -> str:
    """The generated part of the provenance page."""
    lines = [f"This site shows the **{profile}** profile, built from commit `{commit()}`.", ""]
    lines += ["## Runs", "", "| notebook | seed | time | commit | when | machine |", "|---|---|---|---|---|---|"]
    for run in runs:
        link = f"{{doc}}`/{Path(run['notebook']).with_suffix('')}`"
        seed = run["parameters"].get("seed", "none")
        lines.append(
            f"| {link} | {seed} | {run['seconds']:.0f} s | `{run['commit']}` | {run['started']} | {run['machine']} |"
        )
    lines += ["", f"Together {sum(run['seconds'] for run in runs):.0f} s.", ""]
    lines += ["## Parameters", ""]
    for run in runs:
        values = ", ".join(f"`{name} = {value!r}`" for name, value in run["parameters"].items())
        lines += [f"**{run['notebook']}** (SHA-256 `{run['sha256'][:12]}`{since(run)}): {values}", ""]
    lines += ["## Versions", "", "| package | version |", "|---|---|"]
    used: dict[str, set[str]] = {}
    for run in [*runs, {"versions": versions(PUBLISHERS)}]:
        for package, version in run["versions"].items():
            used.setdefault(package, set()).add(version)
    lines += [f"| {package} | {', '.join(sorted(found))} |" for package, found in used.items()]
    return "\n".join(lines) + "\n"
