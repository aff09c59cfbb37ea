"""Machine code on disk: stale when any module it comes from changes, and no hindrance where nothing can be written."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeplimits import _jit, gaussian

SOURCE = Path(_jit.__file__).parents[1]

#: A package of four modules: `top` imports `helper`, which imports `room.deep`; nothing imports `other`.
PACKAGE = {
    "top.py": "from .helper import twice\n",
    "helper.py": '"""A docstring."""\n\nfrom .room import deep\n\n\ndef twice(x):\n    return deep.FACTOR * x\n',
    "room/__init__.py": "",
    "room/deep.py": "FACTOR = 2\n",
    "other.py": "FACTOR = 2\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of that package, in the place of deeplimits."""
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(_jit, "PACKAGE", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    _jit._read.cache_clear()
    _jit.state.cache_clear()


def state_after(package, name, text):
    """The state of `top` once a module has another text."""
    (package / name).write_text(text)
    forget()
    return _jit.state(package / "top.py")


def test_sources_are_all_modules_that_one_imports_directly_or_not(package):
    found = {str(file.relative_to(package)) for file in _jit.sources(package / "top.py")}
    assert found == {"top.py", "helper.py", "room/__init__.py", "room/deep.py"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", "twice", "twice as double"),
        ("helper.py", "* x", "* x + 1"),
        ("room/deep.py", "2", "3"),
    ],
)
def test_a_change_of_what_a_module_does_changes_the_state(package, name, old, new):
    before = _jit.state(package / "top.py")
    assert state_after(package, name, PACKAGE[name].replace(old, new)) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("room/deep.py", "# Why two.\nFACTOR = 2  # and not three\n"),
        ("helper.py", PACKAGE["helper.py"].replace("A docstring", "Another one")),
        ("helper.py", PACKAGE["helper.py"].replace("    return", '    """Twice x."""\n    return')),
        ("other.py", "FACTOR = 3\n"),
    ],
    ids=["comment", "docstring", "docstring of a function", "module that is not imported"],
)
def test_a_change_of_anything_else_does_not(package, name, text):
    before = _jit.state(package / "top.py")
    assert state_after(package, name, text) == before


def absolute_imports(text):
    """Lines that import the package by its name."""
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        yield from (node.lineno for name in names if name.split(".")[0] == "deeplimits")


@pytest.mark.parametrize(
    "file", sorted((SOURCE / "deeplimits").rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE))
)
def test_the_package_imports_itself_by_relative_names(file):
    assert list(absolute_imports(file.read_text(encoding="utf-8"))) == []


def test_an_absolute_import_would_be_seen():
    text = "from .a import b\nimport deeplimits.c\ndef f():\n    from deeplimits import d\nimport numpy\n"
    assert list(absolute_imports(text)) == [2, 4]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [True, False], ids=["folder chosen", "folder of the user"])
def test_loops_run_where_no_folder_can_be_written(tmp_path, chosen):
    blocked = tmp_path / "file"
    blocked.write_text("")
    # Below a regular file: no permission lets anyone write there.
    places = {name: str(blocked / "below") for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment = {**kept, **places, "PYTHONPATH": str(SOURCE)}
    if chosen:
        environment["NUMBA_CACHE_DIR"] = str(blocked / "below")
    script = "from deeplimits import _jit, gaussian; print(_jit.folder(), gaussian.normals(3, 1, 4).tolist())"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, f"None {gaussian.normals(3, 1, 4).tolist()}"), done.stderr
