"""Compiled loops of the row sampler for activations that are programs: Gaussian rows in, covariance out.

Such an activation knows the scale of its input, so pre-activations are carried as they are. An input
that is close to one before it (its parent) is stored as the difference: they are joined. Others stand
alone, since a small variance would drown in a difference from a large one. `gram` is the covariance
of these coordinates; inputs join and part as they move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._checks import FloatArray
from .._jit import FINITE, njit
from .._vectors import widest_vectors
from ..activations import Plain, Smooth
from ..activations.programs import TILE, Program, apply, scratch
from ..gaussian import fill, padded
from .linear import add_products, cholesky, combine, congruence

#: Ways to get the change of an activation between close inputs.
DIRECT, BY_SLOPE, IN_DOUBLE = 0, 1, 2

#: Below this share of its size a float32 input differs by too few digits for a direct difference.
CLOSE = {np.dtype(np.float32): 2e-3, np.dtype(np.float64): 1e-5}

#: Inputs join when the variance of their difference is below the first share of their own, and part above the second.
JOIN, PART = 0.25, 0.5

#: Inputs this small against the length on which the activation bends see a straight line, and
#: are enlarged to here, so that no square of a float32 underflows.
SMALL = 1e-8


class Network(NamedTuple):
    """What the loops know of a network.

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
    """Buffers of one thread, the size of a block of neurons."""

    normals: NDArray
    units: NDArray
    values: NDArray
    changes: NDArray
    registers: NDArray
    double: FloatArray
    double_registers: FloatArray


def network(activation: Smooth | Plain, width: int, dtype: DTypeLike) -> Network:
    """The activation and the width for the compiled loops."""
    shaped = isinstance(activation, Smooth)
    close, length = CLOSE[np.dtype(dtype)], activation.length(width)
    slope0 = 1.0 if shaped else activation.slope0 if activation.smoothness >= 1 else 0.0
    value = 0.0 if shaped else activation.value0
    # Where the slope bends at once, its value half way is less of a mean; where it jumps, none at all.
    smoothness = np.inf if shaped else activation.regularity
    straight = close * length if smoothness >= 2 else 1e-5 * length if smoothness >= 1 else 1e-9
    return Network(
        width, activation.normaliser(width) / width, activation.program(width, dtype),
        activation.program(width, dtype, derivative=True), activation.program(width, np.float64),
        abs(value), length, close, straight, value == 0 and slope0 != 0,
    )


def workspace(width: int, inputs: int, dtype: DTypeLike) -> Work:
    """Empty buffers for one thread."""
    neurons = min(width, TILE)
    rows = [np.empty((inputs, neurons), dtype) for _ in range(3)]
    return Work(np.empty(padded(neurons * inputs), dtype), *rows, scratch(dtype), np.empty((4, TILE)),
                scratch(np.float64))


def nearest(V0: FloatArray) -> NDArray[np.int64]:
    """The parent of each input: the one before it with the smallest difference. Input 0 has itself.

    Shapes: (m, m) in, (m,) out.
    """
    parents = np.zeros(len(V0), np.int64)
    for i in range(1, len(V0)):
        parents[i] = np.argmin(np.diag(V0)[:i] - 2 * V0[i, :i])
    return parents


@njit
def _follow(parents, joined, paths):
    """Rows that sum the coordinates of each input: covariance = paths gram paths^T."""
    paths[:] = 0
    for a in range(len(paths)):
        paths[a, a] = 1
        if joined[a]:
            paths[a] += paths[parents[a]]


@njit
def _rejoin(gram, covariance, parents, joined, paths, change):
    """Join inputs that have come close and part those that have moved away."""
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
def _plan(gram, covariance, parents, joined, network, ways, sizes):
    """How each difference is found, and the standard deviation of each coordinate. Returns the enlargement."""
    largest = 0.0
    for a in range(len(gram)):
        sizes[a] = np.sqrt(gram[a, a])
        largest = max(largest, np.sqrt(covariance[a, a]))
    enlarged = 1.0
    if network.proportional and 0 < largest < SMALL * network.length:
        enlarged = SMALL * network.length / largest
    for a in range(1, len(gram)):
        parent = np.sqrt(max(covariance[parents[a], parents[a]], 0.0))
        if not joined[a] or sizes[a] >= network.close * parent:
            ways[a] = DIRECT
        elif enlarged * sizes[a] <= network.straight:
            ways[a] = BY_SLOPE
        else:
            ways[a] = IN_DOUBLE
    return enlarged


@njit(fastmath=FINITE)
def _times(out, values, gain):
    widest_vectors()
    for i in range(len(out)):
        out[i] = gain * values[i]


@njit(fastmath=FINITE)
def _times_difference(out, values, before, gain):
    widest_vectors()
    for i in range(len(out)):
        out[i] = gain * (values[i] - before[i])


@njit(fastmath=FINITE)
def _product(out, values):
    widest_vectors()
    for i in range(len(out)):
        out[i] *= values[i]


@njit(fastmath=FINITE)
def _beyond(out, start, step, length):
    """out = start + length step."""
    widest_vectors()
    for i in range(len(out)):
        out[i] = start[i] + length * step[i]


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
def _activate(a, count, parent, joined, way, size, gain, network, work):
    """values[a] = phi, changes[a] = its change from the parent over `size`. changes[a] comes as a unit normal."""
    kind = work.units.dtype.type
    unit, value, change = work.units[a, :count], work.values[a, :count], work.changes[a, :count]
    if not joined:
        _times(unit, change, kind(size))
        apply(network.program, unit, value, work.registers)
        _times(change, value, kind(gain))
        return
    start, before = work.units[parent, :count], work.values[parent, :count]
    if way == DIRECT:
        _beyond(unit, start, change, kind(size))
        apply(network.program, unit, value, work.registers)
        _times_difference(change, value, before, kind(gain))
        return
    if way == BY_SLOPE:
        _beyond(unit, start, change, kind(size / 2))
        apply(network.slope, unit, value, work.registers)
        _beyond(unit, start, change, kind(size))
        _product(change, value)
    else:
        _beyond(unit, start, change, kind(size))
        _difference_in_double(change, start, (unit - start) / kind(size), size, network.double, work.double,
                              work.double_registers)
    _beyond(value, before, change, kind(size))


@njit
def one_layer(gram, covariance, parents, joined, factor, sizes, ways, network, sample, layer, stream, seed, work):
    """Replace `gram` by the covariance of the activations of one layer of neurons."""
    inputs = len(gram)
    enlarged = _plan(gram, covariance, parents, joined, network, ways, sizes)
    cholesky(gram, factor)
    for a in range(inputs):
        if sizes[a] > 0:
            factor[a] /= sizes[a]
    gram[:] = 0
    counter = 0
    for begin in range(0, network.width, TILE):
        count = min(TILE, network.width - begin)
        drawn = work.normals[: padded(count * inputs)]
        fill(drawn, counter, layer, sample, stream, seed)
        counter += len(drawn) // 4
        for a in range(inputs):
            combine(work.changes[a, :count], drawn, factor[a, : a + 1], count)
            size = enlarged * sizes[a]
            divisor = divisor_of(joined[a], size, network.value)
            _activate(a, count, parents[a], joined[a], ways[a], size, 1 / divisor, network, work)
            add_products(gram, work.changes, a, count)
    for a in range(inputs):
        for b in range(a + 1):
            first = divisor_of(joined[a], enlarged * sizes[a], network.value) / enlarged
            other = divisor_of(joined[b], enlarged * sizes[b], network.value) / enlarged
            gram[a, b] *= network.scale * first * other
            gram[b, a] = gram[a, b]


@njit
def divisor_of(joined, size, value):
    """What the activations of a coordinate are divided by to be of order 1."""
    divisor = size if joined else max(size, value)
    return divisor if divisor > 0 else 1.0


@njit
def propagate(out, layers, V0, parents, network, first, stream, seed, work):
    """Carry samples first, first + 1, ... through the layers and write the covariances asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend. A covariance that the floating-point
    numbers cannot hold is +inf in every entry from its layer on.
    """
    inputs = len(V0)
    gram, covariance, paths, change = np.empty((4, inputs, inputs))
    factor, sizes, ways = np.zeros_like(gram), np.empty(inputs), np.zeros(inputs, np.int64)
    joined = np.zeros(inputs, np.bool_)
    for i in range(len(out)):
        gram[:], covariance[:], joined[:] = V0, V0, False
        _follow(parents, joined, paths)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                if np.isfinite(covariance[0, 0]):
                    _rejoin(gram, covariance, parents, joined, paths, change)
                    one_layer(gram, covariance, parents, joined, factor, sizes, ways, network, first + i, done, stream,
                              seed, work)
                    covariance[:] = gram
                    congruence(covariance, paths)
                    if not np.all(np.isfinite(covariance)):
                        covariance[:] = np.inf
                done += 1
            out[i, place] = covariance
