"""Compiled loops: machine code that is kept on disk for the state of every module it comes from.

Numba asks the file of a function alone whether its machine code is stale, but that code holds what it calls in other
modules too. Here its folder is named after the syntax trees of its module and of all modules of the package that
this one imports, directly or not: an edited helper is never answered by old code, and a comment recompiles nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numba
from numba.core import caching, config
from numba.misc.appdirs import AppDirs

from . import _sources

PACKAGE = Path(__file__).parent

#: How far arithmetic may be rearranged: products and sums are fused, and the sign of a zero may be lost; ...
FUSED = {"contract", "nsz"}
#: ... sums are reordered too, so that they become vectors. An overflow is still carried on; ...
REORDERED = FUSED | {"reassoc"}
#: ... and no number is NaN, so that of two the larger is one instruction.
FINITE = REORDERED | {"nnan"}


class _Read(NamedTuple):
    """What is known of a module: the modules of the package that it imports, and a digest of what it does."""

    imports: frozenset[Path]
    digest: bytes


@functools.cache
def _read(file: Path) -> _Read:
    """A module without its comments and docstrings."""
    imports: set[Path | None] = set()
    package = list(file.relative_to(PACKAGE).parts[:-1])
    tree = _sources.tree(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) + 1 - node.level] + (node.module.split(".") if node.module else [])
            imports |= {_file(base), *(_file([*base, name.name]) for name in node.names)}
    return _Read(frozenset(file for file in imports if file is not None), _sources.digest(tree))


def _file(parts: list[str]) -> Path | None:
    """The file of a module of the package, by its path below the package."""
    place = PACKAGE.joinpath(*parts)
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if parts and file.is_file()), None)


def sources(file: Path) -> list[Path]:
    """The files of the package that a module's machine code may come from, its own among them.

    Law: every import of the package is relative (a test keeps to that), so the list misses none.
    """
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += _read(here).imports
    return sorted(seen)


@functools.cache
def state(file: Path) -> str:
    """A name for the state of all sources of a module."""
    whole = hashlib.sha256()
    for source in sources(file):
        whole.update(str(source.relative_to(PACKAGE)).encode() + _read(source).digest)
    return whole.hexdigest()[:16]


@functools.cache
def folder() -> Path | None:
    """Where machine code is kept: NUMBA_CACHE_DIR, else the user's cache, else nowhere if neither can be written."""
    chosen = getattr(config, "CACHE_DIR", "") or AppDirs("deeplimits", appauthor=False).user_cache_dir
    place = Path(chosen) / "machine-code"
    try:
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return None
    return place


class _Locator(caching._CacheLocator):
    """Where the machine code of one function of the package is kept."""

    def __init__(self, function: FunctionType, file: str, within: Path) -> None:
        self._py_file, self._code = file, function.__code__
        where = Path(file).relative_to(PACKAGE)
        self._path = within / f"{'.'.join(where.with_suffix('').parts)}-{state(Path(file))}"

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> _Locator | None:
        """The place for a function of the package; other functions keep numba's own places."""
        within = folder()
        return cls(function, file, within) if within is not None and Path(file).is_relative_to(PACKAGE) else None

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._path.name

    def get_disambiguator(self) -> str:
        """Two functions of one name in one module differ in their code; the lines where they stand say nothing."""
        code = self._code
        constants = [constant for constant in code.co_consts[1:] if not isinstance(constant, CodeType)]
        return hashlib.sha256(repr((code.co_code, code.co_names, constants)).encode()).hexdigest()[:8]


caching.CacheImpl._locator_classes.insert(0, _Locator)  # type: ignore[arg-type]


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`numba.njit` as all loops of the package use it: without the interpreter's lock, and kept on disk."""
    chosen = {"nogil": True, "cache": folder() is not None, **options}
    return numba.njit(**chosen) if function is None else numba.njit(**chosen)(function)
