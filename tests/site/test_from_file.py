"""The site as files, without a server: what works there, and what says why it does not."""

from __future__ import annotations

import pytest
from inspection import PATIENCE

NOTE = ".search-from-file"


@pytest.fixture
def met():
    return []


@pytest.fixture
def page(browser, met):
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.on("console", lambda message: met.append(message.text))
    opened.on("pageerror", lambda error: met.append(str(error)))
    yield opened
    opened.close()


def test_the_search_finds_pages_and_says_why_it_shows_no_excerpts(page, site, met):
    page.goto((site / "search.html").resolve().as_uri() + "?q=explosion")
    page.locator("#search-results li").first.wait_for()
    page.wait_for_function("document.querySelector('.search-summary').innerText.includes('found')")
    said = page.locator(NOTE).inner_text()
    assert "no excerpts" in said and "python -m http.server" in said and said.count(".") <= 5
    assert page.locator("#search-results li").count() > 3 and not met


def test_without_that_care_the_console_is_full_of_what_may_not_be_read(page, site, met):
    """The control: this is what the first test would see."""
    page.add_init_script("addEventListener('DOMContentLoaded', () => DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = true)")
    with page.expect_console_message():
        page.goto((site / "search.html").resolve().as_uri() + "?q=explosion")
    assert met


def test_a_search_that_is_served_has_excerpts_and_no_such_note(visitor):
    page = visitor.open("search.html?q=explosion")
    page.locator("#search-results .context").first.wait_for()
    assert page.locator(NOTE).count() == 0


def test_a_chapter_opened_from_a_file_is_whole(page, site, met):
    page.goto((site / "book/residual/width-one.html").resolve().as_uri())
    page.evaluate("window.MathJax.startup.promise.then(() => true)")
    assert page.locator("mjx-container").count() > 0 and page.locator(".live svg").count() > 0 and not met
