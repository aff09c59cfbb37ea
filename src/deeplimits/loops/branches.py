"""What the loops of residual branches share: their law, their buffers, and the tree of differences of inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from .._jit import REORDERED, njit
from .._vectors import widest_vectors
from ..activations.programs import TILE
from ..gaussian import fill
from .elementwise import Function, Room, index


class Layer(NamedTuple):
    """The constants of a layer with independent weights; empty arrays stand for means of zero."""

    weight: float  # variance of the pre-activations for each unit of the mean of psi^2
    bias: float  # variance of the biases
    slope: float  # factor on the outer activation
    curvature: float  # drift for each unit of variance of the pre-activations
    refinement: int  # layers of the stream that are summed for one
    mean: NDArray[np.float64]  # (width, width), of the weights, or empty; only the loops of `narrow` know of means
    bias_mean: NDArray[np.float64]  # (width,), or empty


class Branches(NamedTuple):
    """Residual branches as compiled loops take them; the law of their weights is a `Layer`, or a `Field`."""

    inner: Function
    outer: Function
    law: NamedTuple


class State(NamedTuple):
    """The states, the Gram matrix of what enters a layer, and what the next layer needs of them."""

    x: NDArray  # (m, width), or (m, width LANES)
    gram: NDArray  # (m, m), or (m, m, LANES), as the others
    covariance: NDArray
    factor: NDArray
    rows: NDArray
    shift: NDArray
    parents: NDArray


class Work(NamedTuple):
    """Buffers of one thread for a tile of neurons."""

    normals: NDArray
    spare: NDArray
    branch: NDArray  # (m, TILE), as the others
    units: NDArray
    values: NDArray
    room: Room


@register_jitable
def buffers(size, inputs, prototype, scratch):
    """Empty buffers for so many normals, in the type of `prototype`."""
    kind, tile = prototype.dtype, (inputs, TILE)
    return Work(
        np.empty(size, kind),
        np.empty(size, kind),
        np.empty(tile, kind),
        np.empty(tile, kind),
        np.empty(tile, kind),
        Room(np.empty(tile, kind), np.empty((2, TILE), kind), scratch),
    )


@njit
def draw(normals, spare, size, start, layer, refinement, address):
    """Normals of a layer, or the sum of those of `refinement` finer layers."""
    fill(normals[:size], start, layer * refinement, address)
    for part in range(1, refinement):
        fill(spare[:size], start, layer * refinement + part, address)
        for i in range(size):
            normals[i] += spare[i]


@njit(fastmath=REORDERED)
def enter(units, state, a, begin, count):
    """units = a tile of the state, rounded."""
    widest_vectors()
    for i in range(index(count)):
        units[a, i] = state[a, index(begin) + i]


@njit
def load(start, state, parents, lanes, lane):
    """Write a start (width, m) as input 0 and differences from the parents."""
    for a in range(start.shape[1]):
        for d in range(start.shape[0]):
            state[a, d * lanes + lane] = start[d, a] - (start[d, parents[a]] if a > 0 else 0.0)


@njit
def store(out, state, parents, lanes, lane):
    """Write the state as (width, m): sum the differences along the tree."""
    for d in range(out.shape[0]):
        for a in range(out.shape[1]):
            out[d, a] = state[a, d * lanes + lane] + (out[d, parents[a]] if a > 0 else 0.0)


@njit
def nearest(start, parents):
    """The parent of each input but the first: the nearest one before it."""
    parents[0] = 0
    for a in range(1, start.shape[1]):
        shortest = np.inf
        for b in range(a):
            distance = 0.0
            for d in range(start.shape[0]):
                distance += (start[d, a] - start[d, b]) ** 2
            if distance < shortest:
                shortest, parents[a] = distance, b
