"""Argument checks shared by every public call: one message per kind of mistake."""

from __future__ import annotations

import difflib
import functools
import math
import numbers as abstract
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

FloatArray = NDArray[np.float64]

#: Rounding allowed in a covariance, relative to its largest entry; of arrays with less precision, so many units of it.
ROUNDING, UNITS = 1e-10, 8
#: Characters of a value that a message shows.
SHOWN = 200
#: Whole numbers beyond this count nothing: no memory holds so many, and floating-point numbers skip some of them.
COUNTABLE = 2**53


def shown(value: object) -> str:
    """A value as messages show it, cut where it is long; a whole number may have too many digits to be written."""
    try:
        text = " ".join(repr(value).split())  # of an array, the rows stand on lines of their own
    except Exception:  # whatever the object's own representation raises
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """An integer argument within its bounds; without an upper one it is at most 2^53.

    Raises: ValueError that names the argument, its value and the bounds.
    """
    allowed = f"an integer >= {least}" + ("" if most is None else f" and <= {most}")
    try:
        number = least - 1 if np.ma.isMaskedArray(value) else operator.index(value)
        if most is None and number > COUNTABLE:
            allowed, number = f"{allowed} and <= 2^53", least - 1
    except TypeError:
        raise ValueError(f"{name} must be {allowed}, got {shown(value)}") from None
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        raise ValueError(f"{name} must be {allowed}, got {shown(value)}")
    return number


def real(
    name: str, value: Any, *, above: float | None = None, least: float | None = None, most: float | None = None
) -> float:
    """A finite real argument within its bounds.

    Raises: ValueError that names the argument, its value and the bounds.
    """
    found = reals(name, value, above=above, least=least, most=most, what="a finite number")
    if found.ndim:
        raise ValueError(f"{name} must be a finite number, got an array of shape {found.shape}")
    return float(found)


def reals(
    name: str,
    value: ArrayLike,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    infinite: bool = False,
    what: str = "",
) -> FloatArray:
    """Real numbers within bounds, finite unless infinite ones are allowed.

    Shapes: any shape, the same shape out.
    Raises: ValueError that names the argument, its value and the bounds.
    """
    bounds = [
        f"> {above}" if above is not None else "",
        f">= {least}" if least is not None else "",
        f"<= {most}" if most is not None else "",
    ]
    what = what or ("numbers, not NaN" if infinite else "finite numbers")
    allowed = " and ".join([what, *filter(None, bounds)])
    array = numbers(name, value, what=allowed)
    right = ~np.isnan(array) if infinite else np.isfinite(array)
    if above is not None:
        right &= array > above
    if least is not None:
        right &= array >= least
    if most is not None:
        right &= array <= most
    if not np.all(right):
        raise ValueError(f"{name} must be {allowed}, got {shown(value)}")
    return array


@overload
def choice(name: str, value: Any, known: Iterable[str]) -> str: ...
@overload
def choice(name: str, value: Any, known: Iterable[str], optional: bool) -> str | None: ...
def choice(name: str, value: Any, known: Iterable[str], optional: bool = False) -> str | None:
    """One of several names, or None where that is a choice.

    Raises: ValueError that names the argument, its value and the names, and the one that is closest.
    """
    names = list(known)
    if (isinstance(value, str) and value in names) or (optional and value is None):
        return None if value is None else str(value)
    near = difflib.get_close_matches(value, names, 1, 0.5) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(names)}{' or None' * optional}, got {shown(value)}{hint}")


def refinement(name: str, fine: object, count: int) -> int:
    """How many steps of the noise make one of `count` steps; without fine noise, one.

    Raises: ValueError that names the argument, unless it is a multiple of the steps.
    """
    steps = whole(name, count if fine is None else fine, most=2**31 - 1)
    if steps % count:
        raise ValueError(f"{name} must be a multiple of {count}, got {steps}")
    return steps // count


def flag(name: str, value: Any) -> bool:
    """A truth value.

    Raises: ValueError that names the argument.
    """
    if not isinstance(value, bool | np.bool):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def seed(value: object) -> int:
    """A seed: any integer of 64 bits.

    Raises: ValueError that names the seed.
    """
    return whole("seed", value, least=0, most=2**64 - 1)


@functools.cache
def memory() -> int:
    """The bytes of memory that this machine has; 128 TiB where it does not tell."""
    try:
        told = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        told = -1
    return told if told > 0 else 2**47


def room(name: str, shape: Sequence[int], dtype: DTypeLike = np.float64) -> None:
    """Refuse what this machine cannot hold, before it is asked to.

    Raises: ValueError that names the argument that is to be smaller, and says what it would take.
    """
    size = math.prod(map(int, shape)) * np.dtype(dtype).itemsize
    if size > memory():
        taken, there = (f"{count / 2**30:.3g} GiB" for count in (size, memory()))
        raise ValueError(
            f"{name} must be smaller: {tuple(map(int, shape))} numbers take {taken}, and this machine has {there}"
        )


def empty(name: str, shape: Sequence[int], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """An array that is to be filled, whose size grows with an argument.

    Raises: as `room`.
    """
    room(name, shape, dtype)
    return np.empty(shape, dtype)


def numbers(name: str, value: ArrayLike, least_axes: int = 0, what: str = "an array of real numbers") -> FloatArray:
    """A copy of an array of real numbers, with at least so many axes; NaN and infinities are left to the caller.

    Raises: ValueError that names the argument, for whatever is no real number: text, dates, truth values, None,
        complex numbers, masked arrays, rows of unequal length, whole numbers beyond 1.8e308.
    """
    return _plain(name, value, least_axes, what)[0]


def _plain(name: str, value: ArrayLike, least_axes: int, what: str) -> tuple[FloatArray, float]:
    """The numbers, and the unit of rounding of the type in which they were given."""

    def wrong() -> ValueError:
        return ValueError(f"{name} must be {what}, got {shown(value)}")

    if _has(value, np.ma.isMaskedArray):
        raise ValueError(f"{name} must be {what} without a mask, got {shown(value)}; fill or leave out what is masked")
    if _has(value, lambda entry: isinstance(entry, bool | np.bool)):  # NumPy reads those beside numbers as 0 and 1
        raise wrong()
    try:
        with np.errstate(all="ignore"):  # long doubles beyond 1.8e308 become infinite
            array = np.array(value, ndmin=least_axes)
            if array.dtype.kind == "O" and not all(_is_real(entry) for entry in array.flat):
                raise wrong()
            if array.dtype.kind not in "iufO":
                raise wrong()
            unit = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
            return array.astype(np.float64), max(unit, float(np.finfo(np.float64).eps))
    except (TypeError, ValueError, OverflowError):
        raise wrong() from None


def _has(value: object, kind: Callable[[object], bool]) -> bool:
    """Whether a value, or an entry of lists however deep, is of a kind."""
    return kind(value) or (isinstance(value, list | tuple) and any(_has(entry, kind) for entry in value))


def _is_real(entry: object) -> bool:
    return isinstance(entry, abstract.Real) and not isinstance(entry, bool)


def covariance(name: str, value: ArrayLike) -> FloatArray:
    """A finite, symmetric, positive semi-definite matrix with a positive diagonal.

    Shapes: a number or (m, m) in, (m, m) out.
    Law: as `semidefinite`.
    Raises: ValueError that names the argument and what is wrong with it.
    """
    matrix = semidefinite(name, value)
    if np.any(np.diag(matrix) <= 0):
        raise ValueError(f"{name} must have a positive diagonal, got {shown(np.diag(matrix).tolist())}")
    return matrix


def semidefinite(name: str, value: ArrayLike, size: int | None = None) -> FloatArray:
    """A finite, symmetric, positive semi-definite matrix, of one size if that is given.

    Shapes: a number or (m, m) in, (m, m) out.
    Law: rounding is judged by the type in which the numbers are given. Of float64 nothing but the symmetry is changed.
        In types of less precision, directions whose variance is rounding are left out: a Gram matrix of
        float32 keeps the rank of its data.
    Raises: ValueError that names the argument and what is wrong with it.
    """
    matrix, unit = _plain(name, value, 2, "a square covariance matrix")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"{name} must be a square covariance matrix, got shape {np.shape(value)}")
    if size is not None and len(matrix) != size:
        raise ValueError(f"{name} must have shape {(size, size)}, got {matrix.shape}")
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    scale, rounding = float(np.abs(matrix).max()), max(ROUNDING, UNITS * unit)
    if np.any(np.abs(matrix / 2 - matrix.T / 2) > rounding * scale / 2):
        raise ValueError(f"{name} must be symmetric, got {shown(value)}")
    matrix = matrix / 2 + matrix.T / 2
    if scale == 0:
        return matrix
    smallest = np.linalg.eigvalsh(matrix / scale)[0]  # the eigenvalues of entries near 1e308 leave double precision
    if smallest < -rounding * len(matrix):
        raise ValueError(f"{name} must be positive semi-definite, its smallest eigenvalue is {smallest * scale:.6g}")
    return matrix if unit <= np.finfo(np.float64).eps else _without_noise(matrix, unit)


def _without_noise(matrix: FloatArray, unit: float) -> FloatArray:
    """A matrix without the directions in which its correlations are no larger than their rounding."""
    size = np.sqrt(np.maximum(np.diag(matrix), 0))
    size[size == 0] = 1
    values, vectors = np.linalg.eigh(matrix / size[:, None] / size)
    kept = values > unit * np.sqrt(len(matrix))
    if np.all(kept):
        return matrix
    return (vectors[:, kept] * values[kept]) @ vectors[:, kept].T * size[:, None] * size


def matrices(name: str, value: ArrayLike) -> FloatArray:
    """One finite square matrix or a stack of them."""
    array = numbers(name, value)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or not np.all(np.isfinite(array)):
        raise ValueError(
            f"{name} must hold finite square matrices (..., m, m), got shape {array.shape}: {shown(value)}"
        )
    return array


def sequence(name: str, value: Any, of: str) -> list[Any]:
    """The entries of a sequence that is not empty.

    Raises: ValueError that names the argument and its value.
    """
    try:
        flat = np.ndim(value) == 1 and not np.ma.isMaskedArray(value)
    except ValueError:  # rows of unequal length
        flat = False
    if not flat:
        raise ValueError(f"{name} must be a sequence of {of}s, got {shown(value)}")
    if not len(value):
        raise ValueError(f"{name} must name at least one {of}, got an empty sequence")
    return list(value)


def layers(at: Sequence[int] | None, depth: int) -> tuple[list[int], bool]:
    """The layers asked for, and whether the result has an axis for them.

    Shapes: `at` is None (the last layer, no axis) or a sequence of layers, 0 = the start.
    Raises: ValueError when a layer is not between 0 and the depth.
    """
    if at is None:
        return [depth], False
    return [whole("at", layer, least=0, most=depth) for layer in sequence("at", at, "layer")], True
