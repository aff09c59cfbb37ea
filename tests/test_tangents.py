"""Gradients and tangents of shaped networks, and their limit."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL, limit_for, same_everywhere, z_scores
from scipy import special, stats
from scipy.integrate import solve_ivp

from deeplimits.activations import linear, plain, relu, shaped_relu, smooth
from deeplimits.blocks import Blocks
from deeplimits.diffusions import CovarianceSDE, NormSDE
from deeplimits.loops import tangents
from deeplimits.loops.lanes import LANES
from deeplimits.networks import ResNet, ShapedMLP

GRAM = np.array([[1.0, 0.3], [0.3, 1.2]])


CASES = {
    "balanced": shaped_relu(1, -1),
    "leaky": shaped_relu(0, -2),
    "relu": relu(),
    "linear": linear(),
    "tanh": smooth("tanh"),
    "silu": smooth("silu"),
}


def one_layer_means(phi, width, gram, second):
    """E V', E C' and E U' by Gauss quadrature; rectifiers by their homogeneity."""
    (v, c), u = gram[0], gram[1, 1]
    if second is None:
        return np.array([[v, c], [c, u]])
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    weights, z, small = weights / weights.sum(), np.sqrt(v) * nodes, 1e-4
    slope = (phi(z + small, width) - phi(z - small, width)) / (2 * small)
    value, scale = phi(z, width), phi.normaliser(width)
    along = c / v * z
    return scale * np.array(
        [
            [weights @ value**2, weights @ (value * slope * along)],
            [weights @ (value * slope * along), weights @ (slope**2 * (along**2 + u - c * c / v))],
        ]
    )


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (method, name)
        for method in ("chain", "rows", "weights")
        for name in CASES
        if method != "chain" or name not in ("tanh", "silu")
    ],
)
def test_one_layer_has_its_exact_means(method, name):
    phi, width = CASES[name], 5
    network = ShapedMLP(phi, width, 1)
    if method == "weights":
        found = network.gradients(GRAM, 40_000, 1).tangents
    else:
        found = network.tangents(GRAM, 40_000, 1, method=method)
    expected = one_layer_means(phi, width, GRAM, getattr(phi, "kappa", None))
    entries = ([0, 0, 1], [0, 1, 1])
    assert np.all(np.abs(z_scores(found[:, *entries], expected[entries])) < limit_for(3 * 16))
    if name in ("tanh", "silu"):  # slopes of 1 in place of those at the pre-activations
        assert np.abs(z_scores(found[:, 1, 1], phi.normaliser(width) * GRAM[1, 1])) > limit_for(1)


@pytest.mark.parametrize("name", CASES)
def test_chains_have_the_law_of_explicit_weights(name):
    network = ShapedMLP(CASES[name], 12, 10)
    weights = network.gradients(GRAM, 8000, 1).tangents
    views = [lambda M: M[:, 0, 0], lambda M: M[:, 1, 1], lambda M: M[:, 0, 1], lambda M: np.linalg.det(M)]
    for method in ("chain", "rows")[name in ("tanh", "silu") :]:
        chain = network.tangents(GRAM, 30_000, 2, method=method)
        for view in views:
            assert stats.ks_2samp(view(weights), view(chain)).pvalue > LEVEL / 40
    if name != "linear":  # two inputs are not an input and a direction
        wrong = network.sample(GRAM, 30_000, 3)
        assert min(stats.ks_2samp(view(weights), view(wrong)).pvalue for view in views) < LEVEL


def random_direction(network, samples, seed):
    """(V, |J u|^2) at the end for a direction u uniform on the sphere of the width, without weights."""
    gram = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # the input, along it, across it
    T = network.tangents(gram, samples, seed)
    draw = np.random.default_rng(seed)
    along = draw.beta(0.5, (network.width - 1) / 2, samples)
    sign = draw.choice([-1, 1], samples)
    mixed = 2 * sign * np.sqrt(along * (1 - along)) * T[:, 1, 2]
    return T[:, 0, 0], along * T[:, 1, 1] + mixed + (1 - along) * T[:, 2, 2]


@pytest.mark.parametrize("name", CASES)
def test_backpropagated_norm_has_the_law_of_a_random_tangent_jointly_with_the_forward_norm(name):
    network = ShapedMLP(CASES[name], 8, 6)
    V, U = random_direction(network, 40_000, 1)
    found = network.gradients(1.0, 10_000, 2)
    forward = found.tangents[:, 0, 0]
    for view in (lambda v, b: b, lambda v, b: v * b, lambda v, b: np.arctan2(v, b)):
        assert stats.ks_2samp(view(forward, found.norms), view(V, U)).pvalue > LEVEL / 18
    # Independent of the forward norm, as each layer's noise alone would have it:
    assert stats.ks_2samp(forward * found.norms, V * np.roll(U, 1)).pvalue < LEVEL


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("name", ["balanced", "leaky", "relu"])
def test_tangents_of_rectifiers_have_exactly_the_law_of_the_norm(name, correlation):
    network = ShapedMLP(CASES[name], 20, 15)
    U = network.tangents([[1.0, correlation], [correlation, 1.0]], 40_000, 1)[:, 1, 1]
    V = network.sample(1.0, 40_000, 2)[:, 0, 0]
    assert stats.ks_2samp(U, V).pvalue > LEVEL / 6
    deeper = ShapedMLP(CASES[name], 20, 18).sample(1.0, 40_000, 2)[:, 0, 0]
    assert stats.ks_2samp(U, deeper).pvalue < LEVEL


@pytest.mark.slow
def test_tangents_of_linear_networks_have_the_law_of_two_inputs_and_a_log_normal_limit():
    network = ShapedMLP(linear(), 100, 100)
    M = network.tangents(GRAM, 20_000, 1)
    assert stats.ks_2samp(M[:, 0, 1], network.sample(GRAM, 20_000, 2)[:, 0, 1]).pvalue > LEVEL
    log = np.log(M[:, 1, 1] / 1.2)
    shift = 100 * (special.digamma(50) - np.log(50))
    spread = 100 * special.polygamma(1, 50)
    assert shift == pytest.approx(-1, abs=0.01) and spread == pytest.approx(2, abs=0.03)  # N(-T, 2T)
    assert stats.kstest((log - shift) / np.sqrt(spread), "norm").pvalue > LEVEL
    assert stats.kstest(log / np.sqrt(spread), "norm").pvalue < LEVEL  # the mean is conserved, not the typical value


def test_width_one_and_directions_along_the_input():
    for phi in (shaped_relu(0.5, -0.5), smooth("tanh")):
        M = ShapedMLP(phi, 1, 3).tangents(GRAM, 2000, 1)
        assert np.linalg.det(M) == pytest.approx(np.zeros(2000), abs=1e-4)
    M = ShapedMLP(shaped_relu(1, -1), 30, 20).tangents([[1.0, 2.0], [2.0, 4.0]], 2000, 1)
    assert M[:, 0, 1] == pytest.approx(2 * M[:, 0, 0], rel=1e-9)  # homogeneity: J x is the output itself
    assert M[:, 1, 1] == pytest.approx(4 * M[:, 0, 0], rel=1e-9)


def test_small_inputs_keep_their_digits():
    network = ShapedMLP(smooth("tanh"), 50, 10)
    small = network.tangents(1e-40 * GRAM, 500, 1)
    straight = network.tangents(1e-12 * GRAM, 500, 1)
    assert small == pytest.approx(1e-28 * straight, rel=1e-5)


@pytest.mark.slow
def test_precisions_agree_in_law():
    network = ShapedMLP(smooth("silu", a=2.0), 12, 10)
    single, double = (network.tangents(GRAM, 20_000, 1, precision=p) for p in ("single", "double"))
    assert stats.ks_2samp(single[:, 1, 1], double[:, 1, 1]).pvalue > LEVEL
    assert not np.array_equal(single, double)


def test_layers_come_in_the_order_asked_for():
    network = ShapedMLP(smooth("tanh"), 6, 4)
    both = network.gradients(GRAM, 10, 1, at=[4, 0, 2])
    assert both.tangents.shape == (10, 3, 2, 2) and both.norms.shape == (10, 3)
    assert both.norms[:, 0] == pytest.approx(1) and np.allclose(both.tangents[:, 1], GRAM)
    ends = network.gradients(GRAM, 10, 1)
    assert np.array_equal(ends.tangents, both.tangents[:, 0]) and np.array_equal(ends.norms, both.norms[:, 1])
    tangents = network.tangents(GRAM, 10, 1, at=[4, 0, 2])
    assert np.allclose(tangents[:, 1], GRAM) and np.array_equal(tangents[:, 0], network.tangents(GRAM, 10, 1))


def drift(phi, M, turn=2.0):
    """The drift of the tangent SDE from its formula; `turn` is the weight of the squared correlation."""
    b, p = phi.b, (phi.second**2 + phi.third) / phi.a**2
    (v, *c), U = M[0], M[1:, 1:]
    out = np.empty_like(M)
    out[0, 0] = b * v * (v - 1)
    out[0, 1:] = out[1:, 0] = b * np.array(c) * (2 * v - 1)
    out[1:, 1:] = (p * v - b) * U + turn * p * np.outer(c, c)
    return out


BENT = smooth("tanh", a=0.7, centre=0.4)


@pytest.mark.parametrize("phi", [BENT, smooth("tanh"), smooth("silu"), smooth("sinh")], ids=lambda phi: phi.name)
def test_a_wide_layer_moves_by_the_drift_of_the_limit(phi):
    gram, errors = np.array([[1.4, 0.5], [0.5, 1.2]]), []
    for width in (10**3, 10**4):
        moved = width * (one_layer_means(phi, width, gram, phi.kappa) - gram)
        errors.append(np.abs(moved - drift(phi, gram)).max())
    assert errors[1] < 1e-2 and errors[0] / errors[1] > 5  # error 1/width
    assert np.abs(moved - drift(phi, gram, turn=0.0)).max() > 10 * errors[1]


@pytest.mark.parametrize("phi", [BENT, smooth("tanh"), smooth("silu"), smooth("sinh")], ids=lambda phi: phi.name)
def test_a_step_without_noise_follows_the_drift(phi):
    start = np.array([[1.4, 0.5, -0.3], [0.5, 1.2, 0.1], [-0.3, 0.1, 0.8]])
    errors = []
    for time in (0.05, 0.1):
        M = np.repeat(start[:, :, None], LANES, axis=2)
        q = (phi.second / (2 * phi.a)) ** 2
        tangents._drift(M, tangents.Room(*np.empty((5, LANES))), np.full(LANES, np.inf), 0.0, phi.b, q, time)
        exact = (
            solve_ivp(
                lambda _, y: drift(phi, y.reshape(3, 3)).ravel(), (0, time), start.ravel(), rtol=1e-12, atol=1e-14
            )
            .y[:, -1]
            .reshape(3, 3)
        )
        errors.append(np.abs(np.tril(M[:, :, 7] - exact)).max())
    assert errors[1] < 1e-5 and (errors[1] < 1e-10 or errors[1] / errors[0] > 20)  # Simpson's rule: 32
    assert phi.second != 0 or errors[1] < 1e-10  # no integral for odd activations


def correlation(M):
    return M[:, 0, 1] / np.sqrt(M[:, 0, 0] * M[:, 1, 1])


def test_tangents_of_rectifiers_move_like_two_inputs_of_a_linear_network():
    for phi in (shaped_relu(1, -1), linear()):
        M = CovarianceSDE(phi, 0.5).tangents(GRAM, 40_000, 1, steps=32)
        V = CovarianceSDE(linear(), 0.5).sample(GRAM, 40_000, 2, steps=32)
        assert stats.ks_2samp(correlation(M), correlation(V)).pvalue > LEVEL / 4
        assert stats.kstest((np.log(M[:, 1, 1] / 1.2) + 0.5), "norm").pvalue > LEVEL / 4
    bent = CovarianceSDE(shaped_relu(1, -1), 0.5).sample(GRAM, 40_000, 2, steps=32)
    assert stats.ks_2samp(correlation(M), correlation(bent)).pvalue < LEVEL


def test_forward_norm_is_that_of_the_norm_sde_through_explosions():
    phi = smooth("silu")
    M = CovarianceSDE(phi, 1.0).tangents(GRAM, 40_000, 1, steps=64)
    V = NormSDE(phi, 1.0).sample(1.0, 40_000, 2, steps=64)
    assert stats.ks_2samp(np.minimum(M[:, 0, 0], 1e6), np.minimum(V, 1e6)).pvalue > LEVEL
    exploded = np.isinf(M).any(axis=(1, 2))
    assert 0.05 < exploded.mean() < 0.15 and np.all(M[exploded] == np.inf)
    assert not np.any(np.isnan(M))
    assert np.all(np.linalg.det(M[~exploded] / np.maximum(M[~exploded].max(axis=(1, 2), keepdims=True), 1)) > -1e-12)


def test_error_of_a_step_is_of_second_order():
    sde, steps = CovarianceSDE(smooth("silu"), 1.0), [2, 4, 8]

    def mean(count):
        """Of exp(-V) rho, which vanishes continuously at explosions."""
        M = sde.tangents([[1.0, 0.6], [0.6, 1.2]], 60_000, 1, steps=count, noise_steps=64)
        M = M[np.isfinite(M[:, 0, 0])]
        return np.sum(np.exp(-M[:, 0, 0]) * correlation(M)) / 60_000

    errors = np.array([mean(count) for count in steps]) - mean(64)
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(-2, abs=0.4)


@pytest.mark.slow
def test_networks_tend_to_the_tangent_sde():
    phi = smooth("tanh")
    M = ShapedMLP(phi, 200, 100).tangents(GRAM, 10_000, 1)
    S = CovarianceSDE(phi, 0.5).tangents(GRAM, 40_000, 2)
    for view in (correlation, lambda M: M[:, 0, 0], lambda M: M[:, 1, 1]):
        assert stats.ks_2samp(view(M), view(S)).pvalue > LEVEL / 3
    straight = CovarianceSDE(linear(), 0.5).tangents(GRAM, 40_000, 2)
    assert stats.ks_2samp(M[:, 1, 1], straight[:, 1, 1]).pvalue < LEVEL


@pytest.mark.slow
def test_gradients_and_norms_have_the_joint_limit_of_a_tangent_across_the_input():
    found = ShapedMLP(shaped_relu(1, -1), 64, 32).gradients(1.0, 3000, 1)
    V, norms = found.tangents[:, 0, 0], found.norms
    S = CovarianceSDE(shaped_relu(1, -1), 0.5).tangents(np.eye(2), 40_000, 2)
    limit = S[:, 0, 0], S[:, 1, 1]
    for view in (lambda v, u: u, lambda v, u: v / u):
        assert stats.ks_2samp(view(V, norms), view(*limit)).pvalue > LEVEL / 2
    logs = np.log(limit)
    expected = np.corrcoef(logs)[0, 1]
    assert np.corrcoef(np.log([V, norms]))[0, 1] == pytest.approx(expected, abs=limit_for(1) / np.sqrt(3000))
    assert expected > 2 * limit_for(1) / np.sqrt(40_000)  # not independent, though each layer's noise is


def test_diffusion_does_not_depend_on_threads_or_chunks():
    for phi in (shaped_relu(1, -1), smooth("silu")):
        sde = CovarianceSDE(phi, 0.5)
        same_everywhere(lambda *a, s=sde, **how: s.sample(GRAM, *a, at=[0.5, 0.25], steps=4, **how))
    path = sde.tangents(GRAM, 5, 1, at=[0.5, 0.0], steps=4)
    assert path.shape == (5, 2, 2, 2) and np.all(path[:, 1] == GRAM)


RESNET = ResNet(Blocks(linear(), plain("tanh")), 3, 4)
MLP = ShapedMLP(smooth("tanh"), 3, 4)
BAD = [
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, inputs=-np.eye(2)), "inputs must be positive semi-definite"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, inputs=np.eye(3)), r"inputs must have shape \(2, 2\)"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, readout=[1.0, 2.0]), r"readout must have shape \(3,\)"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, readout=np.ones((4, 3))), r"readout must have shape \(5, 3\)"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, readout=[1.0, np.nan, 2.0]), "readout must be finite"),
    (lambda: RESNET.ntk(np.ones((2, 2)), 5, 1), "initial must have shape"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 0, 1), "samples"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, -1), "seed"),
    (lambda: RESNET.ntk(np.ones((3, 2)), 5, 1, noise_depth=6), "noise_depth must be a multiple of 4"),
    (lambda: MLP.tangents([[1, 2], [2, 1]], 5, 1), "initial must be positive semi-definite"),
    (lambda: MLP.tangents(GRAM, 0, 1), "samples"),
    (lambda: MLP.tangents(GRAM, 5, 1, at=[5]), "at must be"),
    (lambda: MLP.tangents(GRAM, 5, 1, method="chain"), "method='chain' needs"),
    (lambda: MLP.tangents(GRAM, 5, 1, method="wishart"), "method must be one of chain, rows"),
    (lambda: MLP.tangents(GRAM, 5, 1, precision="half"), "precision must be"),
    (lambda: MLP.gradients(np.eye(4), 5, 1), "initial must have at most width=3 rows"),
    (lambda: MLP.gradients(GRAM, 5, 1, at=[]), "at must name at least one layer"),
    (lambda: CovarianceSDE(smooth("tanh", exponent=0.25), 1.0), "exponent=0.25 has no covariance SDE"),
    (lambda: CovarianceSDE(smooth("tanh"), 0.0), "time must be"),
    (lambda: CovarianceSDE(smooth("tanh"), 1.0).tangents([[1, 2], [2, 1]], 5, 1), "initial must be positive semi"),
    (lambda: CovarianceSDE(smooth("tanh"), 1.0).tangents(GRAM, 5, 1, at=[0.3], steps=4), "at must lie on the grid"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
