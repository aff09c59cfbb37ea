"""Activations inside the compiled loops of residual networks, with their differences kept.

Input 0 of a group is a value, each other input the difference from its parent, so that the activation
of two nearly equal inputs differs by the right amount.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._jit import REORDERED, njit
from .._vectors import widest_vectors
from ..activations import Activation, programs

#: An index that is known not to count from the end, so that the compiler can use vectors.
index = np.uint64


class Function(NamedTuple):
    """An activation as compiled loops take it.

    A rectifier is mean x + half |x|; anything else is a program, with the program of its derivative.
    """

    rectifier: bool
    mean: float
    half: float
    value: programs.Program
    derivative: programs.Program
    near: float  # differences below this come from the derivative at the middle


class Room(NamedTuple):
    """Buffers for activations of a tile: of all inputs but the first, at two places, and for a program."""

    whole: NDArray  # (m, TILE)
    middle: NDArray  # (2, TILE)
    scratch: NDArray


def function(activation: Activation, width: int, kind: DTypeLike, near: bool = False) -> Function:
    """The form of an activation for compiled loops in single or double precision."""
    rectifier = activation.rectifier
    plus, minus = rectifier.slopes(width) if rectifier else (0.0, 0.0)
    return Function(
        rectifier is not None,
        (plus + minus) / 2,
        (plus - minus) / 2,
        activation.program(width, kind, near=near),
        activation.program(width, kind, derivative=True),
        # Here the error of subtracting, about eps, meets that of the middle, a share of about near^2.
        np.finfo(kind).eps ** (1 / 3) * activation.length(width),
    )


@njit(inline="always")
def rectified_change(x, e, mean, half):
    """phi(x + e) - phi(x) for phi(x) = mean x + half |x|, without cancellation.

    With a = e sign(x): |x + e| - |x| is a where the sign stays and -a - 2|x| where it flips,
    and it is always the larger of the two. (The built-in maximum would check for NaN.)
    """
    size = abs(x)
    along = e if x >= 0 else -e
    beyond = -along - size - size
    return mean * e + half * (along if along > beyond else beyond)


@njit(fastmath=REORDERED)
def rectify(values, units, a, count, mean, half):
    """values = phi(x) = mean x + half |x|."""
    widest_vectors()
    mean, half = values.dtype.type(mean), values.dtype.type(half)
    for i in range(count):
        values[a, i] = mean * units[a, i] + half * abs(units[a, i])


@njit(fastmath=REORDERED)
def rectify_difference(values, units, a, parent, count, mean, half):
    """values = phi(x + e) - phi(x), and e becomes x + e."""
    widest_vectors()
    mean, half = values.dtype.type(mean), values.dtype.type(half)
    for i in range(count):
        x, e = units[parent, i], units[a, i]
        values[a, i] = rectified_change(x, e, mean, half)
        units[a, i] = x + e


@njit(fastmath=REORDERED)
def _arrive(values, units, a, parent, count, near):
    """Keep the difference e in `values`, add it to its parent, and count where |e| is not below `near`.

    The count is in the type of e, so that it vectorises.
    """
    widest_vectors()
    near, outside, one, none = values.dtype.type(near), values.dtype.type(0), values.dtype.type(1), values.dtype.type(0)
    for i in range(count):
        e = units[a, i]
        values[a, i] = e
        units[a, i] = units[parent, i] + e
        outside += none if abs(e) < near else one
    return outside


@njit(fastmath=REORDERED)
def _halfway(middle, values, units, a, parent, count):
    widest_vectors()
    half = values.dtype.type(0.5)
    for i in range(count):
        middle[0, i] = units[parent, i] + half * values[a, i]


@njit(fastmath=REORDERED)
def _differ(values, whole, base, a, parent, count):
    widest_vectors()
    for i in range(count):
        values[a, i] = whole[a, i] - base[parent, i]


@njit(fastmath=REORDERED)
def _along(values, middle, a, count):
    widest_vectors()
    for i in range(count):
        values[a, i] *= middle[1, i]


@njit
def evaluate(function, values, units, a, parent, count, room):
    """values[a] = the activation of input a, or its difference from that of the parent; units[a] becomes the input.

    Shapes: values and units are (m, neurons).
    """
    whole, middle, scratch = room.whole, room.middle, room.scratch
    if function.rectifier:
        if a == 0:
            rectify(values, units, a, count, function.mean, function.half)
        else:
            rectify_difference(values, units, a, parent, count, function.mean, function.half)
    elif a == 0:
        programs.apply(function.value, units[0, :count], values[0, :count], scratch)
    else:
        outside = _arrive(values, units, a, parent, count, function.near)
        programs.apply(function.value, units[a, :count], whole[a, :count], scratch)
        if outside == 0:
            _halfway(middle, values, units, a, parent, count)
            programs.apply(function.derivative, middle[0, :count], middle[1, :count], scratch)
            _along(values, middle, a, count)
        else:
            _differ(values, whole, values if parent == 0 else whole, a, parent, count)
