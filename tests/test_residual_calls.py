"""Calls of residual networks and diffusions: starts, streams, shapes, explosion, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import limit_for, z_scores

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet, gaussian_start

# Starts


def test_gaussian_starts_have_their_gram_matrix_and_a_stream_of_their_own():
    gram = np.array([[1.0, 0.3], [0.3, 2.0]])
    x0 = gaussian_start(gram, 20, 4000, 3)
    assert x0.shape == (4000, 20, 2)
    products = np.einsum("swa,swb->sab", x0, x0) / 20
    assert np.abs(z_scores(products, gram)).max() < limit_for(4)
    assert np.array_equal(x0[10:20], gaussian_start(gram, 20, 10, 3, first=10))
    layer = ResNet(Blocks(linear(), linear(), 0, 1), 20, 1).sample(np.zeros((20, 1)), 4000, 3)
    assert abs(np.corrcoef(x0[..., 0].ravel(), layer.ravel())[0, 1]) < limit_for(1) / np.sqrt(80_000)


def test_singular_gram_gives_equal_inputs():
    x0 = gaussian_start([[1.0, 1.0], [1.0, 1.0]], 5, 3, 1)
    assert x0[..., 0] == pytest.approx(x0[..., 1])


# Streams, shapes and bad input


PROCESSES = {
    "one input": (ResNet(Blocks(relu(), linear()), 5, 4), 1),
    "two inputs": (ResNet(Blocks(plain("tanh"), plain("silu"), 1, 1), 5, 4), 2),
    "three inputs": (ResNet(Blocks(plain("tanh"), plain("silu"), 1, 1), 5, 4), 3),
    "correlated": (ResNet(Blocks(plain("tanh"), plain("silu"), row_covariance=np.eye(5)), 5, 4), 2),
    "diffusion": (ResidualSDE(Blocks(plain("tanh"), plain("silu"), 1, 1), 5), 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("random", [False, True], ids=["shared start", "random starts"])
def test_same_bits_for_any_threads_and_chunks(name, random):
    process, inputs = PROCESSES[name]
    extra = {"steps": 4} if isinstance(process, ResidualSDE) else {}
    at = [0.5, 1.0] if extra else [2, 4]
    starts = np.random.default_rng(1).standard_normal((300, 5, inputs))
    x0 = starts if random else starts[0]
    whole = process.sample(x0, 300, 7, at, threads=1, **extra)
    assert np.array_equal(whole, process.sample(x0, 300, 7, at, threads=3, **extra))
    cuts = [0, 1, 13, 64, 200, 300]
    parts = [
        process.sample(x0[a:b] if random else x0, b - a, 7, at, first=a, **extra)
        for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, process.sample(x0, 300, 8, at, **extra))


@pytest.mark.parametrize("name", [name for name in PROCESSES if name != "diffusion"])
def test_layers_come_in_the_order_asked_for_and_do_not_change_the_path(name):
    network, inputs = PROCESSES[name]
    x0 = np.random.default_rng(1).standard_normal((5, inputs))
    every = network.sample(x0, 10, 1, at=range(5))
    assert np.array_equal(every[:, 4], network.sample(x0, 10, 1))
    assert np.array_equal(every[:, [3, 0, 3]], network.sample(x0, 10, 1, at=[3, 0, 3]))
    assert every[:, 0] == pytest.approx(np.broadcast_to(x0, (10, 5, inputs)))


def test_explosion_is_infinite_and_never_nan(loops):
    """A branch that squares the state overflows: infinite from then on, in all layers asked for."""
    x = ResNet(Blocks(plain("x**2"), linear(), 50.0), 2, 60).sample(np.full((2, 2), [5, 4.0]), 200, 1, at=[0, 10, 60])
    assert not np.any(np.isnan(x))
    assert np.all(np.isfinite(x[:, 0]))
    exploded = np.isinf(x[:, 2]).any((1, 2))
    assert exploded.mean() > 0.5
    assert np.all(np.isinf(x[exploded, 2]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    width=st.integers(1, 9),
    inputs=st.integers(1, 4),
    depth=st.integers(1, 4),
    scale=st.floats(1e-6, 1e3),
    weight=st.floats(0, 4),
    bias=st.floats(0, 4),
    inner=st.sampled_from(["tanh", "gelu", "x"]),
    seed=st.integers(0, 2**64 - 1),
)
def test_finite_starts_give_finite_states(width, inputs, depth, scale, weight, bias, inner, seed):
    x0 = scale * np.random.default_rng(seed).standard_normal((width, inputs))
    blocks = Blocks(plain(inner), plain("tanh"), weight, bias)
    assert np.all(np.isfinite(ResNet(blocks, width, depth).sample(x0, 3, seed)))


def network(width=3, depth=4, **law):
    return ResNet(Blocks(**{"inner": relu(), "outer": linear(), **law}), width, depth)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"depth": 2.5}, "depth"),
        ({"inner": "rleu"}, "inner must be an activation: .*did you mean relu"),
        ({"outer": None}, "outer must be"),
        ({"weight_variance": -1}, "weight_variance must be a finite number and >= 0"),
        ({"bias_variance": np.nan}, "bias_variance"),
        ({"time": 0}, "time must be a finite number and > 0"),
        ({"weight_mean": np.eye(2)}, r"weight_mean must have shape \(3, 3\)"),
        ({"bias_mean": np.full(3, np.inf)}, "bias_mean must be finite"),
        ({"row_covariance": -np.eye(3)}, "row_covariance must be positive semi-definite"),
        ({"column_covariance": np.triu(np.ones((3, 3)))}, "column_covariance must be symmetric"),
        ({"bias_covariance": np.eye(3), "bias_variance": 1}, "bias_variance must be 0 where bias_covariance"),
    ],
)
def test_bad_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        network(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": np.ones(3)}, r"initial must have shape \(3, inputs\)"),
        ({"initial": np.ones((4, 2))}, "initial must have shape"),
        ({"initial": np.ones((5, 3, 1))}, "initial must have shape"),
        ({"initial": np.full((3, 1), np.nan)}, "initial must be finite"),
        ({"samples": 0}, "samples must be an integer >= 1 .*, got 0"),
        ({"seed": -1}, "seed"),
        ({"at": [5]}, "at must be an integer >= 0 and <= 4, got 5"),
        ({"at": []}, "at must name"),
        ({"threads": 0}, "threads"),
        ({"first": -1}, "first"),
        ({"noise_depth": 6}, "noise_depth must be a multiple of 4, got 6"),
        ({"precision": "half"}, "precision must be one of single, double, got 'half'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        network().sample(**{"initial": np.ones((3, 1)), "samples": 2, "seed": 1, **arguments})


@pytest.mark.parametrize(
    ("inner", "outer", "message"),
    [
        (linear(), relu(), "outer must have 3 continuous derivatives at 0, ReLU has 0.*smooth one"),
        (linear(), plain("elu"), "outer must have 3 continuous derivatives"),
        (linear(), plain("sigmoid"), "outer must vanish at 0, sigmoid is 0.5 there; subtract"),
        (relu(), plain("tanh"), "inner must have 2 continuous derivatives unless outer is linear"),
    ],
)
def test_activations_without_a_diffusion_limit_are_refused(inner, outer, message):
    with pytest.raises(ValueError, match=message):
        ResidualSDE(Blocks(inner, outer), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"at": [0.3]}, "at must lie on the grid"),
        ({"at": [1.5]}, "at must be"),
        ({"at": []}, "at must name"),
        ({"noise_steps": 9}, "noise_steps must be a multiple of 8, got 9"),
    ],
)
def test_bad_times_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualSDE(Blocks(relu(), linear()), 3).sample(np.ones((3, 1)), 2, 1, **{"steps": 8, **arguments})


def test_one_layer_too_many_changes_the_bits_of_no_earlier_layer():
    x0 = np.ones((5, 2)) * [1, 0.3]
    short, long = (ResNet(Blocks(relu(), linear(), time=depth), 5, depth).sample(x0, 9, 1, at=[3]) for depth in (3, 6))
    assert np.array_equal(short, long)
