"""What a report says of many networks, by layer: quantiles and shares, without the single networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import FloatArray
from ._trace import Band, Trace, band

#: The largest number of a format and the smallest that is not 0.
FORMATS = {
    "float16": (65504.0, 2.0**-24),
    "bfloat16": (3.3895313892515355e38, 2.0**-133),
    "float32": (3.4028234663852886e38, 2.0**-149),
}
#: What has a band at each layer.
BANDS = ("norm", "correlation", "gradient", "parameters")


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The 5, 50 and 95 % of networks.

    Shapes: norm, correlation, gradient, parameters (3, layers), NaN where there is none; dead (layers,); `states` and
        `gradients` hold, for each format, the share of networks that leave it, (layers,). `growth` is the size at the
        last hidden layer over that at the first, `back` the gradient at the first over that at the last, both as
        decimal logarithms.
    """

    samples: int
    norm: FloatArray
    correlation: FloatArray
    gradient: FloatArray
    parameters: FloatArray
    dead: FloatArray
    states: dict[str, FloatArray]
    gradients: dict[str, FloatArray]
    growth: Band
    back: Band
    loss: Band
    outputs: Band


def quantiles(trace: Trace, span: tuple[int, int]) -> Quantiles:
    """The quantiles of single networks. Shapes: span are the places of the first and the last hidden layer."""
    first, last = span
    bands: dict[str, Any] = {name: np.transpose([band(column) for column in getattr(trace, name).T]) for name in BANDS}
    return Quantiles(
        samples=trace.samples,
        **bands,
        dead=np.mean(np.isneginf(trace.norm), axis=0),
        states={name: _beyond(trace.largest, *ends) for name, ends in FORMATS.items()},
        gradients={name: _beyond(trace.largest_gradient, *ends) for name, ends in FORMATS.items()},
        growth=ratio_band(trace.norm[:, last], trace.norm[:, first]),
        back=ratio_band(trace.gradient[:, first], trace.gradient[:, last]),
        loss=band(trace.loss),
        outputs=band(trace.logits),
    )


def _beyond(largest: FloatArray, most: float, least: float) -> FloatArray:
    return np.mean((largest > np.log10(most)) | (largest < np.log10(least) - np.log10(2)), axis=0)


def ratio_band(up: FloatArray, down: FloatArray) -> Band:
    """The band of a ratio of sizes. Shapes: logarithms (samples,) twice."""
    with np.errstate(invalid="ignore"):
        return band(up - down)
