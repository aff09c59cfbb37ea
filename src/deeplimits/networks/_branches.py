"""What residual networks and their diffusions share: where they start, and which compiled loop carries them.

A step of the diffusion is a layer of the network whose outer activation is replaced by its Taylor
polynomial of second order, with the square replaced by its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _checks
from .._checks import FloatArray
from .._run import Run
from ..activations import linear, programs
from ..blocks import Blocks, ConvBlocks, filters, matrix
from ..gaussian import LAYERS, Address
from ..loops import fields, narrow, wide
from ..loops.branches import Branches, Layer
from ..loops.elementwise import function
from ._dense import cheaper, residual_states

#: What the one tap of a dense layer sees from its one position.
DENSE = np.zeros((1, 1), np.int64)

#: Nanoseconds of the factor of a row, for each cube of inputs.
ROWS_FACTOR = 0.4

#: Parameters that make weights or biases depend on each other.
COVARIANCES = ("row_covariance", "column_covariance", "bias_covariance")

#: Ways to draw the field of a convolutional layer.
METHODS = {None: None, "field": False, "filters": True}


class Start(NamedTuple):
    """Where samples start: (samples, ...), or (1, ...) where they share it."""

    states: FloatArray
    shared: bool

    def part(self, rows: slice) -> FloatArray:
        """The starts of some samples, or the one they share."""
        return self.states if self.shared else self.states[rows]


def start(x0: ArrayLike, shape: Sequence[int | str], samples: int) -> Start:
    """The starts of all samples.

    Shapes: (*shape, m) or (samples, *shape, m); a name in `shape` stands for any number.
    Raises: ValueError for another shape and for numbers that are not finite.
    """
    array = _checks.numbers("initial", x0)
    described = ", ".join(map(str, (*shape, "inputs")))
    shared = array.ndim == len(shape) + 1
    array = array[None] if shared else array
    fits = array.ndim == len(shape) + 2 and array.size and len(array) == (1 if shared else samples)
    if not fits or any(isinstance(n, int) and n != size for n, size in zip(shape, array.shape[1:-1], strict=True)):
        raise ValueError(f"initial must have shape ({described}) or (samples, {described}), got {np.shape(x0)}")
    if not np.all(np.isfinite(array)):
        raise ValueError("initial must be finite")
    return Start(array, shared)


def dense_start(blocks: Blocks, width: int, initial: ArrayLike, run: Run) -> Start:
    """The starts of networks whose weights are drawn, which must be dense.

    Shapes: initial is (width, m) or (samples, width, m).
    Raises: ValueError for convolutional blocks and for a start of another shape.
    """
    if isinstance(blocks, ConvBlocks):
        raise ValueError("blocks must be dense for what needs explicit weights, got ConvBlocks")
    return start(initial, (width,), run.samples)


def neighbours(rows: int, columns: int, kernel: int, padding: str) -> NDArray[np.int64]:
    """The positions that the taps of a filter see from each position, -1 beyond the edge.

    Shapes: (rows columns, kernel^2).
    """
    reach = np.arange(kernel) - kernel // 2
    shape = (rows, columns, kernel, kernel)
    row = np.broadcast_to(np.arange(rows)[:, None, None, None] + reach[:, None], shape)
    column = np.broadcast_to(np.arange(columns)[:, None, None] + reach, shape)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    seen = row % rows * columns + column % columns
    return np.where(inside | (padding == "periodic"), seen, -1).reshape(rows * columns, kernel**2)


def root(covariance: FloatArray | None) -> FloatArray:
    """The symmetric root of a covariance; an empty matrix for the identity."""
    if covariance is None:
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def states(blocks: Blocks, width: int, initial: ArrayLike, run: Run, method: str | None, *, limit: bool) -> FloatArray:
    """States of a network, or of its diffusion by the Euler scheme.

    Shapes: initial is (*state, m) or (samples, *state, m), returns (samples, times?, *state, m).
    """
    x0 = start(initial, blocks.state(width), run.samples)
    if isinstance(blocks, ConvBlocks):
        _checks.choice("method", method, filter(None, METHODS), optional=True)
        rows, columns, inputs = x0.states.shape[2:]
        flat = x0._replace(states=x0.states.reshape(len(x0.states), width, rows * columns * inputs))
        seen = neighbours(rows, columns, blocks.kernel, blocks.padding)
        out = _fields(blocks, flat, seen, run, METHODS[method], limit)
        return out.reshape(*out.shape[:-1], rows, columns, inputs)
    if not blocks.independent:
        if method is not None:
            raise ValueError(f"method must be None for blocks with dependent weights, got {_checks.shown(method)}")
        if _side_by_side(x0) and all(matrix(blocks, name) is None for name in COVARIANCES):
            return _dense(blocks, x0, run, limit)
        return _fields(blocks, x0, DENSE, run, None, limit)
    _checks.choice("method", method, ("rows", "weights"), optional=True)
    many = cheaper(width, x0.states.shape[2], ROWS_FACTOR) if method is None else method == "weights"
    return residual_states(blocks, x0, run, limit=limit) if many else _dense(blocks, x0, run, limit)


def _side_by_side(x0: Start) -> bool:
    """Whether samples are few numbers each, and share the tree of their inputs: then many go side by side."""
    width, inputs = x0.states.shape[1:]
    return width * inputs <= narrow.FITTING and (x0.shared or inputs <= 2)


def _dense(blocks: Blocks, x0: Start, run: Run, limit: bool) -> FloatArray:
    """States of a dense network with independent weights, which have means only where samples go side by side."""
    slope, second = blocks.taylor() if limit else (1.0, 0.0)
    step = blocks.time / run.count
    mean, bias_mean = matrix(blocks, "weight_mean"), matrix(blocks, "bias_mean")
    means = (np.zeros((0, 0)) if mean is None else step * mean, np.zeros(0) if bias_mean is None else step * bias_mean)
    layer = Layer(blocks.weight_variance * step, blocks.bias_variance * step, slope, second / 2, run.refinement, *means)
    if _side_by_side(x0):
        return _walk(narrow.propagate, blocks, x0, layer, run, limit, align=narrow.LANES)
    return _walk(wide.propagate, blocks, x0, layer, run, limit)


def _fields(
    blocks: Blocks, x0: Start, neighbours: NDArray[np.int64], run: Run, by_filters: bool | None, limit: bool
) -> FloatArray:
    """States of a network with correlated weights or with positions.

    Shapes: x0 is (samples, channels, positions m); returns (samples, times?, channels, positions m).
    """
    slope, second = blocks.taylor() if limit else (1.0, 0.0)
    step, channels = blocks.time / run.count, x0.states.shape[1]
    (kernel, covariances), biases = filters(blocks), matrix(blocks, "bias_covariance")
    mean, bias_mean, rows, columns = (
        matrix(blocks, name) for name in ("weight_mean", "bias_mean", "row_covariance", "column_covariance")
    )
    if biases is None and blocks.bias_variance:
        biases = np.asarray(blocks.bias_variance * np.eye(channels))
    taps = np.kron(*(np.eye(kernel) if one is None else root(one) for one in covariances))
    spread = blocks.weight_variance * step / (channels if columns is None else 1)
    field = fields.Field(
        neighbours,
        np.asarray(taps, np.float64),
        np.sqrt(spread),
        root(columns),
        root(rows),
        np.zeros((0, 0)) if biases is None else np.sqrt(step) * root(biases),
        np.array(
            [
                np.ones(channels) if rows is None else np.diag(rows),
                np.zeros(channels) if biases is None else step * np.diag(biases),
            ]
        ),
        np.zeros((0, 0))
        if mean is None
        else step * np.moveaxis(mean.reshape(channels, len(taps) * channels), 0, 1).copy(),
        np.zeros(0) if bias_mean is None else step * bias_mean,
        x0.states.shape[2] >= channels if by_filters is None else by_filters,
        slope,
        second / 2,
        run.refinement,
    )
    return _walk(fields.propagate, blocks, x0, field, run, limit)


def _walk(
    propagate: Callable[..., None], blocks: Blocks, x0: Start, law: NamedTuple, run: Run, limit: bool, align: int = 1
) -> FloatArray:
    """Run a loop over all samples, in pieces of whole blocks for the threads."""
    width = x0.states.shape[1]
    outer = linear() if limit else blocks.outer
    branches = Branches(function(blocks.inner, width, run.dtype), function(outer, width, run.dtype, near=True), law)

    def work(rows: slice, begin: int) -> None:
        propagate(
            out[rows],
            run.records,
            x0.part(rows),
            branches,
            Address(begin, LAYERS, run.seed),
            run.prototype,
            programs.scratch(run.dtype),
        )

    out = _checks.empty("samples", (run.samples, len(run.records), *x0.states.shape[1:]))
    run.spread(work, align)
    return run.shown(out)
