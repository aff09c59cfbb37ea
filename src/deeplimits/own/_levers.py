"""What can be changed in a list of blocks: the gain of its matrices, the scale of its branches, its activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..activations import Activation, shaped_relu, smooth
from ..architectures import Elementwise, Gated, Linear, Network, Repeat, Residual, Sequence, repeat
from ..architectures._block import Block, Size
from ..architectures.composite import SCALES
from ..architectures.pointwise import resolved

#: A block of some inputs, within `depth` repetitions -> the block that stands in its place.
Change = Callable[[Block, int, int], Block]


def changed(network: Network, change: Change, shape: tuple[int, ...]) -> Network:
    """The network with every block but the last layer changed.

    Shapes: `shape` is that of the start.
    """
    size, blocks = Size(shape), []
    for block in network.blocks:
        last = block is network.blocks[-1] and len(network.blocks) > 1
        blocks.append(block if last else _inside(block, change, size, 1))
        size = block.size(size)
    return Network(*blocks)


def _inside(block: Block, change: Change, size: Size, depth: int) -> Block:
    if not isinstance(block, Sequence):
        return change(block, size.shape[0] if size.shape else 0, depth)
    depth = block.depth if isinstance(block, Repeat) else depth
    parts = []
    for part in block.blocks:
        parts.append(_inside(part, change, size, depth))
        size = part.size(size)
    if isinstance(block, Repeat):
        return Repeat(block.depth, *parts, tied=block.tied)
    if isinstance(block, Residual):
        return change(Residual(*parts, skip=block.skip, scale=block.scale), size.shape[0], depth)
    return Sequence(*parts)


def with_gain(network: Network, factor: float, shape: tuple[int, ...]) -> Network:
    """All matrices but those of the last layer times a factor."""

    def change(block: Block, inputs: int, depth: int) -> Block:
        if not isinstance(block, Linear | Gated):
            return block
        return replace(block, gain=None, std=factor * block.law.deviation(inputs, block.width), activation=None)

    return changed(network, change, shape)


def with_scale(network: Network, factor: float, shape: tuple[int, ...]) -> Network:
    """All residual branches times a factor."""

    def change(block: Block, inputs: int, depth: int) -> Block:
        if not isinstance(block, Residual):
            return block
        scale = SCALES[block.scale](depth) if isinstance(block.scale, str) else block.scale
        times = tuple(factor * one for one in scale) if isinstance(scale, tuple) else factor * scale
        return Residual(*block.blocks, skip=block.skip, scale=times)

    return changed(network, change, shape)


def branches(network: Network) -> list[float]:
    """The scales of the residual branches, of the first repetition."""
    found: list[float] = []

    def look(block: Block, inputs: int, depth: int) -> Block:
        if isinstance(block, Residual):
            scale = SCALES[block.scale](depth) if isinstance(block.scale, str) else block.scale
            found.append(scale[0] if isinstance(scale, tuple) else scale)
        return block

    def walk(block: Block, depth: int) -> None:
        depth = block.depth if isinstance(block, Repeat) else depth
        for part in block.blocks if isinstance(block, Sequence) else ():
            walk(part, depth)
        look(block, 0, depth)

    for block in network.blocks:
        walk(block, 1)
    return found


class Plain:
    """A fully connected network of one width: matrices of one gain, one activation between two of them."""

    def __init__(self, network: Network, shape: tuple[int, ...]) -> None:
        self.network, self.shape = network, shape
        layers: list[Any] = [getattr(layer.block, "blocks", (layer.block,)) for layer in network.layers]
        *hidden, last = layers
        pairs = [parts for parts in hidden if [type(part) for part in parts] == [Linear, Elementwise]]
        self.fits = len(pairs) == len(hidden) >= 1 and len(last) == 1 and isinstance(last[0], Linear)
        self.fits = self.fits and len(shape) == 2 and not any(layer.tied for layer in network.layers)
        if not self.fits:
            return
        linear: Any = pairs[0][0]
        phi: Any = pairs[0][1]
        self.depth, self.width, self.function, self.outputs = len(pairs), linear.width, phi.function, last[0].width
        self.gain = linear.law.deviation(linear.width, linear.width) * float(np.sqrt(linear.width))
        self.bias = linear.bias
        same = all(
            parts[0].width == self.width and parts[0].law == linear.law and parts[1] == phi for parts in pairs
        ) and all(parts[0].name is None for parts in pairs)
        self.fits = bool(same and last[0].name is None)

    @property
    def activation(self) -> Activation | None:
        """The activation, if it is one of the package."""
        function = resolved(self.function)
        return function if isinstance(function, Activation) else None

    def shaped(self, constant: float) -> Activation:
        """The activation shaped with a constant: slope 1 - constant / sqrt(width) below 0, or smoothly with a.

        Raises: ValueError for an activation that cannot be shaped.
        """
        phi = self.activation
        if phi is None:
            raise ValueError("a function without a name has no shaping of its own: name the activation")
        return shaped_relu(0.0, -constant) if phi.rectifier is not None else smooth(phi.name, constant)

    def with_activation(self, phi: Activation) -> Network:
        """The network with a shaped activation, and the gain that normalises it."""
        gain = float(np.sqrt(phi.normaliser(self.width)))
        hidden = [repeat(1, Linear(self.width, gain), Elementwise(phi)) for _ in range(self.depth)]
        return Network(*hidden, repeat(1, Linear(self.outputs, gain)))
