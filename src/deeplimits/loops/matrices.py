"""Compiled loops of the covariance SDE for any number of inputs: triangular algebra on a block of paths.

Matrices are (inputs, inputs, LANES), so that the innermost loops run over paths and vectorise.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import FUSED, njit
from .lanes import LANES, add_scaled, draw, exponentials, lanes_wanted, look_up
from .linear import PIVOT


@njit(fastmath=FUSED, error_model="numpy")
def _invert_root(root, variance):
    for i in range(LANES):
        root[i] = 1 / math.sqrt(variance[i])


@njit(fastmath=FUSED, error_model="numpy")
def _bend_pair(covariance, root, other, gaps, places, cells, cubics, rate):
    """Move one correlation along the flow of nu; root and other are the inverse standard deviations."""
    for i in range(LANES):
        epsilon = 1 - covariance[i] * root[i] * other[i]
        epsilon = epsilon if epsilon > 0 else 0.0
        gaps[i] = epsilon if epsilon < 2 else 2.0
    for i in range(LANES):
        near = math.sqrt(gaps[i])
        places[i] = near / (near + math.sqrt(2 - gaps[i])) * rate
    look_up(places, cubics, cells)
    for i in range(LANES):
        covariance[i] = (1 - gaps[i] * (1 - places[i])) / (root[i] * other[i])


@njit
def _bend(V, cubics, rate):
    roots, gaps, places = np.empty((len(V), LANES)), np.empty(LANES), np.empty(LANES)
    cells = np.empty(LANES, np.uint32)
    for a in range(len(V)):
        _invert_root(roots[a], V[a, a])
        for b in range(a):
            _bend_pair(V[a, b], roots[a], roots[b], gaps, places, cells, cubics, rate)


@njit(fastmath=FUSED, error_model="numpy")
def _add_product(target, a, b, sign):
    for i in range(LANES):
        target[i] += sign * a[i] * b[i]


@njit(fastmath=FUSED, error_model="numpy")
def _scale(target, a):
    for i in range(LANES):
        target[i] *= a[i]


@njit(fastmath=FUSED, error_model="numpy")
def _inverse_root(inverse, pivot, whole):
    """1/sqrt(pivot), or 0 where the pivot is only rounding: a direction that V does not have."""
    for i in range(LANES):
        inverse[i] = 1 / math.sqrt(pivot[i]) if pivot[i] > PIVOT * whole[i] else 0.0


@njit
def _factorise(V, factor, inverse):
    """Lower triangles with factor factor^T = V, also for singular V."""
    for b in range(len(V)):
        for a in range(b, len(V)):
            factor[a, b] = V[a, b]
            for k in range(b):
                _add_product(factor[a, b], factor[a, k], factor[b, k], -1.0)
            if a == b:
                _inverse_root(inverse, factor[b, b], V[b, b])
            _scale(factor[a, b], inverse)


@njit
def _multiply(V, factor):
    """V = factor factor^T, its lower triangle."""
    for a in range(len(V)):
        for b in range(a + 1):
            V[a, b] = 0
            for k in range(b + 1):
                _add_product(V[a, b], factor[a, k], factor[b, k], 1.0)


@njit
def _stretch(factor, diagonal):
    for a in range(len(factor)):
        for b in range(a + 1):
            _scale(factor[a, b], diagonal[b])


@njit
def _shake(factor, diagonal, normals, step, times, backwards):
    """factor <- factor A for a random triangular A.

    A = D (I + N_1) ... (I + N_m) with a diagonal D and N_k the entries below it in column k; backwards, the
    product in reverse. D is the exact law of the diagonal part. The variances of N make E[A A^T] the
    identity: with E[D_k^2] = exp(-k step), k = 0, 1, ..., they telescope.
    """
    inputs = len(factor)
    for k in range(inputs):
        diagonal[k] = -(k + 1) * step / 2
        add_scaled(diagonal[k], normals[k], math.sqrt(step / 2), 0.0)
        exponentials(diagonal[k], times)
    if not backwards:
        _stretch(factor, diagonal)
    for turn in range(inputs):
        column = inputs - 1 - turn if backwards else turn
        near, far = math.exp(-column * step), math.exp(-(column + 1) * step)
        spread = math.sqrt(near - far) if backwards else math.sqrt(1 / far - 1 / near)
        for k in range(column + 1, inputs):
            normal = normals[inputs + k * (k - 1) // 2 + column]
            for a in range(k, inputs):
                _add_product(factor[a, column], factor[a, k], normal, spread)
    if backwards:
        _stretch(factor, diagonal)


@njit
def _write(out, begin, block, place, V):
    row, low, high = lanes_wanted(out, begin, block)
    for a in range(len(V)):
        for b in range(a + 1):
            for i in range(low, high):
                out[row + i, place, a, b] = out[row + i, place, b, a] = V[a, b, i]


@njit
def walk(out, begin, records, V0, step, times, half, full, rate, kind, refinement, stream, seed):
    """Half a drift step, then noise and whole drift steps in turn, half a drift step where it is recorded.

    Shapes: out (paths, records, m, m); half and full are the cubics of the drift, empty without one.
    """
    bends = half.size > 0
    inputs = len(V0)
    count = inputs * (inputs + 1) // 2
    V, factor = np.empty((inputs, inputs, LANES)), np.empty((inputs, inputs, LANES))
    diagonal, inverse = np.empty((inputs, LANES)), np.empty(LANES)
    normals, extra = np.empty((count, LANES), kind.dtype), np.empty((count, LANES), kind.dtype)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        for i in range(LANES):
            V[:, :, i] = V0
        if bends and records[-1] > 0:
            _bend(V, half, rate)
        _factorise(V, factor, inverse)
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if bends and done > 0:
                    _multiply(V, factor)
                    _bend(V, full, rate)
                    _factorise(V, factor, inverse)
                draw(normals, extra, done, refinement, block, stream, seed)
                _shake(factor, diagonal, normals, step, times, done % 2 == 1)
                done += 1
            if done == 0:
                out[row + low : row + high, place] = V0
                continue
            _multiply(V, factor)
            if bends:
                _bend(V, half, rate)
            _write(out, begin, block, place, V)
