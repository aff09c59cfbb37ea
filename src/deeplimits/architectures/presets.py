"""Networks that people train, with the sizes and initialisations of their papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .._checks import choice, flag, real, sequence, whole
from ._block import Block
from .attention import Attention
from .composite import Residual, repeat
from .images import ClassToken, Convolution, Flatten, Position
from .linear import Gated, Linear
from .network import Network
from .pointwise import Elementwise, LayerNorm, RMSNorm
from .tokens import Embedding, Positions, Readout

#: GELU by a hyperbolic tangent, as GPT-2 has it. Source: Hendrycks and Gimpel 2016.
GELU_TANH = "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))"

#: Depth, width, heads. Source: Radford et al. 2019, table 2; the heads are those of the released models.
GPT2 = {"small": (12, 768, 12), "medium": (24, 1024, 16), "large": (36, 1280, 20), "xl": (48, 1600, 25)}
GPT2_VOCABULARY = 50257

#: Depth, width, heads, heads of keys, width of the gated units, vocabulary.
#: Source: Touvron et al. 2023 (Llama, and Llama 2 for the shared keys of 70b).
LLAMA = {
    "7b": (32, 4096, 32, 32, 11008, 32000),
    "13b": (40, 5120, 40, 40, 13824, 32000),
    "70b": (80, 8192, 64, 8, 28672, 32000),
}

#: Depth, width, heads, width of the perceptrons. Source: Dosovitskiy et al. 2021, table 1.
VIT = {"base": (12, 768, 12, 3072), "large": (24, 1024, 16, 4096), "huge": (32, 1280, 16, 5120)}


def mlp(
    widths: Sequence[int], activation: object = "relu", gain: float | str = "he", bias: float | None = None
) -> Network:
    """A fully connected network: matrices of these widths with an activation between two of them.

    Each matrix with its activation is a layer; the last has none.

    Source: He et al. 2015, the gain of the default.
    Raises: ValueError as `Linear` and `Elementwise`, and for no widths.

    >>> from deeplimits.architectures import mlp
    >>> mlp([1024, 1024, 10], "gelu", gain="critical").size((784, 1)).parameters
    1861632
    """
    if not isinstance(gain, str):
        real("gain", gain, least=0)
    widths = [whole("widths", width) for width in sequence("widths", widths, "width")]
    blocks: list[Block] = []
    for width in widths:
        matrix = Linear(width, gain, bias=bias, activation=activation if gain == "critical" else None)
        blocks += [repeat(1, matrix, Elementwise(activation))]
    return Network(
        *blocks[:-1],
        repeat(1, Linear(widths[-1], gain, bias=bias, activation=activation if gain == "critical" else None)),
    )


def resnet(
    width: int,
    depth: int,
    outputs: int = 1,
    activation: object = "relu",
    gain: float | str = 1.0,
    scale: float | str = "1/sqrt(L)",
) -> Network:
    """A residual network x + scale W phi(x) between an input and an output matrix.

    Source: Hayou 2023.
    Raises: ValueError as `Linear`, `Elementwise` and `Residual`.

    >>> import numpy as np
    >>> from deeplimits.architectures import resnet
    >>> resnet(width=32, depth=100).sample(np.ones((3, 2)), samples=10, seed=1).shape
    (10, 1, 2)
    """
    return Network(
        Linear(width),
        repeat(depth, Residual(Elementwise(activation), Linear(width, gain), scale=scale)),
        Linear(outputs),
    )


def pre_norm_mlp(
    width: int,
    depth: int,
    outputs: int = 1,
    activation: object = "relu",
    gain: float | str = "he",
    scale: float | str = 1.0,
    expansion: int = 4,
) -> Network:
    """A residual network of perceptrons after RMSNorm: x + scale W_2 phi(W_1 norm(x)).

    Source: the feed-forward half of pre-norm transformers, Xiong et al. 2020.
    Raises: ValueError as `Linear`, `Elementwise` and `Residual`.

    >>> from deeplimits.architectures import pre_norm_mlp
    >>> pre_norm_mlp(width=32, depth=6, scale="1/sqrt(L)").depth
    9
    """
    branch = (
        RMSNorm(),
        Linear(whole("expansion", expansion) * whole("width", width), gain),
        Elementwise(activation),
        Linear(width),
    )
    return Network(Linear(width), repeat(depth, Residual(*branch, scale=scale)), RMSNorm(), Linear(outputs))


def gpt2(size: str = "small", *, readout: bool = True) -> Network:
    """GPT-2: pre-norm blocks of causal attention and a perceptron, tied embedding and read-out.

    Weights N(0, 0.02^2), positions N(0, 0.01^2), biases 0; the matrices that end a branch are divided by sqrt(2 L).
    Layers are: embedding, positions, one for each block, the last norm, the read-out (left out without `readout`).

    Source: Radford et al. 2019: the factor, one over the root of the number of residual layers. The other constants are
        those of the released code, which leaves this factor out.
    Raises: ValueError for an unknown size, and for a readout that is no truth value.

    >>> from deeplimits.architectures import gpt2
    >>> f"{gpt2('xl').size((8, 1)).parameters:,}"  # 8 tokens of one sequence
    '1,557,611,200'
    """
    depth, width, heads = _known("size", size, GPT2)
    return _gpt(depth, width, heads, GPT2_VOCABULARY, 1024, flag("readout", readout))


def gpt3(*, readout: bool = True) -> Network:
    """GPT-3 with 175 billion parameters: 96 blocks of width 12288 with 96 heads.

    Its blocks alternate between full attention and bands, whose width is not published; here all are full, which is
    the same for inputs that fit into a band. "The same initialisation" as GPT-2.

    Source: Brown et al. 2020, table 2.1.
    Raises: ValueError for a readout that is no truth value.

    >>> from deeplimits.architectures import gpt3
    >>> gpt3().size((8, 1)).shape
    (50257, 8, 1)
    """
    return _gpt(96, 12288, 96, GPT2_VOCABULARY, 2048, flag("readout", readout))


def llama(size: str = "7b", *, readout: bool = True) -> Network:
    """Llama: pre-norm blocks of causal attention with rotary positions and SwiGLU units, RMSNorm, no biases.

    The papers do not publish the initialisation. All weights are N(0, 0.02^2), the default of Hugging Face's
    configuration. Layers are: embedding, one for each block, the last norm, the read-out.

    Source: Touvron et al. 2023.
    Raises: ValueError for an unknown size, and for a readout that is no truth value.

    >>> from deeplimits.architectures import llama
    >>> llama("70b", readout=False).size((8, 1)).shape
    (8192, 8, 1)
    """
    depth, width, heads, key_heads, gated, vocabulary = _known("size", size, LLAMA)
    epsilon = 1e-5 if size == "70b" else 1e-6
    attention = Residual(RMSNorm(epsilon), Attention(heads, causal=True, std=0.02, key_heads=key_heads, rotary=10000.0))
    units = Residual(RMSNorm(epsilon), Gated(gated, "silu", std=0.02), Linear(width, std=0.02))
    last = [Linear(vocabulary, std=0.02)] if flag("readout", readout) else []
    return Network(Embedding(vocabulary, width), repeat(depth, attention, units), RMSNorm(epsilon), *last)


def vit(size: str = "base", patch: int = 16, pixels: int = 224, classes: int = 1000) -> Network:
    """A vision transformer on images of `pixels` by `pixels` with three channels.

    Blocks have Xavier's variance and biases of deviation 1e-6 in the perceptrons and 0 elsewhere, patches LeCun's
    variance, positions N(0, 0.02^2), the class token and the head start at 0.

    Law: the published matrices are uniform and truncated normal; this is their law only as the width grows.
    Source: Dosovitskiy et al. 2021; the constants are those of the released code.
    Raises: ValueError for an unknown size and patches that do not fit.

    >>> from deeplimits.architectures import vit
    >>> vit("base").size((3, 224, 224, 1)).shape
    (1000, 1)
    """
    depth, width, heads, hidden = _known("size", size, VIT)
    whole("classes", classes)
    if whole("pixels", pixels) % whole("patch", patch):
        raise ValueError(f"patch must divide pixels={pixels}, got {patch}")
    attention = Residual(LayerNorm(1e-6), Attention(heads, gain="xavier", bias=0.0))
    perceptron = Residual(
        LayerNorm(1e-6), Linear(hidden, "xavier", bias=1e-6), Elementwise("gelu"), Linear(width, "xavier", bias=1e-6)
    )
    return Network(
        Convolution(width, patch, patch, "none", bias=0.0),
        Flatten(),
        ClassToken(),
        Positions((pixels // patch) ** 2 + 1),
        repeat(depth, attention, perceptron),
        LayerNorm(1e-6),
        Position(0),
        Linear(classes, std=0.0, bias=0.0),
    )


def _gpt(depth: int, width: int, heads: int, vocabulary: int, length: int, readout: bool) -> Network:
    last = 0.02 / float(np.sqrt(2 * depth))
    attention = Residual(LayerNorm(), Attention(heads, causal=True, std=0.02, bias=0.0, output_std=last))
    perceptron = Residual(
        LayerNorm(), Linear(4 * width, std=0.02, bias=0.0), Elementwise(GELU_TANH), Linear(width, std=last, bias=0.0)
    )
    blocks = [
        Embedding(vocabulary, width, name="tokens"),
        Positions(length, 0.01),
        repeat(depth, attention, perceptron),
        LayerNorm(),
    ]
    return Network(*blocks, *([Readout(vocabulary, "tokens")] if readout else []))


def _known(name: str, value: str, table: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    return table[choice(name, value, table)]
