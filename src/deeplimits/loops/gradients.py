"""Compiled loops of shaped networks with explicit weights: tangents forward, and a direction at the end carried back.

Weights are drawn again on the way back instead of being kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import njit
from ..activations.programs import Program
from ..gaussian import fill, of_sample, padded
from .weights import apply_whole


class Neurons(NamedTuple):
    """Layers of neurons: how many layers, sqrt(c/n), the activation and its slope."""

    depth: int
    root: float
    value: Program
    slope: Program


@njit
def _weights(normals, layer, address, width):
    fill(normals, 0, layer, address)
    return normals[: width * width].astype(np.float64).reshape(width, width)


@njit
def _forward(vectors, W, slope, neurons, scratch):
    """One layer: the activations of the input in row 0, their derivatives along directions in the other rows."""
    z = np.dot(vectors, W.T)
    apply_whole(neurons.slope, z[0], slope, scratch)
    apply_whole(neurons.value, z[0], vectors[0], scratch)
    vectors[0] *= neurons.root
    vectors[1:] = neurons.root * z[1:] * slope


@njit
def propagate(tangents, norms, records, last, starts, neurons, origin, prototype, scratch):
    """Carry the sample of `origin` and those after it forward through the layers and back.

    Shapes: tangents (samples, len(records), 1 + k, 1 + k), norms (samples, len(records)); starts (1 + k, width).
        `last`: the layers at which the norms are wanted.
    """
    width, depth = starts.shape[1], neurons.depth
    normals = np.empty(padded(width * width), prototype.dtype)
    slopes, vectors = np.empty((depth, width)), np.empty_like(starts)
    for i in range(len(tangents)):
        vectors[:] = starts
        address = of_sample(origin, origin.sample + i)
        done = 0
        for layer in range(depth + 1):
            if done < len(records) and records[done] == layer:
                tangents[i, done] = np.dot(vectors, vectors.T)
                done += 1
            if layer < depth:
                W = _weights(normals, layer, address, width)
                _forward(vectors, W, slopes[layer], neurons, scratch)
        fill(normals, 0, depth, address)
        gradient = normals[:width].astype(np.float64)
        gradient /= np.sqrt(np.sum(gradient**2))
        done = len(last) - 1
        for layer in range(depth, last[0] - 1, -1):
            if layer < depth:
                W = _weights(normals, layer, address, width)
                gradient = neurons.root * np.dot(slopes[layer] * gradient, W)
            if last[done] == layer:
                norms[i, done] = np.sum(gradient**2)
                done -= 1
