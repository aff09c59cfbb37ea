"""Shaped networks: beside dense weights, beside the stream, and how they grow."""

from __future__ import annotations

import numpy as np
import pytest

from deeplimits import activations, networks

from .peers import dense, rows
from .racing import Peer, installed, norms_and_correlations, same_means

PHI = activations.shaped_relu(0.0, -1.0)
V0 = np.array([[1.0, 0.3], [0.3, 1.0]])
SAME = same_means(norms_and_correlations)
TORCH = installed("torch")


def test_beside_dense_weights(bench):
    n, samples = 150, bench.size(8192, 1024)
    few, plain = bench.size(64, 16), bench.size(512, 128)
    network = networks.ShapedMLP(PHI, n, n)
    arguments = (PHI, n, n, V0)
    bench.race(
        "ShapedMLP, shaped ReLU",
        f"n = d = {n}, m = 2, {samples} networks",
        lambda: network.sample(V0, samples, seed=1),
        [
            Peer(
                "dense weights, PyTorch",
                lambda seed: dense.with_torch(*arguments, few, seed),
                few / samples,
                300,
                TORCH,
            ),
            Peer(
                "dense weights, NumPy",
                lambda seed: dense.with_numpy(*arguments, few // 2, seed),
                few / 2 / samples,
                600,
            ),
            Peer(
                "dense weights, NumPy in float32",
                lambda seed: dense.with_numpy(*arguments, few // 2, seed, np.float32),
                few / 2 / samples,
            ),
            Peer("same rows, plain NumPy", lambda seed: rows.with_numpy(*arguments, plain, seed), plain / samples),
        ],
        agree=SAME,
        normals=2 * n * n * samples,
    )


def test_wide_beside_dense_weights(bench):
    n, d, samples = 2000, bench.size(100, 20), bench.size(2048, 1024)
    network = networks.ShapedMLP(PHI, n, d)
    bench.race(
        "ShapedMLP, shaped ReLU",
        f"n = {n}, d = {d}, m = 2, {samples} networks",
        lambda: network.sample(V0, samples, seed=1),
        [
            Peer(
                "dense weights, PyTorch",
                lambda seed: dense.with_torch(PHI, n, d, V0, 1, seed),
                1 / samples,
                3000,
                TORCH,
            )
        ],
        agree=SAME,
        normals=2 * n * d * samples,
        share_goal=0.8,
    )


@pytest.mark.parametrize("inputs", [2, 3, 8])
def test_rate_beside_the_stream(bench, inputs):
    n, d, samples = 500, 100, bench.size(4096, 1024) // inputs
    network = networks.ShapedMLP(PHI, n, d)
    gram = 0.7 * np.eye(inputs) + 0.3
    bench.race(
        "ShapedMLP, shaped ReLU",
        f"n = {n}, d = {d}, m = {inputs}",
        lambda: network.sample(gram, samples, seed=1),
        [],
        agree=SAME,
        normals=inputs * n * d * samples,
        share_goal=0.8 if inputs == 2 else None,
    )


GROWTH = {
    "samples": (lambda k: networks.ShapedMLP(PHI, 150, 20).sample(V0, k, seed=1), [1024, 4096, 16384], 1),
    "width": (lambda n: networks.ShapedMLP(PHI, n, 20).sample(V0, 256, seed=1), [1024, 4096, 16384], 1),
    "depth": (lambda d: networks.ShapedMLP(PHI, 150, d).sample(V0, 256, seed=1), [64, 256, 1024], 1),
    "inputs": (lambda m: networks.ShapedMLP(PHI, 512, 20).sample(0.7 * np.eye(m) + 0.3, 512, seed=1), [4, 8, 16], None),
}


@pytest.mark.parametrize("against", GROWTH)
def test_growth(bench, against):
    run, values, expected = GROWTH[against]
    bench.grow("ShapedMLP", against, values, run, expected)


def test_memory_against_samples_kept(bench):
    """The chain of one input is cheap enough to keep very many samples."""
    chain = networks.ShapedMLP(PHI, 100, 4)
    bench.grow(
        "ShapedMLP, one input",
        "samples kept",
        [bench.size(2**20, 2**18), bench.size(2**22, 2**20)],
        lambda k: chain.sample(1.0, k, seed=1),
        1,
    )


def test_one_input_costs_the_same_at_any_width(bench):
    samples = bench.size(2**16, 2**14)
    bench.grow(
        "ShapedMLP, one input",
        "width",
        [100, 10_000, 1_000_000],
        lambda n: networks.ShapedMLP(PHI, n, 100).sample(1.0, samples, seed=1),
        0,
    )
