"""Reports as JSON: what `report.schema.json` describes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ._trace import band

if TYPE_CHECKING:
    from ._advice import Advice
    from .reports import Report

SCHEMA = "deeplimits report 1"


def finite(value: float | None) -> float | None:
    """A number, or None for what is missing or infinite."""
    return float(value) if value is not None and np.isfinite(value) else None


def ends(band: Iterable[float]) -> dict[str, float | None]:
    """The 5, 50 and 95 % by name."""
    return dict(zip(("low", "median", "high"), map(finite, band), strict=True))


def report(found: Report) -> dict[str, Any]:
    """All that a report holds but the single networks."""
    from .reports import FORMATS

    limit, trace = found.infinite, found.trace
    bands = {name: found.bands(name) for name in ("norm", "correlation", "gradient", "parameters")}
    shares = {name: (found.beyond(name), found.beyond(name, gradients=True)) for name in FORMATS}
    layers = [
        {
            "name": name,
            "log10_size": ends(bands["norm"][:, k]),
            "correlation": ends(bands["correlation"][:, k]),
            "log10_gradient": ends(bands["gradient"][:, k]),
            "log10_parameter_gradient": ends(bands["parameters"][:, k]),
            "dead": float(found.dead[k]),
            "beyond": {key: {"states": float(a[k]), "gradients": float(b[k])} for key, (a, b) in shares.items()},
            "infinite_width": None
            if limit.norm is None or limit.correlation is None
            else {"log10_size": finite(limit.norm[k]), "correlation": finite(limit.correlation[k])},
        }
        for k, name in enumerate(found.layers)
    ]
    return {
        "schema": SCHEMA,
        "version": __version__,
        "design": found.design,
        "parameters": found.parameters,
        "networks": trace.samples,
        "seed": found.seed,
        "tolerance": found.tolerance,
        "hidden": {"first": found.layers[found.span[0]], "last": found.layers[found.span[1]]},
        "layers": layers,
        "loss": ends(band(trace.loss)),
        "log10_outputs": ends(band(trace.logits)),
        "infinite_width": {
            "reason": limit.reason,
            "holds_until": None if not _holds(found) else found.layers[found.holds or 0],
        },
        "advice": [_advice(one) for one in found.advice],
        "sentences": found.sentences,
    }


def _holds(found: Report) -> bool:
    return found.holds is not None and found.holds >= 0


def _advice(one: Advice) -> dict[str, Any]:
    return {
        "target": one.target,
        "wanted": one.wanted,
        "lever": one.lever,
        "value": finite(one.value),
        "before": ends(one.before),
        "after": None if one.after is None else ends(one.after),
        "text": one.text,
        "torch": one.torch,
        "jax": one.jax,
    }
