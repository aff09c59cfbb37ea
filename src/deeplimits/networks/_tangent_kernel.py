"""The tangent kernel of residual networks with explicit weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._run import Run
from ..activations import programs
from ..gaussian import WEIGHTS
from ..kernels import Tangent
from ..loops.tangent_kernel import _kernels
from ._branches import Branches, Start, _finite, _square
from .weights import _law, functions_of


def tangent_kernels(branches: Branches, x0: Start, inputs: ArrayLike | None, readout: ArrayLike | None,
                    run: Run) -> Tangent:
    """The tangent kernels of networks, by the parameters that move.

    Shapes: x0 is (samples, width, m), inputs (m, m), readout (width,) or (samples, width).
    """
    m = x0.states.shape[2]
    before = _square("inputs", inputs, m)
    readouts = _readouts(readout, branches.width, run.samples)
    law = _law(branches, branches.time / run.count, run.refinement, limit=False)
    functions = functions_of(branches)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    out = np.empty((3, run.samples, m, m))

    def work(rows: slice, begin: int) -> None:
        read = readouts if len(readouts) == 1 else readouts[rows]
        _kernels(out[:, rows], starts.part(rows), read, run.count, functions, law, begin, WEIGHTS, run.seed,
                 run.prototype, programs.scratch(np.float64))

    run.spread(work)
    out[2] = 0.0 if before is None else before * out[2]
    out[~np.isfinite(out)] = np.inf
    return Tangent(*out)


def _readouts(readout: ArrayLike | None, width: int, samples: int) -> NDArray[np.float64]:
    """The vectors that read the outputs, (samples or 1, width): the first neuron by default."""
    if readout is None:
        return np.eye(1, width)
    shape = (width,) if np.ndim(readout) == 1 else (samples, width)
    return np.atleast_2d(_finite("readout", readout, shape))
