"""Compiled loops of the covariance SDE for any number of inputs, on a block of paths side by side."""

from __future__ import annotations

import math

import numpy as np

from .._jit import FUSED, njit
from .lanes import LANES, draw, lanes_wanted, look_up
from .linear import factorise, multiply, shake


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


@njit
def _write(out, begin, block, place, V):
    row, low, high = lanes_wanted(out, begin, block)
    for a in range(len(V)):
        for b in range(a + 1):
            for i in range(low, high):
                out[row + i, place, a, b] = out[row + i, place, b, a] = V[a, b, i]


@njit
def walk(out, records, V0, step, times, drift, noise):
    """Half a drift step, then noise and whole drift steps in turn, half a drift step where it is recorded.

    Shapes: out (paths, records, m, m); `noise` has m (m + 1) / 2 normals a step.
    """
    half, full, rate, begin = drift.half, drift.full, drift.rate, noise.origin.sample
    bends = half.size > 0
    inputs = len(V0)
    V, factor = np.empty((inputs, inputs, LANES)), np.empty((inputs, inputs, LANES))
    diagonal, inverse = np.empty((inputs, LANES)), np.empty(LANES)
    for block in range(begin // LANES, (begin + len(out) - 1) // LANES + 1):
        for i in range(LANES):
            V[:, :, i] = V0
        if bends and records[-1] > 0:
            _bend(V, half, rate)
        factorise(V, factor, inverse)
        row, low, high = lanes_wanted(out, begin, block)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                if bends and done > 0:
                    multiply(V, factor)
                    _bend(V, full, rate)
                    factorise(V, factor, inverse)
                draw(noise, done, block)
                shake(factor, diagonal, noise.normals, step, times, done % 2 == 1)
                done += 1
            if done == 0:
                out[row + low : row + high, place] = V0
                continue
            multiply(V, factor)
            if bends:
                _bend(V, half, rate)
            _write(out, begin, block, place, V)
