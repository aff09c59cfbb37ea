"""A small book of two notebooks, built by the real Makefile, to try the publisher on."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
CLAIM = "application/vnd.deeplimits.claim+json"

#: Observed 0.1 ± 0.1, predicted 0, control 1: the criterion accepts up to 4.417 standard errors.
CHECK = {
    "id": "sample-claim",
    "part": "",
    "kind": "estimate",
    "observed": 0.1,
    "uncertainty": 0.1,
    "expected": 0.0,
    "bias": 0.0,
    "limit": 4.417173413467605,
    "criterion": "|observed - predicted| / error ≤ 4.42",
    "statistic": 1.0,
    "verdict": "holds",
    "passed": True,
    "accepts": {"prediction": [-0.3417173413467605, 0.5417173413467605]},
    "sharpness": 0.4417173413467605,
    "scale": "way to the control",
    "control": {
        "variant": "one",
        "expected": 1.0,
        "uncertainty": 0.1,
        "least": 0.0,
        "judged": True,
        "statistic": 9.0,
        "rejected": True,
    },
    "reason": "one sample",
    "seed": 1,
}
CLAIMS = """\
- {id: sample-claim, title: A sample, source: "li2022covariance: a result", statement: "$x = 0$",
   page: book/part/first, kind: claim}
- {id: sample-definition, title: A word, source: ours, statement: "$x$ is a number",
   page: book/part/first, kind: definition}
"""


def environment() -> dict[str, str]:
    """The surroundings of a fresh shell: nothing from a make that runs these tests."""
    hidden = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PROFILE", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


class Project:
    """A project in a folder: change it, make it, look at what came out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, *arguments: str, **surroundings: str) -> subprocess.CompletedProcess:
        """Run make in the project, output and errors together in `.stdout`; more surroundings may be given."""
        return subprocess.run(
            ["make", *arguments],
            cwd=self.root,
            env=environment() | surroundings,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )

    def executed(self, output: str) -> list[str]:
        """The notebooks that a run of make says it executed."""
        lines = [line.split() for line in output.splitlines()]
        return [words[1] for words in lines if words[:1] == ["executed"]]

    def notebook(self, name: str, *sources: str, profiles: dict | None = None) -> None:
        """Write a notebook: the parameters cell, then the sources given."""
        cells = [
            nbformat.v4.new_markdown_cell(f"# {Path(name).stem}"),
            nbformat.v4.new_code_cell('profile = "quick"\nseed = 1\nsize = 10', metadata={"tags": ["parameters"]}),
            *map(nbformat.v4.new_code_cell, sources),
        ]
        written = nbformat.v4.new_notebook(
            cells=cells,
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "profiles": profiles if profiles is not None else {"full": {"size": 1000}},
            },
        )
        path = self.root / "book" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(written, path)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def publish_at(self, address: str) -> None:
        """Give the project a public address."""
        path = self.root / "CITATION.cff"
        path.write_text(f"{path.read_text()}repository-code: {address}\n")

    @property
    def claims(self) -> dict:
        """The claims of the site, as machines read them."""
        return json.loads((self.root / "_build/html/claims.json").read_text())

    def page(self, name: str) -> str:
        """A page of the site."""
        return (self.root / "_build/html/book" / name).read_text()


def card(record: dict) -> str:
    """What a check shows, with all that the build looks for."""
    control = record["control"] or {"variant": "none", "statistic": 0.0}
    return (
        f"<div class='claim-check'>{record['verdict'].capitalize()} {record['criterion']}:"
        f" {record['statistic']:.3g}<br>{control['variant']}: rejected at {control['statistic']:.3g}"
        f"<br>{record['reason']}</div>"
    )


def checked(**changes: object) -> str:
    """Source of a cell that carries the record of a check."""
    record = {**CHECK, **changes}
    shown = {CLAIM: record, "text/html": card(record), "text/plain": "a verdict"}
    return f"display({shown!r}, raw=True)"


def borrow_environment(root: Path) -> None:
    """Links to what is in this project's environment.

    Not one link to its folder: if the environment is outdated, the project's make empties the folder that it finds.
    """
    (root / ".venv").mkdir()
    for path in (ROOT / ".venv").iterdir():
        if path.name.startswith("."):
            shutil.copy2(path, root / ".venv" / path.name)
        else:
            (root / ".venv" / path.name).symlink_to(path)


def skeleton(root: Path) -> Project:
    """The project's own machinery around a book of two notebooks."""
    for name in (
        "Makefile",
        ".gitignore",
        ".gitattributes",
        "_config.yml",
        "requirements.txt",
        "pyproject.toml",
        "CITATION.cff",
        "LICENSE",
        "LICENSE-text",
    ):
        shutil.copy2(ROOT / name, root / name)
    shutil.copytree(ROOT / "src/bookbuild", root / "src/bookbuild", ignore=shutil.ignore_patterns("__pycache__"))
    borrow_environment(root)
    project = Project(root)
    project.write(
        "_toc.yml",
        "format: jb-book\nroot: book/index\nchapters:\n"
        "  - file: book/part/first\n  - file: book/part/deeper/second\n"
        "  - file: book/reference/claims\n  - file: book/reference/provenance\n",
    )
    project.write("src/deeplimits/__init__.py", "answer = 42\n")
    shutil.copy2(ROOT / "src/deeplimits/_sources.py", root / "src/deeplimits/_sources.py")
    project.write("book/index.md", "# A sample\n\nSee {cite:t}`li2022covariance`.\n\n```{bibliography}\n```\n")
    project.write("book/_static/mathjax/tex-mml-chtml.js", "")
    for path in (ROOT / "book/_static").glob("*.*"):
        shutil.copy2(path, root / "book/_static" / path.name)
    project.write("book/_extra/index.html", '<meta http-equiv="refresh" content="0; url=book/index.html">')
    project.write("book/claims.yml", CLAIMS)
    shutil.copy2(ROOT / "book/references.bib", root / "book/references.bib")
    for page in ("claims", "provenance"):
        project.write(f"book/reference/{page}.md", f"# {page}\n\n```{{include}} _{page}.md\n```\n")
    project.notebook("part/first.ipynb", checked())
    project.notebook("part/deeper/second.ipynb", "import deeplimits\nprint(deeplimits.answer, size)")
    return project
