"""Lists of blocks: their sizes, presets, kernels, special cases, shapes, and what they refuse."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits import activations
from deeplimits.architectures import (
    Attention,
    ClassToken,
    Convolution,
    Elementwise,
    Embedding,
    Gated,
    LayerNorm,
    Linear,
    Network,
    Pool,
    Position,
    Positions,
    Readout,
    Residual,
    RMSNorm,
    critical_gain,
    gpt2,
    gpt3,
    gram,
    llama,
    mlp,
    pre_norm_mlp,
    repeat,
    resnet,
    sequence,
    vit,
)
from deeplimits.architectures.linear import Law
from deeplimits.attention import ShapedAttention
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.networks import ResNet, ShapedMLP

X = np.random.default_rng(0).standard_normal((20, 3))
TOKENS = np.array([[1, 2], [3, 4], [1, 1]])
SAMPLES = 2000

#: Parameters as published, or counted by the released code.
PUBLISHED = [
    (gpt2("small"), (8, 1), 124_439_808),
    (gpt2("medium"), (8, 1), 354_823_168),
    (gpt2("large"), (8, 1), 774_030_080),
    (gpt2("xl"), (8, 1), 1_557_611_200),
    (llama("7b"), (8, 1), 6_738_415_616),
    (llama("13b"), (8, 1), 13_015_864_320),
    (llama("70b"), (8, 1), 68_976_648_192),
    (vit("base"), (3, 224, 224, 1), 86_567_656),
    (vit("large"), (3, 224, 224, 1), 304_326_632),
]


@pytest.mark.parametrize("network, shape, count", PUBLISHED)
def test_presets_have_as_many_parameters_as_published(network, shape, count):
    assert network.size(shape).parameters == count


def test_gpt3_has_175_billion_parameters():
    size = gpt3().size((2048, 1))
    assert size.shape == (50257, 2048, 1) and round(size.parameters / 1e9) == 175


def test_a_transformer_of_the_size_of_gpt2_runs_forward_and_back():
    network = gpt2("small", readout=False)
    run = network.sample(TOKENS, 1, 1, at=[2, network.depth], backward=True)
    assert run.states.shape == (1, 2, 768, 3, 2) and np.all(np.isfinite(run.gradients))
    assert np.mean(run.states[:, 0] ** 2) == pytest.approx(0.02**2 + 0.01**2, rel=0.1)
    assert np.mean(run.states[:, 1] ** 2) == pytest.approx(1, rel=1e-2)
    assert len(run.parameters) == 12 * 12 + 4


def test_a_vision_transformer_starts_with_a_head_of_zeros():
    images = np.random.default_rng(1).standard_normal((3, 32, 32, 1))
    network = vit("base", pixels=32)
    assert not network.sample(images, 1, 1).any()
    assert network.sample(images, 1, 1, at=[network.depth - 1]).shape == (1, 1, 768, 1)


WIDE = 400
FAMILIES = {
    "perceptron": (lambda n: mlp([n, n, 2], "tanh", bias=0.3), X),
    "residual": (lambda n: resnet(n, 5, 2), X),
    "pre-norm": (lambda n: pre_norm_mlp(n, 3, 2, scale="1/sqrt(L)"), X),
    "critical": (lambda n: mlp([n, n, 2], "gelu", "critical"), X),
    "gated": (lambda n: Network(Linear(n), Residual(LayerNorm(), Gated(n, "gelu"), Linear(n)), Linear(2)), X),
    "callable": (lambda n: Network(Linear(n), Elementwise(np.cos), LayerNorm(), Linear(2)), X),
    "tokens": (lambda n: Network(Embedding(5, n, 0.5), Positions(4), LayerNorm(), Pool(), Linear(2)), TOKENS),
    "a token alone": (
        lambda n: Network(
            Embedding(5, n, 0.5),
            Residual(LayerNorm(), Attention(2, gain=0.8, output_gain=1.3, key_heads=1)),
            Pool(),
            Linear(2),
        ),
        TOKENS[:1],
    ),
    "images": (
        lambda n: Network(
            Convolution(n, 3, padding="zero"),
            Elementwise("relu"),
            Convolution(n, 2, 2, "none"),
            Elementwise("relu"),
            Pool(),
            Linear(2),
        ),
        np.arange(32).reshape(2, 4, 4, 1) / 16,
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_tend_to_their_kernels(name):
    family, x = FAMILIES[name]
    found = family(WIDE).sample(x, 400, 1, observe=gram)
    expected = family(10).kernel(x)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    error = 6 * found.std(0) / 20 + 4 / WIDE * size
    assert np.all(np.abs(found.mean(0) - expected) < error) and np.all(error < 0.5 * size)


def test_kernels_of_layers_follow_the_arc_cosine():
    network = Network(Linear(10), repeat(4, Elementwise("relu"), Linear(10, "he")))
    kernels = network.kernel(X, at=[1, 2, 5])
    rho = kernels[0][0, 1] / np.sqrt(kernels[0][0, 0] * kernels[0][1, 1])
    angle = np.arccos(rho)
    expected = (np.sin(angle) + (np.pi - angle) * rho) / np.pi * np.sqrt(kernels[0][0, 0] * kernels[0][1, 1])
    assert np.allclose(kernels[0], X.T @ X / 20) and np.isclose(kernels[1][0, 1], expected)
    assert np.allclose(np.diag(kernels[2]), np.diag(kernels[0]))


@pytest.mark.parametrize("name, gain", [("relu", 2**0.5), (activations.linear(), 1.0), ("erf(x)", None)])
def test_critical_gains_are_known_in_closed_form(name, gain):
    # E erf'(g)^2 = 4/pi E exp(-2 g^2) = 4 / (pi sqrt(5))
    assert critical_gain(name) == pytest.approx(gain or (np.pi * 5**0.5 / 4) ** 0.5, rel=1e-9)


@pytest.mark.parametrize("inputs", [1, 7, 768])
def test_a_bias_of_torch_is_uniform_up_to_the_root_of_the_inputs(inputs):
    edge = inputs**-0.5
    assert Law(bias="torch").bias_deviation(inputs) == pytest.approx(stats.uniform(-edge, 2 * edge).std())


def smallest_p(a, b):
    a, b = (one.reshape(len(one), -1) for one in (a, b))
    return min(stats.ks_2samp(a[:, k], b[:, k]).pvalue for k in range(a.shape[1]))


def test_a_shaped_mlp_is_a_list_of_blocks():
    for phi in (activations.shaped_relu(0, -1), activations.smooth("tanh", a=1.5)):
        c = phi.normaliser(12)
        network = Network(sequence(Linear(12), Elementwise(phi)), repeat(5, Linear(12, c**0.5), Elementwise(phi)))
        found = network.sample(X, SAMPLES, 1, observe=lambda state, c=c: c * gram(state), method="lazy")
        assert smallest_p(found, ShapedMLP(phi, 12, 6).sample(X.T @ X / 20, SAMPLES, 2)) > LEVEL / 18


def test_a_residual_network_is_a_list_of_blocks():
    inner, outer = activations.plain("tanh"), activations.plain("gelu")
    branch = Residual(Elementwise(inner), Linear(20, 0.25**0.5, bias=0.1), Elementwise(outer))
    found = Network(repeat(4, branch)).sample(X, SAMPLES, 1, method="lazy")
    expected = ResNet(Blocks(inner, outer, bias_variance=0.04), 20, 4).sample(X, SAMPLES, 2)
    assert smallest_p(gram(found), gram(expected)) > LEVEL / 18
    assert smallest_p(found[:, :2], expected[:, :2]) > LEVEL / 12


def test_a_convolutional_network_is_a_list_of_blocks():
    images = np.random.default_rng(1).standard_normal((6, 3, 4, 1))
    for padding in ("zero", "periodic"):
        branch = Residual(Elementwise("relu"), Convolution(6, 3, padding=padding, gain=3 * 0.5))
        found = Network(repeat(4, branch)).sample(images, SAMPLES, 1, method="lazy")
        blocks = ConvBlocks(activations.relu(), activations.linear(), kernel=3, padding=padding)
        expected = ResNet(blocks, 6, 4).sample(images, SAMPLES, 2)
        pairs = [np.sum(one[:, :, 0, 0] * one[:, :, 2, 3], 1) for one in (found, expected)]
        assert smallest_p(*pairs) > LEVEL / 8
        assert smallest_p(*(np.log(np.sum(one**2, (1, 2, 3))) for one in (found, expected))) > LEVEL / 8


def test_shaped_attention_is_a_list_of_blocks():
    tokens = np.random.default_rng(1).standard_normal((12, 3))
    process = ShapedAttention(width=12, depth=4, gamma=0.6, temperature=0.5, key_width=5)
    attention = Attention(1, shaped=True, output=False, key_width=5, temperature=0.5 * 60**0.5)
    network = Network(repeat(4, Residual(attention, skip=0.8, scale=0.6)))
    found = network.sample(tokens[:, :, None], SAMPLES, 1, observe=gram, method="lazy")
    assert smallest_p(found, process.sample(tokens.T @ tokens / 12, SAMPLES, 2)) > LEVEL / 9


def test_samples_do_not_depend_on_threads_or_cuts(monkeypatch):
    network = pre_norm_mlp(16, 3)
    whole = network.sample(X, 7, 1, at=[0, 2, 4], observe=gram, backward=True, threads=1)
    parts = [
        network.sample(X, n, 1, at=[0, 2, 4], observe=gram, backward=True, first=first, threads=2)
        for n, first in ((3, 0), (4, 3))
    ]
    monkeypatch.setattr("deeplimits.architectures._sampling.ROOM", 1)
    alone = network.sample(X, 7, 1, at=[0, 2, 4], observe=gram, backward=True)
    for found in ([np.concatenate([part[k] for part in parts]) for k in range(2)], alone):
        assert np.allclose(found[0], whole.states, rtol=1e-9) and np.allclose(found[1], whole.gradients, rtol=1e-9)
    assert {key: value.shape for key, value in whole.parameters.items()} == dict.fromkeys(alone.parameters, (7,))
    assert not np.allclose(network.sample(X, 7, 2), network.sample(X, 7, 1))
    assert np.array_equal(whole.states[:, 0], np.broadcast_to(X.T @ X / 20, (7, 3, 3)))


def test_layers_come_in_the_order_asked_for_and_starts_may_differ():
    network, starts = resnet(20, 4, 20), np.random.default_rng(2).standard_normal((5, 20, 2))
    found = network.sample(starts, 5, 1, at=[3, 0, 3])
    assert found.shape == (5, 3, 20, 2) and np.array_equal(found[:, 1], starts)
    assert np.array_equal(found[:, 0], found[:, 2])
    assert np.allclose(found[2:3, 0], network.sample(starts[2], 1, 1, at=[3], first=2)[:, 0])


def test_a_network_that_overflows_is_infinite_from_there_on():
    network = Network(repeat(6, Elementwise(lambda x: x**3, lambda x: 3 * x**2), Linear(20, 1e20)))
    found = network.sample(X, 4, 1, at=[0, 1, 6], backward=True)
    assert np.all(np.isfinite(found.states[:, :2])) and np.all(found.states[:, 2] == np.inf)
    assert not np.any(np.isnan(found.gradients))


NET = Network(Linear(6), Elementwise("relu"), Linear(2))


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: Network("relu"), "blocks"),
        (lambda: Network(), "blocks"),
        (lambda: Linear(0), "width"),
        (lambda: Linear(2, "kaiming"), "gain"),
        (lambda: Linear(2, 1.0, std=1.0), "std"),
        (lambda: Linear(2, "critical"), "activation"),
        (lambda: Linear(2, bias="he"), "bias"),
        (lambda: Elementwise("no such"), "no such"),
        (lambda: Elementwise(3), "activation"),
        (lambda: Residual(Linear(2), scale="1/L^2"), "scale"),
        (lambda: repeat(0, Linear(2)), "depth"),
        (lambda: Attention(3, key_heads=2), "key_heads"),
        (lambda: Convolution(2, 4), "kernel"),
        (lambda: Convolution(2, 3, padding="same"), "padding"),
        (lambda: RMSNorm(-1.0), "epsilon"),
        (lambda: gpt2("tiny"), "size"),
        (lambda: gpt2(readout="yes"), "readout"),
        (lambda: vit(patch=15), "patch"),
        (lambda: vit(classes=0), "classes"),
        (lambda: mlp([]), "widths"),
        (lambda: NET.sample(X[:, 0], 1, 1), "initial"),
        (lambda: NET.sample(X * np.nan, 1, 1), "initial"),
        (lambda: NET.sample(X, 0, 1), "samples"),
        (lambda: NET.sample(X, 1, -1), "seed"),
        (lambda: NET.sample(X, 1, 1, at=[4]), "at"),
        (lambda: NET.sample(X, 1, 1, at=[1, 3]), "at must name layers"),
        (lambda: NET.sample(X, 1, 1, precision="half"), "precision"),
        (lambda: NET.sample(X, 1, 1, method="fast"), "method"),
        (lambda: NET.sample(X, 1, 1, backward="yes"), "backward"),
        (lambda: NET.sample(X, 1, 1, observe=2), "observe"),
        (lambda: NET.sample(X, 1, 1, backward=lambda y: y[:, :1]), "backward must return"),
        (lambda: NET.sample(X, 2, 1, observe=lambda s: s[:0]), "observe must keep"),
        (lambda: NET.sample(np.ones((3, 4, 2)), 2, 1), "initial"),
        (lambda: Network(Residual(Linear(3))).sample(X, 1, 1), "Residual must keep"),
        (lambda: Network(Residual(Linear(20), scale=(1, 2))).sample(X, 1, 1), "one number for each"),
        (lambda: Network(Attention(3)).sample(np.ones((4, 2, 1)), 1, 1), "heads"),
        (lambda: Network(Linear(4), Attention(2)).sample(X, 1, 1), "initial"),
        (lambda: Network(Embedding(3, 4)).sample([5], 1, 1), "initial must hold whole"),
        (lambda: Network(Embedding(3, 4), Attention(2)).sample([[0.5]], 1, 1), "initial must hold whole"),
        (lambda: Network(Linear(4), Readout(9, "e")).sample(X, 1, 1), "must be that of an Embedding"),
        (lambda: Network(Linear(4, name="w"), Linear(5, name="w")).sample(X, 1, 1), "different laws"),
        (lambda: Network(Elementwise(np.sin)).sample(X, 1, 1, backward=True), "derivative"),
        (lambda: Network(Positions(2)).sample(np.ones((2, 3, 1)), 1, 1), "length"),
        (lambda: Network(ClassToken(), Position(4)).sample(np.ones((2, 3, 1)), 1, 1), "place"),
        (lambda: Network(Convolution(2, 3, padding="none")).sample(np.ones((2, 2, 2, 1)), 1, 1), "kernel must fit"),
        (lambda: Network(Attention(2)).kernel(np.ones((4, 2, 1))), "no kernel"),
        (lambda: Network(Elementwise("relu")).kernel(X), "Linear first"),
        (
            lambda: Network(Residual(Elementwise("relu"), Linear(20), LayerNorm(), Elementwise("tanh"))).kernel(X),
            "Linear",
        ),
        (lambda: Network(repeat(2, Linear(20), tied=True)).kernel(X), "tied"),
        (lambda: Network(Gated(4), Elementwise("relu")).kernel(X), "Linear first"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_an_unknown_argument_is_named():
    with pytest.raises(TypeError, match="backward"):
        NET.sample(X, 1, 1, backwards=True)
