"""Residual networks, their diffusions and their Jacobians: beside explicit weights, and how they grow."""

from __future__ import annotations

import numpy as np
import pytest

from deeplimits import activations, attention, diffusions, networks
from deeplimits.blocks import Blocks, ConvBlocks

from .peers import dense, explicit
from .racing import Peer, installed, norms_and_correlations, same_means

V0 = np.array([[1.0, 0.3], [0.3, 1.0]])


def resnet(width: int, depth: int) -> networks.ResNet:
    """The network of Hayou."""
    return networks.ResNet(Blocks(activations.relu(), activations.linear()), width, depth)


def start(width: int) -> np.ndarray:
    return networks.gaussian_start(V0, width, samples=1, seed=1)[0]


def grams(states: np.ndarray) -> np.ndarray:
    """What is compared of states: their norms and correlations."""
    return norms_and_correlations(states.swapaxes(1, 2) @ states / states.shape[1])


def power(states: np.ndarray) -> np.ndarray:
    """The mean squares of images. Shapes: (samples, ...) -> (samples, 1)."""
    return np.mean(states.reshape(len(states), -1) ** 2, axis=1, keepdims=True)


def sizes_and_volumes(jacobians: np.ndarray) -> np.ndarray:
    """Mean squared singular values and logarithms of determinants. Shapes: (samples, n, n) -> (samples, 2)."""
    return np.stack([np.mean(jacobians**2, axis=(1, 2)), np.linalg.slogdet(jacobians)[1]], axis=1)


def test_beside_dense_weights(bench):
    n, samples, few = 150, bench.size(4096, 512), bench.size(64, 16)
    network, x0 = resnet(n, n), start(n)
    bench.race(
        "ResNet, ReLU inside",
        f"n = d = {n}, m = 2, {samples} networks",
        lambda: network.sample(x0, samples, seed=1),
        [
            Peer(
                "dense weights, PyTorch",
                lambda seed: dense.residual_with_torch(n, x0, few, seed),
                few / samples,
                installed=installed("torch"),
            )
        ],
        agree=same_means(grams),
        normals=2 * n * n * samples,
    )


def test_diffusion_beside_dense_weights(bench):
    n, steps, samples, few = 150, 128, bench.size(2048, 256), bench.size(64, 16)
    inner, outer, x0 = activations.plain("tanh"), activations.plain("silu"), start(n)
    sde = diffusions.ResidualSDE(Blocks(inner, outer), n)
    bench.race(
        "ResidualSDE, tanh inside, SiLU outside",
        f"n = {n}, {steps} steps, m = 2, {samples} paths",
        lambda: sde.sample(x0, samples, seed=1, steps=steps),
        [
            Peer(
                "dense weights, NumPy",
                lambda seed: explicit.diffusion_with_numpy(inner, outer.slope0, outer.second0, steps, x0, few, seed),
                few / samples,
            )
        ],
        agree=same_means(grams),
        normals=2 * n * steps * samples,
    )


def test_convolutions_beside_filters(bench):
    channels, depth, samples, few = 32, 32, bench.size(256, 32), bench.size(32, 16)
    tanh = activations.plain("tanh")
    x0 = networks.gaussian_start(np.eye(64), channels, samples=1, seed=1).reshape(channels, 8, 8, 1)
    network = networks.ResNet(ConvBlocks(tanh, tanh), channels, depth)
    bench.race(
        "ConvResNet, tanh",
        f"8 x 8 pixels, {channels} channels, d = {depth}, {samples} networks",
        lambda: network.sample(x0, samples, seed=1),
        [
            Peer(
                "filters, PyTorch",
                lambda seed: explicit.convolutions_with_torch(depth, x0, few, seed),
                few / samples,
                installed=installed("torch"),
            )
        ],
        agree=same_means(power),
    )


def test_jacobians_beside_differentiation(bench):
    n, depth, samples, few = 64, 64, bench.size(512, 64), bench.size(64, 16)
    network, x0 = networks.ResNet(Blocks(activations.plain("tanh"), activations.linear()), n, depth), start(n)[:, :1]
    bench.race(
        "ResNet.jacobians, tanh inside",
        f"n = d = {n}, m = 1, {samples} networks",
        lambda: network.jacobians(x0, samples, seed=1).jacobian[:, 0],
        [
            Peer(
                "jacfwd and vmap, PyTorch",
                lambda seed: explicit.jacobians_with_torch(depth, x0[:, 0], few, seed),
                few / samples,
                installed=installed("torch"),
            ),
            Peer(
                "product of layers, NumPy",
                lambda seed: explicit.jacobians_with_numpy(depth, x0[:, 0], few, seed),
                few / samples,
            ),
        ],
        agree=same_means(sizes_and_volumes),
    )


def test_attention_beside_dense_weights(bench):
    n, depth, tokens, samples, few = 128, 64, 4, bench.size(4096, 1024), bench.size(32, 16)
    network, gram = attention.ShapedAttention(n, depth, gamma=0.7, temperature=1.0), 0.7 * np.eye(4) + 0.3
    bench.race(
        "ShapedAttention",
        f"n = {n}, d = {depth}, {tokens} tokens, {samples} networks",
        lambda: network.sample(gram, samples, seed=1),
        [
            Peer(
                "dense weights, PyTorch",
                lambda seed: explicit.attention_with_torch(network, gram, few, seed),
                few / samples,
                installed=installed("torch"),
            )
        ],
        agree=same_means(norms_and_correlations),
    )


GROWTH = {
    "samples": (lambda k: resnet(150, 20).sample(start(150), k, seed=1), [1024, 4096, 16384]),
    "width": (lambda n: resnet(n, 20).sample(start(n), 64, seed=1), [1024, 4096, 16384]),
    "depth": (lambda d: resnet(150, d).sample(start(150), 256, seed=1), [64, 256, 1024]),
}


@pytest.mark.parametrize("against", GROWTH)
def test_growth(bench, against):
    """The result is a state for each sample and neuron, so its memory grows with both."""
    bench.grow("ResNet", against, GROWTH[against][1], GROWTH[against][0], expected=1)
