"""The public address of the book, set and not set: descriptions of pages and sitemap.xml."""

import subprocess
import sys
from pathlib import Path

import pytest

from bookbuild import check
from bookbuild.extensions.address import CARD

ADDRESS = "https://books.example.org/deep"
PAGES = {
    "index": "Deep & *wide*\n=============\n\nThis page says in plain words what the book is about.\n\n"
    ".. toctree::\n\n   part/first\n",
    "part/first": "First\n=====\n\nFor :math:`x > 0` this paragraph would be cut through its formula, so.\n\n"
    + 'The second one is taken, "quoted" as it is. ' * 8
    + "\n",
}


def build(folder, address: str):
    """A site of two pages."""
    source, site = folder / "source", folder / "site"
    for name, text in PAGES.items():
        path = (source / name).with_suffix(".rst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (source / "conf.py").write_text(
        "html_title = 'A book'\nhtml_theme = 'basic'\n"
        "extensions = ['bookbuild.extensions.address']\n"
        # Any script of the site itself stands in for the mathematics.
        "mathjax_path = 'doctools.js'\n"
        f"html_baseurl = {address!r}\nhtml_copy_source = False\n"
    )
    subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", source, site], check=True)
    return site


@pytest.fixture(scope="module", params=[ADDRESS, ADDRESS + "/"])
def public(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("public"), request.param)


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    return build(tmp_path_factory.mktemp("private"), "")


def test_both_sites_pass_their_checks(public, private):
    assert check.faults(public) == check.faults(private) == []


def test_without_an_address_nothing_needs_one(private):
    assert not (private / "sitemap.xml").exists()
    for path in private.rglob("*.html"):
        page = check.Page(path)
        assert page.address == page.canonical == ""
        assert "og:image" not in page.meta


def test_with_an_address_every_page_names_its_own(public):
    first = check.Page(public / "part/first.html")
    assert first.address == first.canonical == f"{ADDRESS}/part/first.html"
    assert first.meta["og:image"] == [f"{ADDRESS}/{CARD}"]


def test_the_picture_of_the_book_has_the_size_that_other_sites_show():
    header = (Path("book") / CARD).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert [int.from_bytes(header[place : place + 4]) for place in (16, 20)] == [1200, 630]


def test_the_sitemap_lists_the_documents_and_nothing_else(public):
    text = (public / "sitemap.xml").read_text()
    assert text.count("<loc>") == 2
    assert all(f"<loc>{ADDRESS}/{name}.html</loc>" in text for name in PAGES)


def test_pages_are_described_in_plain_words(private):
    index, first = (check.Page(private / name).meta for name in ("index.html", "part/first.html"))
    assert index["og:title"] == ["Deep & wide"] and index["og:type"] == ["website"]
    assert index["og:site_name"] == first["og:site_name"] == ["A book"]
    assert index["og:description"] == index["description"] == ["This page says in plain words what the book is about."]
    assert first["og:type"] == ["article"]
    assert first["og:description"][0].startswith("The second one is taken, “quoted”")
    assert len(first["og:description"][0]) <= 200
    assert check.Page(private / "genindex.html").meta["robots"] == ["noindex"]


@pytest.fixture
def sitemap(public):
    """Change the sitemap for one test: `sitemap(old, new)`."""
    path = public / "sitemap.xml"
    whole = path.read_text()

    def change(old: str, new: str) -> list[str]:
        assert old in whole
        path.write_text(whole.replace(old, new))
        return check.faults(public)

    yield change
    path.write_text(whole)


@pytest.mark.parametrize(
    "old, new, report",
    {
        "no XML": ("</urlset>", "", "sitemap.xml is not XML"),
        "no sitemap": ("sitemaps.org", "example.org", "sitemap.xml is no sitemap"),
        "no page": ("part/first", "part/gone", "sitemap.xml lists what is no page"),
        "not all": (f"<url><loc>{ADDRESS}/part/first.html</loc></url>", "", "sitemap.xml does not list once"),
        "twice": ("index.html", "part/first.html", "sitemap.xml does not list once"),
    }.values(),
)
def test_faults_of_a_sitemap_are_caught(old, new, report, sitemap):
    assert any(report in fault for fault in sitemap(old, new))
