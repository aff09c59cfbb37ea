"""What a reader's browser must not meet on any page: the checks, apart from the pages they run on.

`Inspector.faults(path)` opens a page once, does all checks on it and returns one line for each fault.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request as Question
from urllib.request import urlopen

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
)

#: The site that `make book` builds.
SITE = Path("_build/html")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Nothing of its own over the network, and no name that leads out of this machine.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

#: Options of a browser context for each way to look at the book.
VIEWS = {
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True, "has_touch": True},
}

#: Milliseconds until what is waited for is taken to be missing: no test is about the time that a busy machine takes.
PATIENCE = 600_000

#: What Chromium says of a request that was given up because its page was left: no fault of the page.
LEFT = "net::ERR_ABORTED"

#: The most bytes that a page may ask for, beside the library for mathematics and its fonts.
WEIGHT = 1_600_000
MATHEMATICS = "/_static/mathjax/"
#: Pictures of the gallery, which are asked for as a reader scrolls; an inspection asks for all.
THUMBNAILS = "/figures/"

AXE = Path(__file__).parent / "axe" / "axe.min.js"

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
  for (const control of document.querySelectorAll("button, a[href]")) {
    if (!control.checkVisibility({opacityProperty: true, visibilityProperty: true}) || control.innerText.trim())
      continue;
    const drawn = [...control.querySelectorAll("svg, img, canvas, mjx-container")].some(
      picture => picture.getBoundingClientRect().width > 4 && picture.getBoundingClientRect().height > 4);
    if (!drawn)
      found.push("nothing to see on a control: " + (control.ariaLabel || control.outerHTML.slice(0, 80)));
  }
  for (const display of document.querySelectorAll('mjx-container[display="true"]')) {
    const room = (display.closest("div.math") || display).clientWidth;
    const formula = display.firstElementChild.getBoundingClientRect().width;
    if (formula > room + 1)
      found.push(`formula of ${Math.round(formula)} px in ${room} px: ` + display.textContent.slice(0, 40));
  }
  return found;
}"""

#: The first thing that reaches beyond the window, if the page does.
WIDER = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.body.querySelectorAll("main *")].filter(
    element => element.getBoundingClientRect().right > width + 1);
  const name = wide.length ? wide[0].tagName.toLowerCase() + "." + wide[0].className : "page";
  return [`wider than the window of ${width} px: ${name}`];
}"""
#: The width at which a page must need no second scroll bar: WCAG 2.2, criterion 1.4.10.
NARROW = 320

#: Asks for every picture, also for those that wait until a reader scrolls to them.
PICTURES = """async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
}"""

#: Unfolds all that a reader can unfold.
UNFOLDED = """() => { for (const fold of document.querySelectorAll("details")) fold.open = true; }"""

#: Takes away what axe looks through for most of its time and finds nothing in: the strokes of formulas, which are no
#: text (their boxes and their words stay), and of coloured pieces of code all but one of each kind: they share a style.
THINNER = """() => {
  const formulas = [...document.querySelectorAll("mjx-math")].map(drawn => [drawn, drawn.getBoundingClientRect()]);
  for (const [drawn, { width, height }] of formulas) {
    drawn.replaceChildren();
    drawn.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px`;
  }
  const seen = new Set();
  for (const piece of [...document.querySelectorAll(".highlight pre span[class]")]) {
    const kind = piece.closest(".highlight").parentElement.className + " " + piece.className;
    if (seen.has(kind) && piece.attributes.length === 1) piece.replaceWith(...piece.childNodes);
    seen.add(kind);
  }
}"""

#: The rules of axe, those on colours or the others: most of the time goes into colours.
COLOURS, OTHERS, ALL = "colours", "others", "all"
#: Rules of axe, without the fading that would fool its eye.
ACCESSIBLE = """async (asked) => {
  const calm = document.createElement("style");
  calm.textContent = "*, ::before, ::after { animation: none !important; transition: none !important; }";
  document.head.append(calm);
  await new Promise(told => setTimeout(told, 50));
  const usual = ({ tags }) => !tags.includes("wcag2aaa") && !tags.includes("experimental");
  const colours = axe.getRules(["cat.color"]).filter(usual).map(rule => rule.ruleId);
  const rules = Object.fromEntries(asked === "others" ? colours.map(rule => [rule, { enabled: false }]) : []);
  const only = asked === "colours" ? { runOnly: colours } : {};
  const { violations } = await axe.run({ resultTypes: ["violations"], rules, ...only });
  // axe finds no words in MathML, and takes the heading of a column that is one formula for empty.
  const formula = (id, node) => id === "empty-table-header" && document.querySelector(`${node.target[0]} math`);
  return violations.flatMap(({ id, nodes }) => nodes.filter(node => !formula(id, node)).map(node =>
    `axe ${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ").slice(0, 200)}`));
}"""


def find_chromium() -> str | None:
    """Where Chromium is on this machine, if it is."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)


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


def patient(context: BrowserContext) -> BrowserContext:
    """The same context, in which nothing is missing before a busy machine had time to bring it."""
    context.set_default_timeout(PATIENCE)
    return context


def rest(page: Page, milliseconds: int) -> None:
    """Wait by the clock of the page: what it had planned for earlier is done then, on a busy machine too."""
    page.evaluate("time => new Promise(told => setTimeout(told, time))", milliseconds)


class Inspector:
    """Opens pages of one site in one view and says what is wrong with them."""

    def __init__(self, browser: Browser, origin: str, view: str) -> None:
        self.origin, self.view = origin, view
        self.context = patient(browser.new_context(**VIEWS[view]))
        self.page = self.context.new_page()
        self.met: list[str] = []
        self.asked: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.met.append(f"page error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _request(self, request: Request) -> None:
        if request.url.startswith(self.origin + "/"):
            self.asked.add(request.url)
        elif not request.url.startswith(("data:", "blob:")):
            self.met.append(f"request to the outside: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        self.met.append(f"console {message.type}: {message.text[:200]}")

    def _failed(self, request: Request) -> None:
        if request.url.startswith(self.origin) and request.failure != LEFT:
            self.met.append(f"failed request: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.met.append(f"failed request ({response.status}): {response.url}")

    def _size(self, address: str) -> int:
        """The bytes behind an address, as they are served: what a cache saves counts too."""
        if address not in self.sizes:
            with urlopen(Question(address, method="HEAD")) as answer:
                self.sizes[address] = int(answer.headers["Content-Length"])
        return self.sizes[address]

    def weight(self, mathematics: bool = False) -> int:
        """The bytes that the page asked for, with or without the library for mathematics."""
        return sum(
            self._size(address)
            for address in self.asked
            if THUMBNAILS not in address and (mathematics or MATHEMATICS not in address)
        )

    def open(self, path: str) -> Page:
        """Go to a page and wait until its mathematics and its fonts are there."""
        self.met.clear()
        self.asked.clear()
        self.page.goto(f"{self.origin}/{path}", wait_until="load")
        self.page.evaluate(SETTLED)
        return self.page

    def barriers(self, rules: str = ALL) -> list[str]:
        """What axe finds on the page as it stands, menus open or not; everything is unfolded for it."""
        self.page.evaluate(UNFOLDED)
        self.page.evaluate(AXE.read_text())
        return self.page.evaluate(ACCESSIBLE, rules)

    def reflow(self) -> list[str]:
        """What makes the page as it stands, unfolded or not, wider than the narrowest window."""
        usual = VIEWS[self.view]["viewport"]
        self.page.set_viewport_size({"width": NARROW, "height": usual["height"]})
        found = self.page.evaluate(WIDER)
        self.page.set_viewport_size(usual)
        return found

    def faults(self, path: str, rules: str = ALL, turned: bool = False) -> list[str]:
        """Everything wrong with one page, one line each, with its name; its colours also once it is turned dark."""
        page = self.open(path)
        found = page.evaluate(IN_PAGE) + page.evaluate(WIDER)
        page.evaluate(PICTURES)
        if turned:
            with self.in_the_dark():
                found += [f"in the dark: {fault}" for fault in page.evaluate(IN_PAGE) + page.evaluate(WIDER)]
        page.evaluate(UNFOLDED)
        if self.view == "phone":
            found += self.reflow()
        page.evaluate(THINNER)
        found += self.barriers(rules)
        if turned:
            with self.in_the_dark():
                found += [f"in the dark: {fault}" for fault in self.barriers(COLOURS)]
        if not self.met and self.weight() > WEIGHT:
            found.append(f"page of {self.weight()} bytes: more than {WEIGHT}")
        return [f"{path}: {fault}" for fault in [*self.met, *found]]

    @contextmanager
    def in_the_dark(self) -> Iterator[None]:
        """The light page that is open, turned dark for a while."""
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        yield
        self.page.emulate_media(color_scheme="light")
        self.page.wait_for_function("document.documentElement.dataset.theme === 'light'")

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page as it stands."""
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def close(self) -> None:
        """Forget the context and its pages."""
        self.context.close()
