"""Estimates have the standard errors that their samples have."""

import numpy as np
import pytest

from deeplimits import evidence
from deeplimits.evidence import Estimate

RNG = np.random.default_rng(20220603)


def test_the_mean_has_the_standard_error_of_a_mean():
    samples = RNG.standard_normal((2000, 50)) * 3 + 1
    estimate = evidence.mean(samples)
    assert estimate.value.shape == (50,)
    assert np.allclose(estimate.error, 3 / np.sqrt(2000), rtol=0.1)
    assert np.std((estimate.value - 1) / estimate.error) == pytest.approx(1, abs=0.35)
    assert evidence.mean(samples, axis=1).value.shape == (2000,)


def test_the_variance_has_the_standard_error_of_its_own_sampling():
    samples = RNG.exponential(size=(400, 3000))
    estimate = evidence.variance(samples)
    scores = (estimate.value - 1) / np.sqrt((9 - 1) / 400)
    assert np.mean(estimate.value) == pytest.approx(1, abs=5 * np.sqrt(8 / 400 / 3000))
    assert np.std(scores) == pytest.approx(1, abs=0.1)
    assert np.median(estimate.error) == pytest.approx(np.sqrt(8 / 400), rel=0.25)


def test_the_slope_recovers_an_exponent_with_its_error():
    x = np.array([10.0, 20.0, 50.0, 100.0])
    truth = 3 / x**0.5
    slopes = [
        evidence.slope(x, Estimate(truth * (1 + 0.02 * RNG.standard_normal(4)), 0.02 * truth)) for _ in range(500)
    ]
    values = np.array([s.value for s in slopes])
    assert values.mean() == pytest.approx(-0.5, abs=5 * values.std() / np.sqrt(500))
    assert values.std() == pytest.approx(slopes[0].error, rel=0.15)


def test_the_slope_trusts_precise_points_more():
    observed = Estimate([1.0, 0.1, 0.05], [1e-4, 1e-5, 1e-2])
    assert evidence.slope([1.0, 10.0, 100.0], observed).value == pytest.approx(-1, abs=1e-3)


def test_the_root_of_a_mean_square_has_the_error_of_its_own_sampling():
    samples = 2 * RNG.standard_normal((3000, 400))
    estimate = evidence.root_mean_square(samples)
    assert np.mean(estimate.value) == pytest.approx(2, abs=5 * 2 / np.sqrt(2 * 400 * 3000) + 2 / (4 * 400))
    assert np.std((estimate.value - 2) / estimate.error) == pytest.approx(1, abs=0.1)
    assert np.median(estimate.error) == pytest.approx(2 / np.sqrt(2 * 400), rel=0.05)
    assert evidence.root_mean_square(samples, axis=0).value.shape == (400,)


def test_the_root_of_nothing_but_zeros_has_no_error():
    with pytest.raises(ValueError, match="mean square of errors must be finite numbers > 0"):
        evidence.root_mean_square(np.zeros(5))


def test_the_mean_of_an_event_is_its_share():
    assert evidence.mean(RNG.standard_normal(4000) > 0).value == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="samples must be an array of real numbers"):
        evidence.mean([True, False])
