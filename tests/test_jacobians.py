"""Jacobians of residual networks, their limit and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet

X0 = np.array([[1.0], [-0.5], [0.8]])


def rms(matrices):
    return np.sqrt(np.mean(np.sum(matrices**2, axis=(-2, -1))))


def matrix_gaussian(width):
    draw = np.random.default_rng(3)
    outer, inner = draw.standard_normal((2, width, width)) / np.sqrt(width)
    return {
        "weight_mean": draw.standard_normal((width, width)),
        "row_covariance": outer @ outer.T,
        "column_covariance": inner.T @ inner,
        "bias_covariance": np.eye(width),
    }


@pytest.mark.parametrize(
    "law", [{"weight_variance": 1.5, "bias_variance": 0.5}, matrix_gaussian(3)], ids=["iid", "matrix"]
)
@pytest.mark.parametrize("kind", ["network", "diffusion"])
def test_jacobian_is_the_derivative_of_the_state_on_the_same_weights(law, kind):
    inner, outer = plain("tanh"), plain("silu")

    def states(x0):
        if kind == "network":
            return ResNet(Blocks(inner, outer, **law), 3, 8).jacobians(x0, 5, 1)
        return ResidualSDE(Blocks(inner, outer, **law), 3).jacobians(x0, 5, 1, steps=8)

    small = 1e-5
    ends = states(X0 + small * np.hstack([np.eye(3), -np.eye(3)])).state
    numerical = (ends[:, :, :3] - ends[:, :, 3:]) / (2 * small)
    jacobian = states(X0).jacobian[:, 0]
    assert jacobian == pytest.approx(numerical, abs=1e-8)


def test_states_have_the_law_of_rows():
    x0 = np.hstack([X0, X0[::-1]])
    network = ResNet(Blocks(plain("tanh"), plain("silu"), 1.5, 0.5), 3, 10)
    sde = ResidualSDE(Blocks(plain("tanh"), plain("silu"), 1.5, 0.5), 3)
    pairs = [
        (network.jacobians(x0, 10_000, 1).state, network.sample(x0, 20_000, 1)),
        (sde.jacobians(x0, 10_000, 1, steps=10).state, sde.sample(x0, 20_000, 1, steps=10)),
    ]
    for weights, rows in pairs:
        for view in (lambda x: x[:, 0, 0], lambda x: (x[:, :, 0] * x[:, :, 1]).mean(1), lambda x: (x**2).mean((1, 2))):
            assert stats.ks_2samp(view(weights), view(rows)).pvalue > LEVEL / 6
    other = ResNet(Blocks(plain("tanh"), plain("silu"), 2.0, 0.5), 3, 10).sample(x0, 20_000, 1)
    assert stats.ks_2samp((pairs[0][0] ** 2).mean((1, 2)), (other**2).mean((1, 2))).pvalue < LEVEL


@pytest.mark.parametrize("inner", [linear(), plain("tanh")], ids=lambda phi: phi.name)
def test_network_and_limit_meet_at_order_one_half_on_the_same_weights(inner):
    outer, depths, errors = plain("silu"), [25, 100, 400], []
    for depth in depths:
        J = ResNet(Blocks(inner, outer, 1, 1), 3, depth).jacobians(0 * X0, 300, 1).jacobian
        g = ResidualSDE(Blocks(inner, outer, 1, 1), 3).jacobians(0 * X0, 300, 1, steps=depth).jacobian
        errors.append(rms(J - g))
    assert np.polyfit(np.log(depths), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.12)
    straight = ResidualSDE(Blocks(inner, plain("x/2"), 1, 1), 3).jacobians(0 * X0, 300, 1, steps=400).jacobian
    assert rms(J - straight) > 2 * errors[-1]  # without the drift of the curvature


def test_coarse_networks_meet_the_fine_limit_on_the_same_weights():
    inner, outer, depths, errors = plain("tanh"), plain("silu"), [16, 64, 256], []
    g = ResidualSDE(Blocks(inner, outer, 1, 1), 3).jacobians(0 * X0, 300, 1, steps=512).jacobian
    for depth in depths:
        network = ResNet(Blocks(inner, outer, 1, 1), 3, depth)
        errors.append(rms(network.jacobians(0 * X0, 300, 1, noise_depth=512).jacobian - g))
    assert np.polyfit(np.log(depths), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.12)


def element_wise_inverse(network, x0, samples, steps, seed):
    """The inverse with the element-wise bracket, for a linear network: d[Z_ij, Z_ij] = dt/n in every entry."""
    n = network.width
    path = network.jacobians(x0, samples, seed, at=np.arange(steps + 1) / steps, steps=steps).jacobian[:, :, 0]
    inverse = np.broadcast_to(np.eye(n), (samples, n, n)).copy()
    for k in range(steps):
        dZ = np.linalg.solve(path[:, k].swapaxes(1, 2), (path[:, k + 1] - path[:, k]).swapaxes(1, 2)).swapaxes(1, 2)
        inverse += inverse @ (np.full((n, n), 1 / (n * steps)) - dZ)
    return inverse


@pytest.mark.slow
def test_inverse_needs_the_bracket_of_the_matrix_product():
    sde, residuals = ResidualSDE(Blocks(linear(), linear()), 3), []
    for steps in (50, 200, 800):
        path = sde.jacobians(X0, 300, 1, steps=steps)
        residuals.append(rms(path.jacobian @ path.inverse - np.eye(3)))
    assert np.polyfit(np.log([50, 200, 800]), np.log(residuals), 1)[0] == pytest.approx(-0.5, abs=0.12)
    wrong = rms(path.jacobian[:, 0] @ element_wise_inverse(sde, X0, 300, 800, 1) - np.eye(3))
    assert wrong > 5 * residuals[-1]


@pytest.mark.slow
def test_inverse_of_correlated_weights_and_a_curved_network():
    for law in ({"weight_variance": 1.5}, matrix_gaussian(3)):
        residuals = []
        for steps in (100, 1600):
            path = ResidualSDE(Blocks(plain("tanh"), plain("silu"), **law), 3).jacobians(X0, 100, 1, steps=steps)
            residuals.append(rms(path.jacobian @ path.inverse - np.eye(3)))
        assert residuals[0] / residuals[1] == pytest.approx(4, rel=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 6])
def test_log_determinant_is_normal_with_the_same_law_at_every_width(width):
    steps = 200
    path = ResidualSDE(Blocks(linear(), linear()), width).jacobians(np.ones((width, 1)), 3000, 2, steps=steps)
    values = path.log_determinant[:, 0]
    accepted = stats.kstwo.isf(LEVEL / 2, 3000) + 3 / steps
    assert stats.kstest(values, stats.norm(-0.5, 1).cdf).statistic < accepted
    assert stats.kstest(values, stats.norm(0, 1).cdf).statistic > accepted  # without the bracket
    assert np.linalg.det(path.jacobian[:, 0]) == pytest.approx(np.exp(values))


def test_second_moments_of_the_jacobian_are_exact():
    width, steps = 6, 100
    g = ResidualSDE(Blocks(linear(), linear()), width).jacobians(np.ones((width, 1)), 2000, 2, steps=steps)
    J = g.jacobian[:, 0]
    grown = (1 + 1 / steps) ** steps
    for product in (J.swapaxes(1, 2) @ J, J @ J.swapaxes(1, 2)):
        assert abs(z_scores(np.trace(product, axis1=1, axis2=2) / width, grown)) < limit_for(3)
    inverse = g.inverse[:, 0]
    size = np.trace(inverse @ inverse.swapaxes(1, 2), axis1=1, axis2=2) / width
    assert abs(size.mean() - np.exp(1 + 2 / width)) < limit_for(3) * size.std() / np.sqrt(2000) + 10 / steps
    assert abs(size.mean() - np.exp(-1)) > limit_for(3) * size.std() / np.sqrt(2000) + 10 / steps  # entries inverted


@pytest.mark.slow
def test_norm_of_a_fixed_direction_is_log_normal():
    width = 4
    g = ResidualSDE(Blocks(linear(), linear()), width).jacobians(np.ones((width, 1)), 5000, 2, steps=200).jacobian[:, 0]
    values = np.log(np.linalg.norm(g[:, :, 0], axis=1))
    accepted = stats.kstwo.isf(LEVEL, 5000) + 2 / 200
    assert stats.kstest(values, stats.norm((1 - 2 / width) / 2, width**-0.5).cdf).statistic < accepted
    assert stats.kstest(values, stats.norm(0.5, width**-0.5).cdf).statistic > accepted


def test_network_of_rectifiers_has_piecewise_constant_derivatives():
    path = ResNet(Blocks(relu(), linear()), 4, 6).jacobians(np.ones((4, 1)), 20, 1)
    assert path.state[:, :, 0] == pytest.approx(path.jacobian[:, 0] @ np.ones(4))  # homogeneous of degree 1
    assert path.log_determinant == pytest.approx(np.log(np.abs(np.linalg.det(path.jacobian))))


def test_overflow_is_infinite_and_never_nan():
    network = ResNet(Blocks(linear(), linear(), weight_variance=1e6), 3, 400)
    limit = ResidualSDE(Blocks(linear(), linear(), weight_variance=1e6), 3)
    for found in (
        network.jacobians(np.ones((3, 2)), 4, 1, at=[0, 400, 10]),
        limit.jacobians(np.ones((3, 2)), 4, 1, at=[0, 1, 10 / 400], steps=400),
    ):
        for part in found:
            assert np.all(np.isfinite(part[:, [0, 2]]))
            assert np.all(part[:, 1] == np.inf)


def test_shapes_and_same_bits_for_any_threads_and_chunks():
    network, x0 = ResNet(Blocks(plain("tanh"), plain("silu"), 1, 1), 3, 6), np.hstack([X0, -X0])
    whole = network.jacobians(x0, 20, 7, at=[6, 0], threads=1)
    assert whole.state.shape == (20, 2, 3, 2)
    assert whole.jacobian.shape == (20, 2, 2, 3, 3)
    assert whole.log_determinant.shape == (20, 2, 2)
    assert np.array_equal(whole.jacobian[:, 1], np.broadcast_to(np.eye(3), (20, 2, 3, 3)))
    parts = [
        network.jacobians(x0, stop - start, 7, at=[6, 0], first=start, threads=2) for start, stop in ((0, 3), (3, 20))
    ]
    for one, other in zip(whole, map(np.concatenate, zip(*parts, strict=True)), strict=True):
        assert np.array_equal(one, other)
    path = ResidualSDE(Blocks(plain("tanh"), plain("silu")), 3).jacobians(x0, 20, 7, at=[0.5], steps=4)
    assert path.inverse.shape == (20, 1, 2, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": np.ones(3)}, r"initial must have shape \(3, inputs\)"),
        ({"steps": 0}, "steps"),
        ({"at": [0.3]}, "at must lie"),
        ({"samples": 0}, "samples"),
        ({"seed": 2**64}, "seed"),
        ({"precision": "half"}, "precision"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        given = {"initial": X0, "samples": 2, "seed": 1, "steps": 4, **arguments}
        ResidualSDE(Blocks(linear(), plain("tanh")), 3).jacobians(**given)


def test_activations_without_a_limit_are_refused():
    with pytest.raises(ValueError, match="outer must have 3 continuous derivatives"):
        ResidualSDE(Blocks(linear(), relu()), 3)
