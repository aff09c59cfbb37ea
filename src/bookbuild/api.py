"""The pages of the reference of the package, one for each public module: Sphinx fills them from the docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import deeplimits

#: Where the pages go, and the list of them, in the book.
FOLDER = "reference/api"
LIST = "reference/_api.md"


def modules() -> list[str]:
    """The public modules."""
    return sorted(getattr(deeplimits, "__all__", ()))


def summary(module: str) -> str:
    """The first sentence of a module's docstring, without importing the module."""
    folder = Path(deeplimits.__file__).parent / module
    source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def pages() -> dict[str, str]:
    """The text of every page, and of the list of them, by its path in the book."""
    listed = "\n".join(f"| [`deeplimits.{name}`](api/{name}.rst) | {summary(name)} |" for name in modules())
    found = {LIST: f"| module | what it holds |\n|---|---|\n{listed}\n"}
    for name in modules():
        found[f"{FOLDER}/{name}.rst"] = f"{name}\n{'=' * len(name)}\n\n.. automodule:: deeplimits.{name}\n"
    return found
