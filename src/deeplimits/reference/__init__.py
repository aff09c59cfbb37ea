"""Numbers that other programs computed, recorded with the command that made them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from .._checks import FloatArray

__all__ = ["Network", "Recorded", "neural_tangents"]


class Network(NamedTuple):
    """One network: the formula of its inner activation, its depth, its prior and tangent kernel, both (m, m).

    >>> from deeplimits import reference
    >>> network = reference.neural_tangents().networks[0]
    >>> network.prior.shape, network.tangent.shape
    ((3, 3), (3, 3))
    """

    inner: str
    depth: int
    prior: FloatArray
    tangent: FloatArray


class Recorded(NamedTuple):
    """Networks with the inputs (m, d) and variances they share, and the command and versions that gave the kernels.

    >>> from deeplimits import reference
    >>> recorded = reference.neural_tangents()
    >>> len(recorded.inputs), "neural-tangents" in recorded.versions
    (3, True)
    """

    inputs: FloatArray
    input_variance: float
    weight_variance: float
    bias_variance: float
    output_variance: float
    networks: tuple[Network, ...]
    command: str
    versions: dict[str, str]


@lru_cache
def neural_tangents() -> Recorded:
    """Residual networks of infinite width and finite depth, as neural-tangents computes them.

    x0 = A z, then `depth` blocks x + W inner(x) + b, then a linear output. Entries of A have variance input_variance,
    those of W and b weight_variance / (depth width) and bias_variance / depth, the output's output_variance / width.
    The tangent kernel counts all layers.

    Shapes: kernels (3, 3) for the 3 inputs, read-only.
    Law: exact for infinite width, in double precision.
    Source: neural-tangents (Novak et al. 2020); `command` makes the numbers again.

    >>> from deeplimits import reference
    >>> {network.prior.shape for network in reference.neural_tangents().networks}
    {(3, 3)}
    """
    record = json.loads(files(__package__).joinpath("neural_tangents.json").read_text())
    networks = tuple(
        Network(one["inner"], one["depth"], _fixed(one["prior"]), _fixed(one["tangent"]))
        for one in record.pop("networks")
    )
    return Recorded(_fixed(record.pop("inputs")), networks=networks, **record)


def _fixed(numbers: list[Any]) -> FloatArray:
    array = np.array(numbers, dtype=np.float64)
    array.setflags(write=False)
    return array
