"""Residual networks of infinite depth: the diffusion, its order, and the network of Hayou."""

from __future__ import annotations

import numpy as np
import pytest
from explicit import matrix_gaussian
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet, gaussian_start

ONE = np.ones((1, 1))


# The diffusion limit


@pytest.mark.parametrize(("depth", "variance", "error"), [(25, 2.431, 0.007), (100, 3.066, 0.015)])
def test_tanh_networks_reach_the_limiting_variance_slowly(depth, variance, error):
    x = ResNet(Blocks(linear(), plain("tanh"), 1, 1), 10, depth).sample(np.ones((10, 1)), 20_000, 3)[:, :, 0]
    assert np.abs(z_scores(x, 1)).max() < limit_for(10)
    squares = ((x - 1) ** 2).mean(1)
    spread = np.hypot(error, squares.std() / np.sqrt(len(squares)))
    assert abs(squares.mean() - variance) < limit_for(1) * spread  # an independent simulation
    assert abs(squares.mean() - 2 * (np.e - 1)) > limit_for(1) * spread  # not yet the limit


def test_tanh_diffusion_has_the_exact_mean_and_variance():
    for steps in (16, 64):
        sde = ResidualSDE(Blocks(linear(), plain("tanh"), 1, 1), 10)
        x = sde.sample(np.ones((10, 1)), 40_000, 3, steps=steps)[:, :, 0]
        exact = 2 * ((1 + 1 / steps) ** steps - 1)  # of the scheme; tends to 2 (e - 1)
        assert abs(z_scores(((x - 1) ** 2).mean(1), exact)) < limit_for(2)
        assert abs(z_scores(((x - 1) ** 2).mean(1), 2 * (np.e - 1))) > limit_for(2) or steps > 16


def mean_field(steps, slope, second, z):
    """Mean and mean square of the Euler scheme at infinite width, unit variances."""
    m, q = z, z**2
    for _ in range(steps):
        S = (1 + q) / steps
        m, q = m + second / 2 * S, q + slope**2 * S + second * S * m + (second / 2 * S) ** 2
    return m, q


def test_swish_diffusion_drifts_by_the_curvature(loops):
    width, steps, z = 2000, 64, np.array([0.0, 1.0])
    x = ResidualSDE(Blocks(linear(), plain("silu"), 1, 1), width).sample(np.tile(z, (width, 1)), 40, 3, steps=steps)
    for i in range(2):
        mean, square = mean_field(steps, 0.5, 0.5, z[i])
        assert abs(z_scores(x[:, :, i].mean(1), mean)) < limit_for(4) + 1  # the mean moves by O(1/width)
        assert abs(z_scores((x[:, :, i] ** 2).mean(1), square)) < limit_for(4) + 1
        assert abs(z_scores(x[:, :, i].mean(1), z[i])) > limit_for(4) + 1  # without the drift
    assert mean_field(100_000, 0.5, 0.5, 0.0)[0] == pytest.approx(0.290926, abs=1e-5)
    assert mean_field(100_000, 0.5, 0.5, 1.0)[0] == pytest.approx(1.793395, abs=1e-4)


def test_matrix_gaussian_diffusion_drifts_by_the_curvature():
    """The mean of one step, slope mean + curvature variance / 2, neuron by neuron."""
    law, _ = matrix_gaussian()
    outer, x0, step = plain("silu"), np.array([[1.0], [-0.5], [0.8]]), 0.01
    x = ResidualSDE(Blocks(plain("tanh"), outer, time=step, **law), 3).sample(x0, 40_000, 2, steps=1)
    psi = np.tanh(x0[:, 0])
    variance = np.diag(law["bias_covariance"] + law["row_covariance"] * (psi @ law["column_covariance"] @ psi))
    straight = 0.5 * (law["weight_mean"] @ psi + law["bias_mean"])
    moved = (x - x0)[:, :, 0] / step
    assert np.abs(z_scores(moved, straight + 0.25 * variance)).max() < limit_for(3)
    assert (x.var(axis=0)[:, 0] / step) == pytest.approx(0.25 * variance, rel=0.05)


def test_network_and_diffusion_are_one_for_a_linear_outer_activation():
    x0 = np.random.default_rng(1).standard_normal((5, 2))
    network = ResNet(Blocks(relu(), linear(), 1.2, 0.3), 5, 16).sample(x0, 100, 7, at=[4, 16])
    diffusion = ResidualSDE(Blocks(relu(), linear(), 1.2, 0.3), 5).sample(x0, 100, 7, at=[0.25, 1.0], steps=16)
    assert np.array_equal(network, diffusion)


def test_outer_activation_matters_by_order_one_over_root_depth_on_the_same_path():
    x0, errors = np.ones((3, 2)) * [1, 0.5], []
    for depth in (25, 100, 400):
        network = ResNet(Blocks(plain("tanh"), plain("silu"), 1, 1), 3, depth).sample(x0, 2000, 3)
        diffusion = ResidualSDE(Blocks(plain("tanh"), plain("silu"), 1, 1), 3).sample(x0, 2000, 3, steps=depth)
        errors.append(np.sqrt(np.mean((network - diffusion) ** 2)))
    assert np.polyfit(np.log([25, 100, 400]), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("inner", [linear(), plain("tanh")], ids=lambda phi: phi.name)
def test_coarse_and_fine_diffusions_converge_on_the_same_path(inner, loops):
    x0, errors = np.ones((3, 2)) * [1, 0.5], []
    sde = ResidualSDE(Blocks(inner, plain("tanh"), 2, 0.5), 3)
    fine = sde.sample(x0, 1000, 3, steps=512)
    for steps in (8, 32, 128):
        coarse = sde.sample(x0, 1000, 3, steps=steps, noise_steps=512)
        errors.append(np.sqrt(np.mean((coarse - fine) ** 2)) / np.sqrt(1 - steps / 512))
    assert np.polyfit(np.log([8, 32, 128]), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)
    apart = sde.sample(x0, 1000, 3, steps=128)  # without the common path
    assert np.sqrt(np.mean((apart - fine) ** 2)) > 5 * errors[-1]


# The network of Hayou


def brownian_end(depth, samples, seed):
    """The Brownian motion at time 1 that drives a network of width 1 with this seed: its biases."""
    return ResNet(Blocks(linear(), linear(), 0.0, 1.0), 1, depth).sample(np.zeros((1, 1)), samples, seed)[:, 0, 0]


@pytest.mark.slow
def test_strong_error_at_width_one_is_the_exact_one():
    """E (Y - X)^2 = e - (1 + 1/L)^L for X = exp(B - 1/2), so the root times sqrt(L) tends to sqrt(e/2)."""
    for depth in (16, 64, 256):
        X = np.exp(brownian_end(depth, 100_000, 5) - 0.5)
        Y = ResNet(Blocks(linear(), linear()), 1, depth).sample(ONE, 100_000, 5)[:, 0, 0]
        exact = np.e - (1 + 1 / depth) ** depth
        assert abs(z_scores((Y - X) ** 2, exact)) < limit_for(3) * 1.5  # the squares have heavy tails
        assert abs(z_scores((Y - X) ** 2, exact / 2)) > limit_for(3) * 1.5
    assert np.sqrt(depth * exact) == pytest.approx(np.sqrt(np.e / 2), rel=5e-3)
    rectified = ResNet(Blocks(relu(), linear()), 1, 256).sample(ONE, 100_000, 5)[:, 0, 0]
    assert np.array_equal(rectified, Y)  # no path dies at this depth


@pytest.mark.parametrize("depth", [1, 5, 10])
def test_neurons_of_width_one_die_with_the_exact_probability(depth):
    dead = ResNet(Blocks(relu(), linear()), 1, depth).sample(ONE, 100_000, 9)[:, 0, 0] <= 0
    exact = 1 - (1 - stats.norm.cdf(-np.sqrt(depth))) ** depth
    assert abs(z_scores(dead, exact)) < limit_for(3)
    assert abs(z_scores(dead, 1.3 * exact)) > limit_for(3)


def test_width_one_is_geometric_brownian_motion():
    for depth, samples in ((5, 20_000), (100, 20_000)):
        Y = ResNet(Blocks(relu(), linear()), 1, depth).sample(ONE, samples, 2)[:, 0, 0]
        distance = stats.kstest(np.log(Y[Y > 0]), stats.norm(-0.5, 1).cdf).statistic
        z = np.linspace(-4, 4, 801)
        known = np.max(stats.norm.pdf(z) * np.abs(1 / 4 - 5 / 4 * z + z**2 / 2)) / depth
        accepted = stats.kstwo.isf(LEVEL, samples) + 1.2 * known
        assert distance < accepted if depth == 100 else distance > stats.kstwo.isf(LEVEL, samples)
        without_drift = stats.kstest(np.log(Y[Y > 0]), stats.norm(0, 1).cdf).statistic
        assert without_drift > accepted
    frozen = ResNet(Blocks(relu(), linear()), 1, 100).sample(-ONE, 10, 2)
    assert np.all(frozen == -1)


def test_increments_have_the_quadratic_variation_of_one_volatility():
    n, depth = 3, 20
    Y = ResNet(Blocks(relu(), linear()), n, depth).sample(np.ones((n, 1)), 40_000, 3, at=range(depth + 1))[..., 0]
    increments = np.diff(Y, axis=1)
    rate = np.maximum(Y[:, :-1], 0)
    predicted = (rate**2).sum((1, 2)) / (n * depth)
    for i in range(n):
        assert abs(z_scores((increments[..., i] ** 2).sum(1) - predicted, 0)) < limit_for(8)
    assert abs(z_scores((increments[..., 0] * increments[..., 1]).sum(1), 0)) < limit_for(8)
    assert abs(z_scores((increments[..., 0] ** 2).sum(1) - 2 * predicted, 0)) > limit_for(8)


def test_log_norm_of_active_neurons_is_a_quasi_geometric_brownian_motion():
    n, residuals = 2, []
    for depth in (100, 400):
        X = ResNet(Blocks(relu(), linear()), n, depth).sample(np.ones((n, 1)), 3000, 3, at=range(depth + 1))[..., 0]
        active = np.maximum(X, 0)
        size = np.linalg.norm(active, axis=2)
        noise = np.sqrt(n) * np.sum(active[:, :-1] * np.diff(X, axis=1), axis=2) / size[:, :-1] ** 2
        drift = (np.sum(X[:, :-1] > 0, axis=2) / 2 - 1) / (n * depth)
        grown = np.log(size[:, -1] / size[:, 0])
        residuals.append(np.sqrt(np.mean((grown - noise.sum(1) / np.sqrt(n) - drift.sum(1)) ** 2)))
        assert stats.kstest(noise.sum(1), "norm").pvalue > LEVEL
        without = grown - noise.sum(1) / np.sqrt(n)
    assert np.sqrt(np.mean(without**2)) > 2 * residuals[-1]
    assert residuals[0] / residuals[1] == pytest.approx(2, rel=0.15)


def test_wide_networks_grow_by_the_variance_of_the_rectifier(loops):
    width, depth = 1500, 10
    x0 = gaussian_start(2.0, width, 40, 4)
    x = ResNet(Blocks(relu(), linear()), width, depth).sample(x0, 40, 4)
    power = (x**2).mean((1, 2))
    assert abs(z_scores(power, 2 * (1 + 1 / (2 * depth)) ** depth)) < limit_for(1) + 0.5
    assert abs(z_scores(power, 2 * (1 + 1 / depth) ** depth)) > limit_for(1) + 0.5


@pytest.mark.parametrize("depth", [100, 400])
def test_rectified_branches_blow_up_like_the_root_of_depth(depth):
    """With biases alone each branch adds E max(b, 0), so that E x = sqrt(L / 2 pi)."""
    x = ResNet(Blocks(linear(), relu(), 0, 1), 4, depth).sample(np.zeros((4, 1)), 5000, 3)[:, :, 0]
    exact = np.sqrt(depth / (2 * np.pi))
    assert np.abs(z_scores(x, exact)).max() < limit_for(8)
    assert np.abs(z_scores(x, exact + 0.1)).max() > limit_for(8)
