"""Layers that come from faster samplers: which they are, and that their law is that of the list of blocks."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits import activations
from deeplimits.architectures import (
    Attention,
    Convolution,
    Elementwise,
    LayerNorm,
    Linear,
    Network,
    Residual,
    gram,
    mlp,
    repeat,
    resnet,
    sequence,
)
from deeplimits.architectures._shortcuts import stretches

SAMPLES = 3000
DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((7, 3))
SQUARE = DRAW.standard_normal((12, 3))
IMAGES = DRAW.standard_normal((4, 3, 4, 2))
PHI = activations.smooth("tanh", a=1.2)


def perceptron(gain=0.7, width=12):
    return Network(
        Linear(width, 1.3), Elementwise("gelu"), repeat(3, Linear(width, gain), Elementwise("gelu")), Linear(4)
    )


def shaped(gain=1.0, width=10):
    c = PHI.normaliser(width)
    return Network(sequence(Linear(width), Elementwise(PHI)), repeat(5, Linear(width, gain * c**0.5), Elementwise(PHI)))


def residual(gain=1.2):
    return Network(repeat(5, Residual(Elementwise("relu"), Linear(12, gain), scale="1/sqrt(L)")), LayerNorm())


def biased(gain=0.5):
    return Network(Linear(9), repeat(4, Residual(Elementwise("tanh"), Linear(9, gain, bias=0.2), Elementwise("gelu"))))


def images(gain=0.6, padding="zero"):
    return Network(repeat(3, Residual(Elementwise("tanh"), Convolution(4, 3, padding=padding, gain=gain, bias=0.1))))


#: A network, one whose gain is wrong, the start, how it is asked, and the layers that come at once.
CASES = {
    "two inputs of a perceptron": (mlp([16] * 6 + [3]), mlp([16] * 6 + [3], gain=1.8), X[:, :2], {}, {0: 6}),
    "a perceptron of any gain": (perceptron(), perceptron(0.9), X, {}, {0: 5}),
    "linear layers": (
        mlp([8, 8, 8, 2], "linear", 0.8),
        mlp([8, 8, 8, 2], "linear", 1.0),
        X,
        {"at": [1, 3], "observe": gram},
        {0: 3},
    ),
    "shaped layers": (shaped(), shaped(1.3), X, {"at": [1, 4, 6], "observe": gram}, {0: 6}),
    "one input": (mlp([9] * 4 + [1], "silu"), mlp([9] * 4 + [1], "silu", 1.7), X[:, :1], {}, {0: 4}),
    "residual blocks": (residual(), residual(1.7), SQUARE, {"at": [2, 6]}, {0: 5}),
    "residual blocks within": (resnet(10, 6, 2), resnet(10, 6, 2, gain=1.5), X, {}, {1: 7}),
    "two activations and biases": (biased(), biased(0.8), X, {"at": [3, 5]}, {1: 5}),
    "images": (images(), images(0.9), IMAGES, {"at": [3]}, {0: 3}),
    "periodic images": (images(padding="periodic"), images(0.9, "periodic"), IMAGES, {}, {0: 3}),
}


def seen(network, start, how, seed, method=None):
    """Numbers of a state or a Gram matrix, and norms."""
    found = network.sample(start, SAMPLES, seed, method=method, **how)
    flat = found.reshape(SAMPLES, -1)
    last = found.reshape(*found.shape[:-1], -1)[..., [0, -1]].reshape(SAMPLES, -1, 2)
    squares = np.stack([np.sum(last[:, :, 0] ** 2, 1), np.sum(last[:, :, 1] ** 2, 1), last.prod(axis=2).sum(1)], axis=1)
    return np.concatenate([flat[:, [0, -1]], squares], axis=1)


def smallest_p(a, b):
    return min(stats.ks_2samp(x, y).pvalue for x, y in zip(a.T, b.T, strict=True))


def taken(network, start, at=None, observe=None):
    x, sizes = network._start(start, 1)
    found = stretches(network, sizes, x, [network.depth] if at is None else sorted(at), observe)
    return {begin: stretch.end for begin, stretch in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_law_is_that_of_the_list_of_blocks(name):
    network, wrong, start, how, layers = CASES[name]
    assert taken(network, start, **how) == layers
    found, expected = seen(network, start, how, 1), seen(network, start, how, 2, "lazy")
    assert smallest_p(found, expected) > LEVEL / (5 * len(CASES))
    assert smallest_p(found, seen(wrong, start, how, 2, "lazy")) < 1e-6


def test_layers_that_are_asked_for_together_belong_to_one_network():
    """A covariance of the layer before and the state after it, in both ways."""
    network = mlp([6] * 4, "tanh", 1.5)
    products = [
        np.einsum("sij,sij->s", found[:, 0], found[:, 1])
        for found in (
            network.sample(X[:, :2], SAMPLES, seed, at=[2, 3], observe=gram, method=method)
            for seed, method in ((1, None), (2, "lazy"))
        )
    ]
    assert stats.ks_2samp(*products).pvalue > LEVEL


PAIRS = (Linear(12), Elementwise("relu")) * 3
TWICE = (Residual(Elementwise("relu"), Linear(12)),) * 2
OTHERS = {
    "a state is asked for": (Network(*PAIRS, Linear(2)), {"at": [2]}),
    "states are looked at in another way": (Network(*PAIRS), {"at": [2, 6], "observe": np.cos}),
    "a norm sees all of a state": (Network(*PAIRS[:4], LayerNorm(), Linear(2)), {}),
    "a matrix is shared": (Network(*PAIRS[:4], Linear(12, name="w"), Elementwise("relu"), Linear(2, name="w")), {}),
    "matrices are tied": (Network(repeat(4, *PAIRS[:2], tied=True), Linear(2)), {}),
    "biases are drawn": (mlp([12, 12, 12, 2], bias=0.3), {}),
    "activations differ": (Network(*PAIRS[:2], Linear(12), Elementwise("tanh"), Linear(2)), {}),
    "widths differ": (mlp([12, 13, 12, 2]), {}),
    "an activation is a Python function": (Network(*(Linear(12), Elementwise(np.tanh)) * 3, Linear(2)), {}),
    "residual blocks are tied": (Network(repeat(4, TWICE[0], tied=True)), {}),
    "a skip is scaled": (Network(repeat(4, Residual(*TWICE[0].blocks, skip=0.9))), {}),
    "branches differ": (Network(TWICE[0], Residual(*TWICE[0].blocks, scale=0.5), TWICE[0]), {}),
    "an outer activation is scaled": (
        Network(repeat(4, Residual(*TWICE[0].blocks, Elementwise("tanh"), scale=0.5))),
        {},
    ),
    "a branch has two matrices": (Network(repeat(4, Residual(Linear(20), Elementwise("relu"), Linear(12)))), {}),
    "attention": (Network(repeat(3, Residual(Attention(1, shaped=True, output=False), skip=0.8, scale=0.6))), {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_run_one_by_one(name):
    network, how = OTHERS[name]
    start = SQUARE[:, :, None] if name == "attention" else SQUARE
    assert taken(network, start, **how) == {}


def test_images_run_one_by_one_where_their_edges_differ():
    """Beyond the edge a list sees zeros, and the sampler the activation of zero."""
    for function, padding, layers in (
        ("cos(x)", "zero", {}),
        ("cos(x)", "periodic", {0: 2}),
        ("sin(x)", "zero", {0: 2}),
    ):
        one = Residual(Elementwise(function), Convolution(4, padding=padding))
        assert taken(Network(*(one,) * 2), IMAGES) == layers


def test_a_start_for_each_network_and_inputs_beyond_measure_run_one_by_one():
    network = mlp([12, 12, 12, 2])
    x, sizes = network._start(np.stack([SQUARE, SQUARE]), 2)
    assert stretches(network, sizes, x, [4], None) == {}
    for factor in (0, 1e-60, 1e60):
        assert taken(network, SQUARE * [1, factor, 1]) == {}
        assert np.all(np.isfinite(network.sample(SQUARE * [1, factor, 1], 2, 1)))


@pytest.mark.parametrize("name", ["two inputs of a perceptron", "shaped layers", "residual blocks", "images"])
def test_samples_do_not_depend_on_threads_or_cuts(name, monkeypatch):
    network, _, start, how, _ = CASES[name]
    whole = network.sample(start, 7, 1, threads=1, **how)
    parts = [network.sample(start, n, 1, first=first, threads=2, **how) for n, first in ((3, 0), (4, 3))]
    monkeypatch.setattr("deeplimits.architectures._sampling.ROOM", 1)
    alone = network.sample(start, 7, 1, **how)
    assert np.allclose(np.concatenate(parts), whole, rtol=1e-9) and np.allclose(alone, whole, rtol=1e-9)
    assert not np.allclose(network.sample(start, 7, 2, **how), whole)


def test_each_stretch_has_draws_of_its_own():
    one = Residual(Elementwise("linear"), Linear(12))
    network = Network(repeat(2, one), LayerNorm(0.0), repeat(2, one))
    found = network.sample(SQUARE[:, :1], 2000, 1, at=[0, 2, 3, 5])[..., 0]
    steps = [found[:, 1, 0] - found[:, 0, 0], found[:, 3, 0] - found[:, 2, 0]]
    assert abs(np.corrcoef(*steps)[0, 1]) < 5 / 2000**0.5


def test_networks_that_overflow_are_infinite_from_there_on():
    found = mlp([12] * 8, gain=1e60).sample(SQUARE, 4, 1, at=[1, 7], observe=gram)
    assert np.all(np.isfinite(found[:, 0])) and np.all(found[:, 1] == np.inf)
    found = mlp([12] * 8 + [2], gain=1e60).sample(SQUARE, 4, 1)
    assert np.all(found == np.inf)
