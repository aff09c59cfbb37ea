"""The printed book: what of a page is kept, where its links lead, what its table of contents says."""

import re
from pathlib import Path

import pytest

from bookbuild import BuildError, citations, pdf, printing

PAGE = """<html><script>window.MathJax = {"tex": {}}</script><article class="bd-article">
<section id="one"><h1>One<a class="headerlink" href="#one">#</a></h1><p>See <a href="two.html#part">two</a>,
<a href="../reference/claim-a-b.html">a claim</a>, <a href="../../figures/x.csv">numbers</a> and
<a href="https://example.org/">more</a>. <img src="../../_images/x.svg" alt="x"></p>
<details class="evidence"><summary>1 check holds</summary>code</details>
<details class="sd-dropdown"><summary>Answer 1</summary>yes</details>
<details class="sd-dropdown"><summary>Cite this page</summary>BibTeX</details>
<figure class="live"><fieldset><label>width</label><output>40</output><input type="range"></fieldset></figure>
<section id="part"><h2>A part</h2></section></section></article></html>"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("book/a/one", "book/a/two", "book/reference/claims"):
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE if name != "book/reference/claims" else PAGE.replace("<p>", '<p id="claim-a-b">'))
    monkeypatch.setattr(citations, "site", lambda: "")
    return tmp_path


@pytest.fixture
def chapters(site):
    found = [printing.read(site, "Part", page) for page in ("book/a/one", "book/a/two", "book/reference/claims")]
    printing.lead(found, site, "files")
    return found


def test_readers_get_text_and_answers_and_no_evidence(chapters):
    text = chapters[0].body.get_text()
    assert "Answer 1" in text and "check holds" not in text and "Cite this page" not in text and "#" not in text
    assert chapters[0].body.select("details[open]")


def test_a_part_begins_on_the_page_of_its_first_chapter(chapters, site):
    book = printing.document(site, "files", "stamp", {}, chapters)
    assert book.count('<h1 class="part">Part</h1>') == 1
    assert book.index('id="a-one"') < book.index('<h1 class="part">') < book.index("<h1>One") < book.index('id="a-two"')


def test_the_typeface_is_one_that_is_installed_with_the_book(chapters, site):
    book = printing.document(site, "files", "stamp", {}, chapters)
    faces = re.findall(r"src: url\(file://([^)]+)\)", book)
    assert len(faces) == 4 and all(Path(face).is_file() for face in faces) and "10.4pt/1.3 STIX" in book


def test_a_narrow_picture_is_for_screens(tmp_path, site):
    page = site / "book/a/one.html"
    picture = '<picture><source media="screen" srcset="x-narrow.svg"><img src="../../_images/x.svg" alt="x"></picture>'
    page.write_text(page.read_text().replace('<img src="../../_images/x.svg" alt="x">', picture))
    body = printing.read(site, "Part", "book/a/one").body
    assert body.find("source") is None and body.select_one("picture > img")


def test_a_live_figure_shows_its_setting_without_controls(chapters):
    figure = chapters[0].body.select_one("figure.live")
    assert figure.get_text() == "width40" and not figure.find("input")


def test_links_lead_within_the_book_or_abroad_and_never_to_a_file(chapters):
    links = [link["href"] for link in chapters[0].body.find_all("a")]
    assert links == ["#a-two--part", "#reference-claims--claim-a-b", "https://example.org/"]
    assert chapters[0].body.img["src"] == "files/_images/x.svg"


def test_what_is_on_the_site_alone_is_linked_once_its_address_is_known(site, monkeypatch):
    monkeypatch.setattr(citations, "site", lambda: "https://example.org/book")
    found = [printing.read(site, "", "book/a/one")]
    printing.lead(found, site, "files")
    links = [link["href"] for link in found[0].body.find_all("a")]
    assert "https://example.org/book/latest/figures/x.csv" in links
    assert "https://example.org/book/latest/book/a/two.html#part" in links


@pytest.mark.parametrize(
    ("address", "to"),
    [
        ("two.html#part", ("book/a/two.html", "part")),
        ("../b/three.html", ("book/b/three.html", "")),
        ("#part", ("book/a/one.html", "part")),
        ("../../claims.json", ("claims.json", "")),
    ],
)
def test_addresses_are_read_from_where_they_stand(address, to):
    assert printing.resolved("book/a/one", address) == to


def test_the_contents_have_chapters_sections_and_page_numbers(chapters):
    shown = printing.contents(chapters, {"a-two": 12, "a-two--part": 13})
    assert '<a href="#a-two"><span>One</span><i></i><b>12</b>' in shown
    assert '<a href="#a-two--part"><span>A part</span><i></i><b>13</b>' in shown


#: The parts of a PDF by Chromium that are read: three pages in two nodes, named targets, an outline.
WHOLE = b"""%PDF-1.4
2 0 obj
<</Type /Page
/Annots [<</A <</S /URI
/URI (https://example.org/)>>>>]>>
endobj
3 0 obj
<</Type /Page>>
endobj
4 0 obj
<</Type /Page>>
endobj
5 0 obj
<</Type /Pages
/Kids [2 0 R 3 0 R]
/Parent 6 0 R>>
endobj
6 0 obj
<</Type /Pages
/Kids [5 0 R 4 0 R]>>
endobj
7 0 obj
<</a-one [3 0 R /XYZ 0 0 0]
/a-two--caf#C3#A9 [4 0 R /XYZ 0 0 0]>>
endobj
1 0 obj
<</Type /Catalog
/Pages 6 0 R
/Dests 7 0 R
/Outlines 9 0 R>>
endobj
"""


def test_places_are_read_from_the_printed_file():
    assert pdf.Printed(WHOLE).places() == {"a-one": 2, "a-two--café": 3}
    assert pdf.Printed(WHOLE).faults(["a-one"]) == []


@pytest.mark.parametrize(
    ("seed", "fault"),
    [
        ((b"https://example.org/", b"file:///home/book.html"), "a link to a file: file:///home/book.html"),
        ((b"/a-one [3", b"/a-else [3"), "no page for the line of the contents: a-one"),
        ((b"/Outlines 9 0 R", b""), "no outline"),
    ],
)
def test_a_fault_of_the_printed_file_is_caught(seed, fault):
    assert fault in pdf.Printed(WHOLE.replace(*seed)).faults(["a-one"])


def test_a_book_that_nobody_would_print_is_refused(monkeypatch):
    monkeypatch.setattr(pdf, "MOST", 2)
    assert pdf.Printed(WHOLE).faults([]) == ["3 pages: more than 2"]


#: Where printings of the book find the second chapter, and how many printings there are.
PRINTINGS = {"at once": ([2, 2], 2), "after a move": ([2, 3, 3], 3), "never": ([2, 3, 4], 3)}


@pytest.mark.parametrize("name", PRINTINGS)
def test_the_book_is_printed_until_its_contents_are_right(name, site, monkeypatch, tmp_path):
    places, count = PRINTINGS[name]
    printed = []

    def print_page(page, target):
        """A file in which the second chapter begins with the object of that number: pages are 2, 3 and 4 in order."""
        begins = f"/a-two [{places[len(printed)]} 0 R".encode()
        printed.append(page.read_text())
        target.write_bytes(WHOLE.replace(b"/a-one [3 0 R", begins))

    monkeypatch.setattr(pdf, "print_page", print_page)
    chapters = [printing.read(site, "Part", page) for page in ("book/a/one", "book/a/two")]
    monkeypatch.setattr(printing, "chapters_of", lambda *_: chapters)
    monkeypatch.setattr(printing.Chapter, "sections", lambda chapter: [])
    target = tmp_path / "book.pdf"
    if name == "never":
        with pytest.raises(BuildError, match="not on the page of the contents: a-two"):
            pdf.make(site, tmp_path / "page/book.html", target, "stamp")
    else:
        assert pdf.make(site, tmp_path / "page/book.html", target, "stamp") == ["a-two"]
    assert len(printed) == count and target.exists() == (name != "never")
