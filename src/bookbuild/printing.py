"""The pages of the site as one document for print: the reader's layer, in the order of the table of contents.

Each page becomes a chapter, whose ids begin with its name, so that links of the site lead within the document. What
only a screen can show is left out: folded evidence, the gallery, the reference of the package. A live figure stands
as its static twin, with the setting that it shows. A link that would lead to a file of this machine is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib
import yaml
from bs4 import BeautifulSoup, Tag

from bookbuild import citations

STYLE = Path(__file__).with_name("print.css")
#: Pages that are lists of files or tools of the site.
ON_SITE = re.compile(r"book/(explore|reference/(figures|mutations|api(/.*)?))$")
#: What print leaves out of a page.
DROPPED = (
    "details.evidence, script, style, button, template, .headerlink, .figure-data, .evidence-switch, .filters,"
    " .claim-anchor, .downloads, .toctree-wrapper, .sd-stretched-link, .margin .headerlink, .live noscript, source"
)
#: The folded block on citing, which ends each page of the site and is one chapter of the printed book.
CITING = "Cite this page"
ABROAD = ("http://", "https://", "mailto:")
MATHJAX = re.compile(r"<script>(window\.MathJax = .*?)</script>")


@dataclass(frozen=True)
class Chapter:
    """A page of the book in print."""

    name: str
    part: str
    title: str
    body: Tag

    @property
    def anchor(self) -> str:
        """The id of the chapter, with which the ids of its parts begin."""
        return anchor(self.name)

    def sections(self) -> list[tuple[str, str]]:
        """(id, title) of each section of the first level, for the contents."""
        return [(str(section["id"]), heading(section)) for section in self.body.select(".level-2")]


def anchor(page: str, target: str = "") -> str:
    """The id in print of a page, or of something on it."""
    name = page.removeprefix("book/").replace("/", "-")
    return f"{name}--{target}" if target else name


def heading(section: Tag) -> str:
    """The words of the heading of a section."""
    found = section.find(["h1", "h2", "h3", "h4"])
    return found.decode_contents().strip() if isinstance(found, Tag) else ""


def listed(toc: Path = Path("_toc.yml")) -> Iterator[tuple[str, str]]:
    """(part, page) of each page that is printed, in reading order."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    yield "", contents["root"]
    for part in contents.get("parts", [{"caption": "", "chapters": contents.get("chapters", [])}]):
        for chapter in part["chapters"]:
            if "file" in chapter and not ON_SITE.match(chapter["file"]):
                yield part.get("caption", ""), chapter["file"]


def read(site: Path, part: str, page: str) -> Chapter:
    """A page of the site as a chapter; its links still lead where they led."""
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    article = re.search(r"<article[^>]*>(.*?)</article>", text, re.DOTALL)
    assert article, page
    body = BeautifulSoup(article[1], "html.parser")
    for each in body.select(DROPPED):
        each.decompose()
    for fold in body.select("details"):
        summary = fold.find("summary")
        if isinstance(summary, Tag) and CITING in summary.get_text():
            fold.decompose()
        else:
            fold["open"] = ""
    for control in body.select(".live fieldset input, .live fieldset select"):
        control.decompose()
    for cell in body.select("div.cell"):
        if not cell.get_text(strip=True) and not cell.find(["img", "svg"]):
            cell.decompose()
    article_of = body.find("section")
    assert isinstance(article_of, Tag), page
    chapter = Chapter(page, part, heading(article_of), article_of)
    for level, name in ((3, "h3"), (2, "h2")):
        for head in article_of.select(f"section > {name}"):
            assert head.parent is not None
            head.parent["class"] = " ".join([*(head.parent.get("class") or []), f"level-{level}"])
    for each in body.find_all(id=True):
        each["id"] = anchor(page, str(each["id"]))
    article_of["id"] = chapter.anchor
    return chapter


def lead(chapters: list[Chapter], site: Path, files: str) -> None:
    """Lead every link and picture of the chapters to where it is in print; `files` leads to the site."""
    known = {each["id"] for chapter in chapters for each in chapter.body.find_all(id=True)}
    known |= {chapter.anchor for chapter in chapters}
    public = citations.site()
    for chapter in chapters:
        for image in chapter.body.find_all("img"):
            image["src"] = f"{files}/{resolved(chapter.name, str(image['src']))[0]}"
        for link in chapter.body.find_all("a", href=True):
            address = str(link["href"])
            if address.startswith(ABROAD):
                continue
            target = within(*resolved(chapter.name, address))
            if target in known:
                link["href"] = f"#{target}"
            elif public and not address.startswith("#"):
                path, fragment = resolved(chapter.name, address)
                link["href"] = f"{public}/latest/{path}" + (f"#{fragment}" if fragment else "")
            else:
                link.unwrap()


def resolved(page: str, address: str) -> tuple[str, str]:
    """(file of the site, fragment) of an address on a page."""
    parts = urlsplit(address)
    if not parts.path:
        return f"{page}.html", parts.fragment
    places = page.split("/")[:-1]
    for step in filter(None, unquote(parts.path).split("/")):
        if step == "..":
            places.pop()
        elif step != ".":
            places.append(step)
    return "/".join(places), parts.fragment


def within(path: str, fragment: str) -> str:
    """The id in print of a file of the site and a fragment; the page of a claim is its row in the table."""
    page = path.removesuffix(".html")
    claim = re.fullmatch(r"book/reference/(claim-[a-z0-9-]+)", page)
    return anchor("book/reference/claims", claim[1]) if claim else anchor(page, fragment)


def contents(chapters: list[Chapter], places: dict[str, int]) -> str:
    """The table of contents with page numbers, as far as they are known."""
    lines, part = [], ""
    for chapter in chapters[1:]:
        if chapter.part != part:
            part = chapter.part
            lines.append(f'<p class="contents-part">{escape(part)}</p>')
        lines.append(entry("chapter", chapter.anchor, chapter.title, places))
        lines += [entry("section", name, title, places) for name, title in chapter.sections()]
    return '<nav class="contents"><p class="contents-title">Contents</p>\n' + "\n".join(lines) + "\n</nav>"


def entry(kind: str, target: str, title: str, places: dict[str, int]) -> str:
    """A line of the contents."""
    return (
        f'<p class="contents-{kind}"><a href="#{target}"><span>{title}</span><i></i>'
        f"<b>{places.get(target, '000')}</b></a></p>"
    )


def spoken(title: str) -> str:
    """A title as the text of a style sheet, without markup."""
    words = " ".join(BeautifulSoup(title, "html.parser").get_text().split())
    return words.replace("\\", "\\\\").replace('"', '\\"')


def heads(chapters: list[Chapter]) -> str:
    """The style of the pages of each chapter: its title stands at their head."""
    return "\n".join(
        f'@page {chapter.anchor} {{ @top-left {{ content: "{spoken(chapter.title)}" }} }}\n'
        f"#{chapter.anchor} {{ page: {chapter.anchor} }}"
        for chapter in chapters
    )


def fonts() -> str:
    """The typeface of the book, which comes with Matplotlib: pages break alike on every machine."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    faces = (("", "normal", 400), ("Italic", "italic", 400), ("Bol", "normal", 700), ("BolIta", "italic", 700))
    return "".join(
        f"@font-face {{ font-family: STIX; font-style: {slope}; font-weight: {weight};"
        f" src: url({(folder / f'STIXGeneral{name}.ttf').as_uri()}) }}\n"
        for name, slope, weight in faces
    )


def title_page(stamp: str) -> str:
    """The title, the authors, what is printed and what is not, and the licence."""
    about = citations.read()
    authors = ", ".join(citations.named(author) for author in about["authors"])
    title, _, subtitle = about["title"].partition(":")
    where = citations.site() or about.get("repository-code") or ""
    at = f' at <a href="{where}">{where}</a>' if where else ""
    return (
        f'<section class="title-page"><p class="title">{escape(title)}</p>'
        f'<p class="subtitle">{escape(subtitle.strip().capitalize())}</p><p class="authors">{authors}</p>'
        f'<p class="imprint">{stamp}<br>Text and figures: CC BY 4.0. Code: MIT.<br>'
        f"This is the text for readers. Code and verdict of every check, the live figures, the numbers of the figures,"
        f" the planted errors and the reference of the package are on the site{at}.</p></section>"
    )


def document(site: Path, files: str, stamp: str, places: dict[str, int], chapters: list[Chapter]) -> str:
    """The whole book in one HTML file."""
    root = (site / f"{chapters[0].name}.html").read_text(encoding="utf-8")
    mathjax = MATHJAX.search(root)
    styles = ("pygments.css", "proof.css", "live/live.css")
    sheets = "".join(f'<link rel="stylesheet" href="{files}/_static/{name}">' for name in styles)
    body, part = [], ""
    for chapter in chapters:
        opening, _, rest = str(chapter.body).partition(">")
        named = f'<h1 class="part">{escape(chapter.part)}</h1>' if chapter.part != part else ""
        part = chapter.part
        body.append(f"{opening}>{named}{rest}")
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Deep Limits</title>'
        f"{sheets}<style>{fonts()}{STYLE.read_text(encoding='utf-8')}\n{heads(chapters)}</style>"
        f"<script>{mathjax[1] if mathjax else ''}</script>"
        f'<script defer src="{files}/_static/mathjax/tex-mml-chtml.js"></script></head><body>'
        f"{title_page(stamp)}{contents(chapters, places)}{''.join(body)}</body></html>"
    )


def chapters_of(site: Path, files: str) -> list[Chapter]:
    """All chapters, with links that lead within them."""
    found = [read(site, part, page) for part, page in listed()]
    lead(found, site, files)
    return found
