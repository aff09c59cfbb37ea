"""Shaped networks seen through one input and its tangents, without weights.

A tangent moves by v' = sqrt(c/n) W phi'(z) v: given the layer before, the pre-activation z and the tangents of a neuron
are one Gaussian row, as pre-activations of several inputs are. The Gram matrix of phi(z) and the phi'(z) v
is therefore a Markov chain of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray
from .._jit import njit
from .._parallel import BLOCK, fill_blocks, over_samples
from ..activations import Plain
from ..activations.programs import Program, apply, scratch
from ..gaussian import TANGENT_LAYERS, TANGENT_SPLITS, block_generator, fill
from ..wishart import factor_of
from ._program_rows import _product, _times, divisor_of
from ._rows import NEURONS, _cholesky, _combine, add_products


class Network(NamedTuple):
    """What the loops know of a network."""

    width: int
    scale: float  # c / n
    value: Program
    slope: Program
    at_zero: float


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


@njit
def _layer(gram, sizes, factor, network, sample, layer, stream, seed, normals, values, registers):
    """Replace `gram` by the Gram matrix after one layer of neurons. Rows are unit normals, so that none underflows."""
    count, kind = len(gram), values.dtype.type
    _cholesky(gram, factor)
    for a in range(count):
        sizes[a] = np.sqrt(gram[a, a])
        if sizes[a] > 0:
            factor[a] /= sizes[a]
    divisor = divisor_of(False, sizes[0], network.at_zero)
    gram[:] = 0
    counter = 0
    for begin in range(0, network.width, NEURONS):
        neurons = min(NEURONS, network.width - begin)
        drawn = normals[: 32 * ((neurons * count + 31) // 32)]
        fill(drawn, counter, layer, sample, stream, seed)
        counter += len(drawn) // 4
        unit, slope = values[count, :neurons], values[count + 1, :neurons]
        _times(unit, drawn[:neurons], kind(sizes[0]))
        apply(network.value, unit, values[0, :neurons], registers)
        _times(values[0, :neurons], values[0, :neurons], kind(1 / divisor))
        apply(network.slope, unit, slope, registers)
        for a in range(count):
            if a > 0:
                _combine(values[a, :neurons], drawn, factor[a, : a + 1], neurons)
                _product(values[a, :neurons], slope)
            add_products(gram, values, a, neurons)
    sizes[0] = divisor
    for a in range(count):
        for b in range(a + 1):
            gram[a, b] *= network.scale * sizes[a] * sizes[b]
            gram[b, a] = gram[a, b]


@njit
def _propagate(out, layers, start, network, first, stream, seed, normals, values, registers):
    """Carry samples first, first + 1, ... through the layers and write the Gram matrices asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend. One that the floating-point numbers cannot hold is
    +inf in every entry from its layer on.
    """
    gram, factor, sizes = np.empty_like(start), np.zeros_like(start), np.empty(len(start))
    for i in range(len(out)):
        gram[:] = start
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                if gram[0, 0] < np.inf:
                    _layer(gram, sizes, factor, network, first + i, done, stream, seed, normals, values, registers)
                    if not np.all(np.isfinite(gram)):
                        gram[:] = np.inf
                done += 1
            out[i, place] = gram


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
