"""Covariance and norm SDE of smooth shaping: explosion, stationary law, correlation, digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import coupled, rates
from samples import LEVEL, log_norm_law, score
from scipy import special, stats

from deeplimits import densities
from deeplimits.activations import correlation_of, linear, shaped_relu, smooth
from deeplimits.diffusions import CorrelationSDE, CovarianceSDE, NormSDE

SIGMAS = stats.norm.isf(LEVEL / 100)
LEAKY = shaped_relu(0, -1)
PAIR = np.array([[1, 0.3], [0.3, 1]])


# Smooth shaping: explosion, stationary law, correlation


def silu_with(b):
    """SiLU shaped so that the norm has drift b V (V - 1)."""
    return smooth("silu", a=np.sqrt(0.75 / b))


@pytest.mark.parametrize(
    "b, start, T, probability",
    [
        (1, 1, 0.5, 0.0266),
        (1, 1, 1, 0.1419),
        (1, 1, 2, 0.2346),
        (0.75, 1, 1, 0.0986),
        (3, 1, 0.5, 0.2048),
        (1, 1, 40, special.gammainc(2, 1)),
        (3, 0.5, 40, special.gammainc(4, 1.5)),
    ],
)
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
    short, long = (
        NormSDE(silu_with(1), T).explosion_times(1, 100_000, s, steps=int(64 * T)) for T, s in ((1.0, 22), (3.0, 23))
    )
    early = long[long <= 1]
    assert stats.ks_2samp(short[short <= 1], early).pvalue > LEVEL
    assert stats.ks_2samp(short[short <= 1] * 1.1, early).pvalue < LEVEL


@pytest.mark.parametrize(
    "process, initial",
    [(NormSDE(silu_with(3), 2), 1.0), (CovarianceSDE(silu_with(3), 2), np.eye(2) + 0.5)],
    ids=["norm", "two inputs"],
)
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


@pytest.mark.slow
def test_smooth_schemes_have_weak_order_two():
    process = CovarianceSDE(smooth("tanh", a=0.5, centre=0.3), 0.5)
    differences = coupled(
        process, np.array([[1, 0.3], [0.3, 1.5]]), 700_000, lambda V: correlation_of(V)[:, 0, 1], (2, 4), fine=32
    )
    weak, error = rates(differences)
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 3 * error[0]
    weak, error = rates(coupled(NormSDE(smooth("tanh", a=0.5), 1), 0.3, 400_000, lambda V: 1 / (1 + V)))
    assert abs(weak[0] - 2) < 5 * error[0] + 0.25
    assert weak[0] - 1 > 3 * error[0]


@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 2**32),
    st.integers(1, 8),
    st.sampled_from(["gelu", "tanh", "softplus", "exp(x) - 1"]),
    st.floats(0.3, 3),
)
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


@pytest.mark.parametrize(
    "sample",
    [
        CovarianceSDE(smooth("gelu"), 1.0).sample,
        CovarianceSDE(smooth("tanh"), 1.0).sample,
        CovarianceSDE(smooth("gelu"), 1.0).tangents,
    ],
    ids=["gelu", "tanh", "tangents"],
)
def test_small_norms_keep_their_digits(sample):
    # Far below 1 the equation is linear, also where the product of two variances underflows.
    small, smaller = (sample(scale * np.array(PAIR), 20, 1, steps=8) / scale for scale in (1e-30, 1e-250))
    np.testing.assert_allclose(smaller, small, rtol=1e-9)


@pytest.mark.parametrize("method", ["sample", "tangents"])
def test_norms_that_die_out_are_never_nan(method):
    V = getattr(CovarianceSDE(smooth("gelu"), 400.0), method)(PAIR, 300, 1, steps=400)
    assert not np.isnan(V).any()
    assert 0 < np.mean(V[:, 0, 0] < 1e-100) < 1
    size = np.sqrt(np.diagonal(V[np.isfinite(V[:, 0, 0])], axis1=1, axis2=2))
    assert np.all(np.abs(V[np.isfinite(V[:, 0, 0]), 0, 1]) <= size[:, 0] * size[:, 1] * (1 + 1e-9))


def test_the_largest_covariances_are_no_overflow():
    V = CovarianceSDE(smooth("gelu"), 1.0).sample(1.7e308 * np.array(PAIR), 3, 1, steps=4)
    assert np.all(V == np.inf)
    V = CovarianceSDE(LEAKY, 1.0).sample(1.7e308 * np.array(PAIR), 3, 1, at=[0.0], steps=4)
    assert np.all(V[:, 0] == 1.7e308 * np.array(PAIR))
