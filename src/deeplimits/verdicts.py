"""What a check shows in a notebook, and what it records for machines.

One object carries both, so that the executed notebook is the only place where evidence lives.
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


@dataclass(frozen=True, eq=False)
class Control:
    """The wrong variant, its prediction, and how the same criterion judged it."""

    variant: str
    expected: FloatArray
    statistic: float
    rejected: bool


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict of one test: its display in a notebook and its record for machines.

    `kind` says what is compared: an "estimate" with its prediction, or with a "bound" above it, two
    numbers in an "equality", or two "laws". `uncertainty` is a standard error, or the tolerance of
    an equality, or for two laws the Kolmogorov distance that sampling explains. `worst` is the
    component that fits worst.
    """

    id: str
    part: str
    observed: FloatArray
    uncertainty: FloatArray
    expected: FloatArray
    criterion: str
    statistic: float
    accepted: bool
    control: Control
    seed: Seed
    worst: tuple[int, ...]
    kind: str = "estimate"

    @property
    def passed(self) -> bool:
        """Whether the data accept the prediction and reject the control."""
        return self.accepted and self.control.rejected

    @property
    def record(self) -> dict[str, Any]:
        """The check as numbers, lists and strings, ready for JSON."""
        return {
            "id": self.id,
            "part": self.part,
            "kind": self.kind,
            "observed": self.observed.tolist(),
            "uncertainty": self.uncertainty.tolist(),
            "expected": self.expected.tolist(),
            "criterion": self.criterion,
            "statistic": self.statistic,
            "passed": self.passed,
            "control": vars(self.control) | {"expected": self.control.expected.tolist()},
            "seed": self.seed,
        }

    def rows(self) -> list[tuple[str, str]]:
        """The lines of the verdict, a label and a text each, for the component that fits worst."""
        observed, error = self.observed[self.worst], self.uncertainty[self.worst]
        decimals = int(np.clip(1 - np.floor(np.log10(error)), 0, 12))
        count = f" (worst of {self.observed.size})" if self.observed.size > 1 else ""
        within = f", tolerance {error:.2g}" if self.kind == "equality" else f" ± {error:.2g}"
        shown = f"{observed:.{decimals}f}{within}{count}", f"{self.expected[self.worst]:.6g}"
        if self.kind == "laws":
            shown = f"Kolmogorov distance {observed:.2g}", "the same law"
        verb = "rejected" if self.control.rejected else "not rejected"
        return [
            ("Observed", shown[0]),
            ("Below" if self.kind == "bound" else "Predicted", shown[1]),
            ("Criterion", f"{self.criterion}: {self.statistic:.3g}"),
            ("Control", f"{self.control.variant}: {verb} at {self.control.statistic:.3g}"),
        ]

    def __str__(self) -> str:
        name = f"{self.id} ({self.part})" if self.part else self.id
        lines = "; ".join(f"{label.lower()} {text}" for label, text in self.rows())
        return f"{'Holds' if self.passed else 'Fails'}: {name}: {lines}"

    def _repr_html_(self) -> str:
        style, verdict = ("pass", "Holds") if self.passed else ("fail", "Fails")
        part = f' <span class="claim-part">{escape(self.part)}</span>' if self.part else ""
        rows = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>"
                       for name, text in self.rows())
        return (
            f'<div class="claim-check {style}" role="group" aria-label="{verdict}: {self.id}">'
            f'<p class="claim-verdict"><strong>{verdict}</strong> <code>{self.id}</code>{part}</p>'
            f"<dl>{rows}</dl></div>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self._repr_html_(), MIME: self.record}
