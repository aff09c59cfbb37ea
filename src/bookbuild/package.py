"""Build the package as PyPI gets it, into `_build/packages`: `python -m bookbuild.package`.

The page at PyPI is the README, and it has no other files: its links and its picture get the public address of this
version (`repository-code` and `url` in CITATION.cff). The same sources give the same bytes.
"""

from __future__ import annotations

import calendar
import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from flit_core.sdist import SdistBuilder
from flit_core.wheel import make_wheel_in

from bookbuild import exit_with, metadata

COPY = Path("_build/package")
PACKAGES = Path("_build/packages")


def readme(text: str, cff: dict[str, Any]) -> str:
    """The README with public addresses; unchanged while the project has none."""
    address = cff.get("repository-code")
    if not address:
        return text
    files = {"!": f"{address}/raw/v{cff['version']}", "": f"{address}/blob/v{cff['version']}"}
    return re.sub(
        r"(!?)(\[[^\]]*\])\((?!\w+:)([^)]+)\)",
        lambda found: f"{found[1]}{found[2]}({files[found[1]]}/{found[3]})",
        text,
    )


def addresses(cff: dict[str, Any]) -> str:
    """The table of addresses in pyproject.toml, once there are any."""
    code = cff.get("repository-code")
    known = metadata.present(
        Homepage=cff.get("url") or code,
        Documentation=cff.get("url"),
        Source=code,
        Issues=code and f"{code}/issues",
        Changelog=code and f"{code}/blob/main/CHANGELOG.md",
    )
    return "\n[project.urls]\n" + "".join(f'{name} = "{address}"\n' for name, address in known.items()) if known else ""


def copy(cff: dict[str, Any]) -> None:
    """Put what the package is made from into `_build/package`."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree("src/deeplimits", COPY / "src/deeplimits", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2("LICENSE", COPY)
    for name, change in {
        "README.md": lambda text: readme(text, cff),
        "pyproject.toml": lambda text: text + addresses(cff),
    }.items():
        (COPY / name).write_text(change(Path(name).read_text(encoding="utf-8")), encoding="utf-8")


def build() -> list[Path]:
    """Build the wheel and the source archive and return where they lie."""
    cff = metadata.about()
    copy(cff)
    shutil.rmtree(PACKAGES, ignore_errors=True)
    PACKAGES.mkdir(parents=True)
    released = calendar.timegm(time.strptime(cff["date-released"], "%Y-%m-%d"))
    os.environ["SOURCE_DATE_EPOCH"] = str(released)
    about = COPY / "pyproject.toml"
    return [make_wheel_in(about, PACKAGES).file, SdistBuilder.from_ini_path(about).build(PACKAGES)]


def main() -> None:
    """The command line."""
    for path in build():
        print(f"{path}: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    exit_with(main)
