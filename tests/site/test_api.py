"""The reference of the package on the site: every public name is there, in one form, and notebooks lead to it."""

import re
import zlib
from html.parser import HTMLParser

import pytest

import deeplimits
from bookbuild.extensions import api

REFERENCE = "book/reference/api"


@pytest.fixture(scope="module")
def inventory(site):
    """Where each name of the Python package is explained: what other projects' documentation links to."""
    head, packed = (site / "objects.inv").read_bytes().split(b"zlib.\n", 1)
    assert head.startswith(b"# Sphinx inventory version 2")
    # A name may hold spaces, as titles of pages do.
    lines = re.findall(r"^(.+?)\s+(\S+)\s+-?\d+\s+(\S*)\s+.*$", zlib.decompress(packed).decode(), re.MULTILINE)
    return {name: place.replace("$", name) for name, kind, place in lines if kind.startswith("py:")}


def entry(site, place):
    """The text of an entry, from its signature to the end of its explanation."""
    page, anchor = place.split("#")
    text = (site / page).read_text()
    start = text.index(f'id="{anchor}"')
    return text[start : text.index("</dl>", start)]


class Links(HTMLParser):
    """The addresses to which the code of a page leads."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "a" and "sphinx-codeautolink-a" in (given.get("class") or ""):
            self.found.append(given["href"])


@pytest.mark.parametrize("module", deeplimits.__all__)
def test_every_public_name_has_an_entry(module, inventory):
    names = [name for name in api.names() if f"{name}.".startswith(f"deeplimits.{module}.")]
    assert [name for name in names if name not in inventory] == []
    assert {inventory[name].partition("#")[0] for name in names} == {f"{REFERENCE}/{module}.html"}


def test_an_entry_has_its_arguments_sections_and_example(site, inventory):
    text = entry(site, inventory["deeplimits.densities.norm"])
    assert re.findall(r'<em class="sig-param"><span class="n"><span class="pre">(\w+)', text)[-1] == "time"
    assert re.findall(r"<dt class=\"field-\w+\">(\w+)", text) == ["Shapes", "Law", "Source", "Raises"]


def test_names_in_notebooks_lead_to_their_entries(site):
    pages = [path for path in sorted((site / "book").rglob("*.html")) if REFERENCE not in path.as_posix()]
    leading = {path: Links(path.read_text()).found for path in pages}
    notebooks = {path: found for path, found in leading.items() if found}
    assert len(notebooks) >= 20
    inside = [address for found in notebooks.values() for address in found if "/api/" in address]
    assert len(inside) > 500
    assert {address.partition("#")[2] for address in inside} >= {
        "deeplimits.networks.ShapedMLP",
        "deeplimits.diffusions.CovarianceSDE",
    }
