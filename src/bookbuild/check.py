"""Check a built site without a browser: links, fragments, images, descriptions, nothing external."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bookbuild import typeset

#: What a page loads by itself, as (tag, attribute); anchors only lead elsewhere when followed.
LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
}
#: Links that name the page without loading it.
NAMES_ONLY = {"canonical", "author", "license", "alternate"}
#: What OpenGraph asks of every page, and what it asks beside once the public address is known.
DESCRIBED = ("og:title", "og:type", "og:site_name")
ADDRESSED = ("og:url", "og:image")
#: What is no prose: formulas, code, drawings, tables of outputs, signatures; by tag or class.
UNREAD = {"pre", "code", "script", "style", "svg", "table"}
UNREAD_CLASSES = {"math", "py"}
#: A hyphen that stands for a minus before a number.
HYPHEN = re.compile(r"(?<![\w.)\]/:-])-(?=\.?\d)")
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


class Prose(HTMLParser):
    """What is wrong with the words of a page: numbers with a hyphen for a minus, captions with mathematics in ASCII."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self._unread: list[str] = []
        self._within: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("article", "figcaption"):
            self._within.add(tag)
        classes = set((dict(attributes).get("class") or "").split())
        if tag == self._unread[-1] if self._unread else tag in UNREAD or classes & UNREAD_CLASSES:
            self._unread.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._within.discard(tag)
        if self._unread and tag == self._unread[-1]:
            self._unread.pop()

    def handle_data(self, data: str) -> None:
        if self._unread or "article" not in self._within:
            return
        for pattern, fault in ((HYPHEN, "a hyphen for a minus"), (typeset.LEFT, "mathematics in ASCII in a caption")):
            found = pattern.search(data) if pattern is HYPHEN or "figcaption" in self._within else None
            if found:
                around = data[max(found.start() - 20, 0) : found.end() + 20]
                self.faults.append(f"{fault}: {' '.join(around.split())}")


class Page(Prose):
    """The anchors, addresses, descriptions and faults of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.addresses: list[str] = []
        self.meta: dict[str, list[str]] = {}
        self.canonical = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attributes)
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given and tag != "meta"}
        if tag == "img" and not given.get("alt", "").strip():
            self.faults.append(f"image without alternative text: {given.get('src')}")
        if tag == "meta":
            name = given.get("property") or given.get("name") or given.get("http-equiv", "")
            self.meta.setdefault(name, []).append(given.get("content", ""))
        if tag == "link" and given.get("rel") == "canonical":
            self.canonical = given.get("href", "")
        for name in ("href", "src", "srcset", "data"):
            if name not in given:
                continue
            loaded = (tag, name) in LOADED and given.get("rel") not in NAMES_ONLY
            if not is_external(given[name]):
                self.addresses.append(given[name])
            elif loaded:
                self.faults.append(f"loads from outside: {given[name]}")

    @property
    def address(self) -> str:
        """The public address that the page gives itself, if any."""
        return self.meta.get("og:url", [""])[0]


def is_external(address: str) -> bool:
    """Whether an address leaves the site."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def fault_of(address: str, path: Path, root: Path, pages: dict[Path, Page]) -> str | None:
    """What is wrong with one internal address on a page, if anything."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    target = path
    if parts.path:
        base = root if parts.path.startswith("/") else path.parent
        target = Path(os.path.normpath(base / unquote(parts.path).lstrip("/")))
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"dead link: {address}"
    fragment = unquote(parts.fragment)
    if fragment and target in pages and fragment not in pages[target].anchors:
        return f"dead fragment: {address}"
    return None


def faults_of_description(page: Page) -> list[str]:
    """What is wrong with the OpenGraph tags of a page: they are complete, and true to its address."""
    if "refresh" in page.meta:
        return []
    asked = DESCRIBED + (ADDRESSED if page.address or page.canonical else ())
    found = [f"not one {name}" for name in asked if len(list(filter(None, page.meta.get(name, [])))) != 1]
    found += [
        f"mathematics in {name}"
        for name in ("og:title", "og:description")
        if any(mark in text for mark in ("\\", "$") for text in page.meta.get(name, []))
    ]
    found += [
        f"markup in {name}"
        for name in ("og:title", "og:description", "description")
        if any(re.search(r"</?\w+|&\w+;", text) for text in page.meta.get(name, []))
    ]
    found += [
        f"{name} is no address: {text}"
        for name in ADDRESSED
        for text in page.meta.get(name, [])
        if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc
    ]
    if page.address != page.canonical:
        found.append(f"og:url is not the canonical address: {page.address}")
    return found


def faults_of_sitemap(root: Path, pages: dict[Path, Page]) -> list[str]:
    """What is wrong with sitemap.xml: it lists the pages that are to be found, if they have addresses."""
    listed = {page.address for page in pages.values() if page.address and "noindex" not in page.meta.get("robots", [])}
    path = root / "sitemap.xml"
    if not path.exists():
        return ["sitemap.xml is missing"] if listed else []
    try:
        tree = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        return [f"sitemap.xml is not XML: {error}"]
    if tree.tag != f"{SITEMAP}urlset":
        return [f"sitemap.xml is no sitemap: {tree.tag}"]
    given = [(each.text or "").strip() for each in tree.iter(f"{SITEMAP}loc")]
    return [f"sitemap.xml lists what is no page: {address}" for address in given if address not in listed] + [
        f"sitemap.xml does not list once: {address}" for address in sorted(listed) if given.count(address) != 1
    ]


def faults(site: Path) -> list[str]:
    """Everything that is wrong with the pages of a site, one line each, with the page's name."""
    root = site.resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html")) if "_static" not in path.relative_to(root).parts}
    found = faults_of_sitemap(root, pages) if pages else [f"{site}: no page was built"]
    for path, page in pages.items():
        dead = [fault_of(address, path, root, pages) for address in dict.fromkeys(page.addresses)]
        all_of_it = [*page.faults, *dead, *faults_of_description(page)]
        found += [f"{path.relative_to(root)}: {fault}" for fault in all_of_it if fault]
    return found
