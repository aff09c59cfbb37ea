"""Compiled building blocks that act on a block of paths side by side.

The loops run over all lanes of a block, are free of branches and touch few arrays each: the
compiler vectorises a loop only when it can check that no two of its arrays overlap.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._jit import FUSED, njit
from .._vectors import widest_vectors
from ..activations import elementary
from ..gaussian import Address, fill, of_sample

#: Paths that are stepped side by side; sample i is lane i % LANES of block i // LANES.
LANES = 256

#: No normal of the stream is further out than this.
FARTHEST = 8.66


class Noise(NamedTuple):
    """What drives blocks of paths: the normals of a step, how many draws make them, and the address of the first path.

    Shapes: normals and spare are (count, LANES).
    """

    normals: NDArray
    spare: NDArray
    refinement: int
    origin: Address


class Drift(NamedTuple):
    """The drift of correlations over half a step and over a whole one, as cubics in `rate` cells; empty without one."""

    half: NDArray
    full: NDArray
    rate: float


def noise(count: int, dtype: DTypeLike, refinement: int, origin: Address) -> Noise:
    """The noise of a piece of the paths, `count` normals a step, with buffers of its own."""
    return Noise(np.empty((count, LANES), dtype), np.empty((count, LANES), dtype), refinement, origin)


@njit
def draw(noise, step, block):
    """Standard normals for one step of a block: the scaled sum of consecutive draws of the stream."""
    normals, spare, refinement = noise.normals, noise.spare, noise.refinement
    address = of_sample(noise.origin, block)
    fill(normals.reshape(-1), 0, step * refinement, address)
    for part in range(1, refinement):
        fill(spare.reshape(-1), 0, step * refinement + part, address)
        normals += spare
    if refinement > 1:
        normals *= normals.dtype.type(1 / math.sqrt(refinement))


def squarings(largest: float) -> int:
    """How often `exponentials` must square for arguments up to `largest` in size."""
    return max(0, math.ceil(math.log2(max(largest, 1e-300) / 0.25)))


@njit(fastmath=FUSED)
def exponentials(x, times):
    """Replace x by exp(x). In double precision: the Taylor polynomial of degree 11 at x/2^times, squared `times` times.

    The library function is not vectorised. Law: relative error below 2^times 2e-16 for |x| <= 2^times/4;
        3e-7 in single precision.
    """
    widest_vectors()
    if x.itemsize == 4:
        for i in range(LANES):
            x[i] = elementary.exp(x[i])
        return
    scale = 0.5**times
    for i in range(LANES):
        y = x[i] * scale
        p = 1 / 39916800
        for factor in (1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
            p = p * y + factor
        x[i] = p
    for _ in range(times):
        for i in range(LANES):
            x[i] *= x[i]


@njit(fastmath=FUSED)
def add_scaled(target, normals, spread, shift):
    """target += spread normals + shift."""
    widest_vectors()
    for i in range(LANES):
        target[i] += spread * normals[i] + shift


@njit(fastmath=FUSED)
def look_up(places, cubics, cells):
    """Replace places in a table, counted in cells from 0 to its last one, by the values there."""
    widest_vectors()
    for i in range(LANES):
        cell = np.int32(places[i])
        cells[i] = np.uint32(cell)
        places[i] -= places.dtype.type(cell)
    for i in range(LANES):
        k, part = cells[i], places[i]
        places[i] = cubics[0, k] + part * (cubics[1, k] + part * (cubics[2, k] + part * cubics[3, k]))


@njit(inline="always")
def lanes_wanted(out, begin, block):
    """The row of lane 0 of a block in a piece that begins at path `begin`, and the lanes inside the piece."""
    row = block * LANES - begin
    return row, max(0, -row), min(LANES, len(out) - row)
