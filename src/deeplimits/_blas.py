"""Linear algebra on one thread, for products of tall and narrow matrices.

The threads of a BLAS wait for each other actively. Narrow products give each of them little to do, and where cores
are shared with other work the waiting costs many times the product. Work is split among Python's threads instead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ._checks import FloatArray
from ._parallel import over_samples

#: Rows of an answer that one thread computes at a time.
PIECE = 512
#: Multiplications below which a product stays on one thread.
SMALL = 2**22

_lock = threading.Lock()
_inside: dict[str, Any] = {"count": 0}


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it, BLAS works on one thread, for the whole process; the last to leave restores what was before."""
    with _lock:
        if not _inside["count"]:
            _inside["limit"] = _libraries().limit(limits=1)
        _inside["count"] += 1
    try:
        yield
    finally:
        with _lock:
            _inside["count"] -= 1
            if not _inside["count"]:
                _inside.pop("limit").restore_original_limits()


def combined(answers: NDArray[Any], coefficients: FloatArray, threads: int | None) -> FloatArray:
    """Sums of rows with coefficients, in double precision; the cut into pieces does not depend on the threads.

    Shapes: answers (samples, k, n), coefficients (samples, k, m) -> (samples, n, m).
    """
    samples, _, count = answers.shape
    out = np.empty((samples, count, coefficients.shape[-1]))

    def pieces(first: int, last: int) -> None:
        for low in range(PIECE * first, min(PIECE * last, count), PIECE):
            part = answers[:, :, low : low + PIECE].astype(np.float64, copy=False)
            np.matmul(part.swapaxes(1, 2), coefficients, out=out[:, low : low + PIECE])

    few = answers.size * coefficients.shape[-1] < SMALL
    over_samples(pieces, -(-count // PIECE), 1 if few else threads)
    return out
