"""The sites of all versions stand side by side."""

import re
import tarfile

import pytest
import yaml
from sample_book import ROOT

from bookbuild import BuildError, stage, versions

pytestmark = pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="unpacking with care needs Python 3.11.4")


def pack(path, text="", name="book/index.html"):
    """An archive of a site of one page."""
    page = path.parent / "page.html"
    page.write_text(text or path.name)
    with tarfile.open(path, "w:gz") as packed:
        packed.add(page, f"./{name}")
    page.unlink()
    return path


@pytest.fixture
def releases(tmp_path):
    folder = tmp_path / "releases"
    folder.mkdir()
    for tag in ("v0.3.0", "v0.3.10", "v0.3.9", "v0.10.0", "v1.0.0"):
        pack(folder / f"{tag}.tar.gz")
    return folder


def test_each_version_has_its_folder_and_the_newest_patch_is_shown(tmp_path, releases):
    site = pack(tmp_path / "site.tar.gz", "new")
    assert versions.assemble(site, releases, tmp_path / "public") == ["latest", "v1.0", "v0.10", "v0.3"]
    pages = {path.parts[-3]: path.read_text() for path in (tmp_path / "public").glob("*/book/index.html")}
    assert pages == {"latest": "new", "v1.0": "v1.0.0.tar.gz", "v0.10": "v0.10.0.tar.gz", "v0.3": "v0.3.10.tar.gz"}


def test_the_root_leads_to_the_latest_and_a_page_lists_all(tmp_path, releases):
    versions.assemble(pack(tmp_path / "site.tar.gz"), releases, tmp_path / "public")
    root, listed = ((tmp_path / "public" / name).read_text() for name in ("index.html", versions.LIST))
    assert 'url=latest/book/index.html"' in root and "refresh" not in listed
    linked = re.findall(r'href="([^"]+)"', listed)
    assert len(linked) == 4 and all((tmp_path / "public" / each).is_file() for each in linked)


@pytest.mark.parametrize("address", ["https://someone.example/limits", "https://someone.example/limits/"])
def test_pages_of_a_published_site_name_the_latest_and_lead_to_the_others(tmp_path, monkeypatch, address):
    about = (ROOT / "CITATION.cff").read_text()
    (tmp_path / "_config.yml").write_bytes((ROOT / "_config.yml").read_bytes())
    (tmp_path / "CITATION.cff").write_text(about + f"url: {address}\n")
    monkeypatch.chdir(tmp_path)
    published = yaml.safe_load(stage.settings("Version 1"))["html"]
    assert published["baseurl"] == "https://someone.example/limits/latest/"
    assert 'Version 1. <a href="https://someone.example/limits/versions.html">' in published["extra_footer"]
    (tmp_path / "CITATION.cff").write_text(about)
    unknown = yaml.safe_load(stage.settings("Version 1"))
    original = yaml.safe_load((ROOT / "_config.yml").read_text().replace("@stamp@", "Version 1"))
    assert unknown == original and unknown["html"]["baseurl"] == ""


def test_without_releases_there_is_the_latest_alone(tmp_path):
    site = pack(tmp_path / "site.tar.gz")
    assert versions.assemble(site, tmp_path / "none", tmp_path / "public") == ["latest"]


def test_a_second_run_keeps_nothing_of_the_first(tmp_path, releases):
    site = pack(tmp_path / "site.tar.gz")
    versions.assemble(site, releases, tmp_path / "public")
    (releases / "v0.3.10.tar.gz").unlink()
    (releases / "v0.3.9.tar.gz").unlink()
    (releases / "v0.3.0.tar.gz").unlink()
    versions.assemble(site, releases, tmp_path / "public")
    assert not (tmp_path / "public/v0.3").exists()


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path):
    site = pack(tmp_path / "site.tar.gz", name="../escaped.html")
    with pytest.raises(tarfile.OutsideDestinationError):
        versions.assemble(site, tmp_path / "none", tmp_path / "public")
    assert not (tmp_path / "public/escaped.html").exists()


@pytest.mark.parametrize("name", ["v0.3.tar.gz", "latest.tar.gz"])
def test_a_file_that_is_no_release_is_named(tmp_path, releases, name):
    pack(releases / name)
    with pytest.raises(BuildError, match=re.escape(name)):
        versions.assemble(pack(tmp_path / "site.tar.gz"), releases, tmp_path / "public")


def test_an_archive_without_a_book_is_named(tmp_path):
    with pytest.raises(BuildError, match="holds no site"):
        versions.assemble(pack(tmp_path / "site.tar.gz", name="other.html"), tmp_path / "none", tmp_path / "public")
