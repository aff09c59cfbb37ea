"""The numbers behind a figure, read back from what is drawn: one table for all its panels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle, StepPatch

from ._checks import FloatArray

#: The media type under which a notebook carries the table beside the picture.
MIME = "application/vnd.deeplimits.figure+csv"

COLUMNS = ("panel", "series", "kind", "x", "y", "low", "high")

Row = tuple[float | None, float | None, float | None, float | None]


def table(figure: Figure) -> str:
    """All that a figure shows, as CSV with a comment line for each panel.

    Shapes: one row for each point: x and y; `low` and `high` are the ends of an error bar, of a band or of a bar
        of a histogram along x; the value of a cell of a map stands in `low`.
    Law: eight digits of what is drawn. Lines across a whole panel have a single coordinate; what is masked is empty.
    """
    text = io.StringIO()
    panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    for number, ax in enumerate(panels, 1):
        title = " ".join(ax.get_title(loc=side) for side in ("left", "center", "right")).strip()
        described = "; ".join(
            f"{name} = {label}"
            for name, label in (("title", title), ("x", ax.get_xlabel()), ("y", ax.get_ylabel()))
            if label
        )
        text.write(f"# panel {number}: {described or 'no labels'}\n".replace("\r", " "))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, ax in enumerate(panels, 1):
        for series, kind, rows in _series(ax):
            for row in rows:
                shown = ["" if value is None or np.isnan(value) else f"{value:.8g}" for value in row]
                writer.writerow([number, series, kind, *shown])
    return text.getvalue()


def _series(ax: Axes) -> Iterator[tuple[str, str, Iterator[Row]]]:
    """(label, kind, rows) of everything drawn in a panel, error bars first."""
    part_of_bars: set[Artist] = set()
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            line, caps, bars = container.lines
            part_of_bars |= {artist for artist in (line, *caps, *bars) if artist is not None}
            yield _label(container), "errors", _error_bars(line, bars)
    for artist in ax.get_children():
        if artist in part_of_bars or not artist.get_visible():
            continue
        for kind, of_kind, rows in READERS:
            if isinstance(artist, of_kind) and artist is not ax.patch:
                yield _label(artist), kind, rows(artist)
                break


def _label(artist: Artist | ErrorbarContainer) -> str:
    """The label in the legend; Matplotlib's own begin with an underscore."""
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _error_bars(line: Line2D | None, bars: tuple[LineCollection, ...]) -> Iterator[Row]:
    ends = [segment for bar in bars for segment in bar.get_segments()]
    middles: list[Any] = [None] * len(ends) if line is None else list(np.asarray(line.get_xydata(), np.float64))
    for middle, segment in zip(middles, ends, strict=False):
        (x0, y0), (x1, y1) = segment[0], segment[-1]
        x, y = middle if middle is not None else ((x0 + x1) / 2, (y0 + y1) / 2)
        yield (x, y, y0, y1) if x0 == x1 else (x, y, x0, x1)


def _line(line: Line2D) -> Iterator[Row]:
    axes = line.axes
    assert isinstance(axes, Axes)  # it was found among the children of one
    across_x = line.get_transform() == axes.get_yaxis_transform(which="grid")
    across_y = line.get_transform() == axes.get_xaxis_transform(which="grid")
    x, y = np.atleast_1d(line.get_xdata(orig=False)), np.atleast_1d(line.get_ydata(orig=False))
    if across_x or across_y:
        yield (None, y[0], None, None) if across_x else (x[0], None, None, None)
        return
    for one, other in zip(x, y, strict=True):
        yield float(one), float(other), None, None


def _steps(patch: StepPatch) -> Iterator[Row]:
    values, edges, _ = patch.get_data()
    for value, low, high in zip(values, edges[:-1], edges[1:], strict=True):
        yield (low + high) / 2, value, low, high


def _bar(patch: Rectangle) -> Iterator[Row]:
    x, y, width, height = patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()
    yield x + width / 2, y + height, x, x + width


def _outline(patch: Polygon) -> Iterator[Row]:
    for x, y in patch.get_xy():
        yield x, y, None, None


def _points(points: PathCollection) -> Iterator[Row]:
    values = points.get_array()
    for index, (x, y) in enumerate(np.asarray(points.get_offsets())):
        yield x, y, None if values is None else float(np.ravel(values)[index]), None


def _area(area: PolyCollection) -> Iterator[Row]:
    """A band between two curves: its outline runs along one and back along the other."""
    for path in area.get_paths():
        vertices = np.asarray(path.vertices, np.float64)
        for x in np.unique(vertices[:, 0]):
            heights = vertices[vertices[:, 0] == x, 1]
            yield x, None, heights.min(), heights.max()


def _segments(lines: LineCollection) -> Iterator[Row]:
    for segment in lines.get_segments():
        for x, y in segment:
            yield x, y, None, None


def _mesh(mesh: QuadMesh) -> Iterator[Row]:
    places = np.asarray(mesh.get_coordinates(), np.float64)
    values: FloatArray = np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan).ravel()
    if len(values) < places[..., 0].size:  # cells between corners; otherwise colours run from corner to corner
        places = (places[:-1, :-1] + places[1:, 1:]) / 2
    for (x, y), value in zip(places.reshape(-1, 2), values, strict=True):
        yield x, y, float(value), None


def _image(image: AxesImage) -> Iterator[Row]:
    values: FloatArray = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
    if values.ndim != 2:  # a photograph, not a map of numbers
        return
    left, right, bottom, top = image.get_extent()
    rows, columns = values.shape
    for i in range(rows):
        height = (i + 0.5) / rows
        for j in range(columns):
            y = top + (bottom - top) * height if image.origin == "upper" else bottom + (top - bottom) * height
            yield left + (right - left) * (j + 0.5) / columns, y, float(values[i, j]), None


#: What is read of an artist, the first that fits.
READERS: tuple[tuple[str, type[Artist], Callable[[Any], Iterator[Row]]], ...] = (
    ("line", Line2D, _line),
    ("histogram", StepPatch, _steps),
    ("bar", Rectangle, _bar),
    ("outline", Polygon, _outline),
    ("points", PathCollection, _points),
    ("map", QuadMesh, _mesh),
    ("lines", LineCollection, _segments),
    ("band", PolyCollection, _area),
    ("map", AxesImage, _image),
)
