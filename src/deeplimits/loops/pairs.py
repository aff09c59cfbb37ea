"""Compiled loops of the covariance SDE for two inputs.

V is carried as growth of V11 and V22 and u = cot(angle), c = 1/sin(angle). Noise acts on u
by an affine map, so 1 - correlation keeps its digits when the inputs are nearly parallel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import FUSED, njit
from .._vectors import widest_vectors
from .lanes import LANES, add_scaled, draw, exponentials, lanes_wanted, look_up

#: Cotangents beyond this are not told apart, by the type of the state: its products must not overflow.
LARGEST = {np.dtype(np.float32): 1e12, np.dtype(np.float64): 1e100}


class Kick(NamedTuple):
    """The noise of a step, in the type of the state: sizes in the ratio of D, spreads of N in even and odd steps.

    `largest`: cotangents beyond it are not told apart; `times`: how often `exponentials` squares.
    """

    sizes: NDArray
    spreads: NDArray
    largest: float
    times: int


class State(NamedTuple):
    """Cotangents and inverse sines of the angles, growth of V22 beyond that of its mean, sums of normals."""

    u: NDArray
    c: NDArray
    growth: NDArray
    totals: NDArray


class Room(NamedTuple):
    """Buffers for a drift step."""

    gaps: NDArray
    places: NDArray
    cells: NDArray


@njit(fastmath=FUSED, error_model="numpy")
def _bend(u, c, room, cubics, rate):
    """Move the angles along the flow of nu."""
    widest_vectors()
    gaps, places, cells = room.gaps, room.places, room.cells
    none, one, two = u.dtype.type(0), u.dtype.type(1), u.dtype.type(2)
    for i in range(LANES):
        # t = tan(angle/2) is 1/larger for an acute angle, else larger; q = t/(1 + t); 1 - rho = 2 t^2/(1 + t^2).
        larger = c[i] + abs(u[i])
        share = one / ((one + larger) * larger * c[i])
        q, gaps[i] = larger * c[i] * share, (one + larger) * share
        places[i] = (one - q if u[i] < none else q) * rate
    look_up(places, cubics, cells)
    for i in range(LANES):
        # The gap is the smaller of 1 - rho and 1 + rho; the flow shrinks the first and widens the second.
        lost = places[i] if places[i] > none else none
        gap = gaps[i] + (two - gaps[i]) * lost if u[i] < none else gaps[i] * (one - lost)
        c[i] = one / math.sqrt(gap * (two - gap))
        u[i] = (gap - one if u[i] < none else one - gap) * c[i]


@njit(fastmath=FUSED, error_model="numpy")
def _shake(state, ratio, normals, kick, backwards):
    """V <- L A A^T L^T for a random triangular A = D (I + N), or (I + N) D when `backwards`.

    Then u = cot(angle) becomes D1/D2 u + N, or D1/D2 (u + N), and V11 grows as D1^2, V22 (sin angle)^2 as D2^2.
    """
    widest_vectors()
    u, c, growth, totals, sizes, largest = state.u, state.c, state.growth, state.totals, kick.sizes, kick.largest
    spread = kick.spreads[1 if backwards else 0]
    one, none = u.dtype.type(1), u.dtype.type(0)
    for i in range(LANES):
        ratio[i] = sizes[0] * (normals[0, i] - normals[1, i]) + sizes[1]
    exponentials(ratio, kick.times)
    for a in range(2):
        add_scaled(totals[a], normals[a], one, none)
    if backwards:
        add_scaled(u, normals[2], spread, none)
    for i in range(LANES):
        u[i] *= ratio[i]
    if not backwards:
        add_scaled(u, normals[2], spread, none)
    for i in range(LANES):
        u[i] = u[i] if u[i] < largest else largest
        u[i] = u[i] if u[i] > -largest else -largest
        outer = math.sqrt(one + u[i] * u[i])
        change = outer / c[i]
        growth[i] *= change * change
        c[i] = outer


@njit
def _write(out, begin, block, place, V0, u, state, step, done):
    growth, totals = state.growth, state.totals
    row, low, high = lanes_wanted(out, begin, block)
    spread, time = math.sqrt(2 * step), done * step
    for i in range(low, high):
        first = V0[0, 0] * math.exp(spread * totals[0, i] - time)
        second = V0[1, 1] * math.exp(spread * totals[1, i] - 2 * time) * growth[i]
        out[row + i, place, 0, 0] = first
        out[row + i, place, 1, 1] = second
        # In double precision, where a ratio of both cannot exceed 1.
        cotangent = np.float64(u[i])
        rho = cotangent / math.sqrt(1 + cotangent * cotangent)
        out[row + i, place, 0, 1] = out[row + i, place, 1, 0] = rho * math.sqrt(first) * math.sqrt(second)


@njit
def walk(out, records, V0, start, step, kick, drift, noise):
    """Noise and whole drift steps in turn; `start` is (u, c) after the first half of a drift step.

    Shapes: out (paths, records, 2, 2); `noise` has 3 normals a step. The type of `start`, `kick` and `drift` is
        that of the state.
    """
    bends, kind, begin = drift.half.size > 0, start.dtype, noise.origin.sample
    # One by one: the parts of an unpacked array are not known to be contiguous.
    state = State(np.empty(LANES, kind), np.empty(LANES, kind), np.empty(LANES, kind), np.empty((2, LANES), kind))
    room = Room(np.empty(LANES, kind), np.empty(LANES, kind), np.empty(LANES, np.uint32))
    u, c, ratio = state.u, state.c, np.empty(LANES, kind)
    shown_u, shown_c = np.empty(LANES, kind), np.empty(LANES, kind)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        u[:], c[:], state.growth[:], state.totals[:] = start[0], start[1], 1, 0
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if bends and done > 0:
                    _bend(u, c, room, drift.full, drift.rate)
                draw(noise, done, block)
                _shake(state, ratio, noise.normals, kick, done % 2 == 1)
                done += 1
            if done == 0:
                out[row + low : row + high, place] = V0
                continue
            shown_u[:], shown_c[:] = u, c
            if bends:
                _bend(shown_u, shown_c, room, drift.half, drift.rate)
            _write(out, begin, block, place, V0, shown_u, state, step, done)
