"""Measured values with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ._checks import FloatArray, shown, whole
from ._checks import numbers as real_numbers


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
    """
    x = numbers("samples", samples)
    size = whole("number of samples", x.shape[axis] if x.ndim else 1, least=2)
    return Estimate(x.mean(axis), x.std(axis, ddof=1) / np.sqrt(size))


def variance(samples: ArrayLike, axis: int = 0) -> Estimate:
    """Variance of independent samples with its standard error.

    Shapes: as `mean`.
    Law: unbiased; the error, from the fourth moment, is right to leading order in the sample size.
    Raises: as `mean`.
    """
    x = numbers("samples", samples)
    squares = mean((x - x.mean(axis, keepdims=True)) ** 2, axis)
    unbiased = x.shape[axis] / (x.shape[axis] - 1)
    return Estimate(squares.value * unbiased, squares.error * unbiased)


def root_mean_square(errors: ArrayLike, axis: int = -1) -> Estimate:
    """Root of the mean square of independent samples, with its standard error.

    Shapes: as `mean`; along the last axis unless told otherwise.
    Law: the error propagates to first order.
    Raises: as `mean`, and ValueError where all samples are 0.
    """
    found = mean(np.square(numbers("errors", errors)), axis)
    root = np.sqrt(numbers("mean square of errors", found.value, above=0))
    return Estimate(root, found.error / (2 * root))


def slope(x: ArrayLike, observed: Estimate) -> Estimate:
    """Slope of log observed against log x by weighted least squares, with its standard error.

    Shapes: both (k,), positive, with at least 2 distinct x.
    Law: errors propagate to first order; the curvature of the true relation is not in them.
    Raises: ValueError for an observation below 3 standard errors: its logarithm would be biased.
    """
    value = observed.value
    u = np.log(numbers("x", x, like=value, above=0))
    error = numbers("error", observed.error, above=0)
    if value.ndim != 1 or np.unique(u).size < 2:
        raise ValueError(f"x must be (k,) with at least 2 distinct values, got {x!r}")
    if np.any(value < 3 * error):
        raise ValueError(
            f"observed must be at least 3 standard errors above 0, got {value.tolist()} with errors {error.tolist()}"
        )
    weights = (value / error) ** 2
    u = u - np.average(u, weights=weights)
    spread = np.sum(weights * u**2)
    return Estimate(np.sum(weights * u * np.log(value)) / spread, 1 / np.sqrt(spread))


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
