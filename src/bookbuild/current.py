"""What is current and what must be made again, decided by content: dates and comments play no part.

An executed notebook rests on the code of its source, on the lock, and on those modules of the package that its kernel
imported, which the kernel reports at the end of the run (`report`); the record beside the executed copy keeps their
digests. Its text is taken anew without a run (`bookbuild.texts`). The site rests on the executed notebooks and on every
file of the book and of the publisher.
Cheap to import: a `make book` that has nothing to do reads files and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from deeplimits import _sources

PACKAGE = Path("src/deeplimits")
LOCK = Path("requirements.txt")
#: The files and folders that the book is made from.
MADE_FROM = (
    "book",
    "src",
    "_config.yml",
    "_toc.yml",
    "CITATION.cff",
    "LICENSE",
    "LICENSE-text",
    "requirements.txt",
    "pyproject.toml",
    "Makefile",
)
#: Those that the site is made from, beside the executed notebooks.
SITE = ("book", "src/bookbuild", "src/deeplimits", "_config.yml", "_toc.yml", "CITATION.cff", "LICENSE", "LICENSE-text")
#: What only the page shows of a cell of code: its caption, and tags that fold it or name what it is there for.
PAGE_ONLY = "mystnb"
PAGE_TAGS = {"claim", "teach", "evidence", "hide-input", "hide-output", "hide-cell"}
#: What lies among them without being one of them.
PASSING = ("__pycache__", ".ipynb_checkpoints")


class State(NamedTuple):
    """A file by its bytes, and by what it does: both are the same but for modules of Python and notebooks."""

    exact: str
    meaning: str


def state(path: Path, known: State | None = None) -> State:
    """The state of a file; `known` is an earlier one, which spares the reading of syntax where nothing changed."""
    content = path.read_bytes()
    exact = hashlib.sha256(content).hexdigest()
    if known and known.exact == exact:
        return known
    meaning = {".py": of_module, ".ipynb": of_notebook}.get(path.suffix)
    try:
        return State(exact, meaning(content.decode("utf-8")) if meaning else exact)
    except (SyntaxError, ValueError, LookupError, TypeError, AttributeError):  # no module, no notebook
        return State(exact, exact)


def of_module(text: str) -> str:
    """The digest of a module without comments and docstrings."""
    return _sources.digest(_sources.tree(text)).hex()


def of_notebook(text: str) -> str:
    """The digest of what a run of a notebook sees: its cells of code, in their order, and its metadata.

    Cells of text, captions and the tags that only the page shows are not in it; whatever else there may be is.
    """
    notebook = json.loads(text)
    seen = []
    for cell in cells_of_code(notebook):
        metadata = {name: value for name, value in cell["metadata"].items() if name != PAGE_ONLY}
        metadata["tags"] = sorted(set(metadata.get("tags", [])) - PAGE_TAGS)
        seen.append(["".join(cell["source"]), metadata])
    return hashlib.sha256(json.dumps([notebook["metadata"], seen], sort_keys=True).encode()).hexdigest()


def cells_of_code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of code of a notebook as its file has them."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def code(text: str) -> list[str]:
    """What the cells of code of a source say."""
    return ["".join(cell["source"]) for cell in cells_of_code(json.loads(text))]


def files(*places: str | Path) -> list[Path]:
    """The files at some places, folders searched, in a fixed order."""
    found: set[Path] = set()
    for place in map(Path, places):
        found |= {place} if place.is_file() else {path for path in place.rglob("*") if path.is_file()}
    return sorted(path for path in found if not set(PASSING) & set(path.parts))


def inputs(source: Path) -> dict[str, State]:
    """Everything that a run of a notebook may rest on, as it is before the run starts."""
    return {path.as_posix(): state(path) for path in [source, LOCK, *files(PACKAGE)]}


def used(possible: dict[str, State], modules: Iterable[str]) -> dict[str, State]:
    """Of what a run may rest on, what it did rest on.

    `modules` are the files of the modules that the kernel imported; what lies beside a module and is no module, a table
    say, counts as read with it.

    Raises: ValueError for a module that does not belong to this folder.
    """
    imported = {Path(module).resolve().relative_to(Path.cwd()).as_posix() for module in modules}
    folders = {Path(module).parent for module in imported}
    return {
        name: known
        for name, known in possible.items()
        if not Path(name).is_relative_to(PACKAGE)
        or name in imported
        or not name.endswith(".py")
        and Path(name).parent in folders
    }


def rested(record: Path) -> dict[str, State]:
    """What the run rested on that a record tells of; nothing where the record cannot be read."""
    try:
        inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
        return {name: State(*known) for name, known in inputs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def change(record: Path) -> str | None:
    """What has changed since the run that a record tells of: a file, or `record` itself if it cannot tell."""
    inputs = rested(record)
    if not inputs:
        return record.as_posix()
    for name, known in inputs.items():
        path = Path(name)
        if not path.is_file() or state(path, known).meaning != known.meaning:
            return name
    return None


def retold(record: Path) -> str | None:
    """The notebook whose text is another one than that which the executed copy of a record shows, if it is."""
    notebooks = [(name, known) for name, known in rested(record).items() if name.endswith(".ipynb")]
    return next((name for name, known in notebooks if state(Path(name), known).exact != known.exact), None)


def of_site(profile: str, executed: Iterable[Path]) -> dict[str, str]:
    """What a site is made from, file by file, and the profile that it shows."""
    records = [path.with_suffix(".provenance.json") for path in executed]
    shown = [path for path in files(*SITE) if path.suffix != ".ipynb"]
    return {"profile": profile} | {path.as_posix(): state(path).exact for path in [*shown, *records] if path.is_file()}


def imported() -> list[str]:
    """The files of the modules of the package that this process has imported."""
    loaded = (module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "deeplimits")
    return sorted({file for module in loaded if (file := getattr(module, "__file__", None))})


def report() -> None:
    """Run in a kernel, as its last cell: publish what it ran with."""
    from IPython.display import publish_display_data

    from bookbuild import media, provenance

    publish_display_data({media.RUN: {"modules": imported(), "versions": provenance.versions()}})
