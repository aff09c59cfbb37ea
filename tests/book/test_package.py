"""The package as others install it: what the wheel holds, what it needs, and that it works without the project."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import Parser
from importlib import metadata as installed
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from sample_book import ROOT

from bookbuild import metadata, package

QUICKSTART = (ROOT / "book/reference/quickstart.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", QUICKSTART, flags=re.MULTILINE | re.DOTALL)
ADDRESS = "https://github.com/someone/deep-limits"
IMPORT_ALL = """
import importlib, pkgutil, deeplimits
for module in pkgutil.walk_packages(deeplimits.__path__, "deeplimits."):
    importlib.import_module(module.name)
print(deeplimits.__file__, deeplimits.__version__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source archive, built beside the project and not in it."""
    folder = tmp_path_factory.mktemp("package")
    here, epoch = Path.cwd(), os.environ.get("SOURCE_DATE_EPOCH")
    os.chdir(ROOT)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(package, "COPY", folder / "copy")
            patch.setattr(package, "PACKAGES", folder / "packages")
            patch.setenv("SOURCE_DATE_EPOCH", epoch or "0")
            return package.build()
    finally:
        os.chdir(here)


def needs(names: list[str]) -> set[str]:
    """Everything that some requirements bring, without extras that were not asked for."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        wanted = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        found.add(name)
        waiting += installed.requires(name) or []
    return found


@pytest.fixture(scope="module")
def empty(built, tmp_path_factory):
    """An environment with the wheel, with what the wheel asks for, and with nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(site)
    for name in needs(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]):
        distribution = installed.distribution(name)
        for top in {path.parts[0] for path in distribution.files if not path.parts[0].startswith("..")}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    return folder / "bin/python"


def run(python: Path, program: str, folder: Path) -> str:
    """Run a program in a folder, with no way to the project; warnings are errors."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "NUMBA_CACHE_DIR") if name in os.environ}
    done = subprocess.run(
        [python, "-W", "error", "-c", program],
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=500,
        env={**kept, "MPLBACKEND": "agg", "MPLCONFIGDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_its_licence_its_command_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src/deeplimits").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    extra = {name for name in names if ".dist-info/" not in name} ^ sources
    assert not extra
    beside = {name.split(".dist-info/")[1] for name in names if ".dist-info/" in name}
    assert beside == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_source_archive_makes_the_same_wheel(built, tmp_path):
    shutil.unpack_archive(built[1], tmp_path)
    (source,) = tmp_path.iterdir()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--wheel-dir",
            tmp_path,
            source,
        ],
        check=True,
        timeout=300,
        env={**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "")},
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as again, zipfile.ZipFile(built[0]) as first:
        assert {name: again.read(name) for name in again.namelist()} == {
            name: first.read(name) for name in first.namelist()
        }


def test_the_package_needs_no_more_than_it_names_and_every_module_is_imported(empty, tmp_path):
    where, version = run(empty, IMPORT_ALL, tmp_path).split()
    assert Path(where).is_relative_to(empty.parent.parent) and str(ROOT) not in where
    assert version == yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]


@pytest.mark.parametrize("absent", ["jax", "torch", "IPython", "distributed", "diffrax"])
def test_what_is_optional_is_not_there(empty, absent, tmp_path):
    """Otherwise the tests above would prove nothing about what the package needs."""
    run(empty, f"import importlib.util as u; assert u.find_spec({absent!r}) is None", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=["covariance", "depth", "doubly"])
def test_ten_lines_make_a_figure_of_each_paper_without_the_project(empty, program, tmp_path):
    assert len([line for line in program.splitlines() if line.strip()]) <= 10
    run(empty, program, tmp_path)
    (figure,) = tmp_path.glob("*.png")
    assert figure.read_bytes().startswith(b"\x89PNG") and figure.stat().st_size > 5000


def test_training_says_which_extra_it_needs(empty, tmp_path):
    said = run(
        empty,
        "from deeplimits.training import _libraries\ntry: _libraries.jax()\nexcept ImportError as error: print(error)",
        tmp_path,
    )
    assert "deeplimits[training]" in said


def test_the_extras_are_whole():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {
        name: {Requirement(each).name for each in listed}
        for name, listed in project["project"]["optional-dependencies"].items()
    }
    assert named == {"training": {"jax", "optax"}, "torch": {"torch"}, "jax": {"jax"}, "cluster": {"distributed"}}
    page = (ROOT / "book/reference/install.md").read_text()
    assert set(re.findall(r'pip install "deeplimits\[(\w+)\]"', page)) == named.keys()
    modules = {path.stem for path in (ROOT / "src/deeplimits").iterdir()}
    assert named.keys() - {"cluster"} <= modules


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_the_page_at_the_index_has_no_link_that_needs_the_project(address):
    text = (ROOT / "README.md").read_text()
    cff = {"version": "1.2.3"} | ({"repository-code": address} if address else {})
    shown = package.readme(text, cff)
    relative = re.findall(r"\]\((?!https://)([^)]+)\)", shown)
    if address is None:
        assert shown == text and relative
        return
    assert not relative
    before, after = (re.search(r"!\[[^\]]+\]\(([^)]+)\)", each)[1] for each in (text, shown))
    assert (ROOT / before).is_file() and after == f"{address}/raw/v1.2.3/{before}"
    assert before.endswith(".png")  # drawings that are served as text are not shown there
    assert f"]({address}/blob/v1.2.3/LICENSE)" in shown


def test_the_index_learns_the_addresses_and_shows_the_readme(tmp_path, monkeypatch):
    cff = {**metadata_of_root(), "repository-code": ADDRESS, "url": "https://someone.example"}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(package, "COPY", tmp_path / "copy")
    monkeypatch.setattr(package, "PACKAGES", tmp_path / "packages")
    monkeypatch.setattr(metadata, "about", lambda: cff)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    with zipfile.ZipFile(package.build()[0]) as wheel:
        (name,) = [each for each in wheel.namelist() if each.endswith("METADATA")]
        about = Parser().parsestr(wheel.read(name).decode())
    assert about["Description-Content-Type"].startswith("text/markdown")
    assert about.get_payload().strip() == package.readme((ROOT / "README.md").read_text(), cff).strip()
    urls = dict(each.split(", ") for each in about.get_all("Project-URL"))
    assert urls["Source"] == ADDRESS and urls["Documentation"] == "https://someone.example"
    assert about["Requires-Python"] == ">=3.11" and about["License-Expression"] == "MIT"


def metadata_of_root() -> dict:
    """CITATION.cff of the project."""
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())
