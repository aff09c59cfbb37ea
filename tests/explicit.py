"""What the package is held against: networks with every weight drawn, and closed forms written out."""

import numpy as np


def network_with_weights(network, x0, samples, seed, outer=None):
    """The last state with every weight drawn, in float64."""
    draw, n, step = np.random.default_rng(seed), network.width, network.blocks.time / network.depth
    outer = network.blocks.outer if outer is None else outer
    x = np.broadcast_to(x0, (samples, *x0.shape)).copy()
    for _ in range(network.depth):
        W = draw.standard_normal((samples, n, n)) * np.sqrt(network.blocks.weight_variance * step / n)
        b = draw.standard_normal((samples, n, 1)) * np.sqrt(network.blocks.bias_variance * step)
        x += outer(W @ network.blocks.inner(x, n) + b, n)
    return x


def matrix_gaussian():
    """Parameters with a non-symmetric factor of the column covariance, and that factor."""
    draw = np.random.default_rng(3)
    outer, bias = 0.4 * draw.standard_normal((2, 3, 3))
    inner = np.array([[0.1, 1.2, 0.0], [0.0, 0.0, 0.4], [0.2, 0.0, 0.0]])
    law = {
        "weight_mean": 0.4 * draw.standard_normal((3, 3)),
        "bias_mean": draw.standard_normal(3),
        "row_covariance": outer @ outer.T,
        "column_covariance": inner.T @ inner,
        "bias_covariance": bias @ bias.T,
    }
    return law, inner


def erf_products(K):
    """E psi psi' and E psi' psi' of erf(sqrt(pi)/2 x), centred, in closed form."""
    s = np.pi / 4
    scale = np.outer(1 + 2 * s * np.diag(K), 1 + 2 * s * np.diag(K))
    return 2 / np.pi * np.arcsin(2 * s * K / np.sqrt(scale)), 4 * s / np.pi / np.sqrt(scale - (2 * s * K) ** 2)
