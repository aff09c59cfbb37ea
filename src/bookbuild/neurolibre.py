"""Lay the book out as NeuroLibre expects a repository: `python -m bookbuild.neurolibre` fills `_build/neurolibre`.

There the book lies in `content/`, with its settings and its table of contents, the environment in `binder/`, and the
paper at the root. The notebooks are the sources, without outputs; the pages that a build generates are those of the
last one.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bookbuild import BuildError, exit_with, notebooks, stage

EXPORT = Path("_build/neurolibre")
CONTENT = EXPORT / "content"
#: What the notebooks and the site need, beside the book.
KEPT = ("CITATION.cff", "LICENSE", "LICENSE-text", "README.md", "binder", "pyproject.toml", "requirements.txt", "src")
#: What a run leaves in folders of sources.
LEFT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=LEFT, dirs_exist_ok=True)
    elif source.exists():
        shutil.copy2(source, target)


def write() -> None:
    """Fill `_build/neurolibre` afresh.

    Raises: BuildError if the book has not been built.
    """
    staged = stage.STAGE / notebooks.BOOK
    if not staged.exists():
        raise BuildError(f"{staged} is missing: run `make book` first")
    shutil.rmtree(EXPORT, ignore_errors=True)
    copy(staged, CONTENT)
    for source in notebooks.find():
        copy(source, CONTENT / source.relative_to(notebooks.BOOK))
    for name in KEPT:
        copy(Path(name), EXPORT / name)
    copy(Path("paper"), EXPORT)
    for path in CONTENT.rglob("*.md"):  # addresses of pages begin at the root of the book
        path.write_text(path.read_text(encoding="utf-8").replace("/book/", "/"), encoding="utf-8")
    for name in ("_toc.yml", "_config.yml"):
        text = (stage.STAGE / name).read_text(encoding="utf-8")
        (CONTENT / name).write_text(re.sub(r"\bbook/", "", text), encoding="utf-8")


def main() -> None:
    """The command line."""
    write()
    print(f"{EXPORT}: the layout that NeuroLibre expects")


if __name__ == "__main__":
    exit_with(main)
