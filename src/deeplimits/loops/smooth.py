"""Compiled loops of the covariance SDE for smooth activations, through explosions.

Variances follow v' = b v (v - 1), solved exactly. Correlations follow, with w = sqrt(v),
R' = p [w w^T (1 + 2 R^2) - 3/2 R (v + v^T)], element by element: the correlations of a solution of
V' = p (v v^T + 2 V^2). Its Euler steps add Schur products of positive semi-definite matrices, so
they, and the mean of a start and two of them (Heun), stay in the cone whatever the step.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import FUSED, njit
from .lanes import LANES, draw, lanes_wanted
from .linear import factorise, multiply, shake

#: The smallest variance that is carried: inverses and products of roots stay finite.
SMALLEST = 1e-300


@njit(fastmath=FUSED, error_model="numpy")
def grow(variance, middle, after, half, whole):
    """The inverse variance half-way and at the end of a drift step, by how much 1/V - 1 grows: large V keep digits."""
    for i in range(LANES):
        variance[i] = variance[i] if variance[i] > SMALLEST else SMALLEST
        inverse = 1 / variance[i]
        middle[i] = inverse + (inverse - 1) * half
        after[i] = inverse + (inverse - 1) * whole


@njit
def explode(variance, after, ends, moment, b):
    """Note when a variance becomes infinite in a drift step that began at `moment`."""
    for i in range(LANES):
        if after[i] <= 0:
            ends[i] = min(ends[i], moment - math.log1p(-1 / variance[i]) / b)


@njit(fastmath=FUSED, error_model="numpy")
def _correlate(covariance, variance, other, middle, other_middle, after, other_after, p, time):
    """Move one covariance between the variances before and after."""
    for i in range(LANES):
        # Started half a step of v' = 3 p v^2 before the middle, the Heun step is centred there.
        v, w = 1 / (middle[i] + 1.5 * p * time), 1 / (other_middle[i] + 1.5 * p * time)
        # Roots of single variances: a product of two small ones would underflow.
        x = covariance[i] / (math.sqrt(variance[i]) * math.sqrt(other[i])) * (math.sqrt(v) * math.sqrt(w))
        speed = p * time
        x1, v1, w1 = x + speed * (v * w + 2 * x * x), v + 3 * speed * v * v, w + 3 * speed * w * w
        x2 = x + x1 + speed * (v1 * w1 + 2 * x1 * x1)
        v2, w2 = v + v1 + 3 * speed * v1 * v1, w + w1 + 3 * speed * w1 * w1
        covariance[i] = x2 / (math.sqrt(v2 * after[i]) * math.sqrt(w2 * other_after[i]))


@njit
def _drift(V, after, middle, ends, moment, b, p, time):
    """One drift step. Paths that explode in it get their time in `ends` and go on from the identity, unseen."""
    half, whole = math.expm1(b * time / 2), math.expm1(b * time)
    for a in range(len(V)):
        grow(V[a, a], middle[a], after[a], half, whole)
        explode(V[a, a], after[a], ends, moment, b)
    for i in range(LANES):
        if ends[i] < np.inf:
            V[:, :, i] = np.eye(len(V))
            middle[:, i] = after[:, i] = 1
    for a in range(len(V)):
        for c in range(a):
            _correlate(V[a, c], V[a, a], V[c, c], middle[a], middle[c], after[a], after[c], p, time)
    for a in range(len(V)):
        for i in range(LANES):
            V[a, a, i] = 1 / after[a, i]


@njit
def _stop(V, final, ends, radius, moment):
    """Stop the paths with a variance beyond the radius."""
    for i in range(LANES):
        for a in range(len(V)):
            if V[a, a, i] >= radius and ends[i] == np.inf:
                ends[i] = moment
                final[:, :, i] = V[:, :, i]


@njit
def write(out, times, row, low, high, place, V, final, ends):
    for i in range(low, high):
        times[row + i] = ends[i]
        for a in range(len(V)):
            for b in range(a + 1):
                value = final[a, b, i] if ends[i] < np.inf else V[a, b, i]
                out[row + i, place, a, b] = out[row + i, place, b, a] = value


@njit
def walk(out, times, records, V0, step, squarings, b, p, radius, noise):
    """Half a drift step, noise, half a drift step.

    Shapes: out (paths, records, m, m); times (paths,) become the times of explosion or stopping, or infinity;
        `noise` has m (m + 1) / 2 normals a step.
    """
    inputs, begin = len(V0), noise.origin.sample
    V, factor, final = (
        np.empty((inputs, inputs, LANES)),
        np.empty((inputs, inputs, LANES)),
        np.empty((inputs, inputs, LANES)),
    )
    after, middle, diagonal = np.empty((inputs, LANES)), np.empty((inputs, LANES)), np.empty((inputs, LANES))
    inverse, ends = np.empty(LANES), np.empty(LANES)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        for i in range(LANES):
            V[:, :, i] = V0
        ends[:], final[:] = np.inf, np.inf
        _stop(V, final, ends, radius, 0.0)
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                _drift(V, after, middle, ends, done * step, b, p, step / 2)
                factorise(V, factor, inverse)
                draw(noise, done, block)
                shake(factor, diagonal, noise.normals, step, squarings, done % 2 == 1)
                multiply(V, factor)
                _drift(V, after, middle, ends, (done + 0.5) * step, b, p, step / 2)
                done += 1
                _stop(V, final, ends, radius, done * step)
            write(out, times, row, low, high, place, V, final, ends)
