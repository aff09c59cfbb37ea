"""What a check shows in a notebook, and what it records for machines.

One object carries both, so that the executed notebook is the only place where evidence lives. The
record holds every number that the verdict rests on, so that it can be drawn again from the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ._checks import FloatArray

__all__ = ["Check", "Control"]

#: Type of the machine-readable record among the outputs of a notebook cell.
MIME = "application/vnd.deeplimits.claim+json"

Seed = int | list[int] | None
#: The ends of what is accepted: None where there is no end.
Ends = tuple[FloatArray | None, FloatArray | None]


@dataclass(frozen=True, eq=False)
class Control:
    """The wrong variant, its prediction, and how the same criterion judged it.

    `uncertainty` is that of the check, with the variant's own error. `judged` marks the components
    in which the variant differs from the claim by `least` or more; each of them must be rejected.
    `statistic` is that of the judged component which fits best. Of laws, `expected` is the
    Kolmogorov distance of the sample from the variant.

    >>> from deeplimits import evidence
    >>> check = evidence.equality("two", 1 + 1, 2, tolerance=1e-9, control=("concatenated", 11))
    >>> check.control.variant, check.control.rejected
    ('concatenated', True)
    """

    variant: str
    expected: FloatArray
    uncertainty: FloatArray
    least: FloatArray
    judged: np.ndarray
    statistic: float
    rejected: bool


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict of one test: its display in a notebook and its record for machines.

    `kind` says what is compared: an "estimate" or an "exponent" with its prediction, an estimate
    with a bound "below" or "above" which it lies, two numbers in an "equality", or two "laws", of
    which `observed` and `expected` are the Kolmogorov distance.
    `uncertainty` is a standard error, or the tolerance of an equality, or for two laws the
    Kolmogorov distance that sampling explains; `bias` is what is allowed besides. `worst` is the
    component that fits worst. `accepts` has the ends of the predictions that the same data and
    criterion would accept; `sharpness` is half their distance, relative to `scale`. `reason` says
    why a check is not sharper.

    >>> from deeplimits import evidence
    >>> check = evidence.equality("two", 1 + 1, 2, tolerance=1e-9, control=("concatenated", 11))
    >>> check.verdict, check.passed, check.record["observed"]
    ('holds', True, 2.0)
    """

    id: str
    part: str
    kind: str
    observed: FloatArray
    uncertainty: FloatArray
    expected: FloatArray
    bias: FloatArray
    limit: float
    criterion: str
    statistic: float
    verdict: str
    accepts: dict[str, Any]
    sharpness: float | None
    scale: str
    control: Control
    reason: str
    seed: Seed
    worst: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether the data accept the prediction and reject the control."""
        return self.verdict == "holds"

    @property
    def record(self) -> dict[str, Any]:
        """The check as numbers, lists and strings, ready for JSON."""
        fields = {name: _plain(value) for name, value in vars(self).items() if name != "worst"}
        control = {name: _plain(value) for name, value in vars(self.control).items()}
        return fields | {"passed": self.passed, "control": control}

    def rows(self) -> list[tuple[str, str]]:
        """The lines of the verdict, a label and a text each, for the component that fits worst."""
        observed, error = self.observed[self.worst], self.uncertainty[self.worst]
        decimals = _decimals(error)
        count = f" (worst of {self.observed.size})" if self.observed.size > 1 else ""
        within = f", tolerance {error:.2g}" if self.kind == "equality" else f" ± {error:.2g}"
        shown = f"{observed:.{decimals}f}{within}{count}", f"{self.expected[self.worst]:.6g}"
        if self.kind == "laws":
            shown = f"Kolmogorov distance {observed:.2g}", "the same law"
        judged, size = int(self.control.judged.sum()), self.observed.size
        among = f" in {judged} of {size} components" if judged < size else ""
        verb = "rejected" if self.control.rejected else "not rejected"
        rows = [
            ("Observed", shown[0]),
            (self.kind.capitalize() if self.kind in ("below", "above") else "Predicted", shown[1]),
            ("Criterion", f"{self.criterion}: {self.statistic:.3g}"),
            ("Accepts", self.accepted(decimals)),
            ("Control", f"{self.control.variant}: {verb} at {self.control.statistic:.3g}{among}"),
        ]
        return [*rows, ("Reason", self.reason)] if self.reason else rows

    def accepted(self, decimals: int) -> str:
        """Which predictions the data would accept, in words, for the component that fits worst."""
        if self.kind == "laws":
            if not self.accepts["shift"]:
                return "not this law"
            (left, right), (low, high) = self.accepts["shift"], self.accepts["stretch"]
            return (
                f"the law moved by {left:+.2g} to {right:+.2g} interquartile ranges,"
                f" or stretched by {low:.3g} to {high:.3g}"
            )
        low, high = (end if end is None else end[self.worst] for end in self.accepts["prediction"])
        if low is None:
            return f"bounds below {high:.{decimals}f}"
        if high is None:
            return f"bounds above {low:.{decimals}f}"
        interval = f"{low:.{decimals}f} to {high:.{decimals}f}"
        if self.sharpness is None:
            return interval
        if self.scale == "one":
            return f"{interval} (± {self.sharpness:.2g})"
        largest = "largest " if self.observed.size > 1 else ""
        return f"{interval} (± {100 * self.sharpness:.2g} % of the {largest}{self.scale})"

    def __str__(self) -> str:
        name = f"{self.id} ({self.part})" if self.part else self.id
        lines = "; ".join(f"{label.lower()} {text}" for label, text in self.rows())
        return f"{self.verdict.capitalize()}: {name}: {lines}"

    def _repr_html_(self) -> str:
        style = {"holds": "pass", "fails": "fail"}.get(self.verdict, self.verdict)
        verdict = self.verdict.capitalize()
        part = f' <span class="claim-part">{escape(self.part)}</span>' if self.part else ""
        rows = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in self.rows())
        return (
            f'<div class="claim-check {style}" role="group" aria-label="{verdict}: {self.id}">'
            f'<p class="claim-verdict"><strong>{verdict}</strong> <code>{self.id}</code>{part}</p>'
            f"<dl>{rows}</dl></div>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self._repr_html_(), MIME: self.record}


def _decimals(error: float) -> int:
    """Digits after the point that an error of this size leaves."""
    return int(np.clip(1 - np.floor(np.log10(error)), 0, 12))


def _plain(value: Any) -> Any:
    """Arrays as lists, and what holds them likewise."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
