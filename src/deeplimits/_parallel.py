"""Threads over samples. Compiled kernels and NumPy's generators release the interpreter lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

#: Samples that share one NumPy generator; blocks are aligned to multiples of this index.
BLOCK = 1024

#: Errors of each thread.
_kept = threading.local()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_error(error: BaseException) -> None:
    """Keep what a Python function raised inside a compiled loop, which cannot pass it on."""
    _kept.error = error


def _raising(work: Callable[[int, int], None], start: int, stop: int) -> None:
    """Work on a piece, and raise what was kept meanwhile in this thread."""
    _kept.error = None
    work(start, stop)
    if _kept.error is not None:
        raise _kept.error


def over_samples(work: Callable[[int, int], None], samples: int, threads: int | None, align: int = 1) -> None:
    """Call `work(start, stop)` on pieces of range(samples), on several threads.

    Pieces start at multiples of `align`. Several pieces a thread even out unequal speed.
    """
    threads = threads or cores()
    size = -(-samples // (4 * threads if threads > 1 else 1))
    size = -(-size // align) * align
    pieces = [(start, min(start + size, samples)) for start in range(0, samples, size)]
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            _raising(work, *piece)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_raising, work, *piece) for piece in pieces]:
            done.result()
