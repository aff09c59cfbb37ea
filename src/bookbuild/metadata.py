"""What others read about the project, written from CITATION.cff: `python -m bookbuild.metadata`.

Title, version, date, authors, the public address (`repository-code`), the address of the site (`url`) and the DOI
(`doi`) are set in CITATION.cff and nowhere else. This writes `.zenodo.json`, `codemeta.json`, `codecheck.yml`,
`paper/rescience.yml`, the version in the package and the metadata at the head of `paper/paper.md`.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from bookbuild import exit_with, notebooks
from bookbuild.citations import CITATION, named

PACKAGE = Path("src/deeplimits/__init__.py")
PAPER = Path("paper/paper.md")
TEXT_LICENCE = "https://creativecommons.org/licenses/by/4.0/"
#: Where a checker unpacks the archive of the evidence, as the comment in codecheck.yml says.
OUTPUTS = "codecheck/outputs"
CODECHECK = f"""\
# The outputs to check, for https://codecheck.org.uk. Made by `python -m bookbuild.metadata`. To have them:
#   make archive PROFILE=full
#   mkdir -p {OUTPUTS} && tar -xzf _build/deep-limits-*-full.tar.gz --strip-components=1 -C {OUTPUTS}
# The checker adds codechecker, summary, check_time, certificate and report.
"""


def about() -> dict[str, Any]:
    """CITATION.cff."""
    return yaml.safe_load(CITATION.read_text(encoding="utf-8"))


def papers(cff: dict[str, Any]) -> list[str]:
    """The papers that the book explains, as arXiv names them."""
    return [each["value"] for paper in cff["references"] for each in paper["identifiers"]]


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are known."""
    return {name: value for name, value in fields.items() if value}


def zenodo(cff: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a deposit at Zenodo."""
    creators = [
        present(
            name=named(each, family_first=True),
            affiliation=each.get("affiliation"),
            orcid=each.get("orcid", "").removeprefix("https://orcid.org/"),
        )
        for each in cff["authors"]
    ]
    related = [
        {"identifier": paper, "relation": "isSupplementTo", "resource_type": "publication-article"}
        for paper in papers(cff)
    ]
    if "url" in cff:
        related.append({"identifier": cff["url"], "relation": "isDocumentedBy", "resource_type": "publication-book"})
    return {
        "title": cff["title"],
        "description": cff["abstract"],
        "upload_type": "software",
        "version": cff["version"],
        "publication_date": cff["date-released"],
        "license": cff["license"],
        "creators": creators,
        "keywords": cff["keywords"],
        "notes": f"The text and the figures of the book are under CC BY 4.0: {TEXT_LICENCE}",
        "related_identifiers": related,
    }


def codemeta(cff: dict[str, Any]) -> dict[str, Any]:
    """The description of the software for indexes, in the vocabulary of CodeMeta 3.0."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    address, doi = cff.get("repository-code"), cff.get("doi")
    authors = [
        present(
            type="Person",
            id=each.get("orcid"),
            givenName=each.get("given-names"),
            familyName=each.get("family-names"),
            affiliation=each.get("affiliation"),
        )
        if "family-names" in each
        else {"type": "Organization", "name": each["name"]}
        for each in cff["authors"]
    ]
    references = [
        {
            "type": "ScholarlyArticle",
            "name": paper["title"],
            "id": f"https://arxiv.org/abs/{identifier['value'].removeprefix('arXiv:')}",
        }
        for paper in cff["references"]
        for identifier in paper["identifiers"]
    ]
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        **present(
            type="SoftwareSourceCode",
            name=cff["title"],
            description=cff["abstract"],
            version=cff["version"],
            dateModified=cff["date-released"],
            license=f"https://spdx.org/licenses/{cff['license']}",
            author=authors,
            keywords=cff["keywords"],
            programmingLanguage="Python",
            runtimePlatform=f"Python {project['requires-python']}",
            softwareRequirements=project["dependencies"],
            referencePublication=references,
            url=cff.get("url"),
            codeRepository=address,
            issueTracker=f"{address}/issues" if address else None,
            identifier=f"https://doi.org/{doi}" if doi else None,
        ),
    }


def codecheck(cff: dict[str, Any]) -> str:
    """The manifest of what a run makes: the records of the claims, the numbers of every figure, executed notebooks."""
    outputs = {"claims.json": "the records of all claims: observed, predicted, controls"}
    for source in notebooks.find():
        page = source.relative_to(notebooks.BOOK)
        notebook = notebooks.read(source)
        outputs[f"notebooks/{page.as_posix()}"] = f"executed: {notebooks.title(notebook)}"
        for each in notebook.cells:
            if name := each.metadata.get("mystnb", {}).get("figure", {}).get("name"):
                outputs[f"figures/{name}.csv"] = f"the numbers of a figure of {page.as_posix()}"
    authors = [
        present(name=named(each), ORCID=each.get("orcid", "").removeprefix("https://orcid.org/"))
        for each in cff["authors"]
    ]
    doi = cff.get("doi")
    return CODECHECK + yaml.safe_dump(
        {
            "version": "https://codecheck.org.uk/spec/config/1.0",
            "paper": present(title=cff["title"], authors=authors, reference=f"https://doi.org/{doi}" if doi else None),
            **present(repository=cff.get("repository-code")),
            "manifest": [{"file": f"{OUTPUTS}/{name}", "comment": what} for name, what in sorted(outputs.items())],
        },
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


def rescience(cff: dict[str, Any]) -> str:
    """The metadata of an article in ReScience C, as far as they are known before it is submitted."""
    replicated = [
        {
            "cite": f"{' and '.join(named(each) for each in paper['authors'])} ({paper['year']})",
            "title": paper["title"],
            "url": f"https://arxiv.org/abs/{arxiv.removeprefix('arXiv:')}",
        }
        for paper, arxiv in zip(cff["references"], papers(cff), strict=True)
    ]
    authors = [
        present(name=named(each), orcid=each.get("orcid"), email=each.get("email"), affiliations=1)
        for each in cff["authors"]
    ]
    return "# Made by `python -m bookbuild.metadata`, in the form of https://rescience.github.io.\n" + yaml.safe_dump(
        {
            "title": f"[Re] {cff['title']}",
            "authors": authors,
            "abstract": cff["abstract"],
            "keywords": ", ".join(cff["keywords"]),
            "type": "Replication",
            "domain": "Machine learning",
            "language": "Python",
            "bibliography": "paper.bib",
            "date": {"published": cff["date-released"]},
            "code": present(url=cff.get("repository-code"), doi=cff.get("doi")),
            "article": present(url=cff.get("url")),
            "replication": replicated,
        },
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


def paper(cff: dict[str, Any]) -> str:
    """The paper with the metadata that a journal reads at its head; the text is left as it is."""
    _, head, text = PAPER.read_text(encoding="utf-8").split("---\n", 2)
    fields = yaml.safe_load(head)
    released = datetime.date.fromisoformat(cff["date-released"])
    fields |= {
        "title": cff["title"],
        "date": f"{released.day} {released:%B %Y}",
        "tags": ["Python", *cff["keywords"]],
        "authors": [
            present(name=named(each), orcid=each.get("orcid", "").removeprefix("https://orcid.org/"), affiliation="1")
            for each in cff["authors"]
        ],
        "affiliations": [{"index": 1, "name": cff["authors"][0].get("affiliation", "not given")}],
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120)}---\n{text}"


def files() -> dict[Path, str]:
    """Every file that is written, with its text."""
    cff = about()
    code = PACKAGE.read_text(encoding="utf-8")
    return {
        PACKAGE: re.sub(r'^__version__ = ".*"$', f'__version__ = "{cff["version"]}"', code, flags=re.MULTILINE),
        Path(".zenodo.json"): json.dumps(zenodo(cff), indent=2, ensure_ascii=False) + "\n",
        Path("codemeta.json"): json.dumps(codemeta(cff), indent=2, ensure_ascii=False) + "\n",
        Path("codecheck.yml"): codecheck(cff),
        Path("paper/rescience.yml"): rescience(cff),
        PAPER: paper(cff),
    }


def main() -> None:
    """The command line."""
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    exit_with(main)
