"""The tangent kernel of residual networks with explicit weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._parallel import over_samples
from ..activations import programs
from ..gaussian import WEIGHTS, u64
from ..kernels import Tangent
from ..loops.tangent_kernel import _kernels
from ._branches import Branches, Start, Steps, _finite, _square
from .weights import _law, functions_of


def tangent_kernels(branches: Branches, x0: Start, inputs: ArrayLike | None, readout: ArrayLike | None,
                    walk: Steps) -> Tangent:
    """The tangent kernels of networks, by the parameters that move.

    Shapes: x0 is (samples, width, m), inputs (m, m), readout (width,) or (samples, width).
    """
    m = x0.states.shape[2]
    before = _square("inputs", inputs, m)
    readouts = _readouts(readout, branches.width, walk.samples)
    law = _law(branches, branches.time / walk.count, walk.refinement, limit=False)
    functions = functions_of(branches)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    out = np.empty((3, walk.samples, m, m))

    def piece(low: int, high: int) -> None:
        rows = readouts if len(readouts) == 1 else readouts[low:high]
        _kernels(out[:, low:high], starts.part(low, high), rows, walk.count, functions, law, walk.first + low, WEIGHTS,
                 u64(walk.seed), np.empty(0, walk.kind), programs.scratch(np.float64))

    over_samples(piece, walk.samples, walk.threads)
    out[2] = 0.0 if before is None else before * out[2]
    out[~np.isfinite(out)] = np.inf
    return Tangent(*out)


def _readouts(readout: ArrayLike | None, width: int, samples: int) -> NDArray[np.float64]:
    """The vectors that read the outputs, (samples or 1, width): the first neuron by default."""
    if readout is None:
        return np.eye(1, width)
    shape = (width,) if np.ndim(readout) == 1 else (samples, width)
    return np.atleast_2d(_finite("readout", readout, shape))
