"""Modules of PyTorch as a source of measurements: hooks on every matrix and norm, forward and back."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._checks import FloatArray
from .._files import Arrays
from .._optional import found, missing
from .._torch_laws import Law, Laws, matrices_of
from .._torch_weights import refuse_others
from ._trace import log10, looked, measured

#: Networks of a report of a module, if their number is not given.
SAMPLES = 50


class Seen(NamedTuple):
    """What one pass shows of a layer: of its output, of its input, of the gradient at its output, and of its matrix.

    Shapes: (4,) each, see `looked`, zeros for an input of tokens; `weight` is the logarithm of the norm of the gradient
        with respect to the matrix of a linear layer, -inf for others.
    """

    output: FloatArray
    input: FloatArray
    gradient: FloatArray
    weight: float


def needed() -> Any:
    """PyTorch. Raises: ImportError without it."""
    torch = found("torch")
    if torch is None:
        raise missing("a report of a module", "PyTorch", "deeplimits[torch]")
    return torch


def layers_of(module: Any) -> dict[str, str]:
    """The layers that are watched, by name: what they are."""
    torch = needed()
    laws = Laws(torch, module, None)
    matrices = {name: str(laws.kind(part)) for name, part in matrices_of(torch, module, laws)}
    inside = tuple(f"{name}." for name, kind in matrices.items() if kind == "attention")
    kinds = {name: "norm" for name, part in module.named_modules() if "Norm" in type(part).__name__}
    chosen = {**matrices, **kinds}
    return {
        name: chosen[name]
        for name, _ in module.named_modules()
        if name in chosen and not name.startswith(inside or ("\0",))
    }


def reference(module: Any) -> Any:
    """The same module in single precision and evaluation mode, with its matrices on the meta device.

    All of a model of transformers is there: it knows how each of its parts begins.

    Raises: ValueError for a module that cannot be copied.
    """
    torch = needed()
    hub = hasattr(module, "_init_weights")
    memo: dict[int, Any] = {}
    laws = Laws(torch, module, None)
    for part in module.modules():
        for tensor in part.parameters(recurse=False):
            if hub or (laws.kind(part) and tensor.dim() > 1):
                empty = torch.empty_like(tensor, device="meta")
                memo[id(tensor)] = torch.nn.Parameter(empty, requires_grad=tensor.requires_grad)
    try:
        return copy.deepcopy(module, memo).float().eval()
    except (RuntimeError, TypeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"module must be one that copy.deepcopy copies, which failed: {text[:300]}") from None


def arguments(module: Any, batch: Any, *, single: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a module is called with: a tensor, a tuple of them, or names.

    Floating-point inputs of a copy in single precision are single too.
    """
    torch = needed()

    def one(value: Any) -> Any:
        try:
            value = torch.as_tensor(value) if isinstance(value, np.ndarray | list) else value
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"batch must hold tensors or arrays of numbers, not lists of them: {error}") from None
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        if not bool(torch.isfinite(value).all()):
            raise ValueError("batch must be finite, got infinite or missing numbers")
        own = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
        return value.detach().to(torch.float32 if single else own).requires_grad_()

    if isinstance(batch, Mapping):
        return (), {key: one(value) for key, value in batch.items()}
    many = batch if isinstance(batch, tuple) else (batch,)
    return tuple(one(value) for value in many), {}


class Watch:
    """A hook that keeps what the first pass through a layer shows.

    Shapes: `gradient` is NaN until a gradient has come back, which a zero one does and one that is cut off does not.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.output, self.input = kind, np.full(4, np.nan), np.zeros(4)
        self.gradient, self.weight, self.passed, self.finite = np.full(4, np.nan), -np.inf, False, True

    def __call__(self, part: Any, args: tuple[Any, ...], output: Any) -> None:
        y = output[0] if isinstance(output, tuple) else output
        if self.passed or not hasattr(y, "register_hook"):
            return
        self.passed, self.finite = True, bool(y.detach().isfinite().all())
        if not self.finite:
            return
        self.output = _looked(y, self.kind)
        x = next((one for one in args if hasattr(one, "is_floating_point") and one.is_floating_point()), None)
        if x is not None:
            self.input = _looked(x, self.kind)
        if not y.requires_grad and needed().is_grad_enabled():
            y.requires_grad_()  # its weights learn, although a lazy matrix shows none
        if y.requires_grad:
            y.register_hook(lambda g: self.back(g, x))

    def back(self, g: Any, x: Any) -> None:
        """Look at the gradient at the output."""
        self.gradient = _looked(g, self.kind)
        if self.kind == "linear" and x is not None:
            G, X = (one.detach().double().reshape(-1, one.shape[-1]) for one in (g, x))
            self.weight = float(log10(np.array(float(((G @ G.T) * (X @ X.T)).sum().clamp(min=0)))) / 2)

    @property
    def seen(self) -> Seen:
        """What was kept."""
        return Seen(self.output, self.input, self.gradient, self.weight)


def watched(
    module: Any, batch: tuple[tuple[Any, ...], dict[str, Any]], layers: Mapping[str, str], seed: int
) -> tuple[list[Seen], FloatArray]:
    """One pass forward and back: what is seen of each layer, and the size of the outputs with the loss.

    Shapes: the second is (4,): the size of the outputs, the loss, how many outputs and how many inputs there are.
    Raises: ValueError for a batch that does not fit the module, for what is not finite on the way, for outputs to which
        no gradient comes back.
    """
    watches = {name: Watch(kind) for name, kind in layers.items()}
    hooks = [module.get_submodule(name).register_forward_hook(watch) for name, watch in watches.items()]
    try:
        y = _called(module, batch, watches)
        value = _loss(y, seed)
        if not value.requires_grad:
            raise ValueError(
                "module must return outputs that a gradient goes back from, these are cut off: "
                "leave out detach(), no_grad() and inference_mode"
            )
        value.backward()
    finally:
        for hook in hooks:
            hook.remove()
        module.zero_grad(set_to_none=True)
    last = _looked(y, "linear")
    return [watch.seen for watch in watches.values()], np.array([last[0], float(value.detach()), y.shape[-1], len(y)])


def _called(module: Any, batch: tuple[tuple[Any, ...], dict[str, Any]], watches: Mapping[str, Watch]) -> Any:
    torch, refused = needed(), None
    try:
        y = module(*batch[0], **batch[1])
    except AttributeError as error:
        refused = f"module must call its layers, and not take their weights out of them: {error}"
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
        refused = f"batch must fit the module, which refused it: {error}"
    gone = next((name or "module" for name, watch in watches.items() if not watch.finite), None)
    if gone is not None:
        raise ValueError(f"module must give finite numbers on the batch, layer {gone!r} gives infinite or missing ones")
    if refused is not None:
        raise ValueError(" ".join(refused.split())[:350])
    y = getattr(y, "logits", y)
    y = next((one for one in y if isinstance(one, torch.Tensor)), None) if isinstance(y, tuple | list) else y
    y = getattr(y, "last_hidden_state", y)
    if not isinstance(y, torch.Tensor) or y.dim() < 2:
        raise ValueError(f"module must return a tensor (batch, ..., outputs), got {type(y).__name__}")
    if not bool(y.detach().isfinite().all()):
        raise ValueError("module must return finite numbers on the batch, some are infinite or missing")
    return y


def _loss(y: Any, seed: int) -> Any:
    """Cross entropy against labels drawn at random, or the squared error to 1 of a single output."""
    torch, flat = needed(), y.reshape(-1, y.shape[-1]).float()
    if flat.shape[1] == 1:
        return ((flat - 1) ** 2).mean() / 2
    labels = np.random.default_rng([seed, 1]).integers(0, flat.shape[1], len(flat))
    return torch.nn.functional.cross_entropy(flat, torch.from_numpy(labels).to(flat.device))


def _looked(tensor: Any, kind: str) -> FloatArray:
    """See `looked`: the last positions of the first and the second input; whole images."""
    y = tensor.detach().double().cpu().numpy()
    flat = y.reshape(len(y), -1) if kind == "convolution" or y.ndim > 3 else y.reshape(len(y), -1, y.shape[-1])[:, -1]
    return looked(flat[None, [0, min(1, len(flat) - 1)]], y[None])[0]


def _digest(batch: Any) -> str:
    """What tells one batch from another: all of its numbers, where a printed tensor leaves some out."""
    if isinstance(batch, Mapping):
        return repr({key: _digest(value) for key, value in batch.items()})
    if isinstance(batch, tuple):
        return repr([_digest(value) for value in batch])
    array = batch.detach().cpu().float().numpy() if hasattr(batch, "detach") else np.asarray(batch)
    return f"{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}" if array.dtype != object else repr(batch)


class Module:
    """A module whose matrices are drawn anew for each network: a source of measurements.

    A module that is `followed` must hold what its parts draw, and its constants are kept: see `_outside.constants`.
    """

    chunk = 1

    def __init__(self, module: Any, batch: Any, seed: int, law: Law | None, *, followed: bool = False) -> None:
        from ..torch import _replaced, redraw
        from . import _outside

        self.kinds = layers_of(module)
        self.layers = tuple(name or "module" for name in self.kinds)
        laws = Laws(needed(), module, law)
        if followed:
            refuse_others(module, laws)
        own = {name: laws.given(name, weight) for name, weight in module.named_parameters()}
        with needed().random.fork_rng(devices=[]):
            copied = reference(module)
            self.module = redraw(_replaced(copied, Laws(needed(), copied, laws.law)), 0)
        _outside.draw(self.module, 0)
        self.fixed = _outside.constants(module, self.module, strict=not laws.by_name) if followed else {}
        outside = {key: value.detach() for key, value in (*_outside.kept(module), *self.fixed.items())}
        zeros = [name for name, one in module.named_parameters() if not one.is_meta and not bool(one.any())]
        self.fingerprint = f"{module!r} {_digest(batch)} {own} {zeros} {_digest(outside) if outside else ''}"
        self.batch, self.seed = batch, seed

    def __repr__(self) -> str:
        return self.fingerprint

    def sizes(self) -> tuple[int, int]:
        """How many outputs the module has, and for how many inputs, by one network."""
        *_, outputs, inputs = next(self.networks(0, 1, self.seed))[1]
        return int(outputs), int(inputs)

    def networks(self, first: int, count: int, seed: int) -> Iterator[tuple[list[Seen], FloatArray]]:
        """What is seen of some networks, one after the other."""
        from ..torch import redraw
        from . import _outside

        for number in range(first, first + count):
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            redraw(self.module, own)
            _outside.draw(self.module, own)
            _outside.put(self.module, self.fixed)
            yield watched(self.module, arguments(self.module, self.batch, single=True), self.kinds, self.seed)

    def draw(self, first: int, count: int, seed: int) -> Arrays:
        """Measurements of some networks."""
        passes = list(self.networks(first, count, seed))
        outputs, gradients = (np.array([[one[k] for one in seen] for seen, _ in passes]) for k in (0, 2))
        weights = np.array([[one.weight for one in seen] for seen, _ in passes])
        last = np.array([end for _, end in passes])
        return measured(outputs, gradients, weights, last[:, 0], last[:, 1])
