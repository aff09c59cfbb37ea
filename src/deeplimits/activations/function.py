"""Activations given by a Python function and its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import FloatArray, reals, shown, whole
from . import blocks, formula
from .base import Activation, real_input
from .programs import Program

#: Inputs at which a derivative is compared with differences; kinks are seldom among them.
_GRID = np.linspace(-29.9731, 29.9684, 1501)
#: Half the length of a difference, and its error relative to the function and its derivative.
_STEP, _ERROR = 1e-6, 1e-4


@dataclass(frozen=True)
class Function(Activation):
    """An activation given by a Python function and its derivative, the same at every width.

    Each takes an array and works element-wise, or takes a number. `places` are the kinks, where the function or a
    derivative jumps, and `continuous` says how many derivatives do not.

    Law: float64. In compiled loops machine code of numba where it can compile the function, about as fast as an
        expression; else the function itself, called back for blocks of 512 neurons, by one thread at a time.
    Raises: ValueError for functions that are not finite for |x| <= 30, a derivative that is not that of the function,
        and a kink that is not among `places`.

    >>> import numpy as np
    >>> from deeplimits import activations
    >>> activations.Function("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2).slope0
    1.0
    """

    name: str
    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    places: tuple[float, ...] = ()
    continuous: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"name must be a text, got {shown(self.name)}")
        for role in ("value", "slope"):
            if not callable(getattr(self, role)):
                raise ValueError(f"{role} must be a function, got {shown(getattr(self, role))}")
        places = tuple(float(place) for place in np.ravel(reals("places, the kinks,", self.places)))
        object.__setattr__(self, "places", places)
        whole("continuous", self.continuous, least=0)
        x = np.linspace(-formula.REACH, formula.REACH, 6001)
        for role, function in (("the function", self), ("its derivative", self.derivative)):
            with np.errstate(all="ignore"):
                wrong = x[~np.isfinite(function(x))]
            if len(wrong):
                raise ValueError(
                    f"{self.name}: {role} is not finite at x = {wrong[0]:g}; an activation must be finite "
                    f"for |x| <= {formula.REACH:g}"
                )
        self._compare()
        self._look_for_kinks(x)

    def _compare(self) -> None:
        """Refuse a derivative that differences of the function contradict."""
        x = _GRID[np.all(np.abs(_GRID[:, None] - np.array(self.places)) > 1e-3, axis=1)]
        step = _STEP * (1 + np.abs(x))
        above, below, slope = self(x + step), self(x - step), self.derivative(x)
        found = (above - below) / (2 * step)
        wrong = np.abs(found - slope) > _ERROR * (np.abs(slope) + np.abs(above) / (1 + np.abs(x)) + 1e-6)
        if np.any(wrong):
            k = int(np.argmax(wrong))
            raise ValueError(
                f"derivative must be that of {self.name}: at x = {x[k]:g} it is {slope[k]:g}, and "
                f"differences of the function give {found[k]:g}"
            )

    def _look_for_kinks(self, x: FloatArray) -> None:
        """Refuse a jump of the derivative that is not among the kinks: halve the steepest cells, a jump stays."""
        slope = self.derivative(x)
        change = np.abs(np.diff(slope))
        for k in np.argsort(change)[-8:]:
            low, high, before = x[k], x[k + 1], change[k]
            for _ in range(40):
                middle = (low + high) / 2
                at = self.derivative(np.array([low, middle, high]))
                low, high = (low, middle) if abs(at[1] - at[0]) > abs(at[2] - at[1]) else (middle, high)
            left = abs(float(np.diff(self.derivative(np.array([low, high])))[0]))
            near = any(abs(low - place) < 1e-6 for place in self.places)
            if left > max(before / 2, 1e-6) and not near:
                raise ValueError(
                    f"kinks must name every jump of the derivative of {self.name}, it jumps by {left:g} "
                    f"at x = {low:.6g}"
                )

    def __call__(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The activation, element-wise, whatever the width. Shapes: any shape, the same shape out."""
        return _elementwise(self.value, real_input(x))

    def derivative(self, x: ArrayLike, width: int | None = None) -> FloatArray:
        """The first derivative, element-wise, as it is given. Shapes: any shape, the same shape out."""
        return _elementwise(self.slope, real_input(x))

    def kinks(self, width: int | None = None) -> tuple[float, ...]:
        """Where the function or a derivative jumps, as it is given."""
        return self.places

    @property
    def regularity(self) -> float:
        """How many derivatives are continuous everywhere, as it is given; all without kinks."""
        return float(self.continuous) if self.places else math.inf

    def program(
        self,
        width: int | None = None,
        dtype: DTypeLike = np.float32,
        derivative: bool = False,
        near: bool | None = None,
    ) -> Program:
        """The activation, or its derivative, for compiled loops: see `programs.apply`.

        Law: computed in float64, rounded once.
        """
        function, scalar = (self.derivative, self.slope) if derivative else (self, self.value)
        return blocks.program(self, derivative, function, dtype, scalar)


def _elementwise(function: Callable[[Any], Any], x: FloatArray) -> FloatArray:
    """A function of arrays, or one of numbers, on an array."""
    try:
        found = np.asarray(function(x))
    except Exception:  # a function of one number fails on arrays in ways of its own, and again below if it is wrong
        found = np.asarray(None)
    if found.shape != x.shape or found.dtype.kind not in "fiub":
        found = np.vectorize(function, otypes=[np.float64])(x)
    return found.astype(np.float64, copy=False)
