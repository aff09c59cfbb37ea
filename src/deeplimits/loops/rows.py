"""Compiled loops of the row sampler: Gaussian rows in, covariance out.

Inputs are carried as unit vectors with their variances. Each input but the first is
stored as its difference from a close one before it (its parent), so that 1 - correlation
survives where two inputs are nearly parallel. `gram` is the Gram matrix in these coordinates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._checks import FloatArray
from .._jit import FINITE, njit
from .._vectors import widest_vectors
from ..activations import correlation_of
from ..activations.programs import TILE
from ..gaussian import fill, of_sample, padded
from .elementwise import rectified_change, rectify, rectify_difference
from .linear import add_products, cholesky, combine, complete, congruence


class Tree(NamedTuple):
    """A covariance as variances and the Gram matrix of unit differences along a tree of inputs.

    Shapes: (m,), (m,) and (m, m). Input 0 has itself as parent.
    """

    parents: NDArray[np.int64]
    variance: FloatArray
    gram: FloatArray


class Neurons(NamedTuple):
    """A layer of so many neurons with the activation mean x + half |x|; a covariance is scale times a sum over them."""

    width: int
    scale: float
    mean: float
    half: float


class Work(NamedTuple):
    """Buffers of one thread, the size of a tile of neurons."""

    normals: NDArray
    units: NDArray
    activations: NDArray


def tree_coordinates(V0: FloatArray) -> Tree:
    """The tree of a covariance: the parent of an input is the one before it with the largest correlation."""
    rho = correlation_of(V0)
    inputs = len(V0)
    parents = np.zeros(inputs, np.int64)
    change = np.eye(inputs)
    for i in range(1, inputs):
        parents[i] = np.argmax(rho[i, :i])
        change[i, parents[i]] = -1
    return Tree(parents, np.diag(V0).copy(), change @ rho @ change.T)


def workspace(width: int, inputs: int, dtype: DTypeLike) -> Work:
    """Empty buffers for one thread."""
    count = min(width, TILE)
    return Work(
        np.empty(padded(count * inputs), dtype), np.empty((inputs, count), dtype), np.empty((inputs, count), dtype)
    )


@njit
def _layer(gram, parents, factor, neurons, layer, address, work):
    """Replace `gram` by the sum over neurons of products of activation differences."""
    inputs = len(gram)
    cholesky(gram, factor)
    gram[:] = 0
    units, activations = work.units, work.activations
    counter = 0
    for begin in range(0, neurons.width, TILE):
        count = min(TILE, neurons.width - begin)
        drawn = work.normals[: padded(count * inputs)]
        fill(drawn, counter, layer, address)
        counter += len(drawn) // 4
        for a in range(inputs):
            combine(units[a, :count], drawn, factor[a, : a + 1], count)
            if a == 0:
                rectify(activations, units, a, count, neurons.mean, neurons.half)
            else:
                rectify_difference(activations, units, a, parents[a], count, neurons.mean, neurons.half)
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
    complete(gram)
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
    congruence(gram, change)


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
    congruence(out, change)
    for a in range(inputs):
        for b in range(inputs):
            out[a, b] = variance[a] if a == b else out[a, b] * np.sqrt(variance[a]) * np.sqrt(variance[b])


@njit
def propagate(out, layers, start, neurons, origin, work):
    """Carry the sample of `origin` and those after it through the layers and write the covariances asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend; `start` comes from `tree_coordinates`.
    """
    parents, gram = start.parents, np.empty_like(start.gram)
    factor, change = np.zeros_like(gram), np.zeros_like(gram)
    variance, inverse, square = np.empty((3, len(gram)))
    for i in range(len(out)):
        gram[:] = start.gram
        variance[:] = start.variance
        address = of_sample(origin, origin.sample + i)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                _layer(gram, parents, factor, neurons, done, address, work)
                _renormalise(gram, parents, variance, neurons.scale, change, inverse, square)
                done += 1
            _write(out[i, place], gram, parents, variance, change)


@njit(fastmath=FINITE)
def _pair_sums(normals, count, across, beside, mean, half):
    """Sums of phi(x)^2, phi(x) d and d^2 over neurons, d = phi(x + e) - phi(x), in one pass."""
    widest_vectors()
    kind = normals.dtype.type
    along_x, along_y = kind(across), kind(beside)
    squares, products, differences = kind(0), kind(0), kind(0)
    for i in range(count):
        x = normals[i]
        e = along_x * x + along_y * normals[count + i]
        value = mean * x + half * abs(x)
        difference = rectified_change(x, e, mean, half)
        squares += value * value
        products += value * difference
        differences += difference * difference
    return squares, products, differences


@njit
def propagate_pair(out, layers, V0, epsilon0, neurons, origin, normals):
    """The loop of `propagate` for two inputs, with the state in three numbers: both norms and 1 - correlation.

    The unit vectors are g and (1 - epsilon) g + sqrt(epsilon (2 - epsilon)) g'; their difference
    is carried. Same normals, same law, several times faster at small width.
    """
    mean, half, scale = normals.dtype.type(neurons.mean), normals.dtype.type(neurons.half), neurons.scale
    count = min(neurons.width, TILE)
    blocks, left = neurons.width // count, neurons.width % count
    block = normals[: padded(2 * count)]
    rest = normals[: padded(2 * left)]
    for i in range(len(out)):
        variance, other, epsilon = V0[0, 0], V0[1, 1], epsilon0
        address = of_sample(origin, origin.sample + i)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                beside = np.sqrt(max(epsilon * (2 - epsilon), 0.0))
                a, b, c = 0.0, 0.0, 0.0
                for k in range(blocks):
                    fill(block, k * (len(block) // 4), done, address)
                    x, y, z = _pair_sums(block, count, -epsilon, beside, mean, half)
                    a, b, c = a + x, b + y, c + z
                if left:
                    fill(rest, blocks * (len(block) // 4), done, address)
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
