"""Compiled loops of the tangent kernel of residual networks with explicit weights.

The gradient of an output with respect to one layer's weights is a backpropagated vector times the activations
that enter the layer, so its inner products need no gradient as such: they are products of two Gram matrices. Weights
are drawn again on the way back instead of being kept, so memory grows with the width and not with its square.
"""

from __future__ import annotations

import numpy as np

from .._jit import njit
from ..gaussian import of_sample, padded
from .branches import draw
from .weights import apply_whole


@njit
def _forward(x, Z, offset, psi, inner_slope, outer_slope, law, functions, scratch):
    """One layer, and what the way back needs of it.

    Shapes: rows are inputs, (m, width).
    """
    for j in range(len(x)):
        apply_whole(functions.inner, x[j], psi[j], scratch)
        apply_whole(functions.inner_slope, x[j], inner_slope[j], scratch)
    # The roots of the covariances are symmetric.
    h = law.scale * np.dot(np.dot(np.dot(psi, law.columns), Z.T), law.rows) + np.dot(psi, law.mean.T)
    h += np.dot(law.bias, offset) + law.bias_mean
    branch = np.empty(x.shape[1])
    for j in range(len(x)):
        apply_whole(functions.outer_slope, h[j], outer_slope[j], scratch)
        apply_whole(functions.outer, h[j], branch, scratch)
        x[j] += branch


@njit
def _backward(gradients, Z, psi, inner_slope, outer_slope, weights, biases, law):
    """Add a layer's share of both kernels and carry the gradients of the output through it."""
    entering = np.dot(psi, law.columns)
    leaving = outer_slope * gradients
    rows, offsets = np.dot(leaving, law.rows), np.dot(leaving, law.bias)
    weights += law.scale**2 * np.dot(rows, rows.T) * np.dot(entering, entering.T)
    biases += np.dot(offsets, offsets.T)
    gradients += inner_slope * (law.scale * np.dot(np.dot(rows, Z), law.columns) + np.dot(leaving, law.mean))


@njit
def propagate(out, starts, readouts, depth, functions, law, origin, prototype, scratch):
    """Kernels of the sample of `origin` and those after it.

    Shapes: out (3, samples, m, m): weights, biases, and the Gram of the gradients with respect to the start.
        starts (samples or 1, m, width), readouts (samples or 1, width).
    """
    inputs, width = starts.shape[1:]
    size = padded(width * width + width)
    normals, spare = np.empty(size, prototype.dtype), np.empty(size, prototype.dtype)
    psi, inner_slopes, outer_slopes = (
        np.empty((depth, inputs, width)),
        np.empty((depth, inputs, width)),
        np.empty((depth, inputs, width)),
    )
    x, gradients = np.empty((inputs, width)), np.empty((inputs, width))
    for i in range(out.shape[1]):
        x[:], gradients[:] = starts[i % len(starts)], readouts[i % len(readouts)]
        out[:, i] = 0
        address = of_sample(origin, origin.sample + i)
        for turn in range(2 * depth):
            layer = min(turn, 2 * depth - 1 - turn)
            # The last layer is still at hand when the way back begins.
            if turn != depth:
                draw(normals, spare, size, 0, layer, law.refinement, address)
                drawn = normals.astype(np.float64) / np.sqrt(law.refinement)
                Z = drawn[: width * width].reshape(width, width)
                offset = drawn[width * width : width * width + width]
            if turn < depth:
                _forward(x, Z, offset, psi[layer], inner_slopes[layer], outer_slopes[layer], law, functions, scratch)
            else:
                _backward(gradients, Z, psi[layer], inner_slopes[layer], outer_slopes[layer], out[0, i], out[1, i], law)
        out[2, i] = np.dot(gradients, gradients.T)
