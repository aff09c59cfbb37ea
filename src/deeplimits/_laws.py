"""Kolmogorov distances of samples from laws, and how far a law may move before a distance shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ._checks import FloatArray
from ._checks import numbers as real_numbers
from ._estimates import numbers

#: Points at which a law that is moved is compared with the sample.
GRID = 4000
#: A step of a law that is larger than this is an atom.
ATOM = 2e-3
#: The widest stretch, and move in interquartile ranges, that are tried.
WIDEST = 16.0

Law = Callable[..., Any] | ArrayLike


def sample(name: str, values: ArrayLike) -> FloatArray:
    """A sample of one number each, explosions (+inf) among them.

    Raises: ValueError for NaN, for another shape, for an empty sample.
    """
    x = real_numbers(name, values)
    if x.ndim != 1 or x.size == 0 or np.any(np.isnan(x)):
        raise ValueError(
            f"{name} must be (k,) with k >= 1 and without NaN, got shape {x.shape} with {np.isnan(x).sum()} NaN"
        )
    return x


def distance(x: FloatArray, law: Law, level: float, name: str = "law") -> tuple[float, float]:
    """Kolmogorov distance of a sample from a law or another sample, and its value at `level`.

    Raises: ValueError that names the law, for NaN, for a distribution function outside [0, 1].
    """
    if not callable(law):
        y = sample(name, law)
        both = np.concatenate([x, y])
        below = [np.searchsorted(np.sort(s), both, side="right") / s.size for s in (x, y)]
        effective = max(round(x.size * y.size / (x.size + y.size)), 1)
        return float(abs(below[0] - below[1]).max()), critical(effective, level)
    points, before, after = steps(x)
    left, at = sides(points, law, name)
    return float(max((after - at).max(), (left - before).max())), critical(x.size, level)


def steps(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The points of a sample, and its distribution function just before and at each."""
    points, counts = np.unique(x, return_counts=True)
    after = np.cumsum(counts) / x.size
    return points, after - counts / x.size, after


def sides(points: FloatArray, law: Law, name: str = "law") -> tuple[FloatArray, FloatArray]:
    """A law's distribution function just before and at some points: where it jumps they differ."""
    if not callable(law):
        y = np.sort(sample(name, law))
        left, at = (np.searchsorted(y, points, side=side) / y.size for side in ("left", "right"))
        return left, at
    left, at = (numbers(name, law(p), like=p) for p in (np.nextafter(points, -np.inf), points))
    left = np.where(np.isneginf(points), 0, left)  # nothing lies before that
    if min(left.min(), at.min()) < -1e-9 or max(left.max(), at.max()) > 1 + 1e-9:
        raise ValueError(f"{name} must lie in [0, 1], got {left.min():.6g} to {at.max():.6g}")
    return left, at


@lru_cache
def critical(size: int, level: float) -> float:
    """The Kolmogorov distance that samples of a continuous law exceed with probability `level`."""
    return float(stats.kstwo.isf(level, size))


def accepted(x: FloatArray, law: Law, radius: float) -> dict[str, list[float] | None]:
    """The moves and stretches of a law that keep it within a distance of a sample.

    Moves count in interquartile ranges of the sample, stretches are factors about its median. The
    law is read at `GRID` points of the sample and joined by straight lines; atoms and explosions stay.
    Nothing depends on the unit of the sample.
    """
    points, before, after = steps(x)
    finite = np.isfinite(points)
    points, before, after = points[finite], before[finite], after[finite]
    some = np.linspace(0, points.size - 1, min(points.size, GRID)).astype(int)
    few = np.union1d(some, np.flatnonzero(after - before > ATOM))
    points, before, after = points[few], before[few], after[few]
    if points.size < 2:
        return {"shift": None, "stretch": None}
    left, at = sides(points, law)
    jumps = np.where(at - left > ATOM, at - left, 0)
    below, upto = np.cumsum(jumps) - jumps, np.cumsum(jumps)
    largest = np.ldexp(1.0, np.frexp(max(-points[0], points[-1]))[1] - 1)  # a power of 2: no bit is lost
    points = points / largest
    places, heights = np.repeat(points, 2), np.stack([left - below, at - upto], axis=1).ravel()
    low, middle, high = np.quantile(x[np.isfinite(x)] / largest, [0.25, 0.5, 0.75])
    unit = high - low if high > low else np.std(points)

    def within(moved: FloatArray) -> bool:
        # A law that jumps has two values there.
        left, at = (
            np.interp(np.nextafter(moved, side), places, heights) + fixed
            for side, fixed in ((-np.inf, below), (np.inf, upto))
        )
        return max((after - at).max(), (left - before).max()) <= radius

    def farthest(move: Callable[[float], FloatArray], end: float) -> float:
        inside, outside = 0.0, end
        if within(move(end)):
            return end
        for _ in range(20):
            half = (inside + outside) / 2
            inside, outside = (half, outside) if within(move(half)) else (inside, half)
        return inside

    moves = {
        "shift": (lambda s: points - s * unit, WIDEST),
        "stretch": (lambda s: middle + (points - middle) * np.exp(-s), np.log(WIDEST)),
    }
    if not within(points):
        return dict.fromkeys(moves)
    ends = {name: [farthest(move, sign * end) for sign in (-1, 1)] for name, (move, end) in moves.items()}
    return {"shift": ends["shift"], "stretch": np.exp(ends["stretch"]).tolist()}
