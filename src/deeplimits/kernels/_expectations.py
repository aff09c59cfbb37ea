"""Expectations of functions of jointly normal variables, pair by pair.

A pair is written as x = m1 + s1 u and y = m2 + s2 (rho u + r w) with independent standard normal
u and w. Smooth functions are summed over a uniform lattice in (u, w), whose error falls
exponentially in one over the step; others by Gauss and Legendre between their kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm

from .._checks import FloatArray
from ..activations import angle_defect, angle_of

Function = Callable[[FloatArray], FloatArray]

#: Standard deviations beyond which a normal variable is not looked at.
REACH = 8.5
#: Largest steps of the lattice: in standard deviations, and in the lengths over which the function
#: bends, 1 or less from the real line to its singularities.
STEP, ARGUMENT_STEP = 0.5, 0.25
#: Most nodes of the lattice, enough for a function that bends over a twelfth of a standard deviation.
#: One that bends more sharply is seen with its corners blunt, at an error up to about 1e-2.
MOST_NODES = 801
#: Stands for a standard deviation of 0 where one divides by it.
TINY = 1e-200
#: Ends of panels around the image of a kink, in units of the distance over which it is smeared.
GRADING = np.array([0, 0.5, 1, 2, 4, 8, -0.5, -1, -2, -4, -8])
_LEGENDRE = np.polynomial.legendre.leggauss(12)


def rectified(plus: float, minus: float, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E psi(x_i) psi(x_j) and E psi'(x_i) psi'(x_j) of a rectifier with two slopes, for centred variables.

    Shapes: (m, m) -> twice (m, m).
    Law: exact, also for nearly parallel variables. Source: Cho and Saul 2009, arc-cosine kernels of
    first and zeroth order, for two slopes.
    """
    size = np.sqrt(np.diag(covariance))
    scale = np.outer(size, size)
    rho = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(rho, 1)
    angle = angle_of(np.clip(1 - rho, 0, 2))
    gain, gap2 = (plus**2 + minus**2) / 2, (plus - minus) ** 2
    values = scale * (gain * rho + gap2 * angle_defect(angle) / (2 * np.pi))
    return values, gain - gap2 * angle / (2 * np.pi)


def sigmoidal(height: float, scale: float, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E psi(x_i) psi(x_j) and E psi'(x_i) psi'(x_j) of height erf(scale x), for centred variables.

    Shapes: (m, m) -> twice (m, m).
    Law: exact. An arcsine of nearly 1 would lose half the digits of large and nearly parallel
    variables; the angle from sine and cosine keeps them.
    Source: Williams 1997, computing with infinite networks.
    """
    spread = 2 * scale**2 * covariance
    size = np.diag(spread)
    # The determinant of 1 + spread, but for products that cancel where variables are parallel.
    root = np.sqrt(1 + size[:, None] + size + np.maximum(np.outer(size, size) - spread**2, 0))
    return 2 * height**2 / np.pi * np.arctan2(spread, root), 4 * (height * scale) ** 2 / np.pi / root


def gaussian_linear(height: float, scale: float, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E psi(x_i) psi(x_j) and E psi'(x_i) psi'(x_j) of height x Phi(scale x), the GELU, for centred variables.

    With standard deviations p, q of x + u and y + v, u and v standard normal, and sin the correlation of these sums,
    E = c (1/4 + angle / 2 pi) + p q [a b (1 - rho^2) / (p q)^2 + sin^2 (1/p^2 + 1/q^2)] / (2 pi cos).

    Shapes: (m, m) -> twice (m, m).
    Law: exact; no product of two variances is formed, and parallel variables keep their digits.
    Source: Tsuchida, Pearce, van der Heide, Roosta and Gallagher 2021, GELU kernels; re-derived by Stein's lemma.
    """
    with np.errstate(over="ignore", under="ignore"):
        spread = scale * scale * covariance
        size = np.diag(spread)
        root = np.sqrt(size)
        rho = np.clip(
            np.divide(spread, np.outer(root, root), out=np.zeros_like(spread), where=np.outer(root, root) > 0), -1, 1
        )
        np.fill_diagonal(rho, np.where(size > 0, 1, 0))
        p, left = np.sqrt(1 + size), 1 / (1 + size)  # left: the share of u in the variance of x + u
        share = size * left
        sine = spread / p[:, None] / p
        lost = np.outer(share, share) * (1 - rho) * (1 + rho)
        square = np.outer(left, left) + np.outer(share, left) + np.outer(left, share) + lost
        cosine = np.sqrt(square)
        ordinary = 1 / 4 + np.arctan2(sine, cosine) / (2 * np.pi)
        both = left[:, None] + left
        values = spread * ordinary + np.outer(p, p) * (lost + sine * sine * both) / (2 * np.pi * cosine)
        slopes = ordinary + sine / (2 * np.pi * cosine) * (both + np.outer(left, left) / square)
        return (height / scale) ** 2 * values, height * height * slopes


def single(
    function: Function, mean: float, deviation: float, kinks: Sequence[float] = (), length: float = 1.0
) -> float:
    """E f(x) of one normal variable, for a function that bends over a length.

    Law: near rounding for functions analytic within a length of the real line, or between their kinks.
    """
    u, weights = _nodes(deviation / length, _standard(kinks, mean, deviation))
    return float(weights @ function(mean + deviation * u))


def products(
    function: Function, mean: FloatArray, covariance: FloatArray, kinks: Sequence[float] = (), length: float = 1.0
) -> FloatArray:
    """E f(x_i) f(x_j) for every pair of jointly normal variables.

    Shapes: mean (m,), covariance (m, m) -> (m, m).
    Law: as `single`.
    """
    deviation = np.sqrt(np.diag(covariance))
    powers = [single(lambda x: function(x) ** 2, m, s, kinks, length) for m, s in zip(mean, deviation, strict=True)]
    found = np.diag(powers)
    for i, j in zip(*np.triu_indices(len(mean), k=1), strict=True):
        scale = deviation[i] * deviation[j]
        rho = np.clip(covariance[i, j] / scale, -1, 1) if scale > 0 else 0.0
        x, y, weights = pair((mean[i], mean[j]), (deviation[i], deviation[j]), 1 - rho, kinks, length)
        found[i, j] = found[j, i] = np.sum(weights * function(x) * function(y))
    return found


def pair(
    mean: tuple[float, float],
    deviation: tuple[float, float],
    epsilon: float,
    kinks: Sequence[float] = (),
    length: float = 1.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes of two normal variables with correlation 1 - epsilon, and their weights.

    Shapes: -> (k, 1), (k, l), (k, l).
    """
    rho, spread = 1 - epsilon, np.sqrt(epsilon * (2 - epsilon))
    breaks = _standard(kinks, mean[0], deviation[0])
    if len(kinks):  # where y meets its kinks if w = 0; averaging over w smears that over spread / rho
        image = _standard(kinks, mean[1], deviation[1] * abs(rho)) * np.sign(rho)
        smeared = GRADING * spread / max(abs(rho), TINY)
        breaks = np.concatenate([breaks, np.ravel(image[:, None] + smeared)])
    u, weights = _nodes(max(deviation) / length, breaks)
    centre = mean[1] + deviation[1] * rho * u[:, None]
    w, inner = _nodes(max(deviation) / length, _standard(kinks, centre, deviation[1] * spread))
    return mean[0] + deviation[0] * u[:, None], centre + deviation[1] * spread * w, weights[:, None] * inner


def _standard(kinks: Sequence[float], centre: float | FloatArray, deviation: float) -> FloatArray:
    """Kinks in units of a standard deviation, which may be 0, from a centre."""
    return np.clip((np.asarray(kinks) - centre) / max(deviation, TINY), -REACH, REACH)


def _nodes(deviation: float, breaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes of a standard normal variable and their weights, which sum to 1.

    Shapes: the standard deviation in lengths of the function; breaks (..., k) -> (..., nodes), or
    (nodes,) if there are none.
    """
    if breaks.shape[-1] == 0:
        count = int(np.ceil(REACH / min(STEP, ARGUMENT_STEP / max(deviation, TINY))))
        nodes = np.linspace(-REACH, REACH, 2 * min(count, MOST_NODES // 2) + 1)
        weights = norm.pdf(nodes)
        return nodes, weights / weights.sum()
    ends = np.linspace(-REACH, REACH, 10)
    ends = np.concatenate([np.broadcast_to(ends, (*breaks.shape[:-1], 10)), np.clip(breaks, -REACH, REACH)], axis=-1)
    ends.sort(axis=-1)
    half = np.diff(ends)[..., None] / 2
    nodes = ends[..., :-1, None] + half * (1 + _LEGENDRE[0])
    weights = half * _LEGENDRE[1] * norm.pdf(nodes)
    shape = (*breaks.shape[:-1], -1)
    weights = weights.reshape(shape)
    return nodes.reshape(shape), weights / weights.sum(axis=-1, keepdims=True)
