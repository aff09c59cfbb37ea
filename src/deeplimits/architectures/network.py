"""A network as a list of blocks: a process along its layers, sampled without weight matrices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, sequence, whole
from .._run import Network as Layered
from .._run import Precise, known
from ._block import Backward, Block, Moments, Size
from ._parameters import Scope, Store
from ._sampling import Cotangent, Sampler, Task
from .composite import Repeat
from .composite import Sequence as Blocks
from .tokens import Embedding


class Passes(Precise, total=False):
    """How a list of blocks is sampled."""

    backward: bool | Cotangent
    observe: Callable[[FloatArray], FloatArray] | None
    method: str | None


@dataclass(frozen=True)
class Layer:
    """One layer: a block, the path of its parameters, and its place among repeated ones."""

    block: Block
    path: str
    place: int = 0
    depth: int = 1

    @property
    def tied(self) -> bool:
        """Whether other layers use the same parameters."""
        return self.path.endswith("tied")

    def forward(self, x: FloatArray, store: Store) -> tuple[FloatArray, Backward]:
        """The state after the layer, and the way back."""
        return self.block.forward(x, Scope(store, self.path, self.place, self.depth))


class Network(Layered):
    """A network at initialisation, as a list of blocks.

    Each block is a layer; `repeat` gives as many as it repeats. Its weights are never drawn, only what the inputs and
    the gradients see of them.

    >>> import numpy as np
    >>> from deeplimits.architectures import Elementwise, Linear, Network, Residual, RMSNorm, repeat
    >>> branch = RMSNorm(), Linear(256, gain="he"), Elementwise("relu"), Linear(64)
    >>> network = Network(Linear(64), repeat(12, Residual(*branch, scale="1/sqrt(L)")), RMSNorm(), Linear(10))
    >>> network.depth, network.size((784, 2)).parameters
    (15, 444864)
    >>> x = np.random.default_rng(0).standard_normal((784, 2))
    >>> network.sample(x, samples=100, seed=1).shape
    (100, 10, 2)
    >>> run = network.sample(x, samples=100, seed=1, at=[1, 13], backward=True)
    >>> run.states.shape, run.gradients.shape
    ((100, 2, 64, 2), (100, 2, 64, 2))

    Raises: ValueError for what is not a block.
    """

    depth: int

    def __init__(self, *blocks: Block) -> None:
        self.blocks = Blocks(*blocks).blocks
        self.layers = tuple(_layers(self.blocks))
        self.depth = len(self.layers)

    def __repr__(self) -> str:
        return f"Network({', '.join(map(repr, self.blocks))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and other.blocks == self.blocks

    def __hash__(self) -> int:
        return hash(self.blocks)

    @property
    def axes(self) -> int:
        """The axes of an input: width, positions and inputs; a start that begins with tokens has no width."""
        found = next(_position_axes(self.blocks), 0)
        return found + 2 - isinstance(_first(self.blocks), Embedding)

    def size(self, shape: Sequence[int]) -> Size:
        """The shape of the last state, the number of parameters, and the numbers that a sample holds.

        Shapes: shape is that of `initial` without samples.
        Raises: ValueError for a shape that the blocks do not fit.
        """
        return self._sizes(tuple(whole("shape", one) for one in sequence("shape", shape, "size")))[-1]

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, **how: Any) -> Any:
        """States of independent networks, with `backward` jointly with gradients.

        Shapes: initial is (width, inputs), (width, positions, inputs) before attention, (channels, rows, columns,
            inputs) before a convolution, without the width before an `Embedding`; the same for all networks, or with
            an axis of samples in front. Returns (samples, ...) after the last layer, or (samples, len(at), ...) after
            the layers `at`, in their order; layer 0 is the start. `observe` maps a state (samples, width, ...) to
            what is kept of it (samples, ...).
        Law: exact at any width and depth, for all blocks, jointly over layers, inputs and gradients; without weight
            matrices, or with them where these are cheaper (`method` "lazy" or "dense" forces one, as for
            `lazy.GaussianMatrix`). With `backward=True` the loss is half the squared norm of the last state, summed
            over inputs; a function of the last state gives the gradient of another loss with respect to it. Normals
            have single precision, or double with `precision="double"`; all else is double. Sample i depends only on
            (seed, first + i), to rounding. A network that overflows is +inf from there on.
            Without gradients and `method`, two kinds of layers come from faster samplers, with activations in the
            precision of the normals: equal blocks x + scale W phi(x) or x + psi(W phi(x) + b), dense or convolutional,
            from `networks.ResNet`; at the beginning of a network, matrices without bias and activations that are all
            equal, from `networks.ShapedMLP`, where nothing is asked about their states but `observe=gram`. These are
            other numbers of the same law: two calls with one seed see the same networks only if both give the same
            `method`. Shaped attention stays here: `attention.ShapedAttention` draws a thousand networks at least.
        Source: ours, by conditioning: see `deeplimits.lazy`.
        Raises: ValueError for a start of another shape or not finite, samples below 1, layers outside 0..depth,
            layers of different shapes together (`observe` may make them equal), an unknown method or precision.
        """
        given = known(how, Passes)
        task = Task(given.pop("backward", False), given.pop("observe", None), given.pop("method", None)).checked()
        run = self._run(samples, seed, at, given, Precise)
        x, sizes = self._start(initial, run.samples)
        return Sampler(self, task, run, x, sizes).all()

    def kernel(self, initial: ArrayLike, at: Sequence[int] | None = None) -> FloatArray:
        """The second moments of a neuron at infinite width, between all positions and inputs.

        Shapes: initial as for `sample`, without samples. Returns (m, m) with m the positions times the inputs, inputs
            last, or (len(at), m, m); layers with different positions cannot be asked together.
        Law: the limit of <x, x'> / width as all widths after the first layer grow, one after the other; the error of
            a network is O(1 / width) in the mean. Activations need Gaussian neurons before them, residual branches a
            matrix of their own at the end.
        Source: Neal 1996; Lee et al. 2018; Yang 2019.
        Raises: ValueError as `sample`, and where blocks have no such limit in closed form (attention between several
            positions, shared matrices).
        """
        wanted, has_axis = _checks.layers(at, self.depth)
        x, _ = self._start(initial, 1)
        found = self._second_moments(x)
        chosen = [found[layer] for layer in wanted]
        if len({one.shape for one in chosen}) > 1:
            raise ValueError(f"at must name layers with equal positions, got {wanted}")
        return np.stack(chosen) if has_axis else chosen[0]

    def _second_moments(self, x: FloatArray) -> list[FloatArray]:
        """After each layer, the start included.

        Raises: ValueError for shared matrices, and for a start from which they overflow.
        """
        moments: Moments | None = None
        found: list[FloatArray] = []
        for number, layer in enumerate((None, *self.layers)):
            if layer is not None and layer.tied:
                raise ValueError("Repeat(tied=True) shares its matrices: no kernel of infinite width is given")
            with np.errstate(all="ignore"), contextlib.suppress(OverflowError):
                if layer is None or moments is None:
                    moments = _first_moments(self, x[0])
                else:
                    moments = layer.block.moments(moments, layer.place, layer.depth)
                found.append(moments.second)
            if len(found) <= number or not np.isfinite(found[number]).all():
                largest = f"{np.abs(x).max():.3g}"
                raise ValueError(
                    f"initial must be smaller than {largest}: the second moments overflow at layer {number}"
                )
        return found

    def _sizes(self, shape: tuple[int, ...]) -> list[Size]:
        sizes = [Size(shape)]
        seen: set[str] = set()
        for layer in self.layers:
            after = layer.block.size(sizes[-1])
            again = layer.tied and layer.path in seen
            seen.add(layer.path)
            sizes.append(after._replace(parameters=sizes[-1].parameters) if again else after)
        return sizes

    def _start(self, initial: ArrayLike, samples: int, name: str = "initial") -> tuple[FloatArray, list[Size]]:
        """The start with an axis of samples, of length 1 if all share it."""
        x = _checks.numbers(name, initial)
        if x.ndim not in (self.axes, self.axes + 1) or not x.size:
            raise ValueError(f"{name} must have {self.axes} axes, or one more for samples, got shape {x.shape}")
        x = x if x.ndim > self.axes else x[None]
        if len(x) not in (1, samples):
            raise ValueError(f"{name} must have an axis of samples={samples} or none, got shape {x.shape}")
        if not np.all(np.isfinite(x)):
            raise ValueError(f"{name} must be finite, got infinite or missing numbers")
        return x, self._sizes(x.shape[1:])


def _layers(blocks: Sequence[Block]) -> Iterator[Layer]:
    for place, block in enumerate(blocks):
        if isinstance(block, Repeat):
            for part, path, layer, depth in block.layers():
                yield Layer(part, f"{place}/{path}", layer, depth)
        else:
            yield Layer(block, str(place))


def _first(blocks: Sequence[Block]) -> Block:
    block = blocks[0]
    return _first(block.blocks) if isinstance(block, Blocks) else block


def _position_axes(blocks: Sequence[Block]) -> Iterator[int]:
    """What blocks say about the axes of positions, in their order."""
    for block in blocks:
        if isinstance(block, Blocks):
            yield from _position_axes(block.blocks)
        elif block.positions is not None:
            yield block.positions


def _first_moments(network: Network, x: FloatArray) -> Moments:
    if isinstance(_first(network.blocks), Embedding):
        return Moments(x.shape, x.ravel(), np.multiply.outer(x.ravel(), x.ravel()))
    flat = x.reshape(len(x), -1)
    return Moments(x.shape, flat.mean(axis=0), flat.T @ flat / len(x))
