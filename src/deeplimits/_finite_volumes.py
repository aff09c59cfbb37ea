"""Fokker-Planck equations in one dimension, dp/dt = -(a p)' + p''/2, by finite volumes.

The unknowns are the probabilities of the cells of a uniform grid. Fluxes through their faces are
those of Chang and Cooper (also Scharfetter and Gummel): exact for a constant drift, so that the
cells form a Markov chain whatever the drift, and second order in the width of a cell. Time steps
are rational approximations of the exponential of that chain's generator.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import exprel

from ._checks import FloatArray
from ._equations import solve_ivp

#: Standard deviations of Brownian motion that a grid reaches on either side.
REACH = 8.3
#: A probability so small that what happens to it does not matter.
GONE = 1e-15
#: A time step as a share of the time passed since the start.
SHARE = 0.25


def generator(drift: FloatArray, width: float, absorbing: bool = False) -> FloatArray:
    """The generator of the Markov chain on the cells, as a banded matrix.

    Shapes: the drift at the n + 1 faces of n cells -> (3, n), the layout of `solve_banded`.
    Nothing passes the first face; at the last, mass leaves for ever if it is absorbing.
    Law: positive rates off the diagonal; columns sum to 0, except the last if it loses mass.
    """
    peclet = 2 * drift * width
    right, left = (_bernoulli(sign * peclet) / (2 * width**2) for sign in (-1, 1))
    right[0] = left[0] = left[-1] = 0
    # The density vanishes at an absorbing face, half a cell away from the last centre.
    right[-1] = _bernoulli(-peclet[-1:] / 2)[0] / width**2 if absorbing else 0
    bands = np.zeros((3, len(drift) - 1))
    bands[0, 1:] = left[1:-1]
    bands[1] = -(right[1:] + left[:-1])
    bands[2, :-1] = right[1:-1]
    return bands


def evolve(
    masses: FloatArray,
    edges: FloatArray,
    drift: Callable[[FloatArray], FloatArray],
    start: float,
    end: float,
    absorbing: bool = False,
) -> FloatArray:
    """Carry the probabilities of the cells from one time to another.

    Shapes: masses (n,) between edges (n + 1,), a vectorised drift -> (n,).
    Law: second order in the width of a cell and order 9 in the step, damping what a step cannot
    resolve (the approximation of Pade with degrees 4 and 5, that of Radau IIA with 5 stages).
    A step is at most a share of the time passed since 0, over which the law became as smooth as it
    is, and at most the time in which probability flows over the law's own standard deviation.
    """
    bands = generator(drift(edges), edges[1] - edges[0], absorbing)
    centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    while start < end and masses.sum() > GONE:
        shares = masses / masses.sum()
        spread = np.sqrt(shares @ (centres - shares @ centres) ** 2)
        flow = width * np.abs(bands[2, :-1] * shares[:-1] - bands[0, 1:] * shares[1:]).sum()
        step = min(SHARE * start, spread / (flow + 1e-300), end - start)
        masses = _step(masses, bands * step)
        start = end if step == end - start else start + step
    return masses if start == end else np.zeros_like(masses)


def _step(masses: FloatArray, bands: FloatArray) -> FloatArray:
    moved, shifted = np.zeros_like(masses), bands.astype(complex)
    for pole, residue in zip(_POLES, _RESIDUES, strict=True):
        shifted[1] = bands[1] - pole
        moved += (residue * solve_banded((1, 1), shifted, masses, check_finite=False)).real
    return moved


def normal_start(
    drift: Callable[[FloatArray], FloatArray],
    mean: float,
    variance: float,
    width: float,
    start: float,
    end: float,
    settling: bool = True,
) -> tuple[float, float, float]:
    """Follow a point until the grid resolves its law, which is nearly normal until then.

    Shapes: the mean and variance at time `start` -> (time, mean, variance), at `end` at the latest.
    Law: the normal law that obeys the equation's first two moments. Resolved means a standard
    deviation of 3 cells, and a drift that noise outweighs within a cell; the second is waited for
    only if the drift is settling. The error is of second order in the time this takes.
    """
    if start >= end:
        return start, mean, variance
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()

    def moments(_: float, state: FloatArray) -> list[Any]:
        spread = np.sqrt(max(state[1], 0))
        rates = weights * drift(state[0] + spread * nodes)
        return [rates.sum(), 1 + 2 * spread * np.sum(nodes * rates)]

    def resolved(_: float, state: FloatArray) -> float:
        speed = abs(drift(np.array([state[0]])))[0] * settling
        return min(state[1] / (9 * width**2), 1 / (2 * width * speed + 1e-300)) - 1

    resolved.terminal = True  # type: ignore[attr-defined]
    path = solve_ivp(
        moments,
        (start, end),
        [mean, variance],
        rtol=1e-9,
        atol=[1e-9 * width, 1e-9 * width**2],
        events=resolved,
        first_step=min(0.1 * width**2, (end - start) / 2),
    )
    return path.t[-1], path.y[0, -1], path.y[1, -1]


def _bernoulli(x: FloatArray) -> FloatArray:
    """x / (exp(x) - 1), for any x without overflow or cancellation."""
    size = np.abs(x)
    with np.errstate(under="ignore"):
        smaller = 1 / exprel(np.minimum(size, 700))
    return np.where(x < 0, smaller + size, smaller)


def _partial_fractions() -> tuple[np.ndarray, np.ndarray]:
    """Poles and residues of the approximation of exp with degrees 4 over 5, one of each pair."""
    above = [factorial(9 - j) * factorial(4) / (factorial(9) * factorial(j) * factorial(4 - j)) for j in range(5)]
    below = [
        (-1) ** j * factorial(9 - j) * factorial(5) / (factorial(9) * factorial(j) * factorial(5 - j)) for j in range(6)
    ]
    numerator, denominator = np.polynomial.Polynomial(above), np.polynomial.Polynomial(below)
    poles = denominator.roots()
    poles = poles - denominator(poles) / denominator.deriv()(poles)
    poles = poles[poles.imag > -1e-9].astype(complex)
    weights = np.where(np.abs(poles.imag) < 1e-9, 1, 2)  # a pair adds twice its real part
    residues = weights * numerator(poles) / denominator.deriv()(poles)
    return poles, residues / -np.sum(residues / poles).real  # exactly 1 at 0: mass is conserved


_POLES, _RESIDUES = _partial_fractions()
