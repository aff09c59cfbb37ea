"""A check must accept the truth, reject what is false, and fail without a working control."""

import json

import numpy as np
import pytest
from scipy import stats

from deeplimits import evidence
from deeplimits.evidence import Estimate

RNG = np.random.default_rng(20220602)
NORMAL = RNG.standard_normal(4000)
SHIFTED = ("shifted by half", lambda x: stats.norm.cdf(x - 0.5))
MEAN = evidence.mean(NORMAL)
WIDTHS = np.array([16.0, 36.0, 100.0])
RATE = Estimate(0.75 / WIDTHS * (1 + 0.01 * RNG.standard_normal(3)), 0.0075 / WIDTHS)


def z(expected=0.0, control=0.5, observed=MEAN, **more):
    return evidence.z_test("a-claim", observed, expected, control=("wrong", control), seed=1,
                           **more)


def ks(law=stats.norm.cdf, control=SHIFTED, samples=NORMAL, **more):
    return evidence.ks_test("a-claim", samples, law, control=control, seed=1, **more)


def rate(expected=-1.0, control=-0.5, observed=RATE, tolerance=0.02):
    return evidence.slope_test("a-claim", WIDTHS, observed, expected, tolerance=tolerance,
                               control=("half", control), seed=1)


def equal(expected=(1.0, 2.0), control=(1.0, 3.0), observed=(1.0, 2.0 + 1e-9), tolerance=1e-8):
    return evidence.equality("a-claim", observed, expected, tolerance=tolerance,
                             control=("wrong", control))


def less(bound=0.5, control=-0.5):
    return evidence.less_test("a-claim", MEAN, bound, control=("wrong bound", control), seed=1)


@pytest.mark.parametrize("test", [z, ks, rate, equal, less])
def test_a_true_prediction_with_a_rejected_control_passes(test):
    check = test()
    assert check.accepted and check.control.rejected and check.passed


@pytest.mark.parametrize("test, false", [
    (z, 0.5), (ks, SHIFTED[1]), (rate, -0.5), (equal, (1.0, 2.1)), (less, -0.5)])
def test_a_false_prediction_fails(test, false):
    check = test(false)
    assert not check.accepted and not check.passed


@pytest.mark.parametrize("test, blind", [
    (z, 0.001), (ks, ("the same law", stats.norm.cdf)), (rate, -1.01), (equal, (1.0, 2.0)),
    (less, 0.6)])
def test_a_control_that_the_data_cannot_reject_makes_the_check_fail(test, blind):
    check = test(control=blind)
    assert check.accepted and not check.control.rejected and not check.passed


@pytest.mark.parametrize("control", [None, 0.3, ("", 0.3), (0.3, 0.3), ("only a name",)])
def test_a_check_without_a_control_is_refused(control):
    with pytest.raises(ValueError, match="control must be"):
        evidence.z_test("a-claim", MEAN, 0.0, control=control, seed=1)


@pytest.mark.parametrize("call", [
    lambda: Estimate(np.nan, 1.0), lambda: Estimate(1.0, np.nan), lambda: Estimate(1.0, -1.0),
    lambda: Estimate([], 1.0), lambda: evidence.mean([1.0, np.nan]), lambda: evidence.mean([1.0]),
    lambda: evidence.mean(3.0), lambda: z(np.nan), lambda: z(control=np.inf), lambda: z([0.0, 1.0]),
    lambda: z(bias=-1), lambda: z(observed=Estimate(1.0, 0.0)), lambda: ks(samples=[0.0, np.nan]),
    lambda: ks(samples=[]), lambda: ks(samples=NORMAL.reshape(2, -1)), lambda: ks(law=[np.nan]),
    lambda: ks(law=lambda x: np.nan * x), lambda: ks(law=lambda x: 0 * x + 2),
    lambda: ks(bias=-0.1), lambda: rate(np.nan), lambda: equal((1.0, np.nan)),
    lambda: equal(tolerance=0.0), lambda: equal(observed=(np.inf, 1.0)),
    lambda: rate(observed=Estimate([-1.0, 1.0, 1.0], 0.1)),
    lambda: rate(observed=Estimate([1.0, 1.0, 0.2], 0.1)),
    lambda: evidence.slope([2.0, 2.0], Estimate([1.0, 1.0], 0.1)),
])
def test_unusable_numbers_are_refused(call):
    with pytest.raises(ValueError, match=r"must|samples"):
        call()


@pytest.mark.parametrize("id", ["", "A7", "two words", "-x", "x--y"])
def test_an_id_that_is_not_a_slug_is_refused(id):
    with pytest.raises(ValueError, match="id must be a slug"):
        evidence.z_test(id, MEAN, 0.0, control=("wrong", 0.5), seed=1)


@pytest.mark.parametrize("seed", [1.5, "1", -1, [1, "2"]])
def test_a_seed_that_is_not_whole_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be"):
        evidence.z_test("a-claim", MEAN, 0.0, control=("wrong", 0.5), seed=seed)


@pytest.mark.parametrize("test", [z, ks, rate, equal, less])
def test_the_record_is_strict_json_with_every_field(test):
    record = test()._repr_mimebundle_()[evidence.MIME]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == {"id", "part", "kind", "observed", "uncertainty", "expected", "criterion",
                           "statistic", "passed", "control", "seed"}
    assert set(record["control"]) == {"variant", "expected", "statistic", "rejected"}
    assert isinstance(record["passed"], bool) and isinstance(record["statistic"], float)


def test_the_bundle_shows_the_verdict_as_text_html_and_record():
    bundle = z(part="width < 50")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", evidence.MIME}
    assert bundle["text/plain"].startswith("Holds: a-claim (width < 50)")
    assert 'class="claim-check pass"' in bundle["text/html"] and "Holds" in bundle["text/html"]
    assert "width &lt; 50" in bundle["text/html"] and "style=" not in bundle["text/html"]
    failed = z(0.5)._repr_mimebundle_()["text/html"]
    assert 'class="claim-check fail"' in failed and "Fails" in failed


def test_numbers_are_shown_to_the_digits_that_their_error_leaves():
    check = z(0.5, observed=Estimate(0.495712, 0.00531), control=0.1594)
    assert "observed 0.4957 ± 0.0053; predicted 0.5" in str(check)


def test_a_comparison_of_laws_shows_the_distance():
    assert "observed Kolmogorov distance 0.0" in str(ks()) and "the same law" in str(ks())


def test_a_tolerance_is_not_shown_as_a_standard_error_nor_a_bound_as_a_prediction():
    assert ", tolerance " in str(equal()) and "±" not in str(equal())
    assert "; below " in str(less()) and "predicted" not in str(less()).split("criterion")[0]


def test_an_array_shows_its_worst_component():
    check = z([0.0, 0.0], observed=Estimate([0.1, 3.9], 1.0), control=[9.0, 0.0])
    assert check.worst == (1,) and check.passed and "worst of 2" in str(check)


def test_levels_are_divided_among_components():
    single = z(observed=Estimate(0.0, 1.0), control=9.0)
    many = z(observed=Estimate(np.zeros((20, 5)), 1.0), control=9.0)
    assert "4.42" in single.criterion and "5.33" in many.criterion
    assert z(observed=Estimate(4.41, 1.0), control=9.0).accepted
    assert not z(observed=Estimate(4.43, 1.0), control=9.0).accepted
    assert stats.norm.sf(5.33) * 2 * 100 == pytest.approx(evidence.LEVEL, rel=0.02)


def test_a_known_bias_widens_the_acceptance_for_prediction_and_control_alike():
    observed = Estimate(1.0, 0.01)
    assert not z(0.9, observed=observed).accepted
    assert z(0.9, control=0.8, observed=observed, bias=0.06).passed
    assert not z(0.9, control=0.9, observed=observed, bias=0.06).passed
    assert not ks(SHIFTED[1]).accepted
    by_two = ("shifted by two", lambda x: stats.norm.cdf(x - 2))
    assert ks(SHIFTED[1], bias=0.2, control=by_two).passed


def test_errors_of_both_sides_add_in_squares():
    check = z(Estimate(0.0, 4.0), observed=Estimate(1.0, 3.0), control=100.0)
    assert check.statistic == pytest.approx(1 / 5) and check.uncertainty == pytest.approx(5)
    assert check.control.statistic == pytest.approx(99 / 3)


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
    slopes = [evidence.slope(x, Estimate(truth * (1 + 0.02 * RNG.standard_normal(4)), 0.02 * truth))
              for _ in range(500)]
    values = np.array([s.value for s in slopes])
    assert values.mean() == pytest.approx(-0.5, abs=5 * values.std() / np.sqrt(500))
    assert values.std() == pytest.approx(slopes[0].error, rel=0.15)


def test_the_slope_trusts_precise_points_more():
    observed = Estimate([1.0, 0.1, 0.05], [1e-4, 1e-5, 1e-2])
    assert evidence.slope([1.0, 10.0, 100.0], observed).value == pytest.approx(-1, abs=1e-3)


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


def test_false_alarms_keep_to_the_level(monkeypatch):
    # At a level of 5 % instead of 1e-5, so that 2000 repetitions can tell.
    monkeypatch.setattr(evidence, "LEVEL", 0.05)
    means = [evidence.mean(RNG.standard_normal((200, 4))) for _ in range(2000)]
    alarms = [sum(not z(np.zeros(4), observed=m).accepted for m in means),
              sum(not ks(samples=RNG.standard_normal(100)).accepted for _ in range(2000))]
    assert np.all(np.abs(np.array(alarms) - 100) < 5 * np.sqrt(95))
