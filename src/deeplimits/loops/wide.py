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
from ..gaussian import of_sample, padded
from .branches import State, buffers, draw, enter, load, nearest, store
from .elementwise import evaluate, index
from .linear import add_products, cholesky, combine


@njit
def _prepare(state, weight, law):
    """The factor of the covariance of the pre-activations and their drift, as differences along the tree."""
    gram, covariance, parents = state.gram, state.covariance, state.parents
    scale = 1 / np.sqrt(law.refinement)
    for a in range(len(gram)):
        for b in range(a + 1):
            covariance[a, b] = weight * gram[a, b]
    covariance[0, 0] += law.bias
    cholesky(covariance, state.factor)
    for a in range(len(gram)):
        for b in range(a + 1):
            state.rows[a, b] = scale * state.factor[a, b]
        gained, node = covariance[a, a], a
        while node != 0:
            node = parents[node]
            gained += 2 * covariance[a, node]
        state.shift[a] = law.curvature * gained


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
def _advance(state, branches, number, address, work):
    """Carry the state through layer `number`, or nowhere if it is negative, and sum the Gram matrix anew."""
    x, gram, parents, rows, shift = state.x, state.gram, state.parents, state.rows, state.shift
    units, branch, values, room = work.units, work.branch, work.values, work.room
    outer, slope, refinement = branches.outer, branches.law.slope, branches.law.refinement
    inputs, width = x.shape
    straight = outer.rectifier and outer.half == 0
    gram[:] = 0
    for place in range(0, width, TILE):
        count = min(TILE, width - place)
        if number >= 0:
            size = padded(count * inputs)
            draw(work.normals, work.spare, size, place * inputs // 4, number, refinement, address)
        for a in range(inputs):
            if number < 0:
                enter(units, x, a, place, count)
            else:
                combine(branch[a, :count], work.normals, rows[a, : a + 1], count)
                if straight:
                    _move(x, branch, units, a, place, count, slope * outer.mean, shift)
                else:
                    evaluate(outer, values, branch, a, parents[a], count, room)
                    _move(x, values, units, a, place, count, slope, shift)
        for a in range(inputs):
            evaluate(branches.inner, values, units, a, parents[a], count, room)
            add_products(gram, values, a, count)


@njit
def propagate(out, records, starts, branches, origin, prototype, scratch):
    """Carry the sample of `origin` and those after it through the layers and write the states asked for.

    Shapes: out is (samples, len(records), width, m), records ascend; starts are (samples or 1, width, m).
        `prototype` is an array of the dtype. A sample that overflows is infinite from there on.
    """
    width, inputs = starts.shape[1:]
    square, kind = (inputs, inputs), prototype.dtype
    # One by one: the parts of an unpacked array are not known to be contiguous.
    state = State(
        np.empty((inputs, width)),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square, kind),
        np.empty(inputs, kind),
        np.zeros(inputs, np.int64),
    )
    work = buffers(padded(min(width, TILE) * inputs), inputs, prototype, scratch)
    gram, parents, weight = state.gram, state.parents, branches.law.weight / width
    for i in range(len(out)):
        address = of_sample(origin, origin.sample + i)
        nearest(starts[i % len(starts)], parents)
        load(starts[i % len(starts)], state.x, parents, 1, 0)
        _advance(state, branches, -1, address, work)
        done = 0
        for place in range(len(records)):
            while done < records[place] and np.isfinite(gram.sum()):
                _prepare(state, weight, branches.law)
                _advance(state, branches, done, address, work)
                done += 1
            if np.isfinite(gram.sum()):
                store(out[i, place], state.x, parents, 1, 0)
            else:
                out[i, place] = np.inf
