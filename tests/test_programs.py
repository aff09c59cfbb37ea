"""Programs in float32 and float64 against SciPy, on dense grids and for random expressions."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from deeplimits.activations import plain, programs, relu, shaped_relu, smooth
from deeplimits.activations.derivatives import values
from deeplimits.activations.expressions import MACROS, PRIMITIVES, derivative, parse

NORMAL_DENSITY = 1 / np.sqrt(2 * np.pi)

#: Name: the function and its derivative by NumPy and SciPy.
REFERENCES = {
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "erf": (special.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))),
    "silu": (lambda x: x * special.expit(x), lambda x: special.expit(x) * (1 + x * special.expit(-x))),
    "gelu": (lambda x: x * special.ndtr(x), lambda x: special.ndtr(x) + x * NORMAL_DENSITY * np.exp(-(x**2) / 2)),
    "sigmoid": (special.expit, lambda x: special.expit(x) * special.expit(-x)),
    "softplus": (lambda x: np.logaddexp(0, x), special.expit),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x**2)),
    "asinh": (np.arcsinh, lambda x: 1 / np.sqrt(1 + x**2)),
    "exp": (np.exp, np.exp),
    "expm1": (np.expm1, np.exp),
    "normal_cdf": (special.ndtr, lambda x: NORMAL_DENSITY * np.exp(-(x**2) / 2)),
    "abs": (np.abs, np.sign),
}


def run(program, x):
    """A program over any number of inputs."""
    out, registers = np.empty_like(x), programs.scratch(x.dtype)
    for start in range(0, len(x), programs.TILE):
        piece = slice(start, start + programs.TILE)
        programs.apply(program, x[piece], out[piece], registers)
    return out


def grid(points=1_000_000):
    """Inputs up to 30, dense everywhere and close to 0."""
    tiny = np.geomspace(1e-20, 1, 20_000)
    return np.concatenate([np.linspace(-30, 30, points), tiny, -tiny, [0.0]]).astype(np.float32)


def worst(found, expected, scale):
    """The largest error relative to a scale."""
    return np.max(np.abs(found - expected) / np.maximum(scale, 1e-30))


@pytest.mark.parametrize("name", REFERENCES)
def test_single_precision_is_within_three_units_of_the_eighth_digit(name):
    function, slope = REFERENCES[name]
    x = grid()
    exact = x.astype(np.float64)
    expected = function(exact)
    found = run(plain(name).program(), x)
    assert worst(found, expected, np.maximum(np.abs(expected), np.abs(exact) / 1000)) <= 3e-7
    expected = slope(exact)
    found = run(plain(name).program(derivative=True), x)
    assert worst(found, expected, np.maximum(np.abs(expected), 1)) <= 3e-7


@pytest.mark.parametrize("name", ["tanh", "erf", "silu", "gelu", "sigmoid"])
def test_the_error_bound_holds_on_every_float_where_tails_matter(name):
    x = np.linspace(-4, 1, 4_000_000).astype(np.float32)
    expected = REFERENCES[name][0](x.astype(np.float64))
    found = run(plain(name).program(), x)
    scale = np.maximum(np.abs(expected), np.abs(x.astype(np.float64)) / 1000)
    assert worst(found, expected, scale) <= 3e-7
    # The bound is not idle: rounding an input to half the digits breaks it.
    coarse = REFERENCES[name][0](x.astype(np.float16).astype(np.float64))
    assert worst(coarse, expected, scale) > 3e-7


@pytest.mark.parametrize("name", [*MACROS, *(n for n in PRIMITIVES if n not in ("log", "log1p", "sqrt", "sign"))])
def test_double_precision_and_composite_activations_follow_the_formula(name):
    phi, x = plain(name), grid(20_001)
    # Rounding decides on which side of a kink an input on it lies; at 0 it is none.
    x = x[np.all(np.abs(x[:, None] - np.array([place for place in phi.kinks() if place])) > 1e-5, axis=1)]
    for derived in (False, True):
        node = derivative(parse(name)) if derived else parse(name)
        expected = values(node, x.astype(np.float64))
        scale = np.maximum(np.abs(expected), 1)
        double = run(phi.program(dtype=np.float64, derivative=derived), x.astype(np.float64))
        assert worst(double, expected, scale) < 1e-14
        assert worst(run(phi.program(derivative=derived), x), expected, scale) < 2e-6


@pytest.mark.parametrize(
    "name",
    [n for n in MACROS if n not in ("sinh", "cosh", "squared_relu")]
    + [n for n in REFERENCES if n not in ("exp", "expm1")],
)
def test_no_input_makes_a_saturating_or_linear_activation_infinite(name):
    edge = 1e12 if name in ("snake", "gelu_tanh") else 1e38
    x = np.array([0, 1e-45, 1e-38, 1e-20, 50, 89, 104, 1e4, 1e10, edge], np.float32)
    x = np.concatenate([x, -x])
    found = run(plain(name).program(), x)
    assert np.all(np.isfinite(found))
    assert not np.any(np.isnan(run(plain(name).program(derivative=True), x)))


def test_a_value_does_not_depend_on_its_neighbours():
    x = np.random.default_rng(1).standard_normal(512).astype(np.float32) * 8
    for phi in (smooth("gelu", a=3.0), smooth("tanh", a=3.0, centre=1.0), plain("mish")):
        program = phi.program(4)
        together = run(program, x)
        alone = np.concatenate([run(program, x[i : i + 1]) for i in range(len(x))])
        assert np.array_equal(together, alone)


def test_shaped_activations_keep_their_digits_far_below_the_scale():
    exact = {
        "tanh": mpmath.tanh,
        "erf": mpmath.erf,
        "gelu": lambda u: u * mpmath.ncdf(u),
        "silu": lambda u: u / (1 + mpmath.exp(-u)),
        "softplus": lambda u: mpmath.log(1 + mpmath.exp(u)),
        "exp": mpmath.exp,
        "mish": lambda u: u * mpmath.tanh(mpmath.log(1 + mpmath.exp(u))),
        "cos(x) + sin(x)": lambda u: mpmath.cos(u) + mpmath.sin(u),
    }
    draw = np.random.default_rng(1)
    with mpmath.workdps(40):
        for name, function in exact.items():
            for centre, width in ((0.0, 100), (0.3, 1000), (0.25, 10**12)):
                phi = smooth(name, centre=centre)
                s = phi.scale(width)
                size = np.exp(draw.uniform(np.log(1e-6), np.log(s / 2), 200))
                x = (size * draw.choice([-1, 1], 200)).astype(np.float32)
                value, slope = function(mpmath.mpf(centre)), mpmath.diff(function, centre)
                expected = [float(s * (function(mpmath.mpf(float(h)) / s + centre) - value) / slope) for h in x]
                found = run(phi.program(width), x)
                assert worst(found, np.array(expected), np.abs(expected)) <= 5e-7, (name, centre, s)
    # Without the polynomial near the centre the difference of two values is mostly rounding.
    phi = smooth("softplus")
    x = np.full(8, 1e-3, np.float32)
    assert worst(run(phi.program(10**4, near=False), x), x, x) > 1e-4
    assert worst(run(phi.program(10**4), x), x, x) < 1e-5


def test_rectifiers_are_programs_too():
    x = grid(1001)
    for phi, width in ((relu(), None), (shaped_relu(0, -1), 9)):
        assert worst(run(phi.program(width), x), phi(x, width), np.abs(x)) < 2e-7
        assert worst(run(phi.program(width, derivative=True), x), phi.derivative(x, width), 1) < 1e-7
    with pytest.raises(ValueError, match="width"):
        shaped_relu(0, -1).program()


leaves = st.sampled_from(["x", "x", "x", "pi", "e", "0.5", "3", "1.25"])
tame = ["tanh", "sin", "cos", "sigmoid", "arctan", "erf", "gelu", "silu", "softplus", "asinh", "elu", "softsign", "abs"]


def grown(inside):
    """One more operation around expressions whose values stay moderate."""
    pair = st.tuples(inside, inside)
    return st.one_of(
        st.tuples(st.sampled_from(tame), inside).map("{0[0]}({0[1]})".format),
        pair.map("({0[0]} + {0[1]})".format),
        pair.map("({0[0]} - {0[1]})".format),
        pair.map("tanh({0[0]})*({0[1]})".format),
        pair.map("({0[0]})/(2 + sin({0[1]}))".format),
        inside.map("arctan({0})**3".format),
        inside.map("-{0}".format),
    )


expressions = st.recursive(leaves, grown, max_leaves=6).filter(lambda text: len(text) <= 200)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=expressions)
def test_any_expression_runs_as_its_formula_says(text):
    x = np.linspace(-6, 6, 301)
    phi = plain(text)
    expected = values(parse(text), x)
    assert np.array_equal(expected, phi(x))
    scale = 1 + np.abs(expected).max()
    assert worst(run(phi.program(dtype=np.float64), x), expected, scale) < 1e-12
    rounded = x.astype(np.float32)
    expected = values(parse(text), rounded.astype(np.float64))
    assert worst(run(phi.program(), rounded), expected, scale) < 3e-4


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=expressions, point=st.floats(-3, 3))
def test_any_derivative_is_the_limit_of_differences(text, point):
    node, step = parse(text), 1e-5
    ends = values(node, np.array([point - step, point, point + step]))
    found = float(values(derivative(node), np.array([point]))[0])
    curvature = abs(ends[0] - 2 * ends[1] + ends[2]) / step
    assert abs((ends[2] - ends[0]) / (2 * step) - found) < 1e-4 * (1 + abs(found)) + curvature


@settings(max_examples=80, deadline=None, derandomize=True)
@given(text=expressions, sizes=st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40))
def test_finite_inputs_give_no_nan(text, sizes):
    x = np.array(sizes, np.float32)
    for derived in (False, True):
        for dtype in (np.float32, np.float64):
            assert not np.any(np.isnan(run(plain(text).program(dtype=dtype, derivative=derived), x.astype(dtype))))
