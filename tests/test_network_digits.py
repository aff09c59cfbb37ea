"""Sampled networks keep their digits: nearly parallel inputs, small norms, deficient rank."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL, z_scores
from scipy import stats

from deeplimits.activations import correlation_of, linear, plain, shaped_relu, smooth
from deeplimits.loops import program_rows
from deeplimits.networks import ShapedMLP

PAIR = np.array([[1.0, 0.3], [0.3, 2.0]])
TRIPLE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


def angle_growth_of_parallel_inputs(phi, width, layers, samples, seed):
    """Factor on 1 - correlation for infinitely near inputs, from the derivative of the network in float64."""
    draw = np.random.default_rng(seed)
    plus, minus = phi.slopes(width)
    factor = np.ones(samples)
    for _ in range(layers):
        x, e = draw.standard_normal((2, samples, width))
        slope = np.where(x > 0, plus, minus)
        x, e = slope * x, slope * e
        square = np.sum(x**2, axis=1)
        factor *= (np.sum(e**2, axis=1) - np.sum(x * e, axis=1) ** 2 / square) / square
    return factor


@pytest.mark.parametrize("phi", [linear(), shaped_relu(3, -3)], ids=lambda phi: phi.name)
@pytest.mark.parametrize("inputs", [2, 3])
def test_nearly_parallel_inputs_move_by_the_right_amount(phi, inputs):
    width, layers, epsilon, samples = 40, 3, 1e-9, 20_000
    V0 = np.full((inputs, inputs), 1 - epsilon) + epsilon * np.eye(inputs)
    V = ShapedMLP(phi, width, layers).sample(V0, samples, 3, at=[1, layers], method="rows")
    expected = angle_growth_of_parallel_inputs(phi, width, layers, samples, 4)
    limit = stats.norm.isf(LEVEL / 8)
    for i in range(1, inputs):
        moved = (1 - correlation_of(V)[:, :, 0, i]) / epsilon
        assert stats.ks_2samp(moved[:, 1], expected).pvalue > LEVEL / 8
        assert stats.ks_2samp(moved[:, 1], 1.1 * expected).pvalue < LEVEL / 8
        if phi.gap2 == 0:  # a ratio of chi-squared variables, with a mean known exactly
            assert abs(z_scores(moved[:, 0], (width - 1) / (width - 2))) < limit
            assert abs(z_scores(moved[:, 0], 1)) > limit  # it does move


def program_angle_growth(phi, width, layers, samples, seed):
    """`angle_growth_of_parallel_inputs` for any activation, from a formula of its derivative in float64."""
    draw = np.random.default_rng(seed)
    c = phi.normaliser(width)
    V, factor = np.ones(samples), np.ones(samples)
    for _ in range(layers):
        x, e = draw.standard_normal((2, samples, width))
        x = np.sqrt(V)[:, None] * x
        values = phi(x, width)
        e = np.sqrt(V * factor)[:, None] * e * (phi(x + 1e-6, width) - phi(x - 1e-6, width)) / 2e-6
        square = np.sum(values**2, axis=1)
        factor = (np.sum(e**2, axis=1) - np.sum(values * e, axis=1) ** 2 / square) / square
        V = c * square / width
    return factor


@pytest.mark.slow
@pytest.mark.parametrize(
    "phi",
    [smooth("tanh", a=0.3), plain("gelu"), plain("elu"), plain("relu(x) - 0.3*relu(-x)")],
    ids=lambda phi: phi.name,
)
@pytest.mark.parametrize("inputs", [2, 3])
def test_nearly_parallel_inputs_of_programs_move_by_the_right_amount(phi, inputs):
    width, layers, epsilon, samples = 40, 3, 1e-9, 10_000
    V0 = np.full((inputs, inputs), 1 - epsilon) + epsilon * np.eye(inputs)
    V = ShapedMLP(phi, width, layers).sample(V0, samples, 3, precision="double")
    expected = program_angle_growth(phi, width, layers, samples, 4)
    single = ShapedMLP(phi, width, layers).sample(V0, samples, 5)
    for sampled in (V, single):
        for i in range(1, inputs):
            moved = (1 - correlation_of(sampled)[:, 0, i]) / epsilon
            assert stats.ks_2samp(moved, expected).pvalue > LEVEL / 16
            assert stats.ks_2samp(moved, 1.2 * expected).pvalue < LEVEL / 16


@pytest.mark.parametrize(
    "phi", [smooth("gelu"), plain("tanh"), plain("softsign"), plain("relu(x) - 0.3*relu(-x)")], ids=lambda phi: phi.name
)
def test_three_ways_to_a_difference_agree_where_they_meet(phi, monkeypatch):
    epsilon = 2e-6
    V0 = np.array([[1, 1 - epsilon], [1 - epsilon, 1]])
    found = []
    for close in (0.0, 0.02):
        monkeypatch.setitem(program_rows.CLOSE, np.dtype(np.float32), close)
        found.append(1 - correlation_of(ShapedMLP(phi, 300, 3).sample(V0, 20, 1))[:, 0, 1])
    assert found[0] == pytest.approx(found[1], rel=2e-4)


@pytest.mark.slow
def test_norms_far_below_single_precision_are_those_of_a_linear_network():
    width, depth = 3, 900
    V = np.log(ShapedMLP(smooth("gelu", a=1e4), width, depth).sample(1e-10, 4000, 1)[:, 0, 0])
    linear_V = np.log(ShapedMLP(linear(), width, depth).sample(1e-10, 4000, 2)[:, 0, 0])
    assert np.median(V) < -300 and np.all(np.isfinite(V))
    assert stats.ks_2samp(V, linear_V).pvalue > LEVEL


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("large", [1e6, 1e12])
def test_a_small_norm_beside_a_large_one_keeps_its_law(inputs, large):
    V0 = np.diag([large, 0.5, large][:inputs])
    for phi in (plain("tanh"), smooth("silu", a=0.5)):
        network = ShapedMLP(phi, 20, 4)
        beside, alone = network.sample(V0, 5000, 1)[:, 1, 1], network.sample(0.5, 5000, 2)[:, 0, 0]
        assert stats.ks_2samp(beside, alone).pvalue > LEVEL / 8
        assert stats.ks_2samp(beside, 1.2 * alone).pvalue < LEVEL / 8


def test_inputs_that_come_close_keep_the_digits_of_their_difference():
    # Correlations of plain sigmoid networks rush to 1: inputs that start apart join on the way.
    network = ShapedMLP(plain("sigmoid"), 50, 12)
    for V0 in (PAIR, TRIPLE):
        gap = {}
        for precision, seed in (("single", 1), ("double", 2)):
            V = network.sample(V0, 3000, seed, precision=precision)
            gap[precision] = np.log(V[:, 0, 0] + V[:, 1, 1] - 2 * V[:, 0, 1])
        assert np.median(gap["double"]) < -10
        assert stats.ks_2samp(gap["single"], gap["double"]).pvalue > LEVEL


def test_inputs_that_are_parallel_or_opposite():
    V0 = np.array([[1.0, 2.0, -1.0], [2.0, 4.0, -2.0], [-1.0, -2.0, 1.0]])
    for phi in (linear(), shaped_relu(1, -1)):
        rho = correlation_of(ShapedMLP(phi, 50, 5).sample(V0, 20, 1))
        assert np.abs(rho[:, 0, 1] - 1).max() < 1e-12
    rho = correlation_of(ShapedMLP(linear(), 50, 5).sample(V0, 20, 1, method="rows"))
    assert np.abs(rho[:, 0, 2] + 1).max() < 1e-6
    moved = correlation_of(ShapedMLP(shaped_relu(1, -1), 50, 5).sample(V0, 20, 1))
    assert np.all(moved[:, 0, 2] > -1 + 1e-3)  # -1 is left at once by a shaped rectifier


@pytest.mark.parametrize("activation", [linear(), smooth("x")], ids=["rectifier", "program"])
def test_inputs_in_a_plane_stay_in_a_plane(activation):
    """A linear network keeps the rank of a covariance; rounding of its entries must not pass for directions."""
    line = np.stack([np.ones(8), np.linspace(-1, 1, 8)])
    V = ShapedMLP(activation, 64, 64).sample(line.T @ line, 20, 1, method="rows")
    values = np.linalg.eigvalsh(V)
    assert np.all(np.abs(values[:, :-2]) < 1e-9 * values[:, -1:])
