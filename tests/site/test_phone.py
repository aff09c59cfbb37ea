"""On a phone panels of a figure stand below each other, and what is wider than the window says that there is more."""

from __future__ import annotations

import pytest
from inspection import VIEWS, patient, rest

PAGE = "book/stability/norm.html"
#: Of each picture that has a narrow form: which file is shown, and how wide it is drawn beside what it is.
SHOWN = """async () => {
  const found = [...document.querySelectorAll("picture > img")].filter(image => image.checkVisibility());
  for (const image of found) image.loading = "eager";
  await Promise.all(found.map(image => image.decode()));
  return found.map(image => [image.currentSrc, image.clientWidth / image.naturalWidth]);
}"""
WIDE = '<div style="width: 200px"><pre id="wide" style="overflow-x: auto; white-space: pre">{}</pre></div>'
FADES = "getComputedStyle(document.getElementById('wide')).maskImage !== 'none'"


@pytest.fixture(params=VIEWS)
def seen(request, browser, origin):
    context = patient(browser.new_context(**VIEWS[request.param]))
    page = context.new_page()
    page.goto(f"{origin}/{PAGE}")
    yield request.param, page
    context.close()


def test_a_phone_gets_the_panels_below_each_other(seen):
    view, page = seen
    pictures = page.evaluate(SHOWN)
    assert pictures
    for address, scale in pictures:
        assert ("-narrow.svg" in address) == (view == "phone")
        # on a phone letters are not much smaller than beside a keyboard
        assert scale > 0.75, address


def test_what_is_cut_fades_out_until_its_end_is_reached(seen):
    _, page = seen
    wide = WIDE.format("x + " * 200)
    page.evaluate(f"document.querySelector('.bd-article').insertAdjacentHTML('afterbegin', '{wide}')")
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    page.wait_for_function(FADES)
    page.evaluate("document.getElementById('wide').scrollLeft = 1e6")
    page.wait_for_function(f"!({FADES})")
    rest(page, 50)
