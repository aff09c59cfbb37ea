"""The parameters of a network: lazy matrices and vectors, kept by name, with their gradients as outer products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray
from ..lazy import PRECISIONS, GaussianMatrix, draw_rows, key_of

#: Marks the key of a parameter that several blocks share by name.
SHARED = "="


class Weight:
    """A matrix W = a W_0 + sum_s c_s D_s X_s^T: a lazy one, and what training has added.

    Shapes: D (samples, outputs, r), X (samples or 1, inputs, r), coefficients (r,). `pending` holds the factors of the
        gradient of the loss, sum D X^T, since the last step. After `become_dense` W is `array` and all else is empty.
    """

    def __init__(self, matrix: GaussianMatrix, rate: float) -> None:
        self.matrix, self.rate = matrix, rate
        self.pending: list[tuple[FloatArray, FloatArray]] = []
        self.decay, self.coefficients = 1.0, np.zeros(0)
        self.lefts, self.rights = (np.zeros((1, size, 0)) for size in matrix.shape)
        self.memory: dict[str, Any] = {}
        self.array: FloatArray | None = None

    def ask(self, X: FloatArray) -> FloatArray:
        """W X. Shapes: (samples or 1, inputs, m) -> (samples, outputs, m)."""
        if self.array is not None:
            return self.array @ X
        Y = self.matrix.ask(X)
        if len(self.coefficients):
            inner = self.coefficients[:, None] * (self.rights.swapaxes(1, 2) @ X)
            Y = self.decay * Y + self.lefts @ inner
        return Y

    def ask_left(self, G: FloatArray) -> FloatArray:
        """W^T G. Shapes: (samples or 1, outputs, m) -> (samples, inputs, m)."""
        if self.array is not None:
            return self.array.swapaxes(1, 2) @ G
        Y = self.matrix.ask_left(G)
        if len(self.coefficients):
            inner = self.coefficients[:, None] * (self.lefts.swapaxes(1, 2) @ G)
            Y = self.decay * Y + self.rights @ inner
        return Y

    def become_dense(self) -> FloatArray:
        """W as an array, drawn whole."""
        if self.array is None:
            W = self.matrix.dense()
            if len(self.coefficients):
                W = self.decay * W + (self.lefts * self.coefficients) @ self.rights.swapaxes(1, 2)
            self.array, self.coefficients = W, np.zeros(0)
            self.lefts, self.rights = (np.zeros((1, size, 0)) for size in self.matrix.shape)
        return self.array

    def take_gradient(self) -> tuple[FloatArray, FloatArray]:
        """The factors D and X of the gradient D X^T, which is then forgotten."""
        D, X = (_joined([pair[k] for pair in self.pending]) for k in range(2))
        self.pending = []
        return D, X

    def extend(self, D: FloatArray, X: FloatArray) -> None:
        """Make room for more outer products, whose coefficients the caller sets."""
        self.lefts, self.rights = _joined([self.lefts, D]), _joined([self.rights, X])

    def squared_gradient(self) -> FloatArray:
        """The squared Frobenius norm of the gradient, which is then forgotten. Shapes: (samples,)."""
        D, X = self.take_gradient()
        return np.sum((D.swapaxes(1, 2) @ D) * (X.swapaxes(1, 2) @ X), axis=(1, 2))


def _joined(parts: list[FloatArray]) -> FloatArray:
    """Columns side by side; those that all samples share stay shared if all parts are."""
    if len(parts) == 1:
        return parts[0]
    samples = max(map(len, parts))
    return np.concatenate([np.broadcast_to(part, (samples, *part.shape[1:])) for part in parts], axis=2)


class Vector:
    """A vector of parameters, N(start, std^2) at initialisation. Shapes: value (samples or 1, size)."""

    def __init__(self, value: FloatArray, rate: float) -> None:
        self.value, self.rate = value, rate
        self.gradient: FloatArray | None = None
        self.memory: dict[str, Any] = {}

    def add_gradient(self, gradient: FloatArray) -> None:
        """Add to the gradient since the last step. Shapes: (samples, size)."""
        self.gradient = gradient if self.gradient is None else self.gradient + gradient

    def take_gradient(self) -> FloatArray:
        """The gradient since the last step, which is then forgotten."""
        found, self.gradient = self.gradient, None
        return np.zeros_like(self.value) if found is None else found


@dataclass
class Store:
    """All parameters of one chunk of networks, drawn when they are first used."""

    seed: int
    first: int
    samples: int
    threads: int | None = None
    precision: str = "single"
    method: str | None = None
    weights: dict[str, Weight] = field(default_factory=dict)
    vectors: dict[str, Vector] = field(default_factory=dict)

    def weight(self, key: str, outputs: int, inputs: int, std: float, rate: float) -> Weight:
        """The matrix of that name. Raises: ValueError where two uses of a name disagree."""
        if key not in self.weights:
            matrix = GaussianMatrix(
                outputs,
                inputs,
                std,
                self.seed,
                key,
                samples=self.samples,
                first=self.first,
                threads=self.threads,
                precision=self.precision,
                method=self.method,
            )
            self.weights[key] = Weight(matrix, rate)
        known = self.weights[key].matrix
        if known.shape != (outputs, inputs) or known.std != std:
            raise ValueError(
                f"name={key.removeprefix(SHARED)!r} is shared by matrices of different laws: "
                f"{known.shape} with std {known.std:g}, and {(outputs, inputs)} with std {std:g}"
            )
        return self.weights[key]

    def vector(self, key: str, size: int, std: float, start: float, rate: float) -> Vector:
        """The vector of that name."""
        if key not in self.vectors:
            value = np.full((1, size), float(start))
            if std:
                index = np.zeros((self.samples, 1), np.int64)
                drawn = draw_rows(index, size, 0, self.first, key_of(self.seed, key), PRECISIONS[self.precision])
                value = value + std * drawn[:, 0]
            self.vectors[key] = Vector(value, rate)
        return self.vectors[key]

    def __iter__(self) -> Iterator[tuple[str, Weight | Vector]]:
        yield from self.weights.items()
        yield from self.vectors.items()

    def release(self, path: str) -> None:
        """Forget the parameters of a layer that no other layer shares."""
        for known in (self.weights, self.vectors):
            for key in [key for key in known if key.startswith(f"{path}/")]:
                del known[key]

    def take_gradients(self, path: str | None) -> dict[str, FloatArray]:
        """The squared norms of the gradients of the parameters of a layer, or of all, which are then forgotten."""
        found: dict[str, FloatArray] = {}
        for key, parameter in self:
            if path is not None and not key.startswith(f"{path}/"):
                continue
            if isinstance(parameter, Weight) and parameter.pending:
                found[key] = parameter.squared_gradient()
            elif isinstance(parameter, Vector) and parameter.gradient is not None:
                found[key] = np.sum(parameter.take_gradient() ** 2, axis=-1)
        return found


@dataclass(frozen=True)
class Scope:
    """Where a block stands: the path of its parameters, and its layer among the repeated ones (from 0)."""

    store: Store
    path: str = ""
    layer: int = 0
    depth: int = 1

    def within(self, name: str | int) -> Scope:
        """The scope of a part."""
        return replace(self, path=f"{self.path}/{name}" if self.path else str(name))

    def weight(
        self, part: str, outputs: int, inputs: int, std: float, *, shared: str | None = None, rate: float = 1.0
    ) -> Weight:
        """The matrix of a part of this block, or the shared one of that name."""
        key = f"{self.path}/{part}" if shared is None else f"{SHARED}{shared}"
        return self.store.weight(key, outputs, inputs, std, rate)

    def vector(
        self,
        part: str,
        size: int,
        std: float = 0.0,
        start: float = 0.0,
        *,
        shared: str | None = None,
        rate: float = 1.0,
    ) -> Vector:
        """The vector of a part of this block, or that of the shared matrix of that name."""
        key = f"{self.path}/{part}" if shared is None else f"{SHARED}{shared}/{part}"
        return self.store.vector(key, size, std, start, rate)


def columns(x: NDArray[Any]) -> NDArray[Any]:
    """A state with one axis for positions and inputs. Shapes: (samples, width, ...) -> (samples, width, m)."""
    return x.reshape(len(x), x.shape[1], -1)
