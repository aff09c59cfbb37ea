"""Weights as they are, layer by layer, in the law of the initialisation that they should have."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from .._checks import FloatArray, flag, real, whole
from .._checks import seed as checked_seed
from .._torch_laws import Law, Laws
from . import _json
from ._modules import Module, Seen, arguments, layers_of, needed, watched
from ._outside import finite
from ._trace import checked_path, finished, resumed
from ._weights import moved_norms, sizes, ties
from .reports import save

SCHEMA = "deeplimits diagnosis 1"
#: The share of the level that is spent on how layers act; half of the rest on sizes and half on likeness.
ACTING = 0.5
#: The smallest level: it takes two million networks.
LEAST = 1e-6
#: Decimal logarithms of this size stand for 0 and for what is beyond double.
FAR = 400.0
#: The smallest spread of a logarithm that counts: below it is rounding.
ROUNDING = 1e-4


class Finding(NamedTuple):
    """What was found of one layer.

    Shapes: `size` is that of its weights over that of their law, None for norms; `quantile` is the share of networks in
        which the layer passes less on; `p` is corrected for everything that was looked at; `verdict` is "" if sound.

    >>> import torch, deeplimits
    >>> generator = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(20, 40), torch.nn.Tanh(), torch.nn.Linear(40, 5))
    >>> found = deeplimits.diagnose(model, torch.ones(2, 20), progress=False)
    >>> [(one.layer, one.kind, one.verdict) for one in found.findings]
    [('0', 'linear', ''), ('2', 'linear', '')]
    """

    layer: str
    kind: str
    size: float | None
    quantile: float
    p: float
    verdict: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found of all layers, and a verdict.

    Shapes: one finding for each layer that was called, in the order of the module.

    >>> import torch, deeplimits
    >>> generator = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(20, 40), torch.nn.Tanh(), torch.nn.Linear(40, 5))
    >>> found = deeplimits.diagnose(model, torch.ones(2, 20), progress=False)
    >>> found.sound, found.samples
    (True, 199)
    """

    name: str
    findings: tuple[Finding, ...]
    samples: int
    seed: int
    level: float
    version: str = __version__

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Diagnosis:
        """The diagnosis that `as_dict` made a document of.

        Raises: ValueError for a document of another schema, or with something missing, added or out of range.
        """
        return _json.read(document, SCHEMA, _read)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Diagnosis:
        """The diagnosis that `save` wrote as JSON. Raises: ValueError for a file that holds none or is damaged."""
        return cls.from_dict(_json.loaded(path, SCHEMA))

    @property
    def sound(self) -> bool:
        """Whether no layer differs from its initialisation."""
        return not self.suspects

    @property
    def suspects(self) -> tuple[Finding, ...]:
        """The layers that differ."""
        return tuple(one for one in self.findings if one.verdict)

    @property
    def sentences(self) -> list[str]:
        """The diagnosis in words."""
        against = f"at level {self.level:g}, against {self.samples} networks"
        if self.sound:
            return [f"{self.name}: no layer differs from its initialisation {against}."]
        count = len(self.suspects)
        head = f"{self.name}: {count} of {len(self.findings)} layers differ from their initialisation {against}."
        if count > max(2, len(self.findings) / 2):
            head += " So many: weights that are trained, or of another law; name it by `law`."
        return [head, *(f"{one.layer}: {one.verdict} (corrected p = {one.p:.2g})." for one in self.suspects)]

    def __str__(self) -> str:
        lines = [f"{'layer':<40} {'weights':>10} {'quantile':>9} {'p':>9}"]
        for one in self.findings:
            size = "" if one.size is None else f"{one.size:.4g}"
            lines.append(f"{one.layer[:40]:<40} {size:>10} {one.quantile:>9.3f} {one.p:>9.2g}")
        return "\n".join([*self.sentences, "", *lines])

    def as_dict(self) -> dict[str, Any]:
        """The diagnosis as JSON holds it."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "name": self.name,
            "networks": self.samples,
            "seed": self.seed,
            "level": self.level,
            "sound": self.sound,
            "layers": [one._asdict() for one in self.findings],
            "sentences": self.sentences,
        }

    def html(self) -> str:
        """The diagnosis as one page that needs nothing else."""
        from ._page import page

        heads = ("layer", "weights, in units of their law", "quantile", "corrected p", "verdict")
        head = "".join(f'<th scope="col">{one}</th>' for one in heads)
        rows = "".join(
            f"<tr><td>{escape(one.layer)}</td><td>{'' if one.size is None else f'{one.size:.4g}'}</td>"
            f"<td>{one.quantile:.3f}</td><td>{one.p:.2g}</td><td>{escape(one.verdict or 'sound')}</td></tr>"
            for one in self.findings
        )
        said = "".join(f"<li>{escape(one)}</li>" for one in self.sentences)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        body = [f"<ul>{said}</ul>", f'<div class="wide prose" tabindex="0">{table}</div>']
        return page(f"Diagnosis of {self.name}", body, self.version)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the diagnosis, as a page or as JSON by the end of the name.

        Raises: ValueError for another end than .html and .json.
        """
        save(path, self)


def _read(document: Mapping[str, Any]) -> Diagnosis:
    """The parts of a document, each checked."""
    findings = [
        Finding(
            _json.text(one["layer"]),
            _json.text(one["kind"]),
            None if one["size"] is None else real("size", one["size"], least=0),
            _json.share(one["quantile"]),
            _json.share(one["p"]),
            _json.text(one["verdict"]),
        )
        for one in document["layers"]
    ]
    numbers = (whole("networks", document["networks"]), whole("seed", document["seed"], least=0))
    level = real("level", document["level"], above=0, most=1)
    return Diagnosis(_json.text(document["name"]), tuple(findings), *numbers, level, _json.text(document["version"]))


def diagnose(
    module: Any,
    batch: Any,
    samples: int | None = None,
    seed: int = 1,
    *,
    like: Any = None,
    law: Law | None = None,
    level: float = 0.01,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Diagnosis:
    """Whether the weights of a module of PyTorch are what its initialisation makes, layer by layer.

    Measured are the size of each matrix, its likeness to others, the gains of norms, and, on a batch, how much each
    layer passes on and the gradient that comes back to it, beside those of as many networks of the same architecture.

    Shapes: batch is what the module is called with: a tensor, a tuple or names. `like` is another module with the
        same layers, the design that was meant; by default the module's own. `law` is as for
        `torch.weightless`; by default each layer's own. Biases that hold zeros alone are zero in all networks.
    Law: a sound module is suspected with probability `level` at most: sizes are exact for Gaussian weights and
        asymptotic for uniform ones, the rest compares it with networks drawn by `torch.weightless`, exactly
        for Gaussian weights and as the width grows for uniform ones. `samples` networks, 2 / level - 1 by default and
        at least. The module runs as it is, in evaluation mode; it is left as it was. A `checkpoint` is the path of a
        file where an interrupted run goes on.
    Source: Westfall and Young 1993, the largest deviation of all layers; ours.
    Raises: ImportError without PyTorch; ValueError for what is no module, a batch that it refuses, weights that are
        missing or infinite or on the meta device, an unknown law, a level outside [1e-6, 0.5], too few samples, a
        checkpoint that cannot be written.

    >>> import torch, deeplimits
    >>> generator = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(20, 40), torch.nn.Tanh(), torch.nn.Linear(40, 5))
    >>> with torch.no_grad():
    ...     model[2].weight *= 3  # a slip
    >>> found = deeplimits.diagnose(model, torch.ones(2, 20), progress=False)
    >>> [one.layer for one in found.suspects]  # the first passes on what is usual, and gets three times the gradient
    ['0', '2']
    """
    torch, where = needed(), checked_path(checkpoint)
    flag("progress", progress)
    real("level", level, least=LEAST, most=0.5)
    least = int(np.ceil(1 / (ACTING * level))) - 1
    count = least if samples is None else whole("samples", samples)
    if count < least:
        raise ValueError(f"samples must be at least {least} for level {level:g}, got {count}")
    for one in (module,) if like is None else (module, like):
        if not isinstance(one, torch.nn.Module):
            raise ValueError(f"module must be a torch.nn.Module, got {type(one).__name__}")
    finite(module)
    given = arguments(module, batch, single=False)
    source = Module(module if like is None else like, batch, checked_seed(seed), law)
    different = set(layers_of(module).items()) ^ set(source.kinds.items())
    if different:
        raise ValueError(f"like must have the layers of module, they differ in {min(different)[0] or 'the whole'!r}")
    with _undisturbed(module):
        own, _ = watched(module, given, source.kinds, seed)
    drawn = resumed(
        source, count, seed, where, progress, lambda first, many: {"acts": _acts(source, first, many, seed)}
    )
    acts = np.concatenate([np.array([[_acting(one) for one in own]]), drawn["acts"]])  # (networks, layers, 2)
    findings = _judged(module, source, law, like, acts, level)
    finished(where)
    return Diagnosis(type(module).__name__, findings, count, seed, level)


def _acts(source: Module, first: int, count: int, seed: int) -> FloatArray:
    """How the layers of some networks act. Shapes: (count, layers, 2)."""
    return np.array([[_acting(one) for one in seen] for seen, _ in source.networks(first, count, seed)])


def _judged(
    module: Any, source: Module, law: Law | None, like: Any, acts: FloatArray, level: float
) -> tuple[Finding, ...]:
    design = module if like is None else like
    laws = Laws(needed(), design, law)
    called = np.atleast_1d(~np.isnan(acts).any(axis=(0, 2)))
    acting = np.minimum(1.0, adjusted(acts) / ACTING)
    measured, alike = sizes(module, design, laws, source.kinds), ties(module, laws, source.kinds)
    by_size, by_tie = (_least(found, (1 - ACTING) / 2) for found in (measured, alike))
    norms, depth = moved_norms(module, source.module, source.kinds), _blocks(module)
    found = []
    for k, (name, kind) in enumerate(source.kinds.items()):
        if not called[k]:
            continue
        (size, p_size), (tie, p_tie) = by_size.get(name, (None, 1.0)), by_tie.get(name, (None, 1.0))
        p = float(min(acting[k], p_size, p_tie))
        if name in norms:
            p, said = 0.0, _of_norm(norms[name])
        elif p_size <= level and size is not None:
            said = _of_size(size.ratio, size.inputs, size.outputs, depth)
        elif p_tie <= level and tie is not None:
            said = _of_tie(tie.correlation, tie.other)
        else:
            said = _of_act(acts[:, k]) if p <= level else ""
        below = acts[1:, k, 0] < acts[0, k, 0], acts[1:, k, 0] == acts[0, k, 0]
        quantile = float(np.mean(below[0]) + np.mean(below[1]) / 2)
        found.append(Finding(name or "module", kind, size and size.ratio, quantile, p, said))
    return tuple(found)


def _least(found: Sequence[Any], share: float) -> dict[str, tuple[Any, float]]:
    """The least likely of each layer, with its p-value corrected for all of them and for their share of the level."""
    least: dict[str, tuple[Any, float]] = {}
    for one in found:
        p = min(1.0, len(found) * one.p / share)
        if one.layer not in least or p < least[one.layer][1]:
            least[one.layer] = one, p
    return least


def _acting(one: Seen) -> tuple[float, float]:
    """What a layer passes on and the gradient that comes back, as finite logarithms; one that is cut off is like 0."""
    gain = one.output[2] - (one.input[2] if np.isfinite(one.input[2]) else 0.0)
    back = -FAR if np.isnan(one.gradient[2]) else one.gradient[2]
    return tuple(np.clip((gain, back), -FAR, FAR))  # type: ignore[return-value]


def adjusted(acts: FloatArray) -> FloatArray:
    """Corrected p-values of the first network's layers among all networks.

    Law: the share of networks, itself among them, whose largest deviation over all layers is as large; exact if the
        first network is like the others. Deviations are from the median in units of the spread, of all networks.
    """
    flat = np.nan_to_num(acts.reshape(len(acts), -1))
    middle = np.median(flat, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(flat - middle), axis=0), ROUNDING)
    deviation = np.abs(flat - middle) / spread
    largest = np.sort(deviation.max(axis=1))
    at_least = len(largest) - np.searchsorted(largest, deviation[0])
    return (at_least / len(largest)).reshape(acts.shape[1:]).min(axis=1)


@contextlib.contextmanager
def _undisturbed(module: Any) -> Iterator[None]:
    """Evaluation mode with gradients for all parameters; afterwards everything as it was."""
    modes = [(part, part.training) for part in module.modules()]
    kept = [(parameter, parameter.grad, parameter.requires_grad) for parameter in module.parameters()]
    module.eval()
    for parameter, _, _ in kept:
        parameter.grad = None  # what comes back would be added to it
        parameter.requires_grad_(parameter.is_floating_point())
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter, gradient, wanted in kept:
            parameter.grad = gradient
            parameter.requires_grad_(wanted)


def _blocks(module: Any) -> int:
    """How many blocks are repeated: the longest list of modules."""
    kind = needed().nn.ModuleList
    return max((len(part) for part in module.modules() if isinstance(part, kind)), default=0)


def _of_size(ratio: float, inputs: int, outputs: int, depth: int) -> str:
    """A wrong size in words: what was probably done."""
    if ratio == 0:
        return "all weights are 0: a dead layer, or numbers that are too small for their format"
    causes = [
        (np.sqrt(2), "a gain of sqrt(2) twice?"),
        (1 / np.sqrt(2), "a gain of sqrt(2) forgotten?"),
        (np.sqrt(2 * depth), f"1/sqrt(2L) of {depth} blocks forgotten?"),
        (np.sqrt(depth), f"1/sqrt(L) of {depth} blocks forgotten?"),
        (np.sqrt(inputs / outputs), "scaled by the outputs instead of the inputs?"),
        (np.sqrt(6), "He's gain where PyTorch's default is expected? then name the law"),
        (np.sqrt(3), "variance 1/inputs where PyTorch's default is expected? then name the law"),
    ]
    near = 0.03 + 2 / np.sqrt(2 * inputs * outputs)
    likely = [
        text for factor, text in causes if factor > 0 and abs(np.log(ratio / factor)) < near < abs(np.log(factor))
    ]
    how = f"{ratio:.4g} times too large" if ratio > 1 else f"{1 / ratio:.4g} times too small"
    return f"weights are {how}" + (f": {likely[0]}" if likely else "")


def _of_tie(correlation: float, other: str) -> str:
    same = abs(correlation) > 0.99
    return f"has the weights of {other}" if same else f"weights have a correlation of {correlation:.2g} with {other}"


def _of_norm(mean: float) -> str:
    cause = ": weight decay applied to norms?" if 0 < mean < 1 else ", they have been trained"
    return f"gains are {mean:.3g} times what they start as{cause}"


def _of_act(acts: FloatArray) -> str:
    """How a layer acts, in words. Shapes: (networks, 2), the module first."""
    middle = np.median(acts[1:], axis=0)
    if acts[0, 0] <= -FAR / 2:
        return "passes nothing on: dead, or numbers that are too small for their format"
    if acts[0, 1] <= -FAR / 2 < middle[1]:
        return "gets no gradient: what follows is dead, or gradients are too small for their format"
    spread = np.maximum(1.4826 * np.median(np.abs(acts[1:] - middle), axis=0), ROUNDING)
    which = int(np.argmax(np.abs(acts[0] - middle) / spread))
    factor = 10 ** float(np.clip(acts[0, which] - middle[which], -300, 300))
    return f"{('passes on', 'gets a gradient of')[which]} {factor:.3g} times what is usual"
