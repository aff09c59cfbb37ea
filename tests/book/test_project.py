"""What a visitor finds: README, citation, licences; and that nothing points to one machine."""

import re
import subprocess
import sys

import nbformat
import pytest
import yaml
from sample_book import ROOT, Project, environment

README = (ROOT / "README.md").read_text()
RERUN = (ROOT / "book/reference/rerun.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
BLOCKS = FENCE.findall(README) + FENCE.findall(RERUN)
COMMANDS = sorted({line for language, text in BLOCKS if language == "sh" for line in text.splitlines()})
PROGRAMS = sorted({text for language, text in BLOCKS if language == "python"})
#: `make book` is run as it stands; these would take long or run these tests again.
REHEARSED = {"make test", "make book PROFILE=full"}


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_the_make_commands_work(command):
    shown = (ROOT / "_build/html/.built").read_text().strip()
    words = command.split()[1:]
    if command in REHEARSED:
        words.append("--dry-run")
    elif words == ["book"]:
        words.append(f"PROFILE={shown}")  # the site that is being tested stays as it is
    done = Project(ROOT).make(*words)
    assert done.returncode == 0, done.stdout
    if words[0] == "book" and command not in REHEARSED:
        assert "open file://" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("deeplimits ")])
def test_the_commands_of_the_package_work(command, tmp_path):
    call = [sys.executable, "-m", *command.split(), "--samples", "5"]
    path = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(call, cwd=tmp_path, env=environment() | path, check=True, timeout=300)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith(".venv/")])
def test_the_command_that_reruns_one_notebook_works(command, tmp_path):
    words = command.split()
    assert words[0] == ".venv/bin/python" and "mine.ipynb" in words
    mine = tmp_path / "mine.ipynb"
    words[words.index("mine.ipynb")] = str(mine)
    done = subprocess.run(words, cwd=ROOT, env=environment(), text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert nbformat.read(mine, as_version=4).cells


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_examples_in_python_work(program):
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True, timeout=300)


@pytest.mark.parametrize("address", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_the_links_of_the_readme_lead_somewhere(address):
    assert (ROOT / address).is_file()


def test_the_readme_shows_one_picture_and_says_what_is_in_it():
    pictures = re.findall(r"!\[([^\]]*)\]", README)
    assert len(pictures) == 1 and len(pictures[0]) > 30


def test_the_citation_names_the_three_papers_as_the_bibliography_does():
    bibliography = (ROOT / "book/references.bib").read_text().replace("{", "").replace("}", "")
    references = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    papers = {each["value"].removeprefix("arXiv:") for paper in references for each in paper["identifiers"]}
    assert papers == {"2007.03253", "2206.02768", "2210.00688"}
    assert all(paper["title"] in bibliography for paper in references)
    assert all(paper in bibliography for paper in papers)


def test_the_figures_beside_other_packages_are_those_that_were_measured():
    """Task, peer, both times and the ratio stand in one row of the benchmarks."""
    rows = [
        [cell.strip(" *") for cell in line.split("|")]
        for line in (ROOT / "benchmarks/README.md").read_text().splitlines()
    ]
    measured = {(*cells[3:6], cells[6]): cells[1] for cells in rows if len(cells) > 7}
    page = (ROOT / "book/reference/relatives.md").read_text()
    shown = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if re.search(r"\d m?s \|", line)]
    assert len(shown) > 5
    for _, task, peer, ours, theirs, faster, _ in shown:
        process = measured[peer, ours, theirs, faster]
        assert task.startswith(process.split(",")[0]) or "shaped ReLU" in task and "shaped ReLU" in process


def test_the_code_and_the_cells_are_clean():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "."],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_licences_are_there():
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-text").read_text()
    assert "Apache License" in (ROOT / "book/_static/mathjax/LICENSE").read_text()


def test_the_site_does_not_name_the_folder_it_was_built_in():
    pages = [
        path
        for path in (ROOT / "_build/html").rglob("*")
        if path.suffix in {".html", ".json", ".ipynb", ".js"} and "_static" not in path.parts
    ]
    assert pages
    assert not [path.name for path in pages if str(ROOT) in path.read_text()]
