"""The browser, and the site that `make book` built."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from explored import CALL, PAGE
from inspection import SITE, Inspector, find_chromium, launch, served
from playwright.sync_api import sync_playwright

#: What a test measured, to be read at the end of the log.
LINE = "line of the log"


@pytest.fixture(scope="session")
def chromium_is_here():
    """Without a browser these tests skip on a user's machine and fail in CI."""
    if find_chromium() is None:
        message = "no Chromium on this machine: the site was not looked at in a browser"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="session")
def browser(chromium_is_here):
    """Chromium, started once."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    if not SITE.is_dir():
        pytest.fail(f"{SITE} is missing: run `make book` first, or `make test`")
    return SITE


@pytest.fixture(scope="session")
def origin(site):
    """The address of the built site, served on this machine only."""
    with served(site) as address:
        yield address


@pytest.fixture
def inspector(browser, origin):
    """Opens pages on a desktop."""
    opened = Inspector(browser, origin, "desktop-light")
    yield opened
    opened.close()


@pytest.fixture
def visitor(inspector):
    """Opens pages on a desktop, and nothing may be left in the console."""
    yield inspector
    assert not inspector.met


@pytest.fixture
def page(inspector):
    """The page of the explorer: a test of it must leave nothing in the console."""
    yield inspector.open(PAGE)
    assert not inspector.met


@pytest.fixture(scope="module")
def call(browser, origin):
    """The functions of the explorer's worker, by name."""
    opened = Inspector(browser, origin, "desktop-light")
    opened.open(PAGE)
    yield lambda name, **argument: opened.page.evaluate(CALL, [name, argument])
    opened.close()


@pytest.fixture
def report(request, record_property) -> Callable[[str], None]:
    """Keeps a line for the end of the log; it travels with the result of the test from the worker that ran it."""
    return lambda line: record_property(LINE, line)


def pytest_terminal_summary(terminalreporter):
    """Print what was measured and is not asserted."""
    results = [each for each in terminalreporter.getreports("") if hasattr(each, "user_properties")]
    lines = [line for each in results for name, line in each.user_properties if name == LINE]
    if lines:
        terminalreporter.section("the site in a browser")
        for line in lines:
            terminalreporter.line(line)
