"""Argument checks shared by every public call: one message per kind of mistake."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

#: Rounding allowed in a covariance, relative to its largest entry.
ROUNDING = 1e-10


def whole(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """An integer argument within its bounds.

    Raises: ValueError that names the argument, its value and the bounds.
    """
    allowed = f"an integer >= {least}" + ("" if most is None else f" and <= {most}")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be {allowed}, got {value!r}") from None
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def real(name: str, value: object, *, above: float | None = None, least: float | None = None,
         most: float | None = None) -> float:
    """A finite real argument within its bounds.

    Raises: ValueError that names the argument, its value and the bounds.
    """
    bounds = [f"> {above}" if above is not None else "", f">= {least}" if least is not None else "",
              f"<= {most}" if most is not None else ""]
    allowed = " and ".join(["a finite number", *filter(None, bounds)])
    try:
        number = np.nan if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {allowed}, got {value!r}") from None
    outside = ((above is not None and number <= above) or (least is not None and number < least)
               or (most is not None and number > most))
    if not np.isfinite(number) or outside:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def refinement(name: str, fine: object, count: int) -> int:
    """How many steps of the noise make one of `count` steps; without fine noise, one.

    Raises: ValueError that names the argument, unless it is a multiple of the steps.
    """
    steps = whole(name, count if fine is None else fine, most=2**31 - 1)
    if steps % count:
        raise ValueError(f"{name} must be a multiple of {count}, got {steps}")
    return steps // count


def seed(value: object) -> int:
    """A seed: any integer of 64 bits.

    Raises: ValueError that names the seed.
    """
    return whole("seed", value, least=0, most=2**64 - 1)


def numbers(name: str, value: ArrayLike, least_axes: int = 0, what: str = "an array of real numbers") -> FloatArray:
    """A copy of an array of real numbers, with at least so many axes.

    Raises: ValueError that names the argument, for text, ragged rows and complex numbers.
    """
    try:
        array = np.array(value, ndmin=least_axes)
        if np.iscomplexobj(array):
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {what}, got {value!r}") from None


def covariance(name: str, value: ArrayLike) -> FloatArray:
    """A finite, symmetric, positive semi-definite matrix with a positive diagonal.

    Shapes: a number or (m, m) in, (m, m) out.
    Raises: ValueError that names the argument and what is wrong with it.
    """
    matrix = numbers(name, value, 2, "a square covariance matrix")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"{name} must be a square covariance matrix, got shape {np.shape(value)}")
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name} must be finite, got {value!r}")
    scale = np.abs(matrix).max()
    if np.any(np.abs(matrix - matrix.T) > ROUNDING * scale):
        raise ValueError(f"{name} must be symmetric, got {value!r}")
    matrix = matrix / 2 + matrix.T / 2
    if np.any(np.diag(matrix) <= 0):
        raise ValueError(f"{name} must have a positive diagonal, got {np.diag(matrix).tolist()}")
    smallest = np.linalg.eigvalsh(matrix)[0]
    if smallest < -ROUNDING * scale * len(matrix):
        raise ValueError(f"{name} must be positive semi-definite, its smallest eigenvalue is {smallest:.6g}")
    return matrix


def matrices(name: str, value: ArrayLike) -> FloatArray:
    """One finite square matrix or a stack of them."""
    array = numbers(name, value)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must hold finite square matrices (..., m, m), got shape {array.shape}: {value!r}")
    return array


def sequence(name: str, value: object, of: str) -> list:
    """The entries of a sequence that is not empty.

    Raises: ValueError that names the argument and its value.
    """
    try:
        flat = np.ndim(value) == 1
    except ValueError:  # rows of unequal length
        flat = False
    if not flat:
        raise ValueError(f"{name} must be a sequence of {of}s, got {value!r}")
    if not len(value):
        raise ValueError(f"{name} must name at least one {of}, got an empty sequence")
    return list(value)


def layers(at: Sequence[int] | None, depth: int) -> tuple[list[int], bool]:
    """The layers asked for, and whether the result has an axis for them.

    Shapes: `at` is None (the last layer, no axis) or a sequence of layers, 0 = the start.
    Raises: ValueError when a layer is not between 0 and the depth.
    """
    if at is None:
        return [depth], False
    return [whole("at", layer, least=0, most=depth) for layer in sequence("at", at, "layer")], True
