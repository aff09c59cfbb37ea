"""Compiled loops of the norm SDE: the inverse of a squared norm solves a linear equation, on a block of paths."""

from __future__ import annotations

import math

import numpy as np

from .._jit import FUSED, njit
from .lanes import LANES, add_scaled, draw, exponentials, lanes_wanted


@njit(fastmath=FUSED)
def _advance(inverse, growth, gained):
    """V' = b V (V - 1) for the inverse of V, growth = exp(b time) = 1 + gained: a large V keeps its digits."""
    for i in range(LANES):
        inverse[i] = inverse[i] * growth - gained


@njit
def _explode(inverse, before, ends, moment, b):
    """Note when paths reach 1/V = 0 in a drift step that began at `moment`; there they stay."""
    for i in range(LANES):
        if inverse[i] <= 0:
            if ends[i] == np.inf:
                ends[i] = moment - np.log1p(-before[i]) / b
            inverse[i] = 1.0


@njit
def _drift(inverse, before, ends, moment, b, time):
    before[:] = inverse
    _advance(inverse, math.exp(b * time), math.expm1(b * time))
    if b > 0:
        _explode(inverse, before, ends, moment, b)


@njit
def walk(out, records, start, b, step, times, values, noise):
    """Half a drift step, then noise and whole steps in turn, half a drift step where it is recorded."""
    begin, normals = noise.origin.sample, noise.normals
    inverse, before, shown, factor = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    ends, shown_ends = np.empty(LANES), np.empty(LANES)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        row, low, high = lanes_wanted(out, begin, block)
        inverse[:], ends[:] = start, np.inf
        _drift(inverse, before, ends, 0.0, b, step / 2)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if done > 0:
                    _drift(inverse, before, ends, (done - 0.5) * step, b, step)
                draw(noise, done, block)
                factor[:] = step
                add_scaled(factor, normals[0], -np.sqrt(2 * step), 0.0)
                exponentials(factor, times)
                inverse *= factor
                done += 1
            shown[:], shown_ends[:] = inverse, ends
            if done == 0:
                shown[:], shown_ends[:] = start, np.inf
            else:
                _drift(shown, before, shown_ends, (done - 0.5) * step, b, step / 2)
            for i in range(low, high):
                norm = 1 / shown[i] if shown_ends[i] == np.inf else np.inf
                out[row + i, place] = norm if values else shown_ends[i]
