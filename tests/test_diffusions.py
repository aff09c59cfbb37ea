"""Covariance and correlation SDE: closed forms, laws, orders of convergence, the cone, their tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import coupled, rates
from samples import LEVEL, log_norm_law, score
from scipy import stats

from deeplimits import densities
from deeplimits.activations import Rectifier, correlation_of, linear, shaped_relu
from deeplimits.diffusions import CorrelationSDE, CovarianceSDE, covariance
from deeplimits.loops import flow, lanes
from deeplimits.networks import ShapedMLP

SIGMAS = stats.norm.isf(LEVEL / 100)
LEAKY = shaped_relu(0, -1)
PAIR = np.array([[1, 0.3], [0.3, 1]])
CLOSE_PAIR = np.array([[1, 0.9], [0.9, 1]])
TRIPLE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


# Closed forms


def test_linear_network_second_moments():
    T = 0.5
    V = CovarianceSDE(linear(), T).sample(CLOSE_PAIR, 400_000, 1, steps=32)
    a0, q0 = 0.81, 1.0
    grow, fade = np.exp(2 * T), np.exp(-T)
    a, q = V[:, 0, 1] ** 2, V[:, 0, 0] * V[:, 1, 1]
    assert score(a, (2 * grow + fade) / 3 * a0 + (grow - fade) / 3 * q0) < SIGMAS
    assert score(q, 2 * (grow - fade) / 3 * a0 + (grow + 2 * fade) / 3 * q0) < SIGMAS
    # The two weights of a0 swapped.
    assert score(a, (grow + 2 * fade) / 3 * a0 + (grow - fade) / 3 * q0) > 2 * SIGMAS


@pytest.mark.parametrize("V0, decay", [(CLOSE_PAIR, 1), (TRIPLE, 3)], ids=["two inputs", "three inputs"])
def test_linear_network_keeps_the_mean_and_loses_the_determinant_at_any_step(V0, decay):
    V = CovarianceSDE(linear(), 0.5).sample(V0, 400_000, 2, steps=2)
    for i, j in np.ndindex(V0.shape):
        assert score(V[:, i, j], V0[i, j]) < SIGMAS
    determinant = np.linalg.det(V)
    assert score(determinant, np.linalg.det(V0) * np.exp(-0.5 * decay)) < SIGMAS
    assert score(determinant, np.linalg.det(V0) * np.exp(-0.5 * (decay + 1))) > 2 * SIGMAS


def test_linear_network_loses_the_volume_of_its_correlations():
    # E log det V falls at rate m(m + 1)/2 and each E log V_aa at rate 1.
    V = CovarianceSDE(linear(), 0.5).sample(TRIPLE, 400_000, 2, steps=64)
    log_volume = np.linalg.slogdet(correlation_of(V))[1]
    start = np.linalg.slogdet(correlation_of(TRIPLE))[1]
    assert score(log_volume, start - 0.5 * 3) < SIGMAS
    assert score(log_volume, start - 0.5 * 6) > 2 * SIGMAS


@pytest.mark.parametrize("phi", [LEAKY, linear()], ids=lambda phi: phi.name)
def test_one_norm_is_log_normal_at_any_step_whatever_the_shaping(phi):
    V = CovarianceSDE(phi, 1.0).sample(2.0, 100_000, 3, steps=3)[:, 0, 0]
    assert stats.kstest(np.log(V), log_norm_law(2, 1)).pvalue > LEVEL
    assert stats.kstest(np.log(V), log_norm_law(2, 0.9)).pvalue < LEVEL
    norms = CovarianceSDE(phi, 1.0).sample(TRIPLE, 100_000, 4, steps=64)
    for i in range(3):
        assert stats.kstest(np.log(norms[:, i, i]), log_norm_law(TRIPLE[i, i], 1)).pvalue > LEVEL


def test_the_angle_is_a_martingale_for_a_linear_network_only():
    times = [0.25, 0.5, 1.0]
    for rho in (0.5, -0.7):
        angle = CorrelationSDE(linear(), 1.0).sample(rho, 200_000, 5, at=times, coordinate="angle")
        pulled = CorrelationSDE(LEAKY, 1.0).sample(rho, 200_000, 5, at=times, coordinate="angle")
        for k in range(3):
            assert score(angle[:, k], np.arccos(rho)) < SIGMAS
            assert pulled[:, k].mean() < np.arccos(rho)
            assert score(pulled[:, k], np.arccos(rho)) > SIGMAS


def test_nearly_parallel_inputs_keep_their_distance():
    # Near correlation 1, z = artanh rho is a Brownian motion with drift 1/2.
    epsilon, T = 1e-9, 1.0
    V0 = np.array([[1, 1 - epsilon], [1 - epsilon, 1]])
    exact = 1 - V0[0, 1]
    z = CorrelationSDE(LEAKY, T).sample(V0[0, 1], 50_000, 6, coordinate="z")
    V = CovarianceSDE(LEAKY, T).sample(V0, 50_000, 7)
    pair = np.log((2 - exact) / (1 - correlation_of(V)[:, 0, 1])) / 2
    third = np.block([[V0, np.full((2, 1), 0.2)], [np.full((1, 2), 0.2), 1]])
    triple = 1 - correlation_of(CovarianceSDE(LEAKY, T).sample(third, 50_000, 8, steps=32))[:, 0, 1]
    start = np.log((2 - exact) / exact) / 2
    for moved in (z, pair, np.log((2 - triple) / triple) / 2):
        assert stats.kstest(moved, stats.norm(start + T / 2, np.sqrt(T)).cdf).pvalue > LEVEL
        assert stats.kstest(moved, stats.norm(start, np.sqrt(T)).cdf).pvalue < LEVEL


# Laws without a closed form


def test_correlation_has_the_known_mean_spread_and_quantiles():
    rho = CorrelationSDE(LEAKY, 1.0).sample(0.3, 1_000_000, 9)
    assert score(rho, 0.3416, 5e-5) < SIGMAS
    assert rho.std() == pytest.approx(0.591, abs=2e-3)
    assert np.quantile(rho, [0.05, 0.5, 0.95]) == pytest.approx([-0.760, 0.537, 0.983], abs=4e-3)
    # The layer recursion without noise.
    assert score(rho, 0.3830) > SIGMAS


@pytest.mark.slow
@pytest.mark.parametrize(
    "phi, start",
    [
        (LEAKY, 0.3),
        (shaped_relu(1, -1), -1.0),
        (shaped_relu(0.2, 0.9), -0.9),
        (linear(), 0.6),
        (shaped_relu(2, -3), 0.95),
    ],
    ids=["leaky", "opposite inputs", "obtuse", "linear", "strong shaping"],
)
def test_both_equations_have_the_correlation_law_of_fokker_planck(phi, start):
    cdf = densities.correlation(phi, start, 1.0).cdf
    V0 = np.array([[1, 2 * start], [2 * start, 4]])
    with_third = np.block([[V0, np.zeros((2, 1))], [np.zeros((1, 2)), 1]])
    for rho in (
        CorrelationSDE(phi, 1.0).sample(start, 200_000, 10),
        CorrelationSDE(phi, 1.0).sample(start, 50_000, 10, precision="double"),
        correlation_of(CovarianceSDE(phi, 1.0).sample(V0, 100_000, 11))[:, 0, 1],
        correlation_of(CovarianceSDE(phi, 1.0).sample(V0, 50_000, 11, precision="double"))[:, 0, 1],
        correlation_of(CovarianceSDE(phi, 1.0).sample(with_third, 50_000, 12))[:, 0, 1],
    ):
        assert stats.kstest(rho, cdf).pvalue > LEVEL / 25
    stronger = densities.correlation(Rectifier("stronger", c_plus=np.sqrt(phi.gap2) + 0.6), start, 1.0).cdf
    assert stats.kstest(CorrelationSDE(phi, 1.0).sample(start, 200_000, 10), stronger).pvalue < LEVEL


@pytest.mark.slow
def test_three_inputs_move_together_as_in_a_wide_network():
    def views(V):
        R = correlation_of(V)
        return [
            R[:, 0, 1],
            R[:, 0, 1] * R[:, 1, 2] * R[:, 0, 2],
            np.linalg.slogdet(R)[1],
            np.log(V[:, 0, 0]) * np.log(V[:, 1, 1]),
        ]

    phi = shaped_relu(1, -1)
    limit = views(CovarianceSDE(phi, 0.5).sample(TRIPLE, 100_000, 13))
    network = views(ShapedMLP(phi, width=200, depth=100).sample(TRIPLE, 3000, 14))
    straight = views(CovarianceSDE(linear(), 0.5).sample(TRIPLE, 100_000, 15))
    for here, there in zip(limit, network, strict=True):
        assert score(there, here.mean(), here.std() / np.sqrt(len(here))) < SIGMAS
    assert max(score(there, other.mean()) for other, there in zip(straight, network, strict=True)) > 2 * SIGMAS
    # Independently simulated values and their errors.
    assert score(limit[0], 0.3947, 5e-5) < SIGMAS
    assert score(limit[1], 0.1381, 0.0010) < SIGMAS


# Orders


@pytest.mark.parametrize("start", [0.3, -1.0], ids=["inside", "from the boundary"])
def test_correlation_scheme_has_weak_order_two_and_strong_order_one(start):
    process = CorrelationSDE(shaped_relu(1, -1), 1.0)
    weak, error = rates(coupled(process, start, 1_000_000, np.square))
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 5 * error[0]
    strong, error = rates([np.abs(d) for d in coupled(process, start, 100_000, np.asarray)])
    assert abs(strong[0] - 1) < 5 * error[0] + 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    "V0, samples, coarse", [(PAIR, 600_000, (4, 8)), (TRIPLE, 200_000, (2, 4))], ids=["two inputs", "three inputs"]
)
def test_covariance_scheme_has_weak_order_two_and_strong_order_one_half(V0, samples, coarse):
    process = CovarianceSDE(LEAKY, 1.0)

    def observe(V):
        return correlation_of(V)[:, 0, 1]

    differences = coupled(process, V0, samples, observe, coarse, fine=64)
    weak, error = rates(differences)
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 3 * error[0]
    strong, error = rates([np.abs(d) for d in differences])
    assert abs(strong[0] - 0.5) < 5 * error[0] + 0.2
    assert 1 - strong[0] > 5 * error[0]


def test_the_stream_without_refinement_is_the_plain_one():
    process = CorrelationSDE(LEAKY, 1.0)
    plain = process.sample(0.3, 300, 1, steps=16)
    assert np.array_equal(plain, process.sample(0.3, 300, 1, steps=16, noise_steps=16))
    assert not np.array_equal(plain, process.sample(0.3, 300, 1, steps=16, noise_steps=32))


# The cone


def euler_leaves_the_cone(phi, V0, time, steps, samples, seed):
    """Share of paths of the plain Euler scheme that lose positive semi-definiteness."""
    draw, step = np.random.default_rng(seed), time / steps
    V, left = np.repeat(V0[None], samples, 0), np.zeros(samples, bool)
    for _ in range(steps):
        values, vectors = np.linalg.eigh(V)
        L = vectors * np.sqrt(np.maximum(values, 0))[:, None]
        G = draw.standard_normal(V.shape)
        V = V + step * phi.covariance_drift(V) + np.sqrt(step / 2) * L @ (G + G.swapaxes(1, 2)) @ L.swapaxes(1, 2)
        left |= np.linalg.eigvalsh(V)[:, 0] < -1e-9
        V[left] = np.eye(len(V0))
    return left.mean()


def test_coarse_steps_stay_in_the_cone_where_plain_euler_leaves_it():
    V = CovarianceSDE(LEAKY, 1.0).sample(PAIR, 100_000, 17, steps=8)
    assert np.linalg.eigvalsh(V).min() > 0
    assert euler_leaves_the_cone(LEAKY, PAIR, 1.0, 8, 4000, 17) > 0.5


@pytest.mark.slow
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32), st.integers(1, 4), st.floats(0, 4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_singular_starts_stay_in_the_cone_at_any_step(rank, inputs, seed, steps, gap):
    x = np.random.default_rng(seed).standard_normal((inputs, rank))
    V0 = x @ x.T
    V = CovarianceSDE(shaped_relu(gap, 0), 2.0).sample(V0, 50, 1, steps=steps)
    assert np.isfinite(V).all()
    size = np.trace(V, axis1=1, axis2=2)
    assert (np.linalg.eigvalsh(V)[:, 0] > -1e-9 * size).all()
    if gap == 0 and rank < inputs:
        assert (np.linalg.eigvalsh(V)[:, inputs - rank - 1] < 1e-9 * size).all()


def test_a_short_drift_step_is_the_kernel_of_a_rectifier_and_a_long_one_is_none():
    rho = np.linspace(-1, 1, 21)
    absolute_value = Rectifier("absolute value", base_minus=-1)
    nu = shaped_relu(1, 0).drift
    assert absolute_value.correlation_map(rho, 1) == pytest.approx(rho + 4 * nu(rho), abs=1e-15)
    x = np.random.default_rng(0).standard_normal((12, 2))
    R = correlation_of(x @ x.T)
    assert np.linalg.eigvalsh(R + 4 * nu(R))[0] > 0
    assert np.linalg.eigvalsh(R + 8 * nu(R))[0] < -1
    # The flow keeps the cone whatever the time.
    apart = ~np.eye(12, dtype=bool)
    for time in (0.1, 4, 8, 40):
        ratio = flow.ratio_flow((1 + R[apart]) / (1 - R[apart]), 1.0, time, corrected=False)
        moved = np.eye(12)
        moved[apart] = (ratio - 1) / (ratio + 1)
        assert np.linalg.eigvalsh(moved)[0] > -1e-12


def test_parallel_and_opposite_inputs():
    parallel, opposite = np.ones((2, 2)), np.array([[1.0, -1], [-1, 1]])
    for phi in (LEAKY, linear()):
        V = CovarianceSDE(phi, 1.0).sample(parallel, 100, 1)
        assert correlation_of(V) == pytest.approx(1, abs=1e-15)
        assert (CorrelationSDE(phi, 1.0).sample(1, 100, 1) == 1).all()
    V = CovarianceSDE(linear(), 1.0).sample(opposite, 100, 1)
    assert correlation_of(V)[:, 0, 1] == pytest.approx(-1, abs=1e-15)
    assert (CorrelationSDE(linear(), 1.0).sample(-1, 100, 1) == -1).all()
    assert (CorrelationSDE(LEAKY, 1.0).sample(-1, 100, 1, at=[1 / 128]) > -1).all()


# Tables and building blocks


def evaluate(table, x):
    place = np.clip((x - table.low) * table.rate, 0, table.cubics.shape[1] - 1)
    cell = place.astype(int)
    part = place - cell
    c = table.cubics[:, cell].astype(float)
    return c[0] + part * (c[1] + part * (c[2] + part * c[3]))


@pytest.mark.parametrize("kind, tolerance", [(np.float32, 1e-6), (np.float64, 1e-9)])
@pytest.mark.parametrize("gap2, step", [(0.0, 0.5), (1.0, 1 / 128), (4.0, 0.25), (1e-6, 0.1)])
def test_tables_agree_with_the_flow(kind, tolerance, gap2, step):
    z = np.linspace(-14, 17, 1001)
    half, full, floor = flow.displacement_tables(gap2, step, np.dtype(kind))
    for table, time in ((half, step / 2), (full, step)):
        exact = np.log(flow.ratio_flow(np.exp(2 * z), gap2, time, True)) / 2
        assert np.maximum(z, floor) + evaluate(table, z) == pytest.approx(exact, abs=tolerance)
        if gap2 == 0:
            assert exact == pytest.approx(np.arcsinh(np.exp(time / 2) * np.sinh(z)), abs=1e-10)
    q = np.linspace(1e-3, 1, 1001)
    ratio = (1 / q - 1) ** 2
    moved = flow.ratio_flow(ratio, gap2, step, False)
    lost = evaluate(flow.decrement_table(gap2, step), q)
    assert lost == pytest.approx((moved - ratio) / (1 + moved), abs=1e-9)


def test_vectorised_exponential():
    x = np.linspace(-3, 3, 256)
    y = x.copy()
    lanes.exponentials(y, lanes.squarings(3))
    assert y == pytest.approx(np.exp(x), rel=1e-14)


@pytest.mark.parametrize("phi", [LEAKY, linear()], ids=lambda phi: phi.name)
def test_the_loop_for_two_inputs_is_the_general_loop(phi, monkeypatch):
    process, choose = CovarianceSDE(phi, 1.0), covariance._is_plain_pair
    for precision, tolerance in (("double", 1e-12), ("single", 1e-5)):
        found = []
        for chosen in (choose, lambda V0, gap2: False):
            monkeypatch.setattr(covariance, "_is_plain_pair", chosen)
            found.append(process.sample(2 * PAIR, 300, 1, at=[0, 0.5, 1], precision=precision))
        pair, general = found
        size = np.sqrt(np.diagonal(general, axis1=2, axis2=3))
        assert np.abs((pair - general) / (size[..., None] * size[..., None, :])).max() < tolerance


@pytest.mark.slow
def test_two_inputs_have_the_same_law_in_single_and_double_precision():
    # Also where 1 - rho spans many decades, and beyond the time for which the single state suffices.
    epsilon = 1e-9
    close = np.array([[1, 1 - epsilon], [1 - epsilon, 1]])
    for V0, time, steps in ((PAIR, 1.0, 2000), (close, 1.0, 16), (PAIR, 12.0, 64)):
        process = CovarianceSDE(LEAKY, time)
        single, double = (
            process.sample(V0, 40_000, 5, steps=steps, precision=precision) for precision in ("single", "double")
        )
        for observe in (lambda V: V[:, 0, 0], lambda V: V[:, 1, 1], lambda V: 1 - correlation_of(V)[:, 0, 1]):
            assert stats.ks_2samp(observe(single), observe(double)).pvalue > LEVEL
