"""The sampled networks have the exact law of networks with weight matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import LEVEL, z_scores
from scipy import stats

from deeplimits.activations import correlation_of, linear, plain, relu, shaped_relu, smooth
from deeplimits.gaussian import LAYERS, Address
from deeplimits.loops import program_rows
from deeplimits.networks import ShapedMLP, shaped

PAIR = np.array([[1.0, 0.3], [0.3, 2.0]])
TRIPLE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


def network_with_weights(phi, width, depth, V0, samples, seed):
    """Covariance of the last layer with every weight drawn, in float64."""
    draw = np.random.default_rng(seed)
    start = np.linalg.cholesky(V0)
    c = phi.normaliser(width)
    out = np.empty((samples, *V0.shape))
    for i in range(samples):
        z = draw.standard_normal((width, len(V0))) @ start.T
        for _ in range(depth - 1):
            z = np.sqrt(c / width) * draw.standard_normal((width, width)) @ phi(z, width)
        out[i] = c / width * phi(z, width).T @ phi(z, width)
    return out


def statistics_of(V):
    """Log norm, correlation and Gram determinant: three views of a covariance."""
    rho = correlation_of(V)
    return {"log norm": np.log(V[:, 0, 0]), "correlation": rho[:, 0, 1], "determinant": np.linalg.det(rho)}


FAMILY = [
    shaped_relu(0, -1),
    shaped_relu(1.5, -0.5),
    relu(),
    linear(),
    smooth("tanh", a=0.4),
    smooth("gelu"),
    smooth("silu", a=0.5, centre=1.0),
    smooth("exp", a=4.0),
    plain("erf"),
    plain("sigmoid"),
    plain("elu"),
    plain("relu"),
]


@pytest.mark.slow
@pytest.mark.parametrize("phi", FAMILY, ids=lambda phi: f"{type(phi).__name__} {phi.name}")
def test_row_sampler_has_the_law_of_networks_with_weight_matrices(phi):
    explicit = statistics_of(network_with_weights(phi, 30, 12, TRIPLE, 3000, 1))
    network = ShapedMLP(phi, 30, 12)
    for precision in ("single", "double"):
        rows = statistics_of(network.sample(TRIPLE, 6000, 2, precision=precision, method="rows"))
        for name, values in rows.items():
            assert stats.ks_2samp(values, explicit[name]).pvalue > LEVEL / 24, (precision, name)
    # Six layers too many are seen by the same comparison.
    deeper = statistics_of(ShapedMLP(phi, 30, 18).sample(TRIPLE, 6000, 2, method="rows"))
    assert min(stats.ks_2samp(deeper[n], explicit[n]).pvalue for n in deeper) < LEVEL / 24


@pytest.mark.parametrize("precision, error", [("single", 2e-6), ("double", 1e-12)])
def test_pair_loop_is_the_general_loop(precision, error, monkeypatch):
    network = ShapedMLP(shaped_relu(1, -0.5), 700, 5)
    pair = network.sample(PAIR, 5, 1, at=[0, 3, 5], precision=precision)
    rows = shaped._rows

    def for_any_inputs(out, records, V0, half, neurons, origin, normals):
        work = rows.workspace(network.width, len(V0), normals.dtype)
        rows.propagate(out, records, rows.tree_coordinates(V0), neurons, origin, work)

    monkeypatch.setattr(rows, "propagate_pair", for_any_inputs)
    general = network.sample(PAIR, 5, 1, at=[0, 3, 5], precision=precision)
    assert pair == pytest.approx(general, rel=error) and not np.array_equal(pair, general)


@pytest.mark.parametrize("phi", [smooth("gelu", a=0.5), plain("tanh"), plain("softsign")], ids=lambda phi: phi.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pair_loop_of_programs_is_the_general_loop(phi, dtype):
    width, layers = 700, np.array([0, 3, 5])
    precision = "single" if dtype == np.float32 else "double"
    pair = ShapedMLP(phi, width, 5).sample(PAIR, 5, 1, at=layers, precision=precision)
    general = np.empty((5, 3, 2, 2))
    program_rows.propagate(
        general,
        layers,
        PAIR,
        program_rows.nearest(PAIR),
        program_rows.neurons(phi, width, dtype),
        Address(0, LAYERS, np.uint64(1)),
        program_rows.workspace(width, 2, dtype),
    )
    assert pair == pytest.approx(general, rel=2e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.slow
def testprogram_rows_of_a_linear_activation_have_exact_determinants():
    width, depth = 15, 6
    limit = stats.norm.isf(LEVEL / 4)
    for phi in (smooth("3*x"), plain("x")):
        determinant = np.linalg.det(ShapedMLP(phi, width, depth).sample(TRIPLE, 200_000, 4)) / np.linalg.det(TRIPLE)
        assert abs(z_scores(determinant, np.prod(1 - np.arange(3) / width) ** depth)) < limit
        assert abs(z_scores(determinant, np.exp(-3 * depth / width))) > limit


def test_norm_of_a_smooth_network_is_kept_on_average_only_at_unit_variance():
    phi, limit = smooth("tanh", a=0.5), stats.norm.isf(LEVEL / 4)
    V = ShapedMLP(phi, 30, 1).sample(PAIR, 100_000, 9)
    assert abs(z_scores(V[:, 0, 0], 1)) < limit
    assert abs(z_scores(V[:, 1, 1], 2)) > limit
    # The drift of one layer at this width, from quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    expected = phi.normaliser(30) * np.sum(weights * phi(np.sqrt(2) * nodes, 30) ** 2) / weights.sum()
    assert abs(z_scores(V[:, 1, 1], expected)) < limit


def test_chain_and_rows_have_the_same_law_for_one_input():
    network = ShapedMLP(shaped_relu(1, -1), 20, 10)
    chain, rows = (np.log(network.sample(1.0, 20_000, 3, method=m)[:, 0, 0]) for m in ("chain", "rows"))
    assert stats.ks_2samp(chain, rows).pvalue > LEVEL
    assert stats.ks_2samp(chain, rows + 0.1).pvalue < LEVEL


def test_chain_has_the_exact_second_moment():
    width, depth, phi = 20, 10, shaped_relu(1, -1)
    plus, minus = phi.slopes(width)
    fourth = 1.5 * phi.normaliser(width) ** 2 * (plus**4 + minus**4)
    V = ShapedMLP(phi, width, depth).sample(2.0, 400_000, 5)[:, 0, 0]
    limit = stats.norm.isf(LEVEL / 4)
    assert abs(z_scores(V, 2)) < limit
    assert abs(z_scores(V**2, 4 * (1 + (fourth - 1) / width) ** depth)) < limit
    assert abs(z_scores(V**2, 4 * np.exp(2 * depth / width))) > limit  # the limit is not the finite network


def test_wishart_products_have_exact_determinants_and_match_rows():
    width, depth = 15, 6
    network = ShapedMLP(linear(), width, depth)
    V = network.sample(TRIPLE, 200_000, 4)
    limit = stats.norm.isf(LEVEL / 4)
    determinant = np.linalg.det(V) / np.linalg.det(TRIPLE)
    assert abs(z_scores(determinant, np.prod(1 - np.arange(3) / width) ** depth)) < limit
    assert abs(z_scores(determinant, np.exp(-3 * depth / width))) > limit
    rows = network.sample(TRIPLE, 20_000, 4, method="rows")
    for name, values in statistics_of(rows).items():
        assert stats.ks_2samp(values, statistics_of(V[:20_000])[name]).pvalue > LEVEL / 3


def test_wishart_products_below_full_rank():
    V = ShapedMLP(linear(), 2, 3).sample(TRIPLE, 50, 1)
    assert np.linalg.matrix_rank(V, tol=1e-9).max() == 2
    rows = ShapedMLP(linear(), 2, 3).sample(TRIPLE, 4000, 1, method="rows")
    wishart = ShapedMLP(linear(), 2, 3).sample(TRIPLE, 4000, 1)
    for name in ("log norm", "correlation"):
        assert stats.ks_2samp(statistics_of(rows)[name], statistics_of(wishart)[name]).pvalue > LEVEL


def test_norm_is_kept_on_average_by_one_layer_at_any_width():
    V = ShapedMLP(shaped_relu(2, -1), 7, 1).sample(PAIR, 100_000, 9)
    limit = stats.norm.isf(LEVEL / 4)
    assert abs(z_scores(V[:, 0, 0], 1)) < limit
    assert abs(z_scores(V[:, 1, 1], 2)) < limit


@pytest.mark.parametrize("V0", [[[1.5]], PAIR, TRIPLE], ids=["one", "pair", "triple"])
def test_explosion_is_infinite_from_its_layer_on_and_never_nan(V0):
    V = ShapedMLP(smooth("exp", a=1.2), 20, 20).sample(V0, 200, 1, at=range(21))
    assert not np.any(np.isnan(V))
    exploded = np.isinf(V).any(axis=(2, 3))
    assert np.any(exploded[:, -1]) and not np.all(exploded[:, -1])
    assert np.array_equal(exploded, np.isinf(V).all(axis=(2, 3)))
    assert np.array_equal(exploded, np.maximum.accumulate(exploded, axis=1))


@pytest.mark.slow
def test_odd_activations_have_the_correlation_law_of_a_linear_network():
    V0 = np.array([[1, 0.2], [0.2, 1]])
    rho = correlation_of(ShapedMLP(smooth("tanh"), 60, 60).sample(V0, 40_000, 1))[:, 0, 1]
    straight = correlation_of(ShapedMLP(linear(), 60, 60).sample(V0, 40_000, 2))[:, 0, 1]
    # Third order leaves a drift 2 / (3 n) rho (1 - rho^2) towards 0, far below the spread of 0.69.
    assert abs(rho.mean() - 0.1518) < 4 * 0.0048 + 4 * rho.std() / 200
    assert abs((rho**2).mean() - 0.4807) < 4 * 0.0023 + 4 * (rho**2).std() / 200
    assert stats.ks_2samp(rho, straight).statistic < 0.02
    rectified = correlation_of(ShapedMLP(shaped_relu(1, -1), 60, 60).sample(V0, 40_000, 3))[:, 0, 1]
    assert stats.ks_2samp(rectified, straight).statistic > 0.1


@pytest.mark.slow
def test_silu_networks_approach_the_tail_of_the_exploding_norm():
    found = {}
    for width in (50, 200, 800):
        V = ShapedMLP(smooth("silu"), width, width).sample(1.0, min(20_000, 3_200_000 // width), width)[:, 0, 0]
        found[width] = ((V > 8).mean(), (V > 0.5).mean())
    for width, tail in ((50, 0.088), (200, 0.115)):
        assert found[width][0] == pytest.approx(tail, abs=0.022)
    for width, half in ((50, 0.351), (200, 0.386), (800, 0.404)):
        assert found[width][1] == pytest.approx(half, abs=0.035)
    # The limit by the PDE, reached from below.
    assert found[50][0] < found[800][0] < 0.1255 + 0.02


@pytest.mark.slow
def test_tanh_networks_with_a_stationary_norm_are_near_its_gamma_law():
    V = ShapedMLP(smooth("tanh", a=0.5), 100, 200).sample(1.0, 8000, 5)[:, 0, 0]
    assert V.mean() == pytest.approx(1 - 1 / 8, abs=0.02)
    assert V.var() == pytest.approx(7 / 64, abs=0.015)
    assert stats.kstest(V, stats.gamma(7, scale=1 / 8).cdf).statistic < 0.04
    assert stats.kstest(V, stats.gamma(7, scale=1 / 7).cdf).statistic > 0.08  # mean 1 instead of 7/8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "V0"),
    [
        (shaped_relu(0, -1), PAIR),
        (shaped_relu(0, -1), TRIPLE),
        (shaped_relu(0, -1), [[1.0]]),
        (linear(), PAIR),
        (smooth("gelu", a=0.5), PAIR),
        (smooth("gelu", a=0.5), TRIPLE),
        (plain("mish"), [[1.0]]),
    ],
    ids=["pair", "triple", "chain", "wishart", "program pair", "program triple", "program"],
)
def test_same_bits_for_any_threads_and_chunks(phi, V0):
    network = ShapedMLP(phi, 30, 4)
    whole = network.sample(V0, 3000, 7, at=[2, 4], threads=1)
    for threads in (2, 7):
        assert np.array_equal(whole, network.sample(V0, 3000, 7, at=[2, 4], threads=threads))
    cuts = [0, 1, 13, 1024, 1500, 3000]
    parts = [
        network.sample(V0, stop - start, 7, at=[2, 4], first=start) for start, stop in zip(cuts, cuts[1:], strict=False)
    ]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, network.sample(V0, 3000, 8, at=[2, 4]))


@pytest.mark.parametrize("phi", [shaped_relu(0, -1), smooth("silu")], ids=["rectifier", "program"])
@pytest.mark.parametrize("V0", [PAIR, TRIPLE, [[1.0]]], ids=["pair", "triple", "one"])
def test_layers_come_in_the_order_asked_for_and_do_not_change_the_path(phi, V0):
    network = ShapedMLP(phi, 30, 6)
    every = network.sample(V0, 10, 1, at=range(7))
    assert np.array_equal(every[:, 6], network.sample(V0, 10, 1))
    assert np.array_equal(every[:, [5, 0, 5]], network.sample(V0, 10, 1, at=[5, 0, 5]))
    assert every[:, 0] == pytest.approx(np.broadcast_to(V0, every[:, 0].shape))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    inputs=st.integers(1, 5),
    rank=st.integers(1, 5),
    width=st.integers(2, 40),
    constants=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    scale=st.floats(1e-6, 1e6),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_finite_start_gives_finite_positive_semidefinite_covariances(inputs, rank, width, constants, scale, seed):
    factor = np.random.default_rng(seed).standard_normal((inputs, rank))
    phi = shaped_relu(*constants)
    if max(np.abs(phi.slopes(width))) < 0.05:
        return  # both slopes vanish: not normalisable
    V = ShapedMLP(phi, width, 3).sample(scale * factor @ factor.T, 5, seed)
    assert np.all(np.isfinite(V))
    size = np.trace(V, axis1=1, axis2=2)
    assert np.all(np.linalg.eigvalsh(V)[:, 0] >= -1e-6 * size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": [[1, 2], [2, 1]]}, "initial must be positive semi-definite"),
        ({"initial": [[1, np.nan], [np.nan, 1]]}, "initial must be finite"),
        ({"initial": [[1, 0.5], [0.2, 1]]}, "initial must be symmetric"),
        ({"initial": [[0, 0], [0, 1]]}, "initial must have a positive diagonal"),
        ({"initial": [1.0, 2.0]}, "initial must be a square"),
        ({"initial": "abc"}, "initial must be a square"),
        ({"initial": [[1, 2], [1]]}, "initial must be a square"),
        ({"at": 3}, "at must be a sequence of layers, got 3"),
        ({"samples": 0}, "samples must be an integer >= 1 .*, got 0"),
        ({"samples": 2.5}, "samples"),
        ({"seed": -1}, "seed"),
        ({"at": [5]}, "at must be an integer >= 0 and <= 4, got 5"),
        ({"at": []}, "at must name"),
        ({"threads": 0}, "threads"),
        ({"precision": "half"}, "precision must be one of single, double, got 'half'"),
        ({"method": "magic"}, "method must be one of"),
        ({"method": "chain"}, "needs a single input"),
        ({"method": "wishart"}, "needs equal slopes"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    call = {"initial": PAIR, "samples": 2, "seed": 1, **arguments}
    with pytest.raises(ValueError, match=message):
        ShapedMLP(shaped_relu(0, -1), 20, 4).sample(**call)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShapedMLP(shaped_relu(0, 1), 0, 1), "width must be an integer >= 1, got 0"),
        (lambda: ShapedMLP(shaped_relu(0, 1), 1, 0), "depth"),
        (lambda: ShapedMLP("relu", 1, 1), "activation"),
        (lambda: ShapedMLP(shaped_relu(-1, -1), 1, 1), "both slopes"),
    ],
)
def test_bad_networks_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
