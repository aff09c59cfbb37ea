"""What an activation is: a value and a slope, from which everything else is derived."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray, numbers
from . import blocks, formula
from .expressions import Node
from .programs import Program

if TYPE_CHECKING:
    from .rectifier import Rectifier


class Constants(NamedTuple):
    """What of an activation and its shaping survives where width and depth grow together.

    b: the drift of a squared norm, dV = b V (V - 1) dt + sqrt(2) V dB. gap2: (c_plus - c_minus)^2, how strongly a
    rectifier bends angles. bend: phi''^2 / a^2, by which smooth shaping couples correlations to norms.

    >>> from deeplimits import activations
    >>> activations.shaped_relu(1, -1).limit
    Constants(b=0.0, gap2=4.0, bend=0.0)
    """

    b: float
    gap2: float
    bend: float


class Activation(ABC):
    """A function of one number that networks apply to each neuron.

    A subclass has a `name`, and says its value and its derivative. It may say more: where it has `kinks`, its
    `limit` if it is shaped, and faster or more exact forms of what is derived here from those two. The width is given
    to every call; an activation that is the same at every width does not look at it and can do without.

    >>> import numpy as np
    >>> from deeplimits.activations import Activation
    >>> class Cube(Activation):
    ...     name = "cube"
    ...     def __call__(self, x, width=None):
    ...         return x + np.power(x, 3)
    ...     def derivative(self, x, width=None):
    ...         return 1 + 3 * np.square(x)
    >>> phi = Cube()
    >>> phi.slope0, phi.smoothness, round(1 / phi.normaliser(), 9)  # 1 + 6 + 15
    (1.0, inf, 22.0)
    """

    name: str

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: not the machine code, which stays where it is."""
        return {name: value for name, value in vars(self).items() if name != blocks.KEPT}

    @abstractmethod
    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation at a width, element-wise.

        Shapes: any shape, the same shape out.
        Raises: ValueError for what holds no real numbers, and for a shaped activation without a width.
        """

    @abstractmethod
    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The first derivative at a width, element-wise; at a kink the mean of both sides.

        Shapes and errors as for the value.
        """

    @property
    def shaped(self) -> bool:
        """Whether the activation depends on the width."""
        return False

    @property
    def limit(self) -> Constants:
        """The constants of the limit in which width and depth grow together.

        Raises: ValueError for an activation without such a limit.
        """
        raise ValueError(
            f"activation must be shaped, {self.name} is unshaped and has no covariance SDE: when width "
            "and depth grow together its correlations reach a fixed point at once; use activations.smooth "
            "or shaped_relu"
        )

    @property
    def b(self) -> float:
        """The drift of the norm in the limit. Raises: ValueError where there is none."""
        return self.limit.b

    @property
    def gap2(self) -> float:
        """How strongly angles bend in the limit. Raises: ValueError where there is none."""
        return self.limit.gap2

    @property
    def rectifier(self) -> Rectifier | None:
        """The activation itself if it is straight on either side of 0, for which there are exact shortcuts."""
        return None

    @property
    def tree(self) -> Node | None:
        """The formula, before any shaping, if the activation is given by one."""
        return None

    def kinks(self, width: int | None = None) -> tuple[float, ...]:
        """Where the activation is not smooth."""
        return ()

    @property
    def regularity(self) -> float:
        """How many derivatives are continuous everywhere: none with a kink, unless a subclass knows better."""
        return 0.0 if self.kinks() else math.inf

    @property
    def smoothness(self) -> float:
        """How many derivatives are continuous at 0, or at the centre of a shaped activation."""
        return self.regularity if 0.0 in self.kinks() else math.inf

    @property
    def value0(self) -> float:
        """The value at 0."""
        return float(self(0.0))

    @property
    def slope0(self) -> float:
        """The first derivative at 0. Raises: ValueError where it does not exist."""
        self._needs(1)
        return float(self.derivative(0.0))

    @property
    def second0(self) -> float:
        """The second derivative at 0, by differences of the first that are extrapolated: error about 1e-10.

        Raises: ValueError where it does not exist.
        """
        self._needs(2)
        steps = 0.1 * self.length() * 2.0 ** -np.arange(6)
        found = (self.derivative(steps) - self.derivative(-steps)) / (2 * steps)
        for order in range(1, len(steps)):
            found = (4**order * found[1:] - found[:-1]) / (4**order - 1)
        return float(found[0])

    def _needs(self, order: int) -> None:
        if self.smoothness < order:
            raise ValueError(
                f"{self.name} has no derivative of order {order} at 0: only {max(self.smoothness, 0):g} are continuous"
            )

    def stretch(self, width: int) -> float:
        """How far shaping stretches the activation: 1 without."""
        return 1.0

    def length(self, width: int | None = None) -> float:
        """The inputs around 0 over which the activation is nearly straight, at most 1."""
        if self.smoothness < math.inf:
            return 1.0
        value, slope = float(self(0.0, width)), float(self.derivative(0.0, width))
        found = formula.near(lambda u: self(u, width), value, slope)
        return 1.0 if found is None else min(found[0], 1.0)

    def normaliser(self, width: int | None = None) -> float:
        """The constant c with c E[phi(g)^2] = 1 for a standard normal g.

        Law: Gauss quadrature on panels of length 1/4, to rounding if kinks are at their ends.
        Raises: ValueError when the mean is zero or infinite.
        """
        with np.errstate(all="ignore"):
            power = formula.gaussian_mean(self(formula.gaussian_nodes(), width) ** 2)
        if not 0 < power < np.inf:
            raise ValueError(f"{self.name} has E[phi(g)^2] = {power} and cannot be normalised; use one that grows less")
        return 1 / power

    def program(
        self,
        width: int | None = None,
        dtype: DTypeLike = np.float32,
        derivative: bool = False,
        near: bool | None = None,
    ) -> Program:
        """The activation, or its derivative, for compiled loops: see `programs.apply`.

        `near`: whether to use a polynomial around 0 where there is one, faster and without cancellation for an
        activation that sees only small inputs; None leaves it to the activation. Here there is none.

        Law: the numbers of the Python functions, in float64, rounded once. Compiled loops call back into Python for
            each block of 512 neurons, one thread at a time.
        """
        function = self.derivative if derivative else self
        return blocks.program(self, (width, derivative), lambda x: function(x, width), dtype)


def real_input(x: ArrayLike) -> FloatArray:
    """What an activation is applied to, in float64.

    Raises: ValueError for what holds no real numbers: None, text, complex numbers, masked arrays.
    """
    if type(x) is np.ndarray and x.dtype == np.float64:
        return x
    return numbers("x", x)
