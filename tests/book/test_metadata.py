"""What registries and journals read: all of it from CITATION.cff, and in forms that they accept."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pypandoc
import pytest
import yaml
from cffconvert import Citation
from pybtex.database import parse_file, parse_string
from sample_book import ROOT

import deeplimits
from bookbuild import archive, citations, metadata

CITATION = (ROOT / "CITATION.cff").read_text()
SCHEMA = json.loads(Path(__file__).with_name("cff-1.2.0.schema.json").read_text())
PUBLIC = {
    "repository-code": "https://github.com/someone/deep-limits",
    "url": "https://someone.example/deep-limits",
    "doi": "10.5281/zenodo.1234567",
}
PEOPLE = [
    {
        "given-names": "Ada",
        "family-names": "First",
        "orcid": "https://orcid.org/0000-0002-1825-0097",
        "affiliation": "A place",
    },
    {"name": "A group"},
]


@pytest.fixture
def public(tmp_path, monkeypatch):
    """The project as its owner will fill it in, with all its metadata written afresh."""
    for name in ("CITATION.cff", "pyproject.toml", "paper", "book", "src/deeplimits/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tmp_path / name)
    filled = {**yaml.safe_load(CITATION), **PUBLIC, "authors": PEOPLE, "version": "9.8.7"}
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(filled, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    metadata.main()
    return tmp_path


def test_the_files_are_those_that_the_citation_makes(monkeypatch):
    """If this fails: PYTHONPATH=src .venv/bin/python -m bookbuild.metadata."""
    monkeypatch.chdir(ROOT)
    assert {str(path): path.read_text() for path in metadata.files()} == {
        str(path): text for path, text in metadata.files().items()
    }


def test_the_version_is_set_in_one_place(public):
    holding = {
        str(path.relative_to(public))
        for path in public.rglob("*")
        if path.is_file() and "book" not in path.relative_to(public).parts and "9.8.7" in path.read_text()
    }
    assert holding == {"CITATION.cff", ".zenodo.json", "codemeta.json", "src/deeplimits/__init__.py"}
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert yaml.safe_load(CITATION)["version"] == deeplimits.__version__


def test_the_newest_release_of_the_changelog_is_this_version_with_its_date():
    about = yaml.safe_load(CITATION)
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert len(headings) == len(set(headings))
    released = headings[headings[0] == "Unreleased" :]
    assert released[0] == f"{about['version']}, {about['date-released']}"
    assert "Unreleased" not in released


def test_the_addresses_and_authors_reach_every_file(public):
    for name in (".zenodo.json", "codemeta.json", "paper/rescience.yml"):
        text = (public / name).read_text()
        assert PUBLIC["url"] in text and "First" in text and "A group" in text
    for name in ("codemeta.json", "codecheck.yml", "paper/rescience.yml"):
        text = (public / name).read_text()
        assert PUBLIC["repository-code"] in text and PUBLIC["doi"] in text
    for name in (".zenodo.json", "codemeta.json", "codecheck.yml", "paper/rescience.yml", "paper/paper.md"):
        assert "0000-0002-1825-0097" in (public / name).read_text()


def test_a_citation_has_all_authors_and_the_doi(public):
    line, entry = citations.of_book()
    assert line.startswith("First, Ada, A group (") and line.endswith(f" https://doi.org/{PUBLIC['doi']}")
    people = parse_string(entry, "bibtex").entries["deeplimits"].persons["author"]
    assert [str(each) for each in people] == ["First, Ada", "{A group}"]


def test_writing_again_changes_nothing(public, capsys):
    capsys.readouterr()
    metadata.main()
    assert capsys.readouterr().out == ""


def test_the_citation_file_is_valid():
    jsonschema.Draft7Validator(SCHEMA).validate(yaml.safe_load(CITATION))
    Citation(CITATION).validate()


@pytest.mark.parametrize("field", ["authors", "title", "message"])
def test_the_citation_file_schema_rejects_a_file_without(field):
    citation = yaml.safe_load(CITATION)
    del citation[field]
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(citation)


def test_the_citation_converts_to_bibtex_and_apa(monkeypatch):
    title = yaml.safe_load(CITATION)["title"]
    (entry,) = parse_string(Citation(CITATION).as_bibtex(), "bibtex").entries.values()
    assert entry.fields["title"] == title
    monkeypatch.chdir(ROOT)
    assert Citation(CITATION).as_apalike().strip() == citations.of_book()[0].replace("*", "")


def test_the_citation_converts_to_schema_org_with_one_licence():
    read = json.loads(Citation(CITATION).as_schemaorg())
    assert read["@context"] == "https://schema.org" and read["@type"] == "SoftwareSourceCode"
    assert read["license"] == "https://spdx.org/licenses/MIT"
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-text").read_text()


def test_two_licences_would_be_noticed():
    """What was wrong before: the converter writes the list into an address."""
    both = CITATION.replace("license: MIT ", "license: [MIT, CC-BY-4.0] ")
    assert both != CITATION
    assert json.loads(Citation(both).as_schemaorg())["license"] != "https://spdx.org/licenses/MIT"


def test_zenodo_and_codemeta_agree_with_what_a_converter_makes():
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    made = json.loads(Citation(CITATION).as_zenodo())
    assert {name: zenodo[name] for name in ("title", "version", "publication_date", "keywords", "creators")} == {
        name: made[name] for name in ("title", "version", "publication_date", "keywords", "creators")
    }
    assert zenodo["license"] == made["license"]["id"] and zenodo["upload_type"] == "software"
    codemeta, made = json.loads((ROOT / "codemeta.json").read_text()), json.loads(Citation(CITATION).as_codemeta())
    assert {name: codemeta[name] for name in ("name", "version", "license", "keywords")} == {
        name: made[name] for name in ("name", "version", "license", "keywords")
    }


def test_the_manifest_for_a_check_lists_what_the_archive_holds(monkeypatch):
    monkeypatch.chdir(ROOT)
    manifest = yaml.safe_load((ROOT / "codecheck.yml").read_text())["manifest"]
    listed = {each["file"].removeprefix(f"{metadata.OUTPUTS}/") for each in manifest}
    packed = {
        name
        for name in archive.contents()
        if name == "claims.json" or name.startswith(("figures/", "notebooks/")) and "provenance" not in name
    }
    assert listed == packed and all(each["comment"] for each in manifest)


SECTIONS = [
    "Summary",
    "Statement of need",
    "State of the field",
    "Software design",
    "Research impact statement",
    "AI usage disclosure",
    "Acknowledgements",
    "References",
]


def build_paper(folder: Path, form: str) -> str:
    """The paper as pandoc makes it, with its bibliography; any warning is an error."""
    return pypandoc.convert_file(
        str(folder / "paper.md"),
        form,
        cworkdir=str(folder),
        extra_args=["--standalone", "--citeproc", "--fail-if-warnings"],
    )


@pytest.mark.parametrize("form", ["jats", "html", "latex"])
def test_the_paper_is_built_with_its_references(form):
    built = build_paper(ROOT / "paper", form)
    assert "Salmon" in built and yaml.safe_load(CITATION)["title"].split(":")[0] in built


def test_a_paper_that_cites_what_is_not_there_is_not_built(tmp_path):
    shutil.copytree(ROOT / "paper", tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "paper.md").read_text()
    (tmp_path / "paper.md").write_text(text.replace("@li2022covariance", "@li2022nowhere"))
    with pytest.raises(RuntimeError, match="li2022nowhere"):
        build_paper(tmp_path, "html")


def test_the_paper_has_the_sections_the_length_and_the_references_that_a_journal_asks_for():
    _, head, text = (ROOT / "paper/paper.md").read_text().split("---\n", 2)
    assert re.findall(r"^# (.*)$", text, re.MULTILINE) == SECTIONS
    words = len(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).split())
    assert 750 <= words <= 1750
    assert {"title", "tags", "authors", "affiliations", "date", "bibliography"} <= yaml.safe_load(head).keys()
    entries = parse_file(ROOT / "paper/paper.bib").entries
    assert set(re.findall(r"@(\w+\d{4}\w+)", text)) == set(entries)
    assert all({"doi", "eprint"} & entry.fields.keys() for entry in entries.values())


def test_the_layout_for_neurolibre_builds(project):
    for name in ("binder", "README.md"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, project.root / name)
    run = {"cwd": project.root, "text": True, "capture_output": True, "env": {"PYTHONPATH": "src", "PATH": ""}}
    done = subprocess.run([sys.executable, "-m", "bookbuild.neurolibre"], **run)
    assert done.returncode == 0, done.stderr
    content = project.root / "_build/neurolibre/content"
    assert (content / "_config.yml").is_file() and (content.parent / "binder/requirements.txt").is_file()
    listed = re.findall(r"(?:file|root): (\S+)", (content / "_toc.yml").read_text())
    assert len(listed) == 5
    assert all((content / f"{each}.md").exists() or (content / f"{each}.ipynb").exists() for each in listed)
    assert not json.loads((content / "part/first.ipynb").read_text())["cells"][1]["outputs"]
    build = "from jupyter_book.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", build, "build", ".", "--path-output", "built"],
        **run | {"cwd": content, "env": {"PYTHONPATH": f"{ROOT}/src", "PATH": "/usr/bin:/bin"}},
    )
    assert done.returncode == 0 and (content / "built/_build/html/index.html").is_file(), done.stderr
    assert not re.search("unknown document|include file", done.stderr), done.stderr
