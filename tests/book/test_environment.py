"""The environment: which Python is accepted, what the locks hold, what make offers."""

import os
import re
import shutil
import sys
import tomllib

import pytest
import yaml
from sample_book import ROOT, Project, skeleton

LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def pins(lock: str) -> dict[str, str]:
    """Name and version of everything in a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), flags=re.MULTILINE))


@pytest.fixture
def bare(tmp_path) -> Project:
    """A project whose environment has not been set up."""
    project = skeleton(tmp_path)
    shutil.rmtree(tmp_path / ".venv")  # links: what they lead to stays
    return project


def stand_in(project: Project, version: str, body: str) -> str:
    """A program that answers like a Python of some version."""
    path = project.root / "python-stand-in"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Python {version}" && exit 0\n{body}\n')
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_a_python_that_is_too_new_is_refused_with_its_version(bare):
    done = bare.make("book", stand_in(bare, "3.15.0", "exit 1"))
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12, 3.13 or 3.14" in done.stdout and "Python 3.15.0" in done.stdout


def test_a_python_that_is_missing_is_named(bare):
    done = bare.make("book", "PYTHON=no-such-python")
    assert done.returncode != 0 and "no-such-python" in done.stdout
    assert "needs Python 3.11, 3.12, 3.13 or 3.14" in done.stdout


def test_a_python_without_venv_is_refused_with_the_remedy(bare):
    body = 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac'
    done = bare.make("book", stand_in(bare, "3.11.2", body))
    assert done.returncode != 0 and "apt install python3-venv" in done.stdout


def test_an_install_that_fails_leaves_nothing_that_passes_for_an_environment(bare):
    broken = 'mkdir -p .venv/bin; printf "#!/bin/sh\\nexit 1\\n" > .venv/bin/python; chmod +x .venv/bin/python; exit 0'
    body = f'case "$*" in *environment*) {broken};; *-c*) exit 0;; esac; exec {sys.executable} "$@"'
    done = bare.make("book", stand_in(bare, "3.11.2", body), "PATH=/usr/bin:/bin")
    assert done.returncode != 0 and not (bare.root / ".venv/.book").exists()


def test_the_package_the_message_and_the_workflow_agree_on_the_versions_of_python():
    """The lock ends where its wheels end; the package itself has no upper bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: Python :: 3." in each]
    assert project["requires-python"] == ">=3.11" and named == ["3.11", "3.12", "3.13", "3.14"]
    assert "(3, 11) <= sys.version_info[:2] < (3, 15)" in (ROOT / "Makefile").read_text()
    matrix = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == named


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^-|^--|@ ", text, flags=re.MULTILINE), "an address or an option of pip"
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_agree_with_each_other(lock):
    book = pins("requirements.txt")
    # neural-tangents runs on an old JAX, in an environment of its own.
    apart = {"jax", "jaxlib", "ml-dtypes", "opt-einsum"} if "tangents" in lock else set()
    shared = {name: version for name, version in pins(lock).items() if name in book and name not in apart}
    assert shared == {name: book[name] for name in shared}


def test_the_test_lock_holds_all_of_the_book_lock():
    assert pins("requirements.txt").items() <= pins("requirements-test.txt").items()


def test_the_locks_hold_what_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for lock, asked in [
        ("requirements.txt", project["project"]["dependencies"] + groups["book"]),
        ("requirements-test.txt", groups["test"]),
        ("requirements-lab.txt", groups["lab"]),
    ]:
        names = {re.match(r"[A-Za-z0-9_.-]+", each)[0].lower() for each in asked if isinstance(each, str)}
        assert {name.replace("_", "-") for name in names} <= set(pins(lock))


def test_help_lists_the_targets():
    said = Project(ROOT).make("help").stdout
    for target in ("book", "check", "test", "claim", "harden", "archive", "lab", "bench", "clean", "help"):
        assert f"make {target} " in said


def test_clean_removes_what_was_built_and_keeps_the_environment(project):
    assert project.make("clean").returncode == 0
    assert not (project.root / "_build").exists()
    assert (project.root / ".venv/.book").exists()


def test_nothing_that_is_built_is_stored():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/_build/", "/.venv*/", "__pycache__/"} <= set(ignored)


def test_binder_installs_the_lock_and_the_package_and_a_python_that_it_has_wheels_for():
    folder = ROOT / "binder"
    assert {path.name for path in folder.iterdir()} == {"postBuild", "requirements.txt", "runtime.txt"}
    option, lock = (folder / "requirements.txt").read_text().split()
    assert option == "-r" and (folder / lock).resolve() == ROOT / "requirements.txt"
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    wanted = (folder / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"Programming Language :: Python :: {wanted}" in classifiers
    assert os.access(folder / "postBuild", os.X_OK)
    asked = [line for line in (folder / "postBuild").read_text().splitlines() if line.startswith("python -m pip")]
    assert asked == ["python -m pip install --no-deps --no-build-isolation --no-index -e ."]
