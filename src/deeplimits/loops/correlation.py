"""Compiled loops of the correlation SDE: z = artanh(correlation), whose noise is constant, on a block of paths."""

from __future__ import annotations

import numpy as np

from .._jit import FUSED, njit
from .._vectors import widest_vectors
from ..gaussian import CORRELATION_PATHS
from .lanes import LANES, add_scaled, draw, lanes_wanted


@njit(fastmath=FUSED)
def _flow(z, parts, cells, cubics, low, rate, floor):
    """Move z by the tabulated displacement; below the floor all starts arrive at the same place."""
    widest_vectors()
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
def _walk(out, begin, records, start, noise, refinement, half, full, low, rate, floor, seed):
    """Half a step without noise, then noise and whole steps in turn, and half a step where it is recorded."""
    z, shown, parts = np.empty(LANES, half.dtype), np.empty(LANES, half.dtype), np.empty(LANES, half.dtype)
    normals, extra = np.empty((1, LANES), half.dtype), np.empty((1, LANES), half.dtype)
    cells, none = np.empty(LANES, np.uint32), half.dtype.type(0)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        row, first, last = lanes_wanted(out, begin, block)
        z[:] = start
        _flow(z, parts, cells, half, low, rate, floor)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if done > 0:
                    _flow(z, parts, cells, full, low, rate, floor)
                draw(normals, extra, done, refinement, block, CORRELATION_PATHS, seed)
                add_scaled(z, normals[0], noise, none)
                done += 1
            if done == 0:
                out[row + first : row + last, place] = start
                continue
            shown[:] = z
            _flow(shown, parts, cells, half, low, rate, floor)
            for i in range(first, last):
                out[row + i, place] = shown[i]

