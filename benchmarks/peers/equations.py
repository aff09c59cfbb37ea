"""The correlation and covariance SDEs of shaped ReLU in torchsde and diffrax: Euler-Maruyama, single precision.

Drift and noise are written once, for any array library and any leading axes.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deeplimits._parallel import cores

#: Keeps roots and quotients finite where Euler leaves the cone of covariances.
TINY = 1e-30


def _nu(library, gap2: float, rho):
    """The drift of a correlation that the shaping gives."""
    return gap2 / (2 * math.pi) * (library.sqrt(1 - rho * rho) - rho * library.arccos(rho))


def correlation_drift(library, gap2: float, rho):
    rho = library.clip(rho, -1, 1)
    return _nu(library, gap2, rho) - rho * (1 - rho * rho) / 2


def correlation_noise(library, gap2: float, rho):
    rho = library.clip(rho, -1, 1)
    return 1 - rho * rho


def covariance_drift(library, gap2: float, V):
    """Shapes: (..., 3), the components V11, V12, V22, in and out."""
    size = library.sqrt(library.clip(V[..., 0] * V[..., 2], TINY, None))
    moved = _nu(library, gap2, library.clip(V[..., 1] / size, -1, 1)) * size
    return library.stack([0 * moved, moved, 0 * moved], -1)


def covariance_noise(library, gap2: float, V):
    """L S L^T for V = L L^T and a symmetric Gaussian S, its variances 2 on the diagonal and 1 beside it.

    Shapes: (..., 3) -> (..., 3, 3), the last axis for S11, S12 and S22.
    """
    a = library.sqrt(library.clip(V[..., 0], TINY, None))
    b = V[..., 1] / a
    c = library.sqrt(library.clip(V[..., 2] - b * b, 0, None))
    none, root = 0 * a, math.sqrt(2)
    rows = [[root * a * a, none, none], [root * a * b, a * c, none], [root * b * b, 2 * b * c, root * c * c]]
    return library.stack([library.stack(row, -1) for row in rows], -2)


#: Drift and noise by the number of components.
EQUATIONS = {1: (correlation_drift, correlation_noise), 3: (covariance_drift, covariance_noise)}


def with_torchsde(gap2: float, start: NDArray, time: float, steps: int, paths: int, seed: int) -> NDArray:
    """All paths at once, on all cores.

    Shapes: start (k,) -> (paths, k), k = 1 for the correlation and 3 for the covariance.
    """
    import torch
    import torchsde

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    drift, noise = EQUATIONS[len(start)]

    class Equation:
        noise_type, sde_type = "diagonal" if len(start) == 1 else "general", "ito"

        def f(self, t, y):
            return drift(torch, gap2, y)

        def g(self, t, y):
            return noise(torch, gap2, y)

    begin = torch.from_numpy(start.astype(np.float32)).expand(paths, -1)
    times = torch.tensor([0.0, time])
    with torch.inference_mode():
        return torchsde.sdeint(Equation(), begin, times, dt=time / steps, method="euler")[-1].numpy()


def with_diffrax(
    gap2: float, start: NDArray, time: float, steps: int, paths: int, seed: int, *, mapped: bool
) -> NDArray:
    """Compiled at the first call; `mapped` solves path by path (jax.vmap), else all paths are one state.

    Shapes: start (k,) -> (paths, k), k = 1 for the correlation and 3 for the covariance.
    """
    import jax

    solve = _solver(gap2, len(start), time, steps, paths, mapped)
    return np.asarray(solve(start.astype(np.float32), jax.random.key(seed)))


@cache
def _solver(gap2: float, components: int, time: float, steps: int, paths: int, mapped: bool):
    import diffrax
    import jax
    import jax.numpy as jnp
    import lineax

    drift, noise = EQUATIONS[components]

    def operator(t, y, args):
        g = noise(jnp, gap2, y)
        if components == 1:
            return lineax.DiagonalLinearOperator(g)
        shape = jax.eval_shape(lambda: y)
        return lineax.FunctionLinearOperator(lambda dW: jnp.einsum("...ij,...j->...i", g, dW), shape)

    def solve(start, key):
        path = diffrax.UnsafeBrownianPath(start.shape, key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda t, y, args: drift(jnp, gap2, y)), diffrax.ControlTerm(operator, path)
        )
        return diffrax.diffeqsolve(
            terms, diffrax.Euler(), 0.0, time, time / steps, start, adjoint=diffrax.DirectAdjoint(), max_steps=steps + 1
        ).ys[0]

    if mapped:
        return jax.jit(lambda start, key: jax.vmap(solve, (None, 0))(start, jax.random.split(key, paths)))
    return jax.jit(lambda start, key: solve(jnp.broadcast_to(start, (paths, components)), key))
