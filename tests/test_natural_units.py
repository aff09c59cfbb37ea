"""Laws on grids in units of their own spread: short and long times, small and large starts, limits that are stated."""

import pickle

import numpy as np
import pytest
from scipy import stats

from deeplimits import densities
from deeplimits.activations import linear, plain, relu, shaped_relu, smooth
from deeplimits.diffusions import CorrelationSDE, CovarianceSDE, NormSDE

LEAKY = shaped_relu(0, -1)
LAWS = {
    "norm": lambda: densities.norm(smooth("silu"), 1.0, 0.5),
    "log-normal": lambda: densities.norm(0.0, 2.0, 0.5),
    "correlation": lambda: densities.correlation(LEAKY, 0.3, 0.5),
    "width one": lambda: densities.width_one(plain("tanh"), 0.5, 0.5),
    "Ornstein-Uhlenbeck": lambda: densities.width_one(densities.OrnsteinUhlenbeck(), 0.5, 0.1),
    "mirror": lambda: densities.width_one(linear(), -0.5, 0.5),
    "atom": lambda: densities.width_one(relu(), -0.5, 0.5),
}


def test_the_quantiles_of_a_very_short_time():
    law = densities.norm(1.0, 1.0, 1e-8)
    assert law.ppf([0.1, 0.5, 0.9]) == pytest.approx([0.99981877, 0.99999999, 1.00018125], abs=1e-8)
    assert law.var() == pytest.approx(2e-8, rel=1e-5) and len(law.masses) < 10_000


@pytest.mark.parametrize("time", [1e-7, 1e-12, 1e-30, 1e-300])
@pytest.mark.parametrize("b", [1.0, -2.0])
def test_at_short_times_the_norm_is_log_normal_on_the_same_grid(b, time):
    law = densities.norm(b, 1.0, time)
    assert len(law.masses) < 10_000 and law.error < 1e-5
    z = np.sqrt(time) * np.linspace(-4, 4, 33)
    assert law._cdf(z) == pytest.approx(stats.norm.cdf(z, -time / np.sqrt(2), np.sqrt(time)), abs=2e-6 + np.sqrt(time))
    assert law.var() == pytest.approx(2 * time, rel=1e-5) and law.mean() == pytest.approx(1)


@pytest.mark.parametrize("time", [1e-6, 1e-12, 1e-30, 1e-300])
@pytest.mark.parametrize("rho0", [0.0, 0.3, -0.999])
def test_at_short_times_the_correlation_is_normal_on_the_same_grid(rho0, time):
    law = densities.correlation(LEAKY, rho0, time)
    assert len(law.masses) < 10_000 and law.mean() == pytest.approx(rho0, abs=10 * time + 1e-12 * time**0.5)
    assert law.var() == pytest.approx((1 - rho0**2) ** 2 * time, rel=1e-4 + 10 * np.sqrt(time), abs=0)


@pytest.mark.parametrize("time", [1e-6, 1e-30, 1e-300])
def test_at_short_times_a_neuron_is_normal_on_the_same_grid(time):
    law = densities.width_one(plain("tanh"), 0.7, time)
    assert law.var() == pytest.approx(np.tanh(0.7) ** 2 * time, rel=1e-2) or time < 1e-20
    assert len(law.masses) < 10_000 and law.mean() == pytest.approx(0.7)


@pytest.mark.parametrize("time", [1e3, 1e6, 1e300])
@pytest.mark.parametrize("b, V0", [(-2.0, 1.0), (-100.0, 1.0), (-100.0, 30.0), (-3.0, 1e-8)])
def test_below_minus_one_the_law_of_any_later_time_is_the_stationary_one(b, V0, time):
    law, settled = densities.norm(b, V0, time), stats.gamma(-b - 1, scale=-1 / b)
    V = settled.ppf(np.linspace(0.02, 0.98, 25))
    assert law.cdf(V) == pytest.approx(settled.cdf(V), abs=2 * law.error)
    assert [law.mean(), law.var()] == pytest.approx([settled.mean(), settled.var()], rel=1e-4)


def test_a_start_far_below_1_is_no_explosion():
    law = densities.norm(1.0, 1e-60, 10.0)
    assert law.explosion_probability < 1e-10 and law.mean() < 1e-60
    assert law.ppf(0.5) == pytest.approx(1e-60 * np.exp(-20), rel=1e-3)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: densities.norm(0.75, 1.0, 1e4), "time"),
        (lambda: densities.norm(-1.0, 1.0, 1e5), "time"),
        (lambda: densities.norm(1e3, 1.0, 1.0), "time"),
        (lambda: densities.norm(-1e13, 1.0, 1.0), "activation"),
        (lambda: densities.norm(-1e8, 1e300, 1e-300), "V0"),
        (lambda: densities.correlation(LEAKY, 0.3, 1e7), "time"),
        (lambda: densities.correlation(shaped_relu(1e7, 0), 0.3, 1.0), "activation"),
        (lambda: densities.width_one(plain("tanh"), 0.5, 1e10), "time"),
        (lambda: densities.width_one(linear(), 0.5, 1e301), "time"),
    ],
)
def test_what_a_grid_cannot_hold_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=rf"^{name} must"):
        call()


def test_the_limit_that_is_stated_is_one():
    with pytest.raises(ValueError, match="time must be at most") as found:
        densities.norm(1e3, 1.0, 1.0)
    most = float(str(found.value).split("at most ")[1].split()[0])
    assert densities._norm._cells(1e3, 1.0, 0.98 * most) < densities._norm.MOST_CELLS
    assert densities._norm._cells(1e3, 1.0, 1.02 * most) > densities._norm.MOST_CELLS


@pytest.mark.filterwarnings("error")
def test_moments_beyond_double_precision_are_infinite_and_quiet():
    assert densities.norm(0, 1e300, 1.0).var() == densities.norm(0, 1.0, 400.0).var() == np.inf
    assert densities.norm(0, 1e300, 1.0).mean() == 1e300
    law = densities.norm(-100.0, 1.0, 1.0)
    settled = stats.gamma(99, scale=1 / 100)
    assert [law.mean(), law.var(), law.std()] == pytest.approx([settled.mean(), settled.var(), settled.std()], rel=1e-4)


@pytest.mark.parametrize("make", LAWS.values(), ids=LAWS)
def test_every_law_speaks_as_a_frozen_distribution_does(make):
    law, again = make(), pickle.loads(pickle.dumps(make()))
    assert isinstance(law, densities.Law)
    p = np.array([0.1, 0.5, 0.9])
    values = law.rvs(4000, 1)
    assert np.array_equal(again.ppf(p), law.ppf(p)) and np.array_equal(again.cdf(values), law.cdf(values))
    assert again.mean() == law.mean() and law.std() == np.sqrt(law.var())
    assert np.array_equal(values, law.rvs(4000, np.random.default_rng(1))) and values.shape == (4000,)
    if law.var() > 0:
        assert stats.kstest(values, law.cdf).pvalue > 1e-5 and np.all(law.pdf(values) >= 0)
        assert stats.kstest(values + law.ppf(0.6) - law.ppf(0.4), law.cdf).pvalue < 1e-5
    with pytest.raises(ValueError, match="size must"):
        law.rvs(0, 1)
    with pytest.raises(ValueError, match="random_state must"):
        law.rvs(1, None)


@pytest.mark.parametrize(
    "process, initial, steps, least",
    [
        (NormSDE(smooth("x + x**3/6", a=1e-2), 10.0), 1.0, 128, 1000),
        (CovarianceSDE(smooth("tanh", a=1e-2), 10.0), np.eye(2), 128, 2000),
        (CovarianceSDE(LEAKY, 1e6), np.eye(3), 128, 100_000),
        (CorrelationSDE(LEAKY, 1e6), 0.3, 8, 100_000),
        (CorrelationSDE(shaped_relu(0, -1e3), 1.0), 0.3, 10, 100),
    ],
)
def test_steps_that_leave_double_precision_are_refused_with_how_many_it_takes(process, initial, steps, least):
    with pytest.raises(ValueError, match=f"steps must be at least {least:g}, so that .*, got {steps}"):
        process.sample(initial, 3, 1, steps=steps)
