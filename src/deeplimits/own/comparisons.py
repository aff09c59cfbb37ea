"""Two designs side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._checks import sequence, shown
from ..architectures import Network
from ._trace import Band, checked_path, finished
from ._words import place, span_of
from .designs import named
from .reports import TOLERANCE, Report, save, unfinished

SCHEMA = "deeplimits comparison 1"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Reports of two designs, and what differs.

    Shapes: two reports, each with its `label`.

    >>> import deeplimits
    >>> from deeplimits.architectures import mlp
    >>> found = deeplimits.compare(mlp([64, 10], "relu"), mlp([64, 64, 10], "relu"), samples=5, progress=False)
    >>> [one.label for one in found.reports]
    ['Linear 64 + relu, Linear 10', '2 x (Linear 64 + relu), Linear 10']
    """

    reports: tuple[Report, Report]

    @property
    def sentences(self) -> list[str]:
        """The comparison in words."""
        return [f"{what}: {' against '.join(values)}." for what, values in self.rows().items()]

    def __str__(self) -> str:
        return "\n".join(
            [f"{' against '.join(str(one.label) for one in self.reports)}.", *self.sentences, *self.differences()]
        )

    def as_dict(self) -> dict[str, Any]:
        """Both reports as JSON holds them, and the sentences."""
        return {
            "schema": SCHEMA,
            "labels": [one.label for one in self.reports],
            "sentences": [*self.sentences, *self.differences()],
            "reports": [one.as_dict() for one in self.reports],
        }

    def html(self) -> str:
        """The comparison as one page that needs nothing else."""
        from ._page import comparison

        return comparison(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison, as a page or as JSON by the end of the name.

        Raises: ValueError for another end than .html and .json.
        """
        save(path, self)

    def rows(self) -> dict[str, tuple[str, str]]:
        """What is compared -> the two values."""
        rows = {
            "Parameters": lambda one: f"{one.parameters:,}",
            "Layers": lambda one: str(len(one.layers)),
            "Growth of the root mean square from the first to the last hidden layer": lambda one: span_of(_growth(one)),
            "Correlation of two inputs there": lambda one: span_of(one.bands("correlation")[:, one.span[1]], False),
            "Gradient at the first hidden layer over that at the last": lambda one: span_of(_back(one)),
            "Loss": lambda one: span_of(one.law.loss, False),
            "Infinite width holds": _holds,
        }
        a, b = self.reports
        return {name: (call(a), call(b)) for name, call in rows.items()}

    def differences(self) -> list[str]:
        """Which bands of the two do not meet."""
        found = []
        for name, call in (
            ("the growth of the root mean square", _growth),
            ("the correlation of two inputs", lambda one: one.bands("correlation")[:, one.span[1]]),
            ("the gradient on its way back", _back),
        ):
            a, b = (call(one) for one in self.reports)
            if a[0] > b[2] or b[0] > a[2]:
                more = self.reports[0 if a[0] > b[2] else 1].label
                found.append(f"The bands of 90 % do not meet for {name}: {more} has more.")
        return found or ["For size, correlation and gradient the bands of 90 % of the two meet."]


def _growth(one: Report) -> Band:
    return one.law.growth


def _back(one: Report) -> Band:
    return one.law.back


def _holds(one: Report) -> str:
    if one.holds is None:
        return "nowhere, it says nothing"
    return "at no layer" if one.holds < 0 else f"up to {place(one.layers[one.holds])}"


def compare(
    a: Any,
    b: Any,
    samples: int | None = None,
    seed: int = 1,
    *,
    labels: Sequence[str] | None = None,
    correlation: float = 0.5,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Comparison:
    """Two designs side by side, or one at two depths.

    >>> import deeplimits
    >>> from deeplimits.architectures import mlp
    >>> shallow, deep = (mlp([128] * depth + [10], "relu") for depth in (8, 32))
    >>> found = deeplimits.compare(shallow, deep, samples=20, labels=("8 layers", "32 layers"))
    >>> [len(one.layers) for one in found.reports]
    [10, 34]

    Shapes: a and b are designs as for `report`: lists of blocks or presets.
    Law: that of `report`, with the same seed and, if both take vectors, inputs of the same correlation. A `checkpoint`
        is the path of a file where an interrupted run goes on; the second design has one beside it.
    Source: ours.
    Raises: ValueError as `report`, and for labels that are not two.
    """
    if labels is not None and (
        len(sequence("labels", labels, "name")) != 2 or not all(isinstance(one, str) for one in labels)
    ):
        raise ValueError(f"labels must be two names, got {shown(labels)}")
    designs = [named(one) for one in (a, b)]
    for side, (_, design) in zip("ab", designs, strict=True):
        if not isinstance(design, Network):
            raise ValueError(f"{side} must be a list of blocks or a preset, got the module {shown(design)}")
    names = [name for name, _ in designs] if labels is None else list(labels)
    if names[0] == names[1]:
        names = [f"{name} ({side})" for name, side in zip(names, ("first", "second"), strict=True)]
    first = checked_path(checkpoint)
    paths = [first, first and first.with_name(f"{first.name}-second")]
    found = [
        replace(unfinished(design, None, samples, seed, None, correlation, TOLERANCE, path, progress), label=name)
        for (_, design), name, path in zip(designs, names, paths, strict=True)
    ]
    for path in paths:
        finished(path)
    return Comparison((found[0], found[1]))
