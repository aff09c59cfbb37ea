"""Designs by name or by a few numbers, and what is not known by that which comes close."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .._checks import choice, real, whole
from ..architectures import (
    Elementwise,
    LayerNorm,
    Linear,
    Network,
    Residual,
    RMSNorm,
    gpt2,
    gpt3,
    llama,
    mlp,
    repeat,
    vit,
)
from ..architectures import Sequence as Blocked
from ..architectures._block import Block
from ..architectures.composite import SCALES
from ..architectures.linear import GAINS

#: Presets by name.
PRESETS: dict[str, Callable[[], Network]] = {
    **{
        f"gpt2{'' if size == 'small' else f'-{size}'}": partial(gpt2, size)
        for size in ("small", "medium", "large", "xl")
    },
    "gpt3": gpt3,
    **{f"llama-{size}": partial(llama, size) for size in ("7b", "13b", "70b")},
    **{f"vit-{size}": partial(vit, size, pixels=32) for size in ("base", "large", "huge")},
}
NORMS: dict[str, type[Block]] = {"layer": LayerNorm, "rms": RMSNorm}


def preset(name: str) -> Network:
    """A network by the name of its paper.

    Vision transformers are those of images of 32 by 32 pixels: four patches.

    Raises: ValueError for an unknown name, with the one that is closest.

    >>> from deeplimits import own
    >>> own.preset("gpt2").axes
    2
    """
    return PRESETS[choice("preset", name, PRESETS)]()


def perceptron(
    width: int,
    depth: int,
    activation: str = "relu",
    init: str | float = "he",
    outputs: int = 10,
    *,
    residual: str | float | None = None,
    norm: str | None = None,
) -> Network:
    """A network of matrices of one width, with an activation between them; residual and normalised if asked for.

    Without `residual` a layer is a matrix and its activation, after which the norm stands. With it a layer adds that
    number, or "1/sqrt(L)", times a branch: norm, activation, matrix.

    Raises: ValueError for an unknown gain, norm or scale, with the one that is closest; for sizes below 1.

    >>> from deeplimits import own
    >>> len(own.perceptron(width=64, depth=8, residual="1/sqrt(L)", norm="layer").layers)
    11
    """
    whole("width", width), whole("depth", depth), whole("outputs", outputs)
    if isinstance(init, str):
        choice("init", init, (*GAINS, "critical"))
    else:
        real("init", init, least=0)
    choice("norm", norm, NORMS, optional=True)
    if isinstance(residual, str):
        choice("residual", residual, SCALES)
    elif residual is not None:
        real("residual", residual)
    if residual is None and norm is None:
        return mlp([width] * depth + [outputs], activation, init)
    matrix = Linear(width, init, activation=activation if init == "critical" else None)
    between = [] if norm is None else [NORMS[norm]()]
    if residual is None:
        return Network(repeat(depth, matrix, Elementwise(activation), *between), Linear(outputs))
    branch = Residual(*between, Elementwise(activation), matrix, scale=residual)
    return Network(Linear(width), repeat(depth, branch), *between, Linear(outputs))


def named(design: Any) -> tuple[str, Any]:
    """A name for a design, and the list of blocks or the module that it is.

    Raises: ValueError for what is no design.
    """
    if isinstance(design, str):
        return design, preset(design)
    if isinstance(design, Network):
        return described(design), design
    if callable(getattr(design, "named_modules", None)):
        return type(design).__name__, design
    raise ValueError(
        f"design must be a list of blocks (deeplimits.architectures.Network), a preset ({', '.join(PRESETS)}) or a "
        f"module of PyTorch, got {design!r}"
    )


def described(network: Network) -> str:
    """A network in a few words: its layers, equal ones counted."""
    words: list[str] = []
    counts: list[int] = []
    for layer in network.layers:
        word = worded(layer.block)
        if words and words[-1] == word:
            counts[-1] += 1
        else:
            words.append(word)
            counts.append(1)
    return ", ".join(f"{count} x ({word})" if count > 1 else word for word, count in zip(words, counts, strict=True))


def worded(block: Block) -> str:
    """A block in a few words."""
    if isinstance(block, Linear):
        return f"Linear {block.width}"
    if isinstance(block, Elementwise):
        name = getattr(block.function, "name", block.function)
        return name if isinstance(name, str) and len(name) < 20 else "activation"
    if isinstance(block, Residual):
        return f"Residual({', '.join(map(worded, block.blocks))})"
    if isinstance(block, Blocked):
        return " + ".join(map(worded, block.blocks))
    return type(block).__name__
