"""Compiled loop of the attention SDE: one path at a time, in steps that are halved where the tokens are large.

A step of the grid comes with its Brownian increment. Where the step is too long for the state of the path, the
increment is split at its middle, by a Brownian bridge, and the halves are taken one after the other. Whether to split
is decided by the state at the start alone, which knows nothing of the increment: the law of the noise is untouched.

The covariance is carried in an orthonormal basis of which the last vector is the mean of the tokens. So the part that
tells the tokens apart keeps its digits, however large their mean is or however close they come.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .._jit import njit
from ..gaussian import fill, of_sample
from .linear import cholesky

#: Counters of the normals that split increments; those of whole steps begin at 0.
SPLITS = 2**31


class Scheme(NamedTuple):
    """What a step knows besides the state: its length, the draws that make its noise, and the constants of the SDE.

    `values` is the rate of the noise of the values, `scores` the size of the noise of the scores, `sharp` that of
    the drift, `rest` what is added of the quadratic drift. A step takes at most `longest` units of the clock of the
    scores. A path has exploded when the differences of its tokens have passed `apart`, or the tokens `largest`.
    """

    step: float
    refinement: int
    values: float
    scores: float
    sharp: float
    rest: float
    longest: float
    apart: float
    largest: float
    halvings: int


class Buffers(NamedTuple):
    """Room for one path: matrices (m, m), vectors (m,), increments (halvings, normals) and their lengths."""

    factor: np.ndarray
    shaken: np.ndarray
    turned: np.ndarray
    mixed: np.ndarray
    sizes: np.ndarray
    deviations: np.ndarray
    along: np.ndarray
    spare: np.ndarray
    waiting: np.ndarray
    lengths: np.ndarray
    drawn: np.ndarray


@njit
def _buffers(m, halvings):
    count = m * m + m * (m + 1) // 2
    square, row = (m, m), m
    return Buffers(
        np.zeros(square),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square),
        np.zeros(row),
        np.zeros(row),
        np.zeros(row),
        np.zeros(row),
        np.zeros((halvings, count)),
        np.zeros(halvings),
        np.zeros(4 * ((count + 3) // 4), np.float32),
    )


@njit
def _curve(V, basis, work):
    """The variances of the tokens, and their deviations from the mean once centred, both in the basis.

    By these two vectors, v and w, the mean of the second order of attention is v w^T / (2 m).
    """
    m = len(V)
    for a in range(m):
        whole, centred = 0.0, 0.0
        for i in range(m):
            for j in range(m):
                part = basis[i, a] * basis[j, a] * V[i, j]
                whole += part
                centred += part if i < m - 1 and j < m - 1 else 0.0
        work.along[a], work.spare[a] = whole, centred
    for i in range(m):
        work.sizes[i] = work.deviations[i] = 0.0
        for a in range(m):
            work.sizes[i] += basis[i, a] * work.along[a]
            work.deviations[i] += basis[i, a] * work.spare[a] if i < m - 1 else 0.0


@njit
def _clock(V, work, sharp):
    """How fast the scores move the tokens: the rate of change relative to their size, of the noise and of the drift."""
    m, apart, pull, trace = len(V), 0.0, 0.0, 0.0
    for i in range(m):
        trace += V[i, i]
        apart += V[i, i] if i < m - 1 else 0.0
        for j in range(m):
            pull += work.deviations[i] * V[i, j] * work.deviations[j]
    return sharp * max((apart / m) ** 2, math.sqrt(max(trace * pull, 0.0)) / (2 * m))


@njit
def _shake(work, increments, length, rate):
    """The factor times a random triangle A with E[A A^T] = I, the noise of the values."""
    m, time = len(work.factor), rate * length
    root, spread = math.sqrt(rate), math.sqrt(rate / 2)
    work.shaken[:] = 0.0
    for k in range(m):
        stretch = math.exp(spread * increments[m * m + k] - (k + 1) * time / 2)
        thin = root * math.sqrt(-math.expm1(-k * time) / (k * time) if k * time > 0 else 1.0)
        place = m * m + m + k * (k - 1) // 2
        for a in range(k, m):
            work.shaken[a, k] += work.factor[a, k] * stretch
            for b in range(k):
                work.shaken[a, b] += work.factor[a, k] * thin * increments[place + b]


@njit
def _turn(work, increments, scores):
    """Add the noise of the scores, B = L N L^T P / m times the factor, for the matrix of increments N."""
    m = len(work.factor)
    for k in range(m):
        for c in range(m):
            work.turned[k, c] = 0.0
            for d in range(max(c, k), m - 1):
                work.turned[k, c] += work.factor[d, k] * work.shaken[d, c]
    for k in range(m):
        for c in range(m):
            work.mixed[k, c] = 0.0
            for j in range(m - 1):
                work.mixed[k, c] += increments[k * m + j] * work.turned[j, c]
    for a in range(m):
        for c in range(m):
            moved = 0.0
            for k in range(a + 1):
                moved += work.factor[a, k] * work.mixed[k, c]
            work.turned[a, c] = work.shaken[a, c] + scores / m * moved


@njit
def _advance(V, work, increments, length, scheme):
    """One step of a path: values, scores, and what remains of the drift, each of which keeps V a covariance."""
    m, quadratic = len(V), 0.0
    for i in range(m - 1):
        for j in range(m - 1):
            quadratic += (V[i, j] / m) ** 2
    cholesky(V, work.factor)
    _shake(work, increments, length, scheme.values)
    _turn(work, increments, scheme.scores)
    for a in range(m):
        for b in range(a + 1):
            moved = scheme.rest * length * quadratic * V[a, b]
            for k in range(m):
                moved += work.turned[a, k] * work.turned[b, k]
            V[a, b] = V[b, a] = moved
    pull, whole = scheme.sharp * length / (2 * m), 0.0
    for a in range(m):
        work.along[a] = 0.0
        for b in range(m):
            work.along[a] += V[a, b] * work.deviations[b]
        whole += work.along[a] * work.deviations[a]
    for a in range(m):
        for b in range(a + 1):
            both = work.sizes[a] * work.along[b] + work.along[a] * work.sizes[b]
            V[a, b] += pull * (both + pull * work.sizes[a] * work.sizes[b] * whole)
            V[b, a] = V[a, b]


@njit
def _halve(work, level, number, address):
    """Split the increment at a level: its second half stays there, the first stands one level deeper."""
    work.lengths[level] /= 2
    work.lengths[level + 1] = work.lengths[level]
    root = math.sqrt(work.lengths[level] / 2)
    fill(work.drawn, SPLITS, number, address)
    for i in range(work.waiting.shape[1]):
        first = work.waiting[level, i] / 2 + root * work.drawn[i]
        work.waiting[level + 1, i] = first
        work.waiting[level, i] -= first


@njit
def _exploded(V, scheme):
    apart = np.trace(V[:-1, :-1])
    return not (apart < scheme.apart and apart + V[-1, -1] < scheme.largest)


@njit
def _cross(V, basis, work, scheme, number, address):
    """One step of the grid, in as many parts as the path needs; whether the path goes on, and the next split."""
    work.lengths[0], level = scheme.step, 0
    while level >= 0:
        _curve(V, basis, work)
        clock = _clock(V, work, scheme.sharp)
        while work.lengths[level] * clock > scheme.longest and level + 1 < scheme.halvings:
            _halve(work, level, number, address)
            number, level = number + 1, level + 1
        _advance(V, work, work.waiting[level], work.lengths[level], scheme)
        level -= 1
        if _exploded(V, scheme):
            return False, number
    return True, number


@njit
def _increment(work, step, scheme, address):
    """The Brownian increment of a step of the grid, the sum of consecutive draws of the stream."""
    scale = math.sqrt(scheme.step / scheme.refinement)
    work.waiting[0] = 0.0
    for part in range(scheme.refinement):
        fill(work.drawn, 0, step * scheme.refinement + part, address)
        for i in range(work.waiting.shape[1]):
            work.waiting[0, i] += scale * work.drawn[i]


@njit
def walk(out, records, start, basis, scheme, origin):
    """Paths of the covariance of tokens, infinite from their explosion on.

    Shapes: out (paths, records, m, m); start (m, m) and the results are in the basis (m, m), whose last row is
        the mean of the tokens.
    """
    V, work = np.empty(start.shape), _buffers(len(start), scheme.halvings)
    for path in range(len(out)):
        address = of_sample(origin, origin.sample + path)
        V[:] = start
        done, number, alive = 0, 0, True
        for place in range(len(records)):
            while alive and done < records[place]:
                _increment(work, done, scheme, address)
                alive, number = _cross(V, basis, work, scheme, number, address)
                done += 1
            if alive:
                out[path, place] = V
            else:
                out[path, place] = np.inf
