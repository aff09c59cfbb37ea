"""One notebook with parameters of one's own, and the reading of its parameters."""

import json
import subprocess
import sys

import nbformat
import pytest
from sample_book import ROOT, environment

from bookbuild import BuildError, notebooks
from bookbuild.execute import parse, value_of


def cell(source: str, tag: str = "parameters"):
    return nbformat.v4.new_code_cell(source, metadata={"tags": [tag] if tag else []})


def run(project, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "bookbuild.execute", *arguments],
        cwd=project.root,
        env=environment() | {"PYTHONPATH": str(project.root / "src")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )


def test_a_notebook_runs_with_values_of_ones_own(project):
    done = run(project, "book/part/deeper/second.ipynb", "mine.ipynb", "-p", "size", "7")
    assert done.returncode == 0, done.stdout
    mine = nbformat.read(project.root / "mine.ipynb", as_version=4)
    assert mine.cells[-1].outputs[0].text == "42 7\n"
    injected = next(cell for cell in mine.cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert "remove-cell" not in injected.metadata.tags, "what differs from the page above it is shown"
    assert "papermill" not in mine.metadata
    origin = json.loads((project.root / "mine.provenance.json").read_text())
    assert origin["parameters"] == {"profile": "quick", "seed": 1, "size": 7}


def test_the_parameters_of_the_quick_profile_are_not_shown_twice(project):
    executed = nbformat.read(project.root / "_build/exec/quick/part/first.ipynb", as_version=4)
    tags = [cell.metadata.get("tags", []) for cell in executed.cells]
    assert ["injected-parameters", "remove-cell"] in tags


def test_values_that_begin_with_a_minus_are_values():
    assert parse(["a", "b", "-p", "size", "-1e-3", "-p", "shift", "-2"]).changes == {"size": -1e-3, "shift": -2}


def test_a_cell_that_kills_its_kernel_is_named(project):
    project.notebook("part/first.ipynb", "print('alive')", "import os\nos.kill(os.getpid(), 9)")
    done = run(project, "book/part/first.ipynb", "mine.ipynb")
    assert done.returncode == 1 and "failed in cell 4 (`import os`): its kernel died" in done.stdout, done.stdout
    assert "too little memory" in done.stdout and "Traceback" not in done.stdout


def test_a_kernel_is_spoken_to_through_files_and_not_ports_that_another_program_could_take_first(project):
    project.notebook(
        "part/first.ipynb", "import ipykernel\nprint(ipykernel.get_connection_info(unpack=True)['transport'])"
    )
    done = run(project, "book/part/first.ipynb", "mine.ipynb")
    assert done.returncode == 0, done.stdout
    assert nbformat.read(project.root / "mine.ipynb", as_version=4).cells[-1].outputs[0].text == "ipc\n"


def test_where_the_temporary_folder_has_too_long_a_name_for_sockets_ports_serve(project, monkeypatch):
    deep = project.root / ("x" * 90)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    project.notebook(
        "part/first.ipynb", "import ipykernel\nprint(ipykernel.get_connection_info(unpack=True)['transport'])"
    )
    done = run(project, "book/part/first.ipynb", "mine.ipynb")
    assert done.returncode == 0 and not list(deep.iterdir()), done.stdout
    assert nbformat.read(project.root / "mine.ipynb", as_version=4).cells[-1].outputs[0].text == "tcp\n"


def test_a_figure_that_is_not_drawn_is_an_error(project):
    path = project.root / "book/part/first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].metadata["mystnb"] = {"figure": {"name": "fig-none", "caption": "Nothing."}}
    nbformat.write(notebook, path)
    done = run(project, "book/part/first.ipynb", "mine.ipynb")
    assert done.returncode == 1 and "has the caption of a figure and shows none" in done.stdout, done.stdout
    assert not (project.root / "mine.ipynb").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("-p", "profile", "full"), "`-p profile` would change the label and not the sizes; name it with `--profile`"),
        (("-p", "sise", "7"), "unknown parameter `sise`; it has: profile, seed, size"),
        (("--profile", "huge"), "unknown profile `huge`; known profiles: quick, full"),
    ],
)
def test_wrong_names_are_named(project, arguments, complaint):
    done = run(project, "book/part/deeper/second.ipynb", "mine.ipynb", *arguments)
    assert done.returncode == 1 and done.stdout == f"*** book/part/deeper/second.ipynb: {complaint}\n"
    assert not (project.root / "mine.ipynb").exists()


def test_a_notebook_that_is_not_there_is_named(project):
    done = run(project, "book/nowhere.ipynb", "mine.ipynb")
    assert done.returncode == 1 and "*** book/nowhere.ipynb cannot be read as a notebook" in done.stdout


def test_a_source_is_never_overwritten(project):
    before = (project.root / "book/part/deeper/second.ipynb").read_bytes()
    done = run(project, "book/part/deeper/second.ipynb", "book/part/deeper/second.ipynb")
    assert done.returncode == 1 and "name another file" in done.stdout
    assert (project.root / "book/part/deeper/second.ipynb").read_bytes() == before


def test_values_are_literals_or_text():
    assert [value_of(text) for text in ("7", "-1.5", "[1, 2]", "True", "tanh")] == [7, -1.5, [1, 2], True, "tanh"]


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([cell("x = 1", tag="")], "exactly one cell has the tag"),
        ([cell("profile = 'quick'"), cell("profile = 'quick'")], "exactly one cell has the tag"),
        ([cell("x = 1", tag=""), cell("profile = 'quick'")], "it is the first code cell"),
        ([cell("seed = 1")], "does not define `profile`"),
        ([cell("profile = 'quick'\nsize = 2 * seed")], "`size = 2 * seed` in the parameters cell is no literal"),
        ([cell("profile = 'quick'\nimport os")], "`import os` in the parameters cell is no literal"),
    ],
)
def test_a_wrong_parameters_cell_is_refused(cells, complaint):
    with pytest.raises(BuildError, match=complaint.replace("*", r"\*")):
        notebooks.parameters(nbformat.v4.new_notebook(cells=cells), "sample")


def test_the_notebooks_of_the_book_are_found_in_subfolders():
    assert ROOT / "book/shaped/covariance.ipynb" in notebooks.find(ROOT / "book")
