"""Lazy matrices as PyTorch sees them: products with a gradient, and parameters without their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._optional import found
from .lazy import GaussianMatrix

torch: Any = found("torch")
functional: Any = found("torch.nn.functional")
_Function: Any = object if torch is None else torch.autograd.Function


class Lazy:
    """A lazy matrix of a module, which several modules may share.

    Shapes: (outputs, inputs), as the weight of `nn.Linear`.

    >>> import torch, deeplimits.torch
    >>> layer = deeplimits.torch.weightless(torch.nn.Linear(3, 10), seed=1)
    >>> layer.lazies[0].shape, layer.lazies[0].std  # PyTorch's rule: 1 / sqrt(3 inputs)
    ((10, 3), 0.3333333333333333)
    """

    def __init__(self, name: str, outputs: int, inputs: int, std: float, precision: str, method: str | None) -> None:
        self.name, self.shape, self.std = name, (outputs, inputs), std
        self.precision, self.method = precision, method
        self.draw(0)

    def draw(self, seed: int) -> None:
        """Another matrix, of which nothing is known."""
        self.matrix = GaussianMatrix(
            *self.shape, self.std, seed, self.name, samples=1, precision=self.precision, method=self.method
        )

    def ask(self, rows: np.ndarray, *, left: bool) -> np.ndarray:
        """Shapes: (m, inputs) -> (m, outputs), or the other way round from the left."""
        question = np.asarray(rows, np.float64).T[None]
        return (self.matrix.ask_left(question) if left else self.matrix.ask(question))[0].T


class Product(_Function):
    """x W^T with a lazy W, or x W from the left; the way back asks the other side."""

    @staticmethod
    def forward(context: Any, x: Any, lazy: Lazy, left: bool) -> Any:
        """The answers."""
        context.lazy, context.left = lazy, left
        return _asked(lazy, x, left)

    @staticmethod
    def backward(context: Any, gradient: Any) -> tuple[Any, None, None]:
        """The answers from the other side."""
        return _asked(context.lazy, gradient, not context.left), None, None


def _asked(lazy: Lazy, x: Any, left: bool) -> Any:
    size = lazy.shape[0 if left else 1]
    if x.shape[-1] != size:
        raise ValueError(f"{lazy.name} must be asked about rows of {size} numbers, got a tensor {tuple(x.shape)}")
    rows = x.detach().reshape(-1, x.shape[-1]).to("cpu", torch.float64).numpy()
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{lazy.name} must be asked about finite numbers, got infinite or missing ones")
    y = torch.from_numpy(np.ascontiguousarray(lazy.ask(rows, left=left)))
    return y.reshape(*x.shape[:-1], -1).to(x.device, x.dtype)


class LazyParameter:
    """A bare parameter of a module without its numbers: it answers to `F.linear`, to `@` and to `.T`.

    Shapes: (outputs, inputs), the transpose the other way round.
    Raises: ValueError for any other use of it by PyTorch.

    >>> import torch, deeplimits.torch
    >>> weight = deeplimits.torch.LazyParameter(deeplimits.torch.Lazy("w", 10, 3, 1.0, "single", None))
    >>> torch.nn.functional.linear(torch.ones(2, 3), weight).shape
    torch.Size([2, 10])
    """

    def __init__(self, lazy: Lazy, transposed: bool = False) -> None:
        self.lazy, self.transposed = lazy, transposed

    @property
    def shape(self) -> tuple[int, ...]:
        """As that of the parameter."""
        return self.lazy.shape[::-1] if self.transposed else self.lazy.shape

    @property
    def T(self) -> LazyParameter:
        """The same matrix, asked from the other side."""
        return LazyParameter(self.lazy, not self.transposed)

    mT = T

    def t(self) -> LazyParameter:
        """The transpose."""
        return self.T

    def __matmul__(self, x: Any) -> Any:
        if x.dim() == 1:
            return Product.apply(x, self.lazy, self.transposed)
        return Product.apply(x.transpose(-1, -2), self.lazy, self.transposed).transpose(-1, -2)

    def __rmatmul__(self, x: Any) -> Any:
        return Product.apply(x, self.lazy, not self.transposed)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is functional.linear and isinstance(args[1] if len(args) > 1 else kwargs.get("weight"), cls):
            x, weight, bias = (*tuple(args), *[kwargs.get(name) for name in ("input", "weight", "bias")[len(args) :]])
            y = x @ weight.T
            return y if bias is None else y + bias
        if function in (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.__rmatmul__):
            a, b = args
            return cls.__rmatmul__(b, a) if isinstance(b, cls) else cls.__matmul__(a, b)
        raise ValueError(
            f"a bare parameter without weights answers to F.linear, @ and .T only, got {function.__name__}: "
            "leave it out of law="
        )
