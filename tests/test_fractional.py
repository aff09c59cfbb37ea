"""Fractional weights: their covariance in closed form, the networks they drive, and the limit of large width."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats
from scipy.linalg import expm

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.fractional import FractionalResNet, _spectrum, fractional_noise, noise_covariance
from deeplimits.gaussian import normals
from deeplimits.networks import ResNet

INDICES = [0.05, 0.3, 0.5, 0.75, 0.95, 1.0]


def brownian_covariance(s, t, hurst):
    """The covariance of fractional Brownian motion at two times."""
    return (np.abs(s) ** (2 * hurst) + np.abs(t) ** (2 * hurst) - np.abs(s - t) ** (2 * hurst)) / 2


def worst_error(noise, hurst):
    """The largest standardised error of the second moments of unit increments."""
    x = noise.reshape(-1, noise.shape[-1])
    lags = np.arange(x.shape[1])
    expected = noise_covariance(np.subtract.outer(lags, lags), hurst)
    return np.max(np.abs(x.T @ x / len(x) - expected) * np.sqrt(len(x) / (1 + expected**2)))


@pytest.mark.parametrize("hurst", INDICES)
def test_covariance_of_increments_is_that_of_fractional_brownian_motion(hurst):
    ends = np.arange(9.0)
    paths = brownian_covariance(ends[:, None], ends, hurst)
    increments = np.diff(np.diff(paths, axis=0), axis=1)
    lags = np.subtract.outer(np.arange(8), np.arange(8))
    assert noise_covariance(lags, hurst) == pytest.approx(increments, abs=1e-12)
    assert noise_covariance(lags, hurst).sum() == pytest.approx(8 ** (2 * hurst))
    assert np.sign(np.round(noise_covariance(1, hurst), 12)) == np.sign(hurst - 0.5)


@pytest.mark.parametrize("hurst", INDICES)
@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_the_embedding_has_this_covariance_to_rounding(hurst, length):
    # Each wave contributes its power times a cosine of the lag: the periodic covariance of what is drawn.
    power = _spectrum(hurst, length) ** 2 / (2 * length)
    power[1:-1] *= 2
    both = np.concatenate([power, power[-2:0:-1]])
    found = np.fft.fft(both).real / (2 * length)
    assert found[: length + 1] == pytest.approx(noise_covariance(np.arange(length + 1), hurst), abs=1e-10)


@pytest.mark.parametrize("hurst", INDICES)
def test_samples_have_this_covariance_and_no_other(hurst):
    noise = fractional_noise(hurst, 9, 4, 5_000, 11)
    limit = stats.norm.isf(LEVEL / 90)
    assert worst_error(noise, hurst) < limit
    assert worst_error(noise, 0.6 if hurst != 0.6 else 0.5) > limit
    assert stats.kstest(noise[:, 0, 4], "norm").pvalue > LEVEL
    across = np.mean(noise[:, 0] * noise[:, 1], axis=0) * np.sqrt(len(noise))
    assert np.abs(across).max() < limit  # paths are independent


def test_one_half_is_independent_and_one_is_constant():
    lags = np.arange(1, 50)
    assert np.all(noise_covariance(lags, 0.5) == 0)
    assert np.all(noise_covariance(lags, 1) == 1)
    constant = fractional_noise(1, 33, 2, 100, 3)
    assert np.ptp(constant, axis=2).max() < 1e-12
    assert np.ptp(fractional_noise(0.99, 33, 2, 100, 3), axis=2).max() > 0.1


@pytest.mark.slow
def test_same_bits_for_any_threads_and_chunks():
    whole = fractional_noise(0.7, 12, 3, 200, 5, threads=1)
    assert np.array_equal(whole, fractional_noise(0.7, 12, 3, 200, 5, threads=3))
    parts = [fractional_noise(0.7, 12, 3, n, 5, first=k) for k, n in ((0, 1), (1, 150), (151, 49))]
    assert np.array_equal(whole, np.concatenate(parts))
    network = FractionalResNet(Blocks(relu(), linear()), 3, 12, 0.7)
    x0 = np.random.default_rng(1).standard_normal((200, 3, 2))
    states = network.sample(x0, 200, 5, at=[12, 0, 5], threads=1)
    assert np.array_equal(states, network.sample(x0, 200, 5, at=[12, 0, 5], threads=3))
    parts = [network.sample(x0[k : k + n], n, 5, at=[12, 0, 5], first=k) for k, n in ((0, 7), (7, 193))]
    assert np.array_equal(states, np.concatenate(parts))
    assert np.array_equal(states[:, 1], x0)


def test_blocks_of_samples_do_not_show(monkeypatch):
    network = FractionalResNet(Blocks(plain("tanh"), linear()), 3, 8, 0.3)
    large = fractional_noise(0.3, 8, 9, 50, 2), network.sample(np.ones((3, 1)), 50, 2)
    monkeypatch.setattr("deeplimits.fractional.AT_A_TIME", 500)
    small = fractional_noise(0.3, 8, 9, 50, 2), network.sample(np.ones((3, 1)), 50, 2)
    assert np.array_equal(large[0], small[0]) and np.array_equal(large[1], small[1])


def test_the_stream_is_not_that_of_other_weights():
    noise = fractional_noise(0.5, 500, 1, 20, 4).ravel()
    for stream in (0, 1, 8):
        other = normals(4, 20, 1000, stream=stream)[:, :500].ravel()
        assert abs(np.corrcoef(noise, other)[0, 1]) * np.sqrt(noise.size) < 5


def test_states_follow_from_the_weights():
    network = FractionalResNet(Blocks(plain("tanh"), relu(), weight_variance=2.0), 4, 6, 0.8)
    x0 = np.random.default_rng(2).standard_normal((4, 3))
    weights, x = network.weights(5, 9), np.broadcast_to(x0, (5, 4, 3))
    for layer in range(6):
        x = x + np.maximum(weights[:, layer] @ np.tanh(x), 0)
    assert network.sample(x0, 5, 9) == pytest.approx(x, abs=1e-14)


@pytest.mark.parametrize("hurst", [0.2, 0.5, 0.9])
def test_weights_have_their_size_and_add_up_to_the_same_at_every_depth(hurst):
    fine = FractionalResNet(Blocks(relu(), linear(), weight_variance=3.0), 2, 32, hurst)
    coarse = FractionalResNet(Blocks(relu(), linear(), weight_variance=3.0), 2, 8, hurst)
    deep, shallow = fine.weights(4_000, 1), coarse.weights(4_000, 1, noise_depth=32)
    assert shallow == pytest.approx(deep.reshape(4_000, 8, 4, 2, 2).sum(axis=2), abs=1e-12)
    total = deep.sum(axis=1).ravel()
    assert np.mean(total**2) == pytest.approx(3 / 2, abs=4.5 * 1.5 * np.sqrt(2 / total.size))
    single = deep[:, 5].ravel()
    assert np.mean(single**2) * 32 ** (2 * hurst) == pytest.approx(3 / 2, abs=4.5 * 1.5 * np.sqrt(2 / single.size))


def test_whole_numbers_of_numpy_serve_as_depth_and_index():
    counted = FractionalResNet(Blocks(relu(), linear()), 2, np.int64(8), np.int64(1))
    usual = FractionalResNet(Blocks(relu(), linear()), 2, 8, 1.0)
    assert np.array_equal(counted.weights(3, 1, noise_depth=np.int64(16)), usual.weights(3, 1, noise_depth=16))


def test_one_half_has_the_law_of_the_residual_network():
    x0 = np.array([[1.0, 0.5], [-1.0, 0.2], [0.3, 0.4]])
    markov = ResNet(Blocks(relu(), linear()), 3, 10).sample(x0, 20_000, 1)
    views = (
        lambda Y: Y[:, 0, 0],
        lambda Y: (Y[:, :, 0] * Y[:, :, 1]).sum(axis=1),
        lambda Y: np.linalg.norm(np.maximum(Y[:, :, 1], 0), axis=1),
    )
    half = FractionalResNet(Blocks(relu(), linear()), 3, 10, 0.5).sample(x0, 20_000, 2)
    remembering = FractionalResNet(Blocks(relu(), linear()), 3, 10, 0.9).sample(x0, 20_000, 2)
    assert all(stats.ks_2samp(view(markov), view(half)).pvalue > LEVEL / 3 for view in views)
    assert any(stats.ks_2samp(view(markov), view(remembering)).pvalue < LEVEL / 3 for view in views)


def test_constant_weights_approach_the_matrix_exponential_at_order_one():
    errors = []
    for depth in (32, 64, 128):
        network = FractionalResNet(Blocks(linear(), linear()), 4, depth, 1)
        generator = network.weights(20, 3).sum(axis=1)
        errors.append(np.abs(network.sample(np.ones((4, 1)), 20, 3)[..., 0] - expm(generator) @ np.ones(4)).max())
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([1, 1], abs=0.1)


@pytest.mark.parametrize("hurst, rate", [(0.6, 0.2), (0.7, 0.4), (0.8, 0.6)])
def test_one_neuron_approaches_ordinary_calculus_at_twice_the_index_less_one(hurst, rate):
    errors = []
    for depth in (64, 256, 1024):
        total, state = (
            FractionalResNet(Blocks(inner, linear()), 1, depth, hurst).sample([[begin]], 2_000, 7)[:, 0, 0]
            for inner, begin in ((plain("1 + 0*x"), 0.0), (linear(), 1.0))
        )
        errors.append(np.sqrt(np.mean((np.log(state) - total) ** 2)))
    found = np.log(np.divide(errors[:-1], errors[1:])) / np.log(4)
    assert found == pytest.approx([rate, rate], abs=0.03)


def test_infinite_width_has_its_closed_forms():
    identity = FractionalResNet(Blocks(linear(), linear()), 1, 12, 0.5).infinite_width(2.0)
    times = np.minimum.outer(np.arange(13), np.arange(13))
    assert identity == pytest.approx(2 * (1 + 1 / 12) ** times)  # a martingale
    rectified = FractionalResNet(Blocks(relu(), linear()), 1, 12, 0.5).infinite_width()
    assert np.diag(rectified) == pytest.approx((1 + 0.5 / 12) ** np.arange(13))
    wide = FractionalResNet(Blocks(relu(), linear()), 5, 12, 0.5).infinite_width()
    assert wide == pytest.approx(rectified), "the width of the network plays no part"
    # With shared weights a row of (I + W/L)^L has squared entries that sum to those of the binomial coefficients / L^k.
    binomials = [np.prod((12 - np.arange(k)) / 12 / np.arange(1, k + 1)) for k in range(13)]
    shared = FractionalResNet(Blocks(linear(), linear()), 1, 12, 1).infinite_width()
    assert shared[-1, -1] == pytest.approx(np.square(binomials).sum())
    assert abs(shared[-1, -1] - identity[-1, -1] / 2) > 0.3
    nothing = FractionalResNet(Blocks(linear(), linear(), weight_variance=0), 1, 3, 0.7).infinite_width(0.0)
    assert np.all(nothing == 0)


@pytest.mark.parametrize("hurst", [0.35, 0.75, 1.0])
@pytest.mark.parametrize("inner", [linear(), relu()], ids=["linear", "relu"])
def test_wide_networks_have_the_covariance_of_infinite_width(hurst, inner):
    x0 = np.random.default_rng(3).standard_normal((1_000, 48, 1))
    network = FractionalResNet(Blocks(inner, linear()), 48, 8, hurst)
    Y = network.sample(x0, 1_000, 4, at=[4, 8])[..., 0]
    products = (Y * Y[:, 1:]).mean(axis=2)
    allowed = 4.5 * products.std(axis=0) / np.sqrt(len(Y)) + 2 / 48
    assert np.all(np.abs(products.mean(axis=0) - network.infinite_width()[[4, 8], 8]) < allowed)
    larger = FractionalResNet(Blocks(inner, linear(), weight_variance=1.3), 48, 8, hurst).infinite_width()
    assert np.any(np.abs(products.mean(axis=0) - larger[[4, 8], 8]) > allowed)


def test_states_that_overflow_are_infinite_in_all_inputs_and_never_nan():
    network = FractionalResNet(Blocks(plain("x**3"), linear()), 2, 600, 1, exponent=0.0)
    x = network.sample([[1.0, 0.0], [1.0, 0.0]], 20, 1, at=[0, 600, 300])
    assert not np.any(np.isnan(x)) and np.all(np.isfinite(x[:, 0]))
    blown = np.isinf(x[:, 1, 0, 0])
    assert blown.any() and np.all(x[blown, 1] == np.inf)


NETWORK = FractionalResNet(Blocks(relu(), linear()), 2, 4, 0.7)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: noise_covariance(1, 0), "hurst"),
        (lambda: noise_covariance(np.nan, 0.5), "lag"),
        (lambda: fractional_noise(1.1, 4, 1, 1, 1), "hurst"),
        (lambda: fractional_noise(0.5, 0, 1, 1, 1), "length"),
        (lambda: fractional_noise(0.5, 4, 0, 1, 1), "paths"),
        (lambda: fractional_noise(0.5, 4, 1, 0, 1), "samples"),
        (lambda: fractional_noise(0.5, 4, 1, 1, -1), "seed"),
        (lambda: fractional_noise(0.5, 4, 1, 1, 1, first=2**48), "first"),
        (lambda: fractional_noise(0.5, 4, 1, 1, 1, threads=0), "threads"),
        (lambda: FractionalResNet(Blocks(relu(), linear()), 0, 4, 0.5), "width"),
        (lambda: FractionalResNet(Blocks(relu(), linear()), 2, 0, 0.5), "depth"),
        (lambda: FractionalResNet(Blocks(relu(), linear()), 2, 4, "rough"), "hurst"),
        (lambda: FractionalResNet(Blocks("rleu", linear()), 2, 4, 0.5), "inner.*did you mean relu"),
        (lambda: FractionalResNet(Blocks(relu(), np.tanh), 2, 4, 0.5), "outer"),
        (lambda: FractionalResNet(Blocks(relu(), linear(), weight_variance=-1), 2, 4, 0.5), "weight_variance"),
        (lambda: FractionalResNet(Blocks(relu(), linear()), 2, 4, 0.5, exponent=np.inf), "exponent"),
        (lambda: NETWORK.sample(np.ones((3, 1)), 1, 1), "initial"),
        (lambda: NETWORK.sample(np.ones((2, 1)), 1, 1, at=[5]), "at"),
        (lambda: NETWORK.sample(np.ones((2, 1)), 1, 1, noise_depth=6), "noise_depth"),
        (lambda: NETWORK.weights(0, 1), "samples"),
        (lambda: NETWORK.infinite_width(-1), "variance"),
        (lambda: FractionalResNet(Blocks(plain("tanh"), linear()), 2, 4, 0.5).infinite_width(), "inner"),
        (lambda: FractionalResNet(Blocks(relu(), relu()), 2, 4, 0.5).infinite_width(), "outer"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()
