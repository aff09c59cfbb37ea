"""What infinite width says of a list of blocks, and how far networks of finite width follow it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._checks import FloatArray
from ._networks import Blocks
from ._trace import Trace, log10

#: The share of networks that must agree with infinite width for it to hold at a layer.
SHARE = 0.9


class Infinite(NamedTuple):
    """The root mean square, as a decimal logarithm, and the correlation of each layer at infinite width.

    Shapes: (layers,) each; None, with the reason, where there is no such limit in closed form.
    """

    norm: FloatArray | None
    correlation: FloatArray | None
    reason: str | None = None


def infinite(source: Blocks) -> Infinite:
    """The kernel of the architecture at the layers of a report."""
    inputs = source.initial.shape[-1]
    try:
        with np.errstate(all="ignore"):
            kernels = source.network.kernel(source.initial, at=list(source.numbers))
    except ValueError as error:
        return Infinite(None, None, str(error))
    first = kernels.shape[-1] - inputs  # the last position
    power, inner, other = (kernels[:, first, first], kernels[:, first, first + 1], kernels[:, first + 1, first + 1])
    if not np.all(np.isfinite(kernels)) or np.any(power <= 0) or np.any(other <= 0):
        return Infinite(None, None, "its second moments leave double precision")
    return Infinite(log10(power) / 2, np.clip(inner / np.sqrt(power) / np.sqrt(other), -1, 1))


def holds_until(trace: Trace, limit: Infinite, tolerance: float) -> int | None:
    """The last layer up to which nine of ten networks are where infinite width puts all.

    Shapes: the place among the layers, -1 if not even the first; None without a limit.
    Law: a network agrees at a layer if its root mean square differs by at most the tolerance, relative, and its
        correlation by at most the tolerance, absolute.
    """
    if limit.norm is None or limit.correlation is None:
        return None
    with np.errstate(invalid="ignore"):
        close = np.abs(trace.norm - limit.norm) <= np.log10(1 + tolerance)
        close &= ~(np.abs(trace.correlation - limit.correlation) > tolerance)
    agree = close.mean(axis=0) >= SHARE
    return int(np.argmin(agree)) - 1 if not agree.all() else len(agree) - 1
