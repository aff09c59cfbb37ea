"""The live figure of each chapter as a reader meets it: where it stands, what it says, how it is moved."""

import json
import re
from pathlib import Path

import pytest
from explored import LIVE, TWINS
from inspection import PATIENCE

PAGES = json.loads((TWINS / "pages.json").read_text())
CHAPTERS = sorted(
    path.with_suffix("").as_posix()
    for part in ("shaped", "residual", "stability")
    for path in Path("book", part).glob("*.ipynb")
)
DONE = "document.querySelector('figure.live').dataset.done === 'yes'"
#: How much of the sentence is the finding.
SENTENCE = "document.querySelector('figure.live .live-sentence').innerText"


def test_every_chapter_has_a_live_figure():
    assert set(CHAPTERS) <= set(PAGES)
    assert all(Path(f"{page}.ipynb").exists() for page in PAGES)
    assert len(set(PAGES.values())) == len(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_it_stands_below_the_question_and_moves(page, inspector, site):
    """One visit does it all: before the script, the place, every control by key, the sentence, the console."""
    opened = inspector.open(f"{page}.html")
    host = opened.locator("figure.live")
    assert host.count() == 1 and host.get_attribute("data-figure") == PAGES[page]
    assert host.bounding_box()["y"] < 900
    above = opened.evaluate("document.querySelector('figure.live').previousElementSibling.tagName")
    assert above == "P" and opened.locator("article h1").count() == 1
    assert all(
        len(each) > 80
        for each in host.get_by_role("img").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    )
    host.scroll_into_view_if_needed()
    controls = host.locator("[data-key]")
    assert controls.count() in (2, 3)
    said = {opened.evaluate(SENTENCE)}
    for control in controls.all():
        assert control.evaluate("e => e.labels.length === 1 && e.labels[0].innerText.length > 0")
        control.focus()
        before = opened.evaluate(SENTENCE)
        control.press("ArrowLeft" if control.input_value() != "0" else "ArrowRight")
        opened.wait_for_function(DONE)
        assert opened.evaluate(SENTENCE) != before
        assert host.locator(".live-sentence").get_attribute("aria-live") == "polite"
        said.add(opened.evaluate(SENTENCE))
    assert len(said) == controls.count() + 1 and not any(re.search("NaN|undefined|Infinity", each) for each in said)
    assert opened.evaluate("location.hash") == ""


@pytest.fixture
def alone(browser):
    """One figure on a page of its own, on a phone, as the file that pages load brings it to life."""
    opened = []

    def show(name, **options):
        context = browser.new_context(viewport={"width": 390, "height": 844}, **options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        opened.append(context)
        style, twin = (LIVE / "live.css").read_text(), (TWINS / f"{name}.html").read_text()
        page.set_content(f"<!doctype html><title>Alone</title><style>{style}</style>{twin}")
        return page

    yield show
    for context in opened:
        context.close()


def test_without_its_script_there_is_a_picture_and_a_sentence(alone):
    page = alone("regimes", java_script_enabled=False)
    assert page.locator("figure.live svg[role=img]").is_visible()
    assert "turn back near t" in page.locator(".live-sentence").inner_text()
    assert page.locator("fieldset").is_hidden()


@pytest.mark.parametrize("name", ["euler", "images"])
def test_it_fits_a_phone_and_follows_the_theme(name, alone):
    page = alone(name)
    page.add_script_tag(path=LIVE / f"{name}.js")
    page.wait_for_function("document.querySelector('.live-plots svg').clientWidth < 390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    colour = "['stroke', 'fill'].map(each => getComputedStyle(document.querySelector('.live .network'))[each]).join()"
    light = page.evaluate(colour)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.evaluate(colour) != light


def test_frames_stay_short_while_it_works(alone):
    """A slice of work is cut off: the piece that is being done when its time is over is the only excess."""
    page = alone("limits-commute")
    page.add_script_tag(path=LIVE / "limits-commute.js")
    frames = page.evaluate("""() => new Promise(told => {
      let frames = 0;
      const count = () => {
        frames++;
        if (document.querySelector('figure.live').dataset.done === 'yes') told(frames);
        else requestAnimationFrame(count);
      };
      const slider = document.querySelector("[data-key=width]");
      slider.value = slider.max;
      slider.dispatchEvent(new Event("input"));
      requestAnimationFrame(count);
    })""")
    assert frames > 5


def test_with_reduced_motion_nothing_is_shown_before_all_is_known(alone):
    page = alone("regimes", reduced_motion="reduce")
    page.add_script_tag(path=LIVE / "regimes.js")
    changes = page.evaluate("""() => new Promise(told => {
      let changes = 0;
      const plots = document.querySelector('.live-plots');
      new MutationObserver(() => changes++).observe(plots, {childList: true});
      const slider = document.querySelector("[data-key=width]");
      slider.value = 0;
      slider.dispatchEvent(new Event("input"));
      const wait = () => {
        if (document.querySelector('figure.live').dataset.done === 'yes') setTimeout(() => told(changes), 50);
        else requestAnimationFrame(wait);
      };
      wait();
    })""")
    assert changes <= 2  # the fit to the width, and the end
