"""With forced colours (contrast themes of the system): what has the focus is seen, and pictures fit their ground."""

from __future__ import annotations

import pytest
from explored import FINISHED, PAGE
from inspection import patient

CHAPTER = "book/residual/width-one.html"
WINDOW = {"width": 1280, "height": 900}
PAGES = ["book/index.html", CHAPTER, PAGE, "book/reference/claims.html", "search.html"]
#: Controls on which nothing changes when they have the focus, by name; everything is unfolded for it.
UNSEEN = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const outlined = part => {
    const { outlineStyle, outlineWidth } = getComputedStyle(part);
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
  };
  const controls = [...document.querySelectorAll('a[href], button, input, select, summary, textarea, [tabindex="0"]')]
    .filter(each => each.checkVisibility({visibilityProperty: true}) && each.getBoundingClientRect().width > 0);
  return controls.filter(each => {
    each.focus({focusVisible: true, preventScroll: true});
    const seen = each.matches(".sd-stretched-link") ? each.closest(".sd-card") : each;
    return document.activeElement === each && !outlined(seen);
  }).map(each => each.outerHTML.slice(0, 80));
}"""
#: The colours of the keys of a picture.
KEYS = """() => [...document.querySelectorAll(".live-key")].map(key =>
  [getComputedStyle(key).borderTopColor, getComputedStyle(key).backgroundColor].join(" "))"""


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    """The ground that the system forces: white or black."""
    return request.param


@pytest.fixture
def forced(browser, origin, scheme):
    """Opens pages with forced colours."""
    context = patient(
        browser.new_context(viewport=WINDOW, forced_colors="active", color_scheme=scheme, reduced_motion="reduce")
    )
    page = context.new_page()

    def opened(path):
        page.goto(f"{origin}/{path}", wait_until="load")
        page.keyboard.press("Tab")
        return page

    yield opened
    context.close()


@pytest.mark.parametrize("colours", ["active", "none"])
def test_what_has_the_focus_is_outlined(colours, browser, origin):
    context = patient(browser.new_context(viewport=WINDOW, forced_colors=colours))
    page, unseen = context.new_page(), {}
    for path in PAGES:
        page.goto(f"{origin}/{path}", wait_until="load")
        page.keyboard.press("Tab")
        unseen[path] = page.evaluate(UNSEEN)
    context.close()
    assert not any(unseen.values()), unseen


def test_a_control_that_hides_its_focus_is_caught(forced):
    page = forced(CHAPTER)
    seeded = '<button style="outline: 0 !important; box-shadow: 0 0 0 3px red">seeded</button>'
    page.evaluate("seeded => document.querySelector('article').insertAdjacentHTML('beforeend', seeded)", seeded)
    assert page.evaluate(UNSEEN) == [seeded[:80]]


def test_pictures_follow_the_ground_whatever_theme_was_chosen(forced, scheme):
    page = forced(CHAPTER)
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == scheme
    page.evaluate(f"{theme} = '{'light' if scheme == 'dark' else 'dark'}'")
    page.wait_for_function(f"{theme} === '{scheme}'")
    drawn = page.evaluate("getComputedStyle(document.querySelector('div.cell_output figure img')).filter")
    assert ("invert" in drawn) == (scheme == "dark")


def test_keys_have_the_colours_of_what_they_stand_for(forced):
    page = forced(CHAPTER)
    kept = page.evaluate(KEYS)
    assert len(set(kept)) == len(kept) >= 3
    page.add_style_tag(content=".live-key { forced-color-adjust: auto !important; }")
    assert len(set(page.evaluate(KEYS))) < len(kept), "the test does not see lost colours"


def test_what_is_pressed_in_the_explorer_differs(forced):
    page = forced(PAGE)
    page.wait_for_function(FINISHED)
    ground = "button => getComputedStyle(button).backgroundColor"
    button = page.locator('.dlx-presets button[aria-pressed="false"]').first
    before = button.evaluate(ground)
    name = button.inner_text()
    button.click()
    page.wait_for_function(FINISHED)
    pressed = page.locator('.dlx-presets button[aria-pressed="true"]')
    assert pressed.inner_text() == name and pressed.evaluate(ground) != before
