"""Tangent kernels of residual networks: numerical gradients, means at every width, approach to the limit."""

from __future__ import annotations

import numpy as np
import pytest
from samples import limit_for, same_everywhere, z_scores

from deeplimits.activations import linear, plain, shaped_relu, smooth
from deeplimits.blocks import Blocks
from deeplimits.gaussian import WEIGHTS, normals
from deeplimits.kernels import ResidualKernel
from deeplimits.networks import ResNet, ShapedMLP

GRAM = np.array([[1.0, 0.3], [0.3, 1.2]])


def symmetric_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def matrix_gaussian(width):
    draw = np.random.default_rng(3)
    outer, inner = draw.standard_normal((2, width, width)) / np.sqrt(width)
    return {
        "weight_mean": draw.standard_normal((width, width)),
        "row_covariance": outer @ outer.T,
        "column_covariance": inner.T @ inner,
        "bias_covariance": np.eye(width) + outer @ outer.T,
    }


def output(network, x0, parameters, readout):
    """<readout, x_T> by plain NumPy, from the standard normals of all layers, (depth, width^2 + width)."""
    width, step = network.width, network.blocks.time / network.depth
    identity = np.eye(width)
    rows = identity if network.blocks.row_covariance is None else symmetric_root(network.blocks.row_covariance)
    columns = (
        identity / np.sqrt(width)
        if network.blocks.column_covariance is None
        else symmetric_root(network.blocks.column_covariance)
    )
    bias = symmetric_root(
        network.blocks.bias_variance * identity
        if network.blocks.bias_covariance is None
        else network.blocks.bias_covariance
    )
    mean = 0 if network.blocks.weight_mean is None else step * network.blocks.weight_mean
    x = x0.copy()
    for one in parameters:
        W = (
            np.sqrt(network.blocks.weight_variance * step) * rows @ one[: width**2].reshape(width, width) @ columns
            + mean
        )
        b = np.sqrt(step) * bias @ one[width**2 :]
        x = x + network.blocks.outer(W @ network.blocks.inner(x) + b[:, None])
    return readout @ x


@pytest.mark.slow
@pytest.mark.parametrize(
    "law", [{"weight_variance": 1.5, "bias_variance": 0.5}, matrix_gaussian(3)], ids=["iid", "matrix"]
)
def test_kernel_is_the_product_of_numerical_gradients(law):
    network = ResNet(Blocks(plain("tanh"), plain("silu"), **law), 3, 4)
    x0, readout = np.array([[1.0, 0.3], [-0.5, 0.2], [0.8, 2.0]]), np.array([1.0, -2.0, 0.5])
    found = network.ntk(x0, 2, 1, readout=readout, precision="double")
    layers = [normals(1, 2, 32, layer=layer, stream=WEIGHTS, dtype=np.float64)[:, :12] for layer in range(4)]
    drawn = np.stack(layers, axis=1)
    for i in range(2):
        gradients = np.empty((4, 12, 2))
        for place in np.ndindex(4, 12):
            step = np.zeros((4, 12))
            step[place] = 1e-5
            gradients[place] = (
                output(network, x0, drawn[i] + step, readout) - output(network, x0, drawn[i] - step, readout)
            ) / 2e-5
        weights, biases = gradients[:, :9].reshape(36, 2), gradients[:, 9:].reshape(12, 2)
        assert found.weights[i] == pytest.approx(weights.T @ weights, rel=1e-6)
        assert found.biases[i] == pytest.approx(biases.T @ biases, rel=1e-6)
        assert found.total[i] == pytest.approx(weights.T @ weights + biases.T @ biases, rel=1e-6)
    if "row_covariance" in law:  # the roots on the wrong sides
        swapped = law | {"row_covariance": 3 * law["column_covariance"], "column_covariance": law["row_covariance"] / 3}
        network = ResNet(Blocks(plain("tanh"), plain("silu"), **swapped), 3, 4)
        other = network.ntk(x0, 2, 1, readout=readout, precision="double")
        assert np.all(np.abs(other.weights / found.weights - 1) > 1e-2)


def test_what_comes_before_the_blocks_is_carried_by_the_jacobian():
    network, x0 = ResNet(Blocks(plain("tanh"), plain("silu"), 1.5, 0.5), 4, 6), np.arange(8.0).reshape(4, 2) / 4
    before = np.array([[1.0, 0.4], [0.4, 2.0]])
    J = network.jacobians(x0, 5, 1).jacobian[:, :, 0]
    kernel = network.ntk(x0, 5, 1, inputs=before)
    assert kernel.inputs == pytest.approx(before * (J @ J.swapaxes(1, 2)), rel=1e-10)
    assert np.all(network.ntk(x0, 5, 1).inputs == 0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 3])
def test_mean_kernel_of_linear_networks_is_that_of_infinite_width_at_every_width(width):
    outer, x0 = plain("x/2"), np.ones((width, 2)) * [1.0, 2.0]
    found = ResNet(Blocks(linear(), outer, 1.5, 0.5), width, 12).ntk(x0, 40_000, 1)
    K0 = np.outer([1.0, 2.0], [1.0, 2.0])
    expected = ResidualKernel(Blocks(linear(), outer, 1.5, 0.5)).finite_depth_ntk(0, K0, 12)
    for kernel, mean in zip(found[:2], expected[:2], strict=True):
        assert np.all(np.abs(z_scores(kernel, mean)) < limit_for(8))
        assert np.all(np.abs(z_scores(kernel, 4 * mean)) > 2 * limit_for(8))  # without the square of outer'(0)


def check_row(size, samples, weights, biases, widths_first):
    """Peluchetti and Favaro's inputs 1 and 2: means as measured elsewhere, with their errors, and the recursion's."""
    x0, outer = np.ones((size, 2)) * [1.0, 2.0], plain("tanh")
    found = ResNet(Blocks(linear(), outer, 1, 1), size, size).ntk(x0, samples, 1)
    kernel = ResidualKernel(Blocks(linear(), outer, 1, 1))
    recursion = kernel.finite_depth_ntk(0, np.outer([1, 2], [1, 2]), size)
    limit = kernel.ntk(0, np.outer([1, 2], [1, 2]))
    for values, (mean, error), first, wide, deep in zip(
        found[:2], (weights, biases), widths_first, recursion[:2], limit[:2], strict=True
    ):
        values = values[:, 0, 1]
        spread = np.hypot(error, values.std() / np.sqrt(samples))
        assert abs(values.mean() - mean) < limit_for(4) * spread
        assert wide[0, 1] == pytest.approx(first, abs=1e-4)
        assert values.mean() == pytest.approx(first, rel=1 / size)  # finite width: a correction of order 1/width
        assert abs(values.mean() - deep[0, 1]) > 2 * limit_for(4) * spread  # the depth is not infinite


def test_kernels_of_size_15():
    check_row(15, 4000, (2.689, 0.019), (0.930, 0.006), (2.7778, 0.9341))


@pytest.mark.slow
def test_kernels_of_size_50():
    check_row(50, 1000, (4.367, 0.044), (1.303, 0.011), (4.4004, 1.3031))


@pytest.mark.slow
def test_mean_kernel_tends_to_the_limit_with_the_depth_alone():
    kernel = ResidualKernel(Blocks(linear(), plain("tanh"), 1, 1))
    limit = kernel.ntk(0, [[1.0]]).total[0, 0]
    means, errors = [], []
    for depth in (100, 200):
        values = ResNet(Blocks(linear(), plain("tanh"), 1, 1), 3, depth).ntk(np.ones((3, 1)), 20_000, 1).total[:, 0, 0]
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(len(values)))
    extrapolated, error = 2 * means[1] - means[0], np.hypot(2 * errors[1], errors[0])
    assert abs(extrapolated - limit) < limit_for(1) * error + 0.02 * limit
    assert limit - means[0] > 2 * limit_for(1) * errors[0]


def test_threads_and_chunks_change_nothing():
    x0, network = np.ones((5, 2)) * [1.0, 2.0], ResNet(Blocks(plain("tanh"), plain("silu"), 1, 1), 5, 6)
    same_everywhere(lambda samples, seed, **how: network.ntk(x0, samples, seed, **how).total)
    for phi in (shaped_relu(0, -1), smooth("tanh")):
        shaped = ShapedMLP(phi, 20, 5)
        for method in ("chain", "rows")[isinstance(phi, type(smooth("tanh"))) :]:
            same_everywhere(lambda *a, s=shaped, m=method, **how: s.tangents(GRAM, *a, at=[5, 2], method=m, **how))
        same_everywhere(lambda *a, s=shaped, **how: s.gradients(GRAM, *a, at=[0, 3], **how).norms)
        same_everywhere(lambda *a, s=shaped, **how: s.gradients(GRAM, *a, at=[0, 3], **how).tangents)


def test_kernel_that_overflows_is_infinite():
    network = ResNet(Blocks(plain("x**3"), linear(), 100.0), 2, 40)
    kernel = network.ntk(np.ones((2, 1)) * 1e6, 3, 1).total
    assert np.all(kernel == np.inf)
