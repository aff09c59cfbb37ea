"""Residual blocks: the one description from which a network, its diffusion and its infinitely wide kernel are made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from . import _checks
from ._checks import FloatArray, choice, real, whole
from .activations import Activation, ActivationLike
from .activations.coercion import keep_unshaped

__all__ = ["Blocks", "ConvBlocks"]

#: What lies beyond the edge of an image.
PADDINGS = ("zero", "periodic")


@dataclass(frozen=True, eq=False)
class Blocks:
    """Residual blocks x + outer(dW inner(x) + db): their activations, and the Gaussian law of their parameters.

    A block that covers dt of the `time` has independent weights of variance weight_variance dt / width and biases of
    variance bias_variance dt. With inner=relu(), outer=linear() and the defaults these are the blocks of Hayou; with
    smooth activations those of Peluchetti and Favaro. More generally the weights are weight_mean dt + sqrt(dt) eps with
    cov(eps[o, i], eps[p, j]) = weight_variance row_covariance[o, p] column_covariance[i, j], where row_covariance is
    the identity by default and column_covariance the identity over width, and the biases have mean
    bias_mean dt and covariance bias_covariance dt. Such matrices fix the width. A string stands for that activation as
    it is: "tanh" for `plain("tanh")`, "relu" for `relu()`.

    Shapes: weight_mean and the covariances (width, width), bias_mean (width,).
    Source: Hayou 2023, residual network; Peluchetti and Favaro 2021, fully iid and matrix Gaussian parameters.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> from deeplimits import activations, networks
    >>> from deeplimits.blocks import Blocks
    >>> hayou = Blocks(inner=activations.relu(), outer=activations.linear())
    >>> hayou == Blocks(activations.relu(), activations.linear()), hayou.time
    (True, 1.0)
    >>> network = networks.ResNet(hayou, width=10, depth=50)
    """

    inner: Activation
    outer: Activation
    weight_variance: float = 1.0
    bias_variance: float = 0.0
    time: float = 1.0
    weight_mean: ArrayLike | None = None
    bias_mean: ArrayLike | None = None
    row_covariance: ArrayLike | None = None
    column_covariance: ArrayLike | None = None
    bias_covariance: ArrayLike | None = None

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(
            self,
            inner: ActivationLike,
            outer: ActivationLike,
            weight_variance: float = 1.0,
            bias_variance: float = 0.0,
            time: float = 1.0,
            weight_mean: ArrayLike | None = None,
            bias_mean: ArrayLike | None = None,
            row_covariance: ArrayLike | None = None,
            column_covariance: ArrayLike | None = None,
            bias_covariance: ArrayLike | None = None,
        ) -> None: ...

    #: Parameters that make weights or biases depend on each other, or that are no mean of zero.
    DEPENDENT = ("weight_mean", "bias_mean", "row_covariance", "column_covariance", "bias_covariance")

    def __post_init__(self) -> None:
        keep_unshaped(self, "inner", "outer")
        self._keep("weight_variance", real("weight_variance", self.weight_variance, least=0))
        self._keep("bias_variance", real("bias_variance", self.bias_variance, least=0))
        self._keep("time", real("time", self.time, above=0))
        for name in self.DEPENDENT:
            value = getattr(self, name)
            if value is not None:
                read = _checks.semidefinite if name.endswith("_covariance") else _checks.reals
                self._keep(name, read(name, value))
        if self.bias_covariance is not None and self.bias_variance:
            raise ValueError(f"bias_variance must be 0 where bias_covariance is given, got {self.bias_variance}")

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _values(self) -> tuple[object, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return tuple((value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value for value in values)

    def __eq__(self, other: object) -> bool:
        """Blocks with equal activations and equal numbers are equal."""
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    @property
    def independent(self) -> bool:
        """Whether all weights and biases are independent and centred."""
        return all(getattr(self, name) is None for name in self.DEPENDENT)

    def fitting(self, width: int) -> int:
        """The width, after a check that it is the one of the matrices.

        Raises: ValueError for a width that is no positive integer, and for a matrix of another shape.
        """
        whole("width", width)
        for name in self.DEPENDENT:
            value, shape = getattr(self, name), self._shape(name, width)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {value.shape}")
        return width

    def _shape(self, name: str, width: int) -> tuple[int, ...]:
        return (width,) if name == "bias_mean" else (width, width)

    def state(self, width: int) -> tuple[int | str, ...]:
        """The shape of a state without its axis of inputs; a name stands for any number."""
        return (width,)

    def taylor(self) -> tuple[float, float]:
        """Slope and curvature of the outer activation at 0: all that the diffusion knows of it.

        Law: exact.
        Source: Peluchetti and Favaro 2021, diffusion limit.
        Raises: ValueError for activations that are not smooth enough to have this limit.
        """
        inner, outer = self.inner, self.outer
        if outer.smoothness < 3:
            raise ValueError(
                f"outer must have 3 continuous derivatives at 0, {outer.name} has {outer.smoothness:g}: its branches "
                "do not shrink to a diffusion. Use a smooth one such as plain('gelu'), or a finite ResNet"
            )
        if outer.value0 != 0:
            raise ValueError(f"outer must vanish at 0, {outer.name} is {outer.value0:.6g} there; subtract that value")
        if inner.regularity < 2 and outer.rectifier is None:
            raise ValueError(
                f"inner must have 2 continuous derivatives unless outer is linear(), {inner.name} has "
                f"{inner.regularity:g}; use a smooth one such as plain('softplus'), or outer=linear()"
            )
        return outer.slope0, outer.second0


@dataclass(frozen=True, eq=False)
class ConvBlocks(Blocks):
    """Convolutional residual blocks x + outer(dW * inner(x) + db) on images of any size; the width is in channels.

    The filters have kernel x kernel taps (odd) and stride 1. Beyond the edge they see the image again ("periodic") or
    states of zero ("zero"), both through the inner activation. Independent weights have variance
    weight_variance dt / channels, not divided by kernel^2. More generally their covariance for a step is
    weight_variance row_covariance[o, p] vertical_covariance[u, v] horizontal_covariance[w, x] column_covariance[i, j]
    dt over output channels, rows and columns of the filter, and input channels, each the identity by default
    (column_covariance the identity over channels). Biases as for `Blocks`, the same at all positions.

    Shapes: row_covariance, column_covariance and bias_covariance (channels, channels), vertical_ and
        horizontal_covariance (kernel, kernel), weight_mean (channels, kernel, kernel, channels), bias_mean (channels,).
    Source: Peluchetti and Favaro 2021, convolutional residual networks, fully iid and matrix Gaussian parameters.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> import numpy as np
    >>> from deeplimits import activations, networks
    >>> from deeplimits.blocks import ConvBlocks
    >>> blocks = ConvBlocks(activations.plain("tanh"), activations.linear(), kernel=3)
    >>> image = np.ones((4, 8, 8, 1))  # channels, rows, columns, inputs
    >>> networks.ResNet(blocks, width=4, depth=10).sample(image, samples=5, seed=1).shape
    (5, 4, 8, 8, 1)
    """

    kernel: int = 3
    padding: str = "zero"
    vertical_covariance: ArrayLike | None = None
    horizontal_covariance: ArrayLike | None = None

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(
            self,
            inner: ActivationLike,
            outer: ActivationLike,
            weight_variance: float = 1.0,
            bias_variance: float = 0.0,
            time: float = 1.0,
            weight_mean: ArrayLike | None = None,
            bias_mean: ArrayLike | None = None,
            row_covariance: ArrayLike | None = None,
            column_covariance: ArrayLike | None = None,
            bias_covariance: ArrayLike | None = None,
            kernel: int = 3,
            padding: str = "zero",
            vertical_covariance: ArrayLike | None = None,
            horizontal_covariance: ArrayLike | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        if whole("kernel", self.kernel) % 2 == 0:
            raise ValueError(f"kernel must be odd, so that it has a centre, got {self.kernel}")
        choice("padding", self.padding, PADDINGS)
        for name in ("vertical_covariance", "horizontal_covariance"):
            value = getattr(self, name)
            if value is not None:
                self._keep(name, _checks.semidefinite(name, value, self.kernel))

    @property
    def independent(self) -> bool:
        """Whether all weights and biases are independent and centred."""
        return super().independent and self.vertical_covariance is None and self.horizontal_covariance is None

    def _shape(self, name: str, width: int) -> tuple[int, ...]:
        return (width, self.kernel, self.kernel, width) if name == "weight_mean" else super()._shape(name, width)

    def state(self, width: int) -> tuple[int | str, ...]:
        """The shape of a state without its axis of inputs; a name stands for any number."""
        return (width, "rows", "columns")


def matrix(blocks: Blocks, name: str) -> FloatArray | None:
    """A parameter of the blocks that is an array, or None: construction has made it one."""
    value = getattr(blocks, name)
    return None if value is None else np.asarray(value)


def filters(blocks: Blocks) -> tuple[int, list[FloatArray | None]]:
    """The taps of a filter, and the covariances over its rows and columns; a dense block has one tap."""
    if isinstance(blocks, ConvBlocks):
        return blocks.kernel, [matrix(blocks, "vertical_covariance"), matrix(blocks, "horizontal_covariance")]
    return 1, [None, None]


def checked_blocks(value: object) -> Blocks:
    """The blocks that a network or a limit is made of.

    Raises: ValueError for anything else.
    """
    if not isinstance(value, Blocks):
        raise ValueError(f"blocks must be blocks.Blocks(inner, outer, ...) or ConvBlocks, got {_checks.shown(value)}")
    return value
