"""The solver of the chapter on neural equations, against closed forms, networks and a second solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from deeplimits.activations import linear, plain
from deeplimits.blocks import Blocks
from deeplimits.fractional import FractionalResNet

diffrax = pytest.importorskip("diffrax")
jax = pytest.importorskip("jax")

START = np.array([1.0, -0.5, 0.2, 0.0])
MATRICES = np.random.default_rng(5).standard_normal((2, 4, 4)) / 2


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    """Double precision in this module only: other tests see jax as they find it."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def solved(field):
    """The state at time 1, by the method and the tolerances of the chapter."""
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, x, _: field(t, x)),
        diffrax.Tsit5(),
        0.0,
        1.0,
        0.05,
        jax.numpy.array(START),
        stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-8),
    )
    return np.asarray(found.ys[-1])


@pytest.mark.slow
def test_linear_equation_is_the_matrix_exponential():
    W = MATRICES[0]
    assert solved(lambda t, x: W @ x) == pytest.approx(expm(W) @ START, abs=1e-7)
    euler = np.linalg.matrix_power(np.eye(4) + W / 1000, 1000) @ START
    assert abs(euler - expm(W) @ START).max() > 1e-5  # a network of a thousand layers is not so near


def test_networks_with_shared_weights_approach_it_at_order_one():
    depths = [32, 64, 128]
    blocks = Blocks(plain("tanh"), linear())
    states = [FractionalResNet(blocks, 4, L, 1).sample(START[:, None], 1, 3, noise_depth=128)[0, :, 0] for L in depths]
    shared = FractionalResNet(Blocks(plain("tanh"), linear()), 4, 128, 1).weights(1, 3)[0].sum(axis=0)
    limit = solved(lambda t, x: shared @ jax.numpy.tanh(x))
    errors = [np.linalg.norm(x - limit) for x in states]
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([1, 1], abs=0.1)


@pytest.mark.slow
def test_diffrax_and_torchdiffeq_agree():
    torch = pytest.importorskip("torch")
    torchdiffeq = pytest.importorskip("torchdiffeq")
    A, B = MATRICES
    ours = solved(lambda t, x: (A * jax.numpy.cos(np.pi * t) + B * jax.numpy.sin(np.pi * t)) @ jax.numpy.tanh(x))
    a, b, start = (torch.tensor(array, dtype=torch.float64) for array in (A, B, START))
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    theirs = torchdiffeq.odeint(
        lambda t, x: (a * torch.cos(np.pi * t) + b * torch.sin(np.pi * t)) @ torch.tanh(x),
        start,
        times,
        method="dopri5",
        rtol=1e-9,
        atol=1e-9,
    )[-1].numpy()
    assert ours == pytest.approx(theirs, abs=1e-6)
    still = torchdiffeq.odeint(lambda t, x: a @ torch.tanh(x), start, times, method="dopri5", rtol=1e-9, atol=1e-9)
    assert np.abs(ours - still[-1].numpy()).max() > 1e-2  # weights that stay as they are at the start
