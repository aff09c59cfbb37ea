"""Notebooks for Colab: `python -m bookbuild.colab` writes them to `_build/colab`.

Colab opens notebooks from a repository, and has neither this package nor its needs. So each
notebook gets a first cell that installs them, from the public address of the project
(`repository-code` in CITATION.cff) and from the commit at hand. `.ci/colab` publishes the copies
on a branch of their own, to which the buttons of the pages lead.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import nbformat

from bookbuild import BuildError, exit_with, notebooks, stage

COPIES = Path("_build/colab")
BRANCH = "colab"
#: What notebooks import beside the package, of the group `book` in pyproject.toml.
IMPORTED = ("diffrax", "optax")


def needs() -> list[str]:
    """What chapters need beside the package, as pip is told."""
    listed = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["book"]
    return [each for each in listed if re.split(r"\W", each)[0] in IMPORTED]


def cell(address: str, commit: str) -> str:
    """The source of the cell that installs the book's package and what its chapters need."""
    wanted = " ".join(f'"{each}"' for each in [f"deeplimits @ git+{address}@{commit}", *needs()])
    return (
        "# Colab has not the package of this book: this installs it, as it was when the page was made.\n"
        f"%pip install --quiet {wanted}"
    )


def write(address: str, commit: str) -> None:
    """Copy every notebook, with the cell before its first code cell, to `_build/colab`."""
    shutil.rmtree(COPIES, ignore_errors=True)
    for source in notebooks.find():
        notebook = notebooks.read(source)
        first = next(place for place, each in enumerate(notebook.cells) if each.cell_type == "code")
        notebook.cells.insert(first, nbformat.v4.new_code_cell(cell(address, commit), id="install"))
        (COPIES / source).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, COPIES / source)


def main() -> None:
    """The command line."""
    address = stage.public_address()
    if not address:
        raise BuildError("Colab fetches from the public address of the project: set `repository-code` in CITATION.cff")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    write(address, commit)
    print(f"{COPIES}: notebooks that install {address} at {commit[:12]}")


if __name__ == "__main__":
    exit_with(main)
