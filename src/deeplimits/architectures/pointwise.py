"""Blocks without matrices: activations and normalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import FloatArray, real
from .._parallel import over_samples
from ..activations import Activation as Given
from ..activations import activation as given
from ..activations import programs
from ..kernels import _expectations
from ..loops.weights import apply_whole
from ._block import Backward, Block, Moments, Size
from ._parameters import Scope

#: Numbers that one thread evaluates at a time.
PIECE = 2**14


def resolved(activation: Any) -> Any:
    """An activation of the package from itself or its name; a callable stays what it is.

    Raises: ValueError for anything else.
    """
    if isinstance(activation, str):
        return given(activation)
    if not callable(activation):
        raise ValueError(f"activation must be a name, an activation of the package or a callable, got {activation!r}")
    return activation


def evaluate(activation: Any, x: FloatArray, width: int, *, slope: bool = False) -> FloatArray:
    """An activation of the package, or its derivative, in double precision on several threads."""
    program = activation.program(width, np.float64, derivative=slope)
    source = np.ascontiguousarray(x, np.float64).reshape(-1)
    target = np.empty_like(source)

    def piece(low: int, high: int) -> None:
        apply_whole(program, source[low:high], target[low:high], programs.scratch(np.float64))

    over_samples(piece, source.size, None if source.size > 4 * PIECE else 1, align=PIECE)
    return target.reshape(x.shape)


@dataclass(frozen=True)
class Elementwise(Block):
    """An activation of every neuron: a name, an activation of the package, or a callable with its derivative.

    Shapes: callables map arrays to arrays of the same shape. Shaped activations take the width of the state.
    Raises: ValueError for an unknown name; on the way back for a callable without derivative.

    >>> import numpy as np
    >>> from deeplimits.architectures import Elementwise, Linear, Network
    >>> ripple = Elementwise(np.sin, np.cos)  # a callable and its derivative
    >>> Network(Linear(5), ripple, Elementwise("gelu")).sample(np.ones((3, 2)), samples=10, seed=1).shape
    (10, 5, 2)
    """

    function: object
    derivative: Callable[[FloatArray], FloatArray] | None = None

    def __post_init__(self) -> None:
        resolved(self.function)

    def size(self, size: Size) -> Size:
        """The size after this block, unchanged."""
        return size

    def value(self, x: FloatArray, *, slope: bool = False) -> FloatArray:
        """The activation of a state, or its derivative."""
        function = resolved(self.function)
        if isinstance(function, Given):
            return evaluate(function, x, x.shape[1], slope=slope)
        if slope and self.derivative is None:
            raise ValueError("Elementwise needs derivative= for gradients of a callable, got None")
        call = self.derivative if slope and self.derivative is not None else function
        return np.asarray(call(x), np.float64)

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The activations, and the way back."""
        return self.value(x), lambda g: g * self.value(x, slope=True)

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """E phi and E phi phi for Gaussian neurons."""
        if not moments.gaussian:
            raise ValueError("Elementwise has a kernel of infinite width only after Gaussian neurons: put Linear first")
        mean, second = gaussian_moments(resolved(self.function), moments.second, moments.shape[0])
        return Moments(moments.shape, mean, second)


def gaussian_moments(function: Any, covariance: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """E phi(x_i) and E phi(x_i) phi(x_j) of centred Gaussian variables.

    Shapes: (m, m) -> (m,), (m, m).
    """
    deviation = np.sqrt(np.diag(covariance))
    if isinstance(function, Given) and function.rectifier is not None:
        plus, minus = function.rectifier.slopes(width)
        return (plus - minus) / np.sqrt(2 * np.pi) * deviation, _expectations.rectified(plus, minus, covariance)[0]
    kinks: tuple[float, ...] = ()
    length, call = 1.0, function
    if isinstance(function, Given):
        kinks, length = function.kinks(width), function.length(width)
        call = lambda x: function(x, width)  # noqa: E731
    mean = np.array([_expectations.single(call, 0.0, s, kinks, length) for s in deviation])
    return mean, _expectations.products(call, np.zeros_like(deviation), covariance, kinks, length)


@dataclass(frozen=True)
class RMSNorm(Block):
    """Each state divided by its root mean square over neurons, and multiplied by a gain for each neuron (1 at first).

    Source: Zhang and Sennrich 2019.
    Raises: ValueError for a negative epsilon.

    >>> import numpy as np
    >>> from deeplimits.architectures import Network, RMSNorm
    >>> state = Network(RMSNorm()).sample([[3.0], [4.0]], samples=1, seed=1)
    >>> bool(np.isclose(np.mean(state**2), 1))
    True
    """

    epsilon: float = 1e-6
    rate: float = 1.0

    def __post_init__(self) -> None:
        real("epsilon", self.epsilon, least=0)

    def size(self, size: Size) -> Size:
        """The size after this block, with one gain a neuron."""
        return size.then(size.shape, size.shape[0])

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The normalised state, and the way back."""
        inverse = _inverse_root(np.mean(np.square(x), axis=1, keepdims=True) + self.epsilon)
        unit = x * inverse
        gain = scope.vector("gain", x.shape[1], start=1.0, rate=self.rate)
        scale = _over_positions(gain.value, x)

        def back(g: FloatArray) -> FloatArray:
            gain.add_gradient(_summed(g * unit))
            g = g * scale
            return inverse * (g - unit * np.mean(g * unit, axis=1, keepdims=True))

        return scale * unit, back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Second moments become correlations."""
        inverse = _inverse_root(np.diag(moments.second) + self.epsilon)
        return Moments(
            moments.shape,
            moments.mean * inverse,
            moments.second * np.outer(inverse, inverse),
            moments.gaussian,
            moments.fresh,
        )


@dataclass(frozen=True)
class LayerNorm(Block):
    """Each state minus its mean over neurons, divided by its deviation; gains and biases (1 and 0 at first).

    Source: Ba, Kiros and Hinton 2016.
    Raises: ValueError for a negative epsilon.

    >>> import numpy as np
    >>> from deeplimits.architectures import LayerNorm, Network
    >>> state = Network(LayerNorm()).sample([[3.0], [4.0], [8.0]], samples=1, seed=1)
    >>> bool(np.isclose(state.mean(), 0)), bool(np.isclose(state.std(), 1))
    (True, True)
    """

    epsilon: float = 1e-5
    rate: float = 1.0

    def __post_init__(self) -> None:
        real("epsilon", self.epsilon, least=0)

    def size(self, size: Size) -> Size:
        """The size after this block, with a gain and a bias a neuron."""
        return size.then(size.shape, 2 * size.shape[0])

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The normalised state, and the way back."""
        x = x - x.mean(axis=1, keepdims=True)
        inverse = _inverse_root(np.mean(np.square(x), axis=1, keepdims=True) + self.epsilon)
        unit = x * inverse
        gain = scope.vector("gain", x.shape[1], start=1.0, rate=self.rate)
        bias = scope.vector("bias", x.shape[1], rate=self.rate)
        scale = _over_positions(gain.value, x)

        def back(g: FloatArray) -> FloatArray:
            gain.add_gradient(_summed(g * unit))
            bias.add_gradient(_summed(g))
            g = g * scale
            return inverse * (g - g.mean(axis=1, keepdims=True) - unit * np.mean(g * unit, axis=1, keepdims=True))

        return scale * unit + _over_positions(bias.value, x), back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Covariances become correlations; the mean over infinitely many neurons is that of one."""
        second = moments.second - np.outer(moments.mean, moments.mean)
        inverse = _inverse_root(np.diag(second) + self.epsilon)
        return Moments(
            moments.shape,
            np.zeros_like(moments.mean),
            second * np.outer(inverse, inverse),
            moments.gaussian,
            moments.fresh,
        )


def _inverse_root(power: FloatArray) -> FloatArray:
    """1 / sqrt, and 0 of 0: without epsilon a state of zeros stays zero."""
    return np.divide(1.0, np.sqrt(power), out=np.zeros_like(power), where=power > 0)


def _over_positions(vector: FloatArray, x: FloatArray) -> FloatArray:
    """A vector of neurons beside a state."""
    return vector.reshape(*vector.shape, *(1,) * (x.ndim - 2))


def _summed(g: FloatArray) -> FloatArray:
    """The sum over positions and inputs. Shapes: (samples, width, ...) -> (samples, width)."""
    return g.reshape(*g.shape[:2], -1).sum(axis=2)
