"""What may stand for an activation: names, expressions, Python functions with their derivatives; and what may not."""

from __future__ import annotations

import math
import pickle
import time

import numpy as np
import pytest
from scipy import special, stats

from deeplimits import activations, networks
from deeplimits.activations import activation, linear, plain, programs, relu, shaped, smooth
from deeplimits.blocks import Blocks


def swish(x):
    return x * special.expit(x)


def swish_slope(x):
    return special.expit(x) * (1 + x * special.expit(-x))


def leaky(x):
    return x if x > 0 else 0.3 * x


def leaky_slope(x):
    return 1.0 if x > 0 else 0.3 if x < 0 else 0.65


def run(phi, x, **how):
    """The program of an activation on an array."""
    out = np.empty_like(x)
    for start in range(0, len(x), programs.TILE):
        piece = slice(start, start + programs.TILE)
        programs.apply(phi.program(dtype=x.dtype, **how), x[piece], out[piece], programs.scratch(x.dtype))
    return out


#: Function, derivative, kinks: of arrays, of numbers with a branch, of the C library, of NumPy, of SciPy.
FUNCTIONS = {
    "numpy": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, ()),
    "where": (lambda x: np.where(x > 0, x, 0.3 * x), lambda x: np.where(x > 0, 1.0, np.where(x < 0, 0.3, 0.65)), (0,)),
    "branch": (leaky, leaky_slope, (0,)),
    "math": (math.tanh, lambda x: 1 - math.tanh(x) ** 2, ()),
    "scipy": (swish, swish_slope, ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_function_runs_in_compiled_loops_with_the_numbers_of_python(kind, dtype):
    function, derivative, kinks = FUNCTIONS[kind]
    phi, x = activation(function, derivative, kinks=kinks), np.linspace(-7, 7, 1301).astype(dtype)
    rounding = 4 * float(np.finfo(dtype).eps)
    assert run(phi, x) == pytest.approx(phi(x.astype(np.float64)), rel=rounding)
    assert run(phi, x, derivative=True) == pytest.approx(phi.derivative(x.astype(np.float64)), rel=rounding, abs=1e-15)


def test_what_is_derived_from_a_function_is_that_of_the_formula():
    phi, known = activation(swish, swish_slope), plain("silu")
    assert (phi.value0, phi.slope0, phi.smoothness, phi.regularity) == (0, 0.5, np.inf, np.inf)
    assert phi.second0 == pytest.approx(known.second0, abs=1e-11)
    assert phi.normaliser() == pytest.approx(known.normaliser(), rel=1e-13)
    assert phi.length() == known.length()
    bent = activation(leaky, leaky_slope, kinks=0.0)
    assert (bent.smoothness, bent.kinks()) == (0, (0.0,))
    with pytest.raises(ValueError, match="no derivative of order 1 at 0"):
        _ = bent.slope0
    assert activation(lambda x: x * np.abs(x), lambda x: 2 * np.abs(x), kinks=0, continuous=1).slope0 == 0


@pytest.mark.slow
@pytest.mark.parametrize(("inputs", "precision"), [(1, "single"), (2, "single"), (3, "double")])
def test_networks_of_a_function_are_those_of_its_formula(inputs, precision):
    V0 = 0.4 * np.eye(inputs) + 0.6
    for role, name, function in (("tanh", "tanh", np.tanh), ("silu", "silu", swish)):
        slope = swish_slope if role == "silu" else lambda x: 1 - np.tanh(x) ** 2
        pair = [
            networks.ShapedMLP(phi, 40, 6).sample(V0, 64, 3, precision=precision, threads=2)
            for phi in (plain(name), activation(function, slope))
        ]
        assert pair[1] == pytest.approx(pair[0], rel=2e-4)
    x0 = networks.gaussian_start(V0, 12, 1, 5)[0]
    states = [
        networks.ResNet(Blocks(phi, "linear"), 12, 8).sample(x0, 16, 3)
        for phi in (plain("silu"), activation(swish, swish_slope), "silu")
    ]
    assert states[1] == pytest.approx(states[0], abs=1e-4)
    assert np.array_equal(states[2], states[0])


def test_a_function_of_numbers_has_the_law_of_the_rectifier_that_it_is():
    chain = networks.ShapedMLP(activations.leaky_relu(0.3), 30, 10).sample(1.0, 4000, 1)[:, 0, 0]
    rows = networks.ShapedMLP(activation(leaky, leaky_slope, kinks=0), 30, 10).sample(1.0, 4000, 2)[:, 0, 0]
    assert stats.ks_2samp(chain, rows).pvalue > 1e-4
    wrong = networks.ShapedMLP(relu(), 30, 10).sample(1.0, 4000, 2)[:, 0, 0]
    assert stats.ks_2samp(chain, wrong).pvalue < 1e-4


def test_an_error_in_a_function_reaches_the_caller():
    def fragile(x):
        if np.any(np.abs(x) > 100):
            raise KeyError("far")
        return x + 0 * special.expit(x)

    network = networks.ResNet(Blocks(activation(fragile, lambda x: 1.0 + 0 * x), linear()), 8, 4)
    assert np.all(np.isfinite(network.sample(np.ones((8, 1)), 4, 1)))
    for threads in (1, 2):
        with pytest.raises(KeyError, match="far"):
            network.sample(np.full((8, 1), 500.0), 4, 1, threads=threads)
    assert np.all(np.isfinite(network.sample(np.ones((8, 1)), 4, 1)))  # and is not remembered


def test_an_activation_with_machine_code_can_be_sent_to_another_process():
    phi, x = activation(swish, swish_slope), np.linspace(-3, 3, 50)
    before = run(phi, x)
    again = pickle.loads(pickle.dumps(phi))
    assert again == phi and np.array_equal(run(again, x), before)


def test_a_string_means_what_is_obvious_where_it_stands():
    assert activation("tanh") == plain("tanh") and activation("x + sin(x)**2") == plain("x + sin(x)**2")
    assert activation("relu") == relu() and activation("linear") == activation(" identity ") == linear()
    assert shaped("gelu") == smooth("gelu") and shaped("linear") == linear()
    assert shaped(relu()) == relu()
    assert activation(phi := smooth("tanh")) is phi
    with pytest.raises(ValueError, match="relu has 0 continuous derivatives.*shaped_relu"):
        shaped("relu")


@pytest.mark.parametrize(
    ("text", "closest"),
    [
        ("gleu", "gelu"),
        ("ReLu", "relu"),
        ("leaky-relu(x)", "leaky_relu"),
        ("hard_swish", "hardswish"),
        ("tahn(x) + x", "tanh"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(text, closest):
    with pytest.raises(ValueError, match=f"did you mean {closest}"):
        activation(text)
    with pytest.raises(ValueError, match="not allowed in 'quux': known are x, pi, e and the functions abs"):
        activation("quux")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activation(np.tanh), "needs its derivative"),
        (lambda: activation(3), "must be an activation, a name"),
        (lambda: activation("tanh", np.cos), "must be an activation, a name"),
        (lambda: activation(relu(), np.cos), "must be an activation"),
        (lambda: activation(np.tanh, lambda x: 1 - np.tanh(x)), "derivative must be that of tanh"),
        (lambda: activation(np.tanh, lambda x: -1 / np.cosh(x) ** 2), "derivative must be that of tanh"),
        (lambda: activation(leaky, leaky_slope), "kinks must name every jump"),
        (lambda: activation(lambda x: np.maximum(x - 1.234, 0), lambda x: np.heaviside(x - 1.234, 0.5)), "x = 1.234"),
        (lambda: activation(np.log, lambda x: 1 / x), "not finite at x = -30"),
        (lambda: activation(lambda x: "tanh", lambda x: 1.0), "could not convert"),
        (lambda: activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2, kinks="0"), "kinks"),
        (lambda: activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2, continuous=-1), "continuous"),
    ],
)
def test_what_is_no_activation_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_limits_are_asked_for_by_name():
    assert smooth("gelu", a=0.5).limit == pytest.approx((24 / np.pi, 0, 32 / np.pi))
    assert activations.shaped_relu(1, -1).limit == (0, 4, 0) and linear().limit == (0, 0, 0)
    assert smooth("gelu", exponent=1.0).limit == (0, 0, 0)
    for phi in (plain("tanh"), relu(), smooth("tanh", exponent=0.25), activation(swish, swish_slope), plain("elu")):
        with pytest.raises(ValueError, match="unshaped|no covariance SDE"):
            _ = phi.limit
    assert activations.shaped_relu(0, -1, exponent=0.25).b == 0


def test_no_constant_of_an_activation_may_be_nan():
    nan = float("nan")
    for make in (
        lambda: activations.Rectifier("r", nan, 0),
        lambda: activations.Rectifier("r", base_minus=nan),
        lambda: activations.Rectifier("r", exponent=nan),
        lambda: activations.Smooth("tanh", a=nan),
        lambda: activations.Smooth("tanh", centre=nan),
        lambda: activations.Smooth("tanh", exponent=nan),
        lambda: activations.Plain("1/x"),
        lambda: activations.Smooth("relu"),
    ):
        with pytest.raises(ValueError):
            make()


@pytest.mark.parametrize(
    "text", ["0/0", "x + 0/0", "0/(x - x)", "0*(1/x)", "0*log(x)", "(1/x)**0", "0**(-1)", "0*exp(x**3)"]
)
def test_what_is_infinite_somewhere_does_not_hide_behind_a_zero(text):
    with pytest.raises(ValueError, match="division by 0|not finite"):
        plain(text)
    assert plain("0*x + x**0 - 1")(3.0) == 0


@pytest.mark.parametrize("x", [None, "1", [1, None], 1j, np.ma.masked_array([1.0, 2.0], [True, False])])
def test_an_activation_is_applied_to_numbers_only(x):
    for phi in (plain("tanh"), relu(), activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2)):
        for call in (phi, phi.derivative):
            with pytest.raises(ValueError, match="x must be an array of real numbers"):
                call(x)


@pytest.mark.parametrize("name", ["elu", "mish", "selu", "hardswish", "gelu_tanh"])
def test_functions_inside_each_other_are_counted_before_they_are_written_out(name):
    started = time.process_time()
    for depth in (8, 13, 18):
        with pytest.raises(ValueError, match="or more operations; at most 400 are allowed"):
            plain(f"{name}(" * depth + "x" + ")" * depth)
    assert time.process_time() - started < 5  # 120 s for elu at depth 13, were they written out


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: relu().correlation_map(2.0, 1), "rho"),
        (lambda: activations.shaped_relu(1, -1).drift(2.0), "rho"),
        (lambda: activations.shaped_relu(1, -1).drift(np.nan), "rho"),
        (lambda: relu().epsilon_map(-0.1, 1), "epsilon"),
        (lambda: activations.angle_of(-1), "epsilon"),
        (lambda: activations.angle_of([0.5, 2.5]), "epsilon"),
        (lambda: activations.angle_defect(9), "theta"),
        (lambda: activations.angle_defect(-0.1), "theta"),
        (lambda: activations.correlation_of(1.0), "V must hold square matrices"),
    ],
)
def test_angles_and_correlations_out_of_their_range_are_refused(call, name):
    with pytest.raises(ValueError, match=name):
        call()
    assert activations.angle_of(2 + 1e-15) == pytest.approx(np.pi)  # rounding is none
    assert activations.angle_of(-1e-16) == 0
