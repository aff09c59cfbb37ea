"""The figures of a page, as text of SVG in the style of the book."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from .. import figures
from .._checks import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .reports import Report

#: What a design is drawn as, in their order.
ROLES = ("network", "limit")
#: The largest numbers of formats and the smallest, as decimal logarithms, with what to write beside them.
LINES = (
    (np.log10(65504.0), "float16 overflows"),
    (np.log10(2.0**-24), "float16 is 0"),
    (np.log10(2.0**-149), "float32 is 0"),
)


def drawn(draw: Callable[[Axes], None], name: str, text: str) -> str:
    """One panel as an SVG element with a title for those who do not see it."""
    with mpl.rc_context():
        figures.use()
        figure, ax = figures.panels()
        draw(ax)  # type: ignore[arg-type]
        out = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(out, format="svg", metadata={"Date": None})
        mpl.pyplot.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(id="|#)([A-Za-z])', rf"\g<1>{name}-\g<2>", svg)  # names of one picture in a page of many
    svg = re.sub(r' (width|height)="[^"]*pt"', "", svg, count=2)
    return svg.replace("<svg", f'<svg role="img" aria-label="{text}"', 1)


def norms(reports: Sequence[Report]) -> str:
    """The size of neurons by layer."""

    def draw(ax: Axes) -> None:
        for role, report in zip(ROLES, reports, strict=False):
            _band(ax, report, report.bands("norm"), role)
            if report.infinite.norm is not None:
                label = "infinite width" if report is reports[0] else None
                figures.curve(ax, _places(report), report.infinite.norm, "infinite_width", label=label)
        _limits(ax)
        ax.set(xlabel="layer", ylabel="log$_{10}$ root mean square")
        ax.legend()

    return drawn(draw, "norm", "The root mean square of neurons by layer, on a logarithmic scale.")


def correlations(reports: Sequence[Report]) -> str:
    """The correlation of two inputs by layer."""

    def draw(ax: Axes) -> None:
        for role, report in zip(ROLES, reports, strict=False):
            _band(ax, report, report.bands("correlation"), role)
            if report.infinite.correlation is not None:
                label = "infinite width" if report is reports[0] else None
                figures.curve(ax, _places(report), report.infinite.correlation, "infinite_width", label=label)
        ax.set(xlabel="layer", ylabel="correlation of two inputs")
        ax.legend()

    return drawn(draw, "correlation", "The correlation of two inputs by layer.")


def gradients(reports: Sequence[Report]) -> str:
    """The gradients with respect to states and to parameters by layer."""

    def draw(ax: Axes) -> None:
        for role, report in zip(ROLES, reports, strict=False):
            _band(ax, report, report.bands("gradient"), role, "with respect to states")
            own: Any = report.bands("parameters")[1]
            label = "parameters, median" if len(reports) == 1 else None
            figures.curve(ax, _places(report), _shown(own), "data", label=label)
        ax.set(xlabel="layer", ylabel="log$_{10}$ norm of gradients")
        ax.legend()

    return drawn(draw, "gradient", "The norms of gradients by layer, on a logarithmic scale.")


def _places(report: Report) -> np.ndarray:
    return np.arange(len(report.layers))


def _shown(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)


def _band(ax: Axes, report: Report, quantiles: FloatArray, role: str, what: str = "5 to 95 % of networks") -> None:
    label = what if report.label is None else report.label
    figures.band(ax, _places(report), _shown(quantiles), role, label)


def _limits(ax: Axes) -> None:
    """The ends of formats, where they are in sight."""
    low, high = ax.get_ylim()
    for at, text in LINES:
        if low < at < high:
            ax.axhline(at, color=figures.colours.control, linewidth=0.8)
            ax.annotate(text, (0, at), xytext=(4, 2), textcoords="offset points", fontsize="small")
