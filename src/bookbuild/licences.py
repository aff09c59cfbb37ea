"""The licences of everything that the book installs, as the packages themselves declare them."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

LOCK = Path("requirements.txt")
#: A package that declares none of the three forms, or a whole text in place of a name.
UNNAMED = "in its files"


def of(package: metadata.PackageMetadata) -> str:
    """The licence of a package: the SPDX expression, or else the classifiers, or else a short free text."""
    if expression := package.get_all("License-Expression"):
        return expression[0]
    classified = [
        each.rpartition(" :: ")[2]
        for each in package.get_all("Classifier") or []
        if each.startswith("License :: ") and each != "License :: OSI Approved"
    ]
    text = (package.get_all("License") or [""])[0].strip()
    return "; ".join(classified) or (text if text and "\n" not in text and len(text) <= 60 else UNNAMED)


def title(name: str) -> str:
    """The first line of the licence that a package brings along, where that is its name."""
    for file in metadata.files(name) or []:
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            lines = [line.strip() for line in Path(str(file.locate())).read_text(encoding="utf-8").splitlines()]
            first = next(filter(None, lines), "")
            if "licen" in first.lower() and len(first) <= 60:
                return first
    return UNNAMED


def to_markdown() -> str:
    """The generated part of the page on licences: every package of the lock that is installed here."""
    lines = ["| package | version | licence |", "|---|---|---|"]
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE):
        try:
            found = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # of another system or another Python
        licence = of(found)
        if licence == UNNAMED:
            licence = title(name)
        lines.append(f"| {name} | {version} | {licence.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
