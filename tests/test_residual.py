"""Residual networks have the laws known in closed form, at any width and depth."""

from __future__ import annotations

import numpy as np
import pytest
from explicit import matrix_gaussian, network_with_weights
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet


def views(x):
    """One neuron, a product of inputs, the mean square and the largest neuron: four views of a state."""
    return {
        "neuron": x[:, 0, 0],
        "inputs": (x[:, :, 0] * x[:, :, -1]).mean(1),
        "square": (x**2).mean((1, 2)),
        "largest": x.max((1, 2)),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inner", "outer", "bias"),
    [(relu(), linear(), 0.0), (plain("tanh"), plain("silu"), 0.5), (plain("erf"), relu(), 0.2)],
    ids=str,
)
def test_rows_have_the_law_of_networks_with_weight_matrices(inner, outer, bias, loops):
    network = ResNet(Blocks(inner, outer, 1.3, bias), 3, 20)
    x0 = np.array([[1.0, 0.8, -0.3], [-0.5, 0.5, 1.0], [0.3, 0.1, 0.2]])
    explicit = views(network_with_weights(network, x0, 20_000, 1))
    for precision in ("single", "double"):
        rows = views(network.sample(x0, 20_000, 2, precision=precision))
        for name, values in rows.items():
            assert stats.ks_2samp(values, explicit[name]).pvalue > LEVEL / 48, (precision, name)
    # Twice the weight variance, as another convention has it, is seen by the same comparison.
    doubled = views(ResNet(Blocks(inner, outer, 2.6, bias), 3, 20).sample(x0, 20_000, 2))
    assert min(stats.ks_2samp(doubled[name], explicit[name]).pvalue for name in doubled) < LEVEL / 48


def test_layers_in_compiled_loops_agree_with_each_other(loops):
    """One layer in float32 is one layer in float64, up to rounding, given the same increments."""
    x0 = np.random.default_rng(1).standard_normal((40, 3))
    tanh = plain("tanh")
    states = ResNet(Blocks(linear(), tanh), 40, 1).sample(x0, 70, 3)
    increments = ResNet(Blocks(linear(), linear()), 40, 1).sample(x0, 70, 3) - x0
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
    x = ResNet(Blocks(plain("tanh"), outer, 1.5, 0.3, time=step), width, 1).sample(x0, 60_000, 5) - x0
    variance = step * (0.3 + 1.5 * np.mean(np.tanh(x0) ** 2, axis=0))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    values = outer(nodes[:, None] * np.sqrt(variance))
    expected = weights @ values / weights.sum(), weights @ values**2 / weights.sum()
    for power in (1, 2):
        assert np.abs(z_scores(x**power, expected[power - 1])).max() < limit_for(24)
    assert np.abs(z_scores(x, outer.second0 / 2 * variance)).max() > limit_for(24)  # only right for small steps


def test_increments_vanish_where_the_inner_activation_does():
    assert np.all(ResNet(Blocks(relu(), linear()), 4, 5).sample(-np.ones((4, 1)), 10, 1) == -1)


# Linear inner activation: exact moments for any width and depth


@pytest.mark.parametrize("width", [1, 2, 10])
def test_covariance_of_linear_networks_is_exact_at_every_width(width, loops):
    depth, weight, bias = 20, 0.8, 0.4
    z = np.array([1.0, 0.5])
    x = ResNet(Blocks(linear(), linear(), weight, bias), width, depth).sample(np.tile(z, (width, 1)), 40_000, 3)
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


@pytest.mark.parametrize(
    ("width", "z", "time", "kurtosis"),
    [
        (1, 0, 1, 23.562),
        (2, 0, 1, 4.9128),
        (10, 0, 1, 0.5680),
        (100, 0, 1, 0.0511),
        (3, 1, 1, 4.5328),
        (3, 1, 0.5, 1.6338),
    ],
)
def test_kurtosis_recursion_tends_to_the_limit_of_infinite_depth(width, z, time, kurtosis):
    y2, y4 = fourth_moment(width, 20_000, z, time)
    assert y4 / y2**2 - 3 == pytest.approx(kurtosis, rel=4e-3)


@pytest.mark.parametrize(("width", "z"), [(10, 0.0), (20, 1.0)])
def test_one_neuron_has_the_exact_kurtosis_of_its_width(width, z):
    depth = 20
    y = ResNet(Blocks(linear(), linear(), 1, 1), width, depth).sample(np.full((width, 1), z), 60_000, 4)[:, :, 0] - z
    y2, y4 = fourth_moment(width, depth, z)
    assert abs(z_scores((y**2).mean(1), y2)) < limit_for(2)
    assert abs(z_scores((y**4).mean(1), y4)) < limit_for(2)
    assert abs(z_scores((y**4).mean(1), 3 * y2**2)) > limit_for(2)  # not Gaussian


@pytest.mark.parametrize("width", [2, 10])
def test_log_norm_is_normal_at_every_width(width):
    x = ResidualSDE(Blocks(linear(), linear()), width).sample(np.ones((width, 1)), 20_000, 6, steps=400)
    log_norm = np.log((x**2).mean((1, 2))) / 2
    law = stats.norm((1 - 2 / width) / 2, np.sqrt(1 / width))
    # The scheme moves mean and variance by less than 1/steps, in units of the deviation.
    assert stats.kstest(log_norm, law.cdf).statistic < stats.kstwo.isf(LEVEL / 2, 20_000) + 2 / 400
    wrong = stats.norm(1 / 2, np.sqrt(1 / width))  # without the correction by 2/width
    assert stats.kstest(log_norm, wrong.cdf).statistic > stats.kstwo.isf(LEVEL / 2, 20_000) + 2 / 400


# Correlated weights


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
        x = ResidualSDE(Blocks(linear(), linear(), **law), 3).sample(starts, 20_000, 1, steps=depth)
    else:
        x = ResNet(Blocks(linear(), linear(), **law), 3, depth).sample(starts, 20_000, 1)
    mean, second = moments_by_layer(law, x0, depth)
    products = x[:, :, None, 0] * x[:, None, :, 0]
    assert np.abs(z_scores(x[:, :, 0], mean)).max() < limit_for(12)
    assert np.abs(z_scores(products, second)).max() < limit_for(12)
    transposed = moments_by_layer({**law, "column_covariance": inner @ inner.T}, x0, depth)[1]
    assert np.abs(z_scores(products, transposed)).max() > limit_for(12)
    other = moments_by_layer(law, -x0, depth)[0]
    assert np.abs(z_scores(x[:, :, 1], other)).max() < limit_for(3)


@pytest.mark.parametrize(("width", "limit"), [(1, False), (3, True), (11, False)])
def test_means_alone_shift_the_exact_moments(width, limit, loops):
    """Samples side by side keep what enters a layer, tile by tile; the other loop is that of correlated weights."""
    draw, depth = np.random.default_rng(width), 5
    means = {"weight_mean": draw.standard_normal((width, width)), "bias_mean": draw.standard_normal(width)}
    square = {name: np.eye(width) for name in ("row_covariance", "bias_covariance")}
    law = {**means, **square, "column_covariance": 0.5 * np.eye(width) / width}
    starts, blocks = draw.standard_normal((width, 3)), Blocks(linear(), linear(), 0.5, 1.0, **means)
    if limit:
        x = ResidualSDE(blocks, width).sample(starts, 20_000, 1, steps=depth)
    else:
        x = ResNet(blocks, width, depth).sample(starts, 20_000, 1)
    bound, zero = limit_for(6 * width * (width + 1)), {name: np.zeros_like(value) for name, value in means.items()}
    for j in range(3):
        mean, second = moments_by_layer(law, starts[:, j], depth)
        assert np.abs(z_scores(x[:, :, j], mean)).max() < bound
        assert np.abs(z_scores(x[:, :, None, j] * x[:, None, :, j], second)).max() < bound
        assert np.abs(z_scores(x[:, :, j], moments_by_layer(law | zero, starts[:, j], depth)[0])).max() > bound


@pytest.mark.parametrize("means", [{"weight_mean": [[2.0]]}, {"bias_mean": [0.7]}], ids=["weights", "biases"])
def test_a_layer_moves_by_its_mean_after_the_inner_and_before_the_outer_activation(means, loops):
    """Without variance all is arithmetic; erf inside, tanh outside, two inputs, both kinds of layers."""
    inner, outer, x = plain("erf"), plain("tanh"), np.array([[0.3, -1.1]])
    blocks = Blocks(inner, outer, weight_variance=0.0, **means)
    got = ResNet(blocks, 1, 3).sample(x, 5, 1, precision="double", at=[0, 1, 2, 3])
    for layer in range(4):
        assert got[:, layer] == pytest.approx(np.broadcast_to(x, (5, 1, 2)), rel=1e-12)
        h = means["weight_mean"][0][0] * inner(x) if "weight_mean" in means else means["bias_mean"][0]
        x = x + outer(h / 3 + 0 * x)


def test_matrix_gaussian_weights_are_those_of_the_factors():
    """cov((sigma_O B sigma_I psi)_o) = (sigma_O sigma_O^T) psi^T sigma_I^T sigma_I psi, for non-symmetric factors."""
    draw = np.random.default_rng(8)
    outer, inner = draw.standard_normal((2, 3, 3))
    x0 = draw.standard_normal((3, 1))
    law = {"row_covariance": outer @ outer.T, "column_covariance": inner.T @ inner}
    network = ResNet(Blocks(plain("tanh"), linear(), **law), 3, 1)
    sampled = (network.sample(x0, 40_000, 2) - x0)[:, :, 0]
    explicit = (outer @ draw.standard_normal((40_000, 3, 3)) @ inner @ np.tanh(x0))[:, :, 0]
    for name, one in {"first": lambda x: x[:, 0], "sum": lambda x: x.sum(1), "norm": lambda x: (x**2).sum(1)}.items():
        assert stats.ks_2samp(one(sampled), one(explicit)).pvalue > LEVEL / 3, name
    wrong = (outer @ draw.standard_normal((40_000, 3, 3)) @ inner.T @ np.tanh(x0))[:, :, 0]
    assert stats.ks_2samp((sampled**2).sum(1), (wrong**2).sum(1)).pvalue < LEVEL / 3


def test_identity_covariances_give_the_law_of_independent_weights():
    x0 = np.array([[1.0, 0.5], [0.2, -0.4], [0.3, 0.3], [-0.8, 0.1]])
    laws = [
        ResNet(Blocks(plain("tanh"), plain("silu"), 1.5, 0.5, **extra), 4, 10).sample(x0, 20_000, 3)
        for extra in ({}, {"row_covariance": np.eye(4), "column_covariance": np.eye(4) / 4})
    ]
    one, other = map(views, laws)
    for name in one:
        assert stats.ks_2samp(one[name], other[name]).pvalue > LEVEL / 4
    unscaled = ResNet(Blocks(plain("tanh"), plain("silu"), 1.5, 0.5, column_covariance=np.eye(4)), 4, 10)
    unscaled = views(unscaled.sample(x0, 20_000, 3))
    assert stats.ks_2samp(one["square"], unscaled["square"]).pvalue < LEVEL / 4


# Nearly parallel inputs


@pytest.mark.slow
@pytest.mark.parametrize(("inner", "outer"), [(relu(), linear()), (plain("tanh"), plain("silu"))], ids=str)
@pytest.mark.parametrize("distance", [1e-3, 1e-9])
def test_nearly_parallel_inputs_move_by_the_derivative(inner, outer, distance, loops):
    """The distance of two inputs, in units of the first one, does not depend on how small it is."""
    draw = np.random.default_rng(1)
    x, e = draw.standard_normal((2, 50, 1))
    network = ResNet(Blocks(inner, outer, 2, 0.5), 50, 4)
    near = network.sample(np.hstack([x, x + distance * e]), 4000, 3)
    near = (near[..., 1] - near[..., 0]) / distance
    reference = network_with_weights(network, np.hstack([x, x + 1e-5 * e]), 4000, 4)
    reference = (reference[..., 1] - reference[..., 0]) / 1e-5
    for one in (lambda d: d[:, 0], lambda d: (d**2).sum(1)):
        assert stats.ks_2samp(one(near), one(reference)).pvalue > LEVEL / 16
    assert stats.ks_2samp((near**2).sum(1), 1.1 * (reference**2).sum(1)).pvalue < LEVEL / 16


def test_equal_and_opposite_inputs_stay_so():
    x = np.random.default_rng(1).standard_normal((30, 1))
    out = ResNet(Blocks(plain("tanh"), plain("tanh"), 1, 0), 30, 8).sample(np.hstack([x, x, -x]), 20, 3)
    assert np.array_equal(out[..., 0], out[..., 1])
    assert out[..., 2] == pytest.approx(-out[..., 0], abs=1e-5)


@pytest.mark.parametrize("precision, error", [("single", 3e-7), ("double", 1e-14)])
def test_multiples_of_an_input_stay_multiples_of_its_state(precision, error, loops):
    """A Gram matrix of rank 1 in both coordinates: rounding must not add a direction."""
    x = np.random.default_rng(0).standard_normal((100, 1))
    states = ResNet(Blocks(relu(), linear()), 100, 50).sample(np.hstack([x, 1.7 * x]), 4, 1, precision=precision)
    assert np.abs(states[..., 1] - 1.7 * states[..., 0]).max() < error * np.abs(states).max()


@pytest.mark.parametrize("width", [32, 128], ids=["narrow", "wide"])
def test_many_inputs_on_a_line_stay_on_a_smooth_curve_in_single_precision(width):
    """Functions of one variable with a Gram matrix of rank 2: rounding of its entries must not bend them."""
    x0 = np.tile(np.linspace(-2, 2, 25), (width, 1))
    network = ResNet(Blocks(linear(), plain("tanh"), 1, 0.25), width, 300)
    single, double = (
        np.diff(network.sample(x0, 4, 1, precision=precision), 2, axis=2) for precision in ("single", "double")
    )
    assert np.sqrt(np.mean(single**2)) < 1.5 * np.sqrt(np.mean(double**2))
    assert np.abs(single).max() < 3 * np.abs(double).max()
