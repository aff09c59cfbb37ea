"""Networks with explicit weights beyond plain layers: convolutions, Jacobians, attention, Euler steps of a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplimits._parallel import cores

#: Weights of a batch, about: 4 MiB, which the second-level cache holds.
WEIGHTS = 2**20


def batches(networks: int, weights: int) -> list[int]:
    """Sizes of batches whose layers have about WEIGHTS weights."""
    batch = max(1, min(networks, WEIGHTS // weights))
    return [min(batch, networks - begin) for begin in range(0, networks, batch)]


def _torch(seed: int):
    import torch

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    return torch


def diffusion_with_numpy(
    inner, slope: float, second: float, steps: int, x0: NDArray, samples: int, seed: int
) -> NDArray:
    """Euler steps of dx = slope dW psi(x) + second/2 |psi(x)|^2/width dt to time 1, with all entries of W.

    Shapes: x0 (width, m) -> (samples, width, m).
    """
    rng, (width, _), out = np.random.default_rng(seed), x0.shape, []
    for batch in batches(samples, width**2):
        weights, x = np.empty((batch, width, width), np.float32), np.repeat(x0[None], batch, axis=0)
        for _ in range(steps):
            psi = inner(x)
            moved = rng.standard_normal(out=weights, dtype=np.float32) @ psi.astype(np.float32)
            x += slope * (width * steps) ** -0.5 * moved
            x += second / 2 / steps * np.mean(psi**2, axis=1, keepdims=True)
        out.append(x)
    return np.concatenate(out)


def convolutions_with_torch(depth: int, x0: NDArray, networks: int, seed: int) -> NDArray:
    """Last states of x + tanh(W * tanh(x)), 3 x 3 filters and zero padding: all networks of a batch as groups.

    Shapes: x0 (channels, rows, columns, m) -> (networks, channels, rows, columns, m).
    """
    torch = _torch(seed)
    channels, rows, columns, inputs = x0.shape
    start, scale, out = torch.from_numpy(x0.astype(np.float32)).permute(3, 0, 1, 2), (channels * depth) ** -0.5, []
    with torch.inference_mode():
        for batch in batches(networks, 9 * channels**2):
            filters = torch.empty(batch * channels, channels, 3, 3)
            state = start.repeat(1, batch, 1, 1)
            for _ in range(depth):
                branch = torch.nn.functional.conv2d(state.tanh(), filters.normal_(), padding=1, groups=batch)
                state += branch.mul_(scale).tanh_()
            out.append(state.view(inputs, batch, channels, rows, columns).permute(1, 2, 3, 4, 0))
    return torch.cat(out).numpy()


def jacobians_with_torch(depth: int, x0: NDArray, networks: int, seed: int) -> NDArray:
    """Jacobians of x + W tanh(x) by forward differentiation, vectorised over networks, in double precision.

    Shapes: x0 (width,) -> (networks, width, width).
    """
    torch = _torch(seed)
    width = len(x0)
    start, scale = torch.from_numpy(x0), (width * depth) ** -0.5

    def network(x, weights):
        for W in weights:
            x = x + scale * (W @ torch.tanh(x))
        return x

    differentiate = torch.func.vmap(torch.func.jacfwd(network), in_dims=(None, 0))
    drawn = (torch.randn(batch, depth, width, width, dtype=torch.double) for batch in batches(networks, 8 * width**2))
    return torch.cat([differentiate(start, weights) for weights in drawn]).numpy()


def jacobians_with_numpy(depth: int, x0: NDArray, networks: int, seed: int) -> NDArray:
    """The same Jacobians as a product of layers.

    Shapes: x0 (width,) -> (networks, width, width).
    """
    rng, width, out = np.random.default_rng(seed), len(x0), []
    scale = (width * depth) ** -0.5
    for batch in batches(networks, width**2):
        x, J = np.repeat(x0[None], batch, axis=0), np.repeat(np.eye(width)[None], batch, axis=0)
        for _ in range(depth):
            weights = scale * rng.standard_normal((batch, width, width))
            psi = np.tanh(x)
            J += (weights * (1 - psi**2)[:, None]) @ J
            x += np.squeeze(weights @ psi[..., None], -1)
        out.append(J)
    return np.concatenate(out)


def attention_with_torch(network, V0: NDArray, networks: int, seed: int) -> NDArray:
    """Token covariances of shaped attention with query, key and value matrices, single precision, on all cores.

    Shapes: V0 (m, m) -> (networks, m, m).
    """
    torch = _torch(seed)
    width, keys, tokens = network.width, network.key_width, len(V0)
    first = np.zeros((tokens, width), np.float32)
    first[:, :tokens] = np.sqrt(width) * np.linalg.cholesky(V0)
    start, eye, out = torch.from_numpy(first), torch.eye(tokens), []
    sharpness = network.temperature * width * (width * keys) ** 0.5
    kept = (1 - network.gamma**2) ** 0.5
    with torch.inference_mode():
        for batch in batches(networks, width * (width + 2 * keys)):
            values, pair = torch.empty(batch, width, width), torch.empty(2, batch, width, keys)
            X = start.expand(batch, -1, -1)
            for _ in range(network.depth):
                queries, others = X @ pair.normal_()
                scores = queries @ others.transpose(1, 2) / sharpness
                A = eye + scores.softmax(-1) - 1 / tokens
                X = kept * X + network.gamma / width**0.5 * (A @ (X @ values.normal_()))
            out.append(X @ X.transpose(1, 2) / width)
    return torch.cat(out).numpy()
