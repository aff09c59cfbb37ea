"""Where a result comes from: commit, versions, seeds, profile, machine and time of every run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

import yaml

PACKAGES = ("numpy", "scipy", "numba", "matplotlib", "scikit-learn", "sympy", "jax", "optax", "diffrax",
            "papermill", "jupyter-book", "sphinx")
INPUTS = ("book", "src", "requirements.txt")


def git(*arguments: str) -> str:
    """What git answers, or nothing outside a repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def commit() -> str:
    """The commit of the working tree, with a mark when its inputs differ from it."""
    name = git("rev-parse", "--short=12", "HEAD")
    if not name:
        return "not a git checkout"
    return name + (" with local changes" if git("status", "--porcelain", "--", *INPUTS) else "")


def stamp(profile: str) -> str:
    """Version, commit and profile of the book, in a few words."""
    version = yaml.safe_load(Path("CITATION.cff").read_text())["version"]
    return f"Version {version}, commit {commit()}, {profile} profile"


def versions() -> dict[str, str]:
    """The versions of what computes and what publishes."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def of_run(source: Path, profile: str, parameters: dict[str, object]) -> dict[str, object]:
    """The record of one execution, before it starts."""
    return {
        "notebook": source.as_posix(),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "profile": profile,
        "parameters": parameters,
        "commit": commit(),
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }


def read(executed: list[Path]) -> list[dict]:
    """The records beside the executed notebooks."""
    return [json.loads(path.with_suffix(".provenance.json").read_text()) for path in executed]


def to_markdown(runs: list[dict], profile: str) -> str:
    """The generated part of the provenance page."""
    lines = [f"This site shows the **{profile}** profile, built from commit `{commit()}`.", ""]
    lines += ["## Runs", "", "| notebook | seed | time | commit | when | machine |",
              "|---|---|---|---|---|---|"]
    for run in runs:
        link = f"{{doc}}`/{Path(run['notebook']).with_suffix('')}`"
        seed = run["parameters"].get("seed", "none")
        lines.append(f"| {link} | {seed} | {run['seconds']:.0f} s | `{run['commit']}`"
                     f" | {run['started']} | {run['machine']} |")
    lines += ["", f"Together {sum(run['seconds'] for run in runs):.0f} s.", ""]
    lines += ["## Parameters", ""]
    for run in runs:
        values = ", ".join(f"`{name} = {value!r}`" for name, value in run["parameters"].items())
        lines += [f"**{run['notebook']}** (SHA-256 `{run['sha256'][:12]}`): {values}", ""]
    lines += ["## Versions", "", "| package | version |", "|---|---|"]
    used = {package: set() for package in versions()}
    for run in [{"versions": versions()}, *runs]:
        for package, version in run["versions"].items():
            used.setdefault(package, set()).add(version)
    lines += [f"| {package} | {', '.join(sorted(found))} |" for package, found in used.items()]
    return "\n".join(lines) + "\n"
