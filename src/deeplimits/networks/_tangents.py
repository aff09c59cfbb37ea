"""Shaped networks seen through one input and its tangents, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray
from .._parallel import BLOCK
from .._run import Run
from ..gaussian import TANGENT_LAYERS, TANGENT_SPLITS, Address, block_generator
from ..loops.tangent_rows import Neurons, propagate, workspace
from ..wishart import factor_of

if TYPE_CHECKING:
    from .shaped import ShapedMLP


def tangent_rows(network: ShapedMLP, gram: FloatArray, run: Run) -> FloatArray:
    """Sample the tangents of any network by its Gaussian rows: width times (1 + tangents) normals a layer.

    Law: exact.
    """
    activation, width = network.activation, network.width
    # The polynomial near the centre keeps the digits of small pre-activations.
    known = Neurons(
        width,
        activation.normaliser(width) / width,
        activation.program(width, run.dtype, near=True),
        activation.program(width, run.dtype, derivative=True),
        abs(activation.value0),
    )

    def kernel(out: FloatArray, begin: int) -> None:
        propagate(
            out,
            run.records,
            gram,
            known,
            Address(begin, TANGENT_LAYERS, run.seed),
            workspace(width, len(gram), run.dtype),
        )

    return run.paths(kernel, gram.shape)


def tangent_chain(network: ShapedMLP, gram: FloatArray, run: Run) -> FloatArray:
    """Sample the tangents of a network of rectifiers: the same work a layer whatever the width.

    Law: exact. Where phi(z) = phi'(z) z, a neuron's row is multiplied by one of two slopes. The sign of its
        row decides which, and no product of two entries knows that sign. A layer therefore multiplies a factor of
        the Gram matrix by one of c/n (s_plus^2 W_K + s_minus^2 W_(n-K)), two Wishart matrices with K binomial(n, 1/2).
    """
    width = network.width
    slopes = np.sqrt(network.activation.normaliser(width) / width) * np.array(network.slopes)

    def block(number: int) -> FloatArray:
        draw = block_generator(int(run.seed), number, TANGENT_SPLITS)
        factor = np.broadcast_to(factor_of(gram), (BLOCK, *factor_of(gram).shape))
        kept = np.empty((BLOCK, len(run.records), *gram.shape))
        for layer in range(run.records[-1] + 1):
            if layer:
                active = draw.binomial(width, 0.5, BLOCK)
                sides = [
                    slope * _bartlett(draw, freedom, factor.shape[-1])
                    for slope, freedom in zip(slopes, (active, width - active), strict=True)
                ]
                triangle = np.asarray(np.linalg.qr(np.concatenate(sides, 2).swapaxes(1, 2), "r"))
                factor = factor @ triangle.swapaxes(1, 2)
            if layer in run.records:
                kept[:, run.records == layer] = (factor @ factor.swapaxes(1, 2))[:, None]
        return kept

    return run.blocks(block, gram.shape)


def _bartlett(draw: np.random.Generator, freedoms: NDArray[np.int64], rank: int) -> FloatArray:
    """Triangular factors of Wishart matrices, each with its own degrees of freedom, also below the rank."""
    factor = np.zeros((len(freedoms), rank, rank))
    for column in range(rank):
        left = np.maximum(freedoms - column, 0)
        factor[:, column, column] = np.sqrt(2 * draw.standard_gamma(left / 2))
        below = draw.standard_normal((len(freedoms), rank - column - 1))
        factor[:, column + 1 :, column] = below * (left > 0)[:, None]
    return factor
