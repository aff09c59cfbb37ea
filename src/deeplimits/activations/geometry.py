"""Angles and correlations, stable for nearly parallel inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._checks import FloatArray, numbers, reals, shown

#: How far rounding may take an argument out of its range.
ROUNDING = 1e-9


def within(name: str, value: ArrayLike, low: float, high: float) -> FloatArray:
    """Numbers in a range, put back on its ends where rounding took them past it.

    Raises: ValueError that names the argument, for others and for what is no finite number.
    """
    found = reals(name, value)
    if np.any((found < low - ROUNDING) | (found > high + ROUNDING)):
        raise ValueError(f"{name} must lie in [{low:g}, {high:.8g}], got {shown(value)}")
    return np.clip(found, low, high)


def angle_defect(theta: ArrayLike) -> FloatArray:
    """sin(theta) - theta cos(theta): how far a rectifier bends an angle.

    Shapes: any shape in radians in [0, pi], the same shape out.
    Law: exact to rounding; below 0.5 a series avoids the cancellation of two equal terms.
    Raises: ValueError for angles outside [0, pi].

    >>> from deeplimits import activations
    >>> float(activations.angle_defect(0.0))
    0.0
    """
    theta = within("theta", theta, 0, np.pi)
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
    Raises: ValueError for numbers outside [0, 2].

    >>> from deeplimits import activations
    >>> round(float(activations.angle_of(2.0)), 4)  # opposite inputs
    3.1416
    """
    return 2 * np.arcsin(np.sqrt(within("epsilon", epsilon, 0, 2) / 2))


def correlation_of(V: ArrayLike) -> FloatArray:
    """Correlations of covariance matrices.

    Shapes: (..., m, m) in, (..., m, m) out.
    Law: exact; kept within [-1, 1] against rounding.
    Raises: ValueError for what holds no square matrices, and where a variance is zero or infinite: a dead or an
        exploded network has no correlation.

    >>> from deeplimits import activations
    >>> activations.correlation_of([[4.0, 1.0], [1.0, 1.0]]).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    V = numbers("V", V, what="covariance matrices (..., m, m)")
    if V.ndim < 2 or V.shape[-1] != V.shape[-2]:
        raise ValueError(f"V must hold square matrices (..., m, m), got shape {V.shape}")
    with np.errstate(invalid="ignore"):
        size = np.sqrt(np.diagonal(V, axis1=-2, axis2=-1))
    without = np.count_nonzero(~np.all((size > 0) & np.isfinite(size), axis=-1))
    if without:
        raise ValueError(
            f"V has {without} of {size[..., 0].size} matrices with a variance that is zero or not finite "
            "(dead or exploded networks); leave them out"
        )
    if not np.all(np.isfinite(V)):
        raise ValueError("V must be finite, got entries that are not beside variances that are")
    return np.clip(V / (size[..., :, None] * size[..., None, :]), -1, 1)
