"""Normal units of an infinitely wide residual network: how their moments and tangents move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from .._checks import FloatArray
from ..activations import Plain, Rectifier, angle_defect, angle_of
from ._expectations import kinks_of, products, single

#: Relative error of one step of the ODEs, and the absolute one as a share of the state.
TOLERANCE, ABSOLUTE = 1e-11, 1e-14
#: Points at which two straight pieces are told from a curve.
PROBES = np.array([1e-4, 0.07, 1.3, 17.9])
#: A second moment, and a growth per unit of the logarithm of time, that show an explosion.
HUGE, FAST = 1e60, 1e6


@dataclass(frozen=True)
class Expectations:
    """E psi(x_i) psi(x_j) and E psi'(x_i) psi'(x_j) of an activation under normal laws."""

    activation: Plain | Rectifier

    def slopes(self) -> tuple[float, float] | None:
        """The slopes for positive and negative inputs if the activation is straight on either side of 0."""
        plus, minus = float(self.activation(1.0)), -float(self.activation(-1.0))
        straight = all(np.allclose(self.activation(side * PROBES), side * slope * PROBES, rtol=1e-13, atol=0)
                       for side, slope in ((1, plus), (-1, minus)))
        return (plus, minus) if straight else None

    def grows_linearly(self) -> bool:
        """Whether the activation grows at most about linearly."""
        with np.errstate(over="ignore"):
            return bool(np.all(np.abs(self.activation(np.array([-1e6, 1e6]))) <= 1e8))

    def values(self, mean: FloatArray, covariance: FloatArray) -> FloatArray:
        """E psi(x_i) psi(x_j).

        Shapes: (m,), (m, m) -> (m, m).
        Law: exact for the identity and for rectifiers of centred units, near rounding otherwise.
        """
        slopes = self.slopes()
        if slopes and slopes[0] == slopes[1]:
            return slopes[0] ** 2 * (covariance + np.outer(mean, mean))
        if slopes and not np.any(mean):
            size, angle = _angles(covariance)
            gain, gap2 = (slopes[0] ** 2 + slopes[1] ** 2) / 2, (slopes[0] - slopes[1]) ** 2
            return size * (gain * np.cos(angle) + gap2 * angle_defect(angle) / (2 * np.pi))
        return products(self.activation, mean, covariance, kinks_of(self.activation))

    def derivatives(self, mean: FloatArray, covariance: FloatArray) -> FloatArray:
        """E psi'(x_i) psi'(x_j); shapes and law as `values`."""
        slopes = self.slopes()
        if slopes and slopes[0] == slopes[1]:
            return np.full(covariance.shape, slopes[0] ** 2)
        if slopes and not np.any(mean):
            angle = _angles(covariance)[1]
            gain, gap2 = (slopes[0] ** 2 + slopes[1] ** 2) / 2, (slopes[0] - slopes[1]) ** 2
            return gain - gap2 * angle / (2 * np.pi)
        return products(self.activation.derivative, mean, covariance, kinks_of(self.activation))

    def means(self, variance: FloatArray) -> FloatArray:
        """E psi(x_i) of centred units with variances (m,)."""
        return np.array([single(self.activation, 0.0, np.sqrt(v), kinks_of(self.activation)) for v in variance])

    def power(self, mean: float, variance: float) -> float:
        """E psi(x)^2 of one unit."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = single(lambda x: self.activation(x) ** 2, mean, np.sqrt(variance), kinks_of(self.activation))
        return found if np.isfinite(found) else np.inf


def _angles(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Products of standard deviations, and angles whose cosines are correlations."""
    size = np.sqrt(np.diag(covariance))
    scale = np.outer(size, size)
    rho = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(rho, 1)
    return scale, angle_of(1 - rho)


@dataclass(frozen=True)
class Flow:
    """The ODE of mean, covariance and tangents of a unit."""

    inner: Expectations
    slope: float
    second: float
    weight_variance: float
    bias_variance: float

    def run(self, mean: FloatArray, covariance: FloatArray, tangents: FloatArray,
            duration: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean (m,), covariance (m, m) and tangents (3 or 0, m, m) after a time."""
        inputs, upper = len(mean), np.triu_indices(len(mean))

        def unpack(state: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            matrices = np.zeros((1 + len(tangents), inputs, inputs))
            entries = state[inputs:].reshape(len(matrices), -1)
            matrices[:, upper[0], upper[1]] = matrices[:, upper[1], upper[0]] = entries
            return state[:inputs], matrices[0], matrices[1:]

        def pack(mean: FloatArray, covariance: FloatArray, tangents: FloatArray) -> FloatArray:
            matrices = np.concatenate([covariance[None], tangents])
            return np.concatenate([mean, matrices[:, upper[0], upper[1]].ravel()])

        start = pack(mean, covariance, tangents)
        atol = ABSOLUTE * max(np.abs(start).max(), self.bias_variance, self.weight_variance, 1e-300)
        path = solve_ivp(lambda _, state: pack(*self._rates(*unpack(state))), (0, duration), start, "DOP853",
                         rtol=TOLERANCE, atol=atol)
        return unpack(path.y[:, -1])

    def _rates(self, mean: FloatArray, covariance: FloatArray,
               tangents: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        covariance = np.where(np.eye(len(mean)) > 0, np.maximum(covariance, 0), covariance)
        weights = self.weight_variance * self.inner.values(mean, covariance)
        power = self.bias_variance + weights
        moved = self.second / 2 * np.diag(power), self.slope**2 * power
        if not len(tangents):
            return *moved, tangents
        gain = self.weight_variance * self.inner.derivatives(mean, covariance)
        biases = np.full_like(power, self.bias_variance)
        sources = np.array([weights, biases, np.zeros_like(power)])
        return *moved, self.slope**2 * (sources + gain * tangents)

    def explosion_time(self, mean: float, variance: float, horizon: float) -> float:
        """When one unit becomes infinite, +inf if not before a horizon.

        Law: relative error about 1e-6. Time runs slower as the unit grows faster.
        """

        def growth(m: float, k: float) -> tuple[float, float]:
            """E psi^2 with its factors, and the relative growth of the second moment; capped."""
            power = self.bias_variance + self.weight_variance * self.inner.power(m, max(k, 0))
            return power, min(power * abs(self.second * m + self.slope**2) / (1 + m * m + k), 1e30)

        def slope(_, state):
            power, rate = growth(*state[1:])
            power = min(power, 1e150)
            return np.array([1, self.second / 2 * power, self.slope**2 * power]) / (1 + max(rate, power / 1e150))

        def large(_, state):
            return min(HUGE - state[1] ** 2 - state[2], FAST - state[0] * growth(*state[1:])[1])

        def late(_, state):
            return horizon - state[0]

        large.terminal = late.terminal = True
        path = solve_ivp(slope, (0, horizon + 1000), [0, mean, variance], "DOP853", rtol=1e-9, atol=1e-12,
                         events=[large, late])
        time, *state = path.y[:, -1]
        return float(time) if time < horizon and time * growth(*state)[1] >= FAST / 2 else np.inf
