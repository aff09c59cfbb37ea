"""How parameters move: gradient descent with momentum keeps a matrix lazy, Adam needs it whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import FloatArray, real, sequence
from ..lazy import DENSE_SHARE
from ._parameters import Vector, Weight


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum and weight decay, in the form of PyTorch.

    v <- momentum v + g + decay w and w <- w - rate v; with `nesterov`, w <- w - rate (g + decay w + momentum v). A step
    adds one outer product an input and position to a matrix and multiplies what it was: the matrix stays lazy,
    W = a W_0 + sum_s c_s D_s X_s^T, until its rank nears its size.

    Source: Polyak 1964; Sutskever et al. 2013; PyTorch, torch.optim.SGD.
    Raises: ValueError for a rate that is not positive, momentum outside [0, 1), a negative decay.

    >>> from deeplimits.architectures import SGD, mlp, squared, train
    >>> rule = SGD(rate=0.05, momentum=0.9, decay=1e-3)
    >>> train(mlp([50, 1]), [[1.0]], squared([[1.0]]), rule, steps=3, samples=2, seed=1).losses.shape
    (2,)
    """

    rate: float
    momentum: float = 0.0
    decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        real("rate", self.rate, above=0)
        if real("momentum", self.momentum, least=0) >= 1:
            raise ValueError(f"momentum must be a finite number >= 0 and < 1, got {self.momentum!r}")
        real("decay", self.decay, least=0)

    def move(self, parameter: Weight | Vector) -> None:
        """One step of a parameter with a gradient, which is then forgotten."""
        if isinstance(parameter, Vector):
            parameter.value = self._moved(parameter, parameter.value, parameter.take_gradient())
            return
        D, X = parameter.take_gradient()
        known = len(parameter.coefficients) + D.shape[2]
        if parameter.array is None and (parameter.matrix.is_dense or known > DENSE_SHARE * min(parameter.matrix.shape)):
            self._draw_whole(parameter)
        if parameter.array is None:
            self._extend(parameter, D, X)
        else:
            parameter.array = self._moved(parameter, parameter.array, D @ X.swapaxes(1, 2))

    def _moved(self, parameter: Weight | Vector, value: FloatArray, gradient: FloatArray) -> FloatArray:
        gradient = gradient + self.decay * value
        velocity = self.momentum * parameter.memory.get("velocity", 0.0) + gradient
        parameter.memory["velocity"] = velocity
        return value - self.rate * parameter.rate * (gradient + self.momentum * velocity if self.nesterov else velocity)

    def _extend(self, weight: Weight, D: FloatArray, X: FloatArray) -> None:
        """A step in coordinates: all is W_0 and outer products, with one coefficient each."""
        coefficients = np.append(weight.coefficients, np.zeros(D.shape[2]))
        gradient = self.decay * np.append(coefficients, weight.decay)
        gradient[len(weight.coefficients) : -1] += 1
        before = weight.memory.get("coordinates", np.zeros(1))
        velocity = gradient.copy()
        velocity[: len(before) - 1] += self.momentum * before[:-1]
        velocity[-1] += self.momentum * before[-1]
        weight.memory["coordinates"] = velocity
        change = gradient + self.momentum * velocity if self.nesterov else velocity
        weight.extend(D, X)
        weight.coefficients = coefficients - self.rate * weight.rate * change[:-1]
        weight.decay -= self.rate * weight.rate * change[-1]

    def _draw_whole(self, weight: Weight) -> None:
        before = weight.memory.pop("coordinates", None)
        if before is not None:
            products = (weight.lefts * before[:-1]) @ weight.rights.swapaxes(1, 2)
            weight.memory["velocity"] = before[-1] * weight.matrix.dense() + products
        weight.become_dense()


@dataclass(frozen=True)
class Adam:
    """Adam with decoupled weight decay, which needs its matrices whole.

    Its step divides by the root of each entry's own second moment, so that nothing stays of low rank: all matrices
    are drawn, with two more arrays of their size for each network.

    Source: Kingma and Ba 2015; Loshchilov and Hutter 2019; PyTorch, torch.optim.AdamW.
    Raises: ValueError for a rate that is not positive, betas outside [0, 1), a negative epsilon or decay.

    >>> from deeplimits.architectures import Adam, mlp, squared, train
    >>> train(mlp([50, 1]), [[1.0]], squared([[1.0]]), Adam(0.01), steps=3, samples=2, seed=1).losses.shape
    (2,)
    """

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    decay: float = 0.0

    def __post_init__(self) -> None:
        real("rate", self.rate, above=0)
        if len(sequence("betas", self.betas, "number")) != 2:
            raise ValueError(f"betas must be two numbers, got {self.betas!r}")
        for beta in self.betas:
            if real("betas", beta, least=0) >= 1:
                raise ValueError(f"betas must be numbers >= 0 and < 1, got {self.betas!r}")
        real("epsilon", self.epsilon, least=0)
        real("decay", self.decay, least=0)

    def move(self, parameter: Weight | Vector) -> None:
        """One step of a parameter with a gradient, which is then forgotten."""
        if isinstance(parameter, Vector):
            parameter.value = self._moved(parameter, parameter.value, parameter.take_gradient())
        else:
            D, X = parameter.take_gradient()
            parameter.array = self._moved(parameter, parameter.become_dense(), D @ X.swapaxes(1, 2))

    def _moved(self, parameter: Weight | Vector, value: FloatArray, gradient: FloatArray) -> FloatArray:
        memory, (first, second) = parameter.memory, self.betas
        step = memory["step"] = memory.get("step", 0) + 1
        memory["mean"] = first * memory.get("mean", 0.0) + (1 - first) * gradient
        memory["square"] = second * memory.get("square", 0.0) + (1 - second) * gradient**2
        rate = self.rate * parameter.rate
        scale = np.sqrt(memory["square"] / (1 - second**step)) + self.epsilon
        return (1 - rate * self.decay) * value - rate / (1 - first**step) * memory["mean"] / scale
