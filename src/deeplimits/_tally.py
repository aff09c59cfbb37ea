"""Counts, moments, extremes and histograms of a chunk of samples, and how two of them become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import FloatArray

#: Raised by squares of finite numbers that are no numbers of double precision.
TOO_LARGE = "statistics must have squares below 1.8e308: summarise their logarithms instead"


@dataclass(frozen=True, eq=False)
class Tally:
    """What is kept of `count` samples of k statistics.

    Entry (i, j) of `pairs`, `means` and `products` belongs to the samples in which the statistics i
    and j are both finite: their number, the mean of i, and the sum of products of the deviations.
    So an infinity leaves out no finite number, and the diagonals are the moments of each alone.

    Shapes: pairs, means, products (k, k); minimum, maximum (k,), of finite numbers; histogram
    (k, bins + 2), infinities in the outer bins, a bin holding its right edge.
    """

    names: tuple[str, ...] | None
    single: bool  # a statistic without an axis of its own
    count: int
    pairs: NDArray[np.int64]
    means: FloatArray
    products: FloatArray
    minimum: FloatArray
    maximum: FloatArray
    histogram: NDArray[np.int64] | None

    def pick(self, i: int) -> Tally:
        """The tally of one statistic."""
        one = slice(i, i + 1)
        return replace(
            self,
            names=self.names and self.names[one],
            single=True,
            pairs=self.pairs[one, one],
            means=self.means[one, one],
            products=self.products[one, one],
            minimum=self.minimum[one],
            maximum=self.maximum[one],
            histogram=None if self.histogram is None else self.histogram[one],
        )

    def merge(self, later: Tally) -> Tally:
        """The tally of these samples and of later ones.

        Law: exact to rounding. Rounding depends on the order, so chunks are merged by index.
        Source: Chan, Golub and LeVeque 1979, the pairwise update of mean and sum of squares.
        Raises: ValueError if the two do not hold the same statistics.
        """
        if (self.names, self.single, len(self.pairs)) != (later.names, later.single, len(later.pairs)):
            raise ValueError(
                "statistics must be the same for every batch, got "
                f"{self.names or len(self.pairs)} and then {later.names or len(later.pairs)}"
            )
        pairs = self.pairs + later.pairs
        share = later.pairs / np.maximum(pairs, 1)
        try:
            with np.errstate(over="raise", invalid="raise"):
                gap = later.means - self.means
                products = self.products + later.products + gap * gap.T * (self.pairs * share)
        except FloatingPointError:
            raise ValueError(TOO_LARGE) from None
        return replace(
            self,
            count=self.count + later.count,
            pairs=pairs,
            means=self.means + gap * share,
            products=products,
            minimum=np.minimum(self.minimum, later.minimum),
            maximum=np.maximum(self.maximum, later.maximum),
            histogram=None if self.histogram is None or later.histogram is None else self.histogram + later.histogram,
        )


def tally(result: Mapping[str, ArrayLike] | ArrayLike, count: int, first: int, edges: FloatArray | None) -> Tally:
    """The tally of what `statistics` gave for the samples first, ..., first + count - 1.

    Raises: ValueError for another shape than (count,) or (count, k), and for NaN.
    """
    names, values = _columns(result, count)
    x = np.ascontiguousarray(values.reshape(count, -1).T)  # NumPy sums contiguous rows pairwise
    if np.any(np.isnan(x)):
        i, j = np.argwhere(np.isnan(x.T))[0]
        raise ValueError(
            f"statistics must not be NaN, got NaN for statistic {names[j] if names else j} of sample {first + i}"
        )
    try:
        with np.errstate(over="raise", invalid="raise"):
            moments = _moments(x)
    except FloatingPointError:
        raise ValueError(TOO_LARGE) from None
    return Tally(names, values.ndim == 1, count, *moments, None if edges is None else _histogram(x, edges))


def _columns(result: Mapping[str, ArrayLike] | ArrayLike, count: int) -> tuple[tuple[str, ...] | None, FloatArray]:
    """Names, if there are any, and numbers."""
    names = tuple(result) if isinstance(result, Mapping) else None
    try:
        values = np.asarray(
            np.stack([np.asarray(result[name]) for name in names], axis=-1)
            if isinstance(result, Mapping) and names is not None
            else result
        )
    except ValueError as error:
        raise ValueError(f"statistics must give as many numbers as there are samples: {error}") from None
    if values.dtype.kind not in "biuf":
        raise ValueError(f"statistics must give real numbers, got {values.dtype}")
    if values.ndim not in ((1, 2) if names is None else (2,)) or len(values) != count or values.size == 0:
        raise ValueError(
            f"statistics must give shape ({count},) or ({count}, k) for {count} samples"
            f"{', for each name a number a sample' * (names is not None)}, got {values.shape}"
        )
    return names, values.astype(np.float64, copy=False)


def _moments(x: FloatArray) -> tuple[NDArray[np.int64], FloatArray, FloatArray, FloatArray, FloatArray]:
    """Pairs, means, products, minimum and maximum of rows (k, count).

    The sums of products are NumPy's own: those of a BLAS may depend on its number of threads.
    """
    finite = np.isfinite(x)
    weight = finite.astype(np.float64)
    pairs = np.einsum("is,js->ij", weight, weight)
    some = np.maximum(pairs, 1)
    centre = np.where(finite, x, 0).sum(axis=1) / np.diag(some)
    deviation = np.where(finite, x - centre[:, None], 0)
    offset = np.einsum("is,js->ij", deviation, weight) / some
    products = np.einsum("is,js->ij", deviation, deviation) - pairs * offset * offset.T
    return (
        pairs.astype(np.int64),
        np.where(pairs > 0, centre[:, None] + offset, 0),
        products,
        np.where(finite, x, np.inf).min(axis=1),
        np.where(finite, x, -np.inf).max(axis=1),
    )


def _histogram(x: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    if edges.ndim == 2 and len(edges) != len(x):
        raise ValueError(f"edges must be one row, or one for each of {len(x)} statistics, got {len(edges)}")
    bins = np.broadcast_to(edges, (len(x), edges.shape[-1]))
    return np.stack(
        [np.bincount(np.searchsorted(own, row), minlength=len(own) + 1) for own, row in zip(bins, x, strict=True)]
    )
