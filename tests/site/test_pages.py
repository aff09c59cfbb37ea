"""Every page of the built book, in a real browser, in three views."""

from pathlib import Path

import pytest
from inspection import VIEWS, Inspector, served

SCREENSHOTS = Path("_build/screenshots")


@pytest.fixture(scope="module")
def origin(site):
    with served(site) as address:
        yield address


@pytest.fixture(params=VIEWS)
def inspector(request, browser, origin):
    opened = Inspector(browser, origin, request.param)
    yield opened
    opened.close()


def pages(site: Path) -> list[str]:
    found = site.rglob("*.html")
    names = sorted(path.relative_to(site).as_posix() for path in found)
    return [name for name in names if name != "index.html" and not name.startswith("_static/")]


def test_every_page_is_whole(site, inspector, request):
    names, faults = pages(site), []
    assert "book/index.html" in names
    folder = SCREENSHOTS / request.node.callspec.params["inspector"]
    for name in names:
        faults += inspector.faults(name)
        target = (folder / name.replace("/", "-")).with_suffix(".png")
        inspector.page.screenshot(path=target, full_page=True, animations="disabled")
    assert not faults, "\n".join(faults)


def test_the_root_leads_to_the_landing_page(inspector, origin):
    inspector.page.goto(origin)
    inspector.page.wait_for_url(f"{origin}/book/index.html")
    assert not inspector.met


def test_the_theme_follows_the_readers_choice(inspector, request):
    view = request.node.callspec.params["inspector"]
    theme = inspector.open("book/index.html").evaluate("document.documentElement.dataset.theme")
    assert theme == ("dark" if view == "desktop-dark" else "light")


def test_mathematics_is_set_by_the_copy_of_mathjax_in_the_site(inspector):
    page = inspector.open("book/index.html")
    assert page.locator("mjx-container").count() > 0


def test_both_licences_stand_in_the_footer(inspector):
    footer = inspector.open("book/index.html").locator("footer.bd-footer-content")
    assert {"CC BY 4.0", "MIT"} <= set(footer.locator("a[rel=license]").all_inner_texts())
