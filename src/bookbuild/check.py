"""Check a built site without a browser: links, fragments, images, and that nothing is external."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a page loads by itself, as (tag, attribute); anchors only lead elsewhere when followed.
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"),
          ("source", "src"), ("video", "src"), ("audio", "src"), ("object", "data")}
#: Links that name the page without loading it.
NAMES_ONLY = {"canonical", "author", "license", "alternate"}


class Page(HTMLParser):
    """The anchors, addresses and faults of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.addresses: list[str] = []
        self.faults: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "img" and not given.get("alt", "").strip():
            self.faults.append(f"image without alternative text: {given.get('src')}")
        for name in ("href", "src", "data"):
            if name not in given:
                continue
            loaded = (tag, name) in LOADED and given.get("rel") not in NAMES_ONLY
            if not is_external(given[name]):
                self.addresses.append(given[name])
            elif loaded:
                self.faults.append(f"loads from outside: {given[name]}")


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
        target = (base / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"dead link: {address}"
    fragment = unquote(parts.fragment)
    if fragment and target in pages and fragment not in pages[target].anchors:
        return f"dead fragment: {address}"
    return None


def faults(site: Path) -> list[str]:
    """Everything that is wrong with the pages of a site, one line each, with the page's name."""
    root = site.resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html"))
             if "_static" not in path.relative_to(root).parts}
    found = [] if pages else [f"{site}: no page was built"]
    for path, page in pages.items():
        dead = [fault_of(address, path, root, pages) for address in dict.fromkeys(page.addresses)]
        found += [f"{path.relative_to(root)}: {fault}" for fault in [*page.faults, *dead] if fault]
    return found
