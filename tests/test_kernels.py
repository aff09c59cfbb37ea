"""Infinite width: the ODE against quadrature and its asymptotics, the recursion against the ODE."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.special import erf
from scipy.stats import norm

from deeplimits import activations
from deeplimits.kernels import CovarianceODE

LEAKY = CovarianceODE(activations.shaped_relu(0, -1))
THREE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


def two(rho, first=1.0, second=1.0):
    cross = rho * np.sqrt(first * second)
    return np.array([[first, cross], [cross, second]])


@pytest.mark.parametrize("rho", [-1.0, -0.9, -0.3, 0.0, 0.3, 0.99])
@pytest.mark.parametrize("time", [0.1, 2.0])
def test_the_time_to_a_correlation_is_the_integral_of_one_over_the_drift(rho, time):
    reached = LEAKY.at(two(rho), time)[0, 1]
    # Around rho = -1 and 1 the integrand is smooth in the angle.
    start, end = np.arccos([rho, reached])
    nu = LEAKY.activation.drift_from_epsilon
    took = quad(lambda a: np.sin(a) / nu(2 * np.sin(a / 2) ** 2), end, start, epsrel=1e-12)[0]
    assert took == pytest.approx(time, abs=1e-10)


def test_known_values_at_two_times():
    assert LEAKY.at(two(0.3), [1.0, 0.5])[:, 0, 1] == pytest.approx([0.3830, 0.3435], abs=6e-5)


def test_correlations_approach_1_like_the_inverse_square_of_time():
    times = np.array([1e4, 2e4, 4e4])
    scaled = (1 - LEAKY.at(two(0.3), times)[:, 0, 1]) * times**2
    # Halving the distance to infinity twice removes the next order, 1 / time.
    assert 2 * scaled[1:] - scaled[:-1] == pytest.approx([18 * np.pi**2] * 2, rel=1e-4)


def test_the_gap_only_sets_the_clock():
    wide = CovarianceODE(activations.shaped_relu(2, -1))
    assert wide.at(THREE, 0.3) == pytest.approx(LEAKY.at(THREE, 2.7), abs=1e-11)


def test_the_sum_of_the_constants_is_not_the_gap():
    assert CovarianceODE(activations.shaped_relu(1, 1)).at(THREE, 5.0) == pytest.approx(THREE)


def test_variances_stay_and_every_pair_moves_alone():
    V = LEAKY.at(THREE, 1.5)
    assert np.array_equal(np.diag(V), np.diag(THREE)) and np.array_equal(V, V.T)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        pair = np.ix_([i, j], [i, j])
        assert V[pair] == pytest.approx(LEAKY.at(THREE[pair], 1.5), abs=1e-12)


def test_a_later_time_continues_an_earlier_one():
    assert LEAKY.at(LEAKY.at(THREE, 0.7), 0.6) == pytest.approx(LEAKY.at(THREE, 1.3), abs=1e-11)


def test_times_keep_their_order_and_shape():
    V = LEAKY.at(THREE, [1.0, 0.0, 0.5, 1.0])
    assert V.shape == (4, 3, 3) and np.array_equal(V[0], V[3])
    assert V[1] == pytest.approx(THREE, abs=1e-15)
    assert V[2] == pytest.approx(LEAKY.at(THREE, 0.5), abs=1e-12)


def test_parallel_inputs_stay_and_opposite_ones_leave():
    V = LEAKY.at(np.outer([1, 2, -1], [1, 2, -1]), 1.0)
    assert V[0, 1] == pytest.approx(2, abs=1e-14) and -0.7 < V[0, 2] < -0.3
    assert V[1, 2] == pytest.approx(2 * V[0, 2], abs=1e-12)


def test_nearly_parallel_inputs_move_by_the_right_amount():
    V = LEAKY.at(two(1 - 1e-9), 1e3)
    moved = 1e-9 - (1 - V[0, 1])
    assert moved == pytest.approx(1e3 * np.sqrt(2) / (3 * np.pi) * 1e-9**1.5, rel=0.02)


@pytest.mark.slow
@given(rho=st.floats(-1, 1), scale=st.floats(1e-3, 1e3), time=st.floats(0, 1e4))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_correlation_grows_and_keeps_its_range(rho, scale, time):
    V = LEAKY.at(two(rho, scale), time)
    correlation = V[0, 1] / np.sqrt(scale)
    assert rho - 1e-12 <= correlation <= 1 + 1e-15


def test_plain_relu_collapses_at_the_published_rate():
    layers = np.array([100, 1000, 10000])
    V = CovarianceODE(activations.relu()).finite_depth(two(0.0), 1, 10000, at=layers)
    assert layers**2 * (1 - V[:, 0, 1]) == pytest.approx([35.769, 43.130, 44.252], abs=5e-4)


@pytest.mark.parametrize("constants, power", [((0, -2), 0.5), ((1, -1), 1.0)])
def test_the_recursion_tends_to_the_ode_at_the_rate_of_its_constants(constants, power):
    ode = CovarianceODE(activations.shaped_relu(*constants))
    limit = ode.at(two(0.2), 1.0)[0, 1]
    errors = [abs(ode.finite_depth(two(0.2), n, n)[0, 1] - limit) for n in (400, 1600, 6400)]
    rates = -np.diff(np.log(errors)) / np.log(4)
    assert rates == pytest.approx([power] * 2, abs=0.03)


def test_chosen_layers_are_those_of_the_recursion():
    V = LEAKY.finite_depth(THREE, 50, 20, at=[20, 0, 7])
    assert V.shape == (3, 3, 3) and V[1] == pytest.approx(THREE, abs=1e-15)
    assert np.array_equal(V[0], LEAKY.finite_depth(THREE, 50, 20))
    assert np.array_equal(V[2], LEAKY.finite_depth(THREE, 50, 7))
    assert V[0, 0, 1] == pytest.approx(LEAKY.finite_depth(V[2], 50, 13)[0, 1], abs=1e-13)


def test_a_linear_network_keeps_its_covariance():
    linear = CovarianceODE(activations.linear())
    assert linear.at(THREE, 3.0) == pytest.approx(THREE, abs=1e-15)
    assert linear.finite_depth(THREE, 10, 30) == pytest.approx(THREE, abs=1e-15)


@pytest.mark.parametrize("V0", [[[1, 2], [2, 1]], [[1, np.nan], [np.nan, 1]], np.ones((2, 3)), -1])
def test_a_matrix_that_is_no_covariance_is_refused(V0):
    with pytest.raises(ValueError, match="V0 must"):
        LEAKY.at(V0, 1.0)
    with pytest.raises(ValueError, match="V0 must"):
        LEAKY.finite_depth(V0, 10, 10)


@pytest.mark.parametrize("time", [-1.0, np.nan, np.inf, [], [[1.0]]])
def test_a_time_that_cannot_be_is_refused(time):
    with pytest.raises(ValueError, match="time must be"):
        LEAKY.at(THREE, time)


@pytest.mark.parametrize("name, a", [("silu", 1.0), ("tanh", 0.7), ("gelu", 2.0), ("expm1(x)", 1.5)])
def test_smooth_shaping_follows_its_drift(name, a):
    ode = CovarianceODE(activations.smooth(name, a))
    drift = ode.activation.covariance_drift
    path = solve_ivp(
        lambda _, V: drift(V.reshape(3, 3)).ravel(), (0, 0.5), THREE.ravel(), "DOP853", rtol=1e-12, atol=1e-14
    )
    assert ode.at(THREE, 0.5) == pytest.approx(path.y[:, -1].reshape(3, 3), abs=1e-10)
    assert abs(ode.at(THREE, 0.5) - THREE).max() > 1e-3


def test_variances_above_1_explode_at_the_time_of_the_closed_form():
    ode = CovarianceODE(activations.smooth("silu"))
    when = ode.explosion_time(THREE)
    assert when == pytest.approx([np.inf, -np.log(1 - 1 / 1.5) / 0.75, np.inf])
    V = ode.at(THREE, [when[1] - 1e-6, when[1], 2 * when[1]])
    assert V[0, 1, 1] == pytest.approx(1e6 / 0.75, rel=1e-3)  # near the end V is 1 / (b time left)
    assert np.all(np.isinf(V[1:, 1])) and np.all(np.isinf(V[1:, :, 1]))
    assert np.all(np.isfinite(V[:, [0, 0, 2, 2], [0, 2, 0, 2]])) and V[2, 0, 0] == 1
    assert not np.any(np.isnan(V))


@pytest.mark.parametrize("name", ["silu", "tanh"])
def test_large_variances_keep_their_digits(name):
    ode = CovarianceODE(activations.smooth(name))
    V0, b = two(0.5, 1e12, 1e12), ode.activation.b
    V = ode.at(V0, [0.0, 1e-13])
    assert V[0] == pytest.approx(V0, rel=1e-14)
    assert V[1, 0, 0] == pytest.approx(1 / (1e-12 - 1e-13 * b), rel=1e-11)


def test_stable_smooth_shaping_pulls_variances_to_1():
    V = CovarianceODE(activations.smooth("tanh", 0.5)).at(THREE, [0.0, 4.0])
    assert V[0] == pytest.approx(THREE, abs=1e-15)
    assert np.diag(V[1]) == pytest.approx([1, 1, 1], abs=1e-12)
    assert np.all(CovarianceODE(activations.smooth("tanh")).explosion_time(THREE) == np.inf)


def test_odd_activations_keep_correlations_and_others_pull_them_to_one_half():
    size = np.sqrt(np.diag(THREE))
    V = CovarianceODE(activations.smooth("sin")).at(THREE, 0.8)
    root = np.sqrt(np.diag(V))
    assert V / np.outer(root, root) == pytest.approx(THREE / np.outer(size, size), abs=1e-13)
    # tanh off its centre has a second derivative and no explosion: the half of the theory, not 1.
    late = CovarianceODE(activations.smooth("tanh", 0.2, centre=0.4)).at(two(0.9), 20.0)
    assert late[0, 1] == pytest.approx(0.5, abs=1e-4)


def test_parallel_inputs_of_different_norms_separate_under_a_second_derivative():
    V0 = np.outer([1, 0.5], [1, 0.5])
    V = CovarianceODE(activations.smooth("silu")).at(V0, 0.1)
    correlation = V[0, 1] / np.sqrt(V[0, 0] * V[1, 1])
    assert 1 - correlation == pytest.approx(0.1 * 3 / 8 * 0.5**2, rel=0.1)


@pytest.mark.parametrize("name", ["silu", "tanh", "softplus"])
def test_smooth_recursion_tends_to_the_ode_with_error_one_over_width(name):
    ode = CovarianceODE(activations.smooth(name))
    limit = ode.at(THREE, 0.4)
    errors = [np.abs(ode.finite_depth(THREE, n, round(0.4 * n)) - limit).max() for n in (100, 400)]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.5)


def test_one_smooth_layer_has_the_published_drift():
    V0 = np.array([[1.4, 0.5], [0.5, 0.7]])
    for name, centre, off, diagonal in [
        ("tanh", 0, -0.05, -1.12),
        ("softplus", 0, -0.00125, 0.105),
        ("silu", 0, -0.005, 0.42),
        ("tanh", 1, 0.025403, 1.80333),
    ]:
        ode = CovarianceODE(activations.smooth(name, 1.0, centre))
        drift = ode.activation.covariance_drift(V0)
        assert [drift[0, 1], drift[0, 0]] == pytest.approx([off, diagonal], abs=1e-5)
        moved = 160**2 * (ode.finite_depth(V0, 160**2, 1) - V0)
        assert moved == pytest.approx(drift, rel=2e-3, abs=2e-4)


def test_off_critical_exponents_are_the_linear_network_or_refused():
    assert CovarianceODE(activations.smooth("gelu", exponent=1.0)).at(THREE, 3.0) == pytest.approx(THREE, abs=1e-15)
    with pytest.raises(ValueError, match="exponent"):
        CovarianceODE(activations.smooth("gelu", exponent=0.25)).at(THREE, 1.0)


def test_unshaped_networks_by_quadrature_agree_with_the_formula():
    layers = [1, 10, 40]
    formula = CovarianceODE(activations.relu()).finite_depth(THREE, 1, 40, at=layers)
    quadrature = CovarianceODE(activations.plain("relu")).finite_depth(THREE, 1, 40, at=layers)
    assert quadrature == pytest.approx(formula, abs=1e-12)


def test_nearly_parallel_inputs_keep_their_digits_under_quadrature():
    V0 = two(1 - 1e-10)
    epsilon = 1 - V0[0, 1]
    V = CovarianceODE(activations.plain("erf")).finite_depth(V0, 1, 1)
    # E f'(g)^2 / E f(g)^2 is how much one layer stretches a small difference.
    scale = quad(lambda x: erf(x) ** 2 * norm.pdf(x), -10, 10, epsabs=1e-13)[0]
    slope = quad(lambda x: 4 / np.pi * np.exp(-2 * x * x) * norm.pdf(x), -10, 10, epsabs=1e-13)[0]
    assert 1 - V[0, 1] / V[0, 0] == pytest.approx(slope / scale * epsilon, rel=1e-5)


def test_a_variance_beyond_double_precision_reads_infinite():
    V = CovarianceODE(activations.plain("x**3")).finite_depth(two(0.5, 1.0, 4.0), 1, 12)
    assert np.isinf(V[1, 1]) and np.isinf(V[0, 1]) and not np.any(np.isnan(V))


@given(
    rho=st.floats(-1, 1),
    first=st.floats(1e-3, 30),
    second=st.floats(1e-3, 30),
    time=st.floats(0, 20),
    name=st.sampled_from(["silu", "tanh", "softplus", "asinh"]),
    a=st.floats(0.3, 3),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_smooth_covariances_stay_covariances(rho, first, second, time, name, a):
    V = CovarianceODE(activations.smooth(name, a)).at(two(rho, first, second), time)
    assert not np.any(np.isnan(V))
    if np.all(np.isfinite(V)):
        assert abs(V[0, 1]) <= np.sqrt(V[0, 0] * V[1, 1]) * (1 + 1e-9)


def test_networks_without_this_limit_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="no covariance SDE"):
        CovarianceODE(activations.relu()).at(THREE, 1.0)
    with pytest.raises(ValueError, match="no covariance SDE"):
        CovarianceODE(activations.plain("tanh")).at(THREE, 1.0)
    with pytest.raises(ValueError, match="exponent"):
        CovarianceODE(activations.shaped_relu(0, -1, exponent=0.25)).at(THREE, 1.0)
    with pytest.raises(ValueError, match="activation must be"):
        CovarianceODE("relu")


@pytest.mark.parametrize("width, depth, at", [(0, 5, None), (5, -1, None), (5, 5, [6]), (5, 5, [])])
def test_layers_that_do_not_exist_are_refused(width, depth, at):
    with pytest.raises(ValueError, match="width|depth|at"):
        LEAKY.finite_depth(THREE, width, depth, at=at)
