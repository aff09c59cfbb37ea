"""Triangular algebra of covariances, which may be singular: of one, and of a block of them side by side.

Those of a block are (inputs, inputs, LANES), so that the innermost loops run over its paths and vectorise.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import FINITE, FUSED, REORDERED, njit
from .._vectors import widest_vectors
from .lanes import LANES, add_scaled, exponentials

#: A squared pivot below this share of its diagonal is rounding: the direction is absent.
PIVOT = 1e-14


@njit
def cholesky(gram, factor):
    """The lower triangular factor of a Gram matrix; a direction that is absent gets a column of zeros."""
    for j in range(len(gram)):
        for i in range(j, len(gram)):
            rest = gram[i, j]
            for k in range(j):
                rest -= factor[i, k] * factor[j, k]
            if i == j:
                factor[j, j] = np.sqrt(rest) if rest > PIVOT * gram[j, j] else 0.0
            else:
                factor[i, j] = rest / factor[j, j] if factor[j, j] > 0 else 0.0


@njit(fastmath=FINITE)
def overlap(factor, i, j, count):
    """The product of the beginnings of two rows."""
    total = 0.0
    for k in range(count):
        total += factor[i, k] * factor[j, k]
    return total


@njit
def long_cholesky(gram, factor):
    """`cholesky` for hundreds of rows: sums are reordered, so that they become vectors."""
    for j in range(len(gram)):
        square = gram[j, j] - overlap(factor, j, j, j)
        root = np.sqrt(square) if square > PIVOT * gram[j, j] else 0.0
        factor[j, j] = root
        for i in range(j + 1, len(gram)):
            factor[i, j] = (gram[i, j] - overlap(factor, i, j, j)) / root if root > 0 else 0.0


@njit
def congruence(gram, change):
    """gram = change gram change^T in place, for a lower triangular change.

    Rows and columns are replaced from the last to the first, since each needs only those before it.
    """
    inputs = len(gram)
    for a in range(inputs - 1, -1, -1):
        for b in range(inputs):
            total = 0.0
            for k in range(a + 1):
                total += change[a, k] * gram[k, b]
            gram[a, b] = total
    for b in range(inputs - 1, -1, -1):
        for a in range(inputs):
            total = 0.0
            for k in range(b + 1):
                total += gram[a, k] * change[b, k]
            gram[a, b] = total


@njit
def complete(gram):
    """Copy the lower triangle to the upper one."""
    for a in range(len(gram)):
        for b in range(a):
            gram[b, a] = gram[a, b]


@njit(fastmath=REORDERED)
def combine(target, normals, coefficients, count):
    """target = the sum of the rows of normals, `count` long each, weighted."""
    widest_vectors()
    first = target.dtype.type(coefficients[0])
    for i in range(count):
        target[i] = first * normals[i]
    for k in range(1, len(coefficients)):
        weight = target.dtype.type(coefficients[k])
        for i in range(count):
            target[i] += weight * normals[k * count + i]


@njit(fastmath=FINITE)
def times(out, values, gain):
    """out = gain values."""
    widest_vectors()
    for i in range(len(out)):
        out[i] = gain * values[i]


@njit(fastmath=FINITE)
def times_difference(out, values, before, gain):
    """out = gain (values - before)."""
    widest_vectors()
    for i in range(len(out)):
        out[i] = gain * (values[i] - before[i])


@njit(fastmath=FINITE)
def product(out, values):
    """out *= values."""
    widest_vectors()
    for i in range(len(out)):
        out[i] *= values[i]


@njit(fastmath=FINITE)
def beyond(out, start, step, length):
    """out = start + length step."""
    widest_vectors()
    for i in range(len(out)):
        out[i] = start[i] + length * step[i]


@njit(fastmath=FINITE)
def _dot(a, b):
    """The product, with its sum in double precision.

    The Gram matrix of nearly dependent inputs needs it: rounding of its entries would pass for
    directions, and the factor divides by their small pivots.
    """
    widest_vectors()
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@njit
def add_products(gram, values, a, count):
    """Add the products of input a with itself and those before it to the Gram matrix."""
    for b in range(a + 1):
        gram[a, b] += _dot(values[a, :count], values[b, :count])


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
def factorise(V, factor, inverse):
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
def multiply(V, factor):
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
def shake(factor, diagonal, normals, step, times, backwards):
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
