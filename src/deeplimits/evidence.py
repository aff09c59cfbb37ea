"""A claim against its samples: statistic, uncertainty, negative control.

Each test compares an observation with a prediction and, by the same criterion, with the prediction
of a plausible wrong variant, its negative control. The `Check` it returns passes only if the data
accept the prediction and reject the control. A test does not raise when it fails: the book's build
reads the record and decides. Definitions have no check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ._checks import FloatArray, whole
from .verdicts import MIME, Check, Control, Seed

__all__ = ["LEVEL", "MIME", "Check", "Control", "Estimate", "equality", "ks_test", "less_test",
           "mean", "slope", "slope_test", "variance", "z_test"]

#: Probability that a check rejects a true prediction, shared by its components.
LEVEL = 1e-5


@dataclass(frozen=True, eq=False)
class Estimate:
    """A measured value, or an array of them, with its standard error.

    Shapes: any; `error` broadcasts to `value`.
    Raises: ValueError if either is not finite or an error is negative.
    """

    value: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        value = _numbers("value", self.value)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "error", _numbers("error", self.error, like=value, least=0))


def mean(samples: ArrayLike, axis: int = 0) -> Estimate:
    """Mean of independent samples with its standard error; of an event, pass the indicator.

    Shapes: at least 2 samples along `axis` -> the other axes.
    Law: unbiased; the error is the sample standard deviation over the root of the sample size.
    Raises: ValueError for fewer than 2 samples, or samples that are not finite.
    """
    x = _numbers("samples", samples)
    size = whole("number of samples", x.shape[axis] if x.ndim else 1, least=2)
    return Estimate(x.mean(axis), x.std(axis, ddof=1) / np.sqrt(size))


def variance(samples: ArrayLike, axis: int = 0) -> Estimate:
    """Variance of independent samples with its standard error.

    Shapes: as `mean`.
    Law: unbiased; the error, from the fourth moment, is right to leading order in the sample size.
    Raises: as `mean`.
    """
    x = _numbers("samples", samples)
    squares = mean((x - x.mean(axis, keepdims=True)) ** 2, axis)
    unbiased = x.shape[axis] / (x.shape[axis] - 1)
    return Estimate(squares.value * unbiased, squares.error * unbiased)


def slope(x: ArrayLike, observed: Estimate) -> Estimate:
    """Slope of log observed against log x by weighted least squares, with its standard error.

    Shapes: both (k,), positive, with at least 2 distinct x.
    Law: errors propagate to first order; the curvature of the true relation is not in them.
    Raises: ValueError for an observation below 3 standard errors: its logarithm would be biased.
    """
    value = observed.value
    u = np.log(_numbers("x", x, like=value, above=0))
    error = _numbers("error", observed.error, above=0)
    if value.ndim != 1 or np.unique(u).size < 2:
        raise ValueError(f"x must be (k,) with at least 2 distinct values, got {x!r}")
    if np.any(value < 3 * error):
        raise ValueError("observed must be at least 3 standard errors above 0, "
                         f"got {value.tolist()} with errors {error.tolist()}")
    weights = (value / error) ** 2
    u = u - np.average(u, weights=weights)
    spread = np.sum(weights * u**2)
    return Estimate(np.sum(weights * u * np.log(value)) / spread, 1 / np.sqrt(spread))


def z_test(id: str, observed: Estimate, expected: Estimate | ArrayLike, *,
           control: tuple[str, Estimate | ArrayLike], seed: Seed, bias: ArrayLike = 0.0,
           part: str = "") -> Check:
    """Check that an estimate agrees with a prediction within its sampling error.

    Shapes: `expected`, the control's prediction and `bias` broadcast to the observation.
    Law: accepts if |observed - expected| <= z error + bias in every component, with z from the
    normal law at `LEVEL` over their number. Errors of both sides add in squares; `bias` is the
    systematic error known beforehand (finite width, step, grid).
    Raises: ValueError without a control, for numbers that are not finite, for errors of 0.
    """
    allowed = _numbers("bias", bias, like=observed.value, least=0)
    limit = float(stats.norm.isf(LEVEL / (2 * observed.value.size)))

    def score(predicted: Estimate | ArrayLike) -> tuple[FloatArray, FloatArray]:
        value, error = _like(predicted, observed)
        return value, (abs(observed.value - value) - allowed) / error

    def criterion(worst: tuple[int, ...]) -> str:
        gap, known = "|observed - predicted|", allowed[worst]
        return f"{f'({gap} - {known:.2g})' if known > 0 else gap} / error ≤ {limit:.2f}"

    uncertainty = _like(expected, observed)[1]
    return _judge(id, observed.value, uncertainty, expected, control, score, limit, criterion,
                  seed, part)


def slope_test(id: str, x: ArrayLike, observed: Estimate, expected_slope: float, *,
               tolerance: float, control: tuple[str, float], seed: Seed, part: str = "") -> Check:
    """Check the exponent of a power law by a weighted log-log fit.

    Shapes: as `slope`; `tolerance` is the bias of the slope from higher orders, known beforehand.
    Law: `z_test` of the fitted slope.
    Raises: as `slope` and `z_test`.
    """
    return z_test(id, slope(x, observed), expected_slope, bias=tolerance, control=control,
                  seed=seed, part=part)


def less_test(id: str, observed: Estimate, bound: Estimate | ArrayLike, *,
              control: tuple[str, Estimate | ArrayLike], seed: Seed, part: str = "") -> Check:
    """Check that an estimate lies below a bound by more than its sampling error.

    Shapes: `bound` and the control's bound broadcast to the observation.
    Law: accepts if (observed - bound) / error <= -z in every component, with one-sided z at
    `LEVEL` over their number; the control is a bound that the data must not be shown to obey.
    Raises: as `z_test`.
    """
    limit = -float(stats.norm.isf(LEVEL / observed.value.size))

    def score(predicted: Estimate | ArrayLike) -> tuple[FloatArray, FloatArray]:
        value, error = _like(predicted, observed)
        return value, (observed.value - value) / error

    criterion = f"(observed - bound) / error ≤ {limit:.2f}"
    uncertainty = _like(bound, observed)[1]
    check = _judge(id, observed.value, uncertainty, bound, control, score, limit, criterion,
                   seed, part)
    return replace(check, kind="bound")


def equality(id: str, observed: ArrayLike, expected: ArrayLike, *, tolerance: ArrayLike,
             control: tuple[str, ArrayLike], seed: Seed = None, part: str = "") -> Check:
    """Check numbers without sampling error: a closed form, a quadrature, an equation on a grid.

    Shapes: `expected`, the control's prediction and `tolerance` broadcast to `observed`.
    Law: accepts if |observed - expected| <= tolerance in every component; the tolerance is the
    error of the computation, known beforehand.
    Raises: ValueError without a control, for numbers that are not finite, a tolerance not above 0.
    """
    value = _numbers("observed", observed)
    allowed = _numbers("tolerance", tolerance, like=value, above=0)

    def score(predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
        other = _numbers("expected", predicted, like=value)
        return other, abs(value - other) / allowed

    criterion = "|observed - predicted| / tolerance ≤ 1"
    check = _judge(id, value, allowed, expected, control, score, 1.0, criterion, seed, part)
    return replace(check, kind="equality")


def ks_test(id: str, samples: ArrayLike, law: Callable | ArrayLike, *,
            control: tuple[str, Callable | ArrayLike], seed: Seed, bias: float = 0.0,
            part: str = "") -> Check:
    """Check that samples follow a law, or that two samples follow the same law.

    Shapes: `samples` (k,); laws are vectorised distribution functions or samples (j,). Atoms are
    allowed, +inf (an exploded path) among them.
    Law: accepts if the Kolmogorov distance is at most its critical value at `LEVEL`, exact for a
    continuous law, plus `bias`, the distance of the prediction from the truth known beforehand.
    Raises: ValueError without a control, for NaN, for a distribution function outside [0, 1].
    """
    x, allowed = _sample("samples", samples), _numbers("bias", bias, least=0)
    distance, sampling = map(np.array, _distance(x, law))

    def score(other: Callable | ArrayLike) -> tuple[FloatArray, FloatArray]:
        gap, critical = _distance(x, other)
        return allowed, gap / (critical + allowed)

    limit = f"({sampling:.2g} + {allowed:.2g})" if allowed > 0 else f"{sampling:.2g}"
    criterion = f"distance / {limit} ≤ 1"
    check = _judge(id, distance, sampling, law, control, score, 1.0, criterion, seed, part)
    return replace(check, kind="laws")


def _judge(id: str, observed: FloatArray, uncertainty: FloatArray, prediction: Any, control: Any,
           score: Callable, limit: float, criterion: str | Callable, seed: Seed, part: str) -> Check:
    """Hold prediction and control to one criterion: every component's score within the limit.

    The criterion is a text, or a function that gives the text for the component that fits worst.
    """
    named = isinstance(control, tuple) and len(control) == 2 and isinstance(control[0], str)
    if not (named and control[0].strip()):
        raise ValueError(f"control must be (name of a wrong variant, prediction), got {control!r}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"id must be a slug of small letters, digits and hyphens, got {id!r}")
    seeds = [whole("seed", s, least=0) for s in (seed if isinstance(seed, list | tuple) else [seed])
             if s is not None]
    (expected, right), (other, wrong) = score(prediction), score(control[1])
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(right), right.shape))
    return Check(
        id, part, observed, uncertainty, expected,
        criterion(worst) if callable(criterion) else criterion, float(right.max()),
        bool(np.all(right <= limit)),
        Control(control[0], other, float(wrong.max()), bool(np.any(wrong > limit))),
        seeds if isinstance(seed, list | tuple) else next(iter(seeds), None), worst)


def _like(predicted: Estimate | ArrayLike, observed: Estimate) -> tuple[FloatArray, FloatArray]:
    """A prediction in the observation's shape, and the error of their difference."""
    if not isinstance(predicted, Estimate):
        predicted = Estimate(predicted, 0.0)
    value = _numbers("expected", predicted.value, like=observed.value)
    error = np.hypot(observed.error, _numbers("error", predicted.error, like=observed.value))
    return value, _numbers("error", error, above=0)


def _distance(x: FloatArray, law: Callable | ArrayLike) -> tuple[float, float]:
    """Kolmogorov distance of a sample from a law or another sample, and its value at `LEVEL`."""
    if not callable(law):
        y = _sample("law", law)
        both = np.concatenate([x, y])
        below = [np.searchsorted(np.sort(s), both, side="right") / s.size for s in (x, y)]
        effective = max(round(x.size * y.size / (x.size + y.size)), 1)
        return float(abs(below[0] - below[1]).max()), _critical(effective, LEVEL)
    points, counts = np.unique(x, return_counts=True)
    after = np.cumsum(counts) / x.size
    before = after - counts / x.size
    # The limit from the left keeps the distance right at an atom, where the law jumps as well.
    left, at = (_numbers("law", law(p), like=p) for p in (np.nextafter(points, -np.inf), points))
    if min(left.min(), at.min()) < -1e-9 or max(left.max(), at.max()) > 1 + 1e-9:
        raise ValueError(f"law must lie in [0, 1], got {left.min():.6g} to {at.max():.6g}")
    distance = max((after - at).max(), (left - before).max())
    return float(distance), _critical(x.size, LEVEL)


@lru_cache
def _critical(size: int, level: float) -> float:
    """The Kolmogorov distance that samples of a continuous law exceed with probability `level`."""
    return float(stats.kstwo.isf(level, size))


def _sample(name: str, samples: ArrayLike) -> FloatArray:
    x = np.asarray(samples, dtype=np.float64)
    if x.ndim != 1 or x.size == 0 or np.any(np.isnan(x)):
        raise ValueError(f"{name} must be (k,) with k >= 1 and without NaN, "
                         f"got shape {x.shape} with {np.isnan(x).sum()} NaN")
    return x


def _numbers(name: str, value: ArrayLike, like: FloatArray | None = None,
             least: float = -np.inf, above: float = -np.inf) -> FloatArray:
    """Finite numbers within bounds, in the shape of `like`."""
    array = np.asarray(value, dtype=np.float64)
    if array.size == 0 or not np.all(np.isfinite(array) & (array >= least) & (array > above)):
        bounds = f" >= {least:g}" * (least > -np.inf) + f" > {above:g}" * (above > -np.inf)
        raise ValueError(f"{name} must be finite numbers{bounds}, got {array!r}")
    if like is None:
        return array
    try:
        return np.broadcast_to(array, like.shape)
    except ValueError:
        message = f"{name} must broadcast to {like.shape}, got shape {array.shape}"
        raise ValueError(message) from None
