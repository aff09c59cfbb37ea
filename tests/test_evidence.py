"""A check must accept the truth, reject what is false, and fail without a working control."""

import numpy as np
import pytest
from judged import NORMAL, RNG, SHIFTED, TESTS, above, below, equal, ks, rate, z
from scipy import stats

from deeplimits import evidence
from deeplimits.evidence import Estimate


@pytest.mark.parametrize("test", TESTS)
def test_a_true_prediction_with_a_rejected_control_passes(test):
    check = test()
    assert check.verdict == "holds" and check.control.rejected and check.passed


@pytest.mark.parametrize(
    "test, false", [(z, 0.5), (ks, SHIFTED[1]), (rate, -0.5), (equal, (1.0, 2.1)), (below, -0.5), (above, 0.5)]
)
def test_a_false_prediction_fails(test, false):
    check = test(false)
    assert check.verdict == "fails" and not check.passed


@pytest.mark.parametrize(
    "test, blind",
    [
        (z, 0.001),
        (ks, ("the same law", stats.norm.cdf)),
        (rate, -1.01),
        (equal, (1.0, 2.0)),
        (below, 0.6),
        (above, -0.6),
        (below, 0.0),
        (above, 0.0),
    ],
)
def test_a_control_that_the_data_cannot_reject_leaves_the_check_undecided(test, blind):
    check = test(control=blind)
    assert check.verdict == "undecided" and not check.control.rejected and not check.passed


@pytest.mark.parametrize("test", [below, above])
def test_a_bound_within_the_error_is_neither_shown_nor_refuted(test):
    check = test(0.0, control=-9.0 if test is below else 9.0)
    assert check.verdict == "undecided" and check.control.rejected


ONE = Estimate(0.0, 1.0)
BORDER = stats.norm.isf(evidence.LEVEL / 2), stats.norm.isf(evidence.LEVEL)
LINE = Estimate([1.0, 0.5], [0.01, 0.005])


def at_distance(distance, **more):
    """A sample at a Kolmogorov distance of the uniform law, by moving it; and a law far away."""
    samples = (np.arange(1000) + 0.5) / 1000 + distance - 0.0005
    return ks(lambda x: np.clip(x, 0, 1), ("far", lambda x: np.clip(x - 0.5, 0, 1)), samples, **more)


@pytest.mark.parametrize(
    "call",
    [
        lambda f: z(BORDER[0] * f, 99.0, ONE),
        lambda f: z(-BORDER[0] * f, 99.0, ONE),
        lambda f: z((BORDER[0] + 2) * f, 99.0, ONE, bias=2.0),
        lambda f: z(Estimate(BORDER[0] * 5 * f, 4.0), 999.0, Estimate(0.0, 3.0)),
        lambda f: rate(-1.0 - f * (BORDER[0] * 0.02 / np.log(2) * 2**-0.5 + 0.02), -9.0, LINE, x=[1.0, 2.0]),
        lambda f: equal((1.0, 2.0 + 1e-3 * f), (2.0, 3.0), (1.0, 2.0), tolerance=1e-3),
        lambda f: below(BORDER[1] / f, -99.0, ONE),
        lambda f: above(-BORDER[1] / f, 99.0, ONE),
        lambda f: at_distance(stats.kstwo.isf(evidence.LEVEL, 1000) * f),
        lambda f: at_distance((stats.kstwo.isf(evidence.LEVEL, 1000) + 0.1) * f, bias=0.1),
    ],
)
def test_a_prediction_holds_up_to_the_border_of_its_criterion(call):
    assert call(0.99).verdict == "holds"
    assert call(1.01).verdict in ("fails", "undecided")


@pytest.mark.parametrize(
    "call",
    [
        lambda f: z(0.0, BORDER[0] * f, ONE),
        lambda f: z(0.0, (BORDER[0] + 2) * f, ONE, bias=2.0),
        lambda f: rate(-1.0, -1.0 - f * (BORDER[0] * 0.02 / np.log(2) * 2**-0.5 + 0.02), LINE, x=[1.0, 2.0]),
        lambda f: equal((1.0, 2.0), (1.0, 2.0 + 1e-3 * f), (1.0, 2.0), tolerance=1e-3),
        lambda f: below(99.0, -BORDER[1] * f, ONE),
        lambda f: above(-99.0, BORDER[1] * f, ONE),
        lambda f: ks(
            lambda x: np.clip(x, 0, 1),
            ("moved", lambda x: np.clip(x + stats.kstwo.isf(evidence.LEVEL, 1000) * f - 0.0005, 0, 1)),
            (np.arange(1000) + 0.5) / 1000,
        ),
    ],
)
def test_a_control_is_rejected_from_the_border_of_the_criterion_on(call):
    assert call(1.01).verdict == "holds"
    assert call(0.99).verdict == "undecided"


def test_every_component_of_a_control_is_rejected_where_it_differs_from_the_claim():
    pair = Estimate([0.0, 0.0], 1.0)
    assert z([0.0, 0.0], observed=pair, control=[9.0, 8.0]).passed
    assert z([0.0, 0.0], observed=pair, control=[9.0, 1.0]).verdict == "undecided"
    assert z([0.0, 0.0], observed=pair, control=[9.0, 8.0]).control.statistic == 8
    assert "wrong: not rejected at 1" in str(z([0.0, 0.0], observed=pair, control=[9.0, 1.0]))
    same = z([0.0, 0.0], observed=pair, control=[9.0, 0.0])
    assert same.passed and same.control.judged.tolist() == [True, False] and "in 1 of 2 components" in str(same)
    assert z([0.0, 0.0], observed=pair, control=[0.0, 0.0]).verdict == "undecided"


def test_the_least_difference_of_a_control_that_counts_can_be_named():
    def named(least):
        pair = Estimate([0.0, 0.0], 1.0)
        return evidence.z_test("a-claim", pair, 0.0, control=("wrong", [9.0, 1.0], least), seed=1)

    assert named(2.0).passed and named(2.0).control.statistic == 9 and named([0.0, 2.0]).passed
    assert named(0.5).verdict == named(10.0).verdict == "undecided"


def test_a_control_that_differs_by_rounding_alone_is_no_control():
    pair = Estimate([1.0, 1.0], 1e-12)
    assert z(1.0, [1.0 + 1e-10, 2.0], pair).control.judged.tolist() == [False, True]
    assert z(1.0, [1.0 + 1e-8, 2.0], pair).control.judged.tolist() == [True, True]


@pytest.mark.parametrize(
    "call",
    [
        lambda e: z(e, 99.0, Estimate(3.0, 0.1)),
        lambda e: z(e, 99.0, Estimate(3.0, 0.1), bias=0.3),
        lambda e: rate(e, -9.0),
        lambda e: equal(e, 9.0, 3.0, tolerance=0.2),
    ],
)
def test_the_interval_that_is_accepted_is_the_set_of_predictions_that_hold(call):
    low, high = call(3.0).accepts["prediction"]
    width = high - low
    assert all(call(e).passed for e in (low + 0.01 * width, high - 0.01 * width))
    assert not any(call(e).passed for e in (low - 0.01 * width, high + 0.01 * width))


def test_a_bound_accepts_all_bounds_beyond_the_margin():
    (low, none), (end, high) = below(observed=ONE).accepts["prediction"], above(observed=ONE).accepts["prediction"]
    assert none is end is None and low == pytest.approx(BORDER[1]) and high == pytest.approx(-BORDER[1])


def test_sharpness_is_half_the_widest_interval_relative_to_what_is_predicted():
    pair = Estimate([2.0, 0.1], [0.01, 0.02])
    check = z([2.0, 0.1], [9.0, 9.0], pair)
    assert check.sharpness == pytest.approx(check.limit * 0.02 / 2) and check.scale == "prediction"
    assert z(0.0, 4.0, Estimate(0.0, 0.1)).sharpness == pytest.approx(BORDER[0] * 0.1 / 4)
    assert rate(tolerance=0.3, control=-0.1).sharpness == pytest.approx(0.3, abs=0.05)
    assert below().sharpness is None and "% of the prediction" in str(z(2.0, 9.0, Estimate(2.0, 0.01)))


@pytest.mark.parametrize("law", [stats.norm.cdf, RNG.standard_normal(100_000)])
def test_the_moves_of_a_law_that_are_accepted_are_those_that_hold(law):
    iqr = np.subtract(*np.quantile(NORMAL, [0.75, 0.25]))
    check = ks(law)
    (left, right), (low, high) = check.accepts["shift"], check.accepts["stretch"]
    assert left < 0 < right and low < 1 < high and check.sharpness == max(-left, right, 1 - low, high - 1)

    def moved(shift=0.0, stretch=1.0):
        centre = np.median(NORMAL)
        if callable(law):
            return ks(lambda x: law(centre + (x - centre) / stretch - shift * iqr)).passed
        return ks(centre + (law - centre) * stretch + shift * iqr).passed

    assert all(moved(s) for s in (0.9 * left, 0.9 * right)) and not any(moved(s) for s in (1.1 * left, 1.1 * right))
    inner, outer = [low**0.9, high**0.9], [low**1.1, high**1.1]
    assert all(moved(0, k) for k in inner) and not any(moved(0, k) for k in outer)


def test_atoms_stay_where_they_are_when_a_law_is_moved():
    samples = np.where(np.arange(4000) % 4 == 0, 0.0, NORMAL)
    check = ks(
        samples=samples, law=lambda x: 0.75 * stats.norm.cdf(x) + 0.25 * (x >= 0), control=("no atom", stats.norm.cdf)
    )
    whole = ks()
    for name, centre in (("shift", 0), ("stretch", 1)):
        ends, plain = np.abs(np.subtract(check.accepts[name], centre)), np.abs(np.subtract(whole.accepts[name], centre))
        assert np.all(ends > 0.5 * plain) and np.all(ends < 3 * plain)


def test_of_a_law_that_is_rejected_no_move_is_accepted():
    check = ks(SHIFTED[1])
    assert check.accepts == {"shift": None, "stretch": None} and check.sharpness is None
    assert "not this law" in str(check)


def test_levels_are_divided_among_components():
    single = z(observed=Estimate(0.0, 1.0), control=9.0)
    many = z(observed=Estimate(np.zeros((20, 5)), 1.0), control=9.0)
    assert "4.42" in single.criterion and "5.33" in many.criterion
    assert z(observed=Estimate(4.41, 1.0), control=9.0).passed
    assert not z(observed=Estimate(4.43, 1.0), control=9.0).passed
    assert stats.norm.sf(5.33) * 2 * 100 == pytest.approx(evidence.LEVEL, rel=0.02)


def test_a_known_bias_widens_the_acceptance_for_prediction_and_control_alike():
    observed = Estimate(1.0, 0.01)
    assert not z(0.9, observed=observed).passed
    assert z(0.9, control=0.8, observed=observed, bias=0.06).passed
    assert not z(0.9, control=0.9, observed=observed, bias=0.06).passed
    assert not ks(SHIFTED[1]).passed
    by_two = ("shifted by two", lambda x: stats.norm.cdf(x - 2))
    assert ks(SHIFTED[1], bias=0.2, control=by_two).passed


def test_errors_of_both_sides_add_in_squares():
    check = z(Estimate(0.0, 4.0), observed=Estimate(1.0, 3.0), control=100.0)
    assert check.statistic == pytest.approx(1 / 5) and check.uncertainty == pytest.approx(5)
    assert check.control.statistic == pytest.approx(99 / 3)


@pytest.mark.parametrize("sizes", [(4000, 4000), (300, 4000)])
def test_two_samples_are_compared(sizes):
    x, y = RNG.standard_normal(sizes[0]), RNG.standard_normal(sizes[1])
    check = ks(y, control=("shifted", y + 0.8), samples=x)
    assert check.passed
    assert check.observed == pytest.approx(stats.ks_2samp(x, y).statistic, abs=1e-12)


def test_the_distance_to_a_continuous_law_is_the_textbook_one():
    assert ks().observed == pytest.approx(stats.kstest(NORMAL, "norm").statistic, abs=1e-12)


def test_atoms_and_explosions_are_part_of_the_law():
    # Half of the mass sits at 0.25, a tenth at infinity, the rest is uniform.
    def law(x):
        return 0.4 * np.clip(x, 0, 1) + 0.5 * (x >= 0.25) + 0.1 * np.isposinf(x)

    u = RNG.random(6000)
    samples = np.where(u < 0.5, 0.25, np.where(u < 0.6, np.inf, RNG.random(6000)))
    no_explosion = ("nothing explodes", lambda x: np.where(np.isposinf(x), 1, law(x) / 0.9))
    check = ks(law, control=no_explosion, samples=samples)
    assert check.passed and check.control.rejected


@pytest.mark.slow
def test_false_alarms_keep_to_the_level(monkeypatch):
    # At a level of 5 % instead of 1e-5, so that 2000 repetitions can tell.
    monkeypatch.setattr(evidence, "LEVEL", 0.05)
    far = ("shifted by nine", lambda x: stats.norm.cdf(x - 9))
    means = [evidence.mean(RNG.standard_normal((200, 4))) for _ in range(2000)]
    alarms = [
        sum(not z(np.zeros(4), control=9.0, observed=m).passed for m in means),
        sum(not ks(samples=RNG.standard_normal(100), control=far).passed for _ in range(2000)),
    ]
    assert np.all(np.abs(np.array(alarms) - 100) < 5 * np.sqrt(95))
