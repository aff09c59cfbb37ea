"""The core of the site in a second engine: nothing in the console, formulas set, explorer and live figures at work."""

from __future__ import annotations

import json
import socket

import pytest
from explored import FINISHED, PAGE
from firefox import find_firefox, firefox
from inspection import NARROW, WIDER, served

CHAPTER = "book/residual/width-one.html"
PAGES = [
    "book/index.html",
    PAGE,
    CHAPTER,
    "book/shaped/covariance.html",
    "book/reference/claims.html",
    "book/reference/figures.html",
    "book/reference/api/networks.html",
]
#: Keys as WebDriver names them.
TAB, ENTER, ESCAPE, END, HOME = "\ue004", "\ue007", "\ue00c", "\ue010", "\ue011"
#: One fault for each kind that is looked for, at the end of an article.
FAULTS = {
    "<script>console.warn('seeded')</script>": "console warn: seeded",
    "<script>throw new Error('seeded')</script>": "console error: Error: seeded",
    '<img src="nowhere.png" alt="seeded">': "failed request (404)",
    '<img src="https://example.org/a.png" alt="seeded">': "request to the outside: https://example.org/a.png",
    r'<span class="math notranslate nohighlight">\(\nosuchmacro\)</span>': "mathematics with an error",
    '<div style="width: 3000px">seeded</div>': "wider than the window",
}


@pytest.fixture(scope="module")
def window(origin):
    """Firefox, where there is one: continuous integration installs Chromium alone."""
    if find_firefox() is None:
        pytest.skip("no Firefox on this machine: the site was looked at in Chromium alone")
    with firefox(origin) as opened:
        opened.size(1280, 900)
        yield opened


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole(path, window):
    assert window.faults(path) == []
    assert window.evaluate("document.querySelectorAll('mjx-container').length > 0") or path == PAGES[-1]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault, site, window, tmp_path):
    whole = (site / CHAPTER).read_text(encoding="utf-8")
    for name in ("_static", "_images", "_sources", "figures"):
        (tmp_path / name).symlink_to((site / name).resolve())
    path = tmp_path / CHAPTER
    path.parent.mkdir(parents=True)
    path.write_text(whole.replace("</article>", fault + "</article>", 1), encoding="utf-8")
    with served(tmp_path) as origin:
        usual, window.origin = window.origin, origin
        found = window.faults(CHAPTER)
        window.origin = usual
    assert any(FAULTS[fault] in line for line in found), found


def test_what_a_page_still_asked_for_when_it_was_left_is_no_fault_of_the_next(window):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        window.open(PAGES[0])
        window.evaluate(f"(fetch('http://127.0.0.1:{silent.getsockname()[1]}/').catch(() => 0), 0)")
        silent.accept()
        assert not any("failed" in fault for fault in window.faults(PAGES[-1]))


def test_pages_fit_the_narrowest_window(window):
    window.size(NARROW, 900)
    wide = {}
    for path in PAGES:
        window.open(path)
        wide[path] = window.evaluate(f"({WIDER})()")
    window.size(1280, 900)
    assert not any(wide.values()), wide


def test_the_explorer_draws_networks_and_follows_the_keyboard(window):
    window.open(f"{PAGE}#width=50&depth=50")
    window.wait(FINISHED)
    setting = "document.querySelector('.dlx-setting').innerText"
    assert "Width 50, depth 50" in window.evaluate(setting)
    assert window.evaluate("document.querySelector('.dlx-verdict').innerText").startswith("The limit")
    window.evaluate("document.querySelector('.dlx input[type=range]').focus()")
    window.press(HOME)
    window.wait(f"{FINISHED} && !{setting}.includes('Width 50,')")
    assert "depth 50" in window.evaluate(setting) and not window.met


def test_a_live_figure_says_something_else_for_another_setting(window):
    window.open(CHAPTER)
    done = "document.querySelector('figure.live').dataset.done === 'yes'"
    sentence = "document.querySelector('.live-sentence').innerText"
    window.evaluate("document.querySelector('figure.live').scrollIntoView()")
    window.evaluate("document.querySelector('figure.live input').focus()")
    before = window.evaluate(sentence)
    window.press(END)
    window.wait(f"{done} && {sentence} !== {json.dumps(before)}")
    assert window.evaluate("document.querySelectorAll('.live-plots svg').length > 0") and not window.met


def test_evidence_unfolds_and_a_figure_is_enlarged(window):
    window.open(f"{CHAPTER}?evidence=all")
    assert window.evaluate("[...document.querySelectorAll('details.evidence')].every(fold => fold.open)")
    window.evaluate("document.querySelector('button.enlarge').focus()")
    window.press(ENTER)
    assert window.evaluate("document.querySelector('dialog.enlarged').open")
    window.press(ESCAPE)
    assert not window.evaluate("document.querySelector('dialog.enlarged').open") and not window.met


def test_ito_without_his_accent_is_found(window):
    window.open("search.html?q=Ito+calculus")
    window.wait("document.querySelector('#search-results li')")
    found = window.evaluate(
        "[...document.querySelectorAll('#search-results li > a')].slice(0, 3).map(a => a.innerText)"
    )
    assert any("Itô" in title for title in found), found


def test_with_forced_colours_keys_keep_theirs_and_the_focus_is_outlined(site, window):
    with served(site) as origin, firefox(origin, **{"browser.display.document_color_use": 2}) as forced:
        forced.open(CHAPTER)
        assert forced.evaluate("matchMedia('(forced-colors: active)').matches")
        keys = forced.evaluate(
            "[...document.querySelectorAll('.live-key')].map(key => getComputedStyle(key).borderTopColor)"
        )
        forced.press(TAB)
        outlined = forced.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert len(set(keys)) == len(keys) > 1 and outlined != "none"
