"""Compiled loops of the row sampler: Gaussian rows in, covariance out.

Inputs are carried as unit vectors with their variances. Each input but the first is
stored as its difference from a close one before it (its parent), so that 1 - correlation
survives where two inputs are nearly parallel. `gram` is the Gram matrix in these coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._checks import FloatArray
from .._jit import njit
from ..activations import correlation_of
from ..gaussian import fill, widest_vectors

#: Neurons handled at once: their normals and activations stay in the first-level cache.
NEURONS = 512

#: A squared pivot below this share of its diagonal is rounding: the direction is absent.
PIVOT = 1e-14

FAST = {"contract", "nsz", "reassoc", "nnan"}


def tree_coordinates(V0: FloatArray) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Parents, variances and Gram matrix of unit differences for a covariance.

    Shapes: (m, m) in; (m,), (m,) and (m, m) out. Input 0 has itself as parent.
    """
    rho = correlation_of(V0)
    inputs = len(V0)
    parents = np.zeros(inputs, np.int64)
    change = np.eye(inputs)
    for i in range(1, inputs):
        parents[i] = np.argmax(rho[i, :i])
        change[i, parents[i]] = -1
    return parents, np.diag(V0).copy(), change @ rho @ change.T


def workspace(width: int, inputs: int, dtype: DTypeLike) -> list[NDArray]:
    """Empty buffers for one thread: normals, units, activations.

    Shapes: the size of a block of neurons, whatever the width.
    """
    neurons = min(width, NEURONS)
    normals = 32 * -(-neurons * inputs // 32)
    return [np.empty(normals, dtype), np.empty((inputs, neurons), dtype), np.empty((inputs, neurons), dtype)]


@njit
def _cholesky(gram, factor):
    for j in range(len(gram)):
        for i in range(j, len(gram)):
            rest = gram[i, j]
            for k in range(j):
                rest -= factor[i, k] * factor[j, k]
            if i == j:
                factor[j, j] = np.sqrt(rest) if rest > PIVOT * gram[j, j] else 0.0
            else:
                factor[i, j] = rest / factor[j, j] if factor[j, j] > 0 else 0.0


@njit(fastmath=FAST)
def _combine(target, normals, coefficients, count):
    """target = sum of the rows of normals, weighted."""
    widest_vectors()
    first = target.dtype.type(coefficients[0])
    for i in range(count):
        target[i] = first * normals[i]
    for k in range(1, len(coefficients)):
        weight = target.dtype.type(coefficients[k])
        for i in range(count):
            target[i] += weight * normals[k * count + i]


@njit(fastmath=FAST)
def _activate(activation, unit, mean, half):
    """phi(x) = mean x + half |x|."""
    widest_vectors()
    for i in range(len(unit)):
        activation[i] = mean * unit[i] + half * abs(unit[i])


@njit(fastmath=FAST)
def _activate_difference(activation, unit, parent, mean, half):
    """phi(x + e) - phi(x) without cancellation, and unit becomes x + e.

    With a = e sign(x): |x + e| - |x| is a where the sign stays and -a - 2|x| where it flips,
    and it is always the larger of the two. (The built-in maximum would check for NaN.)
    """
    widest_vectors()
    for i in range(len(unit)):
        x, e = parent[i], unit[i]
        size = abs(x)
        along = e if x >= 0 else -e
        beyond = -along - size - size
        activation[i] = mean * e + half * (along if along > beyond else beyond)
        unit[i] = x + e


@njit(fastmath=FAST)
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


@njit
def _layer(gram, parents, factor, width, slopes, sample, layer, stream, seed, normals, units, activations):
    """Replace `gram` by the sum over neurons of products of activation differences."""
    inputs = len(gram)
    _cholesky(gram, factor)
    gram[:] = 0
    mean, half = units.dtype.type(slopes[0]), units.dtype.type(slopes[1])
    counter = 0
    for begin in range(0, width, NEURONS):
        count = min(NEURONS, width - begin)
        drawn = normals[: 32 * ((count * inputs + 31) // 32)]
        fill(drawn, counter, layer, sample, stream, seed)
        counter += len(drawn) // 4
        for a in range(inputs):
            unit, activation = units[a, :count], activations[a, :count]
            _combine(unit, drawn, factor[a, : a + 1], count)
            if a == 0:
                _activate(activation, unit, mean, half)
            else:
                _activate_difference(activation, unit, units[parents[a], :count], mean, half)
            add_products(gram, activations, a, count)


@njit(inline="always")
def _inverse_root(square):
    """1 / sqrt(square), and 0 for an input whose layer is dead: its unit vector becomes 0."""
    return 1 / np.sqrt(square) if square > 0 else 0.0


@njit
def _renormalise(gram, parents, variance, scale, change, inverse, square):
    """Return to unit vectors: absorb the new norms into the variances.

    With r = 1/norm, the new difference of input a from its parent p is
    r_a (x_a - x_p) + (r_a - r_p) x_p, and x_p is the sum of the differences on its path.
    """
    inputs = len(gram)
    for a in range(inputs):
        for b in range(a):
            gram[b, a] = gram[a, b]
    change[:] = 0
    square[0] = gram[0, 0]
    inverse[0] = _inverse_root(square[0])
    change[0, 0] = inverse[0]
    for a in range(1, inputs):
        parent = parents[a]
        gained, node = 0.0, parent
        while True:
            gained += 2 * gram[node, a]
            if node == 0:
                break
            node = parents[node]
        gained += gram[a, a]
        square[a] = square[parent] + gained
        inverse[a] = _inverse_root(square[a])
        if inverse[a] > 0 and inverse[parent] > 0:
            # 1/sqrt(s') - 1/sqrt(s) from s' - s, so that nearly equal norms keep their digits.
            difference = -gained * inverse[a] * inverse[parent] / (np.sqrt(square[a]) + np.sqrt(square[parent]))
        else:
            difference = inverse[a] - inverse[parent]
        change[a, a] = inverse[a]
        node = parent
        while True:
            change[a, node] += difference
            if node == 0:
                break
            node = parents[node]
    for a in range(inputs):
        variance[a] *= scale * max(square[a], 0.0)
    _congruence(gram, change)


@njit
def _congruence(gram, change):
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
def _write(out, gram, parents, variance, change):
    """The covariance itself: sum the differences along the paths, then restore the norms."""
    inputs = len(gram)
    change[:] = 0
    for a in range(inputs):
        node = a
        change[a, a] = 1
        while node != 0:
            node = parents[node]
            change[a, node] = 1
    out[:] = gram
    _congruence(out, change)
    for a in range(inputs):
        for b in range(inputs):
            out[a, b] = variance[a] if a == b else out[a, b] * np.sqrt(variance[a]) * np.sqrt(variance[b])


@njit
def propagate(
    out, layers, parents, start_variance, start_gram, width, slopes, scale,
    first, stream, seed, normals, units, activations,
):
    """Carry samples first, first + 1, ... through the layers and write the covariances asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend; the buffers come from `workspace`.
    """
    gram = np.empty_like(start_gram)
    factor, change = np.zeros_like(gram), np.zeros_like(gram)
    variance, inverse, square = np.empty((3, len(gram)))
    for i in range(len(out)):
        gram[:] = start_gram
        variance[:] = start_variance
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                _layer(gram, parents, factor, width, slopes, first + i, done, stream, seed,
                       normals, units, activations)
                _renormalise(gram, parents, variance, scale, change, inverse, square)
                done += 1
            _write(out[i, place], gram, parents, variance, change)


@njit(fastmath=FAST)
def _pair_sums(normals, count, across, beside, mean, half):
    """Sums of phi(x)^2, phi(x) d and d^2 over neurons, d = phi(x + e) - phi(x), in one pass."""
    widest_vectors()
    kind = normals.dtype.type
    along_x, along_y = kind(across), kind(beside)
    squares, products, differences = kind(0), kind(0), kind(0)
    for i in range(count):
        x = normals[i]
        e = along_x * x + along_y * normals[count + i]
        size = abs(x)
        along = e if x >= 0 else -e
        beyond = -along - size - size
        value = mean * x + half * size
        difference = mean * e + half * (along if along > beyond else beyond)
        squares += value * value
        products += value * difference
        differences += difference * difference
    return squares, products, differences


@njit
def propagate_pair(out, layers, V0, epsilon0, width, slopes, scale, first, stream, seed, normals):
    """The loop of `propagate` for two inputs, with the state in three numbers: both norms and 1 - correlation.

    The unit vectors are g and (1 - epsilon) g + sqrt(epsilon (2 - epsilon)) g'; their difference
    is carried. Same normals, same law, several times faster at small width.
    """
    mean, half = normals.dtype.type(slopes[0]), normals.dtype.type(slopes[1])
    neurons = min(width, NEURONS)
    blocks, left = width // neurons, width % neurons
    block = normals[: 32 * ((2 * neurons + 31) // 32)]
    rest = normals[: 32 * ((2 * left + 31) // 32)]
    for i in range(len(out)):
        variance, other, epsilon = V0[0, 0], V0[1, 1], epsilon0
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                beside = np.sqrt(max(epsilon * (2 - epsilon), 0.0))
                a, b, c = 0.0, 0.0, 0.0
                for k in range(blocks):
                    fill(block, k * (len(block) // 4), done, first + i, stream, seed)
                    x, y, z = _pair_sums(block, neurons, -epsilon, beside, mean, half)
                    a, b, c = a + x, b + y, c + z
                if left:
                    fill(rest, blocks * (len(block) // 4), done, first + i, stream, seed)
                    x, y, z = _pair_sums(rest, left, -epsilon, beside, mean, half)
                    a, b, c = a + x, b + y, c + z
                gained = 2 * b + c
                root, other_root = np.sqrt(a), np.sqrt(max(a + gained, 0.0))
                if root > 0 and other_root > 0:
                    inverse = 1 / other_root
                    # 1/other_root - 1/root, from the gain so that nearly equal norms keep their digits.
                    change = -gained * inverse / (root * (root + other_root))
                    epsilon = (inverse * inverse * c + 2 * inverse * change * b + change * change * a) / 2
                else:
                    epsilon = 1.0  # the layer is dead for an input: it stays so, and the other one goes on alone
                variance *= scale * root * root
                other *= scale * other_root * other_root
                done += 1
            out[i, place, 0, 0] = variance
            out[i, place, 1, 1] = other
            out[i, place, 0, 1] = out[i, place, 1, 0] = (1 - epsilon) * np.sqrt(variance) * np.sqrt(other)
