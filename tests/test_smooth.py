"""Smooth shaping: exact derivatives, classes of norm stability, drifts against quadrature, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import roots_hermitenorm

from deeplimits.activations import linear, plain, relu, smooth

GELU_SECOND = 4 / np.sqrt(2 * np.pi)

#: Activation, second and third derivative, kappa, all normalised at 0.
TABLE = [
    ("identity", 0, 0, 0),
    ("3*x + 2", 0, 0, 0),
    ("tanh", 0, -2, -2),
    ("sin", 0, -1, -1),
    ("asinh", 0, -1, -1),
    ("gudermannian", 0, -1, -1),
    ("x - x**3/6", 0, -1, -1),
    ("erf", 0, -2, -2),
    ("sqrt(pi)/2*erf(x)", 0, -2, -2),
    ("arctan", 0, -2, -2),
    ("sigmoid", 0, -1 / 2, -1 / 2),
    ("x*exp(-x**2/2)", 0, -3, -3),
    ("softplus", 1 / 2, 0, 3 / 16),
    ("logsigmoid", -1 / 2, 0, 3 / 16),
    ("silu", 1, 0, 3 / 4),
    ("swish", 1, 0, 3 / 4),
    ("x*sigmoid(2*x)", 2, 0, 3),
    ("gelu", GELU_SECOND, 0, 6 / np.pi),
    ("gelu_tanh", GELU_SECOND, 0, 6 / np.pi),
    ("mish", 16 / 15, -4 / 25, 52 / 75),
    ("exp(x) - 1", 1, 1, 7 / 4),
    ("exp", 1, 1, 7 / 4),
    ("sinh", 0, 1, 1),
    ("x + x**3/6", 0, 1, 1),
    ("x + x**2/2", 1, 0, 3 / 4),
    ("x + sin(x)**2", 2, 0, 3),
]


@pytest.mark.parametrize(("name", "second", "third", "kappa"), TABLE, ids=[row[0] for row in TABLE])
def test_derivatives_and_explosion_criterion_of_the_table(name, second, third, kappa):
    phi = smooth(name, a=0.5)
    found = (phi.second, phi.third, phi.kappa, phi.b)
    assert found == pytest.approx((second, third, kappa, 4 * kappa), rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("name", ["tanh", "gelu", "mish", "softplus", "exp"])
def test_stretching_the_argument_keeps_the_class(name):
    assert smooth(f"{name}(3*x)/3").kappa == pytest.approx(9 * smooth(name).kappa, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "low", "high", "threshold"),
    [
        ("tanh", 0, 1, np.arctanh(np.sqrt(2) / 3)),
        ("sigmoid", 0.5, 2, 2 * np.arctanh(np.sqrt(2) / 3)),
        ("softplus", 0, 1, np.log(7 / 4)),
        ("sin", 0, 1.2, np.arctan(2 / np.sqrt(3))),
        ("arctan", 0, 1, np.sqrt(2) / 3),
        ("erf", 0, 1, 0.53452),
        ("silu", 0, 1, 0.4645),
        ("silu", 2, 5, 3.4107),
        ("silu", -4, -2, -3.1860),
        ("silu", -2, -1.4, -1.5913),
        ("gelu", 0, 1, 0.3395),
        ("gelu", 1.5, 2.5, 1.9818),
        ("mish", 0, 1, 0.2374),
        ("mish", 1.5, 3, 2.1013),
    ],
)
def test_recentring_changes_the_class_at_the_known_thresholds(name, low, high, threshold):
    def kappa(centre):
        return smooth(name, centre=centre).kappa

    assert kappa(low) * kappa(high) < 0
    assert brentq(kappa, low, high, xtol=1e-10) == pytest.approx(threshold, abs=6e-5)


def test_recentred_derivatives_have_their_closed_forms():
    for centre in (-0.7, 0.3, 1.0):
        t = np.tanh(centre)
        phi = smooth("tanh", centre=centre)
        assert (phi.second, phi.third, phi.kappa) == pytest.approx((-2 * t, 6 * t**2 - 2, 9 * t**2 - 2), rel=1e-13)
        sigma = 1 / (1 + np.exp(-centre))
        assert smooth("softplus", centre=centre).kappa == pytest.approx((1 - sigma) * (7 - 11 * sigma) / 4, rel=1e-13)


def one_layer_drift(phi, V, width):
    """s^2 (c E[phi_s phi_s] - V) for the diagonal and off-diagonal entry, by Gauss-Hermite quadrature."""
    nodes, weights = roots_hermitenorm(80)
    weights = weights / weights.sum()
    factor = np.linalg.cholesky(V)
    x, y = factor[0, 0] * nodes[:, None], factor[1, 0] * nodes[:, None] + factor[1, 1] * nodes
    c, first, other = phi.normaliser(width), phi(x, width) + 0 * y, phi(y, width)
    weight = weights[:, None] * weights
    return phi.scale(width) ** 2 * np.array(
        [c * np.sum(weight * first * first) - V[0, 0], c * np.sum(weight * first * other) - V[0, 1]]
    )


@pytest.mark.parametrize(
    ("name", "centre", "diagonal", "beside"),
    [
        ("tanh", 0.0, -1.12, -0.05),
        ("softplus", 0.0, 0.105, -0.00125),
        ("silu", 0.0, 0.42, -0.005),
        ("tanh", 1.0, 1.80333, 0.025403),
        ("gelu", 0.2, None, None),
        ("mish", -0.3, None, None),
        ("x + x**2/3 - x**3/5", 0.1, None, None),
    ],
)
def test_covariance_drift_is_the_limit_of_one_layer(name, centre, diagonal, beside):
    V = np.array([[1.4, 0.5], [0.5, 0.7]])
    drift = smooth(name, centre=centre).covariance_drift(V)
    if diagonal is not None:
        assert (drift[0, 0], drift[0, 1]) == pytest.approx((diagonal, beside), abs=6e-6)
    errors = []
    for s in (80, 160):
        found = one_layer_drift(smooth(name, a=s, centre=centre), V, 1)
        errors.append(np.abs(found - drift[0]).max())
    assert errors[1] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)  # second order in 1/s
    # A wrong sign in the third term is seen.
    phi = smooth(name, centre=centre)
    wrong = phi.second**2 / 4 * (V[0, 0] * V[1, 1] + V[0, 1] * (2 * V[0, 1] - 3)) - phi.third / 2 * V[0, 1] * (
        V[0, 0] + V[1, 1] - 2
    )
    if phi.third != 0:
        assert abs(wrong - one_layer_drift(smooth(name, a=160, centre=centre), V, 1)[1]) > 10 * errors[1]


def test_drift_of_a_variance_is_that_of_the_norm():
    phi = smooth("gelu", a=0.7, centre=0.1)
    V = np.array([0.3, 1.0, 2.5]).reshape(3, 1, 1)
    assert phi.covariance_drift(V) == pytest.approx(phi.b * V * (V - 1))
    assert phi.gap2 == 0


def test_exponents_other_than_one_half():
    faster = smooth("silu", exponent=0.25)
    for call in (lambda: faster.b, lambda: faster.covariance_drift(np.eye(2))):
        with pytest.raises(ValueError, match="exponent=0.25 has no covariance SDE"):
            call()
    slower = smooth("silu", exponent=1.0)
    assert slower.b == 0 and np.all(slower.covariance_drift(np.eye(2)) == 0)
    assert smooth("silu", a=0.5, exponent=0.25).scale(16) == 1.0
    assert smooth("silu", a=0.5).scale(16) == 2.0


@pytest.mark.parametrize("name", ["tanh", "silu", "softplus", "exp", "gelu"])
def test_normaliser_is_one_over_the_second_moment_at_any_scale(name):
    nodes, weights = roots_hermitenorm(120)
    for a in (0.7, 3.0, 50.0):
        phi = smooth(name, a=a)
        moment = np.sum(weights * phi(nodes, 4) ** 2) / weights.sum()
        assert phi.normaliser(4) * moment == pytest.approx(1, abs=1e-10 if a > 1 else 1e-6)
    # Far out the correction kappa / s^2 would drown in rounding; it does not, on either side of the switch.
    for width in (10**4, 10**6, 10**8, 10**12, 10**15):
        phi = smooth(name)
        assert width * (1 / phi.normaliser(width) - 1) == pytest.approx(phi.kappa, rel=1e-3, abs=width * 2.5e-16)


def test_plain_normaliser_matches_closed_forms():
    assert plain("x").normaliser() == pytest.approx(1, rel=1e-14)
    assert plain("relu").normaliser() == pytest.approx(relu().normaliser(1), rel=1e-14)
    assert plain("erf").normaliser() == pytest.approx(np.pi / 2 / np.arcsin(2 / 3), rel=1e-13)
    assert plain("sin").normaliser() == pytest.approx(2 / (1 - np.exp(-2)), rel=1e-13)
    assert plain("exp").normaliser() == pytest.approx(np.exp(-2), rel=1e-12)


def test_value_and_slope_at_the_centre_are_zero_and_one():
    for name, centre in (("mish", 0.4), ("exp", -1.0), ("tanh", 0.9)):
        phi = smooth(name, centre=centre, a=2.0)
        assert phi(0.0, 9) == 0
        assert (phi(1e-5, 9) - phi(-1e-5, 9)) / 2e-5 == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("relu", 0),
        ("elu", 1),
        ("selu", 0),
        ("softsign", 1),
        ("abs", 0),
        ("x*abs(x)", 1),
        ("x + x*abs(x)**3", 3),
        ("relu(x)**3 + x", 2),
    ],
)
def test_activations_that_are_not_smooth_enough_are_plain_but_not_shaped(name, count):
    with pytest.raises(ValueError, match=f"{count} continuous derivatives at centre=0, smooth shaping needs 4"):
        smooth(name)
    assert plain(name).smoothness == plain(name).regularity == count
    if name in ("elu", "softsign"):
        assert plain(name).slope0 == 1
        assert smooth(name, centre=1.0).smoothness == np.inf
    with pytest.raises(ValueError, match=f"no derivative of order {count + 1} at 0"):
        plain(name)._at_zero(count + 1)


def test_smoothness_counts_kinks_where_they_are():
    assert smooth("x + abs(x)**5").smoothness == 4
    assert smooth("x + sin(x)*abs(x - 1)").smoothness == np.inf
    assert plain("x + sin(x)*abs(x - 1)").smoothness == np.inf
    assert plain("x + sin(x)*abs(x - 1)").regularity == 0
    assert plain("x + (x - 1)**2*abs(x - 1)").regularity == 2
    assert plain("abs(1 + x**2)").regularity == np.inf
    assert plain("tanh").regularity == np.inf


def test_plain_values_at_zero():
    assert (plain("silu").value0, plain("silu").slope0, plain("silu").second0) == (0, 0.5, 0.5)
    assert (plain("tanh").value0, plain("tanh").slope0, plain("tanh").second0) == (0, 1, 0)
    assert plain("exp").value0 == 1
    assert plain("sigmoid").slope0 == 0.25
    assert (linear().value0, linear().slope0, linear().second0, linear().smoothness) == (0, 1, 0, np.inf)
    assert (relu().value0, relu().smoothness, relu().regularity) == (0, 0, 0)
    for missing in ("slope0", "second0"):
        with pytest.raises(ValueError, match="ReLU has no derivative"):
            getattr(relu(), missing)


@pytest.mark.slow
def test_elu_moves_the_norm_at_a_scale_of_its_own():
    nodes, weights = np.polynomial.legendre.leggauss(4000)
    x, weights = 12 * nodes, 12 * weights * np.exp(-72 * nodes**2) / np.sqrt(2 * np.pi)
    elu, V = plain("elu"), 1.7

    def moment(variance, s):
        return np.sum(weights * (s * elu(np.sqrt(variance) * x / s)) ** 2)

    found = [s * (moment(V, s) / moment(1.0, s) - V) for s in (20, 100, 500)]
    assert found == pytest.approx([-0.3782, -0.4051, -0.4107], abs=2e-4)
    assert found[-1] == pytest.approx(-np.sqrt(2 / np.pi) * (V**1.5 - V), rel=5e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x.__class__", "not allowed"),
        ("__import__('os')", "not allowed"),
        ("lambda x: x", "not allowed"),
        ("x if x else 1", "not allowed"),
        ("[x]", "not allowed"),
        ("x and x", "not allowed"),
        ("True*x", "not allowed"),
        ("x == x", "not allowed"),
        ("tanh(x, x)", "not allowed"),
        ("tanh(*x)", "not allowed"),
        ("x\n + x", "not allowed"),
        (["x"], "a name or an expression in x"),
        ("y + x", "the name 'y' is not allowed"),
        ("tanh + x", r"write tanh\(x\)"),
        ("sign(x)", "the function 'sign' is not allowed"),
        ("open(x)", "the function 'open' is not allowed"),
        ("x**99", "the exponent '99' is not allowed"),
        ("x**0.5", "whole numbers up to 16; there are also sqrt"),
        ("x**x", "the exponent 'x'"),
        ("9**9**9*x", "the exponent"),
        ("1e400*x", "the number inf"),
        ("99999999999999999999*x", "numbers are at most"),
        ("x" * 201, "201 characters; at most 200"),
        ("(" * 120 + "x" + ")" * 70, "not an expression"),
        ("-" * 40 + "x", "nesting deeper than 20"),
        ("mish(mish(mish(mish(mish(mish(mish(mish(mish(x)))))))))", "or more operations; at most 400"),
        ("", "not an expression"),
        ("x +", "not an expression"),
        ("log(x)", "not finite at x = -30"),
        ("sqrt(x)", "not finite"),
        ("1/x", "not finite at x = 0"),
        ("exp(x**2)", "not finite"),
        (None, "a name or an expression in x, got None"),
        (3, "a name or an expression in x, got 3"),
    ],
)
def test_expressions_that_the_parser_refuses(text, message):
    for make in (plain, smooth):
        with pytest.raises(ValueError, match=message):
            make(text)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smooth("cos"), "slope 0 at centre=0"),
        (lambda: smooth("x**2"), "slope 0 at centre=0"),
        (lambda: smooth("sin", centre=np.pi / 2), "slope 0"),
        (lambda: smooth("tanh", a=0), "a must be a finite number and > 0, got 0"),
        (lambda: smooth("tanh", a=np.nan), "a must be"),
        (lambda: smooth("tanh", centre=np.inf), "centre"),
        (lambda: smooth("tanh", centre=31), "centre"),
        (lambda: smooth("tanh", exponent=0), "exponent"),
        (lambda: smooth("tanh").scale(0), "width"),
        (lambda: smooth("exp", a=0.01).normaliser(1), "cannot be normalised"),
        (lambda: plain("0*x").normaliser(), "cannot be normalised"),
        (lambda: smooth("quux"), "the name 'quux' is not allowed"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
