"""Normal units of an infinitely wide residual network: how their moments and tangents move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import erf, ndtr
from scipy.stats import norm

from .._checks import FloatArray
from .._equations import solve_ivp
from ..activations import Activation
from ._expectations import gaussian_linear, products, rectified, sigmoidal, single

#: Relative error of one step of the ODEs, and the absolute one as a share of the state.
TOLERANCE, ABSOLUTE = 1e-11, 1e-14
#: Points at which two straight pieces are told from a curve.
PROBES = np.array([1e-4, 0.07, 1.3, 17.9])
#: A second moment, and a growth per unit of the logarithm of time, that show an explosion.
HUGE, FAST = 1e60, 1e6


@dataclass(frozen=True)
class Expectations:
    """E psi(x_i) psi(x_j) and E psi'(x_i) psi'(x_j) of an activation under normal laws."""

    activation: Activation

    @cached_property
    def slopes(self) -> tuple[float, float] | None:
        """The slopes for positive and negative inputs if the activation is straight on either side of 0."""
        plus, minus = float(self.activation(1.0)), -float(self.activation(-1.0))
        straight = all(
            np.allclose(self.activation(side * PROBES), side * slope * PROBES, rtol=1e-13, atol=0)
            for side, slope in ((1, plus), (-1, minus))
        )
        return (plus, minus) if straight else None

    @cached_property
    def error_function(self) -> tuple[float, float] | None:
        """Height and scale if the activation is height erf(scale x)."""
        with np.errstate(all="ignore"):
            height = float(self.activation(1e6))
            scale = np.sqrt(np.pi) / 2 * np.divide(float(self.activation.derivative(0.0)), height)
            if not (0 < scale < np.inf and np.isfinite(height)):
                return None
            probes = np.concatenate([-PROBES, PROBES])
            same = np.allclose(self.activation(probes / scale), height * erf(probes), rtol=1e-13, atol=0)
        return (height, float(scale)) if same else None

    @cached_property
    def gaussian_linear(self) -> tuple[float, float] | None:
        """Height and scale if the activation is height x Phi(scale x)."""
        if self.activation.rectifier is not None or self.activation.smoothness < 2:
            return None
        with np.errstate(all="ignore"):
            height = 2 * self.activation.slope0
            scale = np.divide(self.activation.second0, 2 * height * norm.pdf(0))
            if not (0 < scale < np.inf and np.isfinite(height)):
                return None
            probes = np.concatenate([-PROBES, PROBES]) / scale
            same = np.allclose(self.activation(probes), height * probes * ndtr(scale * probes), rtol=1e-12, atol=0)
        return (height, float(scale)) if same else None

    @cached_property
    def odd(self) -> bool:
        """Whether the activation is odd, so that its mean over centred normal units is exactly 0."""
        with np.errstate(all="ignore"):
            return bool(np.array_equal(self.activation(-PROBES), -self.activation(PROBES)))

    @property
    def linear(self) -> bool:
        """Whether the activation is a straight line through 0."""
        return self.slopes is not None and self.slopes[0] == self.slopes[1]

    @cached_property
    def _shape(self) -> tuple[tuple[float, ...], float]:
        """Where the activation has kinks, and the length over which it bends elsewhere."""
        return self.activation.kinks(), self.activation.length()

    def grows_linearly(self) -> bool:
        """Whether the activation grows at most about linearly."""
        with np.errstate(over="ignore"):
            return bool(np.all(np.abs(self.activation(np.array([-1e6, 1e6]))) <= 1e8))

    def _centred(self, mean: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Values and derivatives in closed form, where the activation has one and the units are centred."""
        if np.any(mean):
            return None
        if self.slopes:
            return rectified(*self.slopes, covariance)
        if self.error_function:
            return sigmoidal(*self.error_function, covariance)
        return gaussian_linear(*self.gaussian_linear, covariance) if self.gaussian_linear else None

    def values(self, mean: FloatArray, covariance: FloatArray) -> FloatArray:
        """E psi(x_i) psi(x_j).

        Shapes: (m,), (m, m) -> (m, m).
        Law: exact for the identity and, with centred units, for rectifiers and error functions; near rounding
        otherwise.
        """
        if self.linear and self.slopes is not None:
            return self.slopes[0] ** 2 * (covariance + np.outer(mean, mean))
        closed = self._centred(mean, covariance)
        return closed[0] if closed else products(self.activation, mean, covariance, *self._shape)

    def derivatives(self, mean: FloatArray, covariance: FloatArray) -> FloatArray:
        """E psi'(x_i) psi'(x_j); shapes and law as `values`."""
        if self.linear and self.slopes is not None:
            return np.full(covariance.shape, self.slopes[0] ** 2)
        closed = self._centred(mean, covariance)
        return closed[1] if closed else products(self.activation.derivative, mean, covariance, *self._shape)

    def both(self, mean: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`values` and `derivatives`, which share the angles of a closed form."""
        closed = None if self.linear else self._centred(mean, covariance)
        return closed or (self.values(mean, covariance), self.derivatives(mean, covariance))

    def means(self, variance: FloatArray) -> FloatArray:
        """E psi(x_i) of centred units with variances (m,)."""
        if self.odd:
            return np.zeros(len(variance))
        return np.array([single(self.activation, 0.0, np.sqrt(v), *self._shape) for v in variance])

    def power(self, mean: float, variance: float) -> float:
        """E psi(x)^2 of one unit."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = single(lambda x: self.activation(x) ** 2, mean, np.sqrt(variance), *self._shape)
        return found if np.isfinite(found) else np.inf


@dataclass(frozen=True)
class Flow:
    """The ODE of mean, covariance and tangents of a unit."""

    inner: Expectations
    slope: float
    second: float
    weight_variance: float
    bias_variance: float

    def run(
        self, mean: FloatArray, covariance: FloatArray, tangents: FloatArray, duration: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
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
        path = solve_ivp(
            lambda _, state: pack(*self._rates(*unpack(state))),
            (0, duration),
            start,
            "DOP853",
            rtol=TOLERANCE,
            atol=atol,
        )
        return unpack(path.y[:, -1])

    def _rates(
        self, mean: FloatArray, covariance: FloatArray, tangents: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        covariance = np.where(np.eye(len(mean)) > 0, np.maximum(covariance, 0), covariance)
        if not len(tangents):
            power = self.bias_variance + self.weight_variance * self.inner.values(mean, covariance)
            return self.second / 2 * np.diag(power), self.slope**2 * power, tangents
        weights, gain = (self.weight_variance * found for found in self.inner.both(mean, covariance))
        power = self.bias_variance + weights
        moved = self.second / 2 * np.diag(power), self.slope**2 * power
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

        def slope(_: float, state: FloatArray) -> FloatArray:
            power, rate = growth(*state[1:])
            power = min(power, 1e150)
            return np.array([1, self.second / 2 * power, self.slope**2 * power]) / (1 + max(rate, power / 1e150))

        def large(_: float, state: FloatArray) -> float:
            return min(HUGE - state[1] ** 2 - state[2], FAST - state[0] * growth(*state[1:])[1])

        def late(_: float, state: FloatArray) -> float:
            return horizon - state[0]

        for event in (large, late):
            event.terminal = True  # type: ignore[attr-defined]
        path = solve_ivp(
            slope, (0, horizon + 1000), [0, mean, variance], "DOP853", rtol=1e-9, atol=1e-12, events=[large, late]
        )
        time, *state = path.y[:, -1]
        return float(time) if time < horizon and time * growth(*state)[1] >= FAST / 2 else np.inf
