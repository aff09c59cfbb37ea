"""Calls of the diffusions of shaped networks: streams, the grid of times, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deeplimits.activations import relu, shaped_relu, smooth
from deeplimits.diffusions import CorrelationSDE, CovarianceSDE, NormSDE

LEAKY = shaped_relu(0, -1)
PAIR = np.array([[1, 0.3], [0.3, 1]])
TRIPLE = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])


# Reproducibility and the grid

PROCESSES = {
    "correlation": (CorrelationSDE(LEAKY, 1.5), 0.3),
    "one input": (CovarianceSDE(LEAKY, 1.5), 1.0),
    "two inputs": (CovarianceSDE(LEAKY, 1.5), PAIR),
    "three inputs": (CovarianceSDE(LEAKY, 1.5), TRIPLE),
    "smooth": (CovarianceSDE(smooth("gelu"), 1.5), TRIPLE),
    "norm": (NormSDE(smooth("gelu"), 1.5), 1.2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
def test_samples_do_not_depend_on_threads_or_chunks(name):
    process, initial = PROCESSES[name]
    for precision in ("single", "double"):
        whole = process.sample(initial, 1500, 7, steps=6, threads=1, precision=precision)
        for threads in (2, 7):
            again = process.sample(initial, 1500, 7, steps=6, threads=threads, precision=precision)
            assert np.array_equal(whole, again)
        cuts = [0, 1, 200, 256, 777, 1500]
        chunks = [
            process.sample(initial, b - a, 7, steps=6, first=a, precision=precision)
            for a, b in zip(cuts, cuts[1:], strict=False)
        ]
        assert np.array_equal(whole, np.concatenate(chunks))
        assert not np.array_equal(whole, process.sample(initial, 1500, 8, steps=6, precision=precision))
    assert process.sample(initial, 3, 7, steps=2, first=2**40).shape == whole[:3].shape


@pytest.mark.parametrize("name", PROCESSES)
def test_times_keep_their_order(name):
    process, initial = PROCESSES[name]
    path = process.sample(initial, 20, 7, at=[1.5, 0, 0.5, 0.5], steps=6)
    scalar = not isinstance(process, CovarianceSDE)
    assert path.shape == ((20, 4) if scalar else (20, 4, *np.shape(np.atleast_2d(initial))))
    assert np.array_equal(path[:, 0], process.sample(initial, 20, 7, steps=6))
    assert np.array_equal(path[:, 2], process.sample(initial, 20, 7, at=[0.5], steps=6)[:, 0])
    assert np.array_equal(path[:, 2], path[:, 3])
    assert path[:, 1] == pytest.approx(np.broadcast_to(initial, path[:, 1].shape), rel=1e-15)
    assert (process.sample(initial, 20, 7, at=[0])[:, 0] == path[:, 1]).all()


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(
    "change, message",
    [
        ({"at": [0.1]}, r"at must lie on the grid of 4 steps in \[0, 1.5\], got 0.1; the nearest grid time is 0"),
        ({"at": [2.0]}, "at must be"),
        ({"at": [np.nan]}, "at must be"),
        ({"at": []}, "at must name"),
        ({"samples": 0}, "samples must be"),
        ({"steps": 0}, "steps must be"),
        ({"seed": -1}, "seed must be"),
        ({"noise_steps": 6}, "noise_steps must be a multiple of 4, got 6"),
        ({"precision": "half"}, "precision must be one of single, double, got 'half'"),
        ({"threads": 0}, "threads must be"),
        ({"first": -1}, "first must be"),
        ({"initial": np.nan}, "initial must be"),
    ],
)
def test_bad_arguments_are_named(name, change, message):
    process, initial = PROCESSES[name]
    arguments = {"initial": initial, "samples": 4, "seed": 1, "steps": 4} | change
    with pytest.raises(ValueError, match=message):
        process.sample(**arguments)


def test_bad_states_and_processes_are_named():
    with pytest.raises(ValueError, match="initial must be .* >= -1 and <= 1, got 1.2"):
        CorrelationSDE(LEAKY, 1).sample(1.2, 1, 1)
    with pytest.raises(ValueError, match="coordinate must be one of rho, angle, z, got 'x'"):
        CorrelationSDE(LEAKY, 1).sample(0.2, 1, 1, coordinate="x")
    with pytest.raises(ValueError, match="initial must be positive semi-definite"):
        CovarianceSDE(LEAKY, 1).sample([[1, 2], [2, 1]], 1, 1)
    with pytest.raises(ValueError, match="initial must be a finite number and >= 1e-300"):
        NormSDE(LEAKY, 1).sample(0, 1, 1)
    with pytest.raises(ValueError, match="radius must be a finite number and > 0, got -1"):
        CovarianceSDE(smooth("gelu"), 1).sample(1, 1, 1, radius=-1)
    with pytest.raises(ValueError, match="radius must be inf for shaped ReLU"):
        CovarianceSDE(LEAKY, 1).sample(1, 1, 1, radius=2)
    with pytest.raises(ValueError, match="must have no second derivative at its centre, gelu has one .bend = 2.546"):
        CorrelationSDE(smooth("gelu"), 1)
    for process in (CorrelationSDE, CovarianceSDE, NormSDE):
        with pytest.raises(ValueError, match="tanh with exponent=0.4 has no covariance SDE"):
            process(smooth("tanh", exponent=0.4), 1)
        with pytest.raises(ValueError, match="time must be a finite number and > 0, got 0"):
            process(LEAKY, 0)
        with pytest.raises(ValueError, match="activation must"):
            process("relu", 1)
        with pytest.raises(ValueError, match="ReLU with exponent=0.5 has no covariance SDE"):
            process(relu(), 1)


@pytest.mark.slow
@given(st.floats(-1, 1), st.floats(-3, 3), st.floats(0.01, 20), st.integers(1, 40), st.integers(0, 2**40))
@settings(max_examples=40, deadline=None, derandomize=True)
@example(-1.0, 1e-8, 1e-6, 1, 0)
@example(-1.0, 5e-324, 1.0, 1, 0)
@example(1.0, 1e-160, 1.0, 3, 0)
def test_finite_input_never_gives_nan(rho, gap, time, steps, first):
    time = min(time, 10.0 * steps)  # longer steps are refused
    phi = shaped_relu(gap, 0)
    for coordinate in ("rho", "angle", "z"):
        values = CorrelationSDE(phi, time).sample(rho, 5, 1, steps=steps, first=first, coordinate=coordinate)
        assert not np.isnan(values).any()
    V = CovarianceSDE(phi, time).sample([[1, rho], [rho, 1]], 5, 1, steps=steps, first=first)
    assert np.isfinite(V).all()
