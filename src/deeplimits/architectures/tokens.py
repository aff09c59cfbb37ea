"""Blocks of sequences of tokens: embeddings, positions and read-outs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._checks import FloatArray, real, whole
from ._block import Backward, Block, Moments, Size, mirrored
from ._parameters import SHARED, Scope, columns


@dataclass(frozen=True)
class Embedding(Block):
    """A column of a Gaussian matrix for each token, from a vocabulary; the state before it holds whole numbers.

    Shapes: (tokens, inputs) or (inputs,), numbers below `vocabulary`, to (width, tokens, inputs).
    Raises: ValueError for numbers outside the vocabulary.

    >>> import numpy as np
    >>> from deeplimits.architectures import Embedding, Network
    >>> state = Network(Embedding(vocabulary=100, width=8)).sample([3, 5, 3], samples=2, seed=1)
    >>> state.shape, bool(np.all(state[:, :, 0] == state[:, :, 2]))
    ((2, 8, 3), True)
    """

    vocabulary: int
    width: int
    std: float = 0.02
    name: str | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        whole("vocabulary", self.vocabulary)
        whole("width", self.width)
        real("std", self.std, least=0)

    def size(self, size: Size) -> Size:
        """The size after this block."""
        return size.then(
            (self.width, *size.shape),
            self.width * self.vocabulary,
            int(np.prod(size.shape)) * (self.vocabulary + self.width),
            self.name,
        )

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The columns of the tokens; the way back ends here, at zero."""
        found, places = np.unique(x, return_inverse=True)
        tokens = found.astype(np.int64)
        if np.any(tokens != found) or tokens[0] < 0 or tokens[-1] >= self.vocabulary:
            raise ValueError(
                f"initial must hold whole numbers from 0 to {self.vocabulary - 1}, got {found[0]:g} to {found[-1]:g}"
            )
        weight = scope.weight("weight", self.width, self.vocabulary, self.std, shared=self.name, rate=self.rate)
        chosen = np.zeros((1, self.vocabulary, len(tokens)))
        chosen[0, tokens, np.arange(len(tokens))] = 1
        places = places.reshape(x.shape)
        table = weight.ask(chosen)
        y = (
            table[:, :, places[0]]
            if len(x) == 1
            else np.stack([one[:, at] for one, at in zip(table, places, strict=True)])
        )

        def back(g: FloatArray) -> FloatArray:
            summed = np.zeros((len(g), self.width, len(tokens)))
            for sample, one in enumerate(summed):
                np.add.at(one.T, places[sample % len(places)].ravel(), columns(g)[sample].T)
            weight.pending.append((summed, chosen))
            return np.zeros((len(g), *x.shape[1:]))

        return y, back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Equal tokens are equal, different ones independent. The moments before it hold the tokens as means."""
        same = moments.mean[:, None] == moments.mean
        return Moments((self.width, *moments.shape), np.zeros(len(same)), self.std**2 * same, True, True)


@dataclass(frozen=True)
class Positions(Block):
    """A Gaussian vector for each position, added to the state, the same for all inputs.

    Raises: ValueError for a state without positions, and for more of them than `length`.

    >>> import numpy as np
    >>> from deeplimits.architectures import Network, Positions
    >>> Network(Positions(length=10)).sample(np.zeros((8, 3, 1)), samples=2, seed=1).shape
    (2, 8, 3, 1)
    """

    positions: ClassVar[int | None] = 1

    length: int
    std: float = 0.02
    rate: float = 1.0

    def __post_init__(self) -> None:
        whole("length", self.length)
        real("std", self.std, least=0)

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 3, "Positions", "width, positions, inputs")
        if size.shape[1] > self.length:
            raise ValueError(f"initial must have at most length={self.length} positions, got {size.shape[1]}")
        return size.then(size.shape, size.shape[0] * self.length, size.shape[0] * size.shape[1])

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state with its positions, and the way back."""
        width, count = x.shape[1:3]
        weight = scope.weight("weight", width, self.length, self.std, rate=self.rate)
        chosen = np.eye(self.length, count)[None]

        def back(g: FloatArray) -> FloatArray:
            weight.pending.append((g.sum(axis=3), chosen))
            return g

        return x + weight.ask(chosen)[..., None], back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Adds to the covariance of equal positions."""
        place = np.arange(int(np.prod(moments.shape[1:]))) // moments.shape[2]
        second = moments.second + self.std**2 * (place[:, None] == place)
        return Moments(moments.shape, moments.mean, second, moments.gaussian, moments.fresh)


@dataclass(frozen=True)
class Readout(Block):
    """Logits by the transpose of an embedding: the matrix of that name, asked from the other side.

    Raises: ValueError for a vocabulary that is not positive; when it runs, unless an `Embedding` of that name,
        vocabulary and width comes first.

    >>> from deeplimits.architectures import Embedding, Network, Readout
    >>> network = Network(Embedding(100, 8, name="tokens"), Readout(100, "tokens"))
    >>> network.sample([3, 5], samples=2, seed=1).shape, network.size((2,)).parameters
    ((2, 100, 2), 800)
    """

    vocabulary: int
    name: str

    def __post_init__(self) -> None:
        whole("vocabulary", self.vocabulary)

    def size(self, size: Size) -> Size:
        """The size after this block, without parameters of its own."""
        return size.then((self.vocabulary, *size.shape[1:]), 0, 2 * size.places * (size.shape[0] + self.vocabulary))

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """W^T x, and the way back."""
        weight = scope.store.weights.get(f"{SHARED}{self.name}")
        if weight is None or weight.matrix.shape != (x.shape[1], self.vocabulary):
            raise ValueError(
                f"name={self.name!r} must be that of an Embedding before Readout, with width {x.shape[1]} "
                f"and vocabulary {self.vocabulary}"
            )
        X = columns(x)
        Y = weight.ask_left(X)

        def back(g: FloatArray) -> FloatArray:
            G = columns(g)
            weight.pending.append((X, G))
            return weight.ask(G).reshape(x.shape[0] if len(g) == 1 else len(g), *x.shape[1:])

        return Y.reshape(len(Y), Y.shape[1], *x.shape[2:]), back
