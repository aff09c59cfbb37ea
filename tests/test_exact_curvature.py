"""The curvature of an activation in exact terms."""

import math

import pytest
import sympy

from deeplimits.activations import curvature, smooth


@pytest.mark.parametrize(
    ("name", "bend", "twist"),
    [
        ("tanh", 0, -2),
        ("softplus", sympy.Rational(1, 2), 0),
        ("gelu", 4 / sympy.sqrt(2 * sympy.pi), 0),
        ("mish", sympy.Rational(16, 15), sympy.Rational(-4, 25)),
    ],
)
def test_at_zero_it_is_exact(name, bend, twist):
    found = curvature(name)
    assert sympy.simplify(found.bend - bend) == 0 and sympy.simplify(found.twist - twist) == 0
    assert sympy.simplify(found.kappa - (sympy.Rational(3, 4) * bend**2 + twist)) == 0
    assert sympy.simplify(found.kappa - (bend**2 + twist)) != 0 or bend == 0


@pytest.mark.parametrize("centre", [-1.5, 0.3, 2.0])
def test_elsewhere_it_is_that_of_the_shaped_activation(centre):
    t = math.tanh(centre)
    assert float(curvature("tanh", centre).kappa) == pytest.approx(9 * t**2 - 2, rel=1e-12)
    assert float(curvature("silu", centre).kappa) == pytest.approx(smooth("silu", centre=centre).limit.b, rel=1e-9)


def test_the_steps_end_with_b():
    steps = curvature("x + sin(x)**2").steps(a=2)
    assert steps.startswith(r"\begin{aligned}f(x) &= x + \sin^{2}{\left(x \right)} \\ f'(0) &= 1 \\ ")
    assert steps.endswith(r"\kappa &= 3 \\ b = \kappa/a^2 &= 0.750000\end{aligned}")
    assert r"\frac{2 \sqrt{2}}{\sqrt{\pi}} \approx 1.595769" in curvature("gelu").steps()


@pytest.mark.parametrize(("name", "centre"), [("x**2", 0.0), ("relu", 0.0), ("tanh", math.nan), ("nothing", 0.0)])
def test_where_there_is_none_it_is_refused(name, centre):
    with pytest.raises(ValueError, match="name|centre|slope|derivative"):
        curvature(name, centre)


def test_a_constant_of_the_shaping_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="a must be"):
        curvature("tanh").steps(a=0)
