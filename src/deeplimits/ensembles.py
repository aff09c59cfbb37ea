"""Any number of samples in bounded memory: one ordered map over fixed chunks of sample indices.

A sample depends only on the seed and its index, so chunks may be computed anywhere. They are merged
in index order: threads, processes and clusters change the time a summary takes and not one bit of it.
"""

from __future__ import annotations

import pickle
import warnings
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import FloatArray, flag, numbers, shown, whole
from ._checks import seed as checked_seed
from ._parallel import cores
from ._progress import Progress
from ._run import Process
from ._summary import Quantile, Summary
from ._tally import Tally, tally
from .gaussian import MOST_SAMPLES

__all__ = ["Quantile", "Summary", "correlation", "log_variance", "summarise", "values"]

#: Samples in a chunk, a multiple of the blocks that share a stream.
CHUNK = 8192

#: A function of a batch of samples (count, ...): (count,), (count, k), or names with (count,) each.
Statistics = Callable[[FloatArray], Mapping[str, ArrayLike] | ArrayLike]


def summarise(
    process: Process,
    initial: ArrayLike,
    samples: int,
    seed: int,
    statistics: Statistics | Mapping[str, Statistics],
    executor: Executor | None = None,
    progress: bool = True,
    *,
    edges: ArrayLike | None = None,
    chunk: int = CHUNK,
    threads: int | None = None,
    in_flight: int = 128,
    **sampling: Any,
) -> Summary:
    """Summarise statistics of any number of samples, in the memory of a chunk of samples for each thread.

    Shapes: `statistics` maps samples (count, ...) to (count,), to (count, k) or to names with (count,)
        each, or is itself a mapping from names to functions with values (count,). `edges` are those
        of the histogram: increasing, one row for all statistics or (k, edges). `sampling`, such as
        `at` or `steps`, goes to `process.sample`.
    Law: that of `process.sample`. The result depends on `chunk` by rounding, and on nothing else: not on
        `executor` (any of concurrent.futures, a cluster's among them; threads of this process by
        default), not on its workers, their order or their deaths. A pool broken by the death of
        a worker is left with a warning, and the rest computed here. At most `in_flight` chunks are
        submitted ahead of the one that is merged next.
    Raises: ValueError for samples, chunk, threads or in_flight below 1, edges that do not increase,
        statistics of another shape or with NaN, arguments that a process pool cannot pickle;
        RuntimeError if the executor cancels. An interrupt ends it early, with what is merged so far
        and `partial` set, or as usual if that is nothing.

    >>> import numpy as np
    >>> from deeplimits import activations, ensembles, networks
    >>> network = networks.ShapedMLP(activations.shaped_relu(0, -1), width=20, depth=20)
    >>> summary = ensembles.summarise(network, np.eye(2), 5000, 1, ensembles.log_variance(0))
    >>> summary.count, bool(abs(summary.mean.value + 1) < 0.2)  # the limit's mean is -depth/width
    (5000, True)
    """
    whole("samples", samples, most=MOST_SAMPLES)
    whole("chunk", chunk)
    whole("in_flight", in_flight)
    edges = _increasing(edges)
    functions: Any = partial(_together, dict(statistics)) if isinstance(statistics, Mapping) else statistics
    _check_calls(process, functions, sampling)
    _check_executor(executor, threads, process=process, initial=initial, statistics=functions, sampling=sampling)
    work = partial(_chunk, process, initial, samples, checked_seed(seed), functions, edges, chunk, sampling)
    workers = ThreadPoolExecutor(threads or cores()) if executor is None else executor
    parts = _ordered(workers, work, range(0, samples, chunk), in_flight)
    total: Tally | None = None
    try:
        with closing(parts), Progress(samples, flag("progress", progress)) as bar:
            for part in parts:
                total = part if total is None else total.merge(part)
                bar.at(total.count)
    except KeyboardInterrupt:
        if total is None:
            raise
    finally:
        if executor is None:
            workers.shutdown(wait=False, cancel_futures=True)
    assert total is not None  # there is at least one chunk
    return Summary(total, samples, edges)


def values(batch: FloatArray) -> FloatArray:
    """Statistics: every number of a sample.

    Shapes: (count,) -> (count,); (count, ...) -> (count, k).

    >>> import numpy as np
    >>> from deeplimits import ensembles
    >>> ensembles.values(np.zeros((5, 2, 2))).shape
    (5, 4)
    """
    batch = numbers("batch", batch)
    if not batch.ndim:
        raise ValueError(f"batch must have an axis of samples, got {shown(batch)}")
    return batch if batch.ndim == 1 else batch.reshape(len(batch), -1)


def correlation(first: int, second: int) -> Statistics:
    """Statistics: the correlation of two inputs, +inf for an exploded covariance.

    Shapes: (count, times?, m, m) -> (count, times?).
    Raises: ValueError for a negative index, and from the statistics for one that is not below m.

    >>> import numpy as np
    >>> from deeplimits import ensembles
    >>> ensembles.correlation(0, 1)(np.array([[[1.0, 0.5], [0.5, 1.0]]]))
    array([0.5])
    """
    return partial(_correlation, whole("first", first, least=0), whole("second", second, least=0))


def log_variance(index: int) -> Statistics:
    """Statistics: the logarithm of the squared norm of an input, +inf once exploded.

    Shapes: (count, times?, m, m) -> (count, times?). Raises: as `correlation`.

    >>> import numpy as np
    >>> from deeplimits import ensembles
    >>> ensembles.log_variance(0)(np.array([[[1.0, 0.5], [0.5, 1.0]]]))
    array([0.])
    """
    return partial(_log_variance, whole("index", index, least=0))


def _correlation(i: int, j: int, V: FloatArray) -> FloatArray:
    _check_inputs(V, max(i, j))
    with np.errstate(invalid="ignore"):
        rho = V[..., i, j] / (np.sqrt(V[..., i, i]) * np.sqrt(V[..., j, j]))
    exploded = np.isinf(V[..., i, i]) | np.isinf(V[..., j, j])
    return np.where(exploded, np.inf, np.clip(rho, -1, 1))


def _log_variance(i: int, V: FloatArray) -> FloatArray:
    _check_inputs(V, i)
    with np.errstate(divide="ignore"):  # a network of few neurons may be dead: -inf
        return np.log(V[..., i, i])


def _check_inputs(V: FloatArray, index: int) -> None:
    if V.ndim < 3 or V.shape[-1] != V.shape[-2] or V.shape[-1] <= index:
        raise ValueError(
            f"samples must be covariances of at least {index + 1} inputs for these statistics, got shape {V.shape}"
        )


def _together(functions: dict[str, Statistics], batch: FloatArray) -> dict[str, Any]:
    return {name: function(batch) for name, function in functions.items()}


def _chunk(
    process: Process,
    initial: ArrayLike,
    samples: int,
    seed: int,
    statistics: Statistics,
    edges: FloatArray | None,
    chunk: int,
    sampling: dict[str, Any],
    first: int,
    threads: int = 1,
) -> Tally:
    """The tally of one chunk. Workers are what runs in parallel, so a chunk takes one thread."""
    count = min(chunk, samples - first)
    batch = process.sample(initial, count, seed, first=first, threads=threads, **sampling)
    return tally(statistics(batch), count, first, edges)


def _ordered(executor: Executor, work: Callable[..., Tally], starts: range, in_flight: int) -> Generator[Tally]:
    """The tallies of the chunks in their order, few of them ahead of the one wanted."""
    ahead: deque[tuple[int, Future[Tally]]] = deque()
    try:
        for start in starts:
            if len(ahead) == in_flight:
                yield _result(work, *ahead.popleft())
            ahead.append((start, _submit(executor, work, start)))
        while ahead:
            yield _result(work, *ahead.popleft())
    finally:
        for _, future in ahead:
            future.cancel()


def _submit(executor: Executor, work: Callable[..., Tally], start: int) -> Future[Tally]:
    try:
        return executor.submit(work, start)
    except BrokenExecutor as error:
        failed: Future[Tally] = Future()
        failed.set_exception(error)
        return failed


def _result(work: Callable[..., Tally], start: int, future: Future[Tally]) -> Tally:
    """The tally of a chunk, computed here if its pool has lost a worker: such a pool accepts no more work."""
    try:
        return future.result()
    except CancelledError:
        raise RuntimeError(f"executor cancelled the chunk from sample {start} on: was it shut down?") from None
    except BrokenExecutor:
        warnings.warn(
            "a worker of the executor died: what it leaves is computed here, with the same result",
            RuntimeWarning,
            stacklevel=2,
        )
        return work(start, threads=None)


def _increasing(edges: ArrayLike | None) -> FloatArray | None:
    if edges is None:
        return None
    array = numbers("edges", edges)
    if (
        array.ndim not in (1, 2)
        or array.shape[-1] < 2
        or not (np.all(np.isfinite(array)) and np.all(np.diff(array) > 0))
    ):
        raise ValueError(f"edges must be at least 2 finite increasing numbers, or rows of them, got {edges!r}")
    return array


def _check_calls(process: Any, statistics: Any, sampling: dict[str, Any]) -> None:
    if not callable(getattr(process, "sample", None)):
        raise ValueError(f"process must have a method `sample`, got {process!r}")
    if not callable(statistics):
        raise ValueError(f"statistics must be a function, or a mapping from names to functions, got {statistics!r}")
    if "first" in sampling:
        raise ValueError(f"first must not be given: summarise begins with sample 0, got {sampling['first']!r}")


def _check_executor(executor: Any, threads: int | None, **arguments: Any) -> None:
    """An executor or threads, not both; for a process pool, say which argument cannot travel to it."""
    if threads is not None:
        whole("threads", threads)
    if executor is not None and (threads is not None or not isinstance(executor, Executor)):
        raise ValueError(
            f"executor must be None or a concurrent.futures.Executor (from a cluster's client, often "
            f"`client.get_executor()`) without threads, got {executor!r} with threads={threads}"
        )
    if isinstance(executor, ProcessPoolExecutor):
        for name, value in arguments.items():
            try:
                pickle.dumps(value)
            except Exception as error:  # whatever the object's own reduction raises
                raise ValueError(
                    f"{name} must be picklable for a process pool, such as a function defined at the "
                    f"top of a module (not a lambda), got {value!r}: {error}"
                ) from None
