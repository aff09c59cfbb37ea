"""A report in words and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ._quantiles import FORMATS

if TYPE_CHECKING:
    from .reports import Report

#: Rows of the table in a terminal.
ROWS = 12


def number(log: float | None) -> str:
    """A number from its decimal logarithm, in few characters."""
    if log is None or np.isnan(log):
        return "none"
    if np.isneginf(log):
        return "0"
    if np.isposinf(log):
        return "beyond double"
    if -3 < log < 4:
        return f"{10**log:.3g}"
    whole = int(np.floor(log))
    digits = f"{10 ** (log - whole):.2g}"
    return f"1e{whole + 1:+03d}" if digits == "10" else f"{digits}e{whole:+03d}"


def plain(value: float) -> str:
    """A number that is no logarithm, in few characters."""
    return "none" if np.isnan(value) else f"{value:.4g}"


def place(name: str) -> str:
    """A layer in a sentence: "layer 3", "the input", or its own name."""
    first = name.partition(" ")[0]
    return f"layer {first}" if first.isdigit() else "the input" if name == "input" else f"'{name}'"


def span_of(ends: Iterable[float], logs: bool = True) -> str:
    """A median with the 5 and 95 % beside it."""
    low, middle, high = (number(one) if logs else plain(one) for one in ends)
    return f"{middle} (5 to 95 %: {low} to {high})"


def sentences(report: Report) -> list[str]:
    """What a reader must know first."""
    law = report.law
    first, last = report.span
    found = [
        f"{report.design}: {report.parameters:,} parameters, {law.samples} networks, seed {report.seed}.",
        _norms(report, first, last),
    ]
    if not np.isnan(law.correlation[1, last]):
        start, end = (report.bands("correlation")[:, place] for place in (first, last))
        begin = f"goes from {start[1]:.3g} at {place(report.layers[first])} to" if first != last else "is"
        where = place(report.layers[last])
        found.append(f"The correlation of two inputs {begin} {span_of(end, False)} at {where}.")
    found += _infinite(report, last)
    found += _gradients(report, first, last)
    found += _formats(report)
    chance = f", where guessing has {np.log(report.outputs):.3g}" if report.outputs > 1 else ""
    found.append(f"The loss is {span_of(law.loss, False)}{chance}; outputs have the size {span_of(law.outputs)}.")
    if report.dead[last] > 0:
        found.append(f"In {report.dead[last]:.0%} of the networks all neurons of {place(report.layers[last])} are 0.")
    return found


def _gradients(report: Report, first: int, last: int) -> list[str]:
    cut = np.isnan(report.law.gradient[1])
    found = []
    if first != last and not cut[[first, last]].any():
        found.append(
            f"The gradient at {place(report.layers[first])} is {span_of(report.law.back)} times that at "
            f"{place(report.layers[last])}."
        )
    if cut.any():
        names = [place(report.layers[k]) for k in np.flatnonzero(cut)]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        found.append(f"No gradient comes back to {', '.join(names[:3])}{more}: it is cut off on the way.")
    return found


def _norms(report: Report, first: int, last: int) -> str:
    if first == last:  # nothing grows from a layer to itself
        size = span_of(report.bands("norm")[:, last])
        return f"The root mean square of a neuron at {place(report.layers[last])} is {size}."
    return (
        f"The root mean square of a neuron at {place(report.layers[last])} is {span_of(report.law.growth)} times "
        f"that at {place(report.layers[first])}."
    )


def _infinite(report: Report, last: int) -> list[str]:
    limit = report.infinite
    if limit.norm is None or limit.correlation is None or report.holds is None:
        return [f"Infinite width says nothing here: {limit.reason}."]
    low, middle, high = report.bands("norm")[:, last] - limit.norm[last]
    until = "at no layer" if report.holds < 0 else f"up to {place(report.layers[report.holds])}"
    if report.holds == len(report.layers) - 1:
        until = "at every layer"
    return [
        f"Infinite width predicts a root mean square of {number(limit.norm[last])} and a correlation of "
        f"{limit.correlation[last]:.4g} at {place(report.layers[last])}. Networks of this width have "
        f"{span_of((low, middle, high))} times that size. It can be trusted {until} (nine of ten networks within "
        f"{report.tolerance:.0%})."
    ]


def _formats(report: Report) -> list[str]:
    found = []
    for name in FORMATS:
        states, back = report.beyond(name), report.beyond(name, gradients=True)
        parts = [
            f"{what} of {share.max():.0%} of the networks at {place(report.layers[int(np.argmax(share))])}"
            for what, share in (("states", states), ("gradients", back))
            if share.max() > 0
        ]
        if parts:
            found.append(f"Beyond {name}, by overflow or because all vanish: {' and '.join(parts)}.")
    return found or ["No state and no gradient leaves float16, bfloat16 or float32 as a whole."]


def table(report: Report, rows: int = ROWS) -> str:
    """The law by layer, of some layers."""
    chosen = np.unique(np.linspace(0, len(report.layers) - 1, rows).round().astype(int))
    norm, rho, back = (report.bands(name) for name in ("norm", "correlation", "gradient"))
    lines = [("layer", "size 5 %", "median", "95 %", "infinite", "correlation", "gradient")]
    for place in chosen:
        limit = "" if report.infinite.norm is None else number(report.infinite.norm[place])
        sizes = (number(norm[k, place]) for k in range(3))
        lines.append((report.layers[place][:34], *sizes, limit, plain(rho[1, place]), number(back[1, place])))
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        f"{name:<{first}}" + "".join(f"  {cell:>{wide}}" for cell, wide in zip(cells, others, strict=True))
        for name, *cells in lines
    )
