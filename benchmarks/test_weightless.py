"""Networks without their weights: one matrix beside a dense one, GPT-2 beside PyTorch, and sizes that do not fit."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import pytest

from deeplimits._parallel import cores
from deeplimits.architectures import Network, gpt2, gpt3, llama
from deeplimits.architectures.presets import GPT2, GPT2_VOCABULARY
from deeplimits.lazy import GaussianMatrix

from .peers import transformer
from .racing import AGREEMENT, Peer, installed, largest_memory

WIDTHS = (256, 1024, 4096, 16384)
TOKENS = np.random.default_rng(1).integers(0, 32000, 32)


def lazily(width: int, inputs: int, seed: int) -> np.ndarray:
    """W^T tanh(W x) by a lazy matrix. Shapes: (width, inputs)."""
    x = np.random.default_rng(seed).standard_normal((width, inputs))
    W = GaussianMatrix(width, width, width**-0.5, seed, "w")
    return W.T @ np.tanh(W @ x)


def densely(width: int, inputs: int, seed: int) -> np.ndarray:
    """The same by a matrix of PyTorch that is drawn whole, in single precision, on all cores."""
    import torch

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    with torch.inference_mode():
        x = torch.randn(width, inputs)
        W = torch.empty(width, width).normal_(0, width**-0.5)
        return (W.T @ torch.tanh(W @ x)).numpy()


@pytest.mark.skipif(not installed("torch"), reason="the peer is PyTorch")
@pytest.mark.parametrize("inputs", [2, 32, 256])
def test_one_matrix_beside_a_dense_one(bench, inputs):
    widths = WIDTHS[: bench.size(4, 3)]
    others = {f"dense {n}": lambda seed, n=n: densely(n, inputs, seed) for n in widths}
    others |= {f"lazy {n}": lambda seed, n=n: lazily(n, inputs, seed) for n in widths[:-1]}
    laps = bench.alternate(lambda: lazily(widths[-1], inputs, 0), others)
    ours = [*[f"lazy {n}" for n in widths[:-1]], "ours"]
    for n, name in zip(widths, ours, strict=True):
        a, b = (np.array([np.mean(one**2) for one in laps.results[key]]) for key in (name, f"dense {n}"))
        # A mean over n inputs m squares of nearly independent numbers, half of whose spread all inputs share.
        error = 3 * a.mean() * (n**-0.5 if n > inputs else inputs**-0.5)
        assert abs(a.mean() - b.mean()) < AGREEMENT * error
    faster = [laps.ratio(f"dense {n}", name) for n, name in zip(widths, ours, strict=True)]
    bench.row(
        "crossing",
        what="W x, then W^T tanh(W x)",
        inputs=inputs,
        sizes=list(widths),
        seconds=[laps.median(name) for name in ours],
        dense=[laps.median(f"dense {n}") for n in widths],
        faster=faster,
        crossing=next((n for k, n in enumerate(widths) if min(faster[k:]) >= 1), None),
    )


def powers(network: Network, depth: int, seed: int) -> np.ndarray:
    """Mean squares of the residual stream after the last block. Shapes: (tokens,)."""
    seen = network.sample(TOKENS[:, None], 1, seed, at=[depth], observe=lambda x: np.mean(x**2, axis=1))
    return seen[0, 0, :, 0]


def test_gpt2_beside_pytorch(bench):
    depth, width, heads = GPT2["small"]
    network = gpt2("small", readout=False)

    def same(ours: np.ndarray, theirs: np.ndarray) -> None:
        error = np.std(theirs) / np.sqrt(len(TOKENS)) + 0.02 * np.mean(ours)
        assert abs(np.mean(ours) - np.mean(theirs)) < AGREEMENT * error

    bench.race(
        "architectures.gpt2, small",
        f"{len(TOKENS)} tokens, forward",
        lambda: powers(network, depth + 2, 1),
        [
            Peer(
                "dense weights, PyTorch",
                lambda seed: transformer.gpt2_with_torch(depth, width, heads, GPT2_VOCABULARY, TOKENS, seed),
                installed=installed("torch"),
            )
        ],
        agree=same,
    )


LARGE = {
    "gpt3": ("GPT-3", gpt3, {False: (15, 2e9), True: (60, 6e9)}),
    "llama": ("Llama, 70 billion", lambda: llama("70b"), {False: (15, 2e9), True: (60, 6e9)}),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("backward", [False, True])
def test_sizes_that_do_not_fit(bench, name, backward):
    """Forward passes come first: the memory is that of the process, at its peak so far."""
    title, make, goals = LARGE[name]
    network = make() if not bench.quick else gpt2("small")
    rounds = 1 if backward or bench.quick else 3
    norms = {"observe": lambda x: np.mean(x**2, axis=1).reshape(len(x), -1), "backward": backward}
    gpt2("small").sample(TOKENS[:, None], 1, 0, **norms)  # to warm up
    seconds = []

    def run() -> None:
        start = time.perf_counter()
        found = network.sample(TOKENS[:, None], 1, seed=1, **norms)
        seconds.append(time.perf_counter() - start)
        assert np.all(np.isfinite(found.gradients if backward else found))

    bench.benchmark.pedantic(run, rounds=rounds)
    limit, room = goals[backward]
    bench.row(
        "large",
        network=f"{title}, {len(TOKENS)} tokens",
        weights=4 * network.size((len(TOKENS), 1)).parameters,
        what="forward and back" if backward else "forward",
        ours=median(seconds),
        within=limit,
        peak=largest_memory(),
        room=room,
    )
