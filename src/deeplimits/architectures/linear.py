"""Blocks that are matrices: linear maps and gated units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._checks import FloatArray, real, whole
from ..activations import Activation as Given
from ..kernels import _expectations
from ._block import Backward, Block, Moments, Size
from ._parameters import Scope, Weight, columns
from .pointwise import Elementwise, _over_positions, _summed, gaussian_moments, resolved

#: Variances of weights by name, of (inputs, outputs) of the matrix.
GAINS: dict[str, Callable[[int, int], float]] = {
    "lecun": lambda inputs, outputs: 1 / inputs,
    "he": lambda inputs, outputs: 2 / inputs,
    "xavier": lambda inputs, outputs: 2 / (inputs + outputs),
    "torch": lambda inputs, outputs: 1 / (3 * inputs),
}


def critical_gain(activation: object) -> float:
    """The gain for which small differences of unit Gaussian pre-activations keep their size.

    Its square is 1 / E phi'(g)^2.

    Law: Gauss quadrature; sqrt(2) for ReLU and sqrt(2) / (s_plus^2 + s_minus^2)^(1/2) for rectifiers.
    Source: Schoenholz et al. 2017, the boundary between order and chaos at unit variance.
    Raises: ValueError for an unknown activation, and for one without derivative.

    >>> from deeplimits.architectures import critical_gain
    >>> round(critical_gain("relu") ** 2, 9)
    2.0
    """
    function = resolved(activation)
    if not isinstance(function, Given):
        raise ValueError(f"activation must be one of the package for gain='critical', got {activation!r}")
    if function.rectifier is not None:
        return float(np.sqrt(2 / sum(slope**2 for slope in function.rectifier.slopes(1))))
    kinks, length = function.kinks(1), function.length(1)
    power = _expectations.single(lambda x: function.derivative(x, 1) ** 2, 0.0, 1.0, kinks, length)
    return float(1 / np.sqrt(power))


class Law(NamedTuple):
    """How a matrix and its bias are drawn: gain or std, and the deviation of the bias (None: there is none)."""

    gain: float | str | None = None
    std: float | None = None
    bias: float | str | None = None
    activation: object = None

    def checked(self) -> Law:
        """Raises: ValueError for what is unknown or contradicts itself."""
        if self.gain is not None and self.std is not None:
            raise ValueError(f"std must be left out where gain is given, got gain={self.gain!r} and std={self.std!r}")
        if self.std is not None:
            real("std", self.std, least=0)
        if isinstance(self.gain, str) and self.gain not in (*GAINS, "critical"):
            raise ValueError(f"gain must be a number or one of {', '.join((*GAINS, 'critical'))}, got {self.gain!r}")
        if self.gain is not None and not isinstance(self.gain, str):
            real("gain", self.gain, least=0)
        if self.gain == "critical" and self.activation is None:
            raise ValueError("activation must be given for gain='critical', got None")
        if isinstance(self.bias, str) and self.bias != "torch":
            raise ValueError(f"bias must be None, a deviation or 'torch', got {self.bias!r}")
        if self.bias is not None and not isinstance(self.bias, str):
            real("bias", self.bias, least=0)
        return self

    def deviation(self, inputs: int, outputs: int) -> float:
        """The standard deviation of a weight."""
        if self.std is not None:
            return float(self.std)
        if isinstance(self.gain, str) and self.gain in GAINS:
            return float(np.sqrt(GAINS[self.gain](inputs, outputs)))
        gain = 1.0 if self.gain is None else self.gain
        return (critical_gain(self.activation) if gain == "critical" else float(gain)) / float(np.sqrt(inputs))

    def bias_deviation(self, inputs: int) -> float | None:
        """The standard deviation of a bias, or None."""
        if self.bias == "torch":
            return float(1 / np.sqrt(3 * inputs))
        return None if self.bias is None else float(self.bias)


def product(weight: Weight, x: FloatArray) -> tuple[FloatArray, Backward]:
    """W x over all positions, and the way back."""
    X = columns(x)

    def back(g: FloatArray) -> FloatArray:
        G = columns(g)
        weight.pending.append((G, X))
        return weight.ask_left(G).reshape(len(g), x.shape[1], *g.shape[2:])

    Y = weight.ask(X)
    return Y.reshape(len(Y), Y.shape[1], *x.shape[2:]), back


def affine(
    x: FloatArray,
    scope: Scope,
    outputs: int,
    law: Law,
    *,
    part: str = "weight",
    shared: str | None = None,
    rate: float = 1.0,
    fan: tuple[int, int] | None = None,
) -> tuple[FloatArray, Backward]:
    """W x + b of a block, and the way back. `fan` are the inputs and outputs that the law counts."""
    inputs = x.shape[1]
    counted = (inputs, outputs) if fan is None else fan
    weight = scope.weight(part, outputs, inputs, law.deviation(*counted), shared=shared, rate=rate)
    y, back = product(weight, x)
    deviation = law.bias_deviation(counted[0])
    if deviation is None:
        return y, back
    bias = scope.vector(f"{part}-bias", outputs, deviation, shared=shared, rate=rate)

    def back_with_bias(g: FloatArray) -> FloatArray:
        bias.add_gradient(_summed(g))
        return back(g)

    return y + _over_positions(bias.value, y), back_with_bias


def count_of(inputs: int, outputs: int, law: Law) -> int:
    """How many parameters a matrix and its bias have."""
    return outputs * inputs + (0 if law.bias is None else outputs)


@dataclass(frozen=True)
class Linear(Block):
    """A matrix of independent Gaussian weights, with a bias if asked for.

    The deviation of a weight is `std`, or gain / sqrt(inputs) for a number, or by name "lecun" (1), "he" (sqrt 2),
    "xavier" (2 / (inputs + outputs) for the variance), "torch" (1 / sqrt 3, the variance of PyTorch's uniform
    default), "critical" (see `critical_gain`, with `activation`). `bias` is the deviation of a bias, 0 for one that
    starts at zero and is trained, "torch" for 1 / sqrt(3 inputs), None for none. Blocks with the same `name` share
    their parameters. `rate` multiplies the learning rate.

    Law: exact for Gaussian weights. PyTorch's default is uniform: its law is this one only as the width grows.
        Orthogonal matrices have another law at any width and are not offered.
    Source: LeCun et al. 1998; Glorot and Bengio 2010; He et al. 2015; PyTorch, nn.Linear.reset_parameters.
    Raises: ValueError for a width that is not positive, an unknown gain, both gain and std.

    >>> import numpy as np
    >>> from deeplimits.architectures import Linear, Network
    >>> outputs = Network(Linear(1, gain=3.0)).sample(np.ones((50, 1)), samples=10_000, seed=1)
    >>> bool(abs(outputs.std() - 3) < 0.1)
    True
    """

    width: int
    gain: float | str | None = None
    std: float | None = None
    bias: float | str | None = None
    activation: object = None
    name: str | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        whole("width", self.width)
        self.law.checked()

    @property
    def law(self) -> Law:
        """How the matrix is drawn."""
        return Law(self.gain, self.std, self.bias, self.activation)

    def size(self, size: Size) -> Size:
        """The size after this block."""
        inputs = size.shape[0]
        return size.then(
            (self.width, *size.shape[1:]),
            count_of(inputs, self.width, self.law),
            2 * size.places * (inputs + self.width),
            self.name,
        )

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """W x + b, and the way back."""
        return affine(x, scope, self.width, self.law, shared=self.name, rate=self.rate)

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """A sum over infinitely many neurons: Gaussian and centred."""
        if self.name is not None:
            raise ValueError(f"Linear(name={self.name!r}) shares its matrix: no kernel of infinite width is given")
        inputs = moments.shape[0]
        bias = self.law.bias_deviation(inputs) or 0.0
        second = self.law.deviation(inputs, self.width) ** 2 * inputs * moments.second + bias**2
        return Moments((self.width, *moments.shape[1:]), np.zeros_like(moments.mean), second, True, True)


@dataclass(frozen=True)
class Gated(Block):
    """A gated unit: V x times phi(W x), neuron by neuron, with two matrices of the same law.

    "sigmoid" is GLU, "silu" SwiGLU, "gelu" GEGLU.

    Source: Dauphin et al. 2017; Shazeer 2020.
    Raises: as `Linear` and `Elementwise`.

    >>> from deeplimits.architectures import Gated, Linear, Network
    >>> Network(Gated(64, "silu"), Linear(16)).size((16, 1)).parameters
    3072
    """

    width: int
    function: object = "silu"
    gain: float | str | None = None
    std: float | None = None
    bias: float | str | None = None
    activation: object = None
    derivative: Callable[[FloatArray], FloatArray] | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        whole("width", self.width)
        self.law.checked()
        resolved(self.function)

    @property
    def law(self) -> Law:
        """How both matrices are drawn."""
        return Law(self.gain, self.std, self.bias, self.activation)

    def size(self, size: Size) -> Size:
        """The size after this block."""
        inputs = size.shape[0]
        return size.then(
            (self.width, *size.shape[1:]),
            2 * count_of(inputs, self.width, self.law),
            2 * size.places * (inputs + 2 * self.width),
        )

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The gated product, and the way back. Both matrices are asked as one, of twice as many rows."""
        both, back = affine(x, scope, 2 * self.width, self.law, rate=self.rate, fan=(x.shape[1], self.width))
        value, gate = both[:, : self.width], both[:, self.width :]
        phi = Elementwise(self.function, self.derivative)
        open_ = phi.value(gate)

        def to_input(g: FloatArray) -> FloatArray:
            return back(np.concatenate([g * open_, g * value * phi.value(gate, slope=True)], axis=1))

        return value * open_, to_input

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Value and gate are independent Gaussians of the same covariance."""
        through = Linear(self.width, *self.law).moments(moments)
        gate = gaussian_moments(resolved(self.function), through.second, self.width)[1]
        return Moments(through.shape, through.mean, through.second * gate, False, True)
