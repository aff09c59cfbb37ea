"""Colab: copies of the notebooks install the package first, and are published on a branch of their own."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from sample_book import ROOT, borrow_environment

from bookbuild import BuildError, colab

ADDRESS = "https://github.com/someone/deep-limits"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments],
        cwd=folder,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The project with one chapter, published: it knows its own address."""
    folder = tmp_path_factory.mktemp("public") / "deep-limits"
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CITATION.cff",
        ".ci/colab",
        "src/deeplimits",
        "src/bookbuild",
        "book/residual/euler.ipynb",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    with (folder / "CITATION.cff").open("a") as citation:
        citation.write(f"repository-code: {ADDRESS}\n")
    borrow_environment(folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", *(name for name in os.listdir(folder) if name not in (".git", ".venv")))
    git(folder, "commit", "--quiet", "--message=The project")
    return folder


@pytest.fixture(scope="module")
def online(repository):
    """An environment in which git finds the repository at its public address, without network."""
    redirected = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    return {**os.environ, **redirected, "PYTHONPATH": str(repository / "src")}


@pytest.fixture(scope="module")
def published(repository, online):
    """The chapter as it stands on the branch for Colab."""
    subprocess.run([".venv/bin/python", "-m", "bookbuild.colab"], cwd=repository, env=online, check=True)
    subprocess.run(["bash", ".ci/colab", ADDRESS], cwd=repository, env=online, check=True)
    return nbformat.reads(git(repository, "show", f"{colab.BRANCH}:book/residual/euler.ipynb"), as_version=4)


def test_the_copy_is_the_chapter_with_one_cell_before_its_first(published):
    source = nbformat.read(ROOT / "book/residual/euler.ipynb", as_version=4)
    added = [cell for cell in published.cells if cell.id == "install"]
    code = [cell for cell in published.cells if cell.cell_type == "code"]
    assert added == code[:1] and not any(cell.outputs for cell in code)
    assert [cell for cell in published.cells if cell.id != "install"] == source.cells
    nbformat.validate(published)


def test_the_cell_installs_the_package_from_the_commit_at_hand(repository, online, published, tmp_path):
    """pip runs as in the cell, without network: what the package needs is here already."""
    comment, command = next(cell.source for cell in published.cells if cell.id == "install").splitlines()
    program, *arguments = shlex.split(command)
    assert comment.startswith("# ") and program == "%pip"
    package, *needs = [each for each in arguments if each not in ("install", "--quiet")]
    assert package == f"deeplimits @ git+{ADDRESS}@{git(repository, 'rev-parse', 'main')}"
    assert [each.split()[0] for each in needs] == list(colab.IMPORTED)
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", package], env={**online, **offline}, check=True, timeout=300
    )
    assert (tmp_path / "deeplimits/__init__.py").is_file()


def test_what_chapters_import_is_in_the_cell_or_the_package_needs_it(monkeypatch):
    """Whatever a chapter asks for beyond the package's own needs stands in the cell."""
    monkeypatch.chdir(ROOT)
    own = {"deeplimits", "numpy", "scipy", "matplotlib", "seaborn", "sklearn", "sympy", "numba", "IPython", "jax"}
    beside = set()
    for source in colab.notebooks.find():
        for cell in colab.notebooks.read(source).cells:
            if cell.cell_type == "code":
                lines = [line.split() for line in cell.source.splitlines()]
                beside |= {words[1].split(".")[0] for words in lines if words[:1] in (["import"], ["from"])}
    assert beside - own - set(sys.stdlib_module_names) <= set(colab.IMPORTED)


def test_without_a_public_address_there_is_nothing_to_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CITATION.cff").write_text("title: A book\n")
    with pytest.raises(BuildError, match="repository-code"):
        colab.main()
