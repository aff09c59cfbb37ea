"""Compiled loops of shaped networks with explicit weights: tangents forward, and a direction at the end carried back.

Weights are drawn again on the way back instead of being kept.
"""

from __future__ import annotations

import numpy as np

from .._jit import njit
from ..gaussian import fill, padded
from .weights import _apply


@njit
def _weights(normals, layer, sample, stream, seed, width):
    fill(normals, 0, layer, sample, stream, seed)
    return normals[: width * width].astype(np.float64).reshape(width, width)



@njit
def _forward(vectors, W, slope, root, value, derivative, scratch):
    """One layer: the activations of the input in row 0, their derivatives along directions in the other rows."""
    z = np.dot(vectors, W.T)
    _apply(derivative, z[0], slope, scratch)
    _apply(value, z[0], vectors[0], scratch)
    vectors[0] *= root
    vectors[1:] = root * z[1:] * slope



@njit
def _paths(tangents, norms, records, last, starts, depth, root, value, derivative, first, stream, seed, kind, scratch):
    """Carry samples first, first + 1, ... forward through the layers and back.

    Shapes: tangents (samples, len(records), 1 + k, 1 + k), norms (samples, len(records)); starts (1 + k, width).
        `last`: the layers at which the norms are wanted.
    """
    width = starts.shape[1]
    normals = np.empty(padded(width * width), kind.dtype)
    slopes, vectors = np.empty((depth, width)), np.empty_like(starts)
    for i in range(len(tangents)):
        vectors[:] = starts
        done = 0
        for layer in range(depth + 1):
            if done < len(records) and records[done] == layer:
                tangents[i, done] = np.dot(vectors, vectors.T)
                done += 1
            if layer < depth:
                W = _weights(normals, layer, first + i, stream, seed, width)
                _forward(vectors, W, slopes[layer], root, value, derivative, scratch)
        fill(normals, 0, depth, first + i, stream, seed)
        gradient = normals[:width].astype(np.float64)
        gradient /= np.sqrt(np.sum(gradient**2))
        done = len(last) - 1
        for layer in range(depth, last[0] - 1, -1):
            if layer < depth:
                W = _weights(normals, layer, first + i, stream, seed, width)
                gradient = root * np.dot(slopes[layer] * gradient, W)
            if last[done] == layer:
                norms[i, done] = np.sum(gradient**2)
                done -= 1

