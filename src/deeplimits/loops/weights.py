"""Compiled loops of residual networks with their weights: the state and its Jacobian.

The Jacobian of a deep network is a product over layers, that of its limit a stochastic exponential.
Both run in one loop, driven by the same weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import njit
from ..activations import programs
from ..activations.programs import TILE, Program
from ..gaussian import of_sample, padded
from .branches import draw


class Functions(NamedTuple):
    """Programs of both activations and of their derivatives, in double precision."""

    inner: Program
    inner_slope: Program
    outer: Program
    outer_slope: Program


class Law(NamedTuple):
    """The Gaussian law of the weights of one layer, with the time step."""

    scale: float  # weights are scale rows Z columns + mean
    rows: NDArray[np.float64]  # symmetric roots
    columns: NDArray[np.float64]
    bias: NDArray[np.float64]
    mean: NDArray[np.float64]
    bias_mean: NDArray[np.float64]
    limit: bool
    slope: float
    second: float
    refinement: int


@njit
def apply_whole(program, source, target, scratch):
    """target = the activation of source, a tile at a time."""
    for begin in range(0, source.size, TILE):
        end = min(begin + TILE, source.size)
        programs.apply(program, source[begin:end], target[begin:end], scratch)


@njit
def _network_step(state, jacobians, W, b, functions, scratch):
    """One layer: J grows by diag(phi'(h)) W diag(psi'(x)) J."""
    inputs, width = state.shape
    psi, slope, h, outer_slope = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for j in range(inputs):
        apply_whole(functions.inner, state[j], psi, scratch)
        apply_whole(functions.inner_slope, state[j], slope, scratch)
        h = np.dot(W, psi) + b
        apply_whole(functions.outer_slope, h, outer_slope, scratch)
        jacobians[j] += np.dot(W * slope * outer_slope.reshape(-1, 1), jacobians[j])
        apply_whole(functions.outer, h, psi, scratch)
        state[j] += psi


@njit
def _diffusion_step(state, jacobians, inverses, W, b, law, functions, scratch):
    """One Euler step of the state, of dg = dZ g and of dg^-1 = g^-1 (-dZ + d[Z, Z]).

    The brackets of the weights are scale^2 rows^2 between outputs and columns^2 between inputs.
    """
    inputs, width = state.shape
    psi, slope = np.empty(width), np.empty(width)
    outputs, into = np.dot(law.rows, law.rows), law.scale**2 * np.dot(law.columns, law.columns)
    biases = np.diag(np.dot(law.bias, law.bias))
    for j in range(inputs):
        apply_whole(functions.inner, state[j], psi, scratch)
        apply_whole(functions.inner_slope, state[j], slope, scratch)
        seen = np.dot(into, psi)
        corrected = law.slope * W + law.second * np.diag(outputs).reshape(-1, 1) * seen
        dZ = corrected * slope
        bracket = law.slope**2 * np.dot(outputs * slope, into * slope)
        inverses[j] += np.dot(inverses[j], bracket - dZ)
        jacobians[j] += np.dot(dZ, jacobians[j])
        variance = np.diag(outputs) * np.dot(psi, seen) + biases
        state[j] += law.slope * (np.dot(W, psi) + b) + law.second / 2 * variance


@njit
def propagate(states, jacobians, inverses, records, starts, functions, law, origin, prototype, scratch):
    """Carry the sample of `origin` and those after it through the layers and write what is asked for.

    Shapes: states (samples, len(records), m, width), jacobians and inverses (samples, len(records), m, width, width);
        starts (samples or 1, m, width). The inverses belong to the diffusion only.
    """
    inputs, width = starts.shape[1:]
    size = padded(width * width + width)
    normals, spare = np.empty(size, prototype.dtype), np.empty(size, prototype.dtype)
    state, J, inverse = np.empty((inputs, width)), np.empty((inputs, width, width)), np.empty((inputs, width, width))
    for i in range(len(states)):
        address = of_sample(origin, origin.sample + i)
        state[:] = starts[i % len(starts)]
        J[:] = np.eye(width)
        inverse[:] = np.eye(width)
        done = 0
        for place in range(len(records)):
            while done < records[place]:
                draw(normals, spare, size, 0, done, law.refinement, address)
                drawn = normals.astype(np.float64) / np.sqrt(law.refinement)
                Z = drawn[: width * width].reshape(width, width)
                W = law.scale * np.dot(law.rows, np.dot(Z, law.columns)) + law.mean
                b = np.dot(law.bias, drawn[width * width : width * width + width]) + law.bias_mean
                if law.limit:
                    _diffusion_step(state, J, inverse, W, b, law, functions, scratch)
                else:
                    _network_step(state, J, W, b, functions, scratch)
                done += 1
            states[i, place] = state
            jacobians[i, place] = J
            inverses[i % len(inverses), place] = inverse
