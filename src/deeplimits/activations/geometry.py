"""Angles and correlations, stable for nearly parallel inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._checks import FloatArray


def angle_defect(theta: ArrayLike) -> FloatArray:
    """sin(theta) - theta cos(theta): how far a rectifier bends an angle.

    Shapes: any shape in radians in [0, pi], the same shape out.
    Law: exact to rounding; below 0.5 a series avoids the cancellation of two equal terms.
    """
    theta = np.asarray(theta, dtype=np.float64)
    square = np.minimum(theta, 0.5) ** 2
    # theta^3 (1/3 - theta^2/30 + theta^4/840 - ...): the terms 2k/(2k+1)! with alternating sign.
    series = np.zeros_like(theta)
    for factorial, k in ((1307674368000, 7), (6227020800, 6), (39916800, 5), (362880, 4), (5040, 3), (120, 2), (6, 1)):
        series = 2 * k / factorial - square * series
    return np.where(theta < 0.5, theta**3 * series, np.sin(theta) - theta * np.cos(theta))


def angle_of(epsilon: ArrayLike) -> FloatArray:
    """The angle of two inputs whose correlation is 1 - epsilon.

    Shapes: any shape in [0, 2], the same shape out.
    Law: exact to rounding for any epsilon, where arccos(1 - epsilon) loses half the digits.
    """
    return 2 * np.arcsin(np.sqrt(np.clip(np.asarray(epsilon, dtype=np.float64), 0, 2) / 2))


def correlation_of(V: ArrayLike) -> FloatArray:
    """Correlations of covariance matrices.

    Shapes: (..., m, m) in, (..., m, m) out.
    Law: exact; kept within [-1, 1] against rounding.
    Raises: ValueError where a variance is zero or infinite: a dead or an exploded network has no correlation.
    """
    V = np.asarray(V, dtype=np.float64)
    size = np.sqrt(np.diagonal(V, axis1=-2, axis2=-1))
    without = np.count_nonzero(~np.all((size > 0) & np.isfinite(size), axis=-1))
    if without:
        raise ValueError(f"V has {without} of {size[..., 0].size} matrices with a variance that is zero or not finite "
                         "(dead or exploded networks); leave them out")
    return np.clip(V / (size[..., :, None] * size[..., None, :]), -1, 1)
