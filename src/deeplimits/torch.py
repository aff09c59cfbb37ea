"""PyTorch modules without their weights: matrices that are drawn only where the module looks.

>>> import torch, deeplimits.torch
>>> with torch.device("meta"):  # costs nothing, whatever the width
...     model = torch.nn.Sequential(torch.nn.Linear(784, 10**6), torch.nn.ReLU(), torch.nn.Linear(10**6, 10))
>>> model = deeplimits.torch.weightless(model, seed=1)
>>> x = torch.ones(2, 784, requires_grad=True)
>>> model(x).square().sum().backward()
>>> x.grad.shape
torch.Size([2, 784])

PyTorch is needed for this module only: `pip install deeplimits[torch]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _checks
from ._checks import choice
from ._optional import found, missing
from ._torch_laws import Law, Laws, bare_matrices, matrices_of, unknown
from ._torch_matrices import Lazy, LazyParameter, Product
from ._torch_weights import refuse_others
from .lazy import PRECISIONS

__all__ = [
    "Lazy",
    "LazyAttention",
    "LazyConvolution",
    "LazyEmbedding",
    "LazyLinear",
    "LazyParameter",
    "redraw",
    "weightless",
]

torch: Any = found("torch")
functional: Any = found("torch.nn.functional")
_Module: Any = object if torch is None else torch.nn.Module


def weightless(
    module: Any,
    seed: int,
    *,
    law: Law | None = None,
    precision: str = "single",
    method: str | None = None,
) -> Any:
    """The module with every matrix lazy; forward and `backward()` have the joint law of its initialisation.

    Replaces each `nn.Linear`, `nn.Embedding`, `nn.Conv1d`, `nn.Conv2d`, `nn.MultiheadAttention` and `Conv1D` of
    transformers, in place. Weights that modules share stay shared. Everything else runs as it is; what was on the meta
    device is initialised as its own module does. Gradients reach inputs, biases and gains; matrices have none. A bare
    parameter with two axes becomes lazy if `law` gives its deviation; it answers to `F.linear`, `@` and `.T`.

    Shapes: those of the module.
    Law: of a Gaussian matrix with the deviation of the module's own initialisation: exact where that is Gaussian (all
        of transformers' GPT-2 and Llama, `nn.Embedding`). PyTorch's defaults for linear and convolutional layers and
        for attention are uniform: the law of a layer's outputs is then right as its inputs grow in number only, their
        means and covariances always. Biases are drawn as the module would; those that hold zeros alone stay zero. `law`
        maps (name of a parameter, parameter) to another deviation, or None for this rule; or it is "he", "xavier",
        "lecun" or "torch" for linear and convolutional layers, or "own" for this rule. Weights that the module holds
        must be of the size of this rule, or `law` must be given. Orthogonal initialisation cannot be seen in a module
        and is not followed. `method` and `precision` as for `lazy.GaussianMatrix`.
    Source: ours; the rules are PyTorch's reset_parameters and transformers' _init_weights.
    Raises: ImportError without PyTorch; ValueError for a matrix of unknown law, or that holds weights of another one,
        for layers that are not supported, for a module that is no `nn.Module`.

    >>> import torch, deeplimits.torch
    >>> with torch.device("meta"):
    ...     model = torch.nn.Sequential(torch.nn.Linear(3, 10**6), torch.nn.ReLU(), torch.nn.Linear(10**6, 1))
    >>> model = deeplimits.torch.weightless(model, seed=1)
    >>> model(torch.ones(2, 3)).shape
    torch.Size([2, 1])
    """
    _needed()
    _required(module)
    choice("precision", precision, PRECISIONS)
    laws = Laws(torch, module, law)
    refuse_others(module, laws)
    return redraw(_replaced(module, laws, precision, method), seed)


def _replaced(module: Any, laws: Laws, precision: str = "single", method: str | None = None) -> Any:
    """The module with every matrix lazy and nothing drawn, whatever weights it held."""
    plan = matrices_of(torch, module, laws)
    shared: dict[int, Lazy] = {}
    made = {}
    for name, part in plan:
        made[name] = _twin(name, part, laws, shared, precision, method)
    for name, owner, key in bare_matrices(module, plan):
        deviation = laws.given(name, owner.get_parameter(key))
        if deviation is not None:
            parameter = owner.get_parameter(key)
            if id(parameter) not in shared:
                outputs, inputs = parameter.shape
                shared[id(parameter)] = Lazy(name, outputs, inputs, deviation, precision, method)
            delattr(owner, key)
            setattr(owner, key, LazyParameter(shared[id(parameter)]))
    for name, new in made.items():
        if not name:
            module = new
            continue
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, new)
    _materialise(module, laws)
    return module


def redraw(module: Any, seed: int) -> Any:
    """The same module as another network: all matrices and biases drawn anew, nothing known.

    Law: networks of different seeds are independent. Gains and biases of norms keep their values.
    Raises: ImportError without PyTorch; ValueError for what is no `nn.Module` and for a seed out of range.

    >>> import torch, deeplimits.torch
    >>> model = deeplimits.torch.weightless(torch.nn.Linear(3, 10), seed=1)
    >>> first = model(torch.ones(1, 3))
    >>> another = deeplimits.torch.redraw(model, seed=2)
    >>> bool((another(torch.ones(1, 3)) == first).all())
    False
    """
    _needed()
    _checks.seed(seed)
    _required(module)
    parts = [(name, part) for name, part in module.named_modules() if isinstance(part, _LazyModule)]
    lazies = [lazy for _, part in parts for lazy in part.lazies]
    for part in module.modules():
        lazies += [value.lazy for value in vars(part).values() if isinstance(value, LazyParameter)]
    for lazy in {id(lazy): lazy for lazy in lazies}.values():
        lazy.draw(seed)
    for name, part in parts:
        part.draw_biases(seed, name)
    return module


def _required(module: Any) -> None:
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, got {_checks.shown(module)}")


class _LazyModule(_Module):
    """What all modules with lazy matrices share."""

    def __init__(self, of: Any, lazies: list[Lazy], biases: dict[str, tuple[int, float]]) -> None:
        super().__init__()
        self.lazies, self.ranges = lazies, biases
        for name, (size, _) in biases.items():
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(size)))

    def draw_biases(self, seed: int, name: str) -> None:
        """Other biases, uniform within their ranges."""
        for bias, (size, reach) in self.ranges.items():
            if reach:
                drawn = np.random.default_rng([seed, *f"{name}.{bias}".encode()]).uniform(-reach, reach, size)
                with torch.no_grad():
                    getattr(self, bias).copy_(torch.from_numpy(drawn))


class LazyLinear(_LazyModule):
    """`nn.Linear`, or transformers' `Conv1D`, without its weight.

    >>> import torch, deeplimits.torch
    >>> layer = deeplimits.torch.weightless(torch.nn.Linear(3, 10), seed=1)
    >>> type(layer).__name__, layer(torch.ones(2, 3)).shape
    ('LazyLinear', torch.Size([2, 10]))
    """

    def forward(self, x: Any) -> Any:
        """W x + b."""
        y = Product.apply(x, self.lazies[0], False)
        return y + self.bias.to(y.dtype) if "bias" in self.ranges else y


class LazyEmbedding(_LazyModule):
    """`nn.Embedding` without its weight.

    >>> import torch, deeplimits.torch
    >>> layer = deeplimits.torch.weightless(torch.nn.Embedding(50, 8), seed=1)
    >>> type(layer).__name__, layer(torch.tensor([[3, 7]])).shape
    ('LazyEmbedding', torch.Size([1, 2, 8]))
    """

    def __init__(self, of: Any, lazies: list[Lazy], biases: dict[str, tuple[int, float]]) -> None:
        super().__init__(of, lazies, biases)
        self.padding_idx = of.padding_idx

    def forward(self, tokens: Any) -> Any:
        """The rows of the tokens; a leaf of the graph, so that gradients end here."""
        found, place = torch.unique(tokens, return_inverse=True)
        count = self.lazies[0].shape[0]
        if found.min() < 0 or found.max() >= count:
            raise IndexError(f"tokens must lie in 0..{count - 1}, got {int(found.min())} to {int(found.max())}")
        chosen = np.zeros((len(found), count))
        chosen[np.arange(len(found)), found.numpy()] = 1
        if self.padding_idx is not None:
            chosen[:, self.padding_idx] = 0
        rows = torch.from_numpy(self.lazies[0].ask(chosen, left=True)).to(torch.get_default_dtype())
        return rows[place].requires_grad_(torch.is_grad_enabled())


class LazyConvolution(_LazyModule):
    """`nn.Conv1d` or `nn.Conv2d` without its weight: one matrix that is asked about all patches.

    >>> import torch, deeplimits.torch
    >>> layer = deeplimits.torch.weightless(torch.nn.Conv2d(3, 8, 3), seed=1)
    >>> type(layer).__name__, layer(torch.ones(1, 3, 5, 5)).shape
    ('LazyConvolution', torch.Size([1, 8, 3, 3]))
    """

    def __init__(self, of: Any, lazies: list[Lazy], biases: dict[str, tuple[int, float]]) -> None:
        super().__init__(of, lazies, biases)
        self.kernel, self.stride, self.dilation = of.kernel_size, of.stride, of.dilation
        self.border = tuple(of._reversed_padding_repeated_twice)
        self.mode = "constant" if of.padding_mode == "zeros" else of.padding_mode

    def forward(self, x: Any) -> Any:
        """The filtered images."""
        flat = len(self.kernel) == 1
        x = functional.pad(x, self.border, mode=self.mode)
        single = x.dim() == len(self.kernel) + 1
        x = x[None] if single else x
        kernel, stride, dilation = ((1, *one) if flat else one for one in (self.kernel, self.stride, self.dilation))
        image = x.unsqueeze(2) if flat else x
        sizes = [
            (length - reach * (taps - 1) - 1) // step + 1
            for length, taps, step, reach in zip(image.shape[2:], kernel, stride, dilation, strict=True)
        ]
        patches = functional.unfold(image, kernel, dilation, 0, stride).transpose(1, 2)
        y = Product.apply(patches, self.lazies[0], False)
        y = y + self.bias.to(y.dtype) if "bias" in self.ranges else y
        y = y.transpose(1, 2).reshape(len(x), -1, *(sizes[1:] if flat else sizes))
        return y[0] if single else y


class LazyAttention(_LazyModule):
    """`nn.MultiheadAttention` without its matrices.

    >>> import torch, deeplimits.torch
    >>> layer = deeplimits.torch.weightless(torch.nn.MultiheadAttention(8, 2, batch_first=True), seed=1)
    >>> x = torch.ones(1, 4, 8)
    >>> type(layer).__name__, layer(x, x, x)[0].shape
    ('LazyAttention', torch.Size([1, 4, 8]))
    """

    def __init__(self, of: Any, lazies: list[Lazy], biases: dict[str, tuple[int, float]]) -> None:
        super().__init__(of, lazies, biases)
        self.embed_dim, self.num_heads, self.dropout = of.embed_dim, of.num_heads, of.dropout
        self.batch_first, self._qkv_same_embed_dim = of.batch_first, False  # keeps encoders off their fused path
        if "in_proj_bias" not in biases:
            self.in_proj_bias: Any = None

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """As `nn.MultiheadAttention.forward`."""
        single = query.dim() == 2
        parts = [
            one[None] if single else one if self.batch_first else one.transpose(0, 1) for one in (query, key, value)
        ]
        q, k, v = self._projected(parts)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if is_causal and attn_mask is None:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        for mask in (
            self._spread(attn_mask, scores),
            None
            if key_padding_mask is None
            else self._spread(torch.atleast_2d(key_padding_mask)[:, None, None], scores),
        ):
            if mask is not None:
                scores = scores.masked_fill(mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
        weights = scores.softmax(-1)
        mixed = functional.dropout(weights, self.dropout, self.training) @ v
        y = Product.apply(mixed.transpose(1, 2).flatten(2), self.lazies[1], False)
        y = y + self.get_parameter("out_proj_bias").to(y.dtype) if "out_proj_bias" in self.ranges else y
        y = y[0] if single else y if self.batch_first else y.transpose(0, 1)
        if not need_weights:
            return y, None
        weights = weights.mean(1) if average_attn_weights else weights
        return y, weights[0] if single else weights

    def _projected(self, parts: list[Any]) -> list[Any]:
        """Queries, keys and values by heads. The matrix is asked once about each of them that differs."""
        asked: dict[int, Any] = {}
        found = []
        for place, part in enumerate(parts):
            if id(part) not in asked:
                y = Product.apply(part, self.lazies[0], False)
                asked[id(part)] = y + self.in_proj_bias.to(y.dtype) if "in_proj_bias" in self.ranges else y
            chosen = asked[id(part)].chunk(3, dim=-1)[place]
            found.append(chosen.unflatten(-1, (self.num_heads, -1)).transpose(1, 2))
        return found

    def _spread(self, mask: Any, scores: Any) -> Any:
        """A mask of shape (heads batch, L, S) beside scores (batch, heads, L, S)."""
        return mask.view(scores.shape) if mask is not None and mask.dim() == 3 else mask


def _twin(name: str, part: Any, laws: Laws, shared: dict[int, Lazy], precision: str, method: str | None) -> Any:
    """The module that does what one with matrices did."""
    kind = laws.kind(part)
    lazies, biases = [], {}
    for weight_name, outputs, inputs in laws.shapes(part):
        owner = part.get_parameter(weight_name)
        if id(owner) not in shared:
            full = f"{name}.{weight_name}".lstrip(".")
            shared[id(owner)] = Lazy(full, outputs, inputs, laws.deviation(full, part, owner), precision, method)
        if shared[id(owner)].shape != (outputs, inputs):
            raise unknown(name, "shares its weight with a layer that sees it transposed")
        lazies.append(shared[id(owner)])
    for bias_name, bias in laws.biases(part).items():
        biases[bias_name] = (bias.numel(), laws.bias_range(name, part, bias_name))
    twins: dict[str | None, type] = {
        "linear": LazyLinear,
        "embedding": LazyEmbedding,
        "convolution": LazyConvolution,
        "attention": LazyAttention,
    }
    return twins[kind](part, lazies, biases)


def _materialise(module: Any, laws: Laws) -> None:
    """Initialise what is left on the meta device, as its own module does."""
    for name, part in module.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        if not any(tensor.is_meta for _, tensor in own):
            continue
        large = [
            f"{name}.{key}"
            for key, tensor in own
            if tensor.is_meta and tensor.dim() > 1 and isinstance(tensor, torch.nn.Parameter)
        ]
        if large:
            raise unknown(large[0], "belongs to a layer without a lazy twin")
        part.to_empty(device="cpu", recurse=False)
        laws.initialise(name, part)


def _needed() -> None:
    if torch is None:
        raise missing("deeplimits.torch", "PyTorch", "deeplimits[torch]")
