"""Deterministic flows of the correlation of two inputs, tabulated for one step.

A step of fixed length maps every correlation by the same function. It is solved once to
rounding, stored as cubics on a uniform grid that stays in cache, and looked up by all paths.

The flow of nu alone keeps any number of inputs positive semi-definite when it is applied to
each correlation. A short Euler step rho + tau nu(rho) is, for tau gap2 <= 4, the
arc-cosine kernel of a layer of leaky ReLUs: it equals E[phi(g) phi(h)] for normals g, h of
correlation rho and slopes with 2 (s_plus - s_minus)^2 / (s_plus^2 + s_minus^2) = tau gap2.
A matrix of such expectations is a Gram matrix. The flow is the limit of products of short steps.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .._checks import FloatArray
from .._equations import solve_ivp
from ..activations import angle_defect

#: Cells for a unit of z = artanh(correlation) in single and double precision.
CELLS = {np.dtype(np.float32): 16, np.dtype(np.float64): 64}

#: Cells of the bounded coordinate over [0, 1].
BOUNDED_CELLS = 512


class Table(NamedTuple):
    """A function on [low, low + cells/rate] as cubics in the position within a cell, lowest power first.

    Beyond the range it keeps its end values; the last column repeats the upper one.
    """

    cubics: NDArray  # (4, cells + 1)
    low: float
    rate: float


def ratio_flow(ratio: FloatArray, gap2: float, time: float, corrected: bool) -> FloatArray:
    """The ratio x = (1 + rho)/(1 - rho) after `time` under rho' = nu(rho), for any number of pairs.

    With `corrected` the equation is rho' = nu(rho) + rho (1 - rho^2)/2, the drift of the
    correlation SDE in the coordinate artanh rho = log(x)/2, where its noise is constant.

    Shapes: (pairs,) in [0, infinity), the same out.
    Law: exact to about 1e-12 relative. In x both ends of [-1, 1] are regular.
    """

    def speed(_, x):
        bend = angle_defect(2 * np.arctan2(1, np.sqrt(x))) * (1 + x) ** 2 * gap2 / (4 * np.pi)
        return bend + x * (x - 1) / (x + 1) if corrected else bend

    # Below this ratio the start is forgotten within the step, so digits there are not needed.
    forgotten = 1e-14 * gap2 * time + np.finfo(float).tiny
    return solve_ivp(speed, (0, time), ratio, "DOP853", rtol=1e-13, atol=forgotten).y[:, -1]


def _table(grid: FloatArray, values: FloatArray, kind: np.dtype) -> Table:
    """Cubics through the values on a uniform grid."""
    width = grid[1] - grid[0]
    cubics = CubicSpline(grid, values).c[::-1] * width ** np.arange(4)[:, None]
    end = [[values[-1]], [0], [0], [0]]
    return Table(np.ascontiguousarray(np.hstack([cubics, end]), kind), grid[0], 1 / width)


@lru_cache(maxsize=16)
def displacement_tables(gap2: float, step: float, kind: np.dtype) -> tuple[Table, Table, float]:
    """How far z = artanh rho moves in half a step and in a step of the correlation SDE without noise.

    Also a floor: any start below it, z = -infinity too, moves to the same place within rounding.

    Law: error of the interpolation below 1e-6 in single and 1e-9 in double precision, for steps up to 1;
        at a step of 1/64 below the rounding of single precision and 1e-11.
    """
    digits = -np.log(np.finfo(kind).eps) / 2
    # A start at correlation -1 reaches ratio gap2 step/8 in half a step.
    lowest = min(np.log(gap2 * step / 8) / 2, 0) - digits if gap2 else -digits
    cells = CELLS[kind]
    grid = np.arange(np.floor(lowest * cells), np.ceil(2 * digits * cells) + 1) / cells
    half = ratio_flow(np.exp(2 * grid), gap2, step / 2, corrected=True)
    full = ratio_flow(half, gap2, step / 2, corrected=True)
    first, second = (_table(grid, np.log(moved) / 2 - grid, kind) for moved in (half, full))
    return first, second, float(grid[0]) if gap2 else -np.inf


@lru_cache(maxsize=16)
def decrement_table(gap2: float, time: float) -> Table:
    """The share of epsilon = 1 - rho that is lost within `time` under rho' = nu(rho).

    It is a function of q = sqrt(epsilon) / (sqrt(epsilon) + sqrt(2 - epsilon)), which rises from 0
    at correlation 1 to 1 at correlation -1 and makes both ends regular.

    Law: error of the interpolation below 1e-9 as long as gap2 time <= 25.
    """
    grid = np.arange(BOUNDED_CELLS + 1) / BOUNDED_CELLS
    ratio = (1 / grid[1:] - 1) ** 2
    moved = ratio_flow(ratio, gap2, time, corrected=False)
    return _table(grid, np.append(0, (moved - ratio) / (1 + moved)), np.dtype(np.float64))
