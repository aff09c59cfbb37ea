"""Compiled loops of residual networks with correlated weights, dense or convolutional.

The pre-activations of a layer are a Gaussian field over positions, inputs and channels. Its covariance
over positions and inputs (the rows here) is the Gram matrix of the patches that the filter sees, so
the field is a factor of that matrix times independent normals, one column for each channel. The patches
themselves are such a factor; its normals are then the filters. A dense layer has one position.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from .._jit import njit
from ..activations.programs import TILE
from ..gaussian import of_sample, padded
from .branches import draw
from .elementwise import Room, evaluate
from .linear import long_cholesky, overlap


class Field(NamedTuple):
    """The Gaussian law of one layer; empty matrices stand for the identity, for no mean or for no bias.

    neighbours: (positions, taps), -1 beyond the edge. taps: (taps, taps) factor over the filter's
    positions. columns: (channels, channels) factor F, F F^T over input channels; rows, of F^T F over output
    channels; bias likewise. mean: (taps channels, channels); bias_mean: (channels,). All include the time step.
    """

    neighbours: NDArray[np.int64]
    taps: NDArray[np.float64]
    scale: float
    columns: NDArray[np.float64]
    rows: NDArray[np.float64]
    bias: NDArray[np.float64]
    variances: NDArray[np.float64]  # (2, channels): diagonals of the covariances over rows and of biases
    mean: NDArray[np.float64]
    bias_mean: NDArray[np.float64]
    filters: bool  # the patches are the factor
    slope: float
    curvature: float
    refinement: int


class Work(NamedTuple):
    """Buffers of one thread: of a layer, (positions m, channels), of its patches and their factor, and of a tile."""

    psi: NDArray[np.float64]
    h: NDArray[np.float64]
    variance: NDArray[np.float64]
    edge: NDArray[np.float64]  # (1, channels): the inner activation of the state beyond the edge
    patches: NDArray[np.float64]
    factor: NDArray[np.float64]
    normals: NDArray
    spare: NDArray
    tile: NDArray
    values: NDArray
    room: Room


@register_jitable
def buffers(field, size, channels, prototype, scratch):
    """Empty buffers for images of so many positions, in the type of `prototype`."""
    kind, layer, taps = prototype.dtype, (size, channels), len(field.taps) * channels
    drawn = padded((taps if field.filters else size) * channels + channels)
    values = np.empty((1, TILE), kind)
    return Work(
        np.empty(layer),
        np.empty(layer),
        np.empty(layer),
        np.empty((1, channels)),
        np.empty((size, taps)),
        np.zeros((size, size)),
        np.empty(drawn, kind),
        np.empty(drawn, kind),
        np.empty((1, TILE), kind),
        values,
        Room(values, np.empty((2, TILE), kind), scratch),
    )


@njit
def _activate(function, source, target, work):
    """target = phi(source), a tile at a time in the precision of the tiles."""
    tile, values = work.tile, work.values
    for begin in range(0, source.size, TILE):
        count = min(TILE, source.size - begin)
        for i in range(count):
            tile[0, i] = source[begin + i]
        evaluate(function, values, tile, 0, 0, count, work.room)
        for i in range(count):
            target[begin + i] = values[0, i]


@njit
def _gather(patches, source, edge, neighbours, taps):
    """What the filter sees at each position, with the taps mixed.

    Shapes: patches (positions m, taps channels), source (positions m, channels), edge (channels,).
    """
    channels = source.shape[1]
    inputs = len(source) // len(neighbours)
    patches[:] = 0
    for position in range(len(neighbours)):
        for mixed in range(len(taps)):
            for tap in range(len(taps)):
                weight = taps[tap, mixed]
                if weight == 0:
                    continue
                neighbour = neighbours[position, tap]
                for j in range(inputs):
                    seen = source[neighbour * inputs + j] if neighbour >= 0 else edge
                    target = patches[position * inputs + j, mixed * channels : (mixed + 1) * channels]
                    for d in range(channels):
                        target[d] += weight * seen[d]


@njit
def _mixed(matrix, factor):
    """matrix times factor, or the matrix itself for an empty factor."""
    return np.dot(matrix, factor) if factor.size else matrix


@njit
def _pre_activations(field, number, address, work):
    """The pre-activations of a layer and their variances, from the inner activations."""
    h, variance, psi, edge, patches, factor = work.h, work.variance, work.psi, work.edge, work.patches, work.factor
    channels = psi.shape[1]
    _gather(
        patches,
        _mixed(psi, field.columns) * field.scale,
        _mixed(edge, field.columns)[0] * field.scale,
        field.neighbours,
        field.taps,
    )
    if not field.filters:
        long_cholesky(np.dot(patches, patches.T), factor)
    weights = patches if field.filters else factor
    draw(work.normals, work.spare, work.normals.size, 0, number, field.refinement, address)
    drawn = work.normals.astype(np.float64) / np.sqrt(field.refinement)
    count = weights.shape[1] * channels
    h[:] = _mixed(np.dot(weights, drawn[:count].reshape(-1, channels)), field.rows)
    for i in range(len(h)):
        size = overlap(weights, i, i, weights.shape[1])
        for d in range(channels):
            variance[i, d] = size * field.variances[0, d] + field.variances[1, d]
    if field.bias.size:
        h += np.dot(drawn[count : count + channels], field.bias)
    if field.mean.size:
        _gather(patches, psi, edge[0], field.neighbours, np.eye(len(field.taps)))
        h += np.dot(patches, field.mean)
    if field.bias_mean.size:
        h += field.bias_mean


@njit
def _move(state, branch, variance, slope, curvature):
    for i in range(len(state)):
        state[i] += slope * branch[i] + curvature * variance[i]


@njit
def _record(out, state, channels):
    """Write the state as (channels, positions, m); one that overflowed is infinite."""
    if not np.isfinite(np.sum(state)):
        out[:] = np.inf
        return
    rows = state.reshape(-1, channels)
    for d in range(channels):
        for i in range(len(rows)):
            out[d, i] = rows[i, d]


@njit
def propagate(out, records, starts, branches, origin, prototype, scratch):
    """Carry the sample of `origin` and those after it through the layers and write the states asked for.

    Shapes: out is (samples, len(records), channels, positions m), records ascend; starts are
        (samples or 1, channels, positions m). `prototype` is an array of the dtype of normals and activations.
    """
    channels, size = starts.shape[1:]
    field = branches.law
    work = buffers(field, size, channels, prototype, scratch)
    state, branch = np.empty(size * channels), np.empty(size * channels)
    _activate(branches.inner, np.zeros(channels), work.edge.reshape(-1), work)
    for i in range(len(out)):
        address = of_sample(origin, origin.sample + i)
        state[:] = np.ascontiguousarray(starts[i % len(starts)].T).reshape(-1)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _activate(branches.inner, state, work.psi.reshape(-1), work)
                _pre_activations(field, done, address, work)
                _activate(branches.outer, work.h.reshape(-1), branch, work)
                _move(state, branch, work.variance.reshape(-1), field.slope, field.curvature)
                done += 1
            _record(out[i, place], state, channels)
