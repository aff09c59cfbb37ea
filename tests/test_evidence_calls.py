"""Checks of what cannot be checked are refused, and the extremes of double precision are not."""

import json

import numpy as np
import pytest
from judged import MEAN, NORMAL, equal, ks, rate, z
from scipy import stats

from deeplimits import evidence
from deeplimits.evidence import Estimate


@pytest.mark.parametrize("control", [None, 0.3, ("", 0.3), (0.3, 0.3), ("only a name",), ("four", 1, 2, 3)])
def test_a_check_without_a_control_is_refused(control):
    with pytest.raises(ValueError, match="control must be"):
        evidence.z_test("a-claim", MEAN, 0.0, control=control, seed=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Estimate(np.nan, 1.0),
        lambda: Estimate(1.0, np.nan),
        lambda: Estimate(1.0, -1.0),
        lambda: Estimate([], 1.0),
        lambda: evidence.mean([1.0, np.nan]),
        lambda: evidence.mean([1.0]),
        lambda: evidence.mean(3.0),
        lambda: z(np.nan),
        lambda: z(control=np.inf),
        lambda: z([0.0, 1.0]),
        lambda: z(bias=-1),
        lambda: z(observed=Estimate(1.0, 0.0)),
        lambda: ks(samples=[0.0, np.nan]),
        lambda: ks(samples=[]),
        lambda: ks(samples=NORMAL.reshape(2, -1)),
        lambda: ks(law=[np.nan]),
        lambda: ks(law=lambda x: np.nan * x),
        lambda: ks(law=lambda x: 0 * x + 2),
        lambda: evidence.z_test("a-claim", MEAN, 0.0, control=("wrong", 9.0, -1.0), seed=1),
        lambda: ks(bias=-0.1),
        lambda: rate(np.nan),
        lambda: equal((1.0, np.nan)),
        lambda: equal(tolerance=0.0),
        lambda: equal(observed=(np.inf, 1.0)),
        lambda: rate(observed=Estimate([-1.0, 1.0, 1.0], 0.1)),
        lambda: rate(observed=Estimate([1.0, 1.0, 0.2], 0.1)),
        lambda: evidence.slope([2.0, 2.0], Estimate([1.0, 1.0], 0.1)),
    ],
)
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


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: z(np.nan), "expected"),
        (lambda: z(control=np.nan), "the control's prediction"),
        (lambda: z(observed=0.5), "observed"),
        (lambda: z(np.ma.masked_array(0.0, True)), "expected"),
        (lambda: z(Estimate(0.0, 0.0), observed=Estimate(1.0, 0.0)), "error of observed - expected"),
        (lambda: evidence.below_test("a-claim", MEAN, "1", control=("wrong", 0.0), seed=1), "bound"),
        (lambda: evidence.z_test("a-claim", MEAN, 0.0, control=("wrong", 9.0, -1.0), seed=1), "the control's least"),
        (lambda: rate(tolerance=-1.0), "tolerance"),
        (lambda: rate(expected=1j), "expected_slope"),
        (lambda: rate(observed=Estimate([1.0, 0.5, 0.2], 1e-310)), "error of observed, relative to it,"),
        (lambda: ks(samples=np.ma.masked_array([0.0, 1.0], [True, False])), "samples"),
        (lambda: ks(samples=["1", "2"]), "samples"),
        (lambda: ks(law=[None, 1.0]), "law"),
        (lambda: ks(control=("moved", [np.nan])), "the control's prediction"),
        (lambda: z(part=3), "part"),
        (lambda: z(reason=None), "reason"),
        (lambda: evidence.mean([1.0, 2.0], axis=1), "axis"),
        (lambda: evidence.mean([[1.0, 2.0]], axis=0), "number of samples"),
        (lambda: evidence.root_mean_square([3.0]), "number of errors"),
        (lambda: evidence.variance([1e200, -1e200]), "variance of samples"),
    ],
)
def test_the_argument_that_is_wrong_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}.* must be"):
        call()


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 1e308])
def test_estimates_and_laws_do_not_depend_on_the_unit(scale):
    samples, unit = np.array([0.0, 1.0, 1.0, 1.5]), max(scale, 1e-308) / scale
    assert evidence.mean(samples * scale).value == pytest.approx(0.875 * scale, rel=1e-3)
    assert evidence.root_mean_square(samples * scale).error == pytest.approx(
        evidence.root_mean_square(samples).error * scale, rel=1e-2 if unit > 1 else 1e-12
    )
    if scale >= 1e-200:
        law, drawn = np.sort(np.tanh(NORMAL[::2])) / 4, np.tanh(NORMAL[1::2]) / 4
        here, there = (ks(law * s, ("far", (law + 0.5) * s), drawn * s) for s in (1.0, scale))
        assert here.passed and here.observed == there.observed
        assert there.accepts["shift"] == pytest.approx(here.accepts["shift"], rel=1e-4)


@pytest.mark.parametrize(
    ("observed", "error", "expected", "wrong"),
    [(1e308, 1e308, -1e308, 0.0), (1.0, 1e-320, 1.0, 2.0), (0.0, 1e-200, 1e-320, 1e300), (1e308, 1e300, 1e308, 1e307)],
)
def test_no_number_of_a_record_leaves_double_precision(observed, error, expected, wrong):
    estimate = Estimate(observed, error)
    check = evidence.z_test("a-claim", estimate, expected, control=("wrong", wrong), seed=1)
    assert json.dumps(check.record, allow_nan=False) and str(check)
    bound = evidence.below_test("a-claim", estimate, expected, control=("wrong", wrong), seed=1)
    assert json.dumps(bound.record, allow_nan=False) and bound._repr_html_()


def test_an_atom_at_minus_infinity_is_part_of_a_law():
    samples = np.where(np.arange(4000) % 4 == 0, -np.inf, NORMAL)

    def law(x):
        return 0.25 + 0.75 * stats.norm.cdf(x)

    check = ks(law, ("no atom", lambda x: (law(x) - 0.25) / 0.75), samples)
    assert check.passed and check.observed < 0.03
