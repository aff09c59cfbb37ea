"""Convolutional residual networks, sampled exactly as Gaussian fields over positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import FloatArray, whole
from .._run import Layers, Network, Run
from ._branches import Activation, Branches, Start, simulate_fields, start

#: What lies beyond the edge of an image.
PADDINGS = ("zero", "periodic")

#: Ways to draw the field of a layer.
METHODS = {None: None, "field": False, "filters": True}


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


def check(law: object) -> None:
    """Check the kernel and the padding of a convolution, and keep the law of its branches.

    Raises: ValueError that names the argument, its value and what is allowed.
    """
    if whole("kernel", law.kernel) % 2 == 0:
        raise ValueError(f"kernel must be odd, so that it has a centre, got {law.kernel}")
    if law.padding not in PADDINGS:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS)}, got {law.padding!r}")
    left_out = ("channels", "depth", "padding")
    given = {field.name: getattr(law, field.name) for field in fields(law) if field.name not in left_out}
    object.__setattr__(law, "_branches", Branches(whole("channels", law.channels), **given))


def images(law: object, initial: ArrayLike, run: Run, method: str | None, *, limit: bool) -> FloatArray:
    """Images carried by a convolutional network or its diffusion.

    Shapes: (channels, rows, columns, m) or (samples, ...) in, (samples, times?, channels, rows, columns, m) out.
    """
    if method not in METHODS:
        raise ValueError(f"method must be 'field', 'filters' or None, got {method!r}")
    states, shared = start(initial, (law.channels, "rows", "columns"), run.samples)
    rows, columns, inputs = states.shape[2:]
    flat = Start(states.reshape(len(states), law.channels, rows * columns * inputs), shared)
    seen = neighbours(rows, columns, law.kernel, law.padding)
    out = simulate_fields(law._branches, flat, seen, run, limit=limit, filters=METHODS[method])
    return out.reshape(*out.shape[:-1], rows, columns, inputs)


@dataclass(frozen=True, eq=False)
class ConvResNet(Network):
    """A convolutional residual network x + outer(dW * inner(x) + db) on images of any size.

    Each of the `depth` layers covers dt = time/depth. The filters have kernel x kernel taps (odd) and stride 1. Beyond
    the edge they see the image again ("periodic") or states of zero ("zero"), both through the inner activation.
    Independent weights have variance weight_variance dt/channels, not divided by kernel^2. More generally their
    covariance for a step is weight_variance row_covariance[o, p] vertical_covariance[u, v]
    horizontal_covariance[w, x] column_covariance[i, j] dt over output channels, rows and columns of the
    filter, and input channels, each the identity by default (column_covariance the identity over
    channels). Biases as for `ResNet`, the same at all positions.

    Shapes: row_covariance, column_covariance and bias_covariance (channels, channels), vertical_ and
        horizontal_covariance (kernel, kernel), weight_mean (channels, kernel, kernel, channels), bias_mean (channels,).
    Source: Peluchetti and Favaro 2021, convolutional residual networks, fully iid and matrix Gaussian parameters.
    Raises: ValueError that names the argument, its value and what is allowed.
    """

    channels: int
    depth: int
    inner: Activation
    outer: Activation
    kernel: int = 3
    padding: str = "zero"
    weight_variance: float = 1.0
    bias_variance: float = 0.0
    time: float = 1.0
    weight_mean: ArrayLike | None = None
    bias_mean: ArrayLike | None = None
    row_covariance: ArrayLike | None = None
    column_covariance: ArrayLike | None = None
    bias_covariance: ArrayLike | None = None
    vertical_covariance: ArrayLike | None = None
    horizontal_covariance: ArrayLike | None = None

    def __post_init__(self) -> None:
        whole("depth", self.depth, most=2**31 - 1)
        check(self)

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, *,
               method: str | None = None, **how: Unpack[Layers]) -> FloatArray:
        """States of independent networks.

        Shapes: initial is (channels, rows, columns, m), the same for all networks, or (samples, channels, rows,
            columns, m). Returns (samples, channels, rows, columns, m) at the last layer, or (samples, len(at),
            channels, rows, columns, m) at the layers `at`, in their order; layer 0 is the start, layer
            `depth` the last.
        Law: exact. Given a layer, the pre-activations of a channel are one Gaussian vector over positions and
            inputs, whose covariance is the Gram matrix of the patches. Its factor is the triangular one ("field")
            or the patches themselves ("filters", whose normals are filters); None takes the first where
            positions times inputs are fewer than channels. Normals and activations have single precision,
            everything else double; `precision="double"` draws and evaluates in double.
            Sample i depends only on (seed, first + i) and the start; `noise_depth` as for `ResNet`, which couples
            samples of the same method. A state that overflows is infinite from there on.
        Source: Peluchetti and Favaro 2021, convolutional residual networks.
        Raises: ValueError for a start of another shape or not finite, samples below 1, layers outside 0..depth,
            noise_depth that is no multiple of depth, an unknown precision or method.
        """
        run = self._run(samples, seed, at, how)
        return images(self, initial, run, method, limit=False)
