"""Shaped attention: the exact chain against explicit weights, its moments and its limit."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL
from scipy import special, stats

from deeplimits import attention
from deeplimits.activations import correlation_of
from deeplimits.attention import (
    AttentionSDE,
    ShapedAttention,
    attention_drift,
    attention_moments,
    attention_noise,
    shaped_softmax,
)

V0 = np.array([[1, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 0.8]])
GAMMA, TEMPERATURE = 0.8, 0.7


def layers_with_weights(width, depth, key_width, samples, seed):
    """Covariances after explicit attention layers, every weight matrix drawn."""
    draw = np.random.default_rng(seed)
    L, m = np.linalg.cholesky(V0), len(V0)
    start = np.linalg.qr(draw.standard_normal((width, m)))[0].T
    out = np.empty((samples, m, m))
    for i in range(samples):
        X = np.sqrt(width) * L @ start
        for _ in range(depth):
            Q, K = (X @ draw.standard_normal((width, key_width)) for _ in range(2))
            Y = Q @ K.T / width / (TEMPERATURE * np.sqrt(width * key_width))
            softmax = np.exp(Y) / np.exp(Y).sum(axis=1, keepdims=True)
            A = np.eye(m) + softmax - 1 / m
            values = X @ draw.standard_normal((width, width)) / np.sqrt(width)
            X = np.sqrt(1 - GAMMA**2) * X + GAMMA * A @ values
        out[i] = X @ X.T / width
    return out


def test_exact_chain_has_the_law_of_layers_with_weights():
    explicit = layers_with_weights(12, 3, 5, 4000, 1)
    chain = ShapedAttention(12, 3, GAMMA, TEMPERATURE, key_width=5).sample(V0, 20_000, 2)
    deeper = ShapedAttention(12, 4, GAMMA, TEMPERATURE, key_width=5).sample(V0, 20_000, 2)
    views = {
        "norm": lambda V: np.log(V[:, 0, 0]),
        "covariance": lambda V: V[:, 1, 2],
        "correlation": lambda V: correlation_of(V)[:, 0, 1],
        "determinant": lambda V: np.linalg.slogdet(V)[1],
    }
    for name, view in views.items():
        assert stats.ks_2samp(view(explicit), view(chain)).pvalue > LEVEL / 4, name
    assert stats.ks_2samp(views["determinant"](explicit), views["determinant"](deeper)).pvalue < LEVEL / 4


def test_drift_has_its_tabulated_values():
    drift = attention_drift(V0, GAMMA, TEMPERATURE)
    expected = [0.3044, 0.0799, -0.0540, 0.3094, 0.0571, 0.1847]
    assert drift[np.triu_indices(3)] == pytest.approx(expected, abs=6e-5)


@pytest.mark.slow
def test_one_layer_moves_by_the_drift():
    n, samples = 512, 200_000
    network = ShapedAttention(n, 1, GAMMA, TEMPERATURE, key_width=64)
    factor = np.broadcast_to(np.linalg.cholesky(V0), (samples, 3, 3))
    scores = network._scores(factor, np.random.default_rng(3))
    # Given A, the mean over the value weights is lambda^2 V + gamma^2 A V A^T; opposite scores cancel the odd noise.
    both = [shaped_softmax(sign * scores) for sign in (1, -1)]
    moved = n * GAMMA**2 * (sum(A @ V0 @ A.swapaxes(1, 2) for A in both) / 2 - V0)
    rows, columns = np.triu_indices(3)
    steps = moved[:, rows, columns]
    error = steps.std(axis=0) / np.sqrt(samples)
    limit = stats.norm.isf(LEVEL / 12)
    drift = attention_drift(V0, GAMMA, TEMPERATURE)[rows, columns]
    assert np.all(abs(steps.mean(axis=0) - drift) < limit * error + 2 / n)
    _, second = attention_moments(V0)
    without = drift - (GAMMA / TEMPERATURE) ** 2 * (second @ V0 + V0 @ second.T)[rows, columns]
    assert np.any(abs(steps.mean(axis=0) - without) > limit * error + 2 / n)  # the curvature of softmax is needed


def test_one_layer_has_the_noise():
    n, samples = 400, 100_000
    rows, columns = np.triu_indices(3)
    moved = ShapedAttention(n, 1, GAMMA, TEMPERATURE).sample(V0, samples, 3)[:, rows, columns]
    observed = n * np.cov(moved.T)

    def noise(temperature):
        return attention_noise(V0, GAMMA, temperature)[rows[:, None], columns[:, None], rows, columns]

    assert observed == pytest.approx(noise(TEMPERATURE), abs=0.02 * noise(TEMPERATURE).max())
    assert np.abs(observed - noise(1e6)).max() > 0.04 * noise(TEMPERATURE).max()  # without attention


@pytest.mark.slow
def test_networks_approach_the_limit_and_steps_converge():
    def statistics(V):
        kept = np.trace(V, axis1=1, axis2=2) < 30  # a few paths explode
        bounded = np.where(kept[:, None, None], V, 1.0)
        return np.stack([kept, np.log(bounded[:, 0, 0]), bounded[:, 0, 1], correlation_of(bounded)[:, 1, 2]], axis=1)

    time, temperature = 0.25, 0.5
    fine = statistics(AttentionSDE(GAMMA, temperature, time).sample(V0, 10_000, 1, steps=64))
    coarse = statistics(AttentionSDE(GAMMA, temperature, time).sample(V0, 10_000, 2, steps=32))
    network = statistics(ShapedAttention(200, 50, GAMMA, temperature, 64).sample(V0, 10_000, 3))
    error = fine.std(axis=0) * np.sqrt(2 / 10_000)
    assert np.all(abs(fine.mean(axis=0) - coarse.mean(axis=0)) < 4.8 * error + 0.015)
    assert np.all(abs(fine.mean(axis=0) - network.mean(axis=0)) < 4.8 * error + 0.015)
    cold = statistics(AttentionSDE(GAMMA, 100.0, time).sample(V0, 10_000, 4, steps=64))  # attention switched off
    assert np.any(abs(cold.mean(axis=0) - network.mean(axis=0)) > 4.8 * error + 0.015)


@pytest.mark.slow
def test_exploded_paths_are_infinite_and_networks_are_not():
    V = AttentionSDE(1.0, 0.2, 1.0).sample(V0, 500, 1, at=[0.5, 1.0], steps=256)
    exploded = np.isinf(V[:, :, 0, 0])
    assert 0 < exploded[:, 0].mean() <= exploded[:, 1].mean()
    assert np.all(exploded[:, 1] >= exploded[:, 0])
    assert not np.any(np.isnan(V))
    assert np.all(np.isfinite(ShapedAttention(64, 64, 1.0, 0.2).sample(V0, 500, 1)))


@pytest.mark.parametrize(
    "process", [ShapedAttention(20, 4, 0.5, 1.0, 8), AttentionSDE(0.5, 1.0, 0.5)], ids=["network", "limit"]
)
def test_same_bits_for_any_threads_and_chunks_and_inside_the_cone(process):
    options = {"steps": 16} if isinstance(process, AttentionSDE) else {}
    at = [0, 0.25, 0.5] if options else [0, 2, 4]
    whole = process.sample(V0, 2500, 7, at=at, threads=1, **options)
    assert np.array_equal(whole, process.sample(V0, 2500, 7, at=at, threads=7, **options))
    cuts = ((0, 13), (13, 1500), (1513, 987))
    parts = [process.sample(V0, n, 7, at=at, first=k, **options) for k, n in cuts]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.linalg.eigvalsh(whole[np.isfinite(whole[:, -1, 0, 0])]).min() > -1e-9
    assert whole[:, 0] == pytest.approx(np.broadcast_to(V0, whole[:, 0].shape))


def explosion(distance, gamma, temperature):
    """Probability that two tokens at this distance explode, from the scale function of their distance."""
    k = (gamma * distance / temperature) ** 2 / (8 * (2 - gamma**2))
    return special.betainc(0.5, 1 / (4 * gamma**2) - 0.5, k / (1 + k))


def forecast(samples, steps):
    """The probability of an explosion, carried by paths to time 1/2: a martingale, so its mean is that of the start."""
    V = AttentionSDE(0.6, 0.2, 0.5).sample(np.eye(2), samples, 1, steps=steps)
    gone = np.isinf(V[:, 0, 0])
    left = np.where(gone[:, None, None], np.eye(2), V)
    carried = np.where(gone, 1, explosion(left[:, 0, 0] + left[:, 1, 1] - 2 * left[:, 0, 1], 0.6, 0.2))
    return carried.mean(), carried.std() / np.sqrt(samples)


@pytest.mark.slow
def test_two_tokens_explode_as_often_as_the_scale_function_says(monkeypatch):
    """Feller: from distance 2 with gamma 0.6 and temperature 0.2 the probability is 0.3645, at any number of steps."""
    exact = explosion(2, 0.6, 0.2)
    assert exact == pytest.approx(0.3645, abs=1e-4)
    for steps in (16, 64):
        seen, error = forecast(8000, steps)
        assert abs(seen - exact) < 4.6 * error + 0.005, steps
    monkeypatch.setattr(attention, "LONGEST", np.inf)  # fixed steps
    fixed, error = forecast(4000, 16)
    assert fixed - exact > 4.6 * error + 0.02


@pytest.mark.slow
def test_two_tokens_that_cannot_explode_do_not(monkeypatch):
    """Above gamma^2 = 1/2 paths merge: what is counted as exploded is what passes 10^9, 3 in 100,000."""
    sde = AttentionSDE(1.0, 0.2, 0.5)
    assert np.isinf(sde.sample(np.eye(2), 4000, 1, steps=64)).mean() < 0.001
    monkeypatch.setattr(attention, "LONGEST", np.inf)
    assert np.isinf(sde.sample(np.eye(2), 4000, 1, steps=64)).mean() > 0.1


def test_one_token_is_log_normal_at_any_step():
    clock = 0.6**2 * (2 - 0.6**2) * 2.0
    for steps in (1, 7):
        V = AttentionSDE(0.6, 0.2, 2.0).sample([[1.0]], 20_000, 3, steps=steps)[:, 0, 0]
        assert stats.kstest(np.log(V), stats.norm(-clock, np.sqrt(2 * clock)).cdf).pvalue > LEVEL
    assert stats.kstest(np.log(V), stats.norm(-clock, 1.1 * np.sqrt(2 * clock)).cdf).pvalue < LEVEL


def first_changes(temperature, samples, h=0.01):
    """How the entries of V change over one short step, the gap of their rate from the drift, and its error."""
    rows, columns = np.triu_indices(3)
    change = (AttentionSDE(GAMMA, temperature, h).sample(V0, samples, 4, steps=1) - V0)[:, rows, columns]
    gap = change.mean(axis=0) / h - attention_drift(V0, GAMMA, temperature)[rows, columns]
    return change, gap, change.std(axis=0) / np.sqrt(samples) / h


def test_many_tokens_start_by_the_drift_and_the_noise():
    h, (rows, columns) = 0.01, np.triu_indices(3)
    change, gap, error = first_changes(TEMPERATURE, 200_000, h)
    assert np.all(abs(gap) < 4.8 * error + 0.01)
    noise = attention_noise(V0, GAMMA, TEMPERATURE)[rows[:, None], columns[:, None], rows, columns]
    assert np.cov(change.T) / h == pytest.approx(noise, abs=0.03 * noise.max())


def test_many_cold_tokens_feel_the_curvature_of_softmax():
    """At a low temperature the curvature is up to half of a unit of drift, several times what is allowed here."""
    _, gap, error = first_changes(0.3, 500_000)
    assert np.all(abs(gap) < 4.8 * error + 0.06)


def test_times_may_be_rounded():
    path = AttentionSDE(0.5, 1, 0.3).sample(V0, 2, 1, at=[3 * 0.1, 0.1], steps=12)
    assert path.shape == (2, 2, *np.shape(V0))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ShapedAttention(0, 1, 0.5, 1), "width"),
        (lambda: ShapedAttention(9, 1, 1.5, 1), "gamma"),
        (lambda: ShapedAttention(9, 1, 0.5, 0), "temperature"),
        (lambda: ShapedAttention(2, 1, 0.5, 1).sample(V0, 1, 1), "initial"),
        (lambda: ShapedAttention(9, 1, 0.5, 1).sample(V0, 1, 1, at=[2]), "at"),
        (lambda: AttentionSDE(0.5, 1, 0), "time"),
        (lambda: attention_drift(V0, np.nan, 1), "gamma must"),
        (lambda: attention_noise(V0, 1.5, 1), "gamma must"),
        (lambda: shaped_softmax([[np.inf, 1], [1, 2]]), "scores must"),
        (lambda: shaped_softmax([1.0, 2.0]), "scores must"),
        (lambda: AttentionSDE(0.5, 1, 1).sample(V0, 1, 1, at=[0.3], steps=2), "at"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


@pytest.mark.slow
def test_coarse_and_fine_paths_of_the_limit_follow_one_noise():
    """Strong order 1/2, and a bias that falls faster; paths of other noise stay far apart."""
    sde, V0, fine_steps = AttentionSDE(1.0, 1.0, 0.1), np.array([[1, 0.3], [0.3, 1]]), 64
    steps = np.array([1, 2, 4, 8])

    def correlation(seed, steps, noise_steps=None):
        V = sde.sample(V0, 10_000, seed, steps=steps, noise_steps=noise_steps)
        return V[:, 0, 1] / np.sqrt(V[:, 0, 0] * V[:, 1, 1])

    fine = correlation(1, fine_steps)
    gaps = np.array([correlation(1, count, fine_steps) - fine for count in steps])
    errors = np.sqrt(np.mean(gaps**2, axis=1))
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.12)
    assert np.all(abs(gaps.mean(axis=1)) < 0.1 * errors)
    assert np.sqrt(np.mean((correlation(2, 8, fine_steps) - fine) ** 2)) > 10 * errors[-1]
    with pytest.raises(ValueError, match="noise_steps must be a multiple of 4, got 6"):
        sde.sample(V0, 1, 1, steps=4, noise_steps=6)
