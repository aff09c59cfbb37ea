"""Stretches of layers that another sampler of the package gives at once: the same law, less work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._checks import FloatArray
from ..activations import Activation, linear
from ..attention import _factors
from ..blocks import Blocks, ConvBlocks
from ..lazy import key_of
from ..networks import ResNet, ShapedMLP
from ..networks._dense import cheaper
from ._block import Block, Size, gram
from ._parameters import Store, columns
from .composite import Residual, _number
from .composite import Sequence as Blocked
from .images import Convolution
from .linear import Linear
from .pointwise import Elementwise, resolved

if TYPE_CHECKING:
    from .network import Layer, Network

#: A stretch has at least so many layers of its process.
LEAST = 2

#: Inputs whose largest entry lies between this and its inverse have covariances far from the ends of double precision.
MODERATE = 1e50


@dataclass(frozen=True)
class Stretch:
    """Layers begin + 1 to end: `process` gives them, layer l as its layer places[l].

    A process of states gives these. One of covariances starts from `start` X^T X, and `scale` times a covariance is
    <x, x'> / width: any state with that Gram matrix will do. `shared`: all samples start from one state.
    """

    begin: int
    end: int
    process: Any
    places: dict[int, int]
    shared: bool
    start: float | None = None
    scale: float = 1.0
    method: str | None = None

    def sample(self, x: FloatArray, layers: Sequence[int], store: Store) -> FloatArray:
        """States after layers of the stretch. Shapes: x (samples or 1, width, ...) -> (samples, layers, width, ...)."""
        images = isinstance(self.process, ResNet) and isinstance(self.process.blocks, ConvBlocks)
        states = x if images else columns(x)
        initial = states[0] if self.shared else np.broadcast_to(states, (store.samples, *states.shape[1:]))
        found: FloatArray = self.process.sample(
            initial if self.start is None else self.start * initial.T @ initial,
            store.samples,
            key_of(store.seed, f"stretch/{self.begin}"),
            at=[self.places[layer] for layer in layers],
            first=store.first,
            threads=store.threads,
            precision=store.precision,
            method=self.method,
        )
        if self.start is not None:
            found = _with_grams(self.scale * found, self.process.width)
        return found.reshape(*found.shape[:3], *x.shape[2:])


def stretches(
    network: Network,
    sizes: Sequence[Size],
    x: FloatArray,
    records: Sequence[int],
    observe: Callable[[FloatArray], FloatArray] | None,
) -> dict[int, Stretch]:
    """The stretches of a network that give what is asked for after these layers, by the layer before each.

    Shapes: x is the start, (1, ...) if all samples share it, or (samples, ...).
    """
    found: dict[int, Stretch] = {}
    shared = len(x) == 1
    hidden, largest = _perceptron(network, sizes[0]) if shared else None, np.abs(columns(x)).max(axis=1)
    if hidden is not None and np.all((largest > 1 / MODERATE) & (largest < MODERATE)):
        end = _last_forgotten(network, hidden.places, records, observe is gram)
        if hidden.places.get(end, 0) >= LEAST:
            found[0] = replace(hidden, end=end)
    done = found[0].end if found else 0
    while done < network.depth:
        residual = _residual(network.layers[done:], sizes[done].shape[0], done, shared and not done)
        if residual is not None:
            found[done] = residual
        done = done + 1 if residual is None else residual.end
    return found


def _with_grams(K: FloatArray, width: int) -> FloatArray:
    """States with these matrices <x, x'> / width; infinite where they are.

    Shapes: (samples, layers, m, m) -> (samples, layers, width, m).
    """
    count = K.shape[-1]
    flat = K.reshape(-1, count, count)
    lost = ~np.isfinite(flat.sum(axis=(1, 2)))
    out = np.zeros((len(flat), width, count))
    out[:, :count] = np.sqrt(width) * _factors(np.where(lost[:, None, None], np.eye(count), flat)).swapaxes(1, 2)
    out[lost] = np.inf
    return out.reshape(*K.shape[:2], width, count)


def _last_forgotten(network: Network, places: Collection[int], records: Sequence[int], grams: bool) -> int:
    """The last of some layers up to which only Gram matrices matter, or 0.

    They are all that a fresh matrix, which must come next, sees of a state. `grams`: they are what is recorded.
    """
    found = 0
    for layer in places:
        if any(not (grams and record in places) for record in records if 0 < record <= layer):
            break
        following = None if layer == network.depth else network.layers[layer]
        if following is None or (not following.tied and _is_own(next(_parts(following.block)))):
            found = layer
    return found


class Pair(NamedTuple):
    """A matrix and an activation after it: what they are, in which layer they end, and whether it ends with them."""

    width: int
    function: Activation
    deviation: float
    layer: int
    last: bool


def _perceptron(network: Network, size: Size) -> Stretch | None:
    """Hidden layers of one width, one activation and one law, at the beginning of a network."""
    pairs = list(_pairs(network, size.shape[0]))
    if len(pairs) < LEAST or pairs[0][:2] != pairs[1][:2]:
        return None
    width, function, deviation = pairs[1][:3]
    constant = width * deviation**2
    if not constant or size.places > width:
        return None
    equal = [pairs[0], *takewhile(lambda pair: pair[:3] == pairs[1][:3], pairs[1:])]
    process = ShapedMLP(_normalised(function, constant), width, len(equal))
    places = {pair.layer: place for place, pair in enumerate(equal, 1) if pair.last}
    # Not its other ways, which draw networks by blocks of a thousand: here they come in pieces of any size.
    method = "weights" if cheaper(width, size.places) else "rows"
    return Stretch(0, 0, process, places, True, pairs[0].deviation ** 2, 1 / constant, method)


def _pairs(network: Network, inputs: int) -> Iterator[Pair]:
    """The pairs at the beginning of a network, of matrices of their own without biases."""
    parts = []
    for number, layer in enumerate(network.layers, 1):
        inside = [] if layer.tied else list(_parts(layer.block))
        parts += [(part, number, place == len(inside)) for place, part in enumerate(inside, 1)]
        if layer.tied:
            break
    for (matrix, *_), (part, number, last) in zip(parts[::2], parts[1::2], strict=False):
        function = _activation(part)
        if function is None or not isinstance(matrix, Linear) or not _is_own(matrix) or matrix.law.bias:
            return
        yield Pair(matrix.width, function, matrix.law.deviation(inputs, matrix.width), number, last)
        inputs = matrix.width


def _normalised(function: Activation, constant: float) -> Activation:
    """The same activation for networks z' = sqrt(constant / width) W phi(z), whatever constant keeps its norm."""
    found = copy(function)
    object.__setattr__(found, "normaliser", lambda width=None: constant)
    return found


def _residual(layers: Sequence[Layer], width: int, begin: int, shared: bool) -> Stretch | None:
    """The layers of a `ResNet` with which these begin."""
    first = _as_blocks(layers[0], width)
    if first is None:
        return None
    depth = sum(1 for _ in takewhile(lambda layer: _as_blocks(layer, width) == first, layers))
    process = ResNet(replace(first, time=float(depth)), width, depth)
    places = {begin + layer: layer for layer in range(1, depth + 1)}
    return Stretch(begin, begin + depth, process, places, shared) if depth >= LEAST else None


def _as_blocks(layer: Layer, width: int) -> Blocks | None:
    """The layer as residual blocks x + outer(W inner(x) + b) of the package, if it is."""
    skip, scale, branch = _branch(layer)
    if skip != 1 or len(branch) not in (2, 3) or (len(branch) == 3 and scale != 1):
        return None
    inner, matrix, outer = _activation(branch[0]), branch[1], linear() if len(branch) == 2 else _activation(branch[2])
    if not isinstance(matrix, Linear | Convolution) or not _is_own(matrix) or inner is None or outer is None:
        return None
    if any(one.shaped and one.rectifier is None for one in (inner, outer)):
        return None
    fan = width * matrix.kernel**2 if isinstance(matrix, Convolution) else width
    variance = width * (scale * matrix.law.deviation(fan, width)) ** 2
    bias = (scale * (matrix.law.bias_deviation(fan) or 0.0)) ** 2
    if not variance:
        return None
    if isinstance(matrix, Linear):
        return Blocks(inner, outer, variance, bias)
    # Beyond an edge this block sees activations of 0, that of the package the activation at 0.
    same = matrix.padding == "periodic" or (matrix.padding == "zero" and inner.value0 == 0)
    if matrix.stride != 1 or not same:
        return None
    return ConvBlocks(inner, outer, variance, bias, kernel=matrix.kernel, padding=matrix.padding)


def _branch(layer: Layer) -> tuple[float, float, list[Block]]:
    """Skip, scale and branch of a layer that is one residual block; no branch otherwise."""
    residual, *others = _parts(layer.block)
    if type(residual) is not Residual or others or layer.tied:
        return 1.0, 1.0, []
    skip, scale = (_number(one, layer.place, layer.depth) for one in (residual.skip, residual.scale))
    return skip, scale, [part for block in residual.blocks for part in _parts(block)]


def _parts(block: Block) -> Iterator[Block]:
    """A block, or those that it only puts one after the other."""
    if type(block) is Blocked:
        for one in block.blocks:
            yield from _parts(one)
    else:
        yield block


def _is_own(block: Block) -> bool:
    """Whether a block is a matrix that no other shares."""
    return isinstance(block, Convolution) or (isinstance(block, Linear) and block.name is None)


def _activation(block: Block) -> Activation | None:
    """The activation of a block, if it is one of the package."""
    function = resolved(block.function) if isinstance(block, Elementwise) else None
    return function if isinstance(function, Activation) else None
