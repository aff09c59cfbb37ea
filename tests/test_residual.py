"""Residual networks and their diffusions have the laws known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deeplimits.activations import linear, plain, relu
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet, _residual_narrow, gaussian_start

LEVEL = 1e-5
ONE = np.ones((1, 1))


def z_scores(values, expected):
    """Standardised errors of the means over samples."""
    return (values.mean(axis=0) - expected) / (values.std(axis=0) / np.sqrt(len(values)))


def limit_for(cases):
    return stats.norm.isf(LEVEL / 2 / cases)


@pytest.fixture(params=["narrow", "wide"])
def loops(request, monkeypatch):
    """Both compiled loops in turn."""
    if request.param == "wide":
        monkeypatch.setattr(_residual_narrow, "FITTING", 0)
    return request.param


def network_with_weights(network, x0, samples, seed, outer=None):
    """The last state with every weight drawn, in float64."""
    draw, n, step = np.random.default_rng(seed), network.width, network.time / network.depth
    outer = network.outer if outer is None else outer
    x = np.broadcast_to(x0, (samples, *x0.shape)).copy()
    for _ in range(network.depth):
        W = draw.standard_normal((samples, n, n)) * np.sqrt(network.weight_variance * step / n)
        b = draw.standard_normal((samples, n, 1)) * np.sqrt(network.bias_variance * step)
        x += outer(W @ network.inner(x, n) + b, n)
    return x


def views(x):
    """One neuron, a product of inputs, the mean square and the largest neuron: four views of a state."""
    return {"neuron": x[:, 0, 0], "inputs": (x[:, :, 0] * x[:, :, -1]).mean(1), "square": (x**2).mean((1, 2)),
            "largest": x.max((1, 2))}


@pytest.mark.parametrize(("inner", "outer", "bias"), [
    (relu(), linear(), 0.0), (plain("tanh"), plain("silu"), 0.5), (plain("erf"), relu(), 0.2)], ids=str)
def test_rows_have_the_law_of_networks_with_weight_matrices(inner, outer, bias, loops):
    network = ResNet(3, 20, inner, outer, 1.3, bias)
    x0 = np.array([[1.0, 0.8, -0.3], [-0.5, 0.5, 1.0], [0.3, 0.1, 0.2]])
    explicit = views(network_with_weights(network, x0, 20_000, 1))
    for precision in ("single", "double"):
        rows = views(network.sample(x0, 20_000, 2, precision=precision))
        for name, values in rows.items():
            assert stats.ks_2samp(values, explicit[name]).pvalue > LEVEL / 48, (precision, name)
    # Twice the weight variance, as another convention has it, is seen by the same comparison.
    doubled = views(ResNet(3, 20, inner, outer, 2.6, bias).sample(x0, 20_000, 2))
    assert min(stats.ks_2samp(doubled[name], explicit[name]).pvalue for name in doubled) < LEVEL / 48


def test_layers_in_compiled_loops_agree_with_each_other(loops):
    """One layer in float32 is one layer in float64, up to rounding, given the same increments."""
    x0 = np.random.default_rng(1).standard_normal((40, 3))
    tanh = plain("tanh")
    states = ResNet(40, 1, linear(), tanh).sample(x0, 70, 3)
    increments = ResNet(40, 1, linear(), linear()).sample(x0, 70, 3) - x0
    assert states == pytest.approx(x0 + np.tanh(increments), abs=3e-7)


# One layer


@pytest.mark.parametrize("name", ["tanh", "silu", "gelu", "x + x**2"])
def test_one_layer_has_the_drift_and_bracket_of_the_limit_to_first_order(name):
    outer, variance = plain(name), 1.7
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    errors = []
    for step in (1e-2, 1e-3, 1e-4):
        moved = outer(nodes * np.sqrt(variance * step))
        mean, square = weights @ moved / step, weights @ moved**2 / step
        errors.append([abs(mean - outer.second0 / 2 * variance), abs(square - outer.slope0**2 * variance)])
    for coarse, fine in zip(errors, errors[1:], strict=False):
        for a, b in zip(coarse, fine, strict=True):
            assert b < 1e-10 or 8 < a / b < 12


def test_one_layer_is_sampled_with_the_exact_moments(loops):
    outer, width, step = plain("silu"), 6, 0.5
    x0 = np.random.default_rng(2).standard_normal((width, 2))
    x = ResNet(width, 1, plain("tanh"), outer, 1.5, 0.3, time=step).sample(x0, 60_000, 5) - x0
    variance = step * (0.3 + 1.5 * np.mean(np.tanh(x0) ** 2, axis=0))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    values = outer(nodes[:, None] * np.sqrt(variance))
    expected = weights @ values / weights.sum(), weights @ values**2 / weights.sum()
    for power in (1, 2):
        assert np.abs(z_scores(x**power, expected[power - 1])).max() < limit_for(24)
    assert np.abs(z_scores(x, outer.second0 / 2 * variance)).max() > limit_for(24)  # only right for small steps


def test_increments_vanish_where_the_inner_activation_does():
    assert np.all(ResNet(4, 5, relu(), linear()).sample(-np.ones((4, 1)), 10, 1) == -1)


# Linear inner activation: exact moments for any width and depth


@pytest.mark.parametrize("width", [1, 2, 10])
def test_covariance_of_linear_networks_is_exact_at_every_width(width, loops):
    depth, weight, bias = 20, 0.8, 0.4
    z = np.array([1.0, 0.5])
    x = ResNet(width, depth, linear(), linear(), weight, bias).sample(np.tile(z, (width, 1)), 40_000, 3)
    grown = (1 + weight / depth) ** depth - 1
    moved = x - z
    assert np.abs(z_scores(moved, 0)).max() < limit_for(2 * width + 3)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        products = (moved[:, :, i] * moved[:, :, j]).mean(1)
        assert abs(z_scores(products, (z[i] * z[j] + bias / weight) * grown)) < limit_for(2 * width + 3)
        assert abs(z_scores(products, z[i] * z[j] * grown)) > limit_for(2 * width + 3)  # without biases


def fourth_moment(width, depth, z, time=1.0):
    """E y^2 and E y^4 of y = x_1 - z for a linear network with unit variances, layer by layer.

    Given a layer the branch is normal with variance c = (1 + q) dt in each neuron, q the mean square.
    """
    step, D = time / depth, width
    q, q2, y2, yq, y2q, y4 = z**2, z**4, 0.0, 0.0, 0.0, 0.0
    for _ in range(depth):
        c, cq, c2 = step * (1 + q), step * (q + q2), step**2 * (1 + 2 * q + q2)
        cy, cy2 = step * yq, step * (y2 + y2q)
        q, q2, y2, yq, y2q, y4 = (
            q + c,
            q2 + (2 + 4 / D) * cq + (1 + 2 / D) * c2,
            y2 + c,
            yq + (1 + 2 / D) * cy + 2 * z / D * c,
            y2q + (1 + 4 / D) * cy2 + 4 * z / D * cy + cq + (1 + 2 / D) * c2,
            y4 + 6 * cy2 + 3 * c2,
        )
    return y2, y4


@pytest.mark.parametrize(("width", "z", "time", "kurtosis"), [
    (1, 0, 1, 23.562), (2, 0, 1, 4.9128), (10, 0, 1, 0.5680), (100, 0, 1, 0.0511), (3, 1, 1, 4.5328),
    (3, 1, 0.5, 1.6338)])
def test_kurtosis_recursion_tends_to_the_limit_of_infinite_depth(width, z, time, kurtosis):
    y2, y4 = fourth_moment(width, 20_000, z, time)
    assert y4 / y2**2 - 3 == pytest.approx(kurtosis, rel=4e-3)


@pytest.mark.parametrize(("width", "z"), [(10, 0.0), (20, 1.0)])
def test_one_neuron_has_the_exact_kurtosis_of_its_width(width, z):
    depth = 20
    y = ResNet(width, depth, linear(), linear(), 1, 1).sample(np.full((width, 1), z), 60_000, 4)[:, :, 0] - z
    y2, y4 = fourth_moment(width, depth, z)
    assert abs(z_scores((y**2).mean(1), y2)) < limit_for(2)
    assert abs(z_scores((y**4).mean(1), y4)) < limit_for(2)
    assert abs(z_scores((y**4).mean(1), 3 * y2**2)) > limit_for(2)  # not Gaussian


@pytest.mark.parametrize("width", [2, 10])
def test_log_norm_is_normal_at_every_width(width):
    x = ResidualSDE(width, linear(), linear()).sample(np.ones((width, 1)), 20_000, 6, steps=400)
    log_norm = np.log((x**2).mean((1, 2))) / 2
    law = stats.norm((1 - 2 / width) / 2, np.sqrt(1 / width))
    # The scheme moves mean and variance by less than 1/steps, in units of the deviation.
    assert stats.kstest(log_norm, law.cdf).statistic < stats.kstwo.isf(LEVEL / 2, 20_000) + 2 / 400
    wrong = stats.norm(1 / 2, np.sqrt(1 / width))  # without the correction by 2/width
    assert stats.kstest(log_norm, wrong.cdf).statistic > stats.kstwo.isf(LEVEL / 2, 20_000) + 2 / 400


# Correlated weights


def matrix_gaussian():
    """Parameters with a non-symmetric factor of the column covariance, and that factor."""
    draw = np.random.default_rng(3)
    outer, bias = 0.4 * draw.standard_normal((2, 3, 3))
    inner = np.array([[0.1, 1.2, 0.0], [0.0, 0.0, 0.4], [0.2, 0.0, 0.0]])
    law = {"weight_mean": 0.4 * draw.standard_normal((3, 3)), "bias_mean": draw.standard_normal(3),
           "row_covariance": outer @ outer.T, "column_covariance": inner.T @ inner, "bias_covariance": bias @ bias.T}
    return law, inner


def moments_by_layer(law, x0, depth):
    """Mean and second moments (width, width) of one input of a linear network, exactly, layer by layer."""
    step, mean, second = 1 / depth, x0, np.outer(x0, x0)
    for _ in range(depth):
        grown = np.eye(len(x0)) + step * law["weight_mean"]
        shift = step * law["bias_mean"]
        noise = law["bias_covariance"] + law["row_covariance"] * np.sum(law["column_covariance"] * second)
        across = np.outer(grown @ mean, shift)
        second = grown @ second @ grown.T + across + across.T + np.outer(shift, shift) + step * noise
        mean = grown @ mean + shift
    return mean, second


@pytest.mark.parametrize("limit", [False, True], ids=["network", "diffusion"])
def test_matrix_gaussian_parameters_have_the_exact_moments(limit):
    law, inner = matrix_gaussian()
    x0, depth = np.array([1.0, -0.5, 0.8]), 15
    starts = np.stack([x0, -x0], axis=1)
    if limit:
        x = ResidualSDE(3, linear(), linear(), **law).sample(starts, 20_000, 1, steps=depth)
    else:
        x = ResNet(3, depth, linear(), linear(), **law).sample(starts, 20_000, 1)
    mean, second = moments_by_layer(law, x0, depth)
    products = x[:, :, None, 0] * x[:, None, :, 0]
    assert np.abs(z_scores(x[:, :, 0], mean)).max() < limit_for(12)
    assert np.abs(z_scores(products, second)).max() < limit_for(12)
    transposed = moments_by_layer({**law, "column_covariance": inner @ inner.T}, x0, depth)[1]
    assert np.abs(z_scores(products, transposed)).max() > limit_for(12)
    other = moments_by_layer(law, -x0, depth)[0]
    assert np.abs(z_scores(x[:, :, 1], other)).max() < limit_for(3)


def test_matrix_gaussian_weights_are_those_of_the_factors():
    """cov((sigma_O B sigma_I psi)_o) = (sigma_O sigma_O^T) psi^T sigma_I^T sigma_I psi, for non-symmetric factors."""
    draw = np.random.default_rng(8)
    outer, inner = draw.standard_normal((2, 3, 3))
    x0 = draw.standard_normal((3, 1))
    network = ResNet(3, 1, plain("tanh"), linear(), row_covariance=outer @ outer.T, column_covariance=inner.T @ inner)
    sampled = (network.sample(x0, 40_000, 2) - x0)[:, :, 0]
    explicit = (outer @ draw.standard_normal((40_000, 3, 3)) @ inner @ np.tanh(x0))[:, :, 0]
    for name, one in {"first": lambda x: x[:, 0], "sum": lambda x: x.sum(1), "norm": lambda x: (x**2).sum(1)}.items():
        assert stats.ks_2samp(one(sampled), one(explicit)).pvalue > LEVEL / 3, name
    wrong = (outer @ draw.standard_normal((40_000, 3, 3)) @ inner.T @ np.tanh(x0))[:, :, 0]
    assert stats.ks_2samp((sampled**2).sum(1), (wrong**2).sum(1)).pvalue < LEVEL / 3


def test_identity_covariances_give_the_law_of_independent_weights():
    x0 = np.array([[1.0, 0.5], [0.2, -0.4], [0.3, 0.3], [-0.8, 0.1]])
    laws = [ResNet(4, 10, plain("tanh"), plain("silu"), 1.5, 0.5, **extra).sample(x0, 20_000, 3)
            for extra in ({}, {"row_covariance": np.eye(4), "column_covariance": np.eye(4) / 4})]
    one, other = map(views, laws)
    for name in one:
        assert stats.ks_2samp(one[name], other[name]).pvalue > LEVEL / 4
    unscaled = ResNet(4, 10, plain("tanh"), plain("silu"), 1.5, 0.5, column_covariance=np.eye(4))
    unscaled = views(unscaled.sample(x0, 20_000, 3))
    assert stats.ks_2samp(one["square"], unscaled["square"]).pvalue < LEVEL / 4


# The diffusion limit


@pytest.mark.parametrize(("depth", "variance", "error"), [(25, 2.431, 0.007), (100, 3.066, 0.015)])
def test_tanh_networks_reach_the_limiting_variance_slowly(depth, variance, error):
    x = ResNet(10, depth, linear(), plain("tanh"), 1, 1).sample(np.ones((10, 1)), 20_000, 3)[:, :, 0]
    assert np.abs(z_scores(x, 1)).max() < limit_for(10)
    squares = ((x - 1) ** 2).mean(1)
    spread = np.hypot(error, squares.std() / np.sqrt(len(squares)))
    assert abs(squares.mean() - variance) < limit_for(1) * spread  # an independent simulation
    assert abs(squares.mean() - 2 * (np.e - 1)) > limit_for(1) * spread  # not yet the limit


def test_tanh_diffusion_has_the_exact_mean_and_variance():
    for steps in (16, 64):
        x = ResidualSDE(10, linear(), plain("tanh"), 1, 1).sample(np.ones((10, 1)), 40_000, 3, steps=steps)[:, :, 0]
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
    x = ResidualSDE(width, linear(), plain("silu"), 1, 1).sample(np.tile(z, (width, 1)), 40, 3, steps=steps)
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
    x = ResidualSDE(3, plain("tanh"), outer, time=step, **law).sample(x0, 40_000, 2, steps=1)
    psi = np.tanh(x0[:, 0])
    variance = np.diag(law["bias_covariance"] + law["row_covariance"] * (psi @ law["column_covariance"] @ psi))
    straight = 0.5 * (law["weight_mean"] @ psi + law["bias_mean"])
    moved = (x - x0)[:, :, 0] / step
    assert np.abs(z_scores(moved, straight + 0.25 * variance)).max() < limit_for(3)
    assert (x.var(axis=0)[:, 0] / step) == pytest.approx(0.25 * variance, rel=0.05)


def test_network_and_diffusion_are_one_for_a_linear_outer_activation():
    x0 = np.random.default_rng(1).standard_normal((5, 2))
    network = ResNet(5, 16, relu(), linear(), 1.2, 0.3).sample(x0, 100, 7, at=[4, 16])
    diffusion = ResidualSDE(5, relu(), linear(), 1.2, 0.3).sample(x0, 100, 7, at=[0.25, 1.0], steps=16)
    assert np.array_equal(network, diffusion)


def test_outer_activation_matters_by_order_one_over_root_depth_on_the_same_path():
    x0, errors = np.ones((3, 2)) * [1, 0.5], []
    for depth in (25, 100, 400):
        network = ResNet(3, depth, plain("tanh"), plain("silu"), 1, 1).sample(x0, 2000, 3)
        diffusion = ResidualSDE(3, plain("tanh"), plain("silu"), 1, 1).sample(x0, 2000, 3, steps=depth)
        errors.append(np.sqrt(np.mean((network - diffusion) ** 2)))
    assert np.polyfit(np.log([25, 100, 400]), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize("inner", [linear(), plain("tanh")], ids=lambda phi: phi.name)
def test_coarse_and_fine_diffusions_converge_on_the_same_path(inner, loops):
    x0, errors = np.ones((3, 2)) * [1, 0.5], []
    sde = ResidualSDE(3, inner, plain("tanh"), 2, 0.5)
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
    return ResNet(1, depth, linear(), linear(), 0.0, 1.0).sample(np.zeros((1, 1)), samples, seed)[:, 0, 0]


def test_strong_error_at_width_one_is_the_exact_one():
    """E (Y - X)^2 = e - (1 + 1/L)^L for X = exp(B - 1/2), so the root times sqrt(L) tends to sqrt(e/2)."""
    for depth in (16, 64, 256):
        X = np.exp(brownian_end(depth, 100_000, 5) - 0.5)
        Y = ResNet(1, depth, linear(), linear()).sample(ONE, 100_000, 5)[:, 0, 0]
        exact = np.e - (1 + 1 / depth) ** depth
        assert abs(z_scores((Y - X) ** 2, exact)) < limit_for(3) * 1.5  # the squares have heavy tails
        assert abs(z_scores((Y - X) ** 2, exact / 2)) > limit_for(3) * 1.5
    assert np.sqrt(depth * exact) == pytest.approx(np.sqrt(np.e / 2), rel=5e-3)
    rectified = ResNet(1, 256, relu(), linear()).sample(ONE, 100_000, 5)[:, 0, 0]
    assert np.array_equal(rectified, Y)  # no path dies at this depth


@pytest.mark.parametrize("depth", [1, 5, 10])
def test_neurons_of_width_one_die_with_the_exact_probability(depth):
    dead = ResNet(1, depth, relu(), linear()).sample(ONE, 100_000, 9)[:, 0, 0] <= 0
    exact = 1 - (1 - stats.norm.cdf(-np.sqrt(depth))) ** depth
    assert abs(z_scores(dead, exact)) < limit_for(3)
    assert abs(z_scores(dead, 1.3 * exact)) > limit_for(3)


def test_width_one_is_geometric_brownian_motion():
    for depth, samples in ((5, 20_000), (100, 20_000)):
        Y = ResNet(1, depth, relu(), linear()).sample(ONE, samples, 2)[:, 0, 0]
        distance = stats.kstest(np.log(Y[Y > 0]), stats.norm(-0.5, 1).cdf).statistic
        z = np.linspace(-4, 4, 801)
        known = np.max(stats.norm.pdf(z) * np.abs(1 / 4 - 5 / 4 * z + z**2 / 2)) / depth
        accepted = stats.kstwo.isf(LEVEL, samples) + 1.2 * known
        assert distance < accepted if depth == 100 else distance > stats.kstwo.isf(LEVEL, samples)
        without_drift = stats.kstest(np.log(Y[Y > 0]), stats.norm(0, 1).cdf).statistic
        assert without_drift > accepted
    frozen = ResNet(1, 100, relu(), linear()).sample(-ONE, 10, 2)
    assert np.all(frozen == -1)


def test_increments_have_the_quadratic_variation_of_one_volatility():
    n, depth = 3, 20
    Y = ResNet(n, depth, relu(), linear()).sample(np.ones((n, 1)), 40_000, 3, at=range(depth + 1))[..., 0]
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
        X = ResNet(n, depth, relu(), linear()).sample(np.ones((n, 1)), 3000, 3, at=range(depth + 1))[..., 0]
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
    x = ResNet(width, depth, relu(), linear()).sample(x0, 40, 4)
    power = (x**2).mean((1, 2))
    assert abs(z_scores(power, 2 * (1 + 1 / (2 * depth)) ** depth)) < limit_for(1) + 0.5
    assert abs(z_scores(power, 2 * (1 + 1 / depth) ** depth)) > limit_for(1) + 0.5


# Starts


def test_gaussian_starts_have_their_gram_matrix_and_a_stream_of_their_own():
    gram = np.array([[1.0, 0.3], [0.3, 2.0]])
    x0 = gaussian_start(gram, 20, 4000, 3)
    assert x0.shape == (4000, 20, 2)
    products = np.einsum("swa,swb->sab", x0, x0) / 20
    assert np.abs(z_scores(products, gram)).max() < limit_for(4)
    assert np.array_equal(x0[10:20], gaussian_start(gram, 20, 10, 3, first=10))
    layer = ResNet(20, 1, linear(), linear(), 0, 1).sample(np.zeros((20, 1)), 4000, 3)
    assert abs(np.corrcoef(x0[..., 0].ravel(), layer.ravel())[0, 1]) < limit_for(1) / np.sqrt(80_000)


def test_singular_gram_gives_equal_inputs():
    x0 = gaussian_start([[1.0, 1.0], [1.0, 1.0]], 5, 3, 1)
    assert x0[..., 0] == pytest.approx(x0[..., 1])


# Nearly parallel inputs


@pytest.mark.parametrize(("inner", "outer"), [(relu(), linear()), (plain("tanh"), plain("silu"))], ids=str)
@pytest.mark.parametrize("distance", [1e-3, 1e-9])
def test_nearly_parallel_inputs_move_by_the_derivative(inner, outer, distance, loops):
    """The distance of two inputs, in units of the first one, does not depend on how small it is."""
    draw = np.random.default_rng(1)
    x, e = draw.standard_normal((2, 50, 1))
    network = ResNet(50, 4, inner, outer, 2, 0.5)
    near = network.sample(np.hstack([x, x + distance * e]), 4000, 3)
    near = (near[..., 1] - near[..., 0]) / distance
    reference = network_with_weights(network, np.hstack([x, x + 1e-5 * e]), 4000, 4)
    reference = (reference[..., 1] - reference[..., 0]) / 1e-5
    for one in (lambda d: d[:, 0], lambda d: (d**2).sum(1)):
        assert stats.ks_2samp(one(near), one(reference)).pvalue > LEVEL / 16
    assert stats.ks_2samp((near**2).sum(1), 1.1 * (reference**2).sum(1)).pvalue < LEVEL / 16


def test_equal_and_opposite_inputs_stay_so():
    x = np.random.default_rng(1).standard_normal((30, 1))
    out = ResNet(30, 8, plain("tanh"), plain("tanh"), 1, 0).sample(np.hstack([x, x, -x]), 20, 3)
    assert np.array_equal(out[..., 0], out[..., 1])
    assert out[..., 2] == pytest.approx(-out[..., 0], abs=1e-5)


# Streams, shapes and bad input


PROCESSES = {
    "one input": (ResNet(5, 4, relu(), linear()), 1),
    "two inputs": (ResNet(5, 4, plain("tanh"), plain("silu"), 1, 1), 2),
    "three inputs": (ResNet(5, 4, plain("tanh"), plain("silu"), 1, 1), 3),
    "correlated": (ResNet(5, 4, plain("tanh"), plain("silu"), row_covariance=np.eye(5)), 2),
    "diffusion": (ResidualSDE(5, plain("tanh"), plain("silu"), 1, 1), 2),
}


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("random", [False, True], ids=["shared start", "random starts"])
def test_same_bits_for_any_threads_and_chunks(name, random):
    process, inputs = PROCESSES[name]
    extra = {"steps": 4} if isinstance(process, ResidualSDE) else {}
    at = [0.5, 1.0] if extra else [2, 4]
    starts = np.random.default_rng(1).standard_normal((300, 5, inputs))
    x0 = starts if random else starts[0]
    whole = process.sample(x0, 300, 7, at, threads=1, **extra)
    assert np.array_equal(whole, process.sample(x0, 300, 7, at, threads=3, **extra))
    cuts = [0, 1, 13, 64, 200, 300]
    parts = [process.sample(x0[a:b] if random else x0, b - a, 7, at, first=a, **extra)
             for a, b in zip(cuts, cuts[1:], strict=False)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, process.sample(x0, 300, 8, at, **extra))


@pytest.mark.parametrize("name", [name for name in PROCESSES if name != "diffusion"])
def test_layers_come_in_the_order_asked_for_and_do_not_change_the_path(name):
    network, inputs = PROCESSES[name]
    x0 = np.random.default_rng(1).standard_normal((5, inputs))
    every = network.sample(x0, 10, 1, at=range(5))
    assert np.array_equal(every[:, 4], network.sample(x0, 10, 1))
    assert np.array_equal(every[:, [3, 0, 3]], network.sample(x0, 10, 1, at=[3, 0, 3]))
    assert every[:, 0] == pytest.approx(np.broadcast_to(x0, (10, 5, inputs)))


def test_explosion_is_infinite_and_never_nan(loops):
    """A branch that squares the state overflows: infinite from then on, in all layers asked for."""
    x = ResNet(2, 60, plain("x**2"), linear(), 50.0).sample(np.full((2, 2), [5, 4.0]), 200, 1, at=[0, 10, 60])
    assert not np.any(np.isnan(x))
    assert np.all(np.isfinite(x[:, 0]))
    exploded = np.isinf(x[:, 2]).any((1, 2))
    assert exploded.mean() > 0.5
    assert np.all(np.isinf(x[exploded, 2]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(width=st.integers(1, 9), inputs=st.integers(1, 4), depth=st.integers(1, 4), scale=st.floats(1e-6, 1e3),
       weight=st.floats(0, 4), bias=st.floats(0, 4), inner=st.sampled_from(["tanh", "gelu", "x"]),
       seed=st.integers(0, 2**64 - 1))
def test_finite_starts_give_finite_states(width, inputs, depth, scale, weight, bias, inner, seed):
    x0 = scale * np.random.default_rng(seed).standard_normal((width, inputs))
    assert np.all(np.isfinite(ResNet(width, depth, plain(inner), plain("tanh"), weight, bias).sample(x0, 3, seed)))


GOOD = {"width": 3, "depth": 4, "inner": relu(), "outer": linear()}


@pytest.mark.parametrize(("arguments", "message"), [
    ({"width": 0}, "width must be an integer >= 1, got 0"),
    ({"depth": 2.5}, "depth"),
    ({"inner": "relu"}, "inner must be"),
    ({"outer": None}, "outer must be"),
    ({"weight_variance": -1}, "weight_variance must be a finite number and >= 0"),
    ({"bias_variance": np.nan}, "bias_variance"),
    ({"time": 0}, "time must be a finite number and > 0"),
    ({"weight_mean": np.eye(2)}, r"weight_mean must have shape \(3, 3\)"),
    ({"bias_mean": np.full(3, np.inf)}, "bias_mean must be finite"),
    ({"row_covariance": -np.eye(3)}, "row_covariance must be positive semi-definite"),
    ({"column_covariance": np.triu(np.ones((3, 3)))}, "column_covariance must be symmetric"),
    ({"bias_covariance": np.eye(3), "bias_variance": 1}, "bias_variance must be 0 where bias_covariance"),
])
def test_bad_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**{**GOOD, **arguments})


@pytest.mark.parametrize(("arguments", "message"), [
    ({"x0": np.ones(3)}, r"x0 must have shape \(3, inputs\)"),
    ({"x0": np.ones((4, 2))}, "x0 must have shape"),
    ({"x0": np.ones((5, 3, 1))}, "x0 must have shape"),
    ({"x0": np.full((3, 1), np.nan)}, "x0 must be finite"),
    ({"samples": 0}, "samples must be an integer >= 1 .*, got 0"),
    ({"seed": -1}, "seed"),
    ({"at": [5]}, "at must be an integer >= 0 and <= 4, got 5"),
    ({"at": []}, "at must name"),
    ({"threads": 0}, "threads"),
    ({"first": -1}, "first"),
    ({"noise_depth": 6}, "noise_depth must be a multiple of 4, got 6"),
    ({"precision": "half"}, "precision must be 'single' or 'double', got 'half'"),
])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**GOOD).sample(**{"x0": np.ones((3, 1)), "samples": 2, "seed": 1, **arguments})


@pytest.mark.parametrize(("inner", "outer", "message"), [
    (linear(), relu(), "outer must have 3 continuous derivatives at 0, ReLU has 0.*smooth one"),
    (linear(), plain("elu"), "outer must have 3 continuous derivatives"),
    (linear(), plain("sigmoid"), "outer must vanish at 0, sigmoid is 0.5 there; subtract"),
    (relu(), plain("tanh"), "inner must have 2 continuous derivatives unless outer is linear"),
])
def test_activations_without_a_diffusion_limit_are_refused(inner, outer, message):
    with pytest.raises(ValueError, match=message):
        ResidualSDE(3, inner, outer)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"steps": 0}, "steps"), ({"at": [0.3]}, "at must lie on the grid"), ({"at": [1.5]}, "at must be"),
    ({"at": []}, "at must name"), ({"noise_steps": 9}, "noise_steps must be a multiple of 8, got 9")])
def test_bad_times_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualSDE(3, relu(), linear()).sample(np.ones((3, 1)), 2, 1, **{"steps": 8, **arguments})


@pytest.mark.parametrize("depth", [100, 400])
def test_rectified_branches_blow_up_like_the_root_of_depth(depth):
    """With biases alone each branch adds E max(b, 0), so that E x = sqrt(L / 2 pi)."""
    x = ResNet(4, depth, linear(), relu(), 0, 1).sample(np.zeros((4, 1)), 5000, 3)[:, :, 0]
    exact = np.sqrt(depth / (2 * np.pi))
    assert np.abs(z_scores(x, exact)).max() < limit_for(8)
    assert np.abs(z_scores(x, exact + 0.1)).max() > limit_for(8)


def test_one_layer_too_many_changes_the_bits_of_no_earlier_layer():
    x0 = np.ones((5, 2)) * [1, 0.3]
    short, long = (ResNet(5, depth, relu(), linear(), time=depth).sample(x0, 9, 1, at=[3]) for depth in (3, 6))
    assert np.array_equal(short, long)


@pytest.mark.parametrize("precision, error", [("single", 3e-7), ("double", 1e-14)])
def test_multiples_of_an_input_stay_multiples_of_its_state(precision, error, loops):
    """A Gram matrix of rank 1 in both coordinates: rounding must not add a direction."""
    x = np.random.default_rng(0).standard_normal((100, 1))
    states = ResNet(100, 50, relu(), linear()).sample(np.hstack([x, 1.7 * x]), 4, 1, precision=precision)
    assert np.abs(states[..., 1] - 1.7 * states[..., 0]).max() < error * np.abs(states).max()


@pytest.mark.parametrize("width", [32, 128], ids=["narrow", "wide"])
def test_many_inputs_on_a_line_stay_on_a_smooth_curve_in_single_precision(width):
    """Functions of one variable with a Gram matrix of rank 2: rounding of its entries must not bend them."""
    x0 = np.tile(np.linspace(-2, 2, 25), (width, 1))
    network = ResNet(width, 300, linear(), plain("tanh"), 1, 0.25)
    single, double = (np.diff(network.sample(x0, 4, 1, precision=precision), 2, axis=2)
                      for precision in ("single", "double"))
    assert np.sqrt(np.mean(single**2)) < 1.5 * np.sqrt(np.mean(double**2))
    assert np.abs(single).max() < 3 * np.abs(double).max()
