"""More inputs than neurons: processes of networks choose weights by themselves, beside NumPy with weights."""

from __future__ import annotations

import numpy as np
import pytest

from deeplimits import activations, networks
from deeplimits.blocks import Blocks

from .peers import dense
from .racing import Peer, same_means

WIDTH, DEPTH = 64, 50
PHI = activations.shaped_relu(0.0, -1.0)
INPUTS = [2, 8, 16, 32, 64, 128, 256, 500]


def some(V: np.ndarray) -> np.ndarray:
    """What is compared of covariances: logarithms of two variances, and the correlation between these inputs."""
    size = np.sqrt(np.diagonal(V, axis1=1, axis2=2)[:, [0, -1]])
    return np.hstack([2 * np.log(size), V[:, :1, -1] / size[:, :1] / size[:, 1:]])


@pytest.mark.parametrize("inputs", INPUTS)
def test_shaped_beside_numpy(bench, inputs):
    samples = bench.size(64, 16)
    V0 = 0.7 * np.eye(inputs) + 0.3
    network = networks.ShapedMLP(PHI, WIDTH, DEPTH)
    bench.race(
        "ShapedMLP, shaped ReLU",
        f"n = {WIDTH}, d = {DEPTH}, m = {inputs}, {samples} networks",
        lambda: network.sample(V0, samples, seed=1),
        [
            Peer(
                "dense weights, NumPy",
                lambda seed: dense.many_with_numpy(PHI, WIDTH, DEPTH, V0, samples, seed),
                goal=1,
            )
        ],
        agree=same_means(some),
    )


@pytest.mark.parametrize("inputs", INPUTS)
def test_residual_beside_numpy(bench, inputs):
    samples = bench.size(64, 16)
    x0 = np.random.default_rng(1).standard_normal((WIDTH, inputs))
    network = networks.ResNet(Blocks(activations.relu(), activations.linear()), WIDTH, DEPTH)
    bench.race(
        "ResNet, ReLU inside",
        f"n = {WIDTH}, d = {DEPTH}, m = {inputs}, {samples} networks",
        lambda: network.sample(x0, samples, seed=1),
        [
            Peer(
                "dense weights, NumPy",
                lambda seed: dense.residual_with_numpy(DEPTH, x0, samples, seed),
                goal=1,
            )
        ],
        agree=same_means(lambda x: np.log(np.sum(x[:, :, [0, -1]] ** 2, axis=1))),
    )
