"""Figures: one style, the same bytes each time, readable without colour vision, small files."""

import csv
import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from deeplimits import figures
from deeplimits.evidence import Estimate


@pytest.fixture(autouse=True)
def style():
    figures.use()
    yield
    plt.close("all")


def svg(figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def everything():
    rng = np.random.default_rng(5)
    figure, axes = figures.panels(1, 2)
    x = np.linspace(0, 1, 50)
    figures.paths(axes[0], x, rng.standard_normal((100, 50)), "network", label="networks")
    figures.band(axes[0], x, np.array([x - 2, x - 1, x, x + 1, x + 2]), "limit", label="limit")
    figures.histogram(axes[1], rng.standard_normal(500))
    figures.points(axes[1], [0, 1], Estimate([0.1, 0.2], 0.01), "data")
    figures.curve(axes[1], x, x**2, "infinite_width", label="infinite width")
    figures.correlation_ticks(axes[1])
    axes[0].legend()
    return figure


def test_the_same_figure_gives_the_same_bytes_without_a_date():
    first, second = svg(everything()), svg(everything())
    assert first == second and "<dc:date>" not in first


def test_an_axis_is_marked_at_its_values_and_nowhere_else():
    figure, ax = figures.panels()
    ax.set(xscale="log", yscale="log", xlim=(1, 100), ylim=(1, 100))
    figures.ticks(ax.xaxis, [2, 50])
    figures.ticks(ax.yaxis, [3, 30], ["three", "thirty"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2", "50"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["three", "thirty"]
    assert not len(ax.get_xticks(minor=True)) and not len(ax.get_yticks(minor=True))


def test_the_background_is_transparent_and_letters_are_paths():
    text = svg(everything())
    assert "<text" not in text
    background = text[text.index('id="patch_1"') :].split("/>")[0]
    assert "fill: none" in background or "opacity: 0" in background


def test_many_points_become_pixels_and_few_stay_lines():
    figure, ax = figures.panels()
    few = figures.curve(ax, np.arange(100), np.arange(100), "limit")
    many = figures.paths(ax, np.arange(600), np.zeros((2, 600)), "network")
    cloud = figures.rasterise([ax.scatter(np.arange(2000), np.arange(2000))])
    assert not few[0].get_rasterized()
    assert all(artist.get_rasterized() for artist in many + cloud)


def test_a_histogram_keeps_its_mass_when_it_is_cut():
    _, ax = figures.panels()
    figures.histogram(ax, [0.0, 0.5, 0.5, 9.0], bins=2, limits=(0, 1))
    heights, edges = ax.patches[0].get_data()[:2]
    assert np.allclose(heights, [0.5, 1.0]) and np.allclose(edges, [0, 0.5, 1])


def test_paths_have_one_legend_entry():
    _, ax = figures.panels()
    figures.paths(ax, [0, 1], np.zeros((30, 2)), "network", label="networks")
    assert ax.get_legend_handles_labels()[1] == ["networks"]


def test_roles_stay_apart_without_colour():
    roles = vars(figures.colours)
    for look in (figures._LINES, figures._MARKERS):
        assert set(look) == set(roles) and len(set(look.values())) == len(roles)


def test_labels_read_on_a_phone():
    # A figure shrinks to some 360 pixels there; its width is in inches of 96 pixels.
    pixels = plt.rcParams["xtick.labelsize"] * 96 / 72 * 360 / (96 * figures.WIDTH)
    assert pixels >= 9


def test_an_unknown_role_is_refused():
    _, ax = figures.panels()
    with pytest.raises(ValueError, match="role must be one of network, limit"):
        figures.curve(ax, [0], [0], "nets")


@pytest.mark.parametrize("shape", [(2, 5), (5,)])
def test_a_band_needs_a_middle(shape):
    _, ax = figures.panels()
    with pytest.raises(ValueError, match="quantiles must be"):
        figures.band(ax, np.arange(5), np.zeros(shape), "limit")


def rows_of(figure):
    """The table of a figure as (comments, rows)."""
    lines = figures.data(figure).splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_the_table_of_a_figure_holds_what_is_drawn():
    figure, (left, right) = figures.panels(1, 2)
    x = np.array([0.0, 1.0, 2.0])
    figures.curve(left, x, x**2, "limit", label="square")
    figures.points(left, x, Estimate(x, np.full(3, 0.25)), label="estimate")
    figures.histogram(left, [0.1, 0.2, 0.9], bins=2, limits=(0, 1), label="bars")
    left.axhline(3.0)
    left.set(title="curves", xlabel="time")
    figures.band(right, x, [x - 1, x, x + 1], "network", label="middle")
    shown = right.imshow([[1.0, np.nan]], extent=(0, 2, 0, 1))
    figure.colorbar(shown)
    comments, rows = rows_of(figure)
    plt.close(figure)

    def of(kind, series=None):
        return [
            [float(row[name]) if row[name] else None for name in ("x", "y", "low", "high")]
            for row in rows
            if row["kind"] == kind and row["series"] == (series or kind)
        ]

    assert comments == ["# panel 1: title = curves; x = time", "# panel 2: no labels"]
    assert of("line", "square") == [[0, 0, None, None], [1, 1, None, None], [2, 4, None, None]]
    assert of("errors", "estimate") == [[0, 0, -0.5, 0.5], [1, 1, 0.5, 1.5], [2, 2, 1.5, 2.5]]
    assert of("histogram", "bars") == [[0.25, pytest.approx(4 / 3), 0, 0.5], [0.75, pytest.approx(2 / 3), 0.5, 1]]
    assert {float(row["standard error"]) for row in rows if row["kind"] == "errors"} == {0.25}
    assert {(row["x name"], row["y name"]) for row in rows if row["panel"] == "1"} == {("time", "")}
    assert of("line", "network") == [[None, 3, None, None]]
    assert of("band", "network") == [[0, None, -1, 1], [1, None, 0, 2], [2, None, 1, 3]]
    assert of("map") == [[0.5, 0.5, None, None], [1.5, 0.5, None, None]]
    assert [row["value"] for row in rows if row["kind"] == "map"] == ["1", ""]


@pytest.mark.parametrize(("shading", "x"), [("flat", [0.5, 1.5]), ("gouraud", [0.0, 1.0, 2.0])])
def test_the_table_of_a_map_has_its_values_where_they_are_drawn(shading, x):
    values = np.arange(2.0 * len(x)).reshape(2, -1) if shading == "gouraud" else np.array([[0.0, 1.0]])
    figure, ax = figures.panels()
    ax.pcolormesh([0, 1, 2], [0, 1], values, shading=shading)
    rows = [row for row in rows_of(figure)[1] if row["kind"] == "map"]
    plt.close(figure)
    assert [float(row["value"]) for row in rows] == values.ravel().tolist()
    assert [float(row["x"]) for row in rows] == x * len(values)


def test_panels_of_the_same_variables_name_their_columns():
    figure, axes = figures.panels(1, 2)
    for ax in axes:
        figures.curve(ax, [0, 1], [1, 2], "limit")
        figures.curve(ax, [0, 1], [1, 3], "limit")
        ax.set(xlabel=r"$d/n$", ylabel=r"$\log \rho_L$")
    _, rows = rows_of(figure)
    plt.close(figure)
    assert [row["log rho_L"] for row in rows][:4] == ["1", "2", "1", "3"]
    assert [row["series"] for row in rows[::2]] == ["limit", "limit 2"] * 2


def test_a_correlation_is_told_as_a_correlation():
    figure, ax = figures.panels()
    figures.histogram(ax, np.arctanh([0.5, 0.9]), bins=[0.0, 1.0, 2.0], label="networks")
    figures.correlation_ticks(ax)
    ax.set_ylabel("density on this axis")
    _, rows = rows_of(figure)
    plt.close(figure)
    assert float(rows[0]["low"]) == 0 and float(rows[0]["high"]) == pytest.approx(np.tanh(1.0))
    assert float(rows[0]["correlation"]) == pytest.approx(np.tanh(0.5))


def test_the_cells_of_a_map_are_called_as_on_its_axes():
    figure, ax = figures.panels()
    ax.imshow([[1.0, 2.0]])
    ax.set(xticks=[0, 1], xticklabels=["three", "$7$"], yticks=[0], yticklabels=["all"], xlabel="digit", ylabel="of")
    _, rows = rows_of(figure)
    plt.close(figure)
    assert [(row["digit"], row["of"], row["value"]) for row in rows] == [("three", "all", "1"), ("7", "all", "2")]
