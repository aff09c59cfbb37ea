"""The sample book: built once, and a copy of it for each test that changes something."""

import shutil
from pathlib import Path

import pytest
from sample_book import ROOT, Project, skeleton


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> tuple[Path, str]:
    """The sample book, built once, two jobs at a time; and what make said."""
    if not (ROOT / ".venv/.book").exists():
        pytest.fail("these tests use the environment that `make book` sets up: run `make test`")
    root = tmp_path_factory.mktemp("sample")
    done = skeleton(root).make("book", "-j2")
    assert done.returncode == 0, done.stdout
    return root, done.stdout


@pytest.fixture
def project(built, tmp_path) -> Project:
    """A copy of the built sample book, to be changed."""
    root = tmp_path / "project"
    shutil.copytree(built[0], root, symlinks=True)
    return Project(root)
