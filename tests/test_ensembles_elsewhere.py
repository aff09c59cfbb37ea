"""Summaries computed by other processes and by a cluster: the same bits, whatever happens to a worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from tallies import EDGES, NETWORK, Indices, Shuffled, bits, expected, reference

from deeplimits import ensembles
from deeplimits.ensembles import summarise


@pytest.fixture
def bounded_in_time():
    """What waits for other processes is interrupted in the end."""

    def stop(*_):
        raise TimeoutError("the workers did not answer")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------- other processes


def in_another_process(batch):
    """A statistic that a pool can pickle, and proof of where it ran."""
    return np.full(len(batch), float(os.getpid()))


class Deadly(Indices):
    """Kills the process it runs in when sample 3000 is asked for there, unless that is `spared`."""

    def __init__(self):
        super().__init__()
        self.spared = os.getpid()

    def sample(self, initial, samples, seed, at=None, *, first=0, threads=None):
        if first <= 3000 < first + samples and os.getpid() != self.spared:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().sample(initial, samples, seed, first=first)


@pytest.fixture
def pool(bounded_in_time):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.mark.slow
def test_process_pool_gives_the_same_bits(pool):
    assert bits(reference(pool)) == expected()
    where = summarise(Indices(), 0.0, 100, 0, in_another_process, pool)
    assert where.minimum != os.getpid()


@pytest.mark.slow
def test_pool_that_loses_a_worker_changes_nothing_but_a_warning(pool):
    with pytest.warns(RuntimeWarning, match="worker of the executor died"):
        got = summarise(Deadly(), 0.0, 10**5, 0, ensembles.values, pool, edges=EDGES, chunk=500, in_flight=8)
    assert bits(got) == bits(summarise(Indices(), 0.0, 10**5, 0, ensembles.values, edges=EDGES, chunk=500))


def test_unpicklable_statistics_are_named_before_a_process_pool_starts(pool):
    with pytest.raises(ValueError, match="statistics must be picklable for a process pool"):
        summarise(Indices(), 0.0, 100, 0, lambda x: x, pool)
    with pytest.raises(ValueError, match="statistics must be picklable for a process pool"):
        summarise(Indices(), 0.0, 100, 0, {"x": lambda x: x}, pool)
    with ThreadPoolExecutor(1) as executor:
        assert summarise(Indices(), 0.0, 100, 0, lambda x: x, executor).count == 100


@pytest.mark.slow
def test_errors_of_a_worker_arrive(pool):
    with pytest.raises(ValueError, match="initial must be symmetric"):
        summarise(NETWORK, [[1, 0], [0.5, 1]], 100, 0, ensembles.values, pool)


def test_cancelling_executor_is_an_error():
    class Cancelling(Shuffled):
        def submit(self, work, /, *arguments, **options):
            future = Future()
            future.cancel()
            return future

    with pytest.raises(RuntimeError, match="executor cancelled the chunk from sample 0 on"):
        summarise(Indices(), 0.0, 100, 0, ensembles.values, Cancelling(0))


# ---------------------------------------------------------------- a cluster


class Slow(Indices):
    """Long enough in all for a worker to be killed in the middle."""

    def sample(self, initial, samples, seed, at=None, *, first=0, threads=None):
        time.sleep(0.02)
        return super().sample(initial, samples, seed, first=first)


class Cluster:
    """A scheduler and worker processes of Dask, reached by the loopback only."""

    def __init__(self, folder):
        self.folder, self.processes, self.client = folder, [], None
        self.environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def run(self, program, *options):
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.{program}",
            "--scheduler-file",
            "scheduler",
            *options,
            "--host",
            "127.0.0.1",
            "--dashboard-address",
            "127.0.0.1:0",
        ]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)

    def executor(self, workers):
        """The executor, once there are so many workers."""
        import distributed  # not with the other imports: the workers of a pool import this module too

        self.run("dask_scheduler", "--port", "0")
        for _ in range(workers):
            self.run("dask_worker", "--nthreads", "1", "--no-nanny")
        address = str(self.folder / "scheduler")
        self.client = distributed.Client(scheduler_file=address, timeout=300, set_as_default=False)
        self.client.wait_for_workers(workers, timeout=300)
        return self.client.get_executor()

    def close(self):
        if self.client is not None:
            self.client.close()
        for process in self.processes:
            process.kill()
            process.wait(300)


@pytest.fixture
def cluster(tmp_path, bounded_in_time):
    cluster = Cluster(tmp_path)
    try:
        yield cluster
    finally:
        cluster.close()


class Watched(Executor):
    """Hands on to an executor, and does something before the submission of one chunk."""

    def __init__(self, executor, first, act):
        self.executor, self.first, self.act = executor, first, act

    def submit(self, work, first, /):
        if first == self.first:
            self.act()
        return self.executor.submit(work, first)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_cluster_workers_gives_the_same_bits(cluster, workers):
    import psutil

    assert bits(reference(cluster.executor(workers), in_flight=5)) == expected()
    pids = [process.pid for process in cluster.processes]
    sockets = [one for pid in pids for one in psutil.Process(pid).net_connections("inet")]
    assert {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


@pytest.mark.slow
def test_killed_cluster_worker_changes_nothing(cluster):
    executor = cluster.executor(2)
    victim = cluster.processes[-1]
    # A chunk in the middle: the worker that dies holds chunks that are done and one that is not.
    watched = Watched(executor, 40 * 500, victim.kill)
    got = summarise(Slow(), 0.0, 50_000, 0, ensembles.values, watched, edges=EDGES, chunk=500, in_flight=12)
    assert victim.wait(300) == -signal.SIGKILL and not got.partial
    assert bits(got) == bits(summarise(Indices(), 0.0, 50_000, 0, ensembles.values, edges=EDGES, chunk=500))


@pytest.mark.slow
def test_interrupted_cluster_stays_usable(cluster):
    executor = cluster.executor(2)
    watched = Watched(executor, 10 * 500, lambda: signal.raise_signal(signal.SIGINT))
    got = summarise(Slow(), 0.0, 50_000, 0, ensembles.values, watched, edges=EDGES, chunk=500, in_flight=4)
    assert got.partial and got.count == 7 * 500
    assert bits(reference(executor)) == expected()
