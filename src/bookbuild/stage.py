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

from bookbuild import BuildError, dress, notebooks
from bookbuild.versions import LATEST

STAGE = Path("_build/stage")
FIGURES = "_figures"
#: What is copied to the root of the site as it is.
VERBATIM = "_extra"
IMAGES = {"image/svg+xml": ".svg", "image/png": ".png"}


def pages(profile: str) -> list[tuple[str, Path]]:
    """(page, executed notebook) for every notebook of the book, in the order of its contents."""
    contents = re.findall(r"file: (\S+)", Path("_toc.yml").read_text())
    found = []
    for source in notebooks.find():
        executed = notebooks.executed_copy(source, profile)
        if not executed.exists():
            raise BuildError(f"{source} has not been executed in the {profile} profile")
        found.append((source.with_suffix("").as_posix(), executed))
    return sorted(found, key=lambda each: contents.index(each[0]) if each[0] in contents else len(contents))


def bibliography_keys(path: Path = Path("book/references.bib")) -> set[str]:
    """The keys that may be cited."""
    return set(re.findall(r"^@\w+\{([^,\s]+),", path.read_text(), flags=re.MULTILINE))


def write_figures(executed: Path, folder: Path) -> None:
    """Save each named figure of an executed notebook under its name, for other pages to show."""
    for cell, output in notebooks.outputs(notebooks.read(executed)):
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        form = next((form for form in IMAGES if form in output.data), None)
        if name and form:
            data = output.data[form]
            content = data.encode() if form == "image/svg+xml" else b64decode(data)
            folder.mkdir(exist_ok=True)
            (folder / name).with_suffix(IMAGES[form]).write_bytes(content)


def public_address() -> str | None:
    """Where the project is published (`repository-code` in CITATION.cff), if it is."""
    return yaml.safe_load(Path("CITATION.cff").read_text()).get("repository-code")


def settings(stamp: str) -> str:
    """The settings of the site.

    Once the public address of the project is known, pages get buttons that lead to it and that run
    their notebook on Binder and, from GitHub, on Colab. Once that of the site is known (`url` in CITATION.cff), pages
    name their own address in its latest version.
    """
    text = Path("_config.yml").read_text().replace("@stamp@", stamp)
    address, site = public_address(), yaml.safe_load(Path("CITATION.cff").read_text()).get("url")
    if not address and not site:
        return text
    config = yaml.safe_load(text)
    if site:
        config["html"]["baseurl"] = f"{site.rstrip('/')}/{LATEST}/"
    if not address:
        return yaml.safe_dump(config)
    config["repository"] = {"url": address, "branch": "main"}
    config["launch_buttons"] = {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
    if address.startswith("https://github.com/"):
        config["launch_buttons"]["colab_url"] = "https://colab.research.google.com"
    config["html"] |= {"use_repository_button": True, "use_issues_button": True}
    return yaml.safe_dump(config)


def build(profile: str, generated: dict[str, str], claims: list[dict], stamp: str) -> None:
    """Fill the stage afresh.

    `generated` maps paths in the book to the text they get; `stamp` says in the footer of each
    page which version and commit it shows.
    """
    shutil.rmtree(STAGE, ignore_errors=True)
    book = STAGE / notebooks.BOOK
    shutil.copytree(notebooks.BOOK, book,
                    ignore=shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints"))
    shutil.copy2("_toc.yml", STAGE / "_toc.yml")
    (STAGE / "_config.yml").write_text(settings(stamp))
    keys = bibliography_keys()
    for page, executed in pages(profile):
        write_figures(executed, book / FIGURES)
        notebook = notebooks.read(executed)
        dress.write_tables(notebook, book / VERBATIM / dress.TABLES)
        cite = dress.papers_of(page, claims, keys)
        here = [claim for claim in claims if claim["page"] == page]
        nbformat.write(dress.dress(notebook, page, here, cite), (STAGE / page).with_suffix(".ipynb"))
    for name, text in generated.items():
        (book / name).write_text(text)
