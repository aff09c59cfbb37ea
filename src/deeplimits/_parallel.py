"""Threads over samples. Compiled kernels and NumPy's generators release the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ._checks import FloatArray, whole

#: Rows of a table of normals that are held at once.
ROWS = 2048

#: Samples that share one NumPy generator; blocks are aligned to multiples of this index.
BLOCK = 1024


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
            work(*piece)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, *piece) for piece in pieces]:
            done.result()


def fill_blocks(block: Callable[[int], FloatArray], out: FloatArray, first: int, threads: int | None) -> None:
    """Copy the samples wanted out of whole blocks, which are the same for any cut into pieces.

    Shapes: block(number) gives BLOCK samples, out the samples first, first + 1, ...
    """
    skipped = first % BLOCK

    def piece(start: int, stop: int) -> None:
        for begin in range(start, stop, BLOCK):
            values = block((first - skipped + begin) // BLOCK)
            low, high = max(begin - skipped, 0), min(begin - skipped + BLOCK, len(out))
            out[low:high] = values[low - begin + skipped : high - begin + skipped]

    over_samples(piece, len(out) + skipped, threads, align=BLOCK)


def in_rows(work: Callable[[int, int], None], samples: int, threads: int | None) -> None:
    """Call `work(start, stop)` on blocks of rows, so that memory does not grow with the number of samples."""

    def several(begin: int, stop: int) -> None:
        for low in range(begin, stop, ROWS):
            work(low, min(low + ROWS, stop))

    over_samples(several, samples, None if threads is None else whole("threads", threads))
