"""What the site shows is what was executed: records, tables and pictures, byte for byte."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from sample_book import CHECK, card

from bookbuild import audit, media
from bookbuild.pages import Page

PAGE = "book/part/page"


def figure(name: str, number: int):
    shown = {media.TABLE: f"x,y\n{number},2\n", "image/svg+xml": f"<svg><!-- {number} --></svg>"}
    return new_code_cell(metadata={"mystnb": {"figure": {"name": name}}}, outputs=[new_output("display_data", shown)])


@pytest.fixture
def site(tmp_path):
    """A site of one page with a check and two figures, and the executed notebook behind it."""
    check = new_code_cell(outputs=[new_output("display_data", {media.CLAIM: CHECK, "text/html": card(CHECK)})])
    executed = tmp_path / "page.ipynb"
    nbformat.write(new_notebook(cells=[check, figure("fig-one", 1), figure("fig-two", 2)]), executed)
    for folder in ("figures", "_images", "book/part"):
        (tmp_path / "site" / folder).mkdir(parents=True)
    shown = ""
    for number, name in enumerate(("fig-one", "fig-two"), 1):
        (tmp_path / f"site/figures/{name}.csv").write_text(f"# licence: CC BY 4.0\nx,y\n{number},2\n")
        (tmp_path / f"site/_images/{number}.svg").write_text(f"<svg><!-- {number} --></svg>")
        shown += f'<figure id="{name}"><a href="#"><img src="../../_images/{number}.svg"></a></figure>'
    (tmp_path / f"site/{PAGE}.html").write_text(shown)
    joined = {"claims": [{"id": CHECK["id"], "checks": [{"page": PAGE, **CHECK}]}]}
    (tmp_path / "site/claims.json").write_text(json.dumps(joined))
    return tmp_path / "site", [Page.read(PAGE, executed)]


def test_a_site_that_shows_what_was_executed_has_no_fault(site):
    assert audit.site_faults(*site) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("figures/fig-two.csv", "2,2", "1,2", "figure `fig-two`: its table differs"),
        ("_images/2.svg", "2", "1", "figure `fig-two`: its picture differs"),
        (f"{PAGE}.html", "_images/2.svg", "_images/1.svg", "figure `fig-two`: its picture differs"),
        ("claims.json", '"observed": 0.1', '"observed": 0.2', "`sample-claim` (): claims.json differs"),
        ("claims.json", PAGE, "book/part/other", "`sample-claim` (): claims.json differs"),
    ],
)
def test_what_differs_from_the_executed_notebook_is_named(site, file, old, new, complaint):
    path = site[0] / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    faults = audit.site_faults(*site)
    assert len(faults) == 1 and faults[0].startswith(f"{PAGE}: {complaint}"), faults


def test_a_table_or_a_picture_that_is_missing_is_named(site):
    (site[0] / "figures/fig-one.csv").unlink()
    (site[0] / "_images/1.svg").unlink()
    assert len(audit.site_faults(*site)) == 2


def test_the_table_of_sharpness_has_the_bluntest_first_and_marks_it():
    sharp = CHECK | {"sharpness": 0.01, "page": PAGE, "id": "sharp", "reason": ""}
    excused = CHECK | {"sharpness": 0.2, "page": PAGE, "id": "excused", "reason": "few networks"}
    bound = CHECK | {"sharpness": None, "page": PAGE, "id": "bound", "reason": ""}
    blunt = CHECK | {"page": PAGE, "reason": ""}
    shown = audit.table([sharp, bound, blunt, excused]).splitlines()
    assert [line.split()[-2:] for line in shown[1:5]] == [
        ["sample-claim", "!"],
        ["excused", "*"],
        ["part/page:", "sharp"],
        ["part/page:", "bound"],
    ]
    assert "Of 3 checks of a prediction, 1 (33 %) accept at most 10 %" in shown[-1]
