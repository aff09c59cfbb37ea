"""Compiled loops of the row sampler for one input and its tangents.

A tangent moves by v' = sqrt(c/n) W phi'(z) v: given the layer before, the pre-activation z and the tangents of a neuron
are one Gaussian row, as pre-activations of several inputs are. The Gram matrix of phi(z) and the phi'(z) v
is therefore a Markov chain of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._jit import njit
from ..activations.programs import TILE, Program, apply, scratch
from ..gaussian import fill, of_sample, padded
from .linear import add_products, cholesky, combine, product, times
from .program_rows import divisor_of


class Neurons(NamedTuple):
    """A layer of so many neurons: their activation, its slope, and the size of its value at 0."""

    width: int
    scale: float  # c / n
    value: Program
    slope: Program
    at_zero: float


class Work(NamedTuple):
    """Buffers of one thread, the size of a tile of neurons."""

    normals: NDArray
    values: NDArray
    registers: NDArray


def workspace(width: int, rows: int, dtype: DTypeLike) -> Work:
    """Empty buffers for one thread."""
    count = min(width, TILE)
    return Work(np.empty(padded(count * rows), dtype), np.empty((rows + 2, count), dtype), scratch(dtype))


@njit
def _layer(gram, sizes, factor, neurons, layer, address, work):
    """Replace `gram` by the Gram matrix after one layer of neurons. Rows are unit normals, so that none underflows."""
    values, registers = work.values, work.registers
    count, kind = len(gram), values.dtype.type
    cholesky(gram, factor)
    for a in range(count):
        sizes[a] = np.sqrt(gram[a, a])
        if sizes[a] > 0:
            factor[a] /= sizes[a]
    divisor = divisor_of(False, sizes[0], neurons.at_zero)
    gram[:] = 0
    counter = 0
    for begin in range(0, neurons.width, TILE):
        tile = min(TILE, neurons.width - begin)
        drawn = work.normals[: padded(tile * count)]
        fill(drawn, counter, layer, address)
        counter += len(drawn) // 4
        unit, slope = values[count, :tile], values[count + 1, :tile]
        times(unit, drawn[:tile], kind(sizes[0]))
        apply(neurons.value, unit, values[0, :tile], registers)
        times(values[0, :tile], values[0, :tile], kind(1 / divisor))
        apply(neurons.slope, unit, slope, registers)
        for a in range(count):
            if a > 0:
                combine(values[a, :tile], drawn, factor[a, : a + 1], tile)
                product(values[a, :tile], slope)
            add_products(gram, values, a, tile)
    sizes[0] = divisor
    for a in range(count):
        for b in range(a + 1):
            gram[a, b] *= neurons.scale * sizes[a] * sizes[b]
            gram[b, a] = gram[a, b]


@njit
def propagate(out, layers, start, neurons, origin, work):
    """Carry the sample of `origin` and those after it through the layers and write the Gram matrices asked for.

    Shapes: out is (samples, len(layers), m, m); layers ascend. One that the floating-point numbers cannot hold is
    +inf in every entry from its layer on.
    """
    gram, factor, sizes = np.empty_like(start), np.zeros_like(start), np.empty(len(start))
    for i in range(len(out)):
        gram[:] = start
        address = of_sample(origin, origin.sample + i)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                if gram[0, 0] < np.inf:
                    _layer(gram, sizes, factor, neurons, done, address, work)
                    if not np.all(np.isfinite(gram)):
                        gram[:] = np.inf
                done += 1
            out[i, place] = gram
