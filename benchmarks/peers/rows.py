"""Our own samplers in plain NumPy: what our loops do, without our loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Normals drawn at once, about: 256 KiB.
NORMALS = 2**16


def with_numpy(activation, width: int, depth: int, V0: NDArray, networks: int, seed: int) -> NDArray:
    """Covariances at the last layer: one Gaussian row for each neuron, many networks at once.

    Shapes: (networks, m, m).
    """
    rng = np.random.default_rng(seed)
    plus, minus = (np.float32(slope) for slope in activation.slopes(width))
    scale = activation.normaliser(width) / width
    V = np.repeat(V0[None], networks, axis=0)
    batch = max(1, NORMALS // (width * len(V0)))
    for begin in range(0, networks, batch):
        some = V[begin : begin + batch]
        for _ in range(depth):
            factor = np.linalg.cholesky(some).astype(np.float32)
            z = rng.standard_normal((len(some), width, len(V0)), dtype=np.float32) @ factor.swapaxes(1, 2)
            state = np.where(z > 0, z * plus, z * minus)
            some[:] = scale * (state.swapaxes(1, 2) @ state)
    return V


def norm_with_numpy(b: float, start: float, time: float, steps: int, paths: int, seed: int) -> NDArray:
    """The norm SDE by the explicit solution for 1/V, all paths in one array.

    Shapes: (paths,), +inf after an explosion.
    """
    rng, step = np.random.default_rng(seed), time / steps
    inverse, alive = np.full(paths, 1 / start), np.ones(paths, bool)

    def drift(duration: float) -> None:
        inverse[:] = 1 + (inverse - 1) * np.exp(b * duration)
        np.logical_and(alive, inverse > 0, out=alive)

    drift(step / 2)
    for done in range(steps):
        inverse *= np.exp(step - np.sqrt(2 * step) * rng.standard_normal(paths, dtype=np.float32))
        drift(step if done < steps - 1 else step / 2)
    return np.where(alive, 1 / inverse, np.inf)
