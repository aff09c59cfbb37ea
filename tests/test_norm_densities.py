"""The law of the norm: published numbers, exact paths, stationary laws, explosions as atoms, its own grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammainc

from deeplimits import activations, densities
from deeplimits.densities import _norm


def exact_paths(b, V0, time, steps, paths, seed):
    """V = M / (1/V0 - b int M), with M a geometric Brownian motion: +inf once the integral is too large."""
    rng = np.random.default_rng(seed)
    dt, log, integral = time / steps, np.zeros(paths), np.zeros(paths)
    for _ in range(steps):
        before = np.exp(log)
        log = log + np.sqrt(2 * dt) * rng.standard_normal(paths) - (b + 1) * dt
        integral += dt * (before + np.exp(log)) / 2
    left = 1 / V0 - b * integral
    return np.where(left > 0, np.exp(log) / np.where(left > 0, left, 1), np.inf)


@pytest.mark.parametrize(
    "b, V0, time, probability",
    [(1, 1, 0.5, 0.0266), (1, 1, 1, 0.1419), (1, 1, 2, 0.2346), (0.75, 1, 1, 0.0986), (3, 1, 0.5, 0.2048)],
)
def test_published_explosion_probabilities_before_a_time(b, V0, time, probability):
    law = densities.norm(b, V0, time)
    # The published grid was coarser: it is right to one unit of its last digit.
    assert law.explosion_probability == pytest.approx(probability, abs=1e-4)
    assert 0 < law.error < 2e-5


@pytest.mark.slow
def test_a_norm_that_starts_far_above_1_has_exploded_at_once():
    law = densities.norm(20, 20, 0.1)
    assert law.explosion_probability == 1 and law.ppf(0.01) == np.inf and law.cdf(1e9) == 0
    assert densities.norm(1, 900, 0.002).explosion_probability > 0.999999
    assert densities.norm(1, 900, 0.0005).explosion_probability < 1e-6


def test_published_tails_of_silu():
    law = densities.norm(activations.smooth("silu"), 1.0, 1.0)
    assert 1 - law.cdf([8, 0.5]) == pytest.approx([0.1255, 0.392], abs=6e-4)


@pytest.mark.slow
@pytest.mark.parametrize("b, V0", [(1, 1), (0.5, 2), (3, 0.4)])
def test_in_the_end_the_closed_form_has_exploded(b, V0):
    law = densities.norm(b, V0, 40.0)
    assert law.explosion_probability == pytest.approx(gammainc(b + 1, b * V0), abs=2e-5)
    # Without the +1 of the noise the shape of the gamma function would be b.
    assert abs(law.explosion_probability - gammainc(b, b * V0)) > 1e-3


@pytest.mark.parametrize("b, V0, time", [(1, 1, 1), (3, 0.5, 0.5), (-2, 1.7, 1), (-0.5, 1, 2), (-8, 0.3, 0.3)])
def test_exact_paths_follow_the_law_through_the_explosion(b, V0, time):
    V = exact_paths(b, V0, time, 500, 20000, seed=3)
    law = densities.norm(b, V0, time)
    at = np.quantile(np.where(np.isfinite(V), V, 1e300), np.linspace(0.02, 0.98, 49))
    gap = np.abs((V[:, None] <= at).mean(0) - law.cdf(at)).max()
    limit = stats.kstwo.isf(1e-5, len(V))
    assert gap < limit and abs(np.isinf(V).mean() - law.explosion_probability) < 5 * np.sqrt(0.25 / len(V))
    wrong = densities.norm(0.5 * b, V0, time)
    assert np.abs((V[:, None] <= at).mean(0) - wrong.cdf(at)).max() > limit


@pytest.mark.parametrize("b, tolerance", [(-8.0, 1e-6), (-3.0, 1e-6), (-2.0, 2e-4)])
def test_below_minus_one_the_law_settles_to_a_gamma_law(b, tolerance):
    law = densities.norm(b, 1.5, 20.0)
    settled = stats.gamma(-b - 1, scale=-1 / b)
    V = settled.ppf(np.linspace(0.02, 0.98, 25))
    assert law.cdf(V) == pytest.approx(settled.cdf(V), abs=tolerance + 2 * law.error)
    assert [law.mean(), law.var()] == pytest.approx([settled.mean(), settled.var()], abs=1e-5 + tolerance)
    assert abs(law.mean() - 1) > 0.1  # the norm is not preserved


def test_vanishing_norms():
    assert densities.norm(-0.5, 1.0, 40.0).ppf(0.5) < 1e-6


def test_without_a_third_derivative_the_norm_is_log_normal():
    for activation in (
        activations.shaped_relu(0, -1),
        activations.shaped_relu(1, 1, 0.25),
        activations.linear(),
        0,
        activations.smooth("gelu", exponent=1.0),
    ):
        law = densities.norm(activation, 1.5, 0.5)
        log = stats.norm(np.log(1.5) - 0.5, 1)
        V = np.array([0.1, 0.7, 3.0])
        assert law.cdf(V) == pytest.approx(log.cdf(np.log(V))) and law.pdf(V) == pytest.approx(log.pdf(np.log(V)) / V)
        assert [law.mean(), law.var()] == pytest.approx([1.5, 2.25 * (np.e - 1)])
        assert law.ppf(0.5) == pytest.approx(1.5 * np.exp(-0.5)) and law.explosion_probability == law.error == 0


def test_small_b_is_a_small_change():
    V = np.geomspace(0.01, 20, 30)
    for b in (1e-6, -1e-6):
        assert densities.norm(b, 1.0, 1.0).cdf(V) == pytest.approx(densities.norm(0, 1.0, 1.0).cdf(V), abs=1e-5)


def test_a_norm_that_can_explode_has_no_mean_and_an_atom_at_infinity():
    law = densities.norm(1, 1, 1)
    p = law.explosion_probability
    assert law.mean() == law.var() == np.inf and law.cdf(np.inf) == 1
    assert law.cdf(1e300) == pytest.approx(1 - p) and law.pdf([-1, 0, np.inf]).tolist() == [0, 0, 0]
    assert law.ppf([1 - p - 1e-3, 1 - p + 1e-6]).tolist()[1] == np.inf
    assert np.isfinite(law.ppf(1 - p - 1e-3))
    # Far out the density is the rate of explosion over b V^2.
    later, sooner = (densities.norm(1, 1, t).explosion_probability for t in (1.005, 0.995))
    assert law.pdf(300.0) * 300**2 == pytest.approx((later - sooner) / 0.01, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("b, V0, time", [(1, 1, 1), (-3, 2, 0.7), (3, 0.5, 0.5)])
def test_the_error_falls_with_the_square_of_the_cell_and_is_what_is_stated(b, V0, time):
    V = np.geomspace(0.02, 20, 100)
    laws = [_norm._solve(b, V0, time, 1 / cells) for cells in (50, 100, 200, 800)]
    errors = [np.abs(law.cdf(V) - laws[-1].cdf(V)).max() for law in laws[:-1]]
    assert np.all(-np.diff(np.log2(errors)) > 1.7)
    law = densities.norm(b, V0, time)
    assert np.abs(law.cdf(V) - laws[-1].cdf(V)).max() < law.error + errors[-1] / 4


def test_the_density_is_the_slope_and_the_quantile_the_inverse():
    law = densities.norm(-2, 1.0, 1.0)
    V, step = np.array([0.1, 0.5, 1.3]), 1e-4
    assert law.pdf(V) == pytest.approx((law.cdf(V + step) - law.cdf(V - step)) / 2 / step, rel=1e-3)
    p = np.linspace(0.01, 0.99, 20)
    assert law.cdf(law.ppf(p)) == pytest.approx(p, abs=1e-10)
    assert law.expect(lambda V: V**2) == pytest.approx(law.var() + law.mean() ** 2)


@pytest.mark.slow
@given(b=st.floats(-10, 5), V0=st.floats(0.01, 20), time=st.floats(0.01, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_every_law_is_a_law(b, V0, time):
    law = densities.norm(b, V0, time)
    assert 0 <= law.explosion_probability <= 1 and 0 <= law.error < 1e-3
    V = np.concatenate([[0], np.geomspace(1e-8, 1e8, 60)])
    assert np.all(np.diff(law.cdf(V)) > -1e-12) and law.cdf(0.0) == 0 and np.all(law.pdf(V) >= 0)
    assert law.mean() > 0 and law.var() > 0
    if b > 0:
        assert law.explosion_probability < gammainc(b + 1, b * V0) + law.error + 1e-6


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("quux", 1, 1), "activation must"),
        ((activations.relu(), 1, 1), "unshaped"),
        ((np.nan, 1, 1), "activation must"),
        ((activations.plain("tanh"), 1, 1), "activation must"),
        ((1, 0, 1), "V0 must"),
        ((1, np.inf, 1), "V0 must"),
        ((1, 1, 0), "time must"),
        ((1, 1, np.nan), "time must"),
        ((1, 1e4, 1), "explodes"),
        ((activations.smooth("tanh", exponent=0.3), 1, 1), "exponent"),
    ],
)
def test_laws_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        densities.norm(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda law: law.cdf(np.nan),
        lambda law: law.pdf(np.nan),
        lambda law: law.ppf(1),
        lambda law: law.expect(lambda V: V * np.nan),
    ],
)
def test_questions_without_an_answer_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call(densities.norm(-2, 1.0, 0.1))
