"""What shaped and plain activations share: a formula, its derivatives at a point and its programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import DTypeLike

from .._checks import FloatArray
from . import derivatives
from .assembly import assemble
from .expressions import Node, derivative, parse
from .programs import TERMS, Program

#: Error of the polynomial near the centre, relative to the linear term.
NEAR_ERROR = 1e-8
#: Inputs for which every activation must be finite.
REACH = 30.0


@cache
def tree(name: str) -> Node:
    """The tree of an activation, checked to be finite.

    Raises: ValueError for what the parser refuses and for poles, roots of negative numbers and overflow.
    """
    node = parse(name)
    x = np.linspace(-REACH, REACH, 6001)
    with np.errstate(all="ignore"):
        wrong = x[~np.isfinite(derivatives.values(node, x))]
    if len(wrong):
        raise ValueError(
            f"{name!r} is not finite at x = {wrong[0]:g}; an activation must be finite for |x| <= {REACH:g}"
        )
    return node


@cache
def at(name: str, point: float) -> tuple[float, tuple[float, ...]]:
    """How many derivatives are continuous at a point, and the value and those derivatives up to order 4."""
    count, values = derivatives.smoothness(tree(name), point)
    return count, tuple(values)


@cache
def regularity(name: str) -> float:
    """How many derivatives are continuous everywhere, for |x| <= 30."""
    node = tree(name)
    counts = (derivatives.smoothness(node, float(place))[0] for place in derivatives.kinks(node, REACH))
    return min(counts, default=np.inf)


def near(function: Callable[[FloatArray], FloatArray], value: float, slope: float) -> tuple[float, FloatArray] | None:
    """The polynomial that replaces a function near 0: f(u) = value + slope u + u^2 r(u).

    Shapes: the radius, up to 2, in which the error is below 1e-8 of the linear term and nothing
        cancels more than half of it, and the coefficients of r, (TERMS,); None where no radius will do.
    """
    for radius in 2.0 ** np.arange(1, -20, -0.5):
        # Two sets of Chebyshev points that interlace: one to fit, one to test.
        fitted, tested = (radius * np.cos(np.pi * (np.arange(size) + 0.5) / size) for size in (80, 206))
        with np.errstate(all="ignore"):
            rest = [function(u) - value - slope * u for u in (fitted, tested)]
        if not all(np.all(np.abs(part) <= abs(slope * u) / 2) for part, u in zip(rest, (fitted, tested), strict=True)):
            continue
        basis = np.vander(fitted / radius, TERMS, increasing=True)
        scaled = np.linalg.lstsq(basis * np.abs(fitted[:, None]), rest[0] / np.abs(fitted), rcond=None)[0]
        error = np.abs(tested**2 * (np.vander(tested / radius, TERMS, increasing=True) @ scaled) - rest[1])
        if np.all(error <= NEAR_ERROR * abs(slope * tested) + 4e-16 * abs(value)):
            return float(radius), scaled / radius ** np.arange(TERMS)
    return None


@cache
def near_centre(node: Node, centre: float, value: float, slope: float) -> tuple[float, FloatArray] | None:
    """The polynomial `near` a centre of a tree."""
    return near(lambda u: derivatives.values(node, centre + u), value, slope)


def program(
    name: str,
    centre: float,
    scale: float,
    gain: float,
    offset: float,
    dtype: DTypeLike,
    of_derivative: bool,
    with_near: bool,
) -> Program:
    """The program of gain f(x / scale + centre) + offset, or of gain f'(x / scale + centre) + offset.

    Law: float32 programs use the polynomial near the centre where it exists, float64 programs never.
    """
    node = derivative(tree(name)) if of_derivative else tree(name)
    count, values = at(name, centre)
    polynomial = None
    if with_near and count == np.inf and np.dtype(dtype) == np.float32:
        value, slope = values[1:3] if of_derivative else values[:2]
        found = near_centre(node, centre, value, slope)
        if found is not None:
            radius, coefficients = found
            # The value that the offset cancels is cancelled here without rounding.
            rest = 0.0 if offset == -gain * value else gain * value + offset
            polynomial = np.concatenate(
                [[radius * scale, 1 / scale, rest, gain * slope / scale], gain * coefficients / scale]
            )
    return assemble(node, scale, centre, gain, offset, dtype, polynomial)


@cache
def _panels() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(16)
    starts = np.arange(-38, 38, 0.25)
    x = (starts[:, None] + 0.125 * (nodes + 1)).ravel()
    return x, np.tile(0.125 * weights, len(starts)) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def gaussian_mean(values: FloatArray) -> float:
    """E[f(g)] for a standard normal g from the values of f at `gaussian_nodes()`.

    Law: Gauss-Legendre on panels of a quarter: exact to rounding for what varies over 0.05 or more.
    """
    weights = _panels()[1]
    return float(np.sum(np.where(weights > 0, values * weights, 0.0)))


def gaussian_nodes() -> FloatArray:
    """Where `gaussian_mean` wants the function, from -38 to 38."""
    return _panels()[0]
