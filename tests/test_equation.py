"""A diffusion of one's own: its drift and its noise, and everything else from the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from samples import limit_for, z_scores

from deeplimits import ensembles
from deeplimits.diffusions import Equation


@dataclass(frozen=True)
class Geometric(Equation):
    """dx = rate x dt + x dB, one motion for each number of the state."""

    rate: float
    time: float

    def drift(self, x):
        return self.rate * x

    def noise(self, x, dB):
        return x * dB


@dataclass(frozen=True)
class Turning(Equation):
    """Two numbers that share one motion: the state turns, and its length grows by the Euler step alone."""

    time: float

    def sources(self, state):
        return (1,)

    def drift(self, x):
        return -x / 2

    def noise(self, x, dB):
        return np.stack([-x[:, 1], x[:, 0]], axis=1) * dB


@dataclass(frozen=True)
class Bursting(Equation):
    """dx = x^2 dt: infinite at time 1/x0."""

    time: float

    def drift(self, x):
        return x**2

    def noise(self, x, dB):
        return 0 * dB


def test_mean_of_the_scheme_is_exact():
    steps = 8
    x = Geometric(0.5, 1.0).sample([1.0, 2.0], 40_000, 1, steps=steps)
    assert np.abs(z_scores(x, np.array([1.0, 2.0]) * (1 + 0.5 / steps) ** steps)).max() < limit_for(2)


@pytest.mark.slow
def test_strong_order_is_one_half():
    equation, steps = Geometric(0.5, 1.0), [8, 32, 128]
    fine = equation.sample([1.0], 4000, 1, steps=1024)
    errors = [np.sqrt(np.mean((equation.sample([1.0], 4000, 1, steps=n, noise_steps=1024) - fine) ** 2)) for n in steps]
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


def test_sources_may_be_fewer_than_the_state():
    x = Turning(1.0).sample([1.0, 0.0], 2000, 1, steps=512)
    length = np.hypot(*x.T)
    assert np.std(np.log(length)) < 0.1 and np.std(np.arctan2(x[:, 1], x[:, 0])) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["single", "double"])
def test_same_bits_for_any_threads_and_chunks(precision):
    equation = Geometric(0.1, 2.0)
    whole = equation.sample([1.0], 50, 7, at=[2.0, 0.0, 1.0], steps=4, threads=1, precision=precision)
    parts = [
        equation.sample([1.0], b - a, 7, at=[2.0, 0.0, 1.0], steps=4, first=a, threads=3, precision=precision)
        for a, b in ((0, 1), (1, 17), (17, 50))
    ]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.all(whole[:, 1] == 1)


def test_a_path_that_bursts_is_infinite_from_there_on():
    x = Bursting(8.0).sample([1.0], 3, 1, at=[0.0, 0.5, 8.0], steps=64)
    assert np.all(np.isfinite(x[:, :2])) and np.all(x[:, 2] == np.inf)


def test_a_summary_takes_any_process():
    found = ensembles.summarise(Geometric(0.0, 1.0), [1.0], 5000, 1, ensembles.values, progress=False, steps=4)
    assert abs(found.mean.value[0] - 1) < limit_for(1) * found.mean.error[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"stepz": 4}, "unexpected argument stepz; did you mean steps?"),
        ({"noise_depth": 4}, "unexpected argument noise_depth"),
    ],
)
def test_a_misspelled_argument_is_named(how, message):
    with pytest.raises(TypeError, match=message):
        Geometric(0.1, 1.0).sample([1.0], 3, 1, **how)


def test_a_drift_of_another_shape_is_named():
    @dataclass(frozen=True)
    class Wrong(Geometric):
        def drift(self, x):
            return x.sum()

    with pytest.raises(ValueError, match=r"drift must have the shape \(1, 1\) of the states, got \(\)"):
        Wrong(0.1, 1.0).sample([1.0], 1, 1)
