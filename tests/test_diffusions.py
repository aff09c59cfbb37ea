"""Covariance and correlation SDE: closed forms, orders of convergence, the cone, reproducibility, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from deeplimits import densities
from deeplimits.activations import Rectifier, correlation_of, linear, relu, shaped_relu, smooth
from deeplimits.diffusions import CorrelationSDE, CovarianceSDE, NormSDE, TangentSDE, _flow, _lanes, covariance
from deeplimits.networks import ShapedMLP

LEVEL = 1e-5
SIGMAS = stats.norm.isf(LEVEL / 100)
LEAKY = shaped_relu(0, -1)
PAIR = np.array([[1, 0.3], [0.3, 1]])
CLOSE_PAIR = np.array([[1, 0.9], [0.9, 1]])
TRIPLE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


def score(values, expected, error=0.0):
    """How many standard errors the mean of the values is from what is expected."""
    return abs(values.mean() - expected) / np.hypot(values.std() / np.sqrt(len(values)), error)


def log_norm_law(V0, time):
    return stats.norm(np.log(V0) - time, np.sqrt(2 * time)).cdf


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


@pytest.mark.parametrize("phi, start", [(LEAKY, 0.3), (shaped_relu(1, -1), -1.0), (shaped_relu(0.2, 0.9), -0.9),
                                        (linear(), 0.6), (shaped_relu(2, -3), 0.95)],
                         ids=["leaky", "opposite inputs", "obtuse", "linear", "strong shaping"])
def test_both_equations_have_the_correlation_law_of_fokker_planck(phi, start):
    cdf = densities.correlation(phi, start, 1.0).cdf
    V0 = np.array([[1, 2 * start], [2 * start, 4]])
    with_third = np.block([[V0, np.zeros((2, 1))], [np.zeros((1, 2)), 1]])
    for rho in (CorrelationSDE(phi, 1.0).sample(start, 200_000, 10),
                CorrelationSDE(phi, 1.0).sample(start, 50_000, 10, precision="double"),
                correlation_of(CovarianceSDE(phi, 1.0).sample(V0, 100_000, 11))[:, 0, 1],
                correlation_of(CovarianceSDE(phi, 1.0).sample(V0, 50_000, 11, precision="double"))[:, 0, 1],
                correlation_of(CovarianceSDE(phi, 1.0).sample(with_third, 50_000, 12))[:, 0, 1]):
        assert stats.kstest(rho, cdf).pvalue > LEVEL / 25
    stronger = densities.correlation(Rectifier("stronger", c_plus=np.sqrt(phi.gap2) + 0.6), start, 1.0).cdf
    assert stats.kstest(CorrelationSDE(phi, 1.0).sample(start, 200_000, 10), stronger).pvalue < LEVEL


def test_three_inputs_move_together_as_in_a_wide_network():
    def views(V):
        R = correlation_of(V)
        return [R[:, 0, 1], R[:, 0, 1] * R[:, 1, 2] * R[:, 0, 2], np.linalg.slogdet(R)[1],
                np.log(V[:, 0, 0]) * np.log(V[:, 1, 1])]

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


def rates(differences):
    """log2 ratios of successive mean differences, with their errors."""
    mean = np.array([d.mean() for d in differences])
    relative = np.array([d.std() / np.sqrt(len(d)) for d in differences]) / np.abs(mean)
    return np.log2(np.abs(mean[:-1] / mean[1:])), np.hypot(relative[:-1], relative[1:]) / np.log(2)


def coupled(process, initial, samples, observe, coarse=(4, 8), fine=128):
    """Differences of paths with coarse and fine steps that share their Brownian motion."""
    reference = observe(process.sample(initial, samples, 16, steps=fine))
    return [observe(process.sample(initial, samples, 16, steps=s, noise_steps=fine)) - reference for s in coarse]


@pytest.mark.parametrize("start", [0.3, -1.0], ids=["inside", "from the boundary"])
def test_correlation_scheme_has_weak_order_two_and_strong_order_one(start):
    process = CorrelationSDE(shaped_relu(1, -1), 1.0)
    weak, error = rates(coupled(process, start, 1_000_000, np.square))
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 5 * error[0]
    strong, error = rates([np.abs(d) for d in coupled(process, start, 100_000, np.asarray)])
    assert abs(strong[0] - 1) < 5 * error[0] + 0.15


@pytest.mark.parametrize("V0, samples, coarse", [(PAIR, 600_000, (4, 8)), (TRIPLE, 200_000, (2, 4))],
                         ids=["two inputs", "three inputs"])
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
        ratio = _flow.ratio_flow((1 + R[apart]) / (1 - R[apart]), 1.0, time, corrected=False)
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
    half, full, floor = _flow.displacement_tables(gap2, step, np.dtype(kind))
    for table, time in ((half, step / 2), (full, step)):
        exact = np.log(_flow.ratio_flow(np.exp(2 * z), gap2, time, True)) / 2
        assert np.maximum(z, floor) + evaluate(table, z) == pytest.approx(exact, abs=tolerance)
        if gap2 == 0:
            assert exact == pytest.approx(np.arcsinh(np.exp(time / 2) * np.sinh(z)), abs=1e-10)
    q = np.linspace(1e-3, 1, 1001)
    ratio = (1 / q - 1) ** 2
    moved = _flow.ratio_flow(ratio, gap2, step, False)
    lost = evaluate(_flow.decrement_table(gap2, step), q)
    assert lost == pytest.approx((moved - ratio) / (1 + moved), abs=1e-9)


def test_vectorised_exponential():
    x = np.linspace(-3, 3, 256)
    y = x.copy()
    _lanes.exponentials(y, _lanes.squarings(3))
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


def test_two_inputs_have_the_same_law_in_single_and_double_precision():
    # Also where 1 - rho spans many decades, and beyond the time for which the single state suffices.
    epsilon = 1e-9
    close = np.array([[1, 1 - epsilon], [1 - epsilon, 1]])
    for V0, time, steps in ((PAIR, 1.0, 2000), (close, 1.0, 16), (PAIR, 12.0, 64)):
        process = CovarianceSDE(LEAKY, time)
        single, double = (process.sample(V0, 40_000, 5, steps=steps, precision=precision)
                          for precision in ("single", "double"))
        for observe in (lambda V: V[:, 0, 0], lambda V: V[:, 1, 1], lambda V: 1 - correlation_of(V)[:, 0, 1]):
            assert stats.ks_2samp(observe(single), observe(double)).pvalue > LEVEL


# Smooth shaping: explosion, stationary law, correlation


def silu_with(b):
    """SiLU shaped so that the norm has drift b V (V - 1)."""
    return smooth("silu", a=np.sqrt(0.75 / b))


@pytest.mark.parametrize("b, start, T, probability", [
    (1, 1, 0.5, 0.0266), (1, 1, 1, 0.1419), (1, 1, 2, 0.2346), (0.75, 1, 1, 0.0986), (3, 1, 0.5, 0.2048),
    (1, 1, 40, special.gammainc(2, 1)), (3, 0.5, 40, special.gammainc(4, 1.5)),
])
def test_norms_explode_with_the_known_probability(b, start, T, probability):
    steps = 32 if T <= 2 else 1280
    ends = NormSDE(silu_with(b), T).explosion_times(start, 100_000, 20, steps=steps)
    exploded = np.isfinite(ends)
    assert score(exploded, probability, 5e-5) < SIGMAS
    assert (ends[exploded] <= T).all()
    # Certain explosion for b > 0.
    assert exploded.mean() < 0.5
    norms = NormSDE(silu_with(b), T).sample(start, 100_000, 20, steps=steps)
    assert np.array_equal(np.isinf(norms), exploded)
    if T <= 2:
        V0 = np.array([[start, 0.1], [0.1, 0.1]])
        many = CovarianceSDE(silu_with(b), T).explosion_times(V0[:1, :1], 50_000, 21, steps=steps)
        assert score(np.isfinite(many), probability, 5e-5) < SIGMAS
        # A second, much smaller input hardly adds to it.
        pair = CovarianceSDE(silu_with(b), T).explosion_times(V0, 50_000, 21, steps=steps)
        assert score(np.isfinite(pair), probability, 0.004) < SIGMAS


def test_explosion_times_agree_with_later_clocks():
    short, long = (NormSDE(silu_with(1), T).explosion_times(1, 100_000, s, steps=int(64 * T))
                   for T, s in ((1.0, 22), (3.0, 23)))
    early = long[long <= 1]
    assert stats.ks_2samp(short[short <= 1], early).pvalue > LEVEL
    assert stats.ks_2samp(short[short <= 1] * 1.1, early).pvalue < LEVEL


@pytest.mark.parametrize("process, initial", [
    (NormSDE(silu_with(3), 2), 1.0), (CovarianceSDE(silu_with(3), 2), np.eye(2) + 0.5)], ids=["norm", "two inputs"])
def test_explosion_is_for_ever_and_never_nan(process, initial):
    path = process.sample(initial, 3000, 24, at=np.arange(65) / 32, steps=64)
    ends = process.explosion_times(initial, 3000, 24, steps=64)
    after = ends[:, None] <= np.arange(65) / 32
    assert 0.1 < after[:, -1].mean() < 0.9
    gone = np.isinf(path) if path.ndim == 2 else np.isinf(path).all((2, 3))
    assert np.array_equal(gone, after)
    assert not np.isnan(path).any()


def test_paths_stop_at_the_radius():
    process = CovarianceSDE(smooth("gelu"), 2)
    initial = np.array([[1, 0.5], [0.5, 2]])
    free = process.sample(initial, 2000, 25, at=np.arange(33) / 16, steps=32)
    stopped = process.sample(initial, 2000, 25, at=np.arange(33) / 16, steps=32, radius=4)
    ends = process.explosion_times(initial, 2000, 25, steps=32, radius=4)
    before = np.arange(33) / 16 <= ends[:, None]
    assert np.array_equal(stopped[before], free[before])
    for i in np.flatnonzero(np.isfinite(ends)):
        beyond = stopped[i][~before[i]]
        assert (beyond == beyond[:1]).all()
    inside = np.diagonal(stopped[np.isinf(ends)], axis1=2, axis2=3)
    assert (inside < 4).all()
    at_start = process.sample(initial, 3, 1, radius=1.5)
    assert (at_start == initial).all()


@pytest.mark.parametrize("a, beta", [(0.5, 8), (1.0, 2)])
def test_stable_norms_reach_the_gamma_law(a, beta):
    norms = NormSDE(smooth("tanh", a=a), 12).sample(1, 50_000, 26, steps=1536)
    assert stats.kstest(norms, stats.gamma(beta - 1, scale=1 / beta).cdf).pvalue > LEVEL
    # With mean 1, as if V = 1 were the fixed point.
    assert stats.kstest(norms, stats.gamma(beta, scale=1 / beta).cdf).pvalue < LEVEL


@pytest.mark.parametrize("phi", [linear(), LEAKY, smooth("tanh", exponent=0.8)], ids=lambda phi: phi.name)
def test_norms_without_drift_are_log_normal_at_any_step(phi):
    norms = NormSDE(phi, 1).sample(2, 100_000, 27, steps=2)
    assert stats.kstest(np.log(norms), log_norm_law(2, 1)).pvalue > LEVEL


@pytest.mark.parametrize("name, a", [("softplus", 1.0), ("silu", 0.7), ("tanh", 0.8), ("exp(x) - 1", 1.0)])
def test_mean_moves_by_the_drift_of_smooth_activations(name, a):
    V0 = np.array([[1.4, 0.7, 0.1], [0.7, 0.5, 0.2], [0.1, 0.2, 0.9]])
    phi, T = smooth(name, a=a), 0.01
    V = CovarianceSDE(phi, T).sample(V0, 1_000_000, 28, steps=1)
    drift = phi.covariance_drift(V0)
    for i, j in np.ndindex(V0.shape):
        assert score((V[:, i, j] - V0[i, j]) / T, drift[i, j], 0.05 * np.abs(drift).max()) < SIGMAS
    assert max(score((V[:, i, i] - V0[i, i]) / T, 0.0) for i in range(3)) > SIGMAS


def test_odd_activations_have_the_correlations_of_a_linear_network():
    cdf = densities.correlation(linear(), 0.2, 1.0).cdf
    V0 = np.array([[1, 0.2], [0.2, 1]])
    tanh = smooth("tanh", a=0.5)
    assert stats.kstest(correlation_of(CovarianceSDE(tanh, 1).sample(V0, 50_000, 29))[:, 0, 1], cdf).pvalue > LEVEL
    assert stats.kstest(CorrelationSDE(tanh, 1).sample(0.2, 50_000, 29), cdf).pvalue > LEVEL
    softplus = correlation_of(CovarianceSDE(smooth("softplus", a=0.5), 1).sample(V0, 50_000, 29, radius=50))[:, 0, 1]
    assert stats.kstest(softplus, cdf).pvalue < LEVEL


def test_smooth_schemes_have_weak_order_two():
    process = CovarianceSDE(smooth("tanh", a=0.5, centre=0.3), 0.5)
    differences = coupled(process, np.array([[1, 0.3], [0.3, 1.5]]), 700_000,
                          lambda V: correlation_of(V)[:, 0, 1], (2, 4), fine=32)
    weak, error = rates(differences)
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 3 * error[0]
    weak, error = rates(coupled(NormSDE(smooth("tanh", a=0.5), 1), 0.3, 400_000, lambda V: 1 / (1 + V)))
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 3 * error[0]


@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 2**32), st.integers(1, 8),
       st.sampled_from(["gelu", "tanh", "softplus", "exp(x) - 1"]), st.floats(0.3, 3))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_smooth_shaping_stays_in_the_cone_or_explodes(rank, inputs, seed, steps, name, a):
    x = np.random.default_rng(seed).standard_normal((inputs, rank))
    V = CovarianceSDE(smooth(name, a=a), 1.0).sample(x @ x.T, 50, 1, steps=steps)
    assert not np.isnan(V).any()
    alive = np.isfinite(V).all((1, 2))
    assert np.isinf(V[~alive]).all()
    size = np.trace(V[alive], axis1=1, axis2=2)
    assert (np.linalg.eigvalsh(V[alive])[:, 0] > -1e-9 * size).all()


def test_large_norms_keep_their_digits():
    # The equation without drift is linear: a norm of 10^30 is that many times a norm of 1.
    one, many = (NormSDE(shaped_relu(1, 0), 0.5).sample(V0, 20, 1) for V0 in (1.0, 1e30))
    np.testing.assert_allclose(many, 1e30 * one, rtol=1e-12)
    V = CovarianceSDE(smooth("tanh"), 1e-13).sample(1e12, 2000, 1, steps=1)
    assert np.mean(1e12 / V[:, 0, 0]) == pytest.approx(1 + 0.1 * 2, rel=1e-5)  # b = -2: 1/V grows by 2 a unit of time


@pytest.mark.parametrize("process", [CovarianceSDE(smooth("gelu"), 1.0), CovarianceSDE(smooth("tanh"), 1.0),
                                     TangentSDE(smooth("gelu"), 1.0)], ids=["gelu", "tanh", "tangents"])
def test_small_norms_keep_their_digits(process):
    # Far below 1 the equation is linear, also where the product of two variances underflows.
    small, smaller = (process.sample(scale * np.array(PAIR), 20, 1, steps=8) / scale for scale in (1e-30, 1e-250))
    np.testing.assert_allclose(smaller, small, rtol=1e-9)


@pytest.mark.parametrize("process", [CovarianceSDE(smooth("gelu"), 400.0), TangentSDE(smooth("gelu"), 400.0)],
                         ids=["covariance", "tangents"])
def test_norms_that_die_out_are_never_nan(process):
    V = process.sample(PAIR, 300, 1, steps=400)
    assert not np.isnan(V).any()
    assert 0 < np.mean(V[:, 0, 0] < 1e-100) < 1
    size = np.sqrt(np.diagonal(V[np.isfinite(V[:, 0, 0])], axis1=1, axis2=2))
    assert np.all(np.abs(V[np.isfinite(V[:, 0, 0]), 0, 1]) <= size[:, 0] * size[:, 1] * (1 + 1e-9))


def test_the_largest_covariances_are_no_overflow():
    V = CovarianceSDE(smooth("gelu"), 1.0).sample(1.7e308 * np.array(PAIR), 3, 1, steps=4)
    assert np.all(V == np.inf)
    V = CovarianceSDE(LEAKY, 1.0).sample(1.7e308 * np.array(PAIR), 3, 1, at=[0.0], steps=4)
    assert np.all(V[:, 0] == 1.7e308 * np.array(PAIR))


# Reproducibility and the grid

PROCESSES = {
    "correlation": (CorrelationSDE(LEAKY, 1.5), 0.3),
    "one input": (CovarianceSDE(LEAKY, 1.5), 1.0),
    "two inputs": (CovarianceSDE(LEAKY, 1.5), PAIR),
    "three inputs": (CovarianceSDE(LEAKY, 1.5), TRIPLE),
    "smooth": (CovarianceSDE(smooth("gelu"), 1.5), TRIPLE),
    "norm": (NormSDE(smooth("gelu"), 1.5), 1.2),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_samples_do_not_depend_on_threads_or_chunks(name):
    process, initial = PROCESSES[name]
    for precision in ("single", "double"):
        whole = process.sample(initial, 1500, 7, steps=6, threads=1, precision=precision)
        for threads in (2, 7):
            again = process.sample(initial, 1500, 7, steps=6, threads=threads, precision=precision)
            assert np.array_equal(whole, again)
        cuts = [0, 1, 200, 256, 777, 1500]
        chunks = [process.sample(initial, b - a, 7, steps=6, first=a, precision=precision)
                  for a, b in zip(cuts, cuts[1:], strict=False)]
        assert np.array_equal(whole, np.concatenate(chunks))
        assert not np.array_equal(whole, process.sample(initial, 1500, 8, steps=6, precision=precision))
    assert process.sample(initial, 3, 7, steps=2, first=2**40).shape == whole[:3].shape


@pytest.mark.parametrize("name", PROCESSES)
def test_times_keep_their_order(name):
    process, initial = PROCESSES[name]
    path = process.sample(initial, 20, 7, at=[1.5, 0, 0.5, 0.5], steps=6)
    scalar = not isinstance(process, CovarianceSDE)
    assert path.shape == ((20, 4) if scalar else (20, 4, *np.shape(np.atleast_2d(initial))))
    assert np.array_equal(path[:, 0], process.sample(initial, 20, 7, steps=6))
    assert np.array_equal(path[:, 2], process.sample(initial, 20, 7, at=[0.5], steps=6)[:, 0])
    assert np.array_equal(path[:, 2], path[:, 3])
    assert path[:, 1] == pytest.approx(np.broadcast_to(initial, path[:, 1].shape), rel=1e-15)
    assert (process.sample(initial, 20, 7, at=[0])[:, 0] == path[:, 1]).all()


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("change, message", [
    ({"at": [0.1]}, r"at must lie on the grid of 4 steps in \[0, 1.5\], got 0.1; the nearest grid time is 0"),
    ({"at": [2.0]}, "at must be"), ({"at": [np.nan]}, "at must be"), ({"at": []}, "at must name"),
    ({"samples": 0}, "samples must be"), ({"steps": 0}, "steps must be"), ({"seed": -1}, "seed must be"),
    ({"noise_steps": 6}, "noise_steps must be a multiple of 4, got 6"),
    ({"precision": "half"}, "precision must be 'single' or 'double', got 'half'"),
    ({"threads": 0}, "threads must be"), ({"first": -1}, "first must be"),
    ({"initial": np.nan}, "initial must be"),
])
def test_bad_arguments_are_named(name, change, message):
    process, initial = PROCESSES[name]
    arguments = {"initial": initial, "samples": 4, "seed": 1, "steps": 4} | change
    with pytest.raises(ValueError, match=message):
        process.sample(**arguments)


def test_bad_states_and_processes_are_named():
    with pytest.raises(ValueError, match="initial must be .* >= -1 and <= 1, got 1.2"):
        CorrelationSDE(LEAKY, 1).sample(1.2, 1, 1)
    with pytest.raises(ValueError, match="coordinate must be one of rho, angle, z, got 'x'"):
        CorrelationSDE(LEAKY, 1).sample(0.2, 1, 1, coordinate="x")
    with pytest.raises(ValueError, match="initial must be positive semi-definite"):
        CovarianceSDE(LEAKY, 1).sample([[1, 2], [2, 1]], 1, 1)
    with pytest.raises(ValueError, match="initial must be a finite number and > 0, got 0"):
        NormSDE(LEAKY, 1).sample(0, 1, 1)
    with pytest.raises(ValueError, match="radius must be a finite number and > 0, got -1"):
        CovarianceSDE(smooth("gelu"), 1).sample(1, 1, 1, radius=-1)
    with pytest.raises(ValueError, match="radius must be inf for shaped ReLU"):
        CovarianceSDE(LEAKY, 1).sample(1, 1, 1, radius=2)
    with pytest.raises(ValueError, match="activation must have no second derivative at its centre, gelu has 1.59577"):
        CorrelationSDE(smooth("gelu"), 1)
    for process in (CorrelationSDE, CovarianceSDE, NormSDE):
        with pytest.raises(ValueError, match="tanh with exponent=0.4 has no covariance SDE"):
            process(smooth("tanh", exponent=0.4), 1)
        with pytest.raises(ValueError, match="time must be a finite number and > 0, got 0"):
            process(LEAKY, 0)
        with pytest.raises(ValueError, match="activation must"):
            process("relu", 1)
        with pytest.raises(ValueError, match="ReLU with exponent=0.5 has no covariance SDE"):
            process(relu(), 1)


@given(st.floats(-1, 1), st.floats(-3, 3), st.floats(0.01, 20), st.integers(1, 40), st.integers(0, 2**40))
@settings(max_examples=40, deadline=None, derandomize=True)
@example(-1.0, 1e-8, 1e-6, 1, 0)
@example(-1.0, 5e-324, 1.0, 1, 0)
@example(1.0, 1e-160, 1.0, 3, 0)
def test_finite_input_never_gives_nan(rho, gap, time, steps, first):
    phi = shaped_relu(gap, 0)
    for coordinate in ("rho", "angle", "z"):
        values = CorrelationSDE(phi, time).sample(rho, 5, 1, steps=steps, first=first, coordinate=coordinate)
        assert not np.isnan(values).any()
    V = CovarianceSDE(phi, time).sample([[1, rho], [rho, 1]], 5, 1, steps=steps, first=first)
    assert np.isfinite(V).all()
