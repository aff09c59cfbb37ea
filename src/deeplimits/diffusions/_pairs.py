"""Compiled loops of the covariance SDE for two inputs.

V is carried as growth of V11 and V22 and u = cot(angle), c = 1/sin(angle). Noise acts on u
by an affine map, so 1 - correlation keeps its digits when the inputs are nearly parallel.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ._grid import LANES
from ._lanes import FAST, add_scaled, draw, exponentials, lanes_wanted, look_up

#: Cotangents beyond this are not told apart: their squares must not overflow.
LARGEST = 1e100


@njit(nogil=True, cache=True, fastmath=FAST)
def _bend(u, c, gaps, places, cells, cubics, rate):
    """Move the angles along the flow of nu."""
    for i in range(LANES):
        # t = tan(angle/2) is 1/larger for an acute angle, else larger; q = t/(1 + t); 1 - rho = 2 t^2/(1 + t^2).
        larger = c[i] + abs(u[i])
        share = 1 / ((1 + larger) * larger * c[i])
        q, gaps[i] = larger * c[i] * share, (1 + larger) * share
        places[i] = (1 - q if u[i] < 0 else q) * rate
    look_up(places, cubics, cells)
    for i in range(LANES):
        # The gap is the smaller of 1 - rho and 1 + rho; the flow shrinks the first and widens the second.
        lost = places[i] if places[i] > 0 else 0.0
        gap = gaps[i] + (2 - gaps[i]) * lost if u[i] < 0 else gaps[i] * (1 - lost)
        c[i] = 1 / math.sqrt(gap * (2 - gap))
        u[i] = (gap - 1 if u[i] < 0 else 1 - gap) * c[i]


@njit(nogil=True, cache=True, fastmath=FAST)
def _shake(u, c, growth, logs, ratio, normals, step, spread, times, backwards):
    """V <- L A A^T L^T for a random triangular A = D (I + N), or (I + N) D when `backwards`.

    Then u = cot(angle) becomes D1/D2 u + N, or D1/D2 (u + N), and V11 grows as D1^2, V22 (sin angle)^2 as D2^2.
    """
    ratio[:] = step / 2
    add_scaled(ratio, normals[0], math.sqrt(step / 2), 0.0)
    add_scaled(ratio, normals[1], -math.sqrt(step / 2), 0.0)
    exponentials(ratio, times)
    add_scaled(logs[0], normals[0], math.sqrt(2 * step), -step)
    add_scaled(logs[1], normals[1], math.sqrt(2 * step), -2 * step)
    if backwards:
        add_scaled(u, normals[2], spread, 0.0)
    for i in range(LANES):
        u[i] *= ratio[i]
    if not backwards:
        add_scaled(u, normals[2], spread, 0.0)
    for i in range(LANES):
        u[i] = u[i] if u[i] < LARGEST else LARGEST
        u[i] = u[i] if u[i] > -LARGEST else -LARGEST
        outer = math.sqrt(1 + u[i] * u[i])
        change = outer / c[i]
        growth[i] *= change * change
        c[i] = outer


@njit(nogil=True, cache=True)
def _write(out, begin, block, place, V0, u, c, growth, logs):
    row, low, high = lanes_wanted(out, begin, block)
    for i in range(low, high):
        first = V0[0, 0] * math.exp(logs[0, i])
        second = V0[1, 1] * math.exp(logs[1, i]) * growth[i]
        out[row + i, place, 0, 0] = first
        out[row + i, place, 1, 1] = second
        out[row + i, place, 0, 1] = out[row + i, place, 1, 0] = u[i] / c[i] * math.sqrt(first * second)


@njit(nogil=True, cache=True)
def walk(out, begin, records, V0, start, step, spreads, times, half, full, rate, kind, refinement, stream, seed):
    """Noise and whole drift steps in turn; `start` is (u, c) after the first half of a drift step.

    Shapes: out (paths, records, 2, 2); half and full are the cubics of the drift, empty without one.
    """
    bends = half.size > 0
    u, c, ratio, growth = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    gaps, places, cells = np.empty(LANES), np.empty(LANES), np.empty(LANES, np.uint32)
    shown_u, shown_c, logs = np.empty(LANES), np.empty(LANES), np.empty((2, LANES))
    normals, extra = np.empty((3, LANES), kind.dtype), np.empty((3, LANES), kind.dtype)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        u[:], c[:], growth[:], logs[:] = start[0], start[1], 1, 0
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if bends and done > 0:
                    _bend(u, c, gaps, places, cells, full, rate)
                draw(normals, extra, done, refinement, block, stream, seed)
                _shake(u, c, growth, logs, ratio, normals, step, spreads[done % 2], times, done % 2 == 1)
                done += 1
            if done == 0:
                out[row + low : row + high, place] = V0
                continue
            shown_u[:], shown_c[:] = u, c
            if bends:
                _bend(shown_u, shown_c, gaps, places, cells, half, rate)
            _write(out, begin, block, place, V0, shown_u, shown_c, growth, logs)
