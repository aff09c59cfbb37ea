"""Shaped networks seen through one input and its tangents, without weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray
from .._parallel import BLOCK, fill_blocks, over_samples
from ..activations import Plain
from ..activations.programs import scratch
from ..gaussian import TANGENT_LAYERS, TANGENT_SPLITS, block_generator
from ..loops.rows import NEURONS
from ..loops.tangent_rows import Network, _propagate
from ..wishart import factor_of


def tangent_rows(network, gram, out, layers, seed, first, threads, precision) -> None:
    """Sample the tangents of any network by its Gaussian rows: width times (1 + tangents) normals a layer.

    Law: exact.
    """
    activation, width = network.activation, network.width
    dtype = np.float32 if precision == "single" else np.float64
    at_zero = activation.value0 if isinstance(activation, Plain) else 0.0
    # The polynomial near the centre keeps the digits of small pre-activations.
    known = Network(width, activation.normaliser(width) / width, activation.program(width, dtype, near=True),
                    activation.program(width, dtype, derivative=True), abs(at_zero))

    def piece(start: int, stop: int) -> None:
        neurons, count = min(width, NEURONS), len(gram)
        _propagate(out[start:stop], layers, gram, known, first + start, TANGENT_LAYERS, np.uint64(seed),
                   np.empty(32 * -(-neurons * count // 32), dtype), np.empty((count + 2, neurons), dtype),
                   scratch(dtype))

    over_samples(piece, len(out), threads)


def tangent_chain(network, gram, out, layers, seed, first, threads, precision) -> None:
    """Sample the tangents of a network of rectifiers: the same work a layer whatever the width.

    Law: exact. Where phi(z) = phi'(z) z, a neuron's row is multiplied by one of two slopes. The sign of its
        row decides which, and no product of two entries knows that sign. A layer therefore multiplies a factor of
        the Gram matrix by one of c/n (s_plus^2 W_K + s_minus^2 W_(n-K)), two Wishart matrices with K binomial(n, 1/2).
    """
    width = network.width
    slopes = np.sqrt(network.activation.normaliser(width) / width) * np.array(network.activation.slopes(width))

    def block(number: int) -> FloatArray:
        draw = block_generator(seed, number, TANGENT_SPLITS)
        factor = np.broadcast_to(factor_of(gram), (BLOCK, *factor_of(gram).shape))
        kept = np.empty((BLOCK, len(layers), *gram.shape))
        for layer in range(layers[-1] + 1):
            if layer:
                active = draw.binomial(width, 0.5, BLOCK)
                sides = [slope * _bartlett(draw, freedom, factor.shape[-1])
                         for slope, freedom in zip(slopes, (active, width - active), strict=True)]
                triangle = np.linalg.qr(np.concatenate(sides, 2).swapaxes(1, 2), "r")
                factor = factor @ triangle.swapaxes(1, 2)
            if layer in layers:
                kept[:, layers == layer] = (factor @ factor.swapaxes(1, 2))[:, None]
        return kept

    fill_blocks(block, out, first, threads)


def _bartlett(draw: np.random.Generator, freedoms: NDArray[np.int64], rank: int) -> FloatArray:
    """Triangular factors of Wishart matrices, each with its own degrees of freedom, also below the rank."""
    factor = np.zeros((len(freedoms), rank, rank))
    for column in range(rank):
        left = np.maximum(freedoms - column, 0)
        factor[:, column, column] = np.sqrt(2 * draw.standard_gamma(left / 2))
        below = draw.standard_normal((len(freedoms), rank - column - 1))
        factor[:, column + 1 :, column] = below * (left > 0)[:, None]
    return factor
