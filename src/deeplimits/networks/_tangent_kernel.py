"""The tangent kernel of residual networks with explicit weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _checks
from .._run import Run
from ..activations import programs
from ..blocks import Blocks
from ..gaussian import WEIGHTS, Address
from ..kernels import Tangent
from ..loops.tangent_kernel import propagate
from ._branches import Start
from .weights import _law, functions_of


def tangent_kernels(
    blocks: Blocks, x0: Start, inputs: ArrayLike | None, readout: ArrayLike | None, run: Run
) -> Tangent:
    """The tangent kernels of networks, by the parameters that move.

    Shapes: x0 is (samples, width, m), inputs (m, m), readout (width,) or (samples, width).
    """
    width, m = x0.states.shape[1:]
    before = None if inputs is None else _checks.semidefinite("inputs", inputs, m)
    readouts = _readouts(readout, width, run.samples)
    law = _law(blocks, width, blocks.time / run.count, run.refinement, limit=False)
    functions = functions_of(blocks, width)
    starts = x0._replace(states=np.ascontiguousarray(x0.states.swapaxes(1, 2)))
    out = _checks.empty("samples", (3, run.samples, m, m))

    def work(rows: slice, begin: int) -> None:
        read = readouts if len(readouts) == 1 else readouts[rows]
        propagate(
            out[:, rows],
            starts.part(rows),
            read,
            run.count,
            functions,
            law,
            Address(begin, WEIGHTS, run.seed),
            run.prototype,
            programs.scratch(np.float64),
        )

    run.spread(work)
    out[2] = 0.0 if before is None else before * out[2]
    out[~np.isfinite(out)] = np.inf
    return Tangent(*out)


def _readouts(readout: ArrayLike | None, width: int, samples: int) -> NDArray[np.float64]:
    """The vectors that read the outputs, (samples or 1, width): the first neuron by default."""
    if readout is None:
        return np.eye(1, width)
    given = _checks.reals("readout", readout)
    shape = (width,) if given.ndim == 1 else (samples, width)
    if given.shape != shape:
        raise ValueError(f"readout must have shape {shape}, got {given.shape}")
    return np.atleast_2d(given)
