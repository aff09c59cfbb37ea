"""Rectifiers: piecewise linear activations, their shaping and their exact one-layer maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray, real, whole
from .base import Activation, Constants, real_input
from .geometry import angle_defect, angle_of, correlation_of, within
from .programs import NUMBER_OF, Program

#: A squared difference of the constants below this is rounding, and moves no correlation by a digit of it.
NEGLIGIBLE_GAP2 = 1e-24


@dataclass(frozen=True)
class Rectifier(Activation):
    """Piecewise linear activation with one slope for positive and one for negative inputs.

    The slopes at width n are base + c n^-exponent. Shaped ReLU has bases (1, 1);
    plain ReLU has bases (1, 0) and no shaping.

    Source: Li, Nica and Roy 2022, "ReLU shaping".

    >>> from deeplimits import activations
    >>> activations.Rectifier("my own", c_plus=0.0, c_minus=-1.0).slopes(100)
    (1.0, 0.9)
    """

    name: str
    c_plus: float = 0.0
    c_minus: float = 0.0
    exponent: float = 0.5
    base_plus: float = 1.0
    base_minus: float = 1.0

    #: A rectifier has no curvature away from 0: its drift knows no second or third derivative.
    second = 0.0
    third = 0.0

    def __post_init__(self) -> None:
        for name in ("c_plus", "c_minus", "base_plus", "base_minus"):
            object.__setattr__(self, name, real(name, getattr(self, name)))
        object.__setattr__(self, "exponent", real("exponent", self.exponent, above=0))

    @property
    def rectifier(self) -> Rectifier:
        """The activation itself: it is straight on either side of 0."""
        return self

    @property
    def shaped(self) -> bool:
        """Whether the slopes depend on the width."""
        return self.c_plus != 0 or self.c_minus != 0

    def kinks(self, width: int | None = None) -> tuple[float, ...]:
        """0, where the slope may jump."""
        return (0.0,)

    def slopes(self, width: int) -> tuple[float, float]:
        """The slopes for positive and negative inputs at this width.

        Law: exact. Source: "ReLU shaping".
        """
        scale = float(whole("width", width)) ** -self.exponent
        return self.base_plus + self.c_plus * scale, self.base_minus + self.c_minus * scale

    def _slopes_at(self, width: int | None) -> tuple[float, float]:
        """The slopes at a width, which only an activation without shaping can do without."""
        if width is None and (self.c_plus or self.c_minus):
            raise ValueError(f"{self.name} has no shape without a width; give width")
        return self.slopes(1 if width is None else width)

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation at this width, element-wise.

        Shapes: any shape, the same shape out.
        Raises: ValueError for a shaped activation without a width.
        """
        plus, minus = self._slopes_at(width)
        x = real_input(x)
        return plus * np.maximum(x, 0) + minus * np.minimum(x, 0)

    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The first derivative, element-wise; at 0 the mean of both slopes.

        Shapes: any shape, the same shape out.
        """
        plus, minus = self._slopes_at(width)
        return (plus + minus) / 2 + (plus - minus) / 2 * np.sign(real_input(x))

    def program(
        self,
        width: int | None = None,
        dtype: DTypeLike = np.float32,
        derivative: bool = False,
        near: bool | None = None,
    ) -> Program:
        """The activation, or its derivative, for compiled loops: see `programs.apply`. It loses no digits near 0."""
        plus, minus = self._slopes_at(width)
        mean, half = (plus + minus) / 2, (plus - minus) / 2
        operation, constants = ("sign", [1, 0, half, mean]) if derivative else ("rectify", [mean, half, 0, 0])
        return Program(np.array([[NUMBER_OF[operation], -1, 0, 0, *constants]], dtype), np.zeros(0, dtype))

    @property
    def value0(self) -> float:
        """Every rectifier vanishes at 0."""
        return 0.0

    @property
    def slope0(self) -> float:
        """The slope at 0, for a linear activation.

        Raises: ValueError for a rectifier with a kink or with a shaping that depends on the width.
        """
        if self.smoothness == 0 or self.c_plus:
            raise ValueError(f"{self.name} has no derivative at 0 that is the same at every width")
        return self.base_plus

    @property
    def second0(self) -> float:
        """The second derivative at 0, which is 0 for a linear activation.

        Raises: ValueError for a rectifier with a kink.
        """
        return 0.0 * self.slope0

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous at 0: none, or all without a kink."""
        kinked = (self.base_plus, self.c_plus) != (self.base_minus, self.c_minus)
        return 0 if kinked else np.inf

    @property
    def regularity(self) -> float:
        """How many derivatives are continuous everywhere."""
        return self.smoothness

    def length(self, width: int | None = None) -> float:
        """1: a rectifier is straight from 0 on."""
        return 1.0

    def normaliser(self, width: int | None = None) -> float:
        """The constant c with c E[phi(g)^2] = 1 for a standard normal g.

        Law: exact, c = 2 / (s_plus^2 + s_minus^2).
        Raises: ValueError when both slopes vanish at this width.
        """
        plus, minus = self._slopes_at(width)
        power = plus**2 + minus**2
        if power == 0:
            raise ValueError(f"width={width} makes both slopes of {self.name} zero; choose another shaping")
        return 2 / power

    def effective_gap2(self, width: int) -> float:
        """The squared slope difference that this width really has, on the scale of the limit.

        Law: exact, 2 n (s_plus - s_minus)^2 / (s_plus^2 + s_minus^2); tends to `gap2` at exponent 1/2.
        Source: ours, a refinement of the covariance SDE for shaped ReLU at finite width.
        """
        plus, minus = self.slopes(width)
        return width * self.normaliser(width) * (plus - minus) ** 2

    def effective(self, width: int) -> Rectifier:
        """The balanced shaped ReLU whose limit has the slope difference of this width.

        Law: its covariance SDE describes networks of this width with error O(1/width), for any constants.
        Source: ours, see `effective_gap2`.
        """
        half = np.sqrt(self.effective_gap2(width)) / 2
        return Rectifier(f"{self.name} at width {width}", half, -half)

    def correlation_map(self, rho: ArrayLike, width: int) -> FloatArray:
        """The correlation after one layer of infinitely many neurons with the slopes of this width.

        Shapes: any shape in [-1, 1], the same shape out.
        Law: exact. Source: arc-cosine kernel of first order, Cho and Saul 2009, for two slopes.
        """
        epsilon = 1 - within("rho", rho, -1, 1)
        return 1 - self.epsilon_map(epsilon, width)

    def epsilon_map(self, epsilon: ArrayLike, width: int) -> FloatArray:
        """One infinitely wide layer in terms of epsilon = 1 - correlation.

        Shapes: any shape in [0, 2], the same shape out.
        Law: exact and stable for nearly parallel inputs.
        """
        gain = self.effective_gap2(width) / (2 * np.pi * width)
        epsilon = within("epsilon", epsilon, 0, 2)
        return epsilon - gain * angle_defect(angle_of(epsilon))

    @property
    def limit(self) -> Constants:
        """The constants of the limit in which width and depth grow together.

        Raises: ValueError for plain ReLU and below exponent 1/2, where correlations reach 1 at once.
        """
        return Constants(0.0, self.gap2, 0.0)

    @property
    def b(self) -> float:
        """0, the drift of the norm in the limit, at every exponent.

        Raises: ValueError for two slopes that stay apart, under which the norm has no such limit.
        """
        if self.base_plus != self.base_minus:
            raise ValueError(f"activation must be shaped, {self.name} is unshaped and has no norm SDE; use shaped_relu")
        return 0.0

    @property
    def gap2(self) -> float:
        """The squared difference of the shaping constants in the limit of large width.

        Law: (c_plus - c_minus)^2 at exponent 1/2 and 0 above it.
        Raises: ValueError for plain ReLU and below exponent 1/2, where correlations reach 1 at once.
        """
        difference = (self.c_plus - self.c_minus) ** 2
        if difference < NEGLIGIBLE_GAP2:
            difference = 0.0
        if self.base_plus == self.base_minus and (difference == 0 or self.exponent > 0.5):
            return 0.0
        if self.base_plus != self.base_minus or self.exponent < 0.5:
            raise ValueError(
                f"{self.name} with exponent={self.exponent} has no covariance SDE: its correlations reach 1 "
                "at once when width and depth grow together; use shaped_relu with exponent >= 0.5"
            )
        return difference

    def drift(self, rho: ArrayLike) -> FloatArray:
        """The drift that shaping gives to the correlation, per unit of depth/width.

        Shapes: any shape in [-1, 1], the same shape out.
        Law: exact limit, nu(rho) = gap2 (sqrt(1 - rho^2) - rho arccos rho) / (2 pi).
        Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU.
        """
        return self.drift_from_epsilon(1 - within("rho", rho, -1, 1))

    def drift_from_epsilon(self, epsilon: ArrayLike) -> FloatArray:
        """The drift nu at correlation 1 - epsilon, stable for nearly parallel inputs.

        Shapes: any shape in [0, 2], the same shape out.
        """
        return self.gap2 / (2 * np.pi) * angle_defect(angle_of(epsilon))

    def covariance_drift(self, V: ArrayLike) -> FloatArray:
        """The drift of the covariance SDE, per unit of depth/width.

        Shapes: (..., m, m) in, (..., m, m) out; zero on the diagonal.
        Law: exact limit. Source: Li, Nica and Roy 2022, covariance SDE for shaped ReLU.
        """
        V = np.asarray(V, dtype=np.float64)
        size = np.sqrt(np.diagonal(V, axis1=-2, axis2=-1))
        drift = self.drift(correlation_of(V)) * size[..., :, None] * size[..., None, :]
        diagonal = np.arange(V.shape[-1])
        drift[..., diagonal, diagonal] = 0
        return drift


def shaped_relu(c_plus: float, c_minus: float, exponent: float = 0.5) -> Rectifier:
    """The shaped ReLU family: slopes 1 + c width^-exponent on either side of zero.

    Law: at exponent 1/2 width and depth can grow together with a random covariance in the limit.
    Source: Li, Nica and Roy 2022, "ReLU shaping"; `shaped_relu(0, -1)` is a leaky ReLU of slope 1 - 1/sqrt(width).
    Raises: ValueError for constants that are not finite and for an exponent that is not positive.

    >>> from deeplimits import activations
    >>> activations.shaped_relu(0, -1).gap2
    1.0
    """
    return Rectifier(
        "shaped ReLU", real("c_plus", c_plus), real("c_minus", c_minus), real("exponent", exponent, above=0)
    )


def leaky_relu(negative_slope: float = 0.01) -> Rectifier:
    """Leaky ReLU: slope 1 for positive and another for negative inputs, the same at every width.

    Raises: ValueError for a slope that is not finite.

    >>> from deeplimits import activations
    >>> activations.leaky_relu(0.1)([-2.0, 3.0]).tolist()
    [-0.2, 3.0]
    """
    return Rectifier("leaky ReLU", base_minus=real("negative_slope", negative_slope))


def relu() -> Rectifier:
    """Plain ReLU, the same at every width.

    Source: the unshaped comparison of Li, Nica and Roy 2022.

    >>> from deeplimits import activations
    >>> round(float(activations.relu().correlation_map(0.0, width=1)), 4)  # 1 / pi
    0.3183
    """
    return Rectifier("ReLU", base_minus=0.0)


def linear() -> Rectifier:
    """The identity: a deep linear network, whose covariance is a product of Wishart factors.

    >>> from deeplimits import activations
    >>> activations.linear().limit
    Constants(b=0.0, gap2=0.0, bend=0.0)
    """
    return Rectifier("linear")
