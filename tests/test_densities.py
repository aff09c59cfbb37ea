"""Fokker-Planck laws against closed forms, published numbers, simulation, and their own grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from deeplimits import _finite_volumes as volumes
from deeplimits import activations, densities
from deeplimits.densities import _correlation

LEAKY = activations.shaped_relu(0, -1)
LINEAR = activations.linear()
LAW = densities.correlation(LEAKY, 0.3, 1.0)


def on_grid(activation, rho0, time, spacing):
    return _correlation._solve(activation.gap2, rho0, time, spacing)


def test_known_mean_spread_and_quantiles():
    assert LAW.mean() == pytest.approx(0.3416, abs=6e-5)
    assert np.sqrt(LAW.var()) == pytest.approx(0.591, abs=6e-4)
    assert LAW.ppf([0.05, 0.5, 0.95]) == pytest.approx([-0.760, 0.537, 0.983], abs=6e-4)
    half = densities.correlation(LEAKY, 0.3, 0.5)
    assert half.mean() == pytest.approx(0.3084, abs=6e-5)
    assert np.sqrt(half.var()) == pytest.approx(0.500, abs=6e-4)


@pytest.mark.parametrize("gap, mean", [(2.0, 0.5005), (0.0, 0.1594)])
def test_the_difference_of_the_constants_drives_the_mean_not_their_sum(gap, mean):
    activation = activations.shaped_relu(gap / 2, -gap / 2)
    assert densities.correlation(activation, 0.2, 1.0).mean() == pytest.approx(mean, abs=6e-5)


@pytest.mark.parametrize("rho0, time", [(0.5, 2.0), (-0.7, 1.0), (0.99, 0.3), (0.0, 10.0)])
def test_the_angle_of_a_linear_network_is_a_martingale(rho0, time):
    law = densities.correlation(LINEAR, rho0, time)
    assert law.expect(np.arccos) == pytest.approx(np.arccos(rho0), abs=3e-6)
    shaped = densities.correlation(LEAKY, rho0, time)
    assert shaped.expect(np.arccos) < np.arccos(rho0) - 1e-4


@pytest.mark.parametrize("rho0, time", [(0.5, 1.0), (-0.7, 1.5)])
def test_the_cotangent_of_the_angle_grows_exponentially_in_a_linear_network(rho0, time):
    # cot(theta) = sinh(z) is an eigenfunction of the generator with eigenvalue 1.
    law = densities.correlation(LINEAR, rho0, time)
    grown = law.expect(lambda rho: rho / np.sqrt((1 - rho) * (1 + rho)))
    assert grown == pytest.approx(np.exp(time) * rho0 / np.sqrt(1 - rho0**2), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rho0", [0.5, -0.2])
def test_a_very_deep_linear_network_aligns_or_opposes_by_the_angle(rho0):
    law = densities.correlation(LINEAR, rho0, 100.0)
    assert law.cdf(0.0) == pytest.approx(np.arccos(rho0) / np.pi, abs=1e-5)


@pytest.mark.parametrize("name", ["tanh", "sin", "erf", "gudermannian"])
def test_odd_smooth_activations_have_the_law_of_a_linear_network(name):
    law, linear = (densities.correlation(phi, 0.2, 1.0) for phi in (activations.smooth(name), LINEAR))
    assert np.array_equal(law.masses, linear.masses)
    assert [law.mean(), law.var() + law.mean() ** 2] == pytest.approx([0.1594, 0.4797], abs=6e-5)


def test_opposite_inputs_of_a_linear_network_mirror_the_law():
    law, mirror = (densities.correlation(LINEAR, rho0, 0.7) for rho0 in (0.4, -0.4))
    rho = np.linspace(-0.99, 0.99, 50)
    assert law.cdf(rho) == pytest.approx(1 - mirror.cdf(-rho), abs=1e-9)


@pytest.mark.parametrize("rho0", [-0.6, 0.0, 0.8])
def test_at_first_the_law_is_normal_in_the_coordinate_of_unit_noise(rho0):
    time = 1e-4
    law = densities.correlation(LEAKY, rho0, time)
    start, spread = np.arctanh(rho0), np.sqrt(time)
    drift = rho0 / 2 + LEAKY.drift(rho0) / (1 - rho0**2)
    z = start + spread * np.linspace(-4, 4, 41)
    assert law.cdf(np.tanh(z)) == pytest.approx(stats.norm.cdf(z, start + drift * time, spread), abs=1e-4)


def test_nearly_parallel_inputs_align_exponentially():
    law = densities.correlation(LEAKY, 1 - 1e-9, 1.0)
    # log(1 - rho) is a Brownian motion with drift -1 and volatility 2 there.
    gone = np.log((1 - law.ppf([0.1, 0.5, 0.9])) / 1e-9)
    assert gone == pytest.approx(-1 - 2 * stats.norm.ppf([0.1, 0.5, 0.9]), abs=1e-3)


def simulate(x, time, steps, paths):
    """Paths of x = exp(2 z) by splitting: noise exactly, drift in two halves around it."""
    noise = np.random.default_rng(11).standard_normal((steps, paths)) * np.sqrt(time / steps)
    for kick in noise:
        for half in (0, 1):
            rho = (x - 1) / (x + 1)
            x = x + time / steps / 2 * (x * (rho + 2) + LEAKY.drift(rho) * (1 + x) ** 2 / 2)
            x = x if half else x * np.exp(2 * kick - 2 * time / steps)
    return (x - 1) / (x + 1)


@pytest.mark.slow
@pytest.mark.parametrize("rho0", [0.3, -0.9, -1.0])
def test_simulated_paths_follow_the_law(rho0):
    rho = simulate(np.full(20000, (1 + rho0) / (1 - rho0)), 1.0, 200, 20000)
    assert stats.kstest(rho, densities.correlation(LEAKY, rho0, 1.0).cdf).pvalue > 1e-5
    # The same paths tell a linear network, and another start, apart.
    for wrong in (densities.correlation(LINEAR, max(rho0, -0.99), 1.0), densities.correlation(LEAKY, rho0 + 0.2, 1.0)):
        assert stats.kstest(rho, wrong.cdf).pvalue < 1e-5


@pytest.mark.slow
def test_opposite_inputs_leave_at_once_and_by_a_continuous_law():
    at, beside = (densities.correlation(LEAKY, rho0, 1.0) for rho0 in (-1, -1 + 1e-9))
    assert at.mean() == pytest.approx(beside.mean(), abs=1e-7)
    soon = densities.correlation(LEAKY, -1, 0.01)
    assert soon.mean() + 1 == pytest.approx(0.01 / 2, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("rho0, order", [(0.3, 1.85), (-0.9, 1.85), (-1.0, 1.75)])
def test_the_error_falls_with_the_square_of_the_cell(rho0, order):
    rho = np.tanh(np.linspace(-4, 6, 200))
    laws = [on_grid(LEAKY, rho0, 1.0, 1 / cells) for cells in (64, 128, 256, 2048)]
    for value in (lambda law: law.cdf(rho), lambda law: law.mean(), lambda law: law.pdf_artanh(np.arctanh(rho))):
        errors = [np.abs(value(law) - value(laws[-1])).max() for law in laws[:-1]]
        assert np.all(-np.diff(np.log2(errors)) > order)


@pytest.mark.parametrize(
    "activation, rho0, time",
    [(LEAKY, 0.3, 1.0), (LEAKY, -1.0, 1.0), (LINEAR, 0.9, 3.0), (activations.shaped_relu(0, -10), -0.5, 0.5)],
)
def test_the_stated_error_covers_the_true_one(activation, rho0, time):
    law = densities.correlation(activation, rho0, time)
    truth = on_grid(activation, rho0, time, (law.edges[1] - law.edges[0]) / 4)
    rho = np.tanh(np.linspace(-4, 6, 300))
    assert 0 < np.abs(law.cdf(rho) - truth.cdf(rho)).max() < law.error < 1e-4
    assert abs(law.mean() - truth.mean()) < 2 * law.error


def test_the_three_densities_are_the_slope_of_one_distribution_function():
    rho = np.array([-0.9, -0.2, 0.4, 0.95])
    z, theta, step = np.arctanh(rho), np.arccos(rho), 1e-4
    assert LAW.pdf(rho) == pytest.approx((LAW.cdf(rho + step) - LAW.cdf(rho - step)) / 2 / step, rel=1e-4)
    assert LAW.pdf_artanh(z) == pytest.approx(LAW.pdf(rho) * (1 - rho**2))
    assert LAW.pdf_angle(theta) == pytest.approx(LAW.pdf(rho) * np.sin(theta))
    assert LAW.pdf_angle(np.linspace(0, np.pi, 20001)).mean() * np.pi == pytest.approx(1, abs=1e-4)


def test_beyond_the_range_there_is_no_mass():
    assert np.array_equal(LAW.cdf([-2, -1, 1, 2]), [0, 0, 1, 1])
    assert np.array_equal(LAW.pdf([-2, -1, 1, 2]), np.zeros(4))
    assert np.array_equal(LAW.pdf_angle([-1, 0, np.pi, 4]), np.zeros(4))
    assert np.array_equal(LAW.pdf_artanh([-1e9, 1e9, np.inf]), np.zeros(3))


def test_quantiles_invert_the_distribution_function():
    p = np.linspace(0.001, 0.999, 57)
    assert LAW.cdf(LAW.ppf(p)) == pytest.approx(p, abs=1e-10)


@pytest.mark.slow
@given(rho0=st.floats(-1, 1 - 1e-12), gap=st.floats(0.1, 5), time=st.floats(0.01, 20))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_law_is_a_law(rho0, gap, time):
    law = densities.correlation(activations.shaped_relu(gap, 0), rho0, time)
    assert law.masses.sum() == pytest.approx(1, abs=1e-12)
    assert law.masses.min() > -1e-12 and 0 <= law.error < 1e-2
    assert -1 - 1e-12 <= law.mean() <= 1 + 1e-12 and np.all(np.diff(law.ppf([0.01, 0.5, 0.99])) >= 0)


@pytest.mark.parametrize(
    "drift, mean, variance",
    [(lambda z: -z, 0.7 * np.exp(-1.5), (1 - np.exp(-3)) / 2), (lambda z: 0 * z + 2.0, 0.7 + 3, 1.5)],
)
def test_the_grid_reproduces_normal_laws(drift, mean, variance):
    time, *state = volumes.normal_start(drift, 0.7, 0.0, 0.01, 0.0, 1.5)
    edges = np.arange(-700, 1300) * 0.01
    masses = np.diff(stats.norm.cdf(edges, state[0], np.sqrt(state[1])))
    masses = volumes.evolve(masses, edges, drift, time, 1.5)
    assert masses.sum() == pytest.approx(1, abs=1e-9) and masses.min() > -1e-12
    expected = stats.norm.cdf(edges[1:], mean, np.sqrt(variance))
    assert np.cumsum(masses) == pytest.approx(expected, abs=2e-5)


def test_an_absorbing_end_loses_the_mass_that_reaches_it():
    lost = []
    for cells in (50, 100, 200):
        edges = np.linspace(-8, 1, 9 * cells + 1)
        masses = np.diff(stats.norm.cdf(edges, 0, 0.1))
        masses = volumes.evolve(masses, edges, lambda z: 0 * z, 0.01, 1.0, absorbing=True)
        lost.append(1 - masses.sum())
    # The reflection principle for Brownian motion, from the law at time 0.01 on.
    expected = quad(
        lambda x: stats.norm.pdf(x, 0, 0.1) * 2 * stats.norm.sf((1 - x) / np.sqrt(0.99)), -1, 1, epsabs=1e-12
    )[0]
    errors = np.abs(np.array(lost) - expected)
    assert errors[-1] < 1e-5 and np.all(errors[:-1] / errors[1:] > 3.5)


def test_rates_are_positive_for_any_drift():
    bands = volumes.generator(np.array([-1e9, -3.0, 0.0, 1e-14, 5.0, 1e9]), 0.1)
    assert np.all(bands[0, 1:] >= 0) and np.all(bands[2, :-1] >= 0) and np.all(np.isfinite(bands))
    assert np.all(np.abs(bands.sum(axis=0)) <= 1e-15 * np.abs(bands).sum(axis=0))


@pytest.mark.parametrize("rho0", [1.0, 1.5, -1.01, np.nan, "half"])
def test_a_start_without_a_density_is_refused(rho0):
    with pytest.raises(ValueError, match="rho0 must"):
        densities.correlation(LEAKY, rho0, 1.0)


def test_opposite_inputs_of_a_linear_network_stay_and_are_refused():
    with pytest.raises(ValueError, match="stays for ever"):
        densities.correlation(LINEAR, -1, 1.0)


@pytest.mark.parametrize("time", [0, -1, np.inf, np.nan])
def test_a_time_that_cannot_be_is_refused(time):
    with pytest.raises(ValueError, match="time must"):
        densities.correlation(LEAKY, 0.3, time)


def test_activations_whose_correlation_is_no_process_of_its_own_are_refused():
    for activation in ("gelu", activations.smooth("gelu"), activations.smooth("tanh", centre=0.5)):
        with pytest.raises(ValueError, match="no second derivative"):
            densities.correlation(activation, 0.3, 1.0)
    for activation in (object(), "relu", "quux"):
        with pytest.raises(ValueError, match="activation must be"):
            densities.correlation(activation, 0.3, 1.0)
    with pytest.raises(ValueError, match="no covariance SDE"):
        densities.correlation(activations.relu(), 0.3, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: LAW.cdf(np.nan),
        lambda: LAW.pdf([0.1, np.nan]),
        lambda: LAW.pdf_angle(np.nan),
        lambda: LAW.pdf_artanh(np.nan),
        lambda: LAW.ppf(0.0),
        lambda: LAW.ppf([0.5, np.nan]),
        lambda: LAW.ppf(1.2),
        lambda: LAW.expect(lambda rho: rho + np.inf),
    ],
)
def test_questions_without_an_answer_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()
