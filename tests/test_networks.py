"""The sampled networks have the exact law of networks with weight matrices."""

from __future__ import annotations

import numpy as np
import pytest
from deeplimits.activations import correlation_of, linear, relu, shaped_relu
from deeplimits.networks import ShapedMLP, shaped
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

LEVEL = 1e-5
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


def z_score(values, expected):
    return (values.mean() - expected) / (values.std() / np.sqrt(len(values)))


@pytest.mark.parametrize("phi", [shaped_relu(0, -1), shaped_relu(1.5, -0.5), relu(), linear()], ids=lambda p: p.name)
def test_row_sampler_has_the_law_of_networks_with_weight_matrices(phi):
    explicit = statistics_of(network_with_weights(phi, 30, 12, TRIPLE, 3000, 1))
    network = ShapedMLP(phi, 30, 12)
    for precision in ("single", "double"):
        rows = statistics_of(network.sample(TRIPLE, 6000, 2, precision=precision, method="rows"))
        for name, values in rows.items():
            assert stats.ks_2samp(values, explicit[name]).pvalue > LEVEL / 24, (precision, name)
    # One layer too many is seen by the same comparison.
    deeper = statistics_of(ShapedMLP(phi, 30, 15).sample(TRIPLE, 6000, 2, method="rows"))
    assert min(stats.ks_2samp(deeper[n], explicit[n]).pvalue for n in deeper) < LEVEL / 24


def test_pair_loop_is_the_general_loop(monkeypatch):
    network = ShapedMLP(shaped_relu(1, -0.5), 700, 5)
    pair = network.sample(PAIR, 5, 1, at=[0, 3, 5])
    general = np.empty((5, 3, 2, 2))
    monkeypatch.setattr(shaped, "len", lambda thing: 3 if thing is PAIR else len(thing), raising=False)
    shaped.gaussian_rows(network, PAIR, general, np.array([0, 3, 5]), 1, 0, 1, "single")
    assert pair == pytest.approx(general, rel=1e-12)


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
    assert abs(z_score(V, 2)) < limit
    assert abs(z_score(V**2, 4 * (1 + (fourth - 1) / width) ** depth)) < limit
    assert abs(z_score(V**2, 4 * np.exp(2 * depth / width))) > limit  # the limit is not the finite network


def test_wishart_products_have_exact_determinants_and_match_rows():
    width, depth = 15, 6
    network = ShapedMLP(linear(), width, depth)
    V = network.sample(TRIPLE, 200_000, 4)
    limit = stats.norm.isf(LEVEL / 4)
    determinant = np.linalg.det(V) / np.linalg.det(TRIPLE)
    assert abs(z_score(determinant, np.prod(1 - np.arange(3) / width) ** depth)) < limit
    assert abs(z_score(determinant, np.exp(-3 * depth / width))) > limit
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
    assert abs(z_score(V[:, 0, 0], 1)) < limit
    assert abs(z_score(V[:, 1, 1], 2)) < limit


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
            assert abs(z_score(moved[:, 0], (width - 1) / (width - 2))) < limit
            assert abs(z_score(moved[:, 0], 1)) > limit  # it does move


def test_inputs_that_are_parallel_or_opposite():
    V0 = np.array([[1.0, 2.0, -1.0], [2.0, 4.0, -2.0], [-1.0, -2.0, 1.0]])
    for phi in (linear(), shaped_relu(1, -1)):
        rho = correlation_of(ShapedMLP(phi, 50, 5).sample(V0, 20, 1))
        assert np.abs(rho[:, 0, 1] - 1).max() < 1e-12
    rho = correlation_of(ShapedMLP(linear(), 50, 5).sample(V0, 20, 1, method="rows"))
    assert np.abs(rho[:, 0, 2] + 1).max() < 1e-6
    moved = correlation_of(ShapedMLP(shaped_relu(1, -1), 50, 5).sample(V0, 20, 1))
    assert np.all(moved[:, 0, 2] > -1 + 1e-3)  # -1 is left at once by a shaped rectifier


@pytest.mark.parametrize(
    ("phi", "V0"),
    [(shaped_relu(0, -1), PAIR), (shaped_relu(0, -1), TRIPLE), (shaped_relu(0, -1), [[1.0]]), (linear(), PAIR)],
    ids=["pair", "triple", "chain", "wishart"],
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


@pytest.mark.parametrize("V0", [PAIR, TRIPLE, [[1.0]]], ids=["pair", "triple", "chain"])
def test_layers_come_in_the_order_asked_for_and_do_not_change_the_path(V0):
    network = ShapedMLP(shaped_relu(0, -1), 30, 6)
    every = network.sample(V0, 10, 1, at=range(7))
    assert np.array_equal(every[:, 6], network.sample(V0, 10, 1))
    assert np.array_equal(every[:, [5, 0, 5]], network.sample(V0, 10, 1, at=[5, 0, 5]))
    assert every[:, 0] == pytest.approx(np.broadcast_to(V0, every[:, 0].shape))


@settings(max_examples=60, deadline=None)
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
        ({"V0": [[1, 2], [2, 1]]}, "V0 must be positive semi-definite"),
        ({"V0": [[1, np.nan], [np.nan, 1]]}, "V0 must be finite"),
        ({"V0": [[1, 0.5], [0.2, 1]]}, "V0 must be symmetric"),
        ({"V0": [[0, 0], [0, 1]]}, "V0 must have a positive diagonal"),
        ({"V0": [1.0, 2.0]}, "V0 must be a square"),
        ({"samples": 0}, "samples must be an integer >= 1, got 0"),
        ({"samples": 2.5}, "samples"),
        ({"seed": -1}, "seed"),
        ({"at": [5]}, "at must be an integer >= 0 and <= 4, got 5"),
        ({"at": []}, "at must name"),
        ({"threads": 0}, "threads"),
        ({"precision": "half"}, "precision must be 'single' or 'double', got 'half'"),
        ({"method": "magic"}, "method must be one of"),
        ({"method": "chain"}, "needs a single input"),
        ({"method": "wishart"}, "needs equal slopes"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    call = {"V0": PAIR, "samples": 2, "seed": 1, **arguments}
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
