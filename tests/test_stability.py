"""Explode, vanish or settle: the table of activations, Feller's test, closed probabilities, recentring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammainc

from deeplimits import activations, densities, stability
from deeplimits.activations import smooth

#: kappa of each activation at centre 0.
TABLE = {
    "x": 0,
    "tanh": -2,
    "sin": -1,
    "asinh": -1,
    "gudermannian": -1,
    "x - x**3/6": -1,
    "erf": None,
    "arctan": -2,
    "sigmoid": -1 / 2,
    "x*exp(-x**2/2)": -3,
    "softplus": 3 / 16,
    "logsigmoid": 3 / 16,
    "silu": 3 / 4,
    "gelu": 6 / np.pi,
    "gelu_tanh": None,
    "mish": 52 / 75,
    "expm1": 7 / 4,
    "sinh": 1,
    "x + x**3/6": 1,
    "x + x**2/2": 3 / 4,
    "snake": 3,
}


@pytest.mark.parametrize("name", [name for name, kappa in TABLE.items() if kappa is not None])
def test_the_table_of_activations(name):
    kappa = TABLE[name]
    regime = stability.classify(smooth(name))
    assert regime.b == pytest.approx(kappa, abs=1e-14)
    assert regime.can_explode == (kappa > 0)


def test_rescaled_activations_keep_their_sign():
    assert smooth("erf").kappa == pytest.approx(-2) and smooth("erf(sqrt(pi)/2*x)").kappa == pytest.approx(-np.pi / 2)
    assert smooth("gelu_tanh").kappa > 0


@pytest.mark.parametrize(
    "b, name, explodes, vanishes",
    [
        (2.0, "explodes or vanishes", True, True),
        (0.0, "vanishes", False, True),
        (-0.5, "vanishes", False, True),
        (-1.0, "null recurrent", False, False),
        (-1.5, "stationary", False, False),
    ],
)
def test_regimes_by_the_sign_of_b_and_of_b_plus_one(b, name, explodes, vanishes):
    regime = stability.classify(b)
    assert (regime.name, regime.can_explode, regime.can_vanish) == (name, explodes, vanishes)


def test_tanh_settles_or_vanishes_by_its_stretch():
    assert stability.classify(smooth("tanh", 1.4)).name == "stationary"
    assert stability.classify(smooth("tanh", 1.43)).name == "vanishes"


def test_rectifiers_vanish():
    for phi in (activations.shaped_relu(0, -1), activations.linear()):
        assert stability.classify(phi).name == "vanishes" and stability.classify(phi).b == 0


@pytest.mark.parametrize("name", ["elu", "selu", "softsign", "relu"])
def test_activations_with_a_kink_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match="continuous derivatives"):
        smooth(name)
    with pytest.raises(ValueError, match="critical at s = a width"):
        stability.classify(activations.plain(name))


def test_unshaped_activations_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="smooth"):
        stability.classify(activations.plain("tanh"))
    with pytest.raises(ValueError, match="shaped_relu"):
        stability.classify(activations.relu())
    with pytest.raises(ValueError, match="activation must"):
        stability.classify("quux")
    assert stability.classify("tanh") == stability.classify(activations.smooth("tanh"))


# -- explosion


def test_explosion_probabilities_are_below_one_and_tend_to_one_half():
    assert stability.explosion_probability(1, 1.0) == pytest.approx(1 - 2 / np.e)
    assert stability.explosion_probability(1e6, 1.0) == pytest.approx(0.5, abs=1e-3)
    assert stability.explosion_probability(1e-6, 1.0) == pytest.approx(0, abs=2e-6)
    assert stability.explosion_probability(-3, [1.0, 5.0]).tolist() == [0, 0]
    assert stability.classify(smooth("silu")).explosion_probability == pytest.approx(gammainc(1.75, 0.75))


@pytest.mark.slow
def test_before_a_time_the_probability_grows_to_the_closed_form():
    probabilities = [stability.explosion_probability(1, [0.5, 1.0], time) for time in (0.5, 1, 4, 40)]
    assert np.all(np.diff(probabilities, axis=0) > 0)
    assert probabilities[-1] == pytest.approx(stability.explosion_probability(1, [0.5, 1.0]), abs=2e-5)
    assert probabilities[0][1] == pytest.approx(0.0266, abs=6e-5)


@pytest.mark.parametrize("b, V0", [(1.0, 1.0), (0.3, 2.0), (5.0, 0.7), (30.0, 1.1)])
def test_the_probability_is_a_ratio_of_scale_functions(b, V0):
    test = stability.feller_test(b)
    here = quad(lambda V: stability.scale_density(b, V), 1, V0, epsabs=1e-13)[0]
    assert stability.explosion_probability(b, V0) == pytest.approx(
        (here - test.scale_at_zero) / (test.scale_at_infinity - test.scale_at_zero), rel=1e-8
    )


# -- Feller's test


@pytest.mark.parametrize("b", [-2.0, -0.5, 0.0, 0.5, 3.0])
def test_densities_of_scale_and_speed_belong_to_the_equation(b):
    # (p' / p) = -2 drift / noise^2, and speed = 2 / (noise^2 scale).
    V, step = np.array([0.3, 1.0, 2.5]), 1e-6
    p = stability.scale_density(b, V)
    slope = (stability.scale_density(b, V + step) - stability.scale_density(b, V - step)) / 2 / step
    assert slope / p == pytest.approx(-2 * b * V * (V - 1) / (2 * V**2), abs=1e-6)
    assert stability.speed_density(b, V) == pytest.approx(2 / (2 * V**2 * p))


@pytest.mark.parametrize("b", [-2.0, -1.0, -0.5, 0.0, 0.5, 3.0])
def test_both_ends_of_the_test(b):
    test = stability.feller_test(b)
    assert np.isfinite([test.scale_at_infinity, test.time_at_infinity]).tolist() == [b > 0, b > 0]
    assert np.isfinite(test.scale_at_zero) == (b > -1) and test.time_at_zero == np.inf
    if b > -1:
        exact = -quad(lambda V: stability.scale_density(b, V), 0, 1)[0]
        assert test.scale_at_zero == pytest.approx(exact, rel=1e-7)
    grow = stability.feller_integral(b, [1e-4, 1e-8, 1e4])
    assert grow[1] > 1.5 * grow[0]
    assert grow[2] == pytest.approx(test.time_at_infinity, rel=1e-3) or (b <= 0 and grow[2] > 7)


@pytest.mark.parametrize("b, V", [(1.0, 3.0), (1.0, 0.2), (-2.0, 2.0), (0.0, 0.5)])
def test_the_integral_of_the_test_is_its_double_integral(b, V):
    def inner(y):
        return stability.scale_density(b, y) * quad(lambda z: stability.speed_density(b, z), 1, y)[0]

    assert stability.feller_integral(b, V) == pytest.approx(quad(inner, 1, V)[0], rel=1e-7)
    both = stability.feller_integral(b, [V, 1.0, V])
    assert both[0] == both[2] == pytest.approx(float(stability.feller_integral(b, V))) and both[1] == 0


# -- stationary laws


@pytest.mark.parametrize("beta", [1.2, 2.0, 8.0])
def test_the_stationary_law_is_the_speed_density(beta):
    law = stability.stationary(-beta)
    V = np.array([0.1, 0.6, 1.4])
    ratio = law.pdf(V) / stability.speed_density(-beta, V)
    assert ratio == pytest.approx(np.full(3, ratio[0]))
    assert [law.mean(), law.var()] == pytest.approx([1 - 1 / beta, (beta - 1) / beta**2])


def test_it_is_where_the_law_of_the_norm_goes():
    law = densities.norm(-8.0, 1.0, 10.0)
    assert law.mean() == pytest.approx(stability.stationary(-8.0).mean(), abs=1e-6) == 0.875


@pytest.mark.parametrize("b", [-1.0, 0.0, 2.0, np.nan])
def test_there_is_no_stationary_law_from_minus_one_on(b):
    with pytest.raises(ValueError, match="b must"):
        stability.stationary(b)


# -- recentring


@pytest.mark.parametrize(
    "name, thresholds",
    [
        ("tanh", [-0.51187, 0.51187]),
        ("sigmoid", [-1.02375, 1.02375]),
        ("softplus", [0.55962]),
        ("arctan", [-np.sqrt(2) / 3, np.sqrt(2) / 3]),
        ("erf", [-0.53452, 0.53452]),
        ("silu", [-3.1860, -1.5913, 0.4645, 3.4107]),
    ],
)
def test_published_thresholds(name, thresholds):
    found = stability.recentred(name, [0.0])
    assert found.thresholds == pytest.approx(thresholds, abs=6e-5)
    assert found.kappa == pytest.approx([smooth(name).kappa])


def test_intervals_of_stable_centres():
    assert stability.recentred("softplus", 0.0).stable == ((pytest.approx(np.log(7 / 4)), np.inf),)
    silu = stability.recentred("silu", 0.0).stable
    assert silu == (pytest.approx((-3.1860, -1.5913), abs=6e-5), pytest.approx((0.4645, 3.4107), abs=6e-5))
    assert stability.recentred("gelu", 0.0).stable[1] == pytest.approx((0.3395, 1.9818), abs=6e-5)
    assert stability.recentred("mish", 0.0).stable[1] == pytest.approx((0.2374, 2.1013), abs=6e-5)
    first = min(stability.recentred("sin", 0.0).thresholds, key=abs)
    assert abs(first) == pytest.approx(np.arctan(2 / np.sqrt(3)))
    assert stability.recentred("x", 0.0).stable == ((-np.inf, np.inf),)
    assert stability.recentred("expm1", 0.0).stable == () == stability.recentred("expm1", 0.0).thresholds
    assert stability.recentred("elu", 1.0).stable == ((0.0, np.inf),)


@pytest.mark.parametrize("name", ["tanh", "gelu", "mish", "snake", "silu"])
def test_the_map_of_centres_is_that_of_recentred_activations(name):
    centres = np.array([-1.0, 0.0, 0.3, 1.2])
    expected = [smooth(name, centre=c).kappa for c in centres]
    assert stability.recentred(name, centres).kappa == pytest.approx(expected, rel=1e-9, abs=1e-12)
    low, high = stability.recentred(name, 0.0).stable[-1]
    middle = (low + high) / 2
    assert smooth(name, centre=middle).kappa < 0 < smooth(name, centre=high + 0.01).kappa


def test_without_a_slope_kappa_is_infinite():
    assert stability.recentred("cos(x)", [0.0]).kappa.tolist() == [np.inf]


# -- properties and bad input


@pytest.mark.slow
@given(b=st.floats(-50, 50), V=st.floats(1e-6, 1e6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_answer_is_nan(b, V):
    values = [
        stability.explosion_probability(b, V),
        stability.scale_density(b, V),
        stability.speed_density(b, V),
        *stability.feller_test(b),
    ]
    assert not np.any(np.isnan(values)) and 0 <= values[0] <= 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: stability.explosion_probability(np.nan, 1.0), "b must"),
        (lambda: stability.explosion_probability(1, 0), "V0 must"),
        (lambda: stability.explosion_probability(1, 1, time=0), "time must"),
        (lambda: stability.explosion_probability(-1, 1, time=-1), "time must"),
        (lambda: stability.scale_density(1, -1), "V must"),
        (lambda: stability.speed_density(1, np.nan), "V must"),
        (lambda: stability.feller_integral(1, np.inf), "V must"),
        (lambda: stability.feller_test(np.inf), "b must"),
        (lambda: stability.recentred("tanh", 31.0), "centres must"),
        (lambda: stability.recentred("elu", 0.0), "kink"),
        (lambda: stability.recentred("import os", 0.0), "not"),
    ],
)
def test_questions_without_an_answer_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
