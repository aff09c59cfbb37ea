"""Residual networks of infinite width: closed forms, published tables, wrong variants, order in depth."""

import numpy as np
import pytest
from explicit import erf_products
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from deeplimits import activations
from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.kernels import CovarianceODE, ResidualKernel, _expectations, with_layers

TANH, SILU, ERF = plain("tanh"), plain("silu"), plain("erf(sqrt(pi)/2*x)")
TWO = np.zeros((2, 2))
GRAM = np.array([[1.34, 0.18], [0.18, 1.2]])  # of the inputs (.5, -1, .3) and (1, .2, -.4)
E = np.e


# -- the identity inside


def test_without_a_second_derivative_means_stay_and_covariances_are_affine():
    unit = ResidualKernel(Blocks(linear(), TANH, 1.0, 1.0)).at([0, 1], TWO)
    assert unit.mean == pytest.approx([0, 1]) and unit.covariance == pytest.approx((E - 1) * np.array([[1, 1], [1, 2]]))
    unit = ResidualKernel(Blocks(plain("x"), plain("2*tanh(x)"), 0.3, 0.2, time=2.0)).at([0.5, -1], 0.4 * GRAM)
    C = 4 * 0.3 * 2
    start = 0.4 * GRAM + np.outer([0.5, -1], [0.5, -1])
    assert unit.covariance == pytest.approx(0.4 * GRAM + (start + 0.2 / 0.3) * (np.exp(C) - 1))


@pytest.mark.parametrize(
    "z, mean, power, explosion",
    [
        (-2, -1.050903, 2.053494, 5.563),
        (0, 0.290926, 0.375563, 4.837),
        (1, 1.793395, 4.009662, 2.773),
        (2, 5.117930, 29.311136, 1.722),
    ],
)
def test_a_second_derivative_moves_the_mean_and_explodes_at_the_published_time(z, mean, power, explosion):
    kernel = ResidualKernel(Blocks(linear(), SILU, 1.0, 1.0))
    unit = kernel.at(z, 0.0)
    assert unit.mean == pytest.approx([mean], abs=6e-7)
    assert unit.covariance + unit.mean**2 == pytest.approx(np.array([[power]]), abs=6e-7)
    assert kernel.explosion_time(z, 0.0) == pytest.approx([explosion], abs=6e-4)


def test_the_covariance_of_two_inputs_with_a_second_derivative():
    unit = ResidualKernel(Blocks(linear(), SILU, 1.0, 1.0)).at([0, 1], TWO)
    assert unit.covariance[0, 1] == pytest.approx(0.338701, abs=6e-7)
    # The printed drift without phi'(0)^2 in front of the second-order terms gives 2.5193 for lambda.
    second_moment = unit.covariance[0, 1] + unit.mean[0] * unit.mean[1]
    assert second_moment == pytest.approx(0.8604, abs=6e-5) and abs(second_moment - 2.5193) > 1


def test_the_mean_is_not_zero_as_the_equation_without_drift_would_have_it():
    assert ResidualKernel(Blocks(linear(), SILU, 1.0, 1.0)).at(0.0, 0.0).mean[0] == pytest.approx(0.29093, abs=6e-6)


@pytest.mark.slow
@given(
    m=st.floats(-3, 3),
    k=st.floats(0, 4),
    weights=st.floats(0, 3),
    biases=st.floats(0, 2),
    outer=st.sampled_from(["silu", "expm1", "x - x**2/4", "x**2 - sin(x)", "2*tanh(x)"]),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_closed_form_solves_its_equation_in_every_branch(m, k, weights, biases, outer):
    kernel = ResidualKernel(Blocks(linear(), plain(outer), weights, biases))
    slope, second = kernel.blocks.outer.slope0, kernel.blocks.outer.second0
    when = kernel.explosion_time(m, k)[0]
    end = min(1.0, 0.9 * when)

    def rates(_, state):
        power = biases + weights * (state[1] + state[0] ** 2)
        return [second / 2 * power, slope**2 * power]

    path = solve_ivp(rates, (0, end), [m, k], "DOP853", rtol=1e-12, atol=1e-13)
    unit = kernel.at(m, k, times=end)
    assert [unit.mean[0], unit.covariance[0, 0]] == pytest.approx(path.y[:, -1], rel=1e-8, abs=1e-10)
    if when < 1:  # the reciprocal of the variance reaches 0 there
        assert np.isinf(kernel.at(m, k).covariance[0, 0])
        near = kernel.at(m, k, times=[(1 - 1e-4) * when, (1 - 1e-5) * when])
        assert near.covariance[1, 0, 0] > 9 * near.covariance[0, 0, 0]


def test_every_start_but_the_one_at_rest_explodes_with_a_second_derivative():
    still = ResidualKernel(Blocks(linear(), SILU, 1.0, 0.0))
    assert still.explosion_time([0.0, 1e-3, -5.0], np.zeros((3, 3)))[0] == np.inf
    assert np.all(np.isfinite(still.explosion_time([0.0, 1e-3, -5.0], np.zeros((3, 3)))[1:]))
    assert np.all(np.isinf(ResidualKernel(Blocks(linear(), TANH, 1.0, 1.0)).explosion_time([0, 9.0], TWO)))


def test_after_an_explosion_only_the_inputs_involved_are_infinite():
    kernel = ResidualKernel(Blocks(linear(), plain("x - x**2/4"), 1.0, 1.0, time=3.0))
    when = kernel.explosion_time([0.0, -2.0], TWO)
    unit = kernel.at([0.0, -2.0], TWO, times=[0.0, 1.01 * when[1], 3.0])
    assert when[1] < 3 < when[0]
    assert np.all(unit.mean[1:, 1] == -np.inf) and np.all(np.isfinite(unit.mean[:, 0]))
    assert np.all(np.isinf(unit.covariance[1:, :, 1])) and np.all(np.isfinite(unit.covariance[:, 0, 0]))
    tangent = kernel.ntk([0.0, -2.0], TWO).total
    assert np.isfinite(tangent[0, 0]) and np.all(np.isinf(tangent[1]))


def test_a_small_second_derivative_is_a_small_change():
    limit = ResidualKernel(Blocks(linear(), TANH, 1.0, 0.5)).at([0.4, 1], GRAM)
    near = ResidualKernel(Blocks(linear(), plain("x + 0.000000001*x**2"), 1.0, 0.5)).at([0.4, 1], GRAM)
    assert near.mean == pytest.approx(limit.mean, abs=1e-7)
    assert near.covariance == pytest.approx(limit.covariance, abs=1e-7)


# -- ReLU inside


def test_relu_grows_at_half_the_rate_and_bends_the_angle():
    kernel = ResidualKernel(Blocks(relu(), linear()))
    assert kernel.at(0.0, 1.0).covariance[0, 0] == pytest.approx(np.exp(0.5))
    unit = kernel.at(0.0, [[1, 0.5], [0.5, 1]])
    assert unit.covariance[0, 1] == pytest.approx(0.9073, abs=6e-5)


def test_relu_residual_networks_are_shaped_relu_networks():
    start = np.array([[1, 0.1], [0.1, 1]])
    shaped = CovarianceODE(activations.shaped_relu(np.sqrt(2), 0)).at(start, 1.0)
    residual = ResidualKernel(Blocks(relu(), linear(), 2.0)).at(0.0, start).covariance
    assert residual / E == pytest.approx(shaped, abs=1e-12)
    assert shaped[0, 1] == pytest.approx(0.3180, abs=6e-5)
    # Weight variance 1 goes half as fast.
    slower = ResidualKernel(Blocks(relu(), linear())).at(0.0, start).covariance[0, 1] / np.sqrt(E)
    assert slower == pytest.approx(CovarianceODE(activations.shaped_relu(1, 0)).at(start, 1.0)[0, 1])
    assert slower < shaped[0, 1] - 0.05


def test_correlations_under_relu_approach_1_like_the_inverse_square_of_time():
    kernel = ResidualKernel(Blocks(relu(), linear(), time=1000.0))
    unit = kernel.at(0.0, [[1, 0], [0, 1]])
    correlation = unit.covariance[0, 1] / unit.covariance[0, 0]
    assert (1 - correlation) == pytest.approx(1.728e-4, rel=1e-3)


def test_relu_after_finite_depth():
    kernel = ResidualKernel(Blocks(relu(), linear()))
    found = [kernel.finite_depth(0.0, 1.0, depth).covariance[0, 0] for depth in (1, 10, 100)]
    assert found == pytest.approx([1.5, 1.628895, 1.646668], abs=6e-7)


def test_the_general_equation_continues_the_closed_forms():
    start = np.array([[1.0, 0.5], [0.5, 2.0]])
    exact = ResidualKernel(Blocks(relu(), linear())).at(0.0, start).covariance
    biased = ResidualKernel(Blocks(relu(), linear(), bias_variance=1e-12)).at(0.0, start).covariance
    assert biased == pytest.approx(exact, abs=1e-9)
    moved = ResidualKernel(Blocks(relu(), linear())).at(1e-12, start).covariance
    assert moved == pytest.approx(exact, abs=1e-9)
    leaky = ResidualKernel(Blocks(plain("relu(x) - 0.3*relu(-x)"), linear())).at(0.0, 1.0).covariance
    assert leaky[0, 0] == pytest.approx(np.exp((1 + 0.09) / 2))


# -- other activations inside


def test_erf_inside_follows_the_closed_kernel_equation():
    kernel = ResidualKernel(Blocks(ERF, linear(), 0.6, 0.5))
    start = 0.8 * GRAM

    def rates(_, state):
        K, tangent = state.reshape(2, 2, 2)
        values, slopes = erf_products(K)
        power = 0.5 + 0.6 * values
        return np.array([power, power + 0.6 * slopes * tangent]).ravel()

    path = solve_ivp(rates, (0, 1), np.array([start, start]).ravel(), "DOP853", rtol=1e-12, atol=1e-13)
    K, tangent = path.y[:, -1].reshape(2, 2, 2)
    assert kernel.at(0.0, start).covariance == pytest.approx(K, abs=1e-10)
    assert kernel.ntk(0.0, start, inputs=start).total == pytest.approx(tangent, abs=1e-10)
    assert [K[0, 1], (tangent + K)[0, 1]] == pytest.approx([0.72193, 1.52941], abs=6e-6)


def test_tanh_inside_makes_the_kernel_bend():
    kernel = ResidualKernel(Blocks(TANH, TANH, 1.0, 1.0))
    unit = kernel.at([0, 1], TWO)
    assert unit.covariance == pytest.approx(np.array([[1.27537, 1.16546], [1.16546, 1.54938]]), abs=6e-6)
    inputs = np.arange(-3.0, 4.0)
    row = kernel.at(inputs, np.zeros((7, 7))).covariance[4]
    assert row == pytest.approx([0.425, 0.492, 0.695, 1.165, 1.549, 1.619, 1.609], abs=6e-4)
    affine = ResidualKernel(Blocks(linear(), TANH, 1.0, 1.0)).at(inputs, np.zeros((7, 7))).covariance[4]
    assert np.abs(np.diff(affine, 2)).max() < 1e-12 < 0.1 < np.abs(np.diff(row, 2)).max()


def test_general_explosions_agree_with_the_closed_form_where_there_is_one():
    kernel = ResidualKernel(Blocks(linear(), SILU, 1.0, 1.0))
    for z in (-2.0, 0.0, 1.0, 2.0):
        found = kernel._flow.explosion_time(z, 0.0, 100.0)
        assert found == pytest.approx(kernel.explosion_time(z, 0.0)[0], rel=1e-5)
    # x' = x^3 in the variance: E (x^2)^2 = 3 k^2 and k' = 3 k^2 ends at 1 / (3 k0).
    square = ResidualKernel(Blocks(plain("x**2"), linear()))
    assert square.explosion_time(0.0, 0.5) == pytest.approx([2 / 3], rel=1e-5)
    assert square.at(0.0, 0.1).covariance[0, 0] == pytest.approx(1 / (10 - 3))
    assert np.isinf(ResidualKernel(Blocks(TANH, SILU)).explosion_time(0.0, 1.0)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "inner, outer", [("tanh", "sin(x) + x"), ("relu", "tanh"), ("x", "silu"), ("tanh", "silu"), ("softsign", "asinh")]
)
def test_blocks_of_finite_length_approach_the_limit_like_one_over_depth(inner, outer):
    kernel = ResidualKernel(Blocks(plain(inner), plain(outer), 0.8, 0.3))
    start = [0.2, 1.0], 0.5 * GRAM
    limit, tangent = kernel.at(*start), kernel.ntk(*start).total
    errors = []
    for depth in (64, 128):
        unit = kernel.finite_depth(*start, depth)
        errors.append(
            [
                np.abs(unit.mean - limit.mean).max() + 1e-15,
                np.abs(unit.covariance - limit.covariance).max(),
                np.abs(kernel.finite_depth_ntk(*start, depth).total - tangent).max(),
            ]
        )
    rates = np.log2(np.divide(*errors))
    assert rates[1:] == pytest.approx([1, 1], abs=0.12)
    assert rates[0] == pytest.approx(1, abs=0.12) or errors[0][0] < 1e-12


# -- tangent kernels


def test_the_tangent_kernel_of_a_linear_block_is_closed():
    kernel = ResidualKernel(Blocks(linear(), TANH, 0.7, 0.4, time=1.5))
    lam, ratio, C = 0.5 * GRAM + np.outer([1, 2], [1, 2]), 0.4 / 0.7, 0.7 * 1.5
    tangent = kernel.ntk([1, 2], 0.5 * GRAM)
    biases = ratio * (np.exp(C) - 1)
    assert tangent.biases == pytest.approx(np.full((2, 2), biases), rel=1e-9)
    assert tangent.weights == pytest.approx((lam + ratio) * C * np.exp(C) - biases, rel=1e-9)
    assert tangent.total == pytest.approx((lam + ratio) * C * np.exp(C), rel=1e-9)
    # As printed, the diagonal of the inverse Gram of the Jacobian decays; then this would be another number.
    assert abs(tangent.biases[0, 0] - ratio * (1 - np.exp(-C))) > 0.5


@pytest.mark.parametrize(
    "depth, weights, biases", [(15, 2.7778, 0.9341), (50, 4.4004, 1.3031), (150, 5.5083, 1.5337), (300, 5.9218, 1.6168)]
)
def test_the_published_approach_to_the_limit_is_an_effect_of_depth(depth, weights, biases):
    tangent = ResidualKernel(Blocks(linear(), TANH, 1.0, 1.0)).finite_depth_ntk([1, 2], TWO, depth)
    assert [tangent.weights[0, 1], tangent.biases[0, 1]] == pytest.approx([weights, biases], abs=6e-5)


def test_tangents_are_updated_from_the_state_before_the_block():
    moments, late, dt = np.outer([1.0, 2], [1, 2]), 0.0, 1 / 15
    for _ in range(15):  # wrongly from the state after it
        power = (1 + moments) * dt
        moments = moments + _expectations.products(TANH, np.zeros(2), power)
        slopes = _expectations.products(TANH.derivative, np.zeros(2), power)
        late = late + slopes * dt * (moments + late)
    assert abs(late[0, 1] - 2.7778) > 0.1


def test_input_and_output_layers_give_bayesian_linear_regression():
    kernel = ResidualKernel(Blocks(linear(), TANH, 0.6, 0.5))
    kernels = with_layers(kernel, GRAM, input_variance=0.8, output_variance=1.3)
    C, ratio = 0.6, 0.5 / 0.6
    growth = np.exp(C)
    prior = 1.3 * (0.8 * growth * GRAM + ratio * (growth - 1))
    assert kernels.prior == pytest.approx(prior)
    assert kernels.hidden == pytest.approx(1.3 * (0.8 * GRAM + ratio) * C * growth)
    assert kernels.tangent == pytest.approx(1.3 * (0.8 * (C + 2) * growth * GRAM + ratio * (C * growth + growth - 1)))
    assert [kernels.prior[0, 1] / 1.3, kernels.tangent[0, 1] / 1.3] == pytest.approx([0.94748, 2.27836], abs=6e-6)


@pytest.mark.parametrize("depth, prior", [(25, 0.85025), (100, 0.92003), (400, 0.94039)])
def test_finite_depth_kernels_of_an_erf_network(depth, prior):
    unit = ResidualKernel(Blocks(linear(), ERF, 0.6, 0.5)).finite_depth(0.0, 0.8 * GRAM, depth)
    assert unit.covariance[0, 1] == pytest.approx(prior, abs=6e-6)


def test_a_second_derivative_moves_the_prior_mean_into_the_kernel():
    kernel = ResidualKernel(Blocks(linear(), SILU, 1.0, 1.0))
    unit = kernel.at(0.0, GRAM)
    assert with_layers(kernel, GRAM).prior == pytest.approx(unit.covariance + np.outer(unit.mean, unit.mean))


# -- simulation


def test_a_wide_network_has_these_moments():
    # Rows of a layer are independent normal given the state: width 4000, depth 40, both inputs at once.
    rng, width, depth = np.random.default_rng(5), 4000, 40
    x = np.tile([0.0, 1.0], (width, 1))
    for _ in range(depth):
        power = (0.6 * np.tanh(x).T @ np.tanh(x) / width + 0.4) / depth
        h = rng.standard_normal((width, 2)) @ np.linalg.cholesky(power + 1e-15 * np.eye(2)).T
        x = x + h / (1 + np.exp(-h))
    unit = ResidualKernel(Blocks(TANH, SILU, 0.6, 0.4)).finite_depth([0, 1], TWO, depth)
    spread = np.sqrt(np.diag(unit.covariance) / width)
    assert np.all(np.abs(x.mean(0) - unit.mean) < 6 * spread)
    assert np.cov(x.T) == pytest.approx(unit.covariance, abs=6 * np.sqrt(2 / width) * unit.covariance.max())
    assert np.abs(x.mean(0) - [0, 1]).min() > 6 * spread.max()  # the mean without the drift is rejected


# -- properties and bad input


@pytest.mark.slow
@given(
    z=st.lists(st.floats(-5, 5), min_size=2, max_size=2),
    k=st.floats(0, 9),
    rho=st.floats(-1, 1),
    weights=st.floats(0, 2),
    biases=st.floats(0, 2),
    time=st.floats(0.01, 4),
    inner=st.sampled_from(["x", "tanh", "silu", "sin"]),
    outer=st.sampled_from(["tanh", "silu", "expm1"]),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_laws_stay_laws_or_are_reported_as_exploded(z, k, rho, weights, biases, time, inner, outer):
    kernel = ResidualKernel(Blocks(plain(inner), plain(outer), weights, biases, time))
    K0 = k * np.array([[1, rho], [rho, 1]])
    when = kernel.explosion_time(z, K0)
    assert np.all(when > 0)
    if np.all(when > 1.2 * time):
        unit = kernel.at(z, K0)
        assert np.all(np.isfinite(unit.mean)) and np.all(np.linalg.eigvalsh(unit.covariance) > -1e-8 * (1 + k + time))
    elif np.all(when < time):
        assert np.all(np.isinf(kernel.at(z, K0).covariance))


def test_times_and_blocks_keep_their_order_and_shape():
    kernel = ResidualKernel(Blocks(TANH, TANH, time=2.0))
    unit = kernel.at(0.5, GRAM, times=[2.0, 0.0, 1.0])
    assert unit.mean.shape == (3, 2) and unit.covariance.shape == (3, 2, 2)
    assert unit.covariance[1] == pytest.approx(GRAM)
    assert np.array_equal(unit.covariance[0], kernel.at(0.5, GRAM).covariance)
    assert unit.covariance[2] == pytest.approx(ResidualKernel(Blocks(TANH, TANH)).at(0.5, GRAM).covariance)
    blocks = kernel.finite_depth(0.5, GRAM, 6, at=[6, 0, 3])
    assert blocks.mean.shape == (3, 2) and np.array_equal(blocks.covariance[1], GRAM)
    assert np.array_equal(blocks.covariance[0], kernel.finite_depth(0.5, GRAM, 6).covariance)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"outer": relu()}, "outer must have 3"),
        ({"outer": plain("x + 1")}, "outer must be 0"),
        ({"outer": plain("elu")}, "outer must have 3"),
        ({"inner": "tahn"}, "inner must.*did you mean tanh"),
        ({"outer": activations.smooth("tanh")}, "outer must"),
        ({"weight_variance": -1}, "weight_variance must"),
        ({"bias_variance": np.nan}, "bias_variance must"),
        ({"time": 0}, "time must"),
    ],
)
def test_networks_without_this_limit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ResidualKernel(Blocks(**({"inner": linear(), "outer": TANH} | change)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda k: k.at([0, np.nan], TWO), "mean0 must"),
        (lambda k: k.at([0, 0, 0], TWO), "mean0 must"),
        (lambda k: k.at(0, [[1, 2], [2, 1]]), "K0 must"),
        (lambda k: k.at(0, [[0, 1], [1, 1]]), "K0 must"),
        (lambda k: k.at(0, -1.0), "K0 must"),
        (lambda k: k.at(0, 1.0, times=1.5), "times must"),
        (lambda k: k.at(0, 1.0, times=[]), "times must"),
        (lambda k: k.finite_depth(0, 1.0, 0), "depth must"),
        (lambda k: k.finite_depth(0, 1.0, 3, at=[4]), "at must"),
        (lambda k: k.ntk(0, TWO, inputs=np.eye(3)), "inputs must"),
        (lambda k: with_layers(k, GRAM, input_variance=0), "input_variance must"),
        (lambda k: with_layers(k, [[1, 3], [3, 1]]), "gram must"),
    ],
)
def test_starts_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(ResidualKernel(Blocks(linear(), TANH)))
