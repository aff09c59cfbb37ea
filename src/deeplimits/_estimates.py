"""Measured values with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import FloatArray, shown, whole
from ._checks import numbers as real_numbers

#: Relative errors below this are refused: the weights that they give leave double precision.
LEAST = 1e-100


@dataclass(frozen=True, eq=False)
class Estimate:
    """A measured value, or an array of them, with its standard error.

    Shapes: any; `error` broadcasts to `value`.
    Raises: ValueError if either is not finite or an error is negative.

    >>> from deeplimits.evidence import Estimate
    >>> Estimate([1.5, 2.0], 0.1).error
    array([0.1, 0.1])
    """

    value: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        value = numbers("value", self.value)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "error", numbers("error", self.error, like=value, least=0))


def mean(samples: ArrayLike, axis: int = 0) -> Estimate:
    """Mean of independent samples with its standard error; of an event, pass the indicator.

    Shapes: at least 2 samples along `axis` -> the other axes.
    Law: unbiased; the error is the sample standard deviation over the root of the sample size.
    Raises: ValueError for fewer than 2 samples, or samples that are not finite.

    >>> from deeplimits.evidence import mean
    >>> share = mean([1, 1, 0, 1])
    >>> float(share.value), float(share.error)
    (0.75, 0.25)
    """
    x, scale, size = _drawn("samples", samples, axis)
    return Estimate(scale * x.mean(axis), scale * (x.std(axis, ddof=1) / np.sqrt(size)))


def variance(samples: ArrayLike, axis: int = 0) -> Estimate:
    """Variance of independent samples with its standard error.

    Shapes: as `mean`.
    Law: unbiased; the error, from the fourth moment, is right to leading order in the sample size.
    Raises: as `mean`, and ValueError for a variance beyond double precision.

    >>> from deeplimits.evidence import variance
    >>> float(variance([1.0, 2.0, 3.0]).value)
    1.0
    """
    x, scale, size = _drawn("samples", samples, axis)
    squares = mean((x - x.mean(axis, keepdims=True)) ** 2, axis)
    unbiased = size / (size - 1)
    with np.errstate(over="ignore"):
        value, error = (part * unbiased * scale * scale for part in (squares.value, squares.error))
    return Estimate(numbers("variance of samples", value), numbers("error of the variance of samples", error))


def root_mean_square(errors: ArrayLike, axis: int = -1) -> Estimate:
    """Root of the mean square of independent samples, with its standard error.

    Shapes: as `mean`; along the last axis unless told otherwise.
    Law: the error propagates to first order.
    Raises: as `mean`, and ValueError where all samples are 0.

    >>> from deeplimits.evidence import root_mean_square
    >>> float(root_mean_square([3.0, -3.0, 3.0]).value)
    3.0
    """
    x, scale, _ = _drawn("errors", errors, axis)
    found = mean(np.square(x), axis)
    root = np.sqrt(numbers("mean square of errors", found.value, above=0))
    return Estimate(scale * root, scale * (found.error / (2 * root)))


def slope(x: ArrayLike, observed: Estimate) -> Estimate:
    """Slope of log observed against log x by weighted least squares, with its standard error.

    Shapes: both (k,), positive, with at least 2 distinct x.
    Law: errors propagate to first order; the curvature of the true relation is not in them.
    Raises: ValueError for an observation below 3 standard errors: its logarithm would be biased.

    >>> from deeplimits.evidence import Estimate, slope
    >>> width = [10, 100, 1000]
    >>> fitted = slope(width, Estimate([0.3, 0.03, 0.003], [0.01, 0.001, 0.0001]))
    >>> float(fitted.value.round(3))
    -1.0
    """
    value = estimate("observed", observed).value
    u = np.log(numbers("x", x, like=value, above=0))
    if value.ndim != 1 or np.unique(u).size < 2:
        raise ValueError(f"x must be (k,) with at least 2 distinct values, got {shown(x)}")
    error = numbers("error of observed", observed.error, above=0)
    if np.any(value / 3 < error):
        raise ValueError(
            f"observed must be at least 3 standard errors above 0, got {value.tolist()} with errors {error.tolist()}"
        )
    numbers("error of observed, relative to it,", error / value, least=LEAST)
    weights = (value / error) ** 2
    u = u - np.average(u, weights=weights)
    spread = np.sum(weights * u**2)
    return Estimate(np.sum(weights * u * np.log(value)) / spread, 1 / np.sqrt(spread))


def estimate(name: str, value: Any) -> Estimate:
    """An argument that is an estimate.

    Raises: ValueError that names the argument.
    """
    if not isinstance(value, Estimate):
        raise ValueError(f"{name} must be an Estimate, got {shown(value)}")
    return value


def _drawn(name: str, samples: ArrayLike, axis: int) -> tuple[FloatArray, FloatArray, int]:
    """Samples in units of a power of 2, those units, and how many samples there are.

    Squares then neither overflow nor vanish, and no bit of a result changes.
    """
    x = numbers(name, samples)
    if not x.ndim:
        raise ValueError(f"{name} must be samples along an axis, got {shown(samples)}")
    along = whole("axis", axis, least=-x.ndim, most=x.ndim - 1)
    size = whole(f"number of {name}", x.shape[along], least=2)
    scale = np.ldexp(1.0, np.frexp(np.max(abs(x), along, keepdims=True))[1] - 1)
    return x / scale, scale.squeeze(along), size


def numbers(
    name: str, value: ArrayLike, like: FloatArray | None = None, least: float = -np.inf, above: float = -np.inf
) -> FloatArray:
    """Finite numbers within bounds, or an array of truth values, in the shape of `like`.

    Raises: ValueError that names the argument.
    """
    parts = value if isinstance(value, list | tuple) and len(value) else [value]
    event = all(isinstance(part, np.ndarray) and part.dtype.kind == "b" for part in parts)
    array = np.asarray(value, np.float64) if event else real_numbers(name, value)
    if array.size == 0 or not np.all(np.isfinite(array) & (array >= least) & (array > above)):
        bounds = f" >= {least:g}" * (least > -np.inf) + f" > {above:g}" * (above > -np.inf)
        raise ValueError(f"{name} must be finite numbers{bounds}, got {shown(value)}")
    if like is None:
        return array
    try:
        return np.broadcast_to(array, like.shape)
    except ValueError:
        message = f"{name} must broadcast to {like.shape}, got shape {array.shape}"
        raise ValueError(message) from None
