"""Linear algebra of one Gram matrix and of rows of normals; covariances may be singular."""

from __future__ import annotations

import numpy as np

from .._jit import FINITE, REORDERED, njit
from .._vectors import widest_vectors

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
