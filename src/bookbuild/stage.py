"""Stage the book: prose, executed notebooks, their figures and the generated pages, in one tree.

The site is built from `_build/stage`, never from the sources.
"""

from __future__ import annotations

import re
import shutil
from base64 import b64decode
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from bookbuild import citations, dress, media, notebooks
from bookbuild.pages import Page
from bookbuild.versions import LATEST, LIST

STAGE = Path("_build/stage")
FIGURES = "_figures"
#: Stands in the settings, and at the foot of the pages until they are done, for what the pages show.
FOOT = "@stamp@"
#: What is copied to the root of the site as it is.
VERBATIM = "_extra"


def bibliography_keys(path: Path = Path("book/references.bib")) -> set[str]:
    """The keys that may be cited."""
    return set(re.findall(r"^@\w+\{([^,\s]+),", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def write_figures(notebook: NotebookNode, folder: Path) -> None:
    """Save each named figure of an executed notebook under its name, for other pages to show."""
    for cell, output in notebooks.outputs(notebook):
        name = notebooks.figure(cell).get("name")
        form = next((form for form in media.PICTURES if form in output.data), None)
        if name and form:
            data = output.data[form]
            content = data.encode() if form == "image/svg+xml" else b64decode(data)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).with_suffix(media.PICTURES[form]).write_bytes(content)


def public_address() -> str | None:
    """Where the project is published (`repository-code` in CITATION.cff), if it is."""
    return citations.read().get("repository-code")


def settings(stamp: str) -> str:
    """The settings of the site.

    Once the public address of the project is known, pages get buttons that lead to it and that run
    their notebook on Binder and, from GitHub, on Colab. Once that of the site is known (`url` in CITATION.cff), pages
    name their own address in its latest version, and lead to the others.
    """
    about = citations.read()
    address, site = about.get("repository-code"), about.get("url", "").rstrip("/")
    if site:
        stamp += f'. <a href="{site}/{LIST}">Other versions</a>'
    config = yaml.safe_load(Path("_config.yml").read_text(encoding="utf-8").replace(FOOT, stamp))
    if site:
        config["html"]["baseurl"] = f"{site}/{LATEST}/"
    if not address:
        return yaml.safe_dump(config)
    config["repository"] = {"url": address, "branch": "main"}
    config["launch_buttons"] = {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
    if address.startswith("https://github.com/"):
        config["launch_buttons"]["colab_url"] = "https://colab.research.google.com"
    config["html"] |= {"use_repository_button": True, "use_issues_button": True}
    return yaml.safe_dump(config)


def build(pages: list[Page], generated: dict[str, str], claims: list[dict]) -> None:
    """Fill the stage afresh; `generated` maps paths in the book to the text they get."""
    shutil.rmtree(STAGE, ignore_errors=True)
    book = STAGE / notebooks.BOOK
    shutil.copytree(notebooks.BOOK, book, ignore=shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints"))
    shutil.copy2("_toc.yml", STAGE / "_toc.yml")
    (STAGE / "_config.yml").write_text(settings(FOOT), encoding="utf-8")
    keys = bibliography_keys()
    for page in pages:
        write_figures(page.notebook, book / FIGURES)
        write_figures(page.notebook, book / VERBATIM / dress.TABLES)
        dress.write_tables(page, book / VERBATIM / dress.TABLES)
        here = [claim for claim in claims if claim["page"] == page.name]
        dressed = dress.dress(page, here, dress.papers_of(page.name, claims, keys))
        nbformat.write(dressed, (STAGE / page.name).with_suffix(".ipynb"))
    for name, text in generated.items():
        (book / name).parent.mkdir(parents=True, exist_ok=True)
        (book / name).write_text(text, encoding="utf-8")
