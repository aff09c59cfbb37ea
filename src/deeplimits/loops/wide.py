"""Compiled loops of residual networks without weights: one Gaussian row for each neuron.

Given a layer, its m pre-activations of a neuron are normal with covariance
bias + weight <psi(x), psi(x')>/n, independent over neurons. Each input but the first is carried
as its difference from the nearest one before it (its parent), in the state, in the pre-activations
and in the Gram matrix, so that nearly parallel inputs keep their distance.
"""

from __future__ import annotations

import numpy as np

from .._jit import REORDERED, njit
from .._vectors import widest_vectors
from ..activations.programs import TILE
from ..gaussian import padded
from .elementwise import draw, enter, evaluate, index, load, nearest, store
from .linear import add_products, cholesky, combine


@njit
def _prepare(rows, shift, gram, covariance, factor, parents, weight, bias, curvature, scale):
    """The factor of the covariance of the pre-activations and their drift, as differences along the tree."""
    for a in range(len(gram)):
        for b in range(a + 1):
            covariance[a, b] = weight * gram[a, b]
    covariance[0, 0] += bias
    cholesky(covariance, factor)
    for a in range(len(gram)):
        for b in range(a + 1):
            rows[a, b] = scale * factor[a, b]
        gained, node = covariance[a, a], a
        while node != 0:
            node = parents[node]
            gained += 2 * covariance[a, node]
        shift[a] = curvature * gained


@njit(fastmath=REORDERED)
def _move(state, branch, units, a, place, count, slope, shift):
    """state += slope branch + shift; units becomes the state, rounded."""
    widest_vectors()
    slope = branch.dtype.type(slope)
    offset = shift[a]
    for i in range(index(count)):
        moved = state[a, index(place) + i] + (slope * branch[a, i] + offset)
        state[a, index(place) + i] = moved
        units[a, i] = moved


@njit
def _advance(state, gram, parents, inner, outer, slope, number, refinement, sample, stream, seed,
             rows, shift, normals, spare, branch, units, values, whole, middle, scratch):
    """Carry the state through layer `number`, or nowhere if it is negative, and sum the Gram matrix anew."""
    inputs, width = state.shape
    straight = outer.rectifier and outer.half == 0
    gram[:] = 0
    for place in range(0, width, TILE):
        count = min(TILE, width - place)
        if number >= 0:
            size = padded(count * inputs)
            draw(normals, spare, size, place * inputs // 4, number, refinement, sample, stream, seed)
        for a in range(inputs):
            if number < 0:
                enter(units, state, a, place, count)
            else:
                combine(branch[a, :count], normals, rows[a, : a + 1], count)
                if straight:
                    _move(state, branch, units, a, place, count, slope * outer.mean, shift)
                else:
                    evaluate(outer, values, branch, whole, middle, a, parents[a], count, scratch)
                    _move(state, values, units, a, place, count, slope, shift)
        for a in range(inputs):
            evaluate(inner, values, units, whole, middle, a, parents[a], count, scratch)
            add_products(gram, values, a, count)


@njit
def propagate(out, records, starts, inner, outer, layer, begin, stream, seed, kind, scratch):
    """Carry samples begin, begin + 1, ... through the layers and write the states asked for.

    Shapes: out is (samples, len(records), width, m), records ascend; starts are (samples or 1, width, m).
        `kind` is an array of the dtype. A sample that overflows is infinite from there on.
    """
    width, inputs = starts.shape[1:]
    size, tile = padded(min(width, TILE) * inputs), (inputs, TILE)
    # One by one: the parts of an unpacked array are not known to be contiguous.
    state, gram = np.empty((inputs, width)), np.zeros((inputs, inputs))
    covariance, factor = np.zeros((inputs, inputs)), np.zeros((inputs, inputs))
    rows, shift = np.zeros((inputs, inputs), kind.dtype), np.empty(inputs, kind.dtype)
    normals, spare = np.empty(size, kind.dtype), np.empty(size, kind.dtype)
    branch, units = np.empty(tile, kind.dtype), np.empty(tile, kind.dtype)
    values, whole = np.empty(tile, kind.dtype), np.empty(tile, kind.dtype)
    middle, parents = np.empty((2, TILE), kind.dtype), np.zeros(inputs, np.int64)
    for i in range(len(out)):
        nearest(starts[i % len(starts)], parents)
        load(starts[i % len(starts)], state, parents, 1, 0)
        _advance(state, gram, parents, inner, outer, layer.slope, -1, 1, begin + i, stream, seed,
                 rows, shift, normals, spare, branch, units, values, whole, middle, scratch)
        done = 0
        for place in range(len(records)):
            while done < records[place] and np.isfinite(gram.sum()):
                _prepare(rows, shift, gram, covariance, factor, parents, layer.weight / width, layer.bias,
                         layer.curvature, 1 / np.sqrt(layer.refinement))
                _advance(state, gram, parents, inner, outer, layer.slope, done, layer.refinement, begin + i, stream,
                         seed, rows, shift, normals, spare, branch, units, values, whole, middle, scratch)
                done += 1
            if np.isfinite(gram.sum()):
                store(out[i, place], state, parents, 1, 0)
            else:
                out[i, place] = np.inf
