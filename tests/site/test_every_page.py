"""Every page of the built book, in a real browser, in three views."""

from pathlib import Path

import pytest
from inspection import OTHERS, SITE, VIEWS, Inspector

SCREENSHOTS = Path("_build/screenshots")
LANDING = "book/index.html"
#: One page of each kind: what loads scripts or a layout of its own.
KINDS = [
    LANDING,
    "book/explore.html",
    "book/residual/width-one.html",
    "book/reference/claims.html",
    "book/reference/figures.html",
    "book/reference/api/networks.html",
    "search.html",
]
#: How many pages of claims are looked at in the browser; links and descriptions are checked on all.
CLAIMS = 6


def pages(site: Path) -> list[str]:
    """All pages but the root, which leads on at once; the longest first, so that no worker ends late."""
    found = sorted(site.rglob("*.html"), key=lambda path: (-path.stat().st_size, path))
    names = [path.relative_to(site).as_posix() for path in found]
    whole = [name for name in names if name != "index.html" and not name.startswith("_static/")]
    # The pages of the claims, some 240, come from one template: the longest of them stand for all.
    of_claims = [name for name in whole if name.startswith("book/reference/claim-")]
    return [name for name in whole if name not in of_claims[CLAIMS:]]


@pytest.fixture(scope="module")
def inspectors(browser, origin):
    opened = {view: Inspector(browser, origin, view) for view in VIEWS}
    yield opened
    for each in opened.values():
        each.close()


def keep(inspector: Inspector, name: str) -> None:
    """A picture of a page with faults."""
    inspector.picture((SCREENSHOTS / inspector.view / name.replace("/", "-")).with_suffix(".png"))


@pytest.mark.parametrize("name", pages(SITE))
def test_a_page_is_whole(name, inspectors):
    """Light with all rules; dark as it is turned, with those on colours; on a phone with those on all else."""
    light, phone = inspectors["desktop-light"], inspectors["phone"]
    wide = light.faults(name, turned=True)
    if wide:
        keep(light, name)
    narrow = phone.faults(name, OTHERS)
    if narrow:
        keep(phone, name)
    assert not wide + narrow, "\n".join(wide + narrow)


@pytest.mark.parametrize("view", ["desktop-dark", "phone"])
@pytest.mark.parametrize("name", KINDS)
def test_a_page_of_each_kind_is_whole_as_it_is_opened(name, view, inspectors):
    """All rules, on a page that was dark from the start or is narrow."""
    faults = inspectors[view].faults(name)
    if faults:
        keep(inspectors[view], name)
    assert not faults, "\n".join(faults)


def test_a_page_of_each_kind_is_there(site):
    assert set(KINDS) <= set(pages(site)) and len(pages(site)) > 60
