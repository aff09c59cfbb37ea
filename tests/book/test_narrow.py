"""The panels of a figure below each other: nothing is lost, nothing overlaps, and what is no row of panels is left."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import pytest

from bookbuild.narrow import ACROSS, SVG, narrow, panels_of, rows_of
from deeplimits import figures


def svg(figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg")
    plt.close(figure)
    return written.getvalue()


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        figures.use()
        yield


def row(columns: int, **options):
    """A row of panels with a line each, and one legend for all."""
    figure, axes = figures.panels(1, columns, height=2.5, **options)
    for place, ax in enumerate(axes):
        figures.curve(ax, [0, 1, 2], [place, 0.5, 1], "limit", label="the limit")
        figures.curve(ax, [0, 1, 2], [1, place, 0.5], "network", label="many networks")
        ax.set(title=f"panel {place}", xlabel="time")
    axes[0].set_ylabel("value")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def size(picture: str) -> tuple[float, float]:
    return tuple(map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture).groups()))


def drawn(picture: str) -> set[str]:
    return {path.get("d", "").strip() for path in ElementTree.fromstring(picture).iter(f"{{{SVG}}}path")}


def said(picture: str) -> list[str]:
    """The words, which Matplotlib writes beside their letters as comments; ElementTree leaves comments out."""
    return re.findall(r"<!-- (.*?) -->", picture)


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_nothing_but_the_ground_is_lost(columns):
    wide = svg(row(columns))
    ground = {"M 0 180 \nL 432 180 \nL 432 0 \nL 0 0 \nz"}
    lost = drawn(wide) - drawn(narrow(wide))
    assert len(lost) <= len(ground)


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_the_picture_is_narrow_and_its_panels_lie_apart(columns):
    picture = narrow(svg(row(columns)))
    width, height = size(picture)
    assert width <= ACROSS + 20 and height > size(svg(row(columns)))[1]
    boxes = []
    for group in ElementTree.fromstring(picture).find(f"{{{SVG}}}g[@id='figure_1']"):
        x, y = map(float, re.findall(r"-?[\d.]+", group.get("transform")))
        for panel in panels_of(group):
            box = panel.extent()
            boxes.append((box.left + x, box.top + y, box.right + x, box.bottom + y))
    assert len(boxes) == columns
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert -1 <= left and right <= width + 1 and -1 <= top and bottom <= height + 1
        for other in boxes[:place]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def letters(picture: str) -> int:
    return sum("#DejaVu" in each for each in re.findall(r'<(?:\w+:)?use [^>]*href="([^"]*)"', picture))


def test_a_panel_that_shared_the_numbers_of_its_neighbour_gets_them():
    shared, alone = svg(row(3, sharey=True)), svg(row(2))
    assert letters(narrow(shared)) > letters(shared)
    assert letters(narrow(alone)) == letters(alone), "these panels have numbers of their own"


def test_an_axis_without_marks_gets_no_numbers():
    figure = row(2)
    figure.axes[1].set_yticks([])
    wide = svg(figure)
    assert letters(narrow(wide)) == letters(wide)


def test_the_lower_of_two_rows_lends_its_numbers_to_the_upper():
    figure, axes = figures.panels(2, 2, height=1.8, sharex=True)
    for ax in axes.flat:
        figures.curve(ax, [0, 1, 2], [0, 0.5, 1], "limit")
    wide = svg(figure)
    assert letters(narrow(wide)) > letters(wide)


def test_a_colour_bar_stays_with_its_panel():
    figure, axes = figures.panels(1, 2, height=2.5)
    for ax in axes:
        image = ax.imshow([[0, 1], [1, 0]])
    figure.colorbar(image, ax=axes[1])
    root = ElementTree.fromstring(svg(figure)).find(f"{{{SVG}}}g[@id='figure_1']")
    assert [len(panel.parts) for line in rows_of(panels_of(root)) for panel in line] == [1, 2]


def test_what_is_no_row_of_panels_is_left_as_it_is():
    column, _ = figures.panels(2, 1, height=1.5)
    table, _ = figures.panels(3, 3, height=1.2)
    pictures, axes = figures.panels(1, 3, height=1.5)
    for ax in axes:
        ax.set_axis_off()
    named = row(2)
    named.supylabel("a name whose place is not known")
    assert [narrow(svg(each)) for each in (figures.panels()[0], column, table, pictures, named)] == [None] * 5


def test_no_id_is_given_twice():
    picture = narrow(svg(row(3, sharey=True)))
    found = re.findall(r'\bid="([^"]+)"', picture)
    letters_apart = [each for each in found if not each.startswith("DejaVu")]
    assert len(letters_apart) == len(set(letters_apart))
