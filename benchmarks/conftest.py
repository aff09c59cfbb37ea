"""What every benchmark uses: rounds, sizes and the rows of the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from . import racing
from .racing import Laps, Peer


def pytest_addoption(parser) -> None:
    parser.addoption("--quick", action="store_true", help="small sizes and few rounds")


class Bench:
    """One benchmark: its sizes, its laps and the rows it adds to the tables."""

    def __init__(self, benchmark, quick: bool) -> None:
        self.benchmark, self.quick = benchmark, quick
        self.rounds = 3 if quick else 7
        self.rows = benchmark.extra_info["rows"] = []

    def size(self, full: int, quick: int) -> int:
        """A size, by whether the run is quick."""
        return quick if self.quick else full

    def row(self, table: str, **cells) -> None:
        """A row of a table; the names of the cells are its columns."""
        self.rows.append([table, cells])

    def alternate(self, ours: Callable[[], object], others: dict[str, Callable[[int], object]]) -> Laps:
        """Ours and the others in turn."""
        return racing.alternate(self.benchmark, self.rounds, ours, others)

    def race(
        self,
        process: str,
        size: str,
        ours: Callable[[], NDArray],
        peers: Sequence[Peer],
        *,
        agree: Callable[[NDArray, NDArray], None],
        normals: float = 0,
        share_goal: float | None = None,
    ) -> None:
        """Compare with peers, and with the rate of the Gaussian stream where `normals` counts ours.

        `agree(ours, theirs)` asserts that results are the same, those of a peer from all rounds one after the other.
        """
        present = [peer for peer in peers if peer.installed]
        others = {peer.name: peer.run for peer in present}
        blocks = self.size(40_000, 10_000)
        if normals:
            others["stream"] = lambda seed: racing.stream(blocks)
        laps = self.alternate(ours, others)
        for peer in peers:
            cells = {"process": process, "size": size, "beside": peer.name}
            if peer not in present:
                self.row("peers", **cells, remark="not installed")
                continue
            agree(laps.results["ours"][0], np.concatenate(laps.results[peer.name]))
            remark = "" if peer.share == 1 else f"extrapolated from {peer.share:.2g} of the work"
            self.row(
                "peers",
                **cells,
                ours=laps.median("ours"),
                theirs=laps.median(peer.name) / peer.share,
                ratio=laps.ratio(peer.name, "ours") / peer.share,
                goal=peer.goal,
                remark=remark,
            )
        if normals:
            drawn = blocks * racing.IN_CACHE
            self.row(
                "limit",
                process=process,
                size=size,
                rate=normals / laps.median("ours"),
                stream=drawn / laps.median("stream"),
                share=normals / drawn * laps.ratio("stream", "ours"),
                goal=share_goal,
            )

    def grow(
        self,
        process: str,
        against: str,
        values: Sequence[int],
        run: Callable[[int], object],
        expected: float | None = None,
    ) -> None:
        """Log-log slopes of time, and of peak memory, against one size."""
        laps = self.alternate(lambda: run(values[-1]), {str(v): lambda _, v=v: run(v) for v in values[:-1]})
        seconds = [laps.median(str(v)) for v in values[:-1]] + [laps.median("ours")]
        peaks = [racing.peak_memory(lambda v=v: run(v)) for v in values]
        self.row(
            "growth",
            process=process,
            against=against,
            sizes=list(values),
            seconds=seconds,
            slope=_slope(values, seconds),
            expected=expected,
            memory=peaks,
            memory_slope=_slope(values, peaks) if min(peaks) >= racing.FLAT else None,
        )


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@pytest.fixture
def bench(benchmark, request) -> Bench:
    return Bench(benchmark, request.config.getoption("--quick"))
