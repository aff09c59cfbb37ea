"""The correlation of unshaped ReLU networks: one-layer moments, the chain, the singular limit."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits.activations import correlation_of, relu
from deeplimits.diffusions import SingularSDE
from deeplimits.diffusions.unshaped import PLATEAU
from deeplimits.networks import ShapedMLP, UnshapedChain
from deeplimits.networks.unshaped import one_layer_moments


def test_moments_near_parallel_and_where_formula_and_series_meet():
    epsilon = np.array([1e-12, 1e-8])
    drift, noise = one_layer_moments(epsilon)
    assert drift == pytest.approx(-2 * epsilon, rel=1e-3)
    assert noise == pytest.approx(8 * epsilon**2, rel=1e-3)
    edge = 1 - np.cos(0.03 * (1 + np.array([-1e-9, 1e-9])))
    for moment in one_layer_moments(edge):
        assert moment[0] == pytest.approx(moment[1], rel=1e-6)


@pytest.mark.parametrize("rho", [-0.5, 0.3, 0.9])
def test_moments_are_those_of_a_wide_layer(rho):
    width, samples = 200, 400_000
    V = ShapedMLP(relu(), width, 1).sample([[1, rho], [rho, 1]], samples, 1)
    after = correlation_of(V)[:, 0, 1]
    drift, noise = one_layer_moments(np.array(1 - rho))
    image = float(relu().correlation_map(rho, width))
    limit = stats.norm.isf(LEVEL / 12)
    error = after.std() / np.sqrt(samples)
    assert abs(after.mean() - image - drift / width) < limit * error + 40 / width**2.5  # next order
    if rho != 0.3:  # the drift changes sign near 0.3; elsewhere the samples see it
        assert abs(after.mean() - image) > limit * error
    assert width * after.var() == pytest.approx(noise, rel=limit * np.sqrt(2 / samples) * 2 + 5 / width)


def test_chain_follows_networks():
    width, depth = 100, 30
    V = ShapedMLP(relu(), width, depth).sample([[1, 0.3], [0.3, 1]], 20_000, 2, at=[5, 30])
    log_network = np.log(1 - correlation_of(V)[:, :, 0, 1])
    log_chain = np.log(UnshapedChain(width, depth).sample(0.3, 20_000, 3, at=[5, 30]))
    for layer in range(2):
        gap = log_network[:, layer].mean() - log_chain[:, layer].mean()
        error = np.hypot(log_network[:, layer].std(), log_chain[:, layer].std()) / np.sqrt(20_000)
        assert abs(gap) < 4.9 * error + 2.5 * layer / width + 1.5 / width
        assert log_network[:, layer].std() == pytest.approx(log_chain[:, layer].std(), rel=0.08)


def test_singular_sde_has_its_tabulated_means_and_needs_the_plus_one():
    times = [0.25, 0.5, 1.0]
    q = SingularSDE(1.0).sample(PLATEAU, 20_000, seed=1, at=times)
    error = np.log(q).std(axis=0) / np.sqrt(20_000)
    limit = stats.norm.isf(LEVEL / 12)
    tabulated = np.array([3.459, 3.117, 2.408])
    assert np.all(abs(np.log(q).mean(axis=0) - tabulated) < limit * np.hypot(error, 0.01))
    without = np.array([3.194, 2.559, 1.193])
    assert np.all(abs(np.log(q).mean(axis=0) - without) > limit * np.hypot(error, 0.01))


@pytest.mark.slow
def test_singular_sde_converges_in_the_step_and_forgets_its_start():
    coarse, middle, fine = (np.log(SingularSDE(1.0).sample(PLATEAU, 20_000, seed=4, steps=s)) for s in (4, 16, 1024))
    error = np.hypot(middle.std(), fine.std()) / np.sqrt(20_000)
    assert abs(middle.mean() - fine.mean()) < 4.5 * error < abs(coarse.mean() - fine.mean())
    late = np.log(SingularSDE(1.0).sample(PLATEAU, 20_000, seed=5, start_time=1e-3))
    early = np.log(SingularSDE(1.0).sample(PLATEAU, 20_000, seed=6))
    assert abs(late.mean() - early.mean()) < 4.5 * np.hypot(late.std(), early.std()) / np.sqrt(20_000) + 5e-3


@pytest.mark.slow
def test_chain_tends_to_the_singular_sde_as_the_width_grows():
    sde = np.log(SingularSDE(0.25).sample(PLATEAU, 8000, seed=1))
    gaps = []
    for width in (200, 2000):
        layer = width // 4
        gaps.append(np.log(UnshapedChain(width, layer).sample(0.0, 8000, 2) * layer**2).mean() - sde.mean())
    error = np.sqrt(2) * sde.std() / np.sqrt(8000)
    assert abs(gaps[1]) < 0.6 * abs(gaps[0]) + 4.5 * error
    assert abs(gaps[0]) > 4.5 * error


@pytest.mark.slow
@pytest.mark.parametrize("process", [UnshapedChain(50, 6), SingularSDE(1.0)], ids=["chain", "singular"])
def test_same_bits_for_any_threads_and_chunks(process):
    at = [0, 3, 6] if isinstance(process, UnshapedChain) else [0.5, 1.0]
    start = 0.2 if isinstance(process, UnshapedChain) else PLATEAU
    whole = process.sample(start, 5000, 7, at=at, threads=1)
    assert np.array_equal(whole, process.sample(start, 5000, 7, at=at, threads=7))
    parts = [process.sample(start, n, 7, at=at, first=k) for k, n in ((0, 13), (13, 3000), (3013, 1987))]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.array_equal(process.sample(start, 10, 7, at=at[::-1]), whole[:10, ::-1])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: UnshapedChain(0, 1), "width"),
        (lambda: UnshapedChain(1, 0), "depth"),
        (lambda: UnshapedChain(5, 5).sample(1.0, 1, 1), "initial"),
        (lambda: UnshapedChain(5, 5).sample(0.0, 1, 1, at=[6]), "at"),
        (lambda: SingularSDE(0), "time"),
        (lambda: SingularSDE(1).sample(-1.0, 1, 1), "initial"),
        (lambda: SingularSDE(1).sample(1.0, 1, 1, at=[2.0]), "at"),
        (lambda: SingularSDE(1).sample(1.0, 1, 1, start_time=0), "start_time"),
        (lambda: SingularSDE(1).sample(1.0, 0, 1), "samples"),
        (lambda: SingularSDE(1).sample(1.0, 1, 1, steps=4, noise_steps=6), "noise_steps"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_singular_sde_has_strong_order_one():
    """Coarse and fine paths follow the same Brownian motion; a path of other noise does not come close."""
    steps = np.array([16, 32, 64, 128])
    fine = np.log(SingularSDE(1.0).sample(PLATEAU, 2000, 1, steps=1024))
    coarse = [np.log(SingularSDE(1.0).sample(PLATEAU, 2000, 1, steps=s, noise_steps=1024)) for s in steps]
    errors = np.sqrt([np.mean((path - fine) ** 2) for path in coarse])
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)
    other = np.log(SingularSDE(1.0).sample(PLATEAU, 2000, 2, steps=128))
    assert np.sqrt(np.mean((other - fine) ** 2)) > 20 * errors[-1]
