"""Networks with dense weight matrices, many at once, in PyTorch and in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplimits._parallel import cores

#: Weights of a batch of networks, about: 4 MiB, which the second-level cache holds.
WEIGHTS = 2**20


def start(V0: NDArray, width: int) -> NDArray:
    """Inputs of the dimension `width` whose Gram matrix <x, x'>/width is V0.

    Shapes: (m, m) -> (width, m). Gaussian weights have no preferred axes, so these may be the first.
    """
    x = np.zeros((width, len(V0)), np.float32)
    x[: len(V0)] = np.sqrt(width) * np.linalg.cholesky(V0).T
    return x


def batches(networks: int, width: int) -> list[int]:
    """Sizes of batches whose weights come to about WEIGHTS."""
    batch = max(1, min(networks, WEIGHTS // width**2))
    return [min(batch, networks - begin) for begin in range(0, networks, batch)]


def with_torch(activation, width: int, depth: int, V0: NDArray, networks: int, seed: int) -> NDArray:
    """Covariances at the last layer, single precision, on all cores.

    Shapes: (networks, m, m).
    """
    import torch

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    plus, minus = activation.slopes(width)
    scale = (activation.normaliser(width) / width) ** 0.5
    x = torch.from_numpy(start(V0, width))
    out = []
    with torch.inference_mode():
        for batch in batches(networks, width):
            weights = torch.empty(batch, width, width)
            state = (x / width**0.5).expand(batch, *x.shape)
            for _ in range(depth):
                z = torch.bmm(weights.normal_(), state)
                state = torch.where(z > 0, z * (scale * plus), z * (scale * minus))
            out.append(state.transpose(1, 2) @ state)
    return torch.cat(out).numpy()


def with_numpy(activation, width: int, depth: int, V0: NDArray, networks: int, seed: int, kind=np.float64) -> NDArray:
    """Covariances at the last layer; NumPy draws on one core and multiplies on all.

    Shapes: (networks, m, m).
    """
    rng = np.random.default_rng(seed)
    plus, minus = (kind(slope) for slope in activation.slopes(width))
    scale = kind((activation.normaliser(width) / width) ** 0.5)
    x = start(V0, width).astype(kind) / kind(width**0.5)
    out = []
    for batch in batches(networks, width):
        weights = np.empty((batch, width, width), kind)
        state = np.broadcast_to(x, (batch, *x.shape))
        for _ in range(depth):
            z = rng.standard_normal(out=weights, dtype=kind) @ state
            state = np.where(z > 0, z * (scale * plus), z * (scale * minus))
        out.append(state.swapaxes(1, 2) @ state)
    return np.concatenate(out)


def residual_with_torch(depth: int, x0: NDArray, networks: int, seed: int) -> NDArray:
    """Last states of x + W relu(x), the weights of variance 1/(width depth), single precision, on all cores.

    Shapes: x0 (width, m) -> (networks, width, m).
    """
    import torch

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    width = len(x0)
    start, scale = torch.from_numpy(x0.astype(np.float32)), (width * depth) ** -0.5
    out = []
    with torch.inference_mode():
        for batch in batches(networks, width):
            weights = torch.empty(batch, width, width)
            state = start.repeat(batch, 1, 1)
            for _ in range(depth):
                state.baddbmm_(weights.normal_(), state.relu(), alpha=scale)
            out.append(state)
    return torch.cat(out).numpy()


def many_with_numpy(activation, width: int, depth: int, V0: NDArray, networks: int, seed: int) -> NDArray:
    """Covariances at the last layer for any number of inputs, double precision, one network after the other.

    Shapes: (networks, m, m).
    """
    rng = np.random.default_rng(seed)
    plus, minus = activation.slopes(width)
    scale = (activation.normaliser(width) / width) ** 0.5
    x, out = np.linalg.cholesky(V0).T, np.empty((networks, *V0.shape))
    for one in out:
        state = x
        for _ in range(depth):
            z = rng.standard_normal((width, len(state))) @ state
            state = np.where(z > 0, z * (scale * plus), z * (scale * minus))
        one[:] = state.T @ state
    return out


def residual_with_numpy(depth: int, x0: NDArray, networks: int, seed: int) -> NDArray:
    """Last states of x + W relu(x), the weights of variance 1/(width depth), double precision, one after the other.

    Shapes: x0 (width, m) -> (networks, width, m).
    """
    rng = np.random.default_rng(seed)
    width, out = len(x0), np.empty((networks, *x0.shape))
    for state in out:
        state[:] = x0
        for _ in range(depth):
            state += (rng.standard_normal((width, width)) * (width * depth) ** -0.5) @ np.maximum(state, 0)
    return out
