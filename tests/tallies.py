"""Ensembles small enough to be summarised again and again, and all the bits of a summary."""

from __future__ import annotations

import random
from concurrent.futures import Executor, Future
from functools import cache

import numpy as np

from deeplimits import ensembles
from deeplimits.activations import shaped_relu
from deeplimits.ensembles import Summary, summarise
from deeplimits.networks import ShapedMLP

PAIR = np.array([[1, 0.3], [0.3, 2]])
NETWORK = ShapedMLP(shaped_relu(0, -1), 10, 3)
EDGES = np.linspace(-1, 1, 41)
SAMPLES, CHUNK = 20_000, 1024
BOTH = {"correlation": ensembles.correlation(0, 1), "log variance": ensembles.log_variance(0)}


class Indices:
    """A process whose sample i is the number i, with infinities and NaN where asked for."""

    def __init__(self, infinite_from=None, nan_at=None):
        self.infinite_from, self.nan_at = infinite_from, nan_at

    def sample(self, initial, samples, seed, at=None, *, first=0, threads=None):
        x = initial + np.arange(first, first + samples, dtype=np.float64)
        x[x >= (self.infinite_from or np.inf)] = np.inf
        x[x == self.nan_at] = np.nan
        return x


class Shuffled(Executor):
    """Computes what is submitted only when a result is waited for, in a random order, and counts what is open."""

    def __init__(self, seed):
        self.draw, self.open, self.most_open = random.Random(seed), [], 0

    def submit(self, work, /, *arguments, **options):
        future = Future()
        self.open.append((future, work, arguments, options))
        self.most_open = max(self.most_open, len(self.open))
        waited_for = future.result

        def result(timeout=None):
            while not future.done():
                self.compute(self.draw.randrange(len(self.open)))
            return waited_for(timeout)

        future.result = result
        return future

    def compute(self, place):
        future, work, arguments, options = self.open.pop(place)
        if future.set_running_or_notify_cancel():
            future.set_result(work(*arguments, **options))


def bits(summary: Summary) -> dict[str, bytes]:
    """Everything a summary holds, to the last bit."""
    parts = ("pairs", "means", "products", "minimum", "maximum", "histogram")
    return {"count": summary.count} | {part: getattr(summary.tally, part).tobytes() for part in parts}


def reference(executor=None, **options) -> Summary:
    return summarise(NETWORK, PAIR, SAMPLES, 3, BOTH, executor, edges=EDGES, chunk=CHUNK, **options)


@cache
def expected() -> dict[str, bytes]:
    """The summary of one thread."""
    return bits(reference(threads=1))
