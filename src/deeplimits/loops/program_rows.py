"""Compiled loops of the row sampler for activations that are programs: Gaussian rows in, covariance out.

Such an activation knows the scale of its input, so pre-activations are carried as they are. An input
that is close to one before it (its parent) is stored as the difference: they are joined. Others stand
alone, since a small variance would drown in a difference from a large one. `gram` is the covariance
of these coordinates; inputs join and part as they move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import DTypeLike, NDArray

from .._checks import FloatArray
from .._jit import njit
from ..activations import Activation
from ..activations.programs import TILE, Program, apply, scratch
from ..gaussian import fill, of_sample, padded
from .linear import add_products, beyond, cholesky, combine, congruence, product, times, times_difference

#: Ways to get the change of an activation between close inputs.
DIRECT, BY_SLOPE, IN_DOUBLE = 0, 1, 2

#: Below this share of its size a float32 input differs by too few digits for a direct difference.
CLOSE = {np.dtype(np.float32): 2e-3, np.dtype(np.float64): 1e-5}

#: Inputs join when the variance of their difference is below the first share of their own, and part above the second.
JOIN, PART = 0.25, 0.5

#: Inputs this small against the length on which the activation bends see a straight line, and
#: are enlarged to here, so that no square of a float32 underflows.
SMALL = 1e-8


class Neurons(NamedTuple):
    """A layer of so many neurons; a covariance is scale times a sum over them.

    `close`, `straight`: a difference is found by the slope if it is below `close` of its input and below
    `straight`; below `close` alone, or at a kink, it is found in double precision.
    """

    width: int
    scale: float
    program: Program
    slope: Program
    double: Program
    value: float
    length: float
    close: float
    straight: float
    proportional: bool


class Work(NamedTuple):
    """Buffers of one thread, the size of a tile of neurons."""

    normals: NDArray
    units: NDArray
    values: NDArray
    changes: NDArray
    registers: NDArray
    double: FloatArray
    double_registers: FloatArray


def neurons(activation: Activation, width: int, dtype: DTypeLike) -> Neurons:
    """The activation and the width for the compiled loops."""
    close, length = CLOSE[np.dtype(dtype)], activation.length(width)
    slope0 = activation.slope0 if activation.smoothness >= 1 else 0.0
    value = activation.value0
    # Where the slope bends at once, its value half way is less of a mean; where it jumps, none at all.
    smoothness = activation.regularity
    straight = close * length if smoothness >= 2 else 1e-5 * length if smoothness >= 1 else 1e-9
    return Neurons(
        width,
        activation.normaliser(width) / width,
        activation.program(width, dtype),
        activation.program(width, dtype, derivative=True),
        activation.program(width, np.float64),
        abs(value),
        length,
        close,
        straight,
        value == 0 and slope0 != 0,
    )


def workspace(width: int, inputs: int, dtype: DTypeLike) -> Work:
    """Empty buffers for one thread."""
    count = min(width, TILE)
    units, values, changes = (np.empty((inputs, count), dtype) for _ in range(3))
    return Work(
        np.empty(padded(count * inputs), dtype),
        units,
        values,
        changes,
        scratch(dtype),
        np.empty((4, TILE)),
        scratch(np.float64),
    )


def nearest(V0: FloatArray) -> NDArray[np.int64]:
    """The parent of each input: the one before it with the smallest difference. Input 0 has itself.

    Shapes: (m, m) in, (m,) out.
    """
    parents = np.zeros(len(V0), np.int64)
    for i in range(1, len(V0)):
        parents[i] = np.argmin(np.diag(V0)[:i] - 2 * V0[i, :i])
    return parents


class State(NamedTuple):
    """The covariance of the coordinates and of the inputs, who is joined to whom, and buffers for a layer."""

    gram: FloatArray
    covariance: FloatArray
    parents: NDArray[np.int64]
    joined: NDArray[np.bool_]
    paths: FloatArray  # rows that sum the coordinates of each input
    factor: FloatArray
    sizes: FloatArray
    ways: NDArray[np.int64]


@register_jitable
def state_of(parents):
    """An empty state."""
    inputs = len(parents)
    square = (inputs, inputs)
    # One by one: the parts of an unpacked array are not known to be contiguous.
    return State(
        np.empty(square),
        np.empty(square),
        parents,
        np.zeros(inputs, np.bool_),
        np.empty(square),
        np.zeros(square),
        np.empty(inputs),
        np.zeros(inputs, np.int64),
    )


@njit
def _follow(parents, joined, paths):
    """Rows that sum the coordinates of each input: covariance = paths gram paths^T."""
    paths[:] = 0
    for a in range(len(paths)):
        paths[a, a] = 1
        if joined[a]:
            paths[a] += paths[parents[a]]


@njit
def _rejoin(state, change):
    """Join inputs that have come close and part those that have moved away."""
    gram, covariance, parents, joined, paths = state.gram, state.covariance, state.parents, state.joined, state.paths
    moved = False
    change[:] = 0
    for a in range(len(gram)):
        change[a, a] = 1
        own, parent = covariance[a, a], parents[a]
        if joined[a] and gram[a, a] > PART * own:
            change[a] = paths[a]
            joined[a], moved = False, True
        elif a > 0 and not joined[a] and own + covariance[parent, parent] - 2 * covariance[a, parent] < JOIN * own:
            change[a] -= paths[parent]
            joined[a], moved = True, True
    if moved:
        congruence(gram, change)
        for a in range(len(gram)):
            gram[a, a] = max(gram[a, a], 0.0)
        _follow(parents, joined, paths)


@njit
def _plan(state, neurons):
    """How each difference is found, and the standard deviation of each coordinate. Returns the enlargement."""
    gram, covariance, parents, ways, sizes = state.gram, state.covariance, state.parents, state.ways, state.sizes
    largest = 0.0
    for a in range(len(gram)):
        sizes[a] = np.sqrt(gram[a, a])
        largest = max(largest, np.sqrt(covariance[a, a]))
    enlarged = 1.0
    if neurons.proportional and 0 < largest < SMALL * neurons.length:
        enlarged = SMALL * neurons.length / largest
    for a in range(1, len(gram)):
        parent = np.sqrt(max(covariance[parents[a], parents[a]], 0.0))
        if not state.joined[a] or sizes[a] >= neurons.close * parent:
            ways[a] = DIRECT
        elif enlarged * sizes[a] <= neurons.straight:
            ways[a] = BY_SLOPE
        else:
            ways[a] = IN_DOUBLE
    return enlarged


@njit
def _difference_in_double(change, start, step, size, program, wide, registers):
    """change = (phi(start + size step) - phi(start)) / size with the digits of float64."""
    count = len(change)
    for i in range(count):
        wide[0, i] = start[i]
        wide[1, i] = wide[0, i] + size * step[i]
    apply(program, wide[0, :count], wide[2, :count], registers)
    apply(program, wide[1, :count], wide[3, :count], registers)
    for i in range(count):
        change[i] = (wide[3, i] - wide[2, i]) / size


@njit
def _activate(a, count, parent, joined, way, size, gain, neurons, work):
    """values[a] = phi, changes[a] = its change from the parent over `size`. changes[a] comes as a unit normal."""
    kind = work.units.dtype.type
    unit, value, change = work.units[a, :count], work.values[a, :count], work.changes[a, :count]
    if not joined:
        times(unit, change, kind(size))
        apply(neurons.program, unit, value, work.registers)
        times(change, value, kind(gain))
        return
    start, before = work.units[parent, :count], work.values[parent, :count]
    if way == DIRECT:
        beyond(unit, start, change, kind(size))
        apply(neurons.program, unit, value, work.registers)
        times_difference(change, value, before, kind(gain))
        return
    if way == BY_SLOPE:
        beyond(unit, start, change, kind(size / 2))
        apply(neurons.slope, unit, value, work.registers)
        beyond(unit, start, change, kind(size))
        product(change, value)
    else:
        beyond(unit, start, change, kind(size))
        _difference_in_double(
            change, start, (unit - start) / kind(size), size, neurons.double, work.double, work.double_registers
        )
    beyond(value, before, change, kind(size))


@njit
def one_layer(state, neurons, layer, address, work):
    """Replace the covariance of the coordinates by that of the activations of one layer of neurons."""
    gram, joined, factor, sizes = state.gram, state.joined, state.factor, state.sizes
    inputs = len(gram)
    enlarged = _plan(state, neurons)
    cholesky(gram, factor)
    for a in range(inputs):
        if sizes[a] > 0:
            factor[a] /= sizes[a]
    gram[:] = 0
    counter = 0
    for begin in range(0, neurons.width, TILE):
        count = min(TILE, neurons.width - begin)
        drawn = work.normals[: padded(count * inputs)]
        fill(drawn, counter, layer, address)
        counter += len(drawn) // 4
        for a in range(inputs):
            combine(work.changes[a, :count], drawn, factor[a, : a + 1], count)
            size = enlarged * sizes[a]
            divisor = divisor_of(joined[a], size, neurons.value)
            _activate(a, count, state.parents[a], joined[a], state.ways[a], size, 1 / divisor, neurons, work)
            add_products(gram, work.changes, a, count)
    for a in range(inputs):
        for b in range(a + 1):
            first = divisor_of(joined[a], enlarged * sizes[a], neurons.value) / enlarged
            other = divisor_of(joined[b], enlarged * sizes[b], neurons.value) / enlarged
            gram[a, b] *= neurons.scale * first * other
            gram[b, a] = gram[a, b]


@njit
def divisor_of(joined, size, value):
    """What the activations of a coordinate are divided by to be of order 1."""
    divisor = size if joined else max(size, value)
    return divisor if divisor > 0 else 1.0


@njit
def propagate(out, layers, V0, parents, neurons, origin, work):
    """Carry the sample of `origin` and those after it through the layers and write the covariances asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend. A covariance that the floating-point
    numbers cannot hold is +inf in every entry from its layer on.
    """
    state, change = state_of(parents), np.empty_like(V0)
    gram, covariance = state.gram, state.covariance
    for i in range(len(out)):
        gram[:], covariance[:], state.joined[:] = V0, V0, False
        _follow(parents, state.joined, state.paths)
        address = of_sample(origin, origin.sample + i)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                if np.isfinite(covariance[0, 0]):
                    _rejoin(state, change)
                    one_layer(state, neurons, done, address, work)
                    covariance[:] = gram
                    congruence(covariance, state.paths)
                    if not np.all(np.isfinite(covariance)):
                        covariance[:] = np.inf
                done += 1
            out[i, place] = covariance
