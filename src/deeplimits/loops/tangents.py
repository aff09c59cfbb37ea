"""Compiled loops of the tangent SDE for smooth activations: norms as in `smooth`, tangents carried with them.

Without noise the squared norm V goes to V_t by V' = b V (V - 1), and an inner product C with it to
C (V_t/V_0)^2 exp(b t), since C follows the derivative of that flow. What is left of a tangent beside the input,
S = U - C C^T / V, follows S' = (p V - b) S + 3 q C C^T with p = b + q and q = phi''^2 / (4 a^2): a positive
source, so the Gram matrix stays positive semi-definite at any step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .._checks import FloatArray
from .._jit import FUSED, njit
from .lanes import LANES, draw, lanes_wanted
from .linear import factorise, multiply, shake
from .smooth import explode, grow, write


class Room(NamedTuple):
    """Buffers of a drift step: the inverse norm half-way and at its end, and what happens to tangents."""

    middle: FloatArray
    after: FloatArray
    gains: FloatArray
    sources: FloatArray
    decays: FloatArray


@njit
def _growth(V, b, q, time):
    """By how much an inner product with the input grows, and S without its source, while V flows for a time."""
    shift = V * math.expm1(-b * time)
    integral = -math.log1p(shift) / b if b != 0 else V * time
    # V_t / V_0 is shrunk by exp(-b t) against 1 / (1 + shift) = exp(b int V dt).
    share = math.exp(-b * time) / (1 + shift)
    return share / (1 + shift), share * math.exp(q * integral)


@njit
def _carry(V, gains, sources, decays, b, q, time):
    """What a drift step does to tangents: C -> gain C, S -> decay S + source C C^T."""
    for i in range(LANES):
        middle, middle_decay = _growth(V[i], b, q, time / 2)
        gains[i], decays[i] = _growth(V[i], b, q, time)
        # Simpson's rule for the integral of 3 q C^2 / decay.
        total = 1 + 4 * middle * middle / middle_decay + gains[i] * gains[i] / decays[i]
        sources[i] = q * time / 2 * total * decays[i]


@njit(fastmath=FUSED)
def _move(U, C, D, V, after, gains, sources, decays):
    """Move the inner product U of two tangents whose products with the input are C and D."""
    for i in range(LANES):
        product = C[i] * D[i]
        rest = decays[i] * (U[i] - product / V[i]) + sources[i] * product
        U[i] = rest + gains[i] * gains[i] * product * after[i]


@njit
def _drift(M, room, ends, moment, b, q, time):
    """One drift step. Paths that explode in it get their time in `ends` and go on from the identity, unseen."""
    V, middle, after, gains, sources, decays = M[0, 0], room.middle, room.after, room.gains, room.sources, room.decays
    grow(V, middle, after, math.expm1(b * time / 2), math.expm1(b * time))
    explode(V, after, ends, moment, b)
    for i in range(LANES):
        if ends[i] < np.inf:
            M[:, :, i] = np.eye(len(M))
            middle[i] = after[i] = 1
    _carry(V, gains, sources, decays, b, q, time)
    for a in range(1, len(M)):
        for c in range(1, a + 1):
            _move(M[a, c], M[a, 0], M[c, 0], V, after, gains, sources, decays)
    for a in range(1, len(M)):
        for i in range(LANES):
            M[a, 0, i] *= gains[i]
    for i in range(LANES):
        V[i] = 1 / after[i]


@njit
def walk(out, times, records, start, step, squarings, b, q, noise):
    """Half a drift step, noise, half a drift step.

    Shapes: out (paths, records, 1 + k, 1 + k); times (paths,) become the times of explosion, or infinity;
        `noise` has as many normals a step as a triangle has entries.
    """
    size, begin = len(start), noise.origin.sample
    M, factor, final = np.empty((size, size, LANES)), np.empty((size, size, LANES)), np.empty((size, size, LANES))
    room = Room(np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES))
    diagonal, inverse, ends = np.empty((size, LANES)), np.empty(LANES), np.empty(LANES)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        for i in range(LANES):
            M[:, :, i] = start
        ends[:], final[:] = np.inf, np.inf
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _drift(M, room, ends, done * step, b, q, step / 2)
                factorise(M, factor, inverse)
                draw(noise, done, block)
                shake(factor, diagonal, noise.normals, step, squarings, done % 2 == 1)
                multiply(M, factor)
                _drift(M, room, ends, (done + 0.5) * step, b, q, step / 2)
                done += 1
            write(out, times, row, low, high, place, M, final, ends)
