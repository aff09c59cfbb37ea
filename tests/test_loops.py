"""The rooms beneath the samplers: triangular algebra, changes of activations, addresses of normals."""

from __future__ import annotations

import numpy as np
import pytest

from deeplimits import gaussian
from deeplimits._jit import njit
from deeplimits.gaussian import Address
from deeplimits.loops import linear
from deeplimits.loops.elementwise import rectified_change
from deeplimits.loops.lanes import LANES

RANDOM = np.random.default_rng(3)

#: How the rank falls short: no direction is missing, the first, one in the middle, the last, all but one.
SHORT = {"full": [], "first": [0], "middle": [2], "last": [4], "one direction": [1, 2, 3, 4]}


def gram(kind):
    """The Gram matrix of five inputs of which some are 0 or repeat the one before."""
    X = RANDOM.standard_normal((5, 8))
    for a in SHORT[kind]:
        X[a] = X[a - 1] if a else 0
    return X @ X.T


@pytest.mark.parametrize("kind", SHORT)
def test_a_factor_has_no_column_for_a_direction_that_is_absent(kind):
    V, factor = gram(kind), np.zeros((5, 5))
    linear.cholesky(V, factor)
    assert np.array_equal(factor, np.tril(factor))
    np.testing.assert_allclose(factor @ factor.T, V, atol=1e-13 * np.trace(V))
    assert [a for a in range(5) if not factor[:, a].any()] == SHORT[kind]


@pytest.mark.parametrize("kind", SHORT)
def test_the_factors_of_a_block_are_those_of_its_matrices(kind):
    V, single = gram(kind), np.zeros((5, 5))
    linear.cholesky(V, single)
    scales = np.linspace(0.5, 2, LANES)
    block, factor, again = V[:, :, None] * scales, np.zeros((5, 5, LANES)), np.zeros((5, 5, LANES))
    linear.factorise(block, factor, np.empty(LANES))
    np.testing.assert_allclose(factor, single[:, :, None] * np.sqrt(scales), atol=1e-13 * np.sqrt(np.trace(V)))
    linear.multiply(again, factor)
    np.testing.assert_allclose(again, np.tril(V)[:, :, None] * scales, atol=1e-13 * np.trace(V))


def test_a_congruence_is_the_product_of_three_matrices():
    V, change = gram("full"), np.tril(RANDOM.standard_normal((5, 5)))
    expected = change @ V @ change.T
    linear.congruence(V, change)
    np.testing.assert_allclose(V, expected, atol=1e-12)


def test_products_keep_the_digits_of_single_precision():
    values = (RANDOM.standard_normal((2, 512)) + 100).astype(np.float32)
    found = np.zeros((2, 2))
    linear.add_products(found, values, 1, 500)
    expected = values[:, :500].astype(np.float64) @ values[:, :500].astype(np.float64).T
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-14)
    assert not np.array_equal(found[1], (values[:, :500] @ values[:, :500].T)[1].astype(np.float64))


@njit
def _changes(out, x, e, mean, half):
    for i in range(len(x)):
        out[i] = rectified_change(x[i], e[i], mean, half)


@pytest.mark.parametrize(("plus", "minus"), [(1.0, 0.0), (1.2, -0.7), (0.3, 1.9)])
def test_a_change_of_a_leaky_relu_keeps_its_digits_on_both_sides_of_the_kink(plus, minus):
    mean, half = (plus + minus) / 2, (plus - minus) / 2
    x = np.array([2.0, 2.0, -2.0, -2.0, 0.0, 0.0, 1e-9, 3.0])
    e = np.array([1e-12, -3.0, -1e-12, 3.0, 1e-12, -1e-12, -2e-9, 0.0])
    found, expected = (
        np.empty(8),
        np.array(
            [
                plus * 1e-12,
                -minus - 2 * plus,
                -minus * 1e-12,
                plus + 2 * minus,
                plus * 1e-12,
                -minus * 1e-12,
                -1e-9 * (plus + minus),
                0.0,
            ]
        ),
    )
    _changes(found, x, e, mean, half)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-27)


@njit
def _drawn(out, layer, address):
    gaussian.fill(out, 0, layer, address)


def test_an_address_names_the_row_of_a_stream():
    table, row = gaussian.normals(5, 4, 64, layer=3, first=2**33, stream=9), np.empty(64, np.float32)
    _drawn(row, 3, Address(2**33 + 2, 9, np.uint64(5)))
    assert np.array_equal(row, table[2])


@pytest.mark.parametrize(("count", "size"), [(1, 32), (32, 32), (33, 64), (0, 0)])
def test_buffers_of_normals_are_whole_vectors(count, size):
    assert gaussian.padded(count) == size
