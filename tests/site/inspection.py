"""What a reader's browser must not meet on any page: the checks, apart from the pages they run on.

`Inspector.faults(address)` opens a page and returns one line for each fault.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, Route

#: Options of a browser context for each way to look at the book.
VIEWS = {
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light",
              "is_mobile": True, "has_touch": True},
}

SETTLED = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
}"""

IN_PAGE = r"""() => {
  const found = [];
  for (const node of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    found.push("mathematics with an error: " + (node.title || node.textContent).slice(0, 80));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("code, pre, script, style, noscript, textarea, mjx-container"))
      continue;
    if (/\\\(|\\\[|\\begin\{|\$/.test(node.data))
      found.push("unrendered mathematics: " + node.data.trim().slice(0, 80));
  }
  for (const image of document.images)
    if (!(image.alt || "").trim())
      found.push("image without alternative text: " + image.getAttribute("src"));
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const wide = [...document.body.querySelectorAll("main *")].filter(
      element => element.getBoundingClientRect().right > width + 1);
    const name = wide.length ? wide[0].tagName.toLowerCase() + "." + wide[0].className : "page";
    found.push(`wider than the window: ${name}`);
  }
  for (const display of document.querySelectorAll('mjx-container[display="true"]')) {
    const room = (display.closest("div.math") || display).clientWidth;
    const formula = display.firstElementChild.getBoundingClientRect().width;
    if (formula > room + 1)
      found.push(`formula of ${Math.round(formula)} px in ${room} px: ` + display.textContent.slice(0, 40));
  }
  return found;
}"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder while it is served on this machine only."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Inspector:
    """Opens pages of one site in one view and says what is wrong with them."""

    def __init__(self, browser: Browser, origin: str, view: str) -> None:
        self.origin = origin
        self.context = browser.new_context(**VIEWS[view])
        self.context.route("**/*", self._stay_inside)
        self.page = self.context.new_page()
        self.met: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.met.append(f"page error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _stay_inside(self, route: Route) -> None:
        if route.request.url.startswith((self.origin + "/", "data:", "blob:")):
            route.continue_()
        else:
            self.met.append(f"request to the outside: {route.request.url}")
            route.abort()

    def _console(self, message: ConsoleMessage) -> None:
        self.met.append(f"console {message.type}: {message.text[:200]}")

    def _failed(self, request: Request) -> None:
        if request.url.startswith(self.origin):
            self.met.append(f"failed request: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.met.append(f"failed request ({response.status}): {response.url}")

    def open(self, path: str) -> Page:
        """Go to a page and wait until its mathematics and its fonts are there."""
        self.page.goto(f"{self.origin}/{path}", wait_until="load")
        self.page.evaluate(SETTLED)
        return self.page

    def faults(self, path: str) -> list[str]:
        """Everything wrong with one page, one line each, with its name."""
        self.met.clear()
        page = self.open(path)
        return [f"{path}: {fault}" for fault in [*self.met, *page.evaluate(IN_PAGE)]]

    def close(self) -> None:
        """Forget the context and its pages."""
        self.context.close()
