"""Provenance tells what ran: the commit of this folder or none, and the versions that a kernel had."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bookbuild import current, provenance


def git(*arguments: str) -> str:
    """Run git here and return what it prints."""
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments],
        check=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
    ).stdout.strip()


@pytest.fixture
def outer(tmp_path, monkeypatch) -> Path:
    """A repository with a commit, entered."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    Path("a.txt").write_text("a", encoding="utf-8")
    git("add", "a.txt")
    git("commit", "--quiet", "--message=one")
    return tmp_path


def test_the_commit_is_that_of_this_folder(outer):
    assert provenance.commit() == git("rev-parse", "--short=12", "HEAD")


def test_a_repository_around_this_folder_says_nothing_of_it(outer, monkeypatch):
    (outer / "unpacked").mkdir()
    monkeypatch.chdir(outer / "unpacked")
    assert provenance.commit() == "not a git checkout"


@pytest.mark.parametrize(
    "name",
    [
        "_config.yml",
        "_toc.yml",
        "book/index.md",
        "src/bookbuild/site.py",
        "Makefile",
        "requirements.txt",
        "CITATION.cff",
        "pyproject.toml",
    ],
)
def test_a_change_in_any_file_that_the_book_is_made_from_is_told(outer, name):
    path = outer / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("one", encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message=two")
    clean = provenance.commit()
    assert "changes" not in clean
    path.write_text("two", encoding="utf-8")
    assert provenance.commit() == f"{clean} with local changes"


def test_what_the_site_is_made_from_is_among_what_is_told():
    assert all(any(Path(part).is_relative_to(whole) for whole in current.MADE_FROM) for part in current.SITE)
    assert current.LOCK.as_posix() in current.MADE_FROM and current.PACKAGE.is_relative_to("src")


def test_where_git_refuses_it_is_said_why(outer, monkeypatch):
    (outer / ".git/HEAD").unlink()  # git then takes the folder for no repository
    assert provenance.commit().startswith("unknown, as git says: fatal: not a git repository")


@pytest.mark.skipif(os.geteuid() != 0, reason="another owner can be feigned by root only")
def test_where_another_owns_the_folder_it_is_said(outer, monkeypatch):
    monkeypatch.setenv("HOME", str(outer / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("SUDO_UID", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for path in (outer, outer / ".git"):
        os.chown(path, 12345, 12345)
    assert "dubious ownership" in provenance.commit()


def test_an_archive_made_by_git_carries_its_commit(outer, monkeypatch):
    marked = outer / "src/bookbuild/archived.txt"
    marked.parent.mkdir(parents=True)
    shutil.copy(provenance.ARCHIVED, marked)
    shutil.copy(Path(__file__).parents[2] / ".gitattributes", outer)
    git("add", ".")
    git("commit", "--quiet", "--message=two")
    git("archive", "--output=a.tar", "HEAD")
    with tarfile.open("a.tar") as archive:
        archive.extractall("unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    monkeypatch.chdir("unpacked")
    monkeypatch.setattr(provenance, "ARCHIVED", Path("src/bookbuild/archived.txt").absolute())
    short = git("-C", str(outer), "rev-parse", "--short", "HEAD")
    assert provenance.commit() == f"{short} (from an archive)"


def test_versions_are_those_of_the_kernel(project, tmp_path):
    """A distribution that only the kernel sees is in the record."""
    info = project.root / "src/optax-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: optax\nVersion: 99.0\n", encoding="utf-8")
    project.notebook("part/deeper/second.ipynb", "import deeplimits")
    assert project.make("book").returncode == 0
    record = json.loads((project.root / "_build/exec/quick/part/deeper/second.provenance.json").read_text("utf-8"))
    assert record["versions"]["optax"] == "99.0" and "numpy" in record["versions"]
    assert "99.0" in project.page("reference/provenance.html")
