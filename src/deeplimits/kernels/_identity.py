"""The infinitely wide residual network whose inner activation is the identity, in closed form.

With S = sigma_b^2 + sigma_w^2 (k + m^2), a unit's mean and variance obey m' = phi'' S / 2 and
k' = phi'^2 S. Then u = phi'' m + phi'^2 solves u' = (C + sigma_w^2 u^2) / 2 with a constant C: a
tangent, a hyperbolic cotangent or a fraction, as C is positive, negative or zero. Written as a
ratio of cosine and sine of omega t, omega^2 = sigma_w^2 C / 4, one formula covers all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import FloatArray


@dataclass(frozen=True)
class Riccati:
    """How the means of units move, for a start of given means and variances (m,)."""

    slope: float
    second: float
    weight_variance: float
    bias_variance: float
    mean: FloatArray
    variance: FloatArray

    @property
    def _constant(self) -> FloatArray:
        noise = self.bias_variance + self.weight_variance * self.variance
        start = self.slope**2 + 2 * self.second * self.mean
        return self.second**2 * noise - self.weight_variance * self.slope**2 * start

    @property
    def _start(self) -> FloatArray:
        return self.second * self.mean + self.slope**2

    def means(self, time: float) -> FloatArray:
        """The means at a time before the explosion.

        Shapes: -> (m,).
        Law: exact, written for the change of u, so that a small phi'' cancels nothing.
        """
        omega = np.sqrt(self.weight_variance) * np.emath.sqrt(self._constant) / 2
        omega = np.where(np.abs(omega) < 1e-150, 0, omega)  # sinc divides by it
        sine = (time * np.sinc(omega * time / np.pi)).real  # sin(omega t) / omega
        cosine = np.cos(omega * time).real
        power = self.bias_variance + self.weight_variance * (self.variance + self.mean**2)
        # u - u0 = sine (C + sigma_w^2 u0^2) / 2 / denominator, and C + sigma_w^2 u0^2 = phi''^2 S0.
        return self.mean + self.second * power / 2 * sine / (cosine - self.weight_variance * self._start / 2 * sine)

    def explosion_time(self) -> FloatArray:
        """When mean and variance become infinite.

        Shapes: -> (m,), +inf where they never do.
        Law: exact. Source: Peluchetti and Favaro 2021, explosion time of the doubly infinite
        limit; its constants in closed form, and its other two branches, are ours.
        """
        constant, start = self._constant, self.weight_variance * self._start
        omega = np.sqrt(self.weight_variance) * np.sqrt(np.abs(constant)) / 2  # no underflow
        found = np.full(len(self.mean), np.inf)
        power = self.bias_variance + self.weight_variance * (self.variance + self.mean**2)
        moving = (power > 0) & (self.second != 0) & (self.weight_variance > 0)
        with np.errstate(over="ignore"):
            ratio = np.divide(2 * omega, start, out=np.full(len(found), np.inf), where=start != 0)
        turning = moving & (constant > 0) & (omega > 0)
        creeping = moving & (constant < 0) & (start > 0) & (ratio < 1) & (omega > 0)
        still = moving & (omega == 0) & (start > 0)
        with np.errstate(over="ignore"):  # later than double precision can tell
            found[turning] = np.arctan2(2 * omega, start)[turning] / omega[turning]
            found[creeping] = np.arctanh(ratio[creeping]) / omega[creeping]
            found[still] = 2 / start[still]
        return found
