"""Residual networks: beside dense weights, and how they grow."""

from __future__ import annotations

import numpy as np
import pytest

from deeplimits import activations, networks

from .peers import dense
from .racing import Peer, installed, norms_and_correlations, same_means

V0 = np.array([[1.0, 0.3], [0.3, 1.0]])


def resnet(width: int, depth: int) -> networks.ResNet:
    """The network of Hayou."""
    return networks.ResNet(width, depth, activations.relu(), activations.linear())


def start(width: int) -> np.ndarray:
    return networks.gaussian_start(V0, width, samples=1, seed=1)[0]


def grams(states: np.ndarray) -> np.ndarray:
    """What is compared of states: their norms and correlations."""
    return norms_and_correlations(states.swapaxes(1, 2) @ states / states.shape[1])


def test_beside_dense_weights(bench):
    n, samples, few = 150, bench.size(4096, 512), bench.size(64, 16)
    network, x0 = resnet(n, n), start(n)
    bench.race("ResNet, ReLU inside", f"n = d = {n}, m = 2, {samples} networks",
               lambda: network.sample(x0, samples, seed=1),
               [Peer("dense weights, PyTorch", lambda seed: dense.residual_with_torch(n, x0, few, seed), few / samples,
                     installed=installed("torch"))],
               agree=same_means(grams), normals=2 * n * n * samples)


GROWTH = {
    "samples": (lambda k: resnet(150, 20).sample(start(150), k, seed=1), [1024, 4096, 16384]),
    "width": (lambda n: resnet(n, 20).sample(start(n), 64, seed=1), [1024, 4096, 16384]),
    "depth": (lambda d: resnet(150, d).sample(start(150), 256, seed=1), [64, 256, 1024]),
}


@pytest.mark.parametrize("against", GROWTH)
def test_growth(bench, against):
    """The result is a state for each sample and neuron, so its memory grows with both."""
    bench.grow("ResNet", against, GROWTH[against][1], GROWTH[against][0], expected=1)
