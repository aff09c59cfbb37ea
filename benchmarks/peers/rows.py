"""The exact sampler without weights, in plain NumPy: what our loops do, without our loops."""

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
