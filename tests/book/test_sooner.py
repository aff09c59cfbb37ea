"""Pages that are made in less time are the same pages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx_codeautolink.extension.block import SourceTransform
from sphinx_codeautolink.extension.block import link_html as library
from sphinx_codeautolink.parse import parse_names

from bookbuild.extensions import sooner

CODE = [
    "import numpy as np\nfrom os import path\n\nif 1 < 2:\n    x = np.linalg.norm(np.array('a & b'))\n",
    "path.join('a', 'b').upper()\nnp.linalg.norm(\n    1\n)\n",
    "np.array(1)\n",
    "np.array(1)\n",
]
INVENTORY = {
    "numpy.linalg.norm": "https://numpy.org/norm.html",
    "numpy.array": "api.html#numpy.array",
    "os.path.join": "api.html#join",
}


def page(code: list[str], language: str = "python") -> str:
    """A page with code between paragraphs, as Sphinx writes it."""
    blocks = [highlight(each, PythonLexer(), HtmlFormatter(wrapcode=False)).rstrip("\n") for each in code]
    return "".join(
        f'<p>A &amp; b<br /></p><div class="highlight-{language} notranslate">{block}\n</div>\n' for block in blocks
    )


def transforms(code: list[str]) -> list[SourceTransform]:
    """What sphinx-codeautolink knows of some code: its names, and where they lead."""
    found, before = [], ""
    for each in code:
        names = parse_names(before + each, SimpleNamespace(doctree=None))
        shown = []
        for name in names:
            name.resolved_location = ".".join(part for part in name.import_components if part.isidentifier())
            name.lineno -= before.count("\n")
            name.end_lineno -= before.count("\n")
            if name.lineno > 0 and name.resolved_location in INVENTORY:
                shown.append(name)
        found.append(SourceTransform(each, shown, None, 0))
        before += each
    return found


def linked(function, html: str, known: list[SourceTransform], name: str = "part/page") -> str:
    return function(name, html, known, INVENTORY, {}, [], disable_link_titles=False)


@pytest.mark.parametrize("name", ["page", "part/page", "a/b/page"])
def test_links_in_code_are_those_of_the_library(name):
    ours, theirs = (linked(each, page(CODE), transforms(CODE), name) for each in (sooner.link_html, library))
    assert ours.count("sphinx-codeautolink-a") == theirs.count("sphinx-codeautolink-a") >= 5
    assert BeautifulSoup(ours, "html.parser") == BeautifulSoup(theirs, "html.parser")


def test_what_holds_no_code_stays_as_it_is_byte_for_byte():
    html = page(["np.array(1)\n"], "console")
    assert linked(sooner.link_html, html, []) == html


def test_code_and_names_that_are_not_on_the_page_are_errors():
    with pytest.raises(ValueError, match="this code is not on the page"):
        linked(sooner.link_html, page(CODE[:1]), transforms(CODE))
    [known] = transforms(CODE[:1])
    known.names[0].lineno = known.names[0].end_lineno = 3
    with pytest.raises(ValueError, match="is not in its code"):
        linked(sooner.link_html, page(CODE[:1]), [known])


def test_only_pages_of_claims_share_a_list_and_it_is_drawn_once():
    drawn = []

    def draw(**how):
        drawn.append(how)
        return f"list {len(drawn)}"

    app = SimpleNamespace(builder=SimpleNamespace(claim_pages={"claim-a": None, "claim-b": None}))
    shown = {}
    for name in ("claim-a", "page", "claim-b"):
        context = {"toctree": draw}
        sooner.list_once(app, name, "page.html", context, None)
        shown[name] = [context["toctree"](maxdepth=1), context["toctree"](maxdepth=2)]
    assert shown == {"claim-a": ["list 1", "list 2"], "page": ["list 3", "list 4"], "claim-b": ["list 1", "list 2"]}
