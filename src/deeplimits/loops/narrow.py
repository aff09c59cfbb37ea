"""Compiled loops of narrow residual networks: many samples side by side.

The loops of `wide` run over neurons. Where there are few, these run over samples: sample i
is lane i % LANES of block i // LANES, and a tile is a few neurons of all lanes. Law and coordinates
are the same.
"""

from __future__ import annotations

import numpy as np

from .._jit import REORDERED, njit
from .._vectors import widest_vectors
from ..activations.programs import TILE
from .elementwise import draw, enter, evaluate, index, load, nearest, store
from .linear import PIVOT

#: Samples side by side, and the most numbers of one sample that leave them all in the second-level cache.
LANES, FITTING = 64, 2048


@njit(fastmath=REORDERED, error_model="numpy")
def _factor(rows, covariance, factor, inverse, scale):
    """Cholesky factors of all lanes, scaled; a direction that is absent gets a column of zeros."""
    widest_vectors()
    for j in range(len(covariance)):
        for i in range(j, len(covariance)):
            for lane in range(LANES):
                rest = covariance[i, j, lane]
                for k in range(j):
                    rest -= factor[i, k, lane] * factor[j, k, lane]
                factor[i, j, lane] = rest
        for lane in range(LANES):
            square = factor[j, j, lane]
            present = square > PIVOT * covariance[j, j, lane]
            root = np.sqrt(square) if present else 0.0
            factor[j, j, lane] = root
            inverse[lane] = 1 / root if present else 0.0
        for i in range(j + 1, len(covariance)):
            for lane in range(LANES):
                factor[i, j, lane] *= inverse[lane]
        for i in range(j, len(covariance)):
            for lane in range(LANES):
                rows[i, j, lane] = scale * factor[i, j, lane]


@njit(fastmath=REORDERED)
def _prepare(covariance, shift, gram, parents, weight, bias, curvature):
    """The covariance of the pre-activations and their drift, as differences along the tree."""
    widest_vectors()
    for a in range(len(gram)):
        for b in range(a + 1):
            for lane in range(LANES):
                covariance[a, b, lane] = weight * gram[a, b, lane]
    for lane in range(LANES):
        covariance[0, 0, lane] += bias
    for a in range(len(gram)):
        for lane in range(LANES):
            shift[a, lane] = curvature * covariance[a, a, lane]
        node = a
        while node != 0:
            node = parents[node]
            for lane in range(LANES):
                shift[a, lane] += 2 * curvature * covariance[a, node, lane]


@njit(fastmath=REORDERED)
def _combine(branch, a, normals, rows, count):
    """branch[a] = sum of the rows of normals, weighted by lane."""
    widest_vectors()
    for begin in range(index(0), index(count), index(LANES)):
        for lane in range(index(LANES)):
            branch[a, begin + lane] = rows[a, 0, lane] * normals[begin + lane]
        for k in range(1, a + 1):
            for lane in range(index(LANES)):
                branch[a, begin + lane] += rows[a, k, lane] * normals[index(k * count) + begin + lane]


@njit(fastmath=REORDERED)
def _move(state, branch, units, a, place, count, slope, shift):
    """state += slope branch + shift; units becomes the state, rounded."""
    widest_vectors()
    slope = branch.dtype.type(slope)
    for begin in range(index(0), index(count), index(LANES)):
        for lane in range(index(LANES)):
            moved = state[a, index(place) + begin + lane] + (slope * branch[a, begin + lane] + shift[a, lane])
            state[a, index(place) + begin + lane] = moved
            units[a, begin + lane] = moved


@njit(fastmath=REORDERED)
def _multiply(gram, values, a, b, count):
    """Add the products of two inputs to the Gram matrix of each lane, in double precision; see `linear._dot`."""
    widest_vectors()
    for begin in range(index(0), index(count), index(LANES)):
        for lane in range(index(LANES)):
            gram[a, b, lane] += np.float64(values[a, begin + lane]) * np.float64(values[b, begin + lane])


@njit
def _advance(state, gram, parents, inner, outer, slope, number, refinement, block, stream, seed,
             rows, shift, normals, spare, branch, units, values, whole, middle, scratch):
    """Carry the state through layer `number`, or nowhere if it is negative, and sum the Gram matrix anew."""
    inputs, size = state.shape
    straight = outer.rectifier and outer.half == 0
    gram[:] = 0
    for place in range(0, size, TILE):
        count = min(TILE, size - place)
        if number >= 0:
            draw(normals, spare, count * inputs, place * inputs // 4, number, refinement, block, stream, seed)
        for a in range(inputs):
            if number < 0:
                enter(units, state, a, place, count)
            else:
                _combine(branch, a, normals, rows, count)
                if straight:
                    _move(state, branch, units, a, place, count, slope * outer.mean, shift)
                else:
                    evaluate(outer, values, branch, whole, middle, a, parents[a], count, scratch)
                    _move(state, values, units, a, place, count, slope, shift)
        for a in range(inputs):
            evaluate(inner, values, units, whole, middle, a, parents[a], count, scratch)
            for b in range(a + 1):
                _multiply(gram, values, a, b, count)


@njit
def _record(out, begin, place, block, state, gram, parents):
    """Write the states of the lanes that are asked for; a sample that overflowed is infinite."""
    for lane in range(LANES):
        i = block * LANES + lane - begin
        if 0 <= i < len(out):
            if np.isfinite(np.sum(gram[:, :, lane])):
                store(out[i, place], state, parents, LANES, lane)
            else:
                out[i, place] = np.inf


@njit
def propagate(out, records, starts, inner, outer, layer, begin, stream, seed, kind, scratch):
    """Carry samples begin, begin + 1, ... through the layers and write the states asked for.

    Shapes: out is (samples, len(records), width, m), records ascend; starts are (samples or 1, width, m),
        and (1, width, m) for more than two inputs, since lanes share their tree. `kind` is an array of the dtype.
    """
    width, inputs = starts.shape[1:]
    size, square, tile = min(width * LANES, TILE) * inputs, (inputs, inputs, LANES), (inputs, TILE)
    # One by one: the parts of an unpacked array are not known to be contiguous.
    state, gram = np.empty((inputs, width * LANES)), np.zeros(square)
    covariance, factor = np.zeros(square), np.zeros(square)
    rows, shift = np.zeros(square, kind.dtype), np.empty((inputs, LANES), kind.dtype)
    normals, spare = np.empty(size, kind.dtype), np.empty(size, kind.dtype)
    branch, units = np.empty(tile, kind.dtype), np.empty(tile, kind.dtype)
    values, whole = np.empty(tile, kind.dtype), np.empty(tile, kind.dtype)
    middle, inverse = np.empty((2, TILE), kind.dtype), np.empty(LANES)
    parents = np.zeros(inputs, np.int64)
    nearest(starts[0], parents)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        for lane in range(LANES):
            i = min(max(block * LANES + lane - begin, 0), len(out) - 1)
            load(starts[i % len(starts)], state, parents, LANES, lane)
        _advance(state, gram, parents, inner, outer, layer.slope, -1, 1, block, stream, seed,
                 rows, shift, normals, spare, branch, units, values, whole, middle, scratch)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _prepare(covariance, shift, gram, parents, layer.weight / width, layer.bias, layer.curvature)
                _factor(rows, covariance, factor, inverse, 1 / np.sqrt(layer.refinement))
                _advance(state, gram, parents, inner, outer, layer.slope, done, layer.refinement, block, stream, seed,
                         rows, shift, normals, spare, branch, units, values, whole, middle, scratch)
                done += 1
            _record(out, begin, place, block, state, gram, parents)
