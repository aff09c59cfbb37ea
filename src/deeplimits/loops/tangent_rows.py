"""Compiled loops of the row sampler for one input and its tangents.

A tangent moves by v' = sqrt(c/n) W phi'(z) v: given the layer before, the pre-activation z and the tangents of a neuron
are one Gaussian row, as pre-activations of several inputs are. The Gram matrix of phi(z) and the phi'(z) v
is therefore a Markov chain of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import njit
from ..activations.programs import TILE, Program, apply
from ..gaussian import fill, padded
from .linear import add_products, cholesky, combine
from .program_rows import _product, _times, divisor_of


class Network(NamedTuple):
    """What the loops know of a network."""

    width: int
    scale: float  # c / n
    value: Program
    slope: Program
    at_zero: float



@njit
def _layer(gram, sizes, factor, network, sample, layer, stream, seed, normals, values, registers):
    """Replace `gram` by the Gram matrix after one layer of neurons. Rows are unit normals, so that none underflows."""
    count, kind = len(gram), values.dtype.type
    cholesky(gram, factor)
    for a in range(count):
        sizes[a] = np.sqrt(gram[a, a])
        if sizes[a] > 0:
            factor[a] /= sizes[a]
    divisor = divisor_of(False, sizes[0], network.at_zero)
    gram[:] = 0
    counter = 0
    for begin in range(0, network.width, TILE):
        neurons = min(TILE, network.width - begin)
        drawn = normals[: padded(neurons * count)]
        fill(drawn, counter, layer, sample, stream, seed)
        counter += len(drawn) // 4
        unit, slope = values[count, :neurons], values[count + 1, :neurons]
        _times(unit, drawn[:neurons], kind(sizes[0]))
        apply(network.value, unit, values[0, :neurons], registers)
        _times(values[0, :neurons], values[0, :neurons], kind(1 / divisor))
        apply(network.slope, unit, slope, registers)
        for a in range(count):
            if a > 0:
                combine(values[a, :neurons], drawn, factor[a, : a + 1], neurons)
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

