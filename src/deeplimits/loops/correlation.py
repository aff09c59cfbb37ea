"""Compiled loops of the correlation SDE: z = artanh(correlation), whose noise is constant, on a block of paths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import FUSED, njit
from .._vectors import widest_vectors
from .lanes import LANES, add_scaled, draw, lanes_wanted


class Flow(NamedTuple):
    """How far z moves without noise in half a step and in a whole one, as cubics from `low` on.

    Below the floor all starts arrive at the same place.
    """

    half: NDArray
    full: NDArray
    low: float
    rate: float
    floor: float


@njit(fastmath=FUSED)
def _move(z, parts, cells, cubics, flow):
    """Move z by the tabulated displacement."""
    widest_vectors()
    low, rate, floor = flow.low, flow.rate, flow.floor
    zero, last = z.dtype.type(0), z.dtype.type(cubics.shape[1] - 1)
    for i in range(LANES):
        place = (z[i] - low) * rate
        place = place if place > zero else zero
        place = place if place < last else last
        cell = np.int32(place)
        cells[i] = np.uint32(cell)
        parts[i] = place - z.dtype.type(cell)
    for i in range(LANES):
        k, part = cells[i], parts[i]
        moved = cubics[0, k] + part * (cubics[1, k] + part * (cubics[2, k] + part * cubics[3, k]))
        z[i] = (z[i] if z[i] > floor else floor) + moved


@njit
def walk(out, records, start, spread, flow, noise):
    """Half a step without noise, then noise and whole steps in turn, and half a step where it is recorded."""
    half, begin = flow.half, noise.origin.sample
    z, shown, parts = np.empty(LANES, half.dtype), np.empty(LANES, half.dtype), np.empty(LANES, half.dtype)
    cells, none = np.empty(LANES, np.uint32), half.dtype.type(0)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        row, first, last = lanes_wanted(out, begin, block)
        z[:] = start
        _move(z, parts, cells, half, flow)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if done > 0:
                    _move(z, parts, cells, flow.full, flow)
                draw(noise, done, block)
                add_scaled(z, noise.normals[0], spread, none)
                done += 1
            if done == 0:
                out[row + first : row + last, place] = start
                continue
            shown[:] = z
            _move(shown, parts, cells, half, flow)
            for i in range(first, last):
                out[row + i, place] = shown[i]
