"""Blocks of images (width, rows, columns, inputs), and of the positions that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .._checks import FloatArray, choice, whole
from ._block import Backward, Block, Moments, Size, mirrored
from ._parameters import Scope
from .linear import Law, affine, count_of

PADDINGS = ("zero", "periodic", "none")


@dataclass(frozen=True)
class Convolution(Block):
    """A convolution with independent Gaussian filters: one matrix that is asked about all patches.

    The inputs of the matrix are width kernel^2, which is what its gain counts. What lies beyond the edge is "zero",
    the image again ("periodic"), or "none": then patches lie inside only. "same" sizes need an odd kernel.

    Source: as `Linear`.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> import numpy as np
    >>> from deeplimits.architectures import Convolution, Network
    >>> network = Network(Convolution(8, kernel=3, stride=2, gain="he"))
    >>> network.sample(np.ones((3, 6, 6, 1)), samples=5, seed=1).shape  # channels, rows, columns, inputs
    (5, 8, 3, 3, 1)
    """

    positions: ClassVar[int | None] = 2

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: str = "zero"
    gain: float | str | None = None
    std: float | None = None
    bias: float | str | None = None
    activation: object = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        for name in ("channels", "kernel", "stride"):
            whole(name, getattr(self, name))
        choice("padding", self.padding, PADDINGS)
        if self.padding != "none" and self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd with padding={self.padding!r}, got {self.kernel}")
        self.law.checked()

    @property
    def law(self) -> Law:
        """How the filters are drawn."""
        return Law(self.gain, self.std, self.bias, self.activation)

    def seen(self, rows: int, columns: int) -> NDArray[np.int64]:
        """The positions that each patch sees, -1 beyond the edge.

        Shapes: (patch rows, patch columns, kernel^2).
        """
        reach = 0 if self.padding == "none" else self.kernel // 2
        starts = [np.arange(0, length + 2 * reach - self.kernel + 1, self.stride) - reach for length in (rows, columns)]
        if not all(map(len, starts)):
            raise ValueError(f"kernel must fit into the image ({rows}, {columns}), got {self.kernel}")
        taps = np.arange(self.kernel)
        row = (starts[0][:, None] + taps)[:, None, :, None]
        column = (starts[1][:, None] + taps)[None, :, None, :]
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        place = row % rows * columns + column % columns
        shape = len(starts[0]), len(starts[1]), self.kernel**2
        return np.where(inside | (self.padding == "periodic"), place, -1).reshape(shape)

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 4, "Convolution", "channels, rows, columns, inputs")
        width, rows, columns, inputs = size.shape
        seen = self.seen(rows, columns)
        shape = self.channels, *seen.shape[:2], inputs
        asked = width * self.kernel**2
        count = seen.shape[0] * seen.shape[1] * inputs
        return size.then(shape, count_of(asked, self.channels, self.law), 3 * count * (asked + self.channels))

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The filtered image, and the way back."""
        samples, width, rows, columns, inputs = x.shape
        seen = self.seen(rows, columns)
        flat = np.concatenate([x.reshape(samples, width, -1, inputs), np.zeros((samples, width, 1, inputs))], axis=2)
        patches = np.moveaxis(flat[:, :, seen], 4, 2).reshape(samples, -1, *seen.shape[:2], inputs)
        y, back = affine(patches, scope, self.channels, self.law, rate=self.rate)

        def to_image(g: FloatArray) -> FloatArray:
            g = back(g)
            parts = np.moveaxis(g.reshape(len(g), width, -1, *seen.shape[:2], inputs), 2, 4)
            out = np.zeros((rows * columns + 1, len(g), width, inputs))
            np.add.at(out, seen, parts.transpose(2, 3, 4, 0, 1, 5))
            return np.moveaxis(out[:-1], 0, 2).reshape(len(g), *x.shape[1:])

        return y, to_image

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The mean of the second moments over the taps of two patches."""
        width, rows, columns, inputs = moments.shape
        seen = self.seen(rows, columns)
        flat = seen.reshape(-1, self.kernel**2)
        K = moments.second.reshape(rows * columns, inputs, rows * columns, inputs)
        K = np.pad(K, ((0, 1), (0, 0), (0, 1), (0, 0)))
        summed = np.zeros((len(flat), inputs, len(flat), inputs))
        for tap in flat.T:
            summed += K[tap][:, :, tap]
        asked, count = width * self.kernel**2, len(flat) * inputs
        variance = self.law.deviation(asked, self.channels) ** 2 * width
        second = variance * summed.reshape(count, count) + (self.law.bias_deviation(asked) or 0.0) ** 2
        return Moments((self.channels, *seen.shape[:2], inputs), np.zeros(count), second, True, True)


@dataclass(frozen=True)
class Flatten(Block):
    """The rows and columns of an image as positions of a sequence.

    >>> import numpy as np
    >>> from deeplimits.architectures import Attention, Flatten, Network
    >>> Network(Flatten(), Attention(heads=2)).sample(np.ones((4, 3, 3, 1)), samples=5, seed=1).shape
    (5, 4, 9, 1)
    """

    positions: ClassVar[int | None] = 2

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 4, "Flatten", "channels, rows, columns, inputs")
        return size.then((size.shape[0], size.shape[1] * size.shape[2], size.shape[3]))

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The same numbers, and the way back."""
        flat = x.reshape(*x.shape[:2], -1, x.shape[-1])
        return flat, lambda g: g.reshape(len(g), *x.shape[1:])

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The same moments."""
        width, rows, columns, inputs = moments.shape
        return Moments((width, rows * columns, inputs), moments.mean, moments.second, moments.gaussian, moments.fresh)


@dataclass(frozen=True)
class Pool(Block):
    """The mean over all positions of an image or a sequence.

    >>> import numpy as np
    >>> from deeplimits.architectures import Flatten, Network, Pool
    >>> Network(Flatten(), Pool()).sample(np.arange(4.0).reshape(1, 2, 2, 1), samples=1, seed=1)
    array([[[1.5]]])
    """

    def size(self, size: Size) -> Size:
        """The size after this block."""
        if len(size.shape) < 3:
            raise ValueError(f"Pool needs a state with positions, got shape {size.shape}")
        return size.then((size.shape[0], size.shape[-1]))

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The mean, and the way back."""
        axes = tuple(range(2, x.ndim - 1))
        count = int(np.prod([x.shape[axis] for axis in axes]))

        def back(g: FloatArray) -> FloatArray:
            spread = np.expand_dims(g, axes) / count
            return np.broadcast_to(spread, (len(g), *x.shape[1:])).copy()

        return x.mean(axis=axes), back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """Means of means and of second moments."""
        width, inputs = moments.shape[0], moments.shape[-1]
        mean = moments.mean.reshape(-1, inputs).mean(axis=0)
        second = moments.second.reshape(-1, inputs, len(moments.mean) // inputs, inputs).mean(axis=(0, 2))
        return Moments((width, inputs), mean, second, moments.gaussian, moments.fresh)


@dataclass(frozen=True)
class ClassToken(Block):
    """One more position in front of all others, of parameters that start at zero.

    Source: Devlin et al. 2019; Dosovitskiy et al. 2021.

    >>> import numpy as np
    >>> from deeplimits.architectures import ClassToken, Network
    >>> Network(ClassToken()).sample(np.ones((4, 9, 1)), samples=5, seed=1).shape
    (5, 4, 10, 1)
    """

    positions: ClassVar[int | None] = 1

    rate: float = 1.0

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 3, "ClassToken", "width, positions, inputs")
        return size.then((size.shape[0], size.shape[1] + 1, size.shape[2]), size.shape[0])

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state with the token in front, and the way back."""
        token = scope.vector("token", x.shape[1], rate=self.rate)
        samples = max(len(x), len(token.value))
        front = np.broadcast_to(token.value[:, :, None, None], (samples, x.shape[1], 1, x.shape[3]))

        def back(g: FloatArray) -> FloatArray:
            token.add_gradient(g[:, :, 0].sum(axis=2))
            return g[:, :, 1:]

        return np.concatenate([front, np.broadcast_to(x, (samples, *x.shape[1:]))], axis=2), back


@dataclass(frozen=True)
class Position(Block):
    """The state at one position of a sequence, -1 for the last.

    Raises: ValueError for a position that is not there.

    >>> import numpy as np
    >>> from deeplimits.architectures import Network, Position
    >>> Network(Position(-1)).sample(np.arange(4.0).reshape(1, 4, 1), samples=1, seed=1)
    array([[[3.]]])
    """

    positions: ClassVar[int | None] = 1

    place: int = 0

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 3, "Position", "width, positions, inputs")
        whole("place", self.place, least=-size.shape[1], most=size.shape[1] - 1)
        return size.then((size.shape[0], size.shape[2]))

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The state there, and the way back."""

        def back(g: FloatArray) -> FloatArray:
            out = np.zeros((len(g), *x.shape[1:]))
            out[:, :, self.place] = g
            return out

        return x[:, :, self.place], back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """The moments there."""
        width, positions, inputs = moments.shape
        place = self.place % positions * inputs + np.arange(inputs)
        return Moments(
            (width, inputs), moments.mean[place], moments.second[np.ix_(place, place)], moments.gaussian, moments.fresh
        )
