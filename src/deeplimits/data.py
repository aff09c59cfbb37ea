"""Real inputs: handwritten digits, centred and scaled to unit variance.

The set of 8 x 8 images ships with scikit-learn, so nothing is fetched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import load_digits

from ._checks import FloatArray, real


class Digits(NamedTuple):
    """Handwritten digits as inputs of a network, and as pictures.

    Shapes: `inputs` (k, 64); `labels` (k,), integers 0 to 9; `pixels` (k, 8, 8), from 0 to 16.
    """

    inputs: FloatArray
    labels: np.ndarray
    pixels: FloatArray


@lru_cache
def digits() -> Digits:
    """All 1797 handwritten digits, the mean image subtracted and each scaled to V = 1.

    Shapes: `inputs` (1797, 64) with |x|^2 / 64 = 1 in every row, read-only.
    Law: exact. The correlations of two digits run from -0.79 to 0.991: 99 % of the pairs lie
    between -0.56 and 0.82, half of them between -0.19 and 0.16.
    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998.
    """
    bunch = load_digits()
    centred = bunch.data - bunch.data.mean(axis=0)
    inputs = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
    for array in (inputs, bunch.target, bunch.images):
        array.setflags(write=False)
    return Digits(inputs, bunch.target, bunch.images)


def gram(inputs: ArrayLike) -> FloatArray:
    """The covariance V0 with which inputs enter a network, <x, x'> / n_in.

    Shapes: (m, n_in) in, (m, m) out.
    Law: exact. Source: Li, Nica and Roy 2022, covariance of the first pre-activations.
    Raises: ValueError for another shape, or inputs that are not finite.
    """
    x = np.asarray(inputs, dtype=np.float64)
    if x.ndim != 2 or x.size == 0 or not np.all(np.isfinite(x)):
        raise ValueError(f"inputs must be finite numbers of shape (m, n_in), got shape {x.shape}")
    return x @ x.T / x.shape[1]


def pair(correlation: float) -> Digits:
    """The two digits whose correlation is nearest to a wanted one.

    Shapes: as `Digits` with k = 2; `gram(pair(correlation).inputs)` is their covariance.
    Law: the same pair every time. Within 1e-4 of the wanted value from -0.70 to 0.95; beyond the
    range of the data, the most opposite (-0.79) or the most parallel (0.991) pair.
    Raises: ValueError for a correlation outside [-1, 1].
    """
    wanted = real("correlation", correlation, least=-1, most=1)
    everything = digits()
    first, second = np.triu_indices(len(everything.labels), k=1)
    nearest = np.argmin(np.abs(gram(everything.inputs)[first, second] - wanted))
    chosen = [first[nearest], second[nearest]]
    return Digits(*(array[chosen] for array in everything))
