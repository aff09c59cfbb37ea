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
from ..gaussian import of_sample
from .branches import State, buffers, draw, enter, load, nearest, store
from .elementwise import evaluate, index
from .linear import PIVOT

#: Samples side by side, and the most numbers of one sample that leave them all in the second-level cache.
LANES, FITTING = 64, 2048


@njit(fastmath=REORDERED, error_model="numpy")
def _factor(state, inverse, scale):
    """Cholesky factors of all lanes, scaled; a direction that is absent gets a column of zeros."""
    widest_vectors()
    rows, covariance, factor = state.rows, state.covariance, state.factor
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
def _prepare(state, weight, law):
    """The covariance of the pre-activations and their drift, as differences along the tree."""
    widest_vectors()
    gram, covariance, shift, parents = state.gram, state.covariance, state.shift, state.parents
    bias, curvature = law.bias, law.curvature
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
def _drift(branch, psi, a, place, count, law):
    """branch += the means of weights and biases; differences along the tree share the biases."""
    widest_vectors()
    mean, bias, kind = law.mean, law.bias_mean, branch.dtype.type
    for begin in range(0, count, LANES):
        i = (place + begin) // LANES
        if a == 0 and len(bias):
            for lane in range(LANES):
                branch[a, begin + lane] += kind(bias[i])
        for j in range(len(mean)):
            weight = kind(mean[i, j])
            for lane in range(LANES):
                branch[a, begin + lane] += weight * psi[a, j * LANES + lane]


@njit(fastmath=REORDERED)
def _multiply(gram, values, a, b, count):
    """Add the products of two inputs to the Gram matrix of each lane, in double precision; see `linear._dot`."""
    widest_vectors()
    for begin in range(index(0), index(count), index(LANES)):
        for lane in range(index(LANES)):
            gram[a, b, lane] += np.float64(values[a, begin + lane]) * np.float64(values[b, begin + lane])


@njit
def _advance(state, branches, number, address, work, psi):
    """Carry the states through layer `number`, or nowhere if it is negative, and sum the Gram matrices anew.

    What enters a layer is kept where weights have a mean, in psi: (2, m, width LANES), for even and odd layers.
    """
    x, gram, parents, rows, shift = state.x, state.gram, state.parents, state.rows, state.shift
    units, branch, values, room = work.units, work.branch, work.values, work.room
    outer, slope, refinement = branches.outer, branches.law.slope, branches.law.refinement
    inputs, size = x.shape
    straight = outer.rectifier and outer.half == 0
    moving = len(branches.law.mean) + len(branches.law.bias_mean) > 0
    gram[:] = 0
    for place in range(0, size, TILE):
        count = min(TILE, size - place)
        if number >= 0:
            draw(work.normals, work.spare, count * inputs, place * inputs // 4, number, refinement, address)
        for a in range(inputs):
            if number < 0:
                enter(units, x, a, place, count)
            else:
                _combine(branch, a, work.normals, rows, count)
                if moving:
                    _drift(branch, psi[number % 2], a, place, count, branches.law)
                if straight:
                    _move(x, branch, units, a, place, count, slope * outer.mean, shift)
                else:
                    evaluate(outer, values, branch, a, parents[a], count, room)
                    _move(x, values, units, a, place, count, slope, shift)
        for a in range(inputs):
            evaluate(branches.inner, values, units, a, parents[a], count, room)
            if psi.size:
                psi[(number + 1) % 2, a, place : place + count] = values[a, :count]
            for b in range(a + 1):
                _multiply(gram, values, a, b, count)


@njit
def _record(out, begin, place, block, state):
    """Write the states of the lanes that are asked for; a sample that overflowed is infinite."""
    for lane in range(LANES):
        i = block * LANES + lane - begin
        if 0 <= i < len(out):
            if np.isfinite(np.sum(state.gram[:, :, lane])):
                store(out[i, place], state.x, state.parents, LANES, lane)
            else:
                out[i, place] = np.inf


@njit
def propagate(out, records, starts, branches, origin, prototype, scratch):
    """Carry the sample of `origin` and those after it through the layers and write the states asked for.

    Shapes: out is (samples, len(records), width, m), records ascend; starts are (samples or 1, width, m),
        and (1, width, m) for more than two inputs, since lanes share their tree. `prototype` is an array of the dtype.
    """
    width, inputs = starts.shape[1:]
    square, kind, begin = (inputs, inputs, LANES), prototype.dtype, origin.sample
    # One by one: the parts of an unpacked array are not known to be contiguous.
    state = State(
        np.empty((inputs, width * LANES)),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square, kind),
        np.empty((inputs, LANES), kind),
        np.zeros(inputs, np.int64),
    )
    work = buffers(min(width * LANES, TILE) * inputs, inputs, prototype, scratch)
    inverse, law = np.empty(LANES), branches.law
    psi = np.empty((2, inputs, len(law.mean) * LANES), kind)
    nearest(starts[0], state.parents)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        address = of_sample(origin, block)
        for lane in range(LANES):
            i = min(max(block * LANES + lane - begin, 0), len(out) - 1)
            load(starts[i % len(starts)], state.x, state.parents, LANES, lane)
        _advance(state, branches, -1, address, work, psi)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _prepare(state, law.weight / width, law)
                _factor(state, inverse, 1 / np.sqrt(law.refinement))
                _advance(state, branches, done, address, work, psi)
                done += 1
            _record(out, begin, place, block, state)
