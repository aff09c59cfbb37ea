"""The norm of a ReLU residual network of finite width: how its logarithm grows and fluctuates.

R_t = log(|relu(X_t)| / |relu(X_0)|) for a start of independent centred normal neurons of which at
least one is active, and t = layer/depth with weight variance 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import binom

from ._checks import FloatArray, reals, whole

#: The largest width, beyond which whole numbers are not all told apart in double precision.
WIDEST = 2**53
#: Neurons from which an expansion, whose relative error is the square of one over them, beats a sum over them.
MANY = 10**6

__all__ = ["active_probability", "drain", "initial_rate", "log_norm_variance", "mean_log_norm"]


def active_probability(width: int) -> float:
    """The probability that a neuron is active at the start, given that some neuron is.

    Law: exact, 1 / (2 (1 - 2^-width)). Source: Hayou 2023, mean log norm of ReLU networks.
    Raises: ValueError for a width that is not a positive integer.

    >>> from deeplimits import growth
    >>> round(float(growth.active_probability(2)), 4)  # 2 / 3
    0.6667
    """
    return 0.5 / -np.expm1(-whole("width", width, most=WIDEST) * np.log(2))


def initial_rate(width: int) -> float:
    """The rate at which the mean of R grows at the start: negative up to width 3, positive from 4.

    Law: exact at time 0, and at all times for width 1 and in the limit of large width; in between
    the rate falls, see `drain`.
    Source: Hayou 2023, mean log norm of ReLU networks.
    Raises: as `active_probability`.

    >>> from deeplimits import growth
    >>> bool(growth.initial_rate(3) < 0 < growth.initial_rate(4))
    True
    """
    return active_probability(width) / 2 - 1 / width


def drain(width: int) -> float:
    """c with P(a neuron is active at time t | alive) = active_probability - c t^(3/2) + ...

    Neurons fluctuate more where they are active, so that mass drains to where they are not. 0 at
    width 1, where a neuron keeps its sign.

    Law: exact leading order at small times; O(1/width).
    Source: ours, a refinement of the constant rate.
    Raises: as `active_probability`.

    >>> from deeplimits import growth
    >>> bool(growth.drain(10) > 0)
    True
    """
    return _length(whole("width", width, most=WIDEST) - 1) * 2 * active_probability(width) / (3 * np.pi * width**1.5)


def _length(count: int) -> float:
    """The mean length of the positive part of so many standard normal numbers."""
    if count > MANY:
        return float(np.sqrt(count / 2) * (1 - 5 / 8 / count))
    active = np.arange(1, count + 1)
    length = np.exp(np.log(2) / 2 + gammaln((active + 1) / 2) - gammaln(active / 2))
    return float(binom.pmf(active, count, 0.5) @ length)


def mean_log_norm(width: int, time: ArrayLike) -> FloatArray:
    """The mean of R at small times.

    Shapes: any shape of times >= 0, the same shape out.
    Law: initial_rate t - drain t^(5/2) / 5; what is left out is below 0.001 at time 1, and all that counts at
    large times.
    Source: the first term is the formula of Hayou 2023; the second is ours.
    Raises: ValueError for a width or a time out of range.

    >>> from deeplimits import growth
    >>> growth.mean_log_norm(10, [0.0, 0.5, 1.0]).shape
    (3,)
    """
    t = reals("time", time, least=0, most=1e100)
    return initial_rate(width) * t - drain(width) / 5 * t**2.5


def log_norm_variance(time: ArrayLike) -> FloatArray:
    """The limit of width times the variance of R, as the width grows.

    Shapes: any shape of times >= 0, the same shape out.
    Law: exact limit: martingale t, drift, and twice their covariance; 7 per cent above t at time 1.
    Source: ours, a refinement of the quasi-normal law of Hayou 2023.
    Raises: ValueError for a time out of range.

    >>> from deeplimits import growth
    >>> round(float(growth.log_norm_variance(1.0)), 2)
    1.07
    """
    return np.vectorize(_variance, otypes=[np.float64])(reals("time", time, least=0, most=1e300))


def _variance(t: float) -> float:
    # With lag u^2 the arcsine, which starts like a root, is smooth; beyond u = 36 it is 0, and `shared` is pi u.
    end = min(np.sqrt(t), 36.0)
    drift = quad(lambda u: 4 * u * (t - u * u) * np.arcsin(np.exp(-u * u / 4)), 0, end, epsabs=1e-12)[0]

    def shared(u: float) -> float:
        r = np.exp(-u * u / 4)
        return 2 * u * (np.arccos(r) - r * np.sqrt(-np.expm1(-u * u / 2)))

    along = quad(shared, 0, end, epsabs=1e-12)[0] + np.pi / 2 * max(t - 36.0**2, 0.0)
    return t + drift / (8 * np.pi) + along / np.pi
