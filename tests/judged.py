"""Checks of every kind, right unless told otherwise."""

import numpy as np
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
    return evidence.z_test("a-claim", observed, expected, control=("wrong", control), seed=1, **more)


def ks(law=stats.norm.cdf, control=SHIFTED, samples=NORMAL, **more):
    return evidence.ks_test("a-claim", samples, law, control=control, seed=1, **more)


def rate(expected=-1.0, control=-0.5, observed=RATE, tolerance=0.02, x=WIDTHS):
    return evidence.slope_test("a-claim", x, observed, expected, tolerance=tolerance, control=("half", control), seed=1)


def equal(expected=(1.0, 2.0), control=(1.0, 3.0), observed=(1.0, 2.0 + 1e-9), tolerance=1e-8):
    return evidence.equality("a-claim", observed, expected, tolerance=tolerance, control=("wrong", control))


def below(bound=0.5, control=-0.5, observed=MEAN):
    return evidence.below_test("a-claim", observed, bound, control=("wrong bound", control), seed=1)


def above(bound=-0.5, control=0.5, observed=MEAN):
    return evidence.above_test("a-claim", observed, bound, control=("wrong bound", control), seed=1)


TESTS = [z, ks, rate, equal, below, above]
