"""Diffusions beside general solvers, at the same step and number of paths, and how they grow."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from deeplimits import activations, diffusions

from .peers import equations, rows
from .racing import Peer, installed, norms_and_correlations, same_means

PHI = activations.shaped_relu(0.0, -1.0)
TIME, STEPS = 0.5, 128

#: Bias of Euler-Maruyama at this step in what is compared (ours is of order 2), a few times dt/2.
BIAS = 0.01


def peers(start: list[float], paths: int) -> list[Peer]:
    """The solvers; diffrax both as its documentation has it and in the way that suits it best here."""
    problem = (PHI.gap2, np.array(start), TIME, STEPS, paths)
    return [
        Peer("torchsde", partial(equations.with_torchsde, *problem), goal=60, installed=installed("torch")),
        Peer(
            "diffrax, vmap over paths",
            partial(equations.with_diffrax, *problem, mapped=True),
            goal=20,
            installed=installed("diffrax"),
        ),
        Peer(
            "diffrax, all paths one state",
            partial(equations.with_diffrax, *problem, mapped=False),
            installed=installed("diffrax"),
        ),
    ]


def matrices(components):
    """Covariances from their components V11, V12, V22, where Euler has kept them positive."""
    V = components[..., [[0, 1], [1, 2]]] if components.ndim == 2 else components
    return norms_and_correlations(V[(V[:, 0, 0] > 0) & (V[:, 1, 1] > 0)])


def test_correlation(bench):
    paths = bench.size(2**16, 2**12)
    sde = diffusions.CorrelationSDE(PHI, TIME)
    bench.race(
        "CorrelationSDE",
        f"{paths} paths, {STEPS} steps",
        lambda: sde.sample(0.3, paths, seed=1, steps=STEPS),
        peers([0.3], paths),
        agree=same_means(lambda rho: rho.reshape(-1, 1), BIAS),
        normals=paths * STEPS,
    )


def test_covariance(bench):
    paths = bench.size(2**16, 2**12)
    sde = diffusions.CovarianceSDE(PHI, TIME)
    V0 = np.array([[1.0, 0.3], [0.3, 1.0]])
    bench.race(
        "CovarianceSDE, two inputs",
        f"{paths} paths, {STEPS} steps",
        lambda: sde.sample(V0, paths, seed=1, steps=STEPS),
        peers([1.0, 0.3, 1.0], paths),
        agree=same_means(matrices, BIAS),
        normals=3 * paths * STEPS,
    )


def test_norm(bench):
    """GELU, whose norm may explode: compared is 1/(1 + V), which is then 0."""
    paths = bench.size(2**18, 2**13)
    sde = diffusions.NormSDE(activations.smooth("gelu"), TIME)
    bench.race(
        "NormSDE, GELU",
        f"{paths} paths, {STEPS} steps",
        lambda: sde.sample(2.0, paths, seed=1, steps=STEPS),
        [Peer("same solution, plain NumPy", partial(rows.norm_with_numpy, sde.b, 2.0, TIME, STEPS, paths))],
        agree=same_means(lambda V: 1 / (1 + V.reshape(-1, 1))),
        normals=paths * STEPS,
    )


def correlation(k: int, steps: int = STEPS):
    return diffusions.CorrelationSDE(PHI, TIME).sample(0.3, k, seed=1, steps=steps)


def covariance(k: int, steps: int = STEPS, inputs: int = 2):
    gram = 0.7 * np.eye(inputs) + 0.3
    return diffusions.CovarianceSDE(PHI, TIME).sample(gram, k, seed=1, steps=steps)


GROWTH = {
    ("CorrelationSDE", "paths"): (correlation, [2**16, 2**18, 2**20], 1),
    ("CorrelationSDE", "steps"): (lambda steps: correlation(2**14, steps), [64, 256, 1024], 1),
    ("CovarianceSDE", "paths"): (covariance, [2**14, 2**16, 2**18], 1),
    ("CovarianceSDE", "steps"): (lambda steps: covariance(2**13, steps), [64, 256, 1024], 1),
    ("CovarianceSDE", "inputs"): (lambda inputs: covariance(2**12, inputs=inputs), [3, 6, 12], None),
}


@pytest.mark.parametrize("process, against", GROWTH)
def test_growth(bench, process, against):
    run, values, expected = GROWTH[process, against]
    bench.grow(process, against, values, run, expected)
