"""How two programs are compared: in turn, so that the noise of a shared machine hits both, and with the same result."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numba import njit
from numpy.typing import NDArray

from deeplimits._parallel import cores, over_samples
from deeplimits.gaussian import LAYERS, Address, fill

#: Normals in a block of the reference stream: 16 KiB, which stay in the first-level cache.
IN_CACHE = 4096

#: MiB of peak memory below which there is nothing to tell apart.
FLAT = 0.5

#: Standard errors by which two results may differ.
AGREEMENT = 5


@dataclass(frozen=True)
class Peer:
    """Another program for the same law. `run(seed)` does `share` of our work; its time is divided by that."""

    name: str
    run: Callable[[int], NDArray]
    share: float = 1.0
    goal: float | None = None
    installed: bool = True


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@dataclass
class Laps:
    """Seconds and results of several programs that ran in turn, the first of them ours."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    results: dict[str, list] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """The median over rounds of the ratio of two times taken one after the other."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True))


def alternate(
    benchmark, rounds: int, ours: Callable[[], object], others: Mapping[str, Callable[[int], object]]
) -> Laps:
    """Run the others and ours in turn: one round to warm up, then `rounds` that count.

    Shapes: the others are called with the number of the round, their seed.
    """
    laps = Laps({name: [] for name in others}, {name: [] for name in others})

    def run_others() -> None:
        for name, other in others.items():
            seed = len(laps.seconds[name])
            start = time.perf_counter()
            result = other(seed)
            laps.seconds[name].append(time.perf_counter() - start)
            laps.results[name].append(result)

    result = benchmark.pedantic(ours, setup=run_others, rounds=rounds, warmup_rounds=1)
    for name in others:
        del laps.seconds[name][0]
    laps.seconds["ours"] = list(benchmark.stats.stats.data)
    laps.results["ours"] = [result]
    return laps


def same_means(features: Callable[[NDArray], NDArray], bias: float = 0.0) -> Callable[[NDArray, NDArray], None]:
    """An assertion that two sets of samples have the same mean features, but for a bias known beforehand.

    Shapes: features (samples, ...) -> (samples, k); the two may differ in their number of samples.
    """

    def agree(ours: NDArray, theirs: NDArray) -> None:
        mine, other = features(ours), features(theirs)
        error = mine.std(axis=0) * np.sqrt(1 / len(mine) + 1 / len(other))
        off = np.max((np.abs(mine.mean(axis=0) - other.mean(axis=0)) - bias) / error)
        assert off < AGREEMENT, f"the results differ by {off:.1f} standard errors"

    return agree


def norms_and_correlations(V: NDArray) -> NDArray:
    """What is compared of covariances: log variances and correlations, whose tails are light.

    Shapes: (samples, m, m) -> (samples, m (m + 1)/2).
    """
    size = np.sqrt(np.diagonal(V, axis1=1, axis2=2))
    first, second = np.triu_indices(V.shape[1], k=1)
    return np.hstack([2 * np.log(size), V[:, first, second] / (size[:, first] * size[:, second])])


@njit(nogil=True)
def _refill(block, first, last):
    for sample in range(first, last):
        fill(block, 0, 0, Address(sample, LAYERS, np.uint64(1)))


def stream(blocks: int) -> None:
    """Draw blocks of normals over and over into the cache of each core: the limit of every sampler."""
    over_samples(lambda first, last: _refill(np.empty(IN_CACHE, np.float32), first, last), blocks, cores())


def peak_memory(run: Callable[[], object]) -> float:
    """MiB by which a call exceeds, at its peak, the memory held before it (Linux with glibc; NaN elsewhere)."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left free must not hide what this one takes
        reset.write_text("5")  # the peak starts afresh from what is resident now
    except (OSError, AttributeError):
        return math.nan
    before = _kibibytes(status, "VmRSS")
    run()
    return max(_kibibytes(status, "VmHWM") - before, 0) / 1024


def largest_memory() -> float:
    """Bytes that this process has held at most so far (Linux; NaN elsewhere)."""
    status = Path("/proc/self/status")
    return 1024 * _kibibytes(status, "VmHWM") if status.exists() else math.nan


def _kibibytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name + ":"))
