"""Lists of blocks against networks with every weight drawn, forward and backward, in joint law."""

import drawn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits.architectures import (
    Attention,
    Convolution,
    Elementwise,
    Embedding,
    Gated,
    LayerNorm,
    Linear,
    Network,
    Pool,
    Positions,
    Readout,
    Residual,
    RMSNorm,
    repeat,
)
from deeplimits.lazy import GaussianMatrix

SAMPLES = 2000
DRAW = np.random.default_rng(0)
INPUTS = DRAW.standard_normal((16, 2))
SEQUENCES = DRAW.standard_normal((16, 4, 2))
SEQUENCES[:, 1] += SEQUENCES[:, 0]
SEQUENCES += 1
IMAGES = DRAW.standard_normal((3, 4, 5, 2))
TOKENS = np.array([[1, 8], [4, 0], [1, 3], [2, 3]])


def transformer(bias=0.5, gain=1.0, norm=LayerNorm):
    attention = Attention(4, causal=True, gain=2.0 * gain, bias=bias, output_gain=1.0)
    return Network(
        repeat(2, Residual(norm(), attention), Residual(norm(), Linear(32, "he"), Elementwise("gelu"), Linear(16)))
    )


def language_model(tied=True):
    last = Readout(9, "tokens") if tied else Linear(9, std=0.7)
    return Network(
        Embedding(9, 16, 0.7, name="tokens"),
        Positions(6, 0.3),
        Residual(LayerNorm(), Elementwise("relu"), Linear(16, std=0.4)),
        last,
    )


recurrent = Residual(Elementwise("tanh"), Linear(16, 1.5), scale=0.5)
llama = (
    Residual(RMSNorm(), Attention(4, causal=True, std=0.5, key_heads=2, rotary=100.0)),
    Residual(RMSNorm(), Gated(20, "silu", std=0.3), Linear(16, std=0.3)),
)

#: Each block in a small network: its twin with weights, the list, the start, whether gradients of the start exist.
CASES = {
    "perceptron": (drawn.perceptron, Network(Linear(24, "he", bias=0.3), Elementwise("relu"), Linear(5)), INPUTS),
    "gated": (
        drawn.gated,
        Network(repeat(2, Residual(RMSNorm(), Gated(20), Linear(16, "xavier"), skip=0.9, scale=0.5)), LayerNorm()),
        INPUTS,
    ),
    "transformer": (drawn.transformer, transformer(), SEQUENCES),
    "llama": (drawn.llama_block, Network(*llama), SEQUENCES),
    "shaped attention": (
        drawn.shaped_attention,
        Network(
            repeat(
                2, Residual(Attention(1, shaped=True, output=False, key_width=5, temperature=1.5), skip=0.8, scale=0.6)
            )
        ),
        SEQUENCES,
    ),
    "convolution": (
        drawn.convolutional,
        Network(
            Convolution(6, gain="he", bias=0.2),
            Elementwise("relu"),
            Convolution(5, stride=2, padding="periodic"),
            Elementwise("tanh"),
            Pool(),
            Linear(3),
        ),
        IMAGES,
    ),
    "recurrent": (drawn.recurrent, Network(repeat(5, recurrent, tied=True)), INPUTS),
    "language model": (drawn.language_model, language_model(), TOKENS),
}


def sampled(network, start, method="lazy", samples=SAMPLES, seed=1):
    last = network.depth
    if start is TOKENS:
        return drawn.statistics(network.sample(start, samples, seed, method=method), None, start)
    run = network.sample(
        start, samples, seed, at=[last], observe=lambda s: s.reshape(len(s), -1), backward=True, method=method
    )
    back = network.sample(
        start, samples, seed, at=[0], observe=lambda s: s.reshape(len(s), -1), backward=True, method=method
    )
    return drawn.statistics(
        run.states[:, 0].reshape(samples, *network.size(start.shape).shape), back.gradients[:, 0], start
    )


@pytest.fixture(scope="module")
def twin():
    """The statistics of the twins with weights, each drawn once."""
    known = {}

    def statistics(name):
        if name not in known:
            network, _, start = CASES[name]
            known[name] = drawn.draws(network, start, SAMPLES, differentiate=start is not TOKENS)
        return known[name]

    return statistics


def smallest_p(a, b):
    return min(stats.ks_2samp(a[:, k].round(9), b[:, k].round(9)).pvalue for k in range(a.shape[1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_states_and_gradients_have_the_law_of_networks_with_weights(name, twin):
    _, network, start = CASES[name]
    found, expected = sampled(network, start), twin(name)
    assert smallest_p(found, expected) > LEVEL / (len(CASES) * 9)
    products = [one[:, :, None] * one[:, None] for one in (found, expected)]
    means, errors = zip(*((one.mean(0), one.var(0) / SAMPLES) for one in products), strict=True)
    scores = (means[0] - means[1]) / np.sqrt(errors[0] + errors[1] + 1e-30)
    assert np.abs(scores).max() < limit_for(len(CASES) * 45) + 1


WRONG = {
    "queries and keys share a matrix": (
        "transformer",
        lambda: drawn.draws(drawn.transformer, SEQUENCES, SAMPLES, 2, same_keys=True),
    ),
    "biases forgotten": ("transformer", lambda: sampled(transformer(bias=None), SEQUENCES)),
    "a gain off by the root of 2": ("transformer", lambda: sampled(transformer(gain=2**0.5), SEQUENCES)),
    "a norm without its mean": ("transformer", lambda: sampled(transformer(norm=RMSNorm), SEQUENCES)),
    "recurrent matrices untied": ("recurrent", lambda: sampled(Network(repeat(5, recurrent)), INPUTS)),
    "a read-out untied": ("language model", lambda: sampled(language_model(tied=False), TOKENS)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_the_test_rejects(name, twin):
    case, variant = WRONG[name]
    assert smallest_p(variant(), twin(case)) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["perceptron", "recurrent", "transformer"])
def test_the_test_rejects_a_way_back_with_other_matrices(name, twin, monkeypatch):
    right = GaussianMatrix.ask_left

    def other(self, G):
        fresh = GaussianMatrix(
            self.outputs, self.inputs, self.std, 99, self.name, samples=self.samples, first=self.first, method="lazy"
        )
        return right(fresh, G)

    monkeypatch.setattr(GaussianMatrix, "ask_left", other)
    _, network, start = CASES[name]
    assert smallest_p(sampled(network, start), twin(name)) < 1e-9


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][2] is not TOKENS])
def test_gradients_are_derivatives(name):
    _, network, start = CASES[name]
    change, step = np.random.default_rng(1).standard_normal(start.shape), 1e-5
    how = {"samples": 3, "seed": 2, "method": "dense", "precision": "double"}
    losses = [
        np.sum(network.sample(start + sign * step * change, **how).reshape(3, -1) ** 2, 1) / 2 for sign in (1, -1)
    ]
    gradients = network.sample(start, at=[0], backward=True, **how).gradients[:, 0]
    expected = np.sum((gradients * change).reshape(3, -1), axis=1)
    assert np.allclose((losses[0] - losses[1]) / (2 * step), expected, rtol=1e-5, atol=1e-7)


WIDTH = 12
PARTS = st.sampled_from(
    [
        (Linear(WIDTH, "he"), Elementwise("relu")),
        (Linear(WIDTH, 1.5, bias=0.2), Elementwise("tanh")),
        (Residual(RMSNorm(), Linear(20, "he"), Elementwise("gelu"), Linear(WIDTH)),),
        (LayerNorm(),),
        (Residual(Elementwise("relu"), Linear(WIDTH), scale=0.5),),
        (Gated(WIDTH, "gelu", 2.0),),
        (Residual(LayerNorm(), Attention(3, causal=True, gain=1.5), scale=0.7),),
        (Linear(WIDTH, name="shared"),),
        (repeat(3, Residual(Elementwise("tanh"), Linear(WIDTH)), tied=True),),
    ]
)


@pytest.mark.slow
@given(st.lists(PARTS, min_size=1, max_size=4))
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
def test_any_stack_of_blocks_has_the_law_of_its_weights(parts):
    network = Network(*(block for part in parts for block in part), Attention(2))
    start = SEQUENCES[:WIDTH, :2, :1]
    assert smallest_p(sampled(network, start, samples=600), sampled(network, start, "dense", 600, seed=2)) > LEVEL / (
        12 * 9
    )


@pytest.mark.slow
def test_a_tied_embedding_has_the_gradient_of_both_its_uses():
    run = language_model().sample(TOKENS, SAMPLES, 1, backward=True, method="lazy")
    found = np.log(np.stack([np.sum(run.states**2, (1, 2, 3)), run.parameters["=tokens"]], axis=1))
    assert smallest_p(found, drawn.embedding_gradients(TOKENS, SAMPLES)) > LEVEL / 2


def test_a_gradient_and_its_input_obey_euler_in_every_network_of_rectifiers():
    network = Network(repeat(6, Linear(32, "he"), Elementwise("relu")))
    run = network.sample(INPUTS, 200, 1, at=[0], backward=True, method="lazy")
    last = network.sample(INPUTS, 200, 1, method="lazy")
    product = np.einsum("snm,snm->s", run.gradients[:, 0], run.states[:, 0])
    assert np.allclose(product, np.sum(last**2, axis=(1, 2)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "network, mean",
    [
        (Network(repeat(5, Linear(40, "he"), Elementwise("relu")), Linear(40)), np.sum(INPUTS**2, 0) / 16),
        (Network(Linear(40), repeat(3, Linear(40)), Linear(40, 2.0, bias=1.0)), 4 * np.sum(INPUTS**2, 0) / 16 + 1),
        (Network(repeat(3, Residual(RMSNorm(0.0), Linear(16, 0.5)))), np.mean(INPUTS**2, 0) + 0.75),
    ],
)
def test_mean_squares_are_exact(network, mean):
    found = np.mean(network.sample(INPUTS, 8000, 1, method="lazy") ** 2, axis=1)
    assert np.abs(z_scores(found, mean)).max() < limit_for(6)


def test_the_norm_of_parameter_gradients_is_that_of_their_outer_products():
    network = Network(Linear(20, bias=0.3), Elementwise("tanh"), Linear(7))
    run = network.sample(INPUTS, 5, 1, at=[1], backward=True)
    hidden = np.tanh(network.sample(INPUTS, 5, 1, at=[1])[:, 0])
    last = network.sample(INPUTS, 5, 1)
    weights = np.sum((last @ hidden.swapaxes(1, 2)) ** 2, (1, 2))
    assert np.allclose(run.parameters["2/weight"], weights)
    assert np.allclose(run.parameters["0/weight"], np.sum((run.gradients[:, 0] @ INPUTS.T) ** 2, (1, 2)))
    assert np.allclose(run.parameters["0/weight-bias"], np.sum(run.gradients[:, 0].sum(2) ** 2, 1))
