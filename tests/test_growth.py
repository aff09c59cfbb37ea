"""The logarithm of the norm of a ReLU residual network, against published values and simulation."""

import numpy as np
import pytest
from scipy.integrate import quad

from deeplimits import growth


def test_the_constant_rate_changes_sign_between_width_3_and_4():
    rates = [growth.initial_rate(n) for n in (1, 2, 3, 4, 5, 8)]
    assert rates == pytest.approx([-1 / 2, -1 / 6, -1 / 21, 1 / 60, 0.0581, 0.1260], abs=6e-5)
    assert growth.initial_rate(10**6) == pytest.approx(0.25, abs=2e-6)
    # Without conditioning on an active neuron width 1 would have -3/4 and width 4 no growth.
    assert abs(rates[0] - (1 / 4 - 1)) > 0.2 and abs(rates[3] - (1 / 4 - 1 / 4)) > 0.01


def test_active_neurons_drain_at_the_published_speed():
    speeds = [growth.drain(n) for n in (2, 3, 4, 5, 8)]
    assert speeds == pytest.approx([0.01995, 0.01662, 0.01370, 0.01162, 0.00799], abs=6e-6)
    assert growth.drain(1) == 0 and growth.active_probability(1) == 1
    # At large width the length of the positive part is sqrt(n / 2).
    assert growth.drain(4000) == pytest.approx(1 / (3 * np.pi * np.sqrt(2) * 4000), rel=1e-3)


def test_the_mean_with_the_drain_is_closer_to_the_exact_value():
    # Width 2 solved as an equation on the circle: -0.16964 at time 1.
    assert growth.mean_log_norm(2, 1.0) == pytest.approx(-0.16964, abs=0.0011)
    assert abs(growth.initial_rate(2) + 0.16964) > 2 * abs(growth.mean_log_norm(2, 1.0) + 0.16964)


def test_the_large_width_variance_and_its_parts():
    assert growth.log_norm_variance(0.5) == pytest.approx(0.51790, abs=6e-6)
    drift = quad(lambda s: quad(lambda u: np.arcsin(np.exp(-abs(s - u) / 4)), 0, 1, points=[s])[0], 0, 1)[0]
    drift /= 8 * np.pi
    shared = quad(lambda s: np.arccos(np.exp(-s / 4)) - np.exp(-s / 4) * np.sqrt(1 - np.exp(-s / 2)), 0, 1)[0] / np.pi
    assert [drift, shared] == pytest.approx([0.0478, 0.0257], abs=6e-5)
    assert growth.log_norm_variance([0.0, 1.0]) == pytest.approx([0, 1 + drift + shared], abs=1e-7)


@pytest.mark.parametrize("width, wrong", [(3, 1 / 4 - 1 / 3), (8, 1 / 4)])
def test_networks_have_this_mean_and_nearly_this_variance(width, wrong):
    rng, depth, paths = np.random.default_rng(2), 100, 20000
    x = rng.standard_normal((paths, width))
    x = x[np.any(x > 0, axis=1)]
    start = np.linalg.norm(np.maximum(x, 0), axis=1)
    for _ in range(depth):
        size = np.linalg.norm(np.maximum(x, 0), axis=1)
        x = x + size[:, None] * rng.standard_normal(x.shape) / np.sqrt(width * depth)
    end = np.linalg.norm(np.maximum(x, 0), axis=1)
    growths = np.log(end[end > 0] / start[end > 0])
    allowed = 4.5 * growths.std() / np.sqrt(len(growths)) + 1 / (2 * depth)
    assert abs(growths.mean() - growth.mean_log_norm(width, 1.0)) < allowed
    # The rate without the condition, and that of infinite width.
    assert abs(growths.mean() - wrong) > allowed
    assert width * growths.var() == pytest.approx(growth.log_norm_variance(1.0), rel=0.05)


@pytest.mark.parametrize(
    "call",
    [
        lambda: growth.initial_rate(0),
        lambda: growth.drain(1.5),
        lambda: growth.mean_log_norm(2, -1),
        lambda: growth.log_norm_variance(np.nan),
        lambda: growth.active_probability(-2),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
