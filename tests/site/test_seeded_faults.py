"""Each check of the site, in the browser and without it, catches a fault that is put there."""

import functools
import shutil

import pytest
from inspection import ALL, OTHERS, Inspector, served

from bookbuild import check

PAGE = "book/index.html"

IN_BROWSER = {
    "console": ("<script>console.warn('seeded')</script>", "console warning: seeded"),
    "script": ("<script>throw new Error('seeded')</script>", "page error: seeded"),
    "missing": ('<img src="nowhere.png" alt="seeded">', "failed request"),
    "external": ('<img src="https://example.org/a.png" alt="seeded">', "request to the outside"),
    "macro": (r'<span class="math notranslate nohighlight">\(\nosuchmacro\)</span>', "mathematics with an error"),
    "inline TeX": ("<p>seeded $x^2$</p>", "unrendered mathematics: seeded $x^2$"),
    "display TeX": (r'<p class="mathjax_ignore">seeded \[x^2\]</p>', "unrendered mathematics: seeded"),
    "half TeX": ("<p>seeded $<em>x</em></p>", "unrendered mathematics: seeded $"),
    "no alt": ('<img src="../_static/favicon.svg">', "image without alternative text"),
    "formula": (r'<div class="math notranslate nohighlight">\[' + "x + " * 60 + r"x\]</div>", "formula of"),
    "wide": ('<div style="width: 3000px">seeded</div>', "wider than the window"),
    "wide at 320": ('<div style="width: 350px">seeded</div>', "wider than the window of 320 px"),
    "pale": ('<p style="color: #999; background: #aaa">seeded</p>', "axe color-contrast"),
    "pale when unfolded": (
        '<details><summary>More</summary><p style="color: #999; background: #aaa">seeded</p></details>',
        "axe color-contrast",
    ),
    "pale code": (
        "<style>.highlight .seeded { color: #999; background: #aaa; }</style>"
        '<div class="highlight"><pre><span class="n">x</span> <span class="seeded">seeded</span></pre></div>',
        "axe color-contrast",
    ),
    "one piece of code pale": (
        '<div class="highlight"><pre><span class="n">x</span> <span class="n">y</span> '
        '<span class="n" style="color: #999; background: #aaa">seeded</span></pre></div>',
        "axe color-contrast",
    ),
    "code dark at dusk": (
        "<style>html[data-theme=dark] .highlight .seeded { color: #222; }</style>"
        '<div class="highlight"><pre><span class="n">x</span> <span class="seeded">seeded</span></pre></div>',
        "axe color-contrast",
    ),
    "invisible": (
        '<button aria-label="seeded" style="min-width: 3em"><span class="fa-solid fa-bars"></span></button>',
        "nothing to see on a control: seeded",
    ),
    "dark at dusk": (
        "<style>html[data-theme=dark] .seeded { color: #222; }</style><p class='seeded'>seeded</p>",
        "axe color-contrast",
    ),
    "loud at dusk": (
        "<script>matchMedia('(prefers-color-scheme: dark)').onchange = () => console.warn('seeded')</script>",
        "console warning: seeded",
    ),
    "nameless": ("<button></button>", "axe button-name"),
    "out of reach": (
        '<div style="overflow: auto; height: 20px"><p style="height: 99px">seeded</p></div>',
        "axe scrollable-region-focusable",
    ),
    "no heading": (
        "<table><tr><th></th><th>seeded</th></tr><tr><td>1</td><td>2</td></tr></table>",
        "axe empty-table-header",
    ),
    "heavy": ('<img src="heavy.bin" alt="seeded" style="visibility: hidden">', "more than 1600000"),
}

#: What no desktop shows, and what no light page shows.
NARROW, DUSK = {"wide at 320"}, {"dark at dusk", "code dark at dusk", "loud at dusk"}

#: What the other views may show alone; "dusk" is a light page that is turned dark.
ELSEWHERE = [
    *((name, "dusk") for name in (*sorted(DUSK), "pale", "pale when unfolded", "inline TeX", "wide")),
    ("dark at dusk", "desktop-dark"),
    ("pale", "desktop-dark"),
    ("pale when unfolded", "desktop-dark"),
    ("console", "desktop-dark"),
    ("wide", "phone"),
    ("wide at 320", "phone"),
    ("formula", "phone"),
    ("out of reach", "phone"),
    ("invisible", "phone"),
]
ON_DESKTOP = [(name, "desktop-light") for name in IN_BROWSER if name not in NARROW | DUSK]

IN_FILES = {
    "dead link": ('<a href="nowhere.html">seeded</a>', "dead link: nowhere.html"),
    "dead fragment": ('<a href="#nowhere">seeded</a>', "dead fragment: #nowhere"),
    "dead image": ('<img src="nowhere.png" alt="seeded">', "dead link: nowhere.png"),
    "dead image of a phone": (
        '<picture><source srcset="nowhere.svg"><img src="../_static/favicon.svg" alt="seeded"></picture>',
        "dead link: nowhere.svg",
    ),
    "no alt": ('<img src="../_static/favicon.svg">', "image without alternative text"),
    "external": ('<script src="https://example.org/a.js"></script>', "loads from outside"),
    "hyphen": ("<p>seeded -3.5</p>", "a hyphen for a minus: seeded -3.5"),
    "ASCII": ("<figure><figcaption>seeded x^2</figcaption></figure>", "mathematics in ASCII in a caption: seeded x^2"),
    "ASCII minus": ("<figcaption>seeded <b>-t</b></figcaption>", "mathematics in ASCII in a caption: -t"),
    "twice": ('<meta property="og:title" content="seeded">', "not one og:title"),
    "TeX": ('<meta property="og:description" content="seeded $x$">', "mathematics in og:description"),
    "HTML": (
        '<meta property="og:description" content="seeded &lt;a href=&quot;&quot;&gt;">',
        "markup in og:description",
    ),
    "relative": ('<meta property="og:url" content="seeded.html">', "og:url is no address: seeded.html"),
    "other page": ('<meta property="og:url" content="https://example.org/">', "og:url is not the canonical address"),
    "canonical": ('<link rel="canonical" href="https://example.org/">', "og:url is not the canonical address"),
    "no picture": ('<meta property="og:url" content="https://example.org/">', "not one og:image"),
    "no sitemap": ('<meta property="og:url" content="https://example.org/">', "sitemap.xml is missing"),
}


@pytest.fixture(scope="module")
def copy(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "html"
    shutil.copytree(site, folder)
    (folder / "book/heavy.bin").write_bytes(bytes(1_600_000))
    return folder


@pytest.fixture
def seeded(copy):
    """Put a fault at the end of the article of a page of the copy, and take it out again."""
    path = copy / PAGE
    whole = path.read_text()

    def seed(fault: str) -> None:
        assert "</article>" in whole
        path.write_text(whole.replace("</article>", fault + "</article>", 1))

    yield seed
    path.write_text(whole)


def seen(browser, site, view):
    """The faults of the page as `test_every_page` looks at it in a view."""
    with served(site) as origin:
        inspector = Inspector(browser, origin, "desktop-light" if view == "dusk" else view)
        faults = inspector.faults(PAGE, OTHERS if view == "phone" else ALL, turned=view == "dusk")
        inspector.close()
    return faults


@pytest.mark.parametrize("name, view", [*ON_DESKTOP, *ELSEWHERE])
def test_the_browser_checks_catch(name, view, browser, copy, seeded):
    fault, report = IN_BROWSER[name]
    seeded(fault)
    faults = seen(browser, copy, view)
    assert any(report in line for line in faults), faults


@pytest.mark.parametrize("view", ["desktop-light", "dusk", "phone"])
def test_the_unharmed_copy_is_whole_in_the_browser(view, browser, copy):
    assert seen(browser, copy, view) == []


@pytest.fixture(scope="module")
def read_once():
    """Of the pages of the copy, some 350, those are read again that a test has changed."""
    read = functools.cache(lambda path, text: plain(path))
    with pytest.MonkeyPatch.context() as patch:
        plain = check.Page
        patch.setattr(check, "Page", lambda path: read(path, path.read_text(encoding="utf-8")))
        yield


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("name", IN_FILES)
def test_the_file_checks_catch(name, copy, seeded):
    fault, report = IN_FILES[name]
    seeded(fault)
    faults = check.faults(copy)
    assert any(report in line for line in faults), faults


def test_the_unharmed_copy_has_no_fault(copy):
    assert check.faults(copy) == []


@pytest.mark.usefixtures("read_once")
def test_a_page_without_description_is_caught(copy, seeded):
    seeded("")
    path = copy / PAGE
    path.write_text(path.read_text().replace('property="og:title"', 'property="seeded"'))
    assert f"{PAGE}: not one og:title" in check.faults(copy)
