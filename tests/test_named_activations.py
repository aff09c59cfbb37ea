"""Activations by name: their definitions, their derivatives at 0, how smooth they are; the explorer's are the same."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy import special

from deeplimits import activations
from deeplimits.activations import derivatives, plain, programs, smooth
from deeplimits.activations.expressions import slope_of
from deeplimits.activations.primitives import KINKS, MACROS, PRIMITIVES

inf = np.inf

#: Name: the definition, value and derivatives at 0 as far as they exist, continuous derivatives at 0 and everywhere.
NAMED = {
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), (0,), 0, 0),
    "relu6": (lambda x: np.minimum(np.maximum(x, 0), 6), (0,), 0, 0),
    "hardtanh": (lambda x: np.clip(x, -1, 1), (0, 1, 0), inf, 0),
    "hardswish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, (0, 1 / 2, 1 / 3), inf, 0),
    "celu": (lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(np.minimum(x, 0))), (0, 1), 1, 1),
    "squared_relu": (lambda x: np.maximum(x, 0) ** 2, (0, 0), 1, 1),
    "mish": (lambda x: x * np.tanh(np.logaddexp(0, x)), (0, 0.6, 0.64), inf, inf),
    "softsign": (lambda x: x / (1 + np.abs(x)), (0, 1), 1, 1),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_activation_is_its_definition(name):
    definition, at_zero, smoothness, regularity = NAMED[name]
    phi, x = plain(name), np.linspace(-30, 30, 60_001)
    assert phi(x) == pytest.approx(definition(x), rel=1e-14, abs=1e-14)
    away = x[np.all(np.abs(x[:, None] - np.array([*phi.kinks(), 99.0])) > 1e-4, axis=1)]
    differences = (definition(away + 1e-6) - definition(away - 1e-6)) / 2e-6
    assert phi.derivative(away) == pytest.approx(differences, rel=1e-8, abs=1e-7)
    found = [getattr(phi, part) for part in ("value0", "slope0", "second0")[: len(at_zero)]]
    assert found == pytest.approx(at_zero, abs=1e-15)
    assert (phi.smoothness, phi.regularity) == (smoothness, regularity)


@pytest.mark.parametrize("name", ["relu6", "hardtanh", "hardswish"])
def test_an_activation_with_straight_pieces_keeps_the_digits_of_small_and_of_large_inputs(name):
    size = np.array([1e-30, 1e-8, 0.3, 1e4, 1e10, 1e30], np.float32)
    x, out = np.concatenate([size, -size]), np.empty(12, np.float32)
    programs.apply(plain(name).program(), x, out, programs.scratch(np.float32))
    assert out == pytest.approx(NAMED[name][0](x.astype(np.float64)), rel=3e-7)
    # A difference of two rectifiers, as these are often written, loses both.
    programs.apply(plain("relu(x + 1) - relu(x - 1) - 1").program(), x, out, programs.scratch(np.float32))
    assert out[0] != x[0] and abs(out[4] - 1) > 0.5


def test_a_leaky_relu_of_any_slope_is_a_rectifier():
    phi = activations.leaky_relu(0.2)
    assert phi(np.array([-2.0, 3.0])) == pytest.approx([-0.4, 3.0])
    assert activations.activation("leaky_relu") == activations.leaky_relu()
    assert activations.leaky_relu(0.01)(-3.0) == pytest.approx(float(plain("leaky_relu")(-3.0)), rel=1e-15)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_each_column_of_the_table_is_the_same_function(name):
    row, x = PRIMITIVES[name], np.linspace(0.1, 2.9, 29)
    exact = sympy.lambdify(sympy.Symbol("x", real=True), _written_by_sympy(name), ["scipy", "numpy"])
    assert row.values(x) == pytest.approx(exact(x) + 0 * x, rel=1e-14)
    differences = (row.values(x + 1e-6) - row.values(x - 1e-6)) / 2e-6
    away = np.abs(x - 1) > 1e-3
    assert derivatives.values(slope_of(name), x)[away] == pytest.approx(differences[away], rel=1e-8, abs=1e-9)
    if name not in KINKS:  # a wrong derivative is seen
        assert derivatives.values(slope_of(name), x) != pytest.approx(2 * differences, rel=1e-8)


def _written_by_sympy(name):
    return sympy.sign(sympy.Symbol("x", real=True)) if name == "sign" else derivatives.symbolic(name)


def test_a_formula_of_sympy_has_the_derivatives_of_the_activation():
    x = sympy.Symbol("x", real=True)
    for text in ("gelu", "mish", "x*exp(-x**2/2)", "softplus(2*x)"):
        formula = derivatives.symbolic(text)
        second, slope = (sympy.diff(formula, x, k).subs(x, sympy.Rational(3, 10)).evalf(20) for k in (2, 1))
        assert smooth(text, centre=0.3).second == pytest.approx(float(second / slope), rel=1e-14)


def test_every_name_that_an_expression_may_use_is_an_activation():
    for name in [*MACROS, *PRIMITIVES]:
        if name not in ("log", "log1p", "sqrt", "sign"):
            assert np.all(np.isfinite(plain(name)(np.linspace(-30, 30, 61))))
    assert special.ndtr(0.7) == plain("normal_cdf")(0.7)
