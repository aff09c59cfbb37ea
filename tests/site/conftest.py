"""The browser, and the site that `make book` built."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

SITE = Path("_build/html")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def browser():
    """Chromium, started once. Without it these tests skip on a user's machine and fail in CI."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        message = "no Chromium on this machine: the site was not looked at in a browser"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    if not SITE.is_dir():
        pytest.fail(f"{SITE} is missing: run `make book` first, or `make test`")
    return SITE
