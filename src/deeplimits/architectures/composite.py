"""Blocks of blocks: one after the other, beside a skip, repeated."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import replace

from .._checks import FloatArray, flag, real, whole
from ._block import Backward, Block, Moments, Size
from ._parameters import Scope

#: Scales by name, of the depth of the innermost `Repeat`.
SCALES = {
    "1/sqrt(L)": lambda depth: depth**-0.5,
    "1/L": lambda depth: 1 / depth,
    "1/sqrt(2L)": lambda depth: (2 * depth) ** -0.5,
}


class Sequence(Block):
    """Blocks one after the other, as one block.

    Raises: ValueError for what is not a block.

    >>> from deeplimits.architectures import Elementwise, Linear, Network, sequence
    >>> Network(sequence(Linear(8), Elementwise("relu")), Linear(1)).depth
    2
    """

    def __init__(self, *blocks: Block) -> None:
        for block in blocks:
            if not isinstance(block, Block):
                raise ValueError(f"blocks must be blocks of deeplimits.architectures, got {block!r}")
        if not blocks:
            raise ValueError("blocks must hold at least one block, got none")
        self.blocks = tuple(blocks)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.blocks))})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(repr(self))

    def size(self, size: Size) -> Size:
        """The size after the last block."""
        for block in self.blocks:
            size = block.size(size)
        return size

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state after the last block, and the way back through all."""
        backs = []
        for place, block in enumerate(self.blocks):
            x, back = block.forward(x, scope.within(place))
            backs.append(back)

        def all_back(g: FloatArray) -> FloatArray:
            for back in reversed(backs):
                g = back(g)
            return g

        return x, all_back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The moments after the last block."""
        for block in self.blocks:
            moments = block.moments(moments, layer, depth)
        return moments


class Residual(Sequence):
    """skip x + scale F(x), with F the blocks given one after the other.

    A scale is a number, "1/sqrt(L)", "1/L" or "1/sqrt(2L)" with L the depth of the innermost `repeat`, or one number
    for each of its layers. A branch of one matrix is `Residual(Elementwise("relu"), Linear(n))`, one of two
    `Residual(Linear(4 * n), Elementwise("relu"), Linear(n))`. Pre-norm: a norm begins the branch; post-norm: it
    follows the residual block.

    Source: He et al. 2016; Hayou 2023, 1/sqrt(L); Radford et al. 2019, 1/sqrt(2L) for pairs of branches.
    Raises: ValueError for an unknown scale, and for a branch that changes the shape.

    >>> from deeplimits.architectures import Elementwise, Linear, Network, Residual, repeat
    >>> branch = Residual(Elementwise("relu"), Linear(8), scale="1/sqrt(L)")
    >>> Network(repeat(50, branch)).sample([[1.0]] * 8, samples=10, seed=1, at=[0, 25, 50]).shape
    (10, 3, 8, 1)
    """

    def __init__(
        self, *blocks: Block, skip: float | str | Many[float] = 1.0, scale: float | str | Many[float] = 1.0
    ) -> None:
        super().__init__(*blocks)
        self.skip, self.scale = _scale("skip", skip), _scale("scale", scale)

    def size(self, size: Size) -> Size:
        """The size after the block, the same as before it."""
        after = super().size(size)
        if after.shape != size.shape:
            raise ValueError(f"blocks of Residual must keep the shape {size.shape}, got {after.shape}")
        return after

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """skip x + scale F(x), and the way back."""
        skip, scale = (_number(one, scope.layer, scope.depth) for one in (self.skip, self.scale))
        y, back = super().forward(x, scope)
        return skip * x + scale * y, lambda g: skip * g + back(scale * g)

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The sum, for a branch that is centred given the state before it."""
        skip, scale = (_number(one, layer, depth) for one in (self.skip, self.scale))
        branch = super().moments(replace(moments, fresh=False), layer, depth)
        if not branch.fresh:
            raise ValueError("Residual has a kernel of infinite width only if its branch ends with a fresh matrix")
        return Moments(
            moments.shape,
            skip * moments.mean,
            skip**2 * moments.second + scale**2 * branch.second,
            moments.gaussian and branch.gaussian,
            moments.fresh,
        )


class Repeat(Sequence):
    """Blocks repeated `depth` times, each time with parameters of its own, or always the same ones if `tied`.

    In a `Network` each repetition is a layer.

    Raises: ValueError for a depth that is not positive.

    >>> from deeplimits.architectures import Elementwise, Linear, Network, repeat
    >>> recurrent = Network(repeat(10, Elementwise("tanh"), Linear(8), tied=True))
    >>> recurrent.depth, recurrent.size((8, 1)).parameters
    (10, 64)
    """

    def __init__(self, depth: int, *blocks: Block, tied: bool = False) -> None:
        super().__init__(*blocks)
        self.depth, self.tied = whole("depth", depth), flag("tied", tied)

    def layers(self) -> list[tuple[Sequence, str, int, int]]:
        """The repetitions: each with its path, its place and the depth."""
        return [
            (Sequence(*self.blocks), "tied" if self.tied else str(layer), layer, self.depth)
            for layer in range(self.depth)
        ]

    def size(self, size: Size) -> Size:
        """The size after the last repetition. Parameters that are tied count once."""
        for layer in range(self.depth):
            after = super().size(size)
            size = after._replace(parameters=size.parameters) if self.tied and layer else after
        return size

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state after the last repetition, and the way back."""
        backs = []
        for block, path, layer, depth in self.layers():
            x, back = block.forward(x, replace(scope.within(path), layer=layer, depth=depth))
            backs.append(back)

        def all_back(g: FloatArray) -> FloatArray:
            for back in reversed(backs):
                g = back(g)
            return g

        return x, all_back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The moments after the last repetition."""
        if self.tied:
            raise ValueError("Repeat(tied=True) shares its matrices: no kernel of infinite width is given")
        for here in range(self.depth):
            moments = super().moments(moments, here, self.depth)
        return moments


def sequence(*blocks: Block) -> Sequence:
    """Blocks one after the other, as one layer.

    >>> from deeplimits.architectures import Elementwise, Linear, Network, repeat, sequence
    >>> Network(repeat(4, Linear(8), Elementwise("relu")), sequence(Linear(8), Elementwise("relu"))).depth
    5
    """
    return Sequence(*blocks)


def repeat(depth: int, *blocks: Block, tied: bool = False) -> Repeat:
    """Blocks repeated: as many layers of a `Network`.

    >>> from deeplimits.architectures import Linear, Network, repeat
    >>> Network(repeat(3, Linear(8))).depth
    3
    """
    return Repeat(depth, *blocks, tied=tied)


def _scale(name: str, value: object) -> float | str | tuple[float, ...]:
    if isinstance(value, str):
        if value not in SCALES:
            raise ValueError(
                f"{name} must be a number, one for each layer, or one of {', '.join(SCALES)}, got {value!r}"
            )
        return value
    if isinstance(value, Many):
        return tuple(real(name, one) for one in value)
    return real(name, value)


def _number(scale: float | str | tuple[float, ...], layer: int, depth: int) -> float:
    if isinstance(scale, str):
        return SCALES[scale](depth)
    if isinstance(scale, tuple):
        if len(scale) != depth:
            raise ValueError(f"scale must have one number for each of {depth} layers, got {len(scale)}")
        return scale[layer]
    return scale
