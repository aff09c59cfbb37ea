"""The record of a run as Markdown tables, and their place in README.md."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deeplimits._parallel import cores

from .racing import FLAT

BEGIN, END = "<!-- tables: written by make bench -->", "<!-- end of tables -->"

#: What is printed of each table: its title, and how each column is named.
TABLES = {
    "peers": (
        "Beside what one would otherwise use",
        {
            "process": "process",
            "size": "size",
            "beside": "beside",
            "ours": "ours",
            "theirs": "theirs",
            "ratio": "times faster",
            "goal": "goal",
            "remark": "remark",
        },
    ),
    "limit": (
        "Share of the machine's limit",
        {
            "process": "process",
            "size": "size",
            "rate": "Gaussians used a second",
            "stream": "stream in cache",
            "share": "share",
            "goal": "goal",
        },
    ),
    "cost": (
        "Cost beside each other",
        {"process": "process", "size": "size", "beside": "beside", "factor": "times its cost", "most": "goal"},
    ),
    "growth": (
        "Growth",
        {
            "process": "process",
            "against": "against",
            "sizes": "sizes",
            "seconds": "times",
            "slope": "slope of time",
            "expected": "expected",
            "memory": "peak memory",
            "memory_slope": "slope of memory",
        },
    ),
    "crossing": (
        "One matrix, lazy and dense",
        {
            "what": "asked",
            "inputs": "inputs m",
            "sizes": "width",
            "seconds": "lazy",
            "dense": "dense, PyTorch",
            "faster": "times faster",
            "crossing": "faster from width",
        },
    ),
    "large": (
        "Networks whose weights would not fit",
        {
            "network": "network",
            "weights": "weights in single precision",
            "what": "pass",
            "ours": "time",
            "within": "goal",
            "peak": "memory of the process",
            "room": "goal",
        },
    ),
    "start": ("Start of a fresh process", {"what": "what", "cold": "empty cache", "warm": "filled cache"}),
}


def _seconds(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _rate(value: float) -> str:
    return f"{value / 1e6:,.0f} M/s"


def _bound(value: float) -> str:
    return f"at least {value:.0%}" if value < 1 else f"at least {value:g}"


def _gigabytes(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value / 1e9:,.1f} GB"


def _memory(peaks: list[float]) -> str:
    if math.isnan(peaks[0]):
        return "not measured"
    return ", ".join(f"{peak:.1f}" for peak in peaks) + " MiB" if max(peaks) >= FLAT else f"below {FLAT} MiB"


FORMATS: dict[str, Callable] = {
    "ours": _seconds,
    "theirs": _seconds,
    "cold": _seconds,
    "warm": _seconds,
    "rate": _rate,
    "stream": _rate,
    "ratio": lambda value: f"**{value:,.0f}**" if value >= 10 else f"**{value:.2g}**",
    "share": lambda value: f"**{value:.0%}**",
    "factor": lambda value: f"**{value:.2f}**",
    "goal": _bound,
    "most": lambda value: f"at most {value:g}",
    "slope": lambda value: f"**{value:.2f}**",
    "memory_slope": lambda value: f"{value:.2f}",
    "sizes": lambda values: ", ".join(f"{value:,}" for value in values),
    "seconds": lambda values: ", ".join(map(_seconds, values)),
    "dense": lambda values: ", ".join(map(_seconds, values)),
    "faster": lambda values: "**" + ", ".join(f"{value:.2g}" for value in values) + "**",
    "crossing": lambda value: f"{value:,}" if value else "nowhere here",
    "weights": _gigabytes,
    "peak": _gigabytes,
    "room": lambda value: f"at most {_gigabytes(value)}",
    "within": lambda value: f"at most {_seconds(value)}",
    "memory": _memory,
}


def tables(record: Path, command: str = "make bench") -> str:
    """All tables of a run, and where it was made."""
    run = json.loads(record.read_text())
    rows = [row for test in run["benchmarks"] for row in test["extra_info"]["rows"]]
    parts = [_where(command)]
    for name, (title, columns) in TABLES.items():
        chosen = [cells for table, cells in rows if table == name]
        if chosen:
            lines = [columns.values(), ["---"] * len(columns), *(_cells(columns, row) for row in chosen)]
            parts.append(f"## {title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts)


def _cells(columns: dict[str, str], row: dict) -> list[str]:
    return ["" if row.get(key) is None else str(FORMATS.get(key, str)(row[key])) for key in columns]


def _where(command: str) -> str:
    """Machine, versions, date, commit and command."""
    names = ("numpy", "numba", "torch", "torchsde", "jax", "diffrax")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    busy = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{date.today()}, commit {_commit()}, {_processor()}, {cores()} cores used, load {busy} at the end. "
        f"Python {'.'.join(map(str, sys.version_info[:3]))}, {versions}. Made by `{command}`."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    cpu = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    vectors = [name for name in ("avx2", "avx512f") if name in cpu.get("flags", "").split()]
    return " with ".join([cpu.get("model name", "unknown processor"), *vectors[-1:]])


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def write(text: str, readme: Path) -> None:
    """Put the tables between the markers of README.md."""
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
