"""The browser, and the site that `make book` built."""

import os
from pathlib import Path

import pytest
from inspection import find_chromium, launch
from playwright.sync_api import sync_playwright

SITE = Path("_build/html")
#: What a test measured, to be read at the end of the log.
REPORT = pytest.StashKey[list[str]]()


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
def report(request) -> list[str]:
    """Lines for the end of the log."""
    return request.config.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter, config):
    """Print what was measured and is not asserted."""
    lines = config.stash.get(REPORT, [])
    if lines:
        terminalreporter.section("the site in a browser")
        for line in lines:
            terminalreporter.line(line)
