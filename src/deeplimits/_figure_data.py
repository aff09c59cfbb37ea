"""The numbers behind a figure, read back from what is drawn: one table for all its panels."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle, StepPatch
from matplotlib.ticker import FixedFormatter, FuncFormatter

from ._checks import FloatArray

#: The media type under which a notebook carries the table beside the picture.
MIME = "application/vnd.deeplimits.figure+csv"

#: What each row tells beside the names of its panel's variables.
BEFORE, AFTER = ("panel", "series", "kind"), ("value", "low", "high", "standard error")
#: Under what names an axis keeps what undoes a change of scale, and error bars how many errors they show.
SCALE, ERRORS = "deeplimits_scale", "deeplimits_errors"

Row = tuple[float | None, float | None, float | None, float | None]
Back = Callable[[FloatArray], FloatArray]


def table(figure: Figure, roles: dict[str, str]) -> str:
    """All that a figure shows, as tidy CSV with a comment line for each panel.

    Shapes: one row for each point, under the names of the two variables; where the panels have different ones, these
        stand in columns of their own. `value` is that of a cell of a map; `low` and `high` are the ends of an error
        bar, of a band or of a bar of a histogram. `roles` names series without a label by their colours.
    Law: eight digits of what is drawn. Lines across a whole panel have a single coordinate; what is masked is empty.
    """
    text = io.StringIO()
    panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    names = [(plain(ax.get_xlabel()), plain(ax.get_ylabel())) for ax in panels]
    for number, (ax, (x, y)) in enumerate(zip(panels, names, strict=True), 1):
        title = plain(" ".join(ax.get_title(loc=side) for side in ("left", "center", "right")))
        described = "; ".join(f"{name} = {label}" for name, label in (("title", title), ("x", x), ("y", y)) if label)
        text.write(f"# panel {number}: {described or 'no labels'}\n")
    one = len(set(names)) == 1 and len(set(names[0])) == 2 and not {*names[0]} & {"", *BEFORE, *AFTER}
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*BEFORE, *(names[0] if one else ("x name", "x", "y name", "y")), *AFTER])
    for number, (ax, (x, y)) in enumerate(zip(panels, names, strict=True), 1):
        for series, kind, errors, rows in _series(ax, roles):
            for row in rows:
                point, ends = _columns(ax, kind, errors, row)
                variables = point if one else [x, point[0], y, point[1]]
                writer.writerow([number, series, kind, *variables, *ends])
    return text.getvalue()


def plain(label: str) -> str:
    """A label without the commands of mathematics: what a column may be called."""
    text = re.sub(r"\\(?:mathbb|mathrm|operatorname|sqrt)\b|[${}]|\\[,;!]", " ", label)
    return " ".join(re.sub(r"\\([A-Za-z]+)", r"\1", text).split())


def _columns(ax: Axes, kind: str, errors: float | None, row: Row) -> tuple[list[str], list[str]]:
    """A row as text: the point, and the value with its ends and its standard error."""
    x, y, low, high = row
    value = low if kind in ("map", "points") else None
    along_x = kind in ("histogram", "bar")
    back: Back | None = getattr(ax.xaxis, SCALE, None)
    ends = [None, None] if value is not None or kind in ("map", "points") else [low, high]
    if back is not None:
        x = _through(back, x)
        ends = [_through(back, each) for each in ends] if along_x else ends
    error = None
    if errors and low is not None and high is not None:
        error = (high - low) / 2 / errors
    return [_name(ax.xaxis, kind, x), _name(ax.yaxis, kind, y)], [_shown(each) for each in (value, *ends, error)]


def _through(back: Back, value: float | None) -> float | None:
    return None if value is None else float(back(np.asarray(value)))


def _shown(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.8g}"


def _name(axis: Axis, kind: str, value: float | None) -> str:
    """A coordinate; of a cell of a map whose axis has names, the name."""
    formatter = axis.get_major_formatter()
    if kind == "map" and value is not None and isinstance(formatter, FixedFormatter | FuncFormatter):
        ticks = np.asarray(axis.get_majorticklocs()).tolist()
        named = dict(zip(ticks, formatter.format_ticks(ticks), strict=True))
        if value in named:
            return plain(str(named[value]))
    return _shown(value)


def _series(ax: Axes, roles: dict[str, str]) -> Iterator[tuple[str, str, float | None, Iterator[Row]]]:
    """(name, kind, errors shown, rows) of everything drawn in a panel, error bars first."""
    part_of_bars: set[Artist] = set()
    named: Counter[str] = Counter()
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            line, caps, bars = container.lines
            part_of_bars |= {artist for artist in (line, *caps, *bars) if artist is not None}
            name = _label(container) or _by_colour(bars[0] if bars else line, roles, "errors", named)
            yield name, "errors", getattr(container, ERRORS, None), _error_bars(line, bars)
    for artist in ax.get_children():
        if artist in part_of_bars or not artist.get_visible():
            continue
        for kind, of_kind, rows in READERS:
            if isinstance(artist, of_kind) and artist is not ax.patch:
                yield _label(artist) or _by_colour(artist, roles, kind, named), kind, None, rows(artist)
                break


def _label(artist: Artist | ErrorbarContainer) -> str:
    """The label in the legend; Matplotlib's own begin with an underscore."""
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else plain(label)


def _by_colour(artist: Artist | None, roles: dict[str, str], kind: str, named: Counter[str]) -> str:
    """The name of a series without a label: what its colour stands for, or its kind; from the second on a number."""
    drawn = None
    for of_artist in ("get_color", "get_facecolor", "get_edgecolor"):
        found = getattr(artist, of_artist, lambda: None)()
        if found is not None and len(np.ravel(found)):
            drawn = np.asarray(found)
            break
    name = kind
    if drawn is not None and kind != "map":
        first: Any = drawn[0] if drawn.ndim == 2 else drawn.item() if drawn.ndim == 0 else drawn
        name = roles.get(to_hex(first).upper(), kind)
    named[name] += 1
    return name if named[name] == 1 else f"{name} {named[name]}"


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
