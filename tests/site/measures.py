"""How much of each page is code, evidence and figures, with the evidence folded, and how long a page is.

`python tests/site/measures.py [SITE]` prints the table. The window is 1366 pixels wide; heights are shares of the
article, in per cent; places and lengths are in pixels from the top of the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from inspection import SETTLED, launch, patient, served
from playwright.sync_api import Browser, Page, sync_playwright

WINDOW = {"width": 1366, "height": 768}
#: The first live figure of a page, or else its first figure.
MEASURE = """() => {
  const article = document.querySelector("article.bd-article");
  const shown = selector => [...article.querySelectorAll(selector)].filter(each => each.checkVisibility());
  const outer = list => list.filter(each => !list.some(other => other !== each && other.contains(each)));
  const height = selector => outer(shown(selector)).reduce((sum, each) => sum + each.offsetHeight, 0);
  const figures = shown("figure, .live");
  const pictures = shown(".live").concat(shown("figure"));
  const head = pictures.length ? pictures[0].getBoundingClientRect().top + scrollY : null;
  const total = article.offsetHeight;
  return {
    length: document.documentElement.scrollHeight,
    code: 100 * height("div.cell_input") / total,
    evidence: 100 * height("details.evidence > summary, .claim-check, details.hide > summary") / total,
    figures: 100 * height("figure, .live") / total,
    headline: head,
    clipped: shown("div.cell_input pre").filter(each => each.scrollWidth > each.clientWidth + 1).length,
    checks: shown(".claim-check").length,
  };
}"""


@dataclass(frozen=True)
class Measures:
    """What a reader who unfolds nothing meets on a page."""

    length: float
    code: float
    evidence: float
    figures: float
    headline: float | None
    clipped: int
    checks: int


def measure(page: Page, address: str) -> Measures:
    """Open a page and measure it, with nothing remembered from other pages."""
    page.goto(address, wait_until="load")
    page.evaluate(SETTLED)
    return Measures(**page.evaluate(MEASURE))


def of_site(browser: Browser, site: Path, names: list[str]) -> Iterator[tuple[str, Measures]]:
    """The measures of some pages of a site, served on this machine only."""
    with served(site) as origin:
        context = patient(browser.new_context(viewport=WINDOW))
        page = context.new_page()
        for name in names:
            yield name, measure(page, f"{origin}/{name}.html")
        context.close()


def notebooks(site: Path) -> list[str]:
    """The pages of a site that show the cells of a notebook."""
    pages = sorted(site.glob("book/*/*.html"))
    return [str(page.relative_to(site).with_suffix("")) for page in pages if "cell_input" in page.read_text("utf-8")]


def table(rows: list[tuple[str, Measures]]) -> str:
    """The measures of pages, a line each, and their means."""
    names = [field.name for field in fields(Measures)]
    lines = [f"{'page':36}" + "".join(f"{name:>10}" for name in names)]
    for name, found in rows:
        values = ("none" if value is None else f"{value:.0f}" for value in vars(found).values())
        lines.append(f"{name.removeprefix('book/'):36}" + "".join(f"{value:>10}" for value in values))
    means = (sum(getattr(found, name) or 0 for _, found in rows) / max(len(rows), 1) for name in names)
    return "\n".join([*lines, f"{'mean':36}" + "".join(f"{mean:>10.1f}" for mean in means)])


if __name__ == "__main__":
    SITE = Path(sys.argv[1] if len(sys.argv) > 1 else "_build/html")
    with sync_playwright() as playwright:
        print(table(list(of_site(launch(playwright), SITE, notebooks(SITE)))))
