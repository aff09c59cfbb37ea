"""Compiled loops of residual networks with correlated weights, dense or convolutional.

The pre-activations of a layer are a Gaussian field over positions, inputs and channels. Its covariance
over positions and inputs (the rows here) is the Gram matrix of the patches that the filter sees, so
the field is a factor of that matrix times independent normals, one column for each channel. The patches
themselves are such a factor; its normals are then the filters. A dense layer has one position.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import njit
from ..activations.programs import TILE
from ..gaussian import padded
from .elementwise import draw, evaluate
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


@njit
def _activate(function, source, target, tile, values, middle, scratch):
    """target = phi(source), a tile at a time in the precision of the tiles."""
    for begin in range(0, source.size, TILE):
        count = min(TILE, source.size - begin)
        for i in range(count):
            tile[0, i] = source[begin + i]
        evaluate(function, values, tile, values, middle, 0, 0, count, scratch)
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
def _pre_activations(h, variance, psi, edge, field, patches, factor, normals, spare, number, sample, stream, seed):
    """The pre-activations of a layer and their variances.

    Shapes: h, variance and psi are (positions m, channels).
    """
    channels = psi.shape[1]
    _gather(patches, _mixed(psi, field.columns) * field.scale, _mixed(edge, field.columns)[0] * field.scale,
            field.neighbours, field.taps)
    if not field.filters:
        long_cholesky(np.dot(patches, patches.T), factor)
    weights = patches if field.filters else factor
    draw(normals, spare, normals.size, 0, number, field.refinement, sample, stream, seed)
    drawn = normals.astype(np.float64) / np.sqrt(field.refinement)
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
def propagate(out, records, starts, inner, outer, field, begin, stream, seed, kind, scratch):
    """Carry samples begin, begin + 1, ... through the layers and write the states asked for.

    Shapes: out is (samples, len(records), channels, positions m), records ascend; starts are
        (samples or 1, channels, positions m). `kind` is an array of the dtype of normals and activations.
    """
    channels, size = starts.shape[1:]
    taps = len(field.taps) * channels
    patches, factor = np.empty((size, taps)), np.zeros((size, size))
    state, psi = np.empty(size * channels), np.empty((size, channels))
    h, branch, variance = np.empty((size, channels)), np.empty(size * channels), np.empty((size, channels))
    edge, zero = np.empty((1, channels)), np.zeros(channels)
    drawn = padded((taps if field.filters else size) * channels + channels)
    normals, spare = np.empty(drawn, kind.dtype), np.empty(drawn, kind.dtype)
    tile, values = np.empty((1, TILE), kind.dtype), np.empty((1, TILE), kind.dtype)
    middle = np.empty((2, TILE), kind.dtype)
    _activate(inner, zero, edge.reshape(-1), tile, values, middle, scratch)
    for i in range(len(out)):
        state[:] = np.ascontiguousarray(starts[i % len(starts)].T).reshape(-1)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _activate(inner, state, psi.reshape(-1), tile, values, middle, scratch)
                _pre_activations(h, variance, psi, edge, field, patches, factor, normals, spare, done, begin + i,
                                 stream, seed)
                _activate(outer, h.reshape(-1), branch, tile, values, middle, scratch)
                _move(state, branch, variance.reshape(-1), field.slope, field.curvature)
                done += 1
            _record(out[i, place], state, channels)
