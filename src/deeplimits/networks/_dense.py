"""Networks with their weights, where inputs are so many that these are cheaper than a row for each neuron.

m inputs of a layer of n neurons are n Gaussian rows of length m: their factor costs m^3 and the rows n m^2. Weights
cost n^2 normals and one product, n^2 m.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .. import _checks
from .._blas import one_blas_thread
from .._checks import FloatArray
from .._run import Run, pieces
from ..activations import Activation, linear, programs
from ..blocks import Blocks
from ..lazy import REST, draw_rows, key_of
from ..loops.weights import apply_whole
from ..wishart import factor_of

if TYPE_CHECKING:
    from ._branches import Start
    from .shaped import ShapedMLP

#: Numbers of the weights and the states of the networks that are computed at once: they stay in a cache.
ROOM = 2**17


def cheaper(width: int, inputs: int, factor: float = 0.9) -> bool:
    """Whether weights cost less than rows, by nanoseconds of one core: `factor` those of the factor of a row."""
    rows = inputs**2 * (factor * inputs + 0.33 * width)
    return rows > width * (2 * width + 0.1 * width * inputs + 5 * inputs)


def shaped_states(network: ShapedMLP, V0: FloatArray, run: Run, *, tangents: bool = False) -> FloatArray:
    """Covariances of a shaped network from its weights: with `tangents`, of one input and its derivatives.

    Law: exact; weights have the precision of the run, all else is double.
    """
    activation, width = network.activation, network.width
    start, scale = factor_of(V0), network.activation.normaliser(width) / width

    def through(z: FloatArray) -> FloatArray:
        if not tangents:
            return _applied(activation, z)
        return np.concatenate(
            [_applied(activation, z[..., :1]), _applied(activation, z[..., :1], True) * z[..., 1:]], 2
        )

    def kernel(out: FloatArray, begin: int) -> None:
        out[:, run.records == 0] = V0
        z = _drawn(run, begin, len(out), width, start.shape[1], 0) @ start.T
        for layer in range(1, run.records[-1] + 1):
            h = through(z)
            if layer in run.records:
                place = np.searchsorted(run.records, layer)
                for one, state in zip(out, np.sqrt(scale) * h, strict=True):
                    np.matmul(state.T, state, out=one[place])  # by itself: NumPy then computes half of it
            if layer < run.records[-1]:
                z = (np.sqrt(scale) * _drawn(run, begin, len(out), width, width, layer)) @ h
        out[~np.logical_and.accumulate(np.isfinite(out.sum(axis=(2, 3))), axis=1)] = np.inf

    return _paths(kernel, run, V0.shape, width)


def residual_states(blocks: Blocks, x0: Start, run: Run, *, limit: bool) -> FloatArray:
    """States of a residual network with independent weights, or of its diffusion, from the weights.

    Shapes: x0 (samples or 1, width, m) -> (samples, times?, width, m).
    Law: exact; weights have the precision of the run, all else is double.
    """
    width, step = x0.states.shape[1], blocks.time / run.count
    slope, second = blocks.taylor() if limit else (1.0, 0.0)
    weight, bias = blocks.weight_variance * step / width, blocks.bias_variance * step
    straight = limit or blocks.outer == linear()

    def kernel(out: FloatArray, begin: int) -> None:
        place = begin - run.first
        x = np.array(np.broadcast_to(x0.part(slice(place, place + len(out))), (len(out), *x0.states.shape[1:])))
        for layer in range(run.records[-1] + 1):
            if layer:
                h = _applied(blocks.inner, x)
                drawn = _layer(run, begin, len(out), width, layer, biased=bias > 0)
                pre = (np.sqrt(weight) * slope * drawn[:, :, :width]) @ h
                if bias:
                    pre += np.sqrt(bias) * slope * drawn[:, :, width:]
                x += pre if straight else _applied(blocks.outer, pre)
                if second:
                    x += second / 2 * (weight * np.sum(h**2, axis=1, keepdims=True) + bias)
            if layer in run.records:
                out[:, run.records == layer] = x[:, None]
        out[~np.logical_and.accumulate(np.isfinite(out.sum(axis=(2, 3))), axis=1)] = np.inf

    return _paths(kernel, run, x0.states.shape[1:], width)


def _paths(kernel: Callable[[FloatArray, int], None], run: Run, shape: tuple[int, ...], width: int) -> FloatArray:
    """All samples, a few at once, without warnings of those that overflow."""

    def quiet(out: FloatArray, begin: int) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            kernel(out, begin)

    _checks.room("width", (2, width, width))  # the weights of a layer, and what they are made from
    with one_blas_thread():
        return run.paths(pieces(quiet, max(1, ROOM // (width * (width + shape[-1])))), shape)


def _layer(run: Run, begin: int, count: int, width: int, layer: int, *, biased: bool) -> FloatArray:
    """Weights, and biases, of a layer of standard deviation 1: the sum of those of the finer layers it stands for."""
    finer = range((layer - 1) * run.refinement, layer * run.refinement)
    drawn = _drawn(run, begin, count, width, width + biased, finer[0])
    for one in finer[1:]:
        drawn = drawn + _drawn(run, begin, count, width, width + biased, one)
    return drawn / np.sqrt(run.refinement) if run.refinement > 1 else drawn


def _drawn(run: Run, begin: int, count: int, rows: int, columns: int, layer: int) -> FloatArray:
    """Standard normals of a layer of some samples. Shapes: (count, rows, columns)."""
    index = np.broadcast_to(np.arange(rows), (count, rows))
    key = key_of(int(run.seed), f"weights/{layer}")
    return draw_rows(index, columns, REST, begin, key, run.dtype.type, 1).astype(np.float64, copy=False)


def _applied(activation: Activation, x: FloatArray, slope: bool = False) -> FloatArray:
    """An activation, or its derivative, in double precision. Shapes: (samples, width, m), the same out."""
    source = np.ascontiguousarray(x)
    target = np.empty_like(source)
    program = activation.program(x.shape[1], np.float64, derivative=slope)
    apply_whole(program, source.reshape(-1), target.reshape(-1), programs.scratch(np.float64))
    return target
