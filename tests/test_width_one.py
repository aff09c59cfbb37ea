"""A single residual neuron: closed laws, the Ornstein-Uhlenbeck activation, other activations on a grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from scipy.special import erfi

from deeplimits import activations, densities
from deeplimits.activations import linear, plain, relu
from deeplimits.densities import OrnsteinUhlenbeck, width_one


def network(activation, x0, depth, paths, seed=7):
    """Layers x + phi(x) g / sqrt(depth)."""
    rng, x = np.random.default_rng(seed), np.full(paths, float(x0))
    for _ in range(depth):
        x = x + activation(x) * rng.standard_normal(paths) / np.sqrt(depth)
    return x


def accepts(samples, law, bias):
    return stats.kstest(samples, law.cdf).statistic < stats.kstwo.isf(1e-5, len(samples)) + bias


# -- rectifiers


def test_an_active_relu_neuron_is_a_geometric_brownian_motion():
    law = width_one(relu(), 1.5, 0.8)
    x = np.array([0.2, 1.0, 4.0])
    assert law.cdf(x) == pytest.approx(stats.norm.cdf(np.log(x / 1.5), -0.4, np.sqrt(0.8)))
    assert law.pdf(x) == pytest.approx(stats.norm.pdf(np.log(x / 1.5), -0.4, np.sqrt(0.8)) / x)
    assert [law.mean(), law.var()] == pytest.approx([1.5, 2.25 * (np.exp(0.8) - 1)])
    assert law.ppf(0.5) == pytest.approx(1.5 * np.exp(-0.4)) and law.cdf([-1, 0]).tolist() == [0, 0]
    assert law.pdf([-1.0, 0.0, np.inf]).tolist() == [0, 0, 0]


@pytest.mark.parametrize("x0", [-2.0, 0.0])
def test_an_inactive_relu_neuron_is_frozen(x0):
    law = width_one(relu(), x0, 1.0)
    assert law.cdf([x0 - 1e-9, x0, x0 + 1]).tolist() == [0, 1, 1] and law.ppf(0.3) == x0
    assert (law.mean(), law.var()) == (x0, 0)


def test_the_slope_of_its_side_is_the_volatility():
    leaky = activations.Rectifier("leaky", base_minus=0.3)
    law = width_one(leaky, -2.0, 1.0)
    x = np.array([-5.0, -2.0, -1.0])
    assert law.cdf(x) == pytest.approx(stats.norm.sf(np.log(x / -2), -0.045, 0.3))
    assert law.mean() == pytest.approx(-2) and law.var() == pytest.approx(4 * (np.exp(0.09) - 1))
    assert law.cdf(law.ppf([0.1, 0.9])) == pytest.approx([0.1, 0.9])
    assert law.pdf(-1.0) == pytest.approx((law.cdf(-1 + 1e-5) - law.cdf(-1 - 1e-5)) / 2e-5, rel=1e-6)
    assert width_one(linear(), -2.0).var() == pytest.approx(4 * (np.e - 1))


def test_deep_relu_neurons_follow_the_law_and_shallow_ones_do_not():
    law = width_one(relu(), 1.0)
    deep, shallow = network(relu(), 1.0, 200, 20000), network(relu(), 1.0, 5, 20000)
    assert accepts(deep, law, bias=0.0)
    assert not accepts(shallow[shallow > 0], law, bias=0.0)


# -- the Ornstein-Uhlenbeck activation


@pytest.mark.parametrize("alpha, beta", [(1.0, 0.0), (0.5, 0.3), (3.0, -2.0)])
def test_its_coordinate_inverts_the_imaginary_error_function(alpha, beta):
    phi = OrnsteinUhlenbeck(alpha, beta)
    g = np.concatenate([-np.geomspace(25, 1e-6, 30), [0], np.geomspace(1e-6, 25, 30)])
    x = phi.inverse(g)
    assert x == pytest.approx((np.sqrt(np.pi) / 2 * erfi(g) - beta) / alpha, rel=1e-12, abs=1e-15)
    # Where alpha x + beta cancels, x does not know g any better.
    assert phi.g(x) == pytest.approx(g, rel=1e-12, abs=1e-14)
    assert phi.g([-np.inf, np.inf]).tolist() == [-np.inf, np.inf]


def test_it_solves_its_defining_equation():
    phi, y, step = OrnsteinUhlenbeck(), np.array([-3.0, 0.0, 1.0, 10.0]), 1e-3
    second = (phi(y + step) - 2 * phi(y) + phi(y - step)) / step**2
    assert phi(y) * second == pytest.approx(np.full(4, 2.0), rel=1e-4)
    assert phi(0.0) == 1 and phi(1.7) == phi(-1.7)


@pytest.mark.parametrize("alpha, beta, mean, variance", [(1.0, 0.0, 0.2925, 0.4323), (0.5, 0.3, 0.5279, 0.1967)])
def test_its_law_is_normal_in_its_coordinate(alpha, beta, mean, variance):
    phi = OrnsteinUhlenbeck(alpha, beta)
    law = width_one(phi, 1.0)
    assert law.deviation**2 == pytest.approx(variance, abs=6e-5)
    assert law.location == pytest.approx(phi.g(1.0) * np.exp(-(alpha**2)))
    # 0.5279 is a measured mean with standard error 0.0018 and a bias of one over the depth.
    assert law.location == pytest.approx(mean, abs=6e-5 if alpha == 1 else 0.005)
    x = np.array([-2.0, 0.5, 3.0])
    assert law.cdf(x) == pytest.approx(stats.norm.cdf(phi.g(x), law.location, law.deviation))
    assert law.pdf(x) == pytest.approx((law.cdf(x + 1e-5) - law.cdf(x - 1e-5)) / 2e-5, rel=1e-6)


@pytest.mark.slow
def test_deep_networks_follow_it_and_the_rate_depends_on_alpha():
    phi = OrnsteinUhlenbeck(0.5, 0.3)
    x, law = network(phi, 1.0, 500, 10000), width_one(phi, 1.0)
    assert accepts(x, law, bias=2 / 500)
    wrong = stats.norm(phi.g(1.0) * np.exp(-1), np.sqrt((1 - np.exp(-2)) / 2))
    assert not accepts(phi.g(x), wrong, bias=0.1)


def test_its_mean_stays_and_its_variance_ends():
    phi, end = OrnsteinUhlenbeck(0.8), np.log(2) / 2 / 0.64
    assert width_one(phi, 1.0, 1.01 * end).var() == np.inf == width_one(phi, 1.0, 5.0).var()
    law = width_one(phi, 1.0, 0.4 * end)
    moments = [
        quad(
            lambda g, k=k: phi.inverse(g) ** k * stats.norm.pdf(g, law.location, law.deviation),
            -9,
            9,
            epsabs=1e-12,
            limit=400,
        )[0]
        for k in (1, 2)
    ]
    assert law.mean() == 1 and moments == pytest.approx([1, law.var() + 1], rel=1e-7)


# -- other activations


def test_tanh_on_its_grid_agrees_with_its_closed_coordinate():
    law = width_one(plain("tanh"), 0.7)
    # z = log(sinh X / sinh x0) has unit noise and drift -sech(X)^2 / 2.
    assert law.chart.value(np.array([-1.0, 2.0])) == pytest.approx(np.arcsinh(np.sinh(0.7) * np.exp([-1.0, 2.0])))
    assert law.mean() == pytest.approx(0.7, abs=1e-6)
    x = network(np.tanh, 0.7, 400, 40000)
    assert accepts(x, law, bias=1e-3) and not accepts(x, width_one(linear(), 0.7), bias=1e-3)
    assert law.cdf(0.0) == 0 and np.all(x > -0.3)


def test_a_start_on_the_other_side_is_the_mirror_of_an_odd_activation():
    law, other = width_one(plain("tanh"), 0.7), width_one(plain("tanh"), -0.7)
    x = np.linspace(0.05, 3, 20)
    assert other.cdf(-x) == pytest.approx(1 - law.cdf(x), abs=1e-9)
    assert other.pdf(-x) == pytest.approx(law.pdf(x), abs=1e-7)


@pytest.mark.parametrize("name, closed", [("relu", relu()), ("x", linear())])
def test_on_the_grid_closed_laws_are_found_again(name, closed):
    found, law = width_one(plain(name), 1.2, 0.6), width_one(closed, 1.2, 0.6)
    x = np.geomspace(0.1, 8, 50)
    assert found.cdf(x) == pytest.approx(law.cdf(x), abs=found.error) and 0 < found.error < 1e-5
    assert found.pdf(x) == pytest.approx(law.pdf(x), abs=1e-5)
    assert [found.mean(), found.var()] == pytest.approx([law.mean(), law.var()], rel=1e-4)


def test_a_constant_activation_gives_brownian_motion():
    law = width_one(plain("0*x + 2"), 1.0, 0.25)
    x = np.linspace(-3, 5, 30)
    assert law.cdf(x) == pytest.approx(stats.norm.cdf(x, 1, 1), abs=law.error + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, x0", [("silu", 1.0), ("sin", 1.0), ("elu", -1.0), ("softplus", 0.0), ("x + sin(x)**2", -0.3)]
)
def test_networks_follow_the_law_of_any_activation(name, x0):
    phi = plain(name)
    x, law = network(phi, x0, 400, 20000), width_one(phi, x0)
    assert law.mean() == pytest.approx(x0, abs=1e-4 * (1 + law.var())) and accepts(x, law, bias=2e-3)
    assert not accepts(x, width_one(linear(), x0 or 0.1), bias=2e-3)


def test_where_the_activation_vanishes_a_neuron_stays():
    assert isinstance(width_one(plain("tanh"), 0.0), densities.Atom)
    assert isinstance(width_one(plain("x**2 - x"), 1.0), densities.Atom)


@pytest.mark.slow
@given(
    x0=st.floats(-5, 5), time=st.floats(0.01, 2), name=st.sampled_from(["tanh", "silu", "softsign", "x", "softplus"])
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_every_law_is_a_law(x0, time, name):
    law = width_one(plain(name), x0, time)
    x = np.linspace(-20, 20, 81)
    assert np.all(np.diff(law.cdf(x)) >= -1e-12) and law.cdf(-np.inf) == 0 and law.cdf(np.inf) == 1
    assert law.mean() == pytest.approx(x0, abs=2e-4 * (1 + abs(x0) + law.var())) and law.error < 1e-4
    assert np.all(np.diff(law.ppf([0.1, 0.5, 0.9])) >= 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("rleu", 1), "did you mean relu"),
        ((activations.smooth("tanh"), 1), "activation must"),
        ((activations.shaped_relu(0, -1), 1), "width"),
        ((relu(), np.nan), "x0 must"),
        ((relu(), 1, 0), "time must"),
        ((plain("x**2"), 1.0), "linearly"),
        ((plain("tanh"), 1.0, -1), "time must"),
    ],
)
def test_neurons_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        width_one(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda: OrnsteinUhlenbeck(0),
        lambda: OrnsteinUhlenbeck(1, np.inf),
        lambda: OrnsteinUhlenbeck().g(np.nan),
        lambda: width_one(relu(), -1).ppf(2),
        lambda: width_one(relu(), -1).cdf(np.nan),
        lambda: width_one(relu(), 1).pdf(np.nan),
    ],
)
def test_questions_without_an_answer_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()
