"""Kernels of infinite width beside neural-tangents."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from deeplimits import activations, data, kernels
from deeplimits.blocks import Blocks

from .peers import tangents
from .racing import Peer

DEPTH = 32
BOTH = ("nngp", "ntk")

#: Rounding of both after all layers.
EXACT = 1e-7


def neural_tangents(*job) -> Peer:
    return Peer("neural-tangents", lambda seed: tangents.kernels(*job), installed=tangents.PYTHON.exists())


def close(ours: np.ndarray, theirs: np.ndarray, error: float) -> None:
    """The kernels are the same within an error relative to the largest entry.

    Shapes: ours (1 or 2, m, m): covariance, tangent kernel; theirs the same for each round.
    """
    np.testing.assert_allclose(theirs[: len(ours)], ours, rtol=0, atol=error * np.abs(ours).max())


def test_shaped_network(bench):
    x, width = data.digits().inputs[: bench.size(300, 50)], 150
    V0, phi = data.gram(x), activations.shaped_relu(0.0, -1.0)
    plus, minus = phi.slopes(width)
    kernel = kernels.CovarianceODE(phi)
    bench.race(
        "CovarianceODE, finite depth",
        f"{len(x)} digits, {DEPTH} layers, covariance",
        lambda: kernel.finite_depth(V0, width, DEPTH)[None],
        [neural_tangents(("nngp",), "shaped", DEPTH, (minus, plus, phi.normaliser(width)), x)],
        agree=partial(close, error=EXACT),
    )


def test_residual_network_of_infinite_depth(bench):
    """Ours is the limit; theirs approaches it with an error of order 1/depth, which shows here."""
    x = data.digits().inputs[: bench.size(100, 20)]
    K0 = data.gram(x)
    kernel = kernels.ResidualKernel(Blocks(activations.relu(), activations.linear()))
    bench.race(
        "ResidualKernel, ReLU, infinite depth",
        f"{len(x)} digits, {DEPTH} blocks for theirs, both kernels",
        lambda: np.stack([kernel.at(0.0, K0).covariance, kernel.ntk(0.0, K0, inputs=K0).total]),
        [neural_tangents(BOTH, "residual", DEPTH, "relu", x)],
        agree=partial(close, error=1 / DEPTH),
    )


@pytest.mark.parametrize("name, label", [("relu", "ReLU"), ("erf", "erf")])
def test_residual_network_of_finite_depth(bench, name, label):
    """Closed forms on both sides."""
    x = data.digits().inputs[: bench.size(300, 50)]
    K0 = data.gram(x)
    kernel = kernels.ResidualKernel(Blocks(activations.plain(name), activations.linear()))

    def ours():
        tangent = kernel.finite_depth_ntk(0.0, K0, DEPTH, inputs=K0)
        return np.stack([kernel.finite_depth(0.0, K0, DEPTH).covariance, tangent.total])

    bench.race(
        f"ResidualKernel, {label}, finite depth",
        f"{len(x)} digits, {DEPTH} blocks, both kernels",
        ours,
        [neural_tangents(BOTH, "residual", DEPTH, name, x)],
        agree=partial(close, error=EXACT),
    )
