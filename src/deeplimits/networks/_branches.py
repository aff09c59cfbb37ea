"""What residual networks and their diffusions share: the law of the weights and the choice of kernel.

A step of the diffusion is a layer of the network whose outer activation is replaced by its Taylor
polynomial of second order, with the square replaced by its mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _checks
from .._checks import FloatArray, real, whole
from .._run import Run
from ..activations import Plain, Rectifier, linear, programs
from ..gaussian import LAYERS
from ..loops import fields as _fields
from ..loops import narrow as _residual_narrow
from ..loops import wide as _residual_wide
from ..loops.elementwise import Layer, compiled

Activation = Rectifier | Plain

#: What the one tap of a dense layer sees from its one position.
DENSE = np.zeros((1, 1), np.int64)


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


@dataclass(frozen=True, eq=False)
class Branches:
    """Residual branches outer(dW inner(x) + db) with weights of any Gaussian law of matrix form."""

    width: int
    inner: Activation
    outer: Activation
    weight_variance: float
    bias_variance: float
    time: float
    weight_mean: ArrayLike | None
    bias_mean: ArrayLike | None
    row_covariance: ArrayLike | None
    column_covariance: ArrayLike | None
    bias_covariance: ArrayLike | None
    vertical_covariance: ArrayLike | None = None
    horizontal_covariance: ArrayLike | None = None
    kernel: int = 1

    def __post_init__(self) -> None:
        whole("width", self.width)
        for name in ("inner", "outer"):
            value = getattr(self, name)
            if not isinstance(value, Activation):
                raise ValueError(f"{name} must be activations.plain(...), relu() or linear(), got {value!r}")
        self._keep("weight_variance", real("weight_variance", self.weight_variance, least=0))
        self._keep("bias_variance", real("bias_variance", self.bias_variance, least=0))
        self._keep("time", real("time", self.time, above=0))
        mean = (self.width, self.width) if self.kernel == 1 else (self.width, self.kernel, self.kernel, self.width)
        for name, shape in (("weight_mean", mean), ("bias_mean", (self.width,))):
            self._keep(name, _finite(name, getattr(self, name), shape))
        for name in ("row_covariance", "column_covariance", "bias_covariance"):
            self._keep(name, _square(name, getattr(self, name), self.width))
        for name in ("vertical_covariance", "horizontal_covariance"):
            self._keep(name, _square(name, getattr(self, name), self.kernel))
        if self.bias_covariance is not None and self.bias_variance:
            raise ValueError(f"bias_variance must be 0 where bias_covariance is given, got {self.bias_variance}")

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def independent(self) -> bool:
        """Whether all weights and biases are independent and centred."""
        return all(getattr(self, name) is None for name in (
            "weight_mean", "bias_mean", "row_covariance", "column_covariance", "bias_covariance"))

    def taylor(self) -> tuple[float, float]:
        """Slope and curvature of the outer activation at 0, for the diffusion.

        Raises: ValueError for activations that are not smooth enough to have this limit.
        """
        inner, outer = self.inner, self.outer
        if outer.smoothness < 3:
            raise ValueError(
                f"outer must have 3 continuous derivatives at 0, {outer.name} has {outer.smoothness:g}: its branches "
                "do not shrink to a diffusion. Use a smooth one such as plain('gelu'), or a finite ResNet")
        if outer.value0 != 0:
            raise ValueError(f"outer must vanish at 0, {outer.name} is {outer.value0:.6g} there; subtract that value")
        if inner.regularity < 2 and not isinstance(outer, Rectifier):
            raise ValueError(
                f"inner must have 2 continuous derivatives unless outer is linear(), {inner.name} has "
                f"{inner.regularity:g}; use a smooth one such as plain('softplus'), or outer=linear()")
        return outer.slope0, outer.second0


def _finite(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray | None:
    """An array of numbers of one shape, or None."""
    if value is None:
        return None
    array = _checks.numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite")
    return array


def _square(name: str, value: ArrayLike | None, size: int) -> FloatArray | None:
    """A positive semi-definite matrix, or None."""
    array = _finite(name, value, (size, size))
    if array is None:
        return None
    scale = np.abs(array).max()
    if np.any(np.abs(array - array.T) > _checks.ROUNDING * scale):
        raise ValueError(f"{name} must be symmetric")
    smallest = np.linalg.eigvalsh(array)[0]
    if smallest < -_checks.ROUNDING * scale * size:
        raise ValueError(f"{name} must be positive semi-definite, its smallest eigenvalue is {smallest:.6g}")
    return (array + array.T) / 2


def root(covariance: FloatArray | None) -> FloatArray:
    """The symmetric root of a covariance; an empty matrix for the identity."""
    if covariance is None:
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def simulate(branches: Branches, x0: Start, run: Run, *, limit: bool) -> FloatArray:
    """States of a dense network, or of its diffusion by the Euler scheme.

    Shapes: x0 is (samples, width, m); returns (samples, times?, width, m).
    """
    if not branches.independent:
        return simulate_fields(branches, x0, DENSE, run, limit=limit)
    slope, second = branches.taylor() if limit else (1.0, 0.0)
    step = branches.time / run.count
    layer = Layer(branches.weight_variance * step, branches.bias_variance * step, slope, second / 2, run.refinement)
    width, inputs = x0.states.shape[1:]
    # Samples side by side share the tree of their inputs, so their starts must be the same.
    narrow = width * inputs <= _residual_narrow.FITTING and (x0.shared or inputs <= 2)
    kernel = _residual_narrow if narrow else _residual_wide
    return _walk(kernel.propagate, branches, x0, layer, run, limit, align=_residual_narrow.LANES if narrow else 1)


def simulate_fields(branches: Branches, x0: Start, neighbours: NDArray[np.int64], run: Run, *, limit: bool,
                    filters: bool | None = None) -> FloatArray:
    """States of a network with correlated weights or with positions, or of its diffusion.

    Shapes: x0 is (samples, channels, positions m); returns (samples, times?, channels, positions m).
    """
    slope, second = branches.taylor() if limit else (1.0, 0.0)
    step, channels = branches.time / run.count, branches.width
    taps, biases = branches.kernel**2, branches.bias_covariance
    if biases is None and branches.bias_variance:
        biases = branches.bias_variance * np.eye(channels)
    factors = [np.eye(branches.kernel) if one is None else root(one)
               for one in (branches.vertical_covariance, branches.horizontal_covariance)]
    mean, bias_mean = branches.weight_mean, branches.bias_mean
    rows = branches.row_covariance
    spread = branches.weight_variance * step / (channels if branches.column_covariance is None else 1)
    field = _fields.Field(
        neighbours, np.kron(*factors), np.sqrt(spread), root(branches.column_covariance), root(rows),
        np.zeros((0, 0)) if biases is None else np.sqrt(step) * root(biases),
        np.array([np.ones(channels) if rows is None else np.diag(rows),
                  np.zeros(channels) if biases is None else step * np.diag(biases)]),
        np.zeros((0, 0)) if mean is None else step * np.moveaxis(
            mean.reshape(channels, taps * channels), 0, 1).copy(),
        np.zeros(0) if bias_mean is None else step * bias_mean,
        x0.states.shape[2] >= channels if filters is None else filters,
        slope, second / 2, run.refinement)
    return _walk(_fields.propagate, branches, x0, field, run, limit)


def _walk(kernel, branches: Branches, x0: Start, law: NamedTuple, run: Run, limit: bool,
          align: int = 1) -> FloatArray:
    """Run a kernel over all samples, in pieces of whole blocks for the threads."""
    inner = compiled(branches.inner, branches.width, run.dtype)
    outer = compiled(linear() if limit else branches.outer, branches.width, run.dtype, near=True)

    def work(rows: slice, begin: int) -> None:
        kernel(out[rows], run.records, x0.part(rows), inner, outer, law, begin, LAYERS, run.seed, run.prototype,
               programs.scratch(run.dtype))

    out = np.empty((run.samples, len(run.records), *x0.states.shape[1:]))
    run.spread(work, align)
    return run.shown(out)
