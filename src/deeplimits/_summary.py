"""What is known of many samples: moments, extremes and distribution, from their tally."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import FloatArray, reals, shown, whole
from ._files import keep, kept
from ._tally import Tally
from .evidence import Estimate

if TYPE_CHECKING:
    import pandas

#: What a saved summary is, and in which version.
SCHEMA = "deeplimits summary 1"


@dataclass(frozen=True, eq=False)
class Quantile(Estimate):
    """A quantile read off a histogram.

    Shapes: `value`, `error` and `bin_error` alike.
    Law: the quantile of the samples is within `bin_error` of the value for sure; `error` is its
    standard error as an estimate of the law's quantile.

    >>> import numpy as np
    >>> from deeplimits import activations, ensembles, networks
    >>> network = networks.ShapedMLP(activations.shaped_relu(0, -1), width=20, depth=20)
    >>> correlation, edges = ensembles.correlation(0, 1), np.linspace(-1, 1, 41)
    >>> summary = ensembles.summarise(network, np.eye(2), 1000, 1, correlation, edges=edges)
    >>> median = summary.quantile(0.5)
    >>> bool(median.bin_error <= 0.05)  # the width of a bin
    True
    """

    bin_error: FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """What is known of statistics of many samples. `summary["name"]` or `summary[i]` is one of them.

    Shapes: of one statistic everything is without the axis k; of k statistics, (k,) first.
    Law: infinities (exploded paths) are counted in `infinite`, and in the histogram, the distribution
    function and the quantiles; mean, covariance and extremes are those of the finite numbers.

    >>> import numpy as np
    >>> from deeplimits import activations, ensembles, networks
    >>> network = networks.ShapedMLP(activations.shaped_relu(0, -1), width=20, depth=20)
    >>> both = {"rho": ensembles.correlation(0, 1), "log V": ensembles.log_variance(0)}
    >>> summary = ensembles.summarise(network, np.eye(2), 1000, 1, both)
    >>> summary["rho"].count, summary.covariance.shape
    (1000, (2, 2))
    """

    tally: Tally
    requested: int
    edges: FloatArray | None = None

    @property
    def count(self) -> int:
        """The samples that are merged."""
        return self.tally.count

    @property
    def partial(self) -> bool:
        """Whether it was interrupted: the samples are then the first `count` of those requested."""
        return self.count < self.requested

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the statistics, if they have any."""
        return self.tally.names

    @property
    def infinite(self) -> NDArray[np.int64]:
        """How many samples are infinite in each statistic."""
        return self._shaped(self.count - np.diag(self.tally.pairs))

    @property
    def minimum(self) -> FloatArray:
        """The smallest finite number (+inf if there is none)."""
        return self._shaped(self.tally.minimum)

    @property
    def maximum(self) -> FloatArray:
        """The largest finite number (-inf if there is none)."""
        return self._shaped(self.tally.maximum)

    @property
    def mean(self) -> Estimate:
        """Mean of the finite numbers with its standard error.

        Raises: ValueError if a statistic has fewer than 2 finite numbers.
        """
        n = np.diag(self._enough())
        error = np.sqrt(np.diag(self.tally.products) / (n - 1) / n)
        return Estimate(self._shaped(np.diag(self.tally.means)), self._shaped(error))

    @property
    def covariance(self) -> FloatArray:
        """Unbiased covariance, of two statistics over the samples in which both are finite.

        Shapes: (k, k); the variance, without an axis, of one statistic.
        Raises: ValueError if two statistics have fewer than 2 samples in which both are finite.
        """
        matrix = self.tally.products / (self._enough() - 1)
        return matrix[0, 0] if self.tally.single else matrix

    @property
    def histogram(self) -> NDArray[np.int64]:
        """Samples up to the first edge, in each bin with its right edge, and above the last edge.

        Shapes: (k, edges + 1). Raises: ValueError for a summary without edges.
        """
        return self._shaped(self._binned())

    @property
    def cdf(self) -> FloatArray:
        """The share of samples at or below each edge: the empirical distribution function, exactly.

        Shapes: (k, edges). Its largest distance from a law at the edges is at most the Kolmogorov
        distance, so the critical value of that test keeps its level.
        Raises: ValueError for a summary without edges.
        """
        return self._shaped(self._binned()[:, :-1].cumsum(axis=1) / self.count)

    def quantile(self, probability: ArrayLike) -> Quantile:
        """The numbers below which given shares of the samples lie, linear between the edges.

        Shapes: probabilities of any shape -> (k, *shape).
        Law: within `bin_error` of the samples' quantile. The standard error is that of the share.
        Source: Woodruff 1952, limits of a quantile from those of the distribution function.
        Raises: ValueError for a probability outside (0, 1), or whose quantile is outside the edges.
        """
        p = reals("probability", probability)
        if not p.size or not np.all((p > 0) & (p < 1)):
            raise ValueError(f"probability must lie between 0 and 1, got {shown(probability)}")
        below = self._binned()[:, :-1].cumsum(axis=1) / self.count
        if np.any(p <= below[:, :1].max()) or np.any(p > below[:, -1].min()):
            raise ValueError(
                f"probability must have its quantile between the edges, which is in "
                f"({below[:, 0].max():.6g}, {below[:, -1].min():.6g}]; got {probability!r}"
            )
        edges = np.broadcast_to(np.asarray(self.edges), below.shape)
        spread = np.sqrt(p * (1 - p) / self.count)
        found = [
            (_inverse(c, e, p), _inverse(c, e, p - spread)[0], _inverse(c, e, p + spread)[0])
            for c, e in zip(below, edges, strict=True)
        ]
        value, within = (self._shaped(np.stack([one[0][part] for one in found])) for part in (0, 1))
        return Quantile(value, self._shaped(np.stack([(high - low) / 2 for _, low, high in found])), within)

    def to_frame(self) -> pandas.DataFrame:
        """One row for each statistic: count, infinite, mean, its standard error, deviation, minimum and maximum.

        Shapes: a table with k rows, by their names or numbers; NaN where a statistic has too few finite numbers.
        """
        import pandas  # it takes a second, comes with seaborn, and serves nothing else

        t = self.tally
        finite = np.diag(t.pairs)
        enough, some = finite > 1, np.maximum(finite, 2)
        deviation = np.where(enough, np.sqrt(np.diag(t.products) / (some - 1)), np.nan)
        columns = {
            "count": self.count,
            "infinite": self.count - finite,
            "mean": np.where(finite > 0, np.diag(t.means), np.nan),
            "error": deviation / np.sqrt(some),
            "std": deviation,
            "minimum": t.minimum,
            "maximum": t.maximum,
        }
        return pandas.DataFrame(columns, index=pandas.Index(t.names or range(len(finite)), name="statistic"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the summary to a file, whole at every moment; `Summary.load` reads it.

        Law: exact: what is loaded answers and merges as what was saved.
        """
        t = self.tally
        arrays = {
            "requested": np.array(self.requested),
            "count": np.array(t.count),
            "single": np.array(t.single),
            "pairs": t.pairs,
            "means": t.means,
            "products": t.products,
            "minimum": t.minimum,
            "maximum": t.maximum,
        }
        if t.names is not None:
            arrays["names"] = np.array(t.names, str)
        if self.edges is not None and t.histogram is not None:
            arrays |= {"edges": self.edges, "histogram": t.histogram}
        keep(Path(path), SCHEMA, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Summary:
        """The summary that `save` wrote.

        Raises: FileNotFoundError; ValueError for any other file, a damaged one, and one of another version.
        """
        if not os.path.lexists(path):
            raise FileNotFoundError(f"path must be a file that Summary.save wrote, nothing is at {os.fspath(path)!r}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what is wrong is said below
            arrays = kept(Path(path), SCHEMA)
        if arrays is None:
            raise ValueError(
                f"path must be a file that Summary.save wrote ({SCHEMA}), got {os.fspath(path)!r}, which "
                "is damaged, of something else, or of another version"
            )
        names, edges = arrays.pop("names", None), arrays.pop("edges", None)
        requested, histogram = int(arrays.pop("requested")), arrays.pop("histogram", None)
        count, single = int(arrays.pop("count")), bool(arrays.pop("single"))
        return cls(
            Tally(None if names is None else tuple(names.tolist()), single, count, **arrays, histogram=histogram),
            requested,
            edges,
        )

    def __getitem__(self, statistic: str | int) -> Summary:
        if isinstance(statistic, str):
            names = self.names or ()
            if statistic not in names:
                raise ValueError(f"statistic must be one of {self.names}, got {statistic!r}")
            statistic = names.index(statistic)
        i = whole("statistic", statistic, least=0, most=len(self.tally.pairs) - 1)
        return Summary(
            self.tally.pick(i),
            self.requested,
            self.edges if self.edges is None or self.edges.ndim == 1 else self.edges[i],
        )

    def __repr__(self) -> str:
        lines = [f"{self.count} samples" + (f" of {self.requested}: interrupted" if self.partial else "")]
        t = self.tally
        for i, n in enumerate(np.diag(t.pairs)):
            error = f" ± {np.sqrt(t.products[i, i] / (n - 1) / n):.2g}" if n > 1 else ""
            infinite = f", {self.count - n} infinite" if n < self.count else ""
            lines.append(
                f"  {t.names[i] if t.names else i}: mean {t.means[i, i]:.8g}{error}, "
                f"from {t.minimum[i]:.6g} to {t.maximum[i]:.6g}{infinite}"
            )
        return "\n".join(lines)

    def _shaped(self, array: NDArray[Any]) -> NDArray[Any]:
        return array[0] if self.tally.single else array

    def _enough(self) -> NDArray[np.int64]:
        if self.tally.pairs.min() < 2:
            raise ValueError(f"a summary needs at least 2 finite samples for moments, got {self.tally.pairs.min()}")
        return self.tally.pairs

    def _binned(self) -> NDArray[np.int64]:
        if self.tally.histogram is None:
            raise ValueError("edges must be given to `summarise` for a distribution, got None")
        return self.tally.histogram


@np.errstate(under="ignore")  # the least share above 0 is subnormal
def _inverse(below: FloatArray, edges: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where the shares below the edges reach p, and how far a sample in that bin can be."""
    p = np.clip(p, np.nextafter(below[0], 1), below[-1])
    j = np.searchsorted(below, p)
    part = (p - below[j - 1]) / (below[j] - below[j - 1])
    width = edges[j] - edges[j - 1]
    return edges[j - 1] + part * width, np.maximum(part, 1 - part) * width
