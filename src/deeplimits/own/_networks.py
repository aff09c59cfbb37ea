"""Lists of blocks as a source of measurements: their inputs, the loss at their end, and what is seen of each layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._checks import FloatArray, real
from .._files import Arrays
from ..architectures import Embedding, Linear, Loss, Network, cross_entropy, squared
from ..architectures import Sequence as Blocked
from ..architectures._block import Block
from ..architectures.network import _first
from ._trace import log10, looked, measured
from .designs import worded

#: Numbers that all networks of a report hold together, about, if their number is not given.
WORK = 10**9
FEWEST, MOST = 3, 100
#: Numbers that the networks of a chunk hold together, about.
PIECE = 2 * 10**7
#: Positions of a sequence, if no inputs are given.
POSITIONS = 4


def inputs_for(network: Network, correlation: float, seed: int) -> FloatArray:
    """Two inputs that stand for a batch.

    Law: vectors and images have mean square 1 and exactly the correlation asked for. Sequences of tokens are equal in
        their first half and different in the second. Vectors have the width of the first matrix.
    Raises: ValueError for a correlation out of range, and a list of blocks without a matrix.
    """
    rho = real("correlation", correlation, least=-1, most=1)
    draw = np.random.default_rng(seed)
    first = _first(network.blocks)
    if isinstance(first, Embedding):
        tokens = np.repeat(draw.integers(0, first.vocabulary, (POSITIONS, 1)), 2, axis=1)
        half = POSITIONS // 2
        tokens[half:, 1] = (tokens[half:, 1] + draw.integers(1, first.vocabulary, POSITIONS - half)) % first.vocabulary
        return tokens.astype(np.float64)
    if network.axes == 4:
        shape: tuple[int, ...] = (3, 32, 32)
    else:
        shape = (_width(network.blocks), POSITIONS)[: network.axes - 1]
    basis = np.linalg.qr(draw.standard_normal((int(np.prod(shape)), 2)))[0] * np.sqrt(np.prod(shape))
    pair = np.stack([basis[:, 0], rho * basis[:, 0] + np.sqrt(1 - rho**2) * basis[:, 1]], axis=1)
    return pair.reshape(*shape, 2)


def _width(blocks: Sequence[Block]) -> int:
    for block in blocks:
        if isinstance(block, Linear):
            return block.width
        if isinstance(block, Blocked):
            return _width(block.blocks)
    raise ValueError("initial must be given for a list of blocks that does not begin with a matrix")


def loss_for(shape: tuple[int, ...], seed: int) -> Loss:
    """Cross entropy against labels drawn at random, or the squared error to 1 of a single output."""
    if shape[0] == 1:
        return squared(np.ones(shape))
    return cross_entropy(np.random.default_rng([seed, 1]).integers(0, shape[0], shape[1:]))


class Blocks:
    """A list of blocks with its inputs: a source of measurements.

    Shapes: initial as for `Network.sample`, with at least two inputs on the last axis.
    """

    def __init__(self, network: Network, initial: FloatArray, seed: int) -> None:
        self.network, self.initial = network, np.asarray(initial)
        sizes = network._sizes(self.initial.shape)
        self.begins = int(isinstance(_first(network.blocks), Embedding))  # tokens have no size
        self.numbers = range(self.begins, network.depth + 1)
        self.layers = tuple("input" if not k else _named(network, k) for k in self.numbers)
        self.size, self.last = sizes[-1], sizes[-1].shape
        self.loss = loss_for(self.last, seed)
        self.chunk = max(1, PIECE // max(self.size.held, 1))

    def __repr__(self) -> str:
        return f"{self.network!r} {self.initial.shape} {self.initial.tobytes().hex()} {self.loss.inputs}"

    @property
    def samples(self) -> int:
        """How many networks a report draws if it is not told."""
        return int(np.clip(WORK // max(self.size.held, 1), FEWEST, MOST))

    def draw(self, first: int, count: int, seed: int) -> Arrays:
        """Measurements of some networks."""
        at = list(self.numbers)
        run = self.network.sample(
            self.initial, count, seed, at=at, observe=self._observe, backward=self.loss, first=first
        )
        squares = np.zeros((count, len(at)))
        for key, norm in run.parameters.items():
            for place, number in enumerate(at):
                if number and key.startswith(f"{self.network.layers[number - 1].path}/"):
                    squares[:, place] += norm
        with np.errstate(invalid="ignore"):
            parameters = log10(squares) / 2
        seen = run.states
        return measured(seen[..., :4], run.gradients[..., :4], parameters, seen[:, -1, 0], seen[:, -1, 4])

    def _observe(self, state: FloatArray) -> FloatArray:
        """What is kept of a state: see `looked`, and its loss if it may be the last."""
        columns = state.reshape(*state.shape[:2], -1, state.shape[-1])[:, :, -1]
        rows = columns[..., :2].swapaxes(1, 2)
        value = self.loss.value(state) if state.shape[1:] == self.last else np.zeros(len(state))
        return np.concatenate([looked(rows, state), value[:, None]], axis=1)


def _named(network: Network, number: int) -> str:
    """A layer by its number and what it is."""
    return f"{number} {worded(network.layers[number - 1].block)}"
