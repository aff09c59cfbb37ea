"""Sphinx extension: mend the pages as the theme writes them, for screen readers and for slow lines.

The theme has no setting for what is mended here. Each rule says what it is for; the tests of the
site in a browser fail when a rule no longer finds its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

from bookbuild.colab import BRANCH

#: Icons by name, each as (width, height, path): the regular form first, the solid one last.
Icons = dict[str, list[tuple[str, str, str]]]

ICON = re.compile(r'<(i|span) class="([^"]*(?<![\w-])fa[bsr]?\b[^"]*)"([^>]*)>\s*</\1>')
DRAWN = re.compile(r'[{,]"?([\w-]+)"?:\[(\d+),(\d+),\[([^\]]*)\],"\w+","([^"]+)"\]')
FAMILIES = {"fa", "fas", "far", "fab", "fa-solid", "fa-regular", "fa-brands"}
SIZES = {"fa-lg", "fa-sm", "fa-xs", "fa-xl", "fa-fw"}

RULES = [
    # The name of a button or of a fold is the text that is seen on it, not another one.
    (r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"', r"\1"),
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    # The title of the book stands in no landmark. The theme's own banner is empty.
    (
        r'<div class="sidebar-primary-item">(\s*<a class="navbar-brand logo")',
        r'<div class="sidebar-primary-item" role="banner">\1',
    ),
    (r'<header id="pst-header"([^>]*)>\s*</header>', r'<div id="pst-header"\1></div>'),
    # The role of an entry of a bibliography is deprecated: it is an item of a list.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # A corner of a table in which nothing stands is no heading.
    (r"<th\b([^>]*)>(?:\s|<p>\s*</p>)*</th>", r"<td\1></td>"),
    # The arguments of a signature are no list of definitions without terms: each is a line.
    (r'<dd>(<em class="sig-param">.*)</dd>', r'<span class="sig-line">\1</span>'),
    (r'<dl>(\s*<span class="sig-line">)', r'<span class="sig-lines">\1'),
    (r'(<span class="sig-line">.*\s*)</dl>', r"\1</span>"),
    # The title of the book stands once in the title of its first page.
    (r"<title>([^<]+) &#8212; \1</title>", r"<title>\1</title>"),
    # Notebooks that install what they need stand on a branch of their own.
    (r'(href="https://colab\.research\.google\.com/github/[^"]*/blob/)main/', rf"\1{BRANCH}/"),
    # All icons there are, 1.5 MB: those of the page are drawn in it.
    (r"\s*<!-- So that users can add custom icons -->\s*<script [^>]*fontawesome\.js[^>]*></script>", ""),
]
#: The index of the book, for a search without a page of its own, which is switched off.
SEARCH = r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'


def read_icons(script: Path) -> Icons:
    """The icons that a script of Font Awesome holds."""
    found: Icons = {}
    for name, width, height, others, path in DRAWN.findall(script.read_text(encoding="utf-8")):
        for known in (name, *re.findall(r'"([\w-]+)"', others)):
            found.setdefault(known, []).append((width, height, path))
    return found


def draw(match: re.Match[str], icons: Icons) -> str:
    """An icon as a drawing that is hidden from screen readers: the name stands beside it."""
    classes = match[2].split()
    names = [each.removeprefix("fa-") for each in classes if each.startswith("fa-") and each not in FAMILIES | SIZES]
    if len(names) != 1 or names[0] not in icons:
        raise ExtensionError(f"no icon is drawn for {match[0]}")
    regular = {"far", "fa-regular"} & set(classes)
    width, height, path = icons[names[0]][0 if regular else -1]
    kept = " ".join(["svg-inline--fa", *(each for each in classes if each not in FAMILIES)])
    rest = re.sub(r'\s*\btitle="[^"]*"', "", match[3]).rstrip()
    return (
        f'<svg class="{kept}"{rest} aria-hidden="true" viewBox="0 0 {width} {height}">'
        f'<path fill="currentColor" d="{path}"/></svg>'
    )


def mend(page: str, icons: Icons, searches: bool = False) -> str:
    """One page, mended; `searches` says that it is the page for searching."""
    for pattern, replacement in [*RULES, *([] if searches else [(SEARCH, "")])]:
        page = re.sub(pattern, replacement, page)
    return ICON.sub(lambda match: draw(match, icons), page)


def mend_site(site: Path) -> None:
    """Every page of a site, and the style sheet, without the icons that no page uses."""
    script = site / "_static/scripts/fontawesome.js"
    icons = read_icons(script)
    for path in site.rglob("*.html"):
        if "_static" not in path.relative_to(site).parts:
            text = path.read_text(encoding="utf-8")
            mended = mend(text, icons, searches=path == site / "search.html")
            if mended != text:  # a page of the last build is mended
                path.write_text(mended, encoding="utf-8")
    styles = site / "_static/styles/pydata-sphinx-theme.css"
    text = styles.read_text(encoding="utf-8")
    styles.write_text(re.sub(r'(?:\.fa-[\w-]+:before,?)+\{content:"[^"]*"\}', "", text), encoding="utf-8")
    script.unlink()
    script.with_name("fontawesome.js.map").unlink()


def finish(app: Any, failure: Exception | None) -> None:
    """Mend the site once it is written."""
    if failure is None and app.builder.name == "html":
        mend_site(Path(app.outdir))


def setup(app: Any) -> dict[str, Any]:
    """Register after the extensions that write files at the end."""
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
