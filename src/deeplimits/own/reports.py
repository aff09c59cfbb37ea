"""The law over seeds of one design: what is measured, what infinite width says, and what to change."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import __version__
from .._checks import FloatArray, choice, flag, real, reals, shown, whole
from .._checks import seed as checked_seed
from .._torch_laws import Law
from ..architectures import Network
from ..gaussian import MOST_SAMPLES
from . import _json
from ._advice import Advice, advise, checked_target, span
from ._infinite import Infinite, holds_until, infinite
from ._networks import Blocks, inputs_for
from ._quantiles import BANDS, FORMATS, Quantiles, quantiles
from ._trace import Trace, checked_path, collect, finished
from ._words import sentences, table
from .designs import named

#: The largest input of a report, and how far networks may be from infinite width where it holds.
LARGEST, TOLERANCE = 1e100, 0.2


@dataclass(frozen=True, eq=False)
class Report:
    """What the initialisation of a design does, over many networks.

    Shapes: `law` holds the quantiles by layer, `infinite` what infinite width says; `holds` is the place of the last
        layer where infinite width holds, -1 for none, None without a limit. `span` are the places of the first and the
        last hidden layer. `single` are the networks one by one, None in a report that was read from a file.
    Law: quantiles of `law.samples` networks; sizes are decimal logarithms.

    >>> import deeplimits
    >>> from deeplimits.architectures import mlp
    >>> found = deeplimits.report(mlp([64, 64, 10], "relu"), samples=5, progress=False)
    >>> found.parameters, found.layers[-1]
    (8832, '3 Linear 10')
    """

    design: str
    parameters: int
    seed: int
    layers: tuple[str, ...]
    law: Quantiles
    infinite: Infinite
    holds: int | None
    tolerance: float
    span: tuple[int, int]
    outputs: int
    advice: list[Advice] = field(default_factory=list)
    label: str | None = None
    version: str = __version__
    single: Trace | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Report:
        """The report that `as_dict` made a document of, without the single networks.

        Raises: ValueError for a document of another schema, or with something missing, added or out of range.

        >>> import deeplimits
        >>> from deeplimits.architectures import mlp
        >>> found = deeplimits.report(mlp([64, 64, 10], "relu"), samples=5, progress=False)
        >>> again = deeplimits.own.Report.from_dict(found.as_dict())
        >>> again.html() == found.html()
        True
        """
        return _json.read(document, _json.SCHEMA, lambda given: cls(**_json.fields(given)))

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Report:
        """The report that `save` wrote as JSON. Raises: ValueError for a file that holds none or is damaged."""
        return cls.from_dict(_json.loaded(path, _json.SCHEMA))

    @property
    def trace(self) -> Trace:
        """The single networks. Raises: ValueError for a report that was read from a file."""
        if self.single is None:
            raise ValueError(f"report must be one that was made here, the file of {self.design!r} holds no networks")
        return self.single

    def bands(self, name: str) -> FloatArray:
        """The 5, 50 and 95 % of a measurement at each layer; NaN where there is none.

        Shapes: (3, layers). Raises: ValueError for another name.
        """
        return getattr(self.law, choice("name", name, BANDS))

    def beyond(self, number_format: str, *, gradients: bool = False) -> FloatArray:
        """The share of networks whose states at a layer, or gradients, overflow or vanish altogether in a format.

        Shapes: (layers,). Raises: ValueError for an unknown format.
        """
        choice("number_format", number_format, FORMATS)
        return (self.law.gradients if gradients else self.law.states)[number_format]

    @property
    def dead(self) -> FloatArray:
        """The share of networks in which all neurons of a layer are 0. Shapes: (layers,)."""
        return self.law.dead

    @property
    def sentences(self) -> list[str]:
        """The report in words."""
        return sentences(self)

    def __str__(self) -> str:
        return "\n".join([*self.sentences, "", table(self)])

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON holds it: see `schema`."""
        return _json.report(self)

    def html(self) -> str:
        """The report as one page that needs nothing else."""
        from ._page import report

        return report(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report, whole at every moment, as a page or as JSON by the end of the name.

        Raises: ValueError for another end than .html and .json.
        """
        save(path, self)


def save(path: str | os.PathLike[str], what: Any) -> None:
    """Write what has `html` and `as_dict`. Raises: ValueError for another end than .html and .json."""
    save_all([Path(path)], what)


def save_all(paths: Sequence[Path], what: Any) -> None:
    """Write several files of one report: all of them, or none if one cannot be written. Raises: as `save`."""
    texts = []
    for path in paths:
        if path.suffix not in (".html", ".json"):
            raise ValueError(f"path must end in .html or .json, got {os.fspath(path)!r}")
        texts.append(
            what.html() if path.suffix == ".html" else json.dumps(what.as_dict(), indent=1, allow_nan=False) + "\n"
        )
    partial = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    try:
        for one, text in zip(partial, texts, strict=True):
            one.write_text(text, encoding="utf-8")
        for one, path in zip(partial, paths, strict=True):
            os.replace(one, path)
    except BaseException:
        for one in partial:
            one.unlink(missing_ok=True)
        raise


def schema() -> dict[str, Any]:
    """The JSON Schema of reports.

    >>> from deeplimits import own
    >>> own.schema()["type"]
    'object'
    """
    return json.loads(Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8"))


def checked_batch(initial: ArrayLike) -> NDArray[Any]:
    """Inputs as they are given: tokens stay whole numbers.

    Raises: ValueError for what is no array of finite numbers of a reasonable size.
    """
    reals("initial", initial, least=-LARGEST, most=LARGEST)
    return np.asarray(initial)


def report(
    design: Any,
    initial: ArrayLike | None = None,
    samples: int | None = None,
    seed: int = 1,
    *,
    target: Mapping[str, float] | None = None,
    correlation: float = 0.5,
    tolerance: float = TOLERANCE,
    law: Law | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Report:
    """What the initialisation of a network does: norms, correlations and gradients of many networks, by layer.

    >>> import deeplimits
    >>> from deeplimits.architectures import mlp
    >>> found = deeplimits.report(mlp([256] * 20 + [10], "gelu"), samples=20, target={"norm": 1.0})
    >>> found.bands("norm").shape
    (3, 22)
    >>> print(found.advice[0].torch.splitlines()[0])
    def initialise(model):

    Shapes: design is a list of blocks, the name of a preset such as "gpt2-xl", or a module of PyTorch (on the meta
        device if it is large). `initial` is a batch of at least two inputs as `Network.sample` takes it, or as the
        module does, on its first axis; by default two inputs with a `correlation`, or sequences of four tokens that
        share the first half. A module needs its batch, and may be given a `law` as for `torch.weightless`. `target`
        maps "norm", "gradient" or "correlation" to a number to be met.
    Law: exact, for networks drawn independently from the initialisation: see `architectures.Network.sample` and
        `torch.weightless`. What a module holds beside its matrices is drawn by the `reset_parameters` of its part;
        constants, frozen parameters and buffers stay. A module whose weights have another size than their default is
        refused, unless `law` says what they are; one on the meta device holds none, and is believed. By default 100
        networks, fewer of very large ones, and at least 3; the number is said. Infinite width holds at a layer where
        nine of ten networks differ from it by at most the tolerance, relative for the root mean square and absolute for
        the correlation. A `checkpoint` is the path of a file where an interrupted run goes on.
    Source: ours.
    Raises: ValueError for an unknown preset, inputs of another shape, fewer than two of them, an unknown target,
        tolerances out of range, a checkpoint that cannot be written; for a module with parameters that no part draws,
        or that are of another law than is taken for them, a law of what is no module, weights or states that are not
        finite, outputs from which no gradient comes back.
    """
    where = checked_path(checkpoint)
    found = unfinished(design, initial, samples, seed, target, correlation, tolerance, where, progress, law)
    finished(where)
    return found


def unfinished(
    design: Any,
    initial: ArrayLike | None,
    samples: int | None,
    seed: int,
    target: Mapping[str, float] | None,
    correlation: float,
    tolerance: float,
    where: Path | None,
    progress: bool,
    law: Law | None = None,
) -> Report:
    """A report whose checkpoint is kept."""
    flag("progress", progress)
    whole("samples", 1 if samples is None else samples, most=MOST_SAMPLES)
    real("tolerance", tolerance, above=0, most=1)
    if not isinstance(target, Mapping | None):
        raise ValueError(f"target must map names to numbers, got {shown(target)}")
    wanted = checked_target(target or {})
    name, network = named(design)
    if not isinstance(network, Network):
        if wanted:
            raise ValueError("target needs a list of blocks or a preset: changes of a module are not known")
        return _of_module(name, network, initial, samples, checked_seed(seed), where, progress, law)
    if law is not None:
        raise ValueError(f"law must be None for a list of blocks, whose matrices have gains, got {shown(law)}")
    x = inputs_for(network, correlation, checked_seed(seed)) if initial is None else checked_batch(initial)
    if x.ndim != network.axes or x.shape[-1] < 2:
        raise ValueError(f"initial must have {network.axes} axes and at least two inputs, got shape {x.shape}")
    source = Blocks(network, x, seed)
    trace = collect(source, samples or source.samples, seed, where, progress)
    limit = infinite(source)
    ends = span(network, source.layers)
    return Report(
        name,
        source.size.parameters,
        seed,
        trace.layers,
        quantiles(trace, ends),
        limit,
        holds_until(trace, limit, tolerance),
        tolerance,
        ends,
        source.last[0],
        advise(source, trace, wanted, seed) if wanted else [],
        single=trace,
    )


def _of_module(
    name: str,
    module: Any,
    batch: Any,
    samples: int | None,
    seed: int,
    where: Path | None,
    progress: bool,
    law: Law | None,
) -> Report:
    from . import _outside
    from ._modules import SAMPLES, Module  # PyTorch is imported for modules only

    if batch is None:
        raise ValueError("initial must be a batch for a module, got None")
    _outside.finite(module, weightless=True)
    _outside.only_drawn(module)
    source = Module(module, batch, seed, law, followed=True)
    outputs, inputs = source.sizes()
    if inputs < 2:
        raise ValueError(f"initial must hold at least two inputs, its outputs are those of {inputs}: two are compared")
    trace = collect(source, samples or SAMPLES, seed, where, progress)
    places = [k for k, column in enumerate(trace.norm.T) if not np.isnan(column).any()]
    if not places:
        raise ValueError("module must call at least one of its layers, it called none")
    trace = trace.only(places)
    count = sum(parameter.numel() for parameter in module.parameters())
    limit = Infinite(None, None, "a module of PyTorch says what it does and not what its kernel is")
    ends = (0, max(len(places) - 2, 0))
    if law is not None:
        name = f"{name} (law {law if isinstance(law, str) else getattr(law, '__name__', 'given')})"
    elif any(parameter.is_meta for parameter in module.parameters()):
        name = f"{name} (on the meta device: the defaults of its layers)"
    return Report(
        name, count, seed, trace.layers, quantiles(trace, ends), limit, None, 1.0, ends, outputs, single=trace
    )
