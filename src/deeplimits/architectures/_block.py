"""What every block of a network is: a map of states, its derivative, its size, its infinite-width moments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from .._checks import FloatArray
from ._parameters import Scope

#: Carries the gradient at the output of a block to its input, and leaves those of its parameters with them.
Backward = Callable[[FloatArray], FloatArray]


class Size(NamedTuple):
    """The shape of a state (width, *positions, inputs), and what leads to it.

    parameters: how many there are; held: numbers that a sample holds, about, while its gradients are wanted; names:
    those of matrices that several blocks share, which count once.
    """

    shape: tuple[int, ...]
    parameters: int = 0
    held: int = 0
    names: frozenset[str] = frozenset()

    @property
    def places(self) -> int:
        """Positions and inputs together."""
        return int(np.prod(self.shape[1:]))

    def then(self, shape: tuple[int, ...], parameters: int = 0, held: int = 0, name: str | None = None) -> Size:
        """The size after one more block, whose parameters may have a name."""
        new = 0 if name in self.names else parameters
        names = self.names if name is None else self.names | {name}
        return Size(shape, self.parameters + new, self.held + held, names)


@dataclass(frozen=True)
class Moments:
    """A neuron of an infinitely wide layer: its mean and its second moments over positions and inputs.

    Shapes: shape as in `Size`; mean (m,), second (m, m) with m the positions times the inputs. gaussian: the neuron is
    Gaussian and centred; fresh: it is centred given all that came before the branch it is on.
    """

    shape: tuple[int, ...]
    mean: FloatArray
    second: FloatArray
    gaussian: bool = False
    fresh: bool = False


class Block(ABC):
    """A part of a network. States are (samples, width, *positions, inputs); the first axis may be 1 for all samples.

    >>> import numpy as np
    >>> from deeplimits.architectures import Block, Linear, Network
    >>> class Halved(Block):
    ...     def size(self, size):
    ...         return size
    ...     def forward(self, x, scope):
    ...         return x / 2, lambda g: g / 2
    >>> run = Network(Halved(), Linear(1)).sample(np.ones((4, 1)), samples=10, seed=1, at=[0], backward=lambda y: y,
    ...                                           observe=lambda state: state.mean(axis=1))
    >>> run.gradients.shape
    (10, 1, 1)
    """

    #: The axes of positions that it needs; None if any will do.
    positions: ClassVar[int | None] = None

    @abstractmethod
    def size(self, size: Size) -> Size:
        """The size after this block. Raises: ValueError where the block does not fit what it is given."""

    @abstractmethod
    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state after this block, and the way back."""

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The moments after this block at infinite width. Raises: ValueError where they do not close."""
        raise ValueError(f"{type(self).__name__} has no kernel of infinite width in closed form: sample the network")


def mirrored(shape: tuple[int, ...], axes: int, block: str, what: str) -> None:
    """Raises: ValueError unless a state has so many axes."""
    if len(shape) != axes:
        raise ValueError(f"{block} needs a state ({what}), got shape {shape}")


def gram(state: FloatArray) -> FloatArray:
    """Inner products <x, x'> / width between all positions and inputs: a reduction for `observe`.

    Shapes: (samples, width, ...) -> (samples, m, m).
    Raises: nothing.

    >>> import numpy as np
    >>> from deeplimits.architectures import gram, mlp
    >>> mlp([64, 64, 64]).sample(np.eye(5, 3), samples=10, seed=1, at=[0, 1, 2], observe=gram).shape
    (10, 3, 3, 3)
    """
    flat = np.asarray(state).reshape(*np.shape(state)[:2], -1)
    return flat.swapaxes(1, 2) @ flat / flat.shape[1]
