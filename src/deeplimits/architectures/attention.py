"""Attention between the positions of an input: plain or shaped, causal or not, with shared keys and rotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._checks import FloatArray, real, whole
from ._block import Backward, Block, Moments, Size, mirrored
from ._parameters import Scope
from .linear import Law, Linear, affine, count_of


@dataclass(frozen=True)
class Attention(Block):
    """Multi-head attention: softmax(Q K^T / temperature) V of each head, and an output matrix.

    Queries, keys and values are matrices of the law given by `gain` or `std` and `bias` (see `Linear`), asked as one.
    `key_heads` heads of keys and values serve all heads in groups. `key_width` is the width of a head's queries
    and keys, width / heads by default, as that of its values always is; the temperature is the root of `key_width` by
    default. `rotary` is the base of rotary positions. With `shaped` the matrix of a head is I + softmax - average,
    the average over what the position may see. The output matrix has `output_gain` or `output_std`, by default the law
    of the others; with `output=False` there is none.

    Source: Vaswani et al. 2017; Noci et al. 2023, shaped attention; Su et al. 2021, rotary positions; Ainslie et
        al. 2023, shared keys.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> import numpy as np
    >>> from deeplimits.architectures import Attention, Network, Residual, RMSNorm
    >>> block = Residual(RMSNorm(), Attention(heads=4, causal=True, key_heads=2, rotary=10_000.0))
    >>> Network(block).sample(np.ones((16, 5, 1)), samples=3, seed=1).shape  # width, positions, inputs
    (3, 16, 5, 1)
    """

    positions: ClassVar[int | None] = 1

    heads: int
    causal: bool = False
    gain: float | str | None = None
    std: float | None = None
    bias: float | str | None = None
    output_gain: float | str | None = None
    output_std: float | None = None
    output: bool = True
    key_heads: int | None = None
    key_width: int | None = None
    temperature: float | None = None
    rotary: float | None = None
    shaped: bool = False
    rate: float = 1.0

    def __post_init__(self) -> None:
        whole("heads", self.heads)
        if self.heads % whole("key_heads", self.heads if self.key_heads is None else self.key_heads):
            raise ValueError(f"key_heads must divide heads={self.heads}, got {self.key_heads}")
        if self.key_width is not None:
            whole("key_width", self.key_width)
        for name in ("temperature", "rotary"):
            if getattr(self, name) is not None:
                real(name, getattr(self, name), above=0)
        self.law.checked()
        self.output_law.checked()

    @property
    def law(self) -> Law:
        """How queries, keys and values are drawn."""
        return Law(self.gain, self.std, self.bias)

    @property
    def output_law(self) -> Law:
        """How the output matrix is drawn."""
        if self.output_gain is None and self.output_std is None:
            return self.law
        return Law(self.output_gain, self.output_std, self.bias)

    def _widths(self, width: int) -> tuple[int, int, int]:
        """The widths of all queries, of all keys and of all values."""
        if width % self.heads:
            raise ValueError(f"heads must divide the width {width}, got {self.heads}")
        value = width // self.heads
        key, groups = self.key_width or value, self.key_heads or self.heads
        if self.rotary is not None and key % 2:
            raise ValueError(f"rotary needs heads of even width, got {key}")
        return self.heads * key, groups * key, groups * value

    def size(self, size: Size) -> Size:
        """The size after this block."""
        mirrored(size.shape, 3, "Attention", "width, positions, inputs")
        width, positions, _ = size.shape
        asked = sum(self._widths(width))
        after = size.then(
            size.shape, count_of(width, asked, self.law), 2 * size.places * (width + asked + self.heads * positions)
        )
        if self.output:
            after = after.then(size.shape, count_of(width, width, self.output_law), 4 * size.places * width)
        return after

    def forward(self, x: FloatArray, scope: Scope) -> tuple[FloatArray, Backward]:
        """The attention of every position, and the way back."""
        width, positions = x.shape[1:3]
        widths = self._widths(width)
        ends = np.cumsum(widths)[:-1]
        asked, back_asked = affine(
            x, scope, sum(widths), self.law, part="attention", rate=self.rate, fan=(width, width)
        )
        parts = np.split(asked, ends, axis=1)
        q, k, v = (_heads(part, heads) for part, heads in zip(parts, self._head_counts(), strict=True))
        if self.rotary is not None:
            q, k = (_rotated(one, self.rotary, 1) for one in (q, k))
        groups = self.key_heads or self.heads
        q = q.reshape(*q.shape[:2], groups, -1, *q.shape[3:])
        k, v = k[:, :, :, None], v[:, :, :, None]
        temperature = self.temperature or np.sqrt(q.shape[-1])
        softmax = _softmax(q @ k.swapaxes(-1, -2) / temperature, self.causal)
        A = softmax + _shift(positions, self.causal) if self.shaped else softmax
        mixed = _states(A @ v)
        y, back_output = (
            affine(mixed, scope, width, self.output_law, part="output", rate=self.rate)
            if self.output
            else (mixed, lambda g: g)
        )

        def back(g: FloatArray) -> FloatArray:
            d_mixed = _heads(back_output(g), self.heads)
            d_mixed = d_mixed.reshape(*d_mixed.shape[:2], groups, -1, *d_mixed.shape[3:])
            d_v = (A.swapaxes(-1, -2) @ d_mixed).sum(axis=3)
            d_scores = d_mixed @ v.swapaxes(-1, -2)
            d_scores = softmax * (d_scores - np.sum(d_scores * softmax, axis=-1, keepdims=True)) / temperature
            d_q, d_k = d_scores @ k, (d_scores.swapaxes(-1, -2) @ q).sum(axis=3)
            d_q = d_q.reshape(*d_q.shape[:2], self.heads, *d_q.shape[4:])
            if self.rotary is not None:
                d_q, d_k = (_rotated(one, self.rotary, -1) for one in (d_q, d_k))
            return back_asked(np.concatenate([_states(one) for one in (d_q, d_k, d_v)], axis=1))

        return y, back

    def moments(self, moments: Moments, layer: int = 0, depth: int = 1) -> Moments:
        """A position that is alone sees itself only: two matrices, one after the other."""
        width, positions, _ = moments.shape
        if positions > 1:
            raise ValueError(
                "Attention between several positions has no kernel of infinite width in closed form: sample the "
                "network, or take inputs of one position"
            )
        through = Linear(width, *self.law).moments(moments)
        return Linear(width, *self.output_law).moments(through) if self.output else through

    def _head_counts(self) -> tuple[int, int, int]:
        groups = self.key_heads or self.heads
        return self.heads, groups, groups


def _heads(x: FloatArray, heads: int) -> FloatArray:
    """(samples, heads width, positions, inputs) -> (samples, inputs, heads, positions, width)."""
    split = x.reshape(len(x), heads, -1, *x.shape[2:])
    return np.ascontiguousarray(split.transpose(0, 4, 1, 3, 2))


def _states(x: FloatArray) -> FloatArray:
    """(samples, inputs, ...heads, positions, width) -> (samples, heads width, positions, inputs)."""
    flat = x.reshape(*x.shape[:2], -1, *x.shape[-2:])
    return np.ascontiguousarray(flat.transpose(0, 2, 4, 3, 1)).reshape(len(x), -1, x.shape[-2], x.shape[1])


def _softmax(scores: FloatArray, causal: bool) -> FloatArray:
    if causal:
        scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _shift(positions: int, causal: bool) -> FloatArray:
    """What shaping adds to softmax: the identity minus the average over what is seen."""
    seen = np.tri(positions) if causal else np.ones((positions, positions))
    return np.eye(positions) - seen / seen.sum(axis=1, keepdims=True)


def _rotated(x: FloatArray, base: float, sense: int) -> FloatArray:
    """Coordinates i and i + half turned by the angle position base^(-i / half).

    Shapes: (..., positions, width), the same out.
    """
    positions, width = x.shape[-2:]
    half = width // 2
    angle = np.arange(positions)[:, None] * base ** (-np.arange(half) / half)
    cosine, sine = np.cos(angle), sense * np.sin(angle)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
