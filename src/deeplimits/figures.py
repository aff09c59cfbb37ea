"""One style for every figure: readable on paper, on a phone, in light and in dark.

Figures are transparent SVG, whose colours the site inverts in dark mode. A colour follows the role
of what it shows, stays apart from the others for colour-blind readers, and comes with a line style
and a marker of its own, so that no figure depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from . import _figure_data
from ._checks import FloatArray, choice
from .evidence import Estimate

__all__ = [
    "band",
    "colours",
    "correlation_ticks",
    "curve",
    "data",
    "histogram",
    "panels",
    "paths",
    "points",
    "rasterise",
    "ticks",
    "use",
]

#: What a colour means, everywhere in the book (from the palette of Okabe and Ito).
colours = SimpleNamespace(
    network="#0072B2", limit="#D55E00", infinite_width="#009E73", control="#CC79A7", data="#595959"
)

_LINES = {"network": "--", "limit": "-", "infinite_width": ":", "control": "-.", "data": (0, (5, 1, 1, 1, 1, 1))}
_MARKERS = {"network": "o", "limit": "s", "infinite_width": "D", "control": "^", "data": "."}

#: Inches across: close to the 700 pixels of the text column, and labels still read on a phone.
WIDTH = 6.0

#: Points above which an artist is stored as pixels inside the SVG.
RASTERISE_ABOVE = 1000


def use() -> None:
    """Set the style for this process, and SVG with its numbers as the format of a notebook's figures.

    Law: the same figure gives the same bytes. Letters are paths: fonts of the reader's machine
    would move labels and lose mathematics.

    >>> import matplotlib.pyplot as plt
    >>> from deeplimits import figures
    >>> figures.use()
    >>> plt.rcParams["svg.fonttype"]
    'path'
    """
    sns.set_theme(
        context="notebook",
        style="ticks",
        rc={
            "axes.prop_cycle": cycler(color=list(vars(colours).values())),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.figsize": (WIDTH, 0.6 * WIDTH),
            "legend.frameon": False,
            "legend.fontsize": "small",
            "savefig.transparent": True,
            "savefig.dpi": 200,
            "svg.fonttype": "path",
            "svg.hashsalt": "deeplimits",
        },
    )
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a plain interpreter shows no figures inline
        return
    shell = get_ipython()
    if shell is not None:
        set_matplotlib_formats("svg", metadata={"Date": None})
        bundles = shell.display_formatter.mimebundle_formatter
        bundles.for_type(Figure, lambda figure, **_: {_figure_data.MIME: data(figure)})


def data(figure: Figure) -> str:
    """All numbers that a figure shows, as tidy CSV; a notebook carries it beside the picture.

    Shapes: a row for each point, with the columns panel, series, kind, the two variables by their names on the axes,
        value, low, high, standard error. Where panels have different variables, their names stand in columns beside
        x and y. `value` is that of a cell of a map; `low` and `high` are the ends of an error bar, of a band or of a
        bar of a histogram. A series without a label is called by what its colour means.
    Law: eight digits of what is drawn; a correlation on an axis of `correlation_ticks` is the correlation.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> lines = figures.curve(ax, [0, 1], [1.0, 0.5], "limit", label="the limit")
    >>> labels = ax.set(xlabel="time", ylabel="norm")
    >>> print(figures.data(figure))
    # panel 1: x = time; y = norm
    panel,series,kind,time,norm,value,low,high,standard error
    1,the limit,line,0,1,,,,
    1,the limit,line,1,0.5,,,,
    <BLANKLINE>
    """
    return _figure_data.table(figure, {colour: role.replace("_", " ") for role, colour in vars(colours).items()})


def panels(
    rows: int = 1, columns: int = 1, height: float | None = None, **options: Any
) -> tuple[Figure, Axes | np.ndarray]:
    """A figure as wide as the text, with one or more panels.

    Shapes: `height` in inches per row, by default in proportion to the panel's width; other
    options as in `matplotlib.pyplot.subplots`.

    >>> from deeplimits import figures
    >>> figure, axes = figures.panels(1, 2)
    >>> axes.shape
    (2,)
    """
    height = (0.6 if columns == 1 else 0.85) * WIDTH / columns if height is None else height
    return plt.subplots(rows, columns, figsize=(WIDTH, rows * height), **options)


def curve(ax: Axes, x: ArrayLike, y: ArrayLike, role: str, **options: Any) -> list[Artist]:
    """A line in the colour and line style of its role.

    Shapes: x (k,) and y (k,) or (k, curves).
    Raises: ValueError for an unknown role.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> lines = figures.curve(ax, [0, 1, 2], [1.0, 0.5, 0.3], "limit", label="the limit")
    >>> len(lines)
    1
    """
    lines = ax.plot(x, y, **({"color": _colour(role), "linestyle": _LINES[role]} | options))
    return rasterise(lines)


def paths(
    ax: Axes, x: ArrayLike, samples: ArrayLike, role: str, label: str | None = None, **options: Any
) -> list[Artist]:
    """Sample paths as thin lines, one legend entry for all.

    Shapes: x (times,) and samples (samples, times).
    Raises: ValueError for an unknown role.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> lines = figures.paths(ax, [0, 1, 2], [[0, 1, 0], [0, -1, -2]], "network", "networks")
    >>> len(lines), lines[0].get_label()
    (2, 'networks')
    """
    thin: dict[str, Any] = {"color": _colour(role), "linestyle": "-", "linewidth": 0.7, "alpha": 0.6}
    lines = ax.plot(x, np.transpose(samples), **(thin | options))
    lines[0].set_label(label)
    return rasterise(lines)


def band(ax: Axes, x: ArrayLike, quantiles: ArrayLike, role: str, label: str | None = None) -> None:
    """Nested bands between quantiles, with a line for the middle one.

    Shapes: x (k,); quantiles (q, k) from the lowest to the highest, q odd, symmetric about the
    median.
    Raises: ValueError for an unknown role or an even number of quantiles.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> figures.band(ax, [0, 1], [[-2, -3], [0, 0], [2, 3]], "limit", "90 % of all paths")
    """
    quantiles = np.asarray(quantiles, dtype=np.float64)
    if quantiles.ndim != 2 or len(quantiles) % 2 == 0:
        raise ValueError(f"quantiles must be (q, k) with odd q, got shape {quantiles.shape}")
    middle = len(quantiles) // 2
    for low, high in zip(quantiles[:middle], quantiles[:middle:-1], strict=True):
        ax.fill_between(x, low, high, color=_colour(role), alpha=0.2, linewidth=0)
    curve(ax, x, quantiles[middle], role, label=label)


def histogram(
    ax: Axes,
    samples: ArrayLike,
    role: str = "network",
    bins: int | Sequence[float] = 60,
    limits: tuple[float, float] | None = None,
    **options: Any,
) -> None:
    """Histogram of samples on the scale of a probability density.

    Shapes: samples of any shape. Samples outside `limits` still count in the total, so that the
    bars can be laid over a density that is not truncated either.
    Raises: ValueError for an unknown role.

    >>> import numpy as np
    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> figures.histogram(ax, np.linspace(0, 1, 1000), bins=10)
    >>> bool(np.isclose(np.sum(ax.patches[0].get_data().values) / 10, 1))  # a density
    True
    """
    values = np.ravel(samples)
    counts, edges = np.histogram(values, bins=bins, range=limits)
    heights = counts / (values.size * np.diff(edges))
    style: dict[str, Any] = {"fill": True, "color": _colour(role), "alpha": 0.35, "linewidth": 0}
    ax.stairs(heights, edges, **(style | options))


def points(
    ax: Axes, x: ArrayLike, estimate: Estimate, role: str = "network", errors: float = 2, **options: Any
) -> None:
    """Estimates as markers with bars of some standard errors.

    Shapes: x (k,) and an estimate (k,).
    Raises: ValueError for an unknown role.

    >>> from deeplimits import evidence, figures
    >>> figure, ax = figures.panels()
    >>> figures.points(ax, [1, 2], evidence.Estimate([0.5, 0.4], [0.01, 0.01]))
    """
    style: dict[str, Any] = {"color": _colour(role), "fmt": _MARKERS[role], "capsize": 3}
    bars = ax.errorbar(x, estimate.value, errors * estimate.error, **(style | options))
    setattr(bars, _figure_data.ERRORS, errors)


def correlation_ticks(
    ax: Axes,
    values: Sequence[float] = (-0.99, 0, 0.99),
    between: Sequence[float] = (-0.9, -0.5, 0.5, 0.9),
    label: str = "correlation",
) -> None:
    """Mark a horizontal axis of artanh(correlation) with the correlations themselves.

    Shapes: `values` get a number, those in `between` a small tick.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> figures.correlation_ticks(ax, values=(-0.9, 0, 0.9))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['−0.9', '0', '0.9']
    """
    minus = "\N{MINUS SIGN}"
    setattr(ax.xaxis, _figure_data.SCALE, np.tanh)
    ax.set_xticks(np.arctanh(values), [f"{value:g}".replace("-", minus) for value in values])
    ax.set_xticks(np.arctanh(between), minor=True)
    ax.set_xlabel(label)


def ticks(axis: Axis, values: Sequence[float], names: Sequence[object] | None = None) -> None:
    """Mark an axis at some values and nowhere else, as a logarithmic axis with few of them wants it.

    Shapes: `names` are as many as the values, which name themselves by default.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> figures.ticks(ax.xaxis, [10, 100, 1000])
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['10', '100', '1000']
    """
    axis.set_ticks(values, [str(name) for name in (values if names is None else names)])
    axis.set_ticks([], minor=True)


def rasterise(artists: Sequence[Artist]) -> list[Artist]:
    """Store artists as pixels inside the SVG if together they have very many points.

    >>> from deeplimits import figures
    >>> figure, ax = figures.panels()
    >>> lines = figures.rasterise(ax.plot(range(5000)))
    >>> bool(lines[0].get_rasterized())
    True
    """
    count = sum(len(_vertices(artist)) for artist in artists)
    for artist in artists:
        artist.set_rasterized(count > RASTERISE_ABOVE)
    return list(artists)


def _vertices(artist: Artist) -> FloatArray:
    if isinstance(artist, Line2D):
        return np.asarray(artist.get_xydata(), np.float64)
    return np.asarray(artist.get_offsets() if isinstance(artist, Collection) else [], np.float64)


def _colour(role: str) -> str:
    return getattr(colours, choice("role", role, _LINES))
