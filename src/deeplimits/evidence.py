"""A claim against its samples: statistic, uncertainty, sharpness, negative control.

Each test compares an observation with a prediction and, by the same criterion, with the prediction
of a plausible wrong variant, its negative control. A check *holds* if the data accept the
prediction and reject the control, each component of both; it *fails* if they reject the
prediction, and is *undecided* otherwise. It knows how sharp it is: the interval of predictions
that the same data would have accepted. A test does not raise when it fails: the book's build reads
the record and decides. Definitions have no check.

A control is (name, prediction), and every component in which the prediction differs from the claim's
is judged. Where the variant hardly differs in some, it is (name, prediction, least), and those are
judged in which the two differ by `least` or more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ._checks import FloatArray
from ._estimates import Estimate, estimate, mean, numbers, root_mean_square, slope, variance
from ._judging import About, Prediction, Side, about, judge, like
from ._laws import Law, accepted, distance, sample
from .verdicts import MIME, Check, Control, Seed

__all__ = [
    "LEVEL",
    "MIME",
    "Check",
    "Control",
    "Estimate",
    "above_test",
    "below_test",
    "equality",
    "ks_test",
    "mean",
    "root_mean_square",
    "slope",
    "slope_test",
    "variance",
    "z_test",
]

#: Probability that a check rejects a true prediction, shared by its components.
LEVEL = 1e-5

Wrong = tuple[str, Prediction] | tuple[str, Prediction, ArrayLike]


def z_test(
    id: str,
    observed: Estimate,
    expected: Prediction,
    *,
    control: Wrong,
    seed: Seed,
    bias: ArrayLike = 0.0,
    part: str = "",
    reason: str = "",
) -> Check:
    """Check that an estimate agrees with a prediction within its sampling error.

    Shapes: `expected`, the control's prediction and `bias` broadcast to the observation.
    Law: accepts if |observed - expected| <= z error + bias in every component, with z from the
    normal law at `LEVEL` over their number. Errors of both sides add in squares; `bias` is the
    systematic error known beforehand (finite width, step, grid).
    Raises: ValueError without a control, for numbers that are not finite, for errors of 0.

    >>> from deeplimits import evidence
    >>> wide = evidence.Estimate(1.02, 0.01)
    >>> check = evidence.z_test("he-gain", wide, 1.0, control=("half the gain", 0.5), seed=1)
    >>> check.verdict, check.control.rejected
    ('holds', True)
    """
    allowed = numbers("bias", bias, like=estimate("observed", observed).value, least=0)
    named = about(id, part, reason, seed)
    return _estimate("estimate", named, observed, ("expected", expected), control, allowed)


def slope_test(
    id: str,
    x: ArrayLike,
    observed: Estimate,
    expected_slope: float,
    *,
    tolerance: float,
    control: tuple[str, float],
    seed: Seed,
    part: str = "",
    reason: str = "",
) -> Check:
    """Check the exponent of a power law by a weighted log-log fit.

    Shapes: as `slope`; `tolerance` is the bias of the slope from higher orders, known beforehand.
    Law: `z_test` of the fitted slope.
    Raises: as `slope` and `z_test`.

    >>> from deeplimits import evidence
    >>> error = evidence.Estimate([0.31, 0.098, 0.032], [0.01, 0.003, 0.001])
    >>> check = evidence.slope_test("rate", [10, 100, 1000], error, -0.5, tolerance=0.02, control=("1/n", -1), seed=1)
    >>> check.verdict
    'holds'
    """
    fitted = slope(x, observed)
    allowed = numbers("tolerance", tolerance, like=fitted.value, least=0)
    named = about(id, part, reason, seed)
    return _estimate("exponent", named, fitted, ("expected_slope", expected_slope), control, allowed)


def _estimate(
    kind: str, named: About, observed: Estimate, expected: tuple[str, Prediction], control: Wrong, allowed: FloatArray
) -> Check:
    limit = float(stats.norm.isf(LEVEL / (2 * observed.value.size)))

    def criterion(worst: tuple[int, ...]) -> str:
        gap, known = "|observed - predicted|", allowed[worst]
        return f"{f'({gap} - {known:.2g})' if known > 0 else gap} / error ≤ {limit:.2f}"

    def side(name: str, other: Prediction) -> Side:
        return like(name, other, observed)

    return judge(kind, named, observed.value, side, expected, control, allowed, limit, criterion)


def below_test(
    id: str, observed: Estimate, bound: Prediction, *, control: Wrong, seed: Seed, part: str = "", reason: str = ""
) -> Check:
    """Check that an estimate lies below a bound by more than its sampling error.

    Shapes: `bound` and the control's bound broadcast to the observation.
    Law: accepts if (observed - bound) / error <= -z in every component, with one-sided z at
    `LEVEL` over their number. The control is a bound that the data break by the same margin,
    (observed - bound) / error >= z; between the two the data do not decide.
    Raises: as `z_test`.

    >>> from deeplimits import evidence
    >>> check = evidence.below_test("shrinks", evidence.Estimate(0.7, 0.01), 1.0, control=("half", 0.5), seed=1)
    >>> check.verdict
    'holds'
    """
    return _bound("below", about(id, part, reason, seed), estimate("observed", observed), bound, control)


def above_test(
    id: str, observed: Estimate, bound: Prediction, *, control: Wrong, seed: Seed, part: str = "", reason: str = ""
) -> Check:
    """Check that an estimate lies above a bound by more than its sampling error.

    Shapes: as `below_test`.
    Law: `below_test` with the signs turned.
    Raises: as `z_test`.

    >>> from deeplimits import evidence
    >>> check = evidence.above_test("grows", evidence.Estimate(1.01, 0.01), 1.0, control=("twice", 2.0), seed=1)
    >>> check.verdict
    'undecided'
    """
    return _bound("above", about(id, part, reason, seed), estimate("observed", observed), bound, control)


def _bound(kind: str, named: About, observed: Estimate, bound: Prediction, control: Wrong) -> Check:
    limit = float(stats.norm.isf(LEVEL / observed.value.size))
    gap = "observed - bound" if kind == "below" else "bound - observed"
    criterion = f"({gap}) / error ≤ -{limit:.2f}"

    def side(name: str, other: Prediction) -> Side:
        return like(name, other, observed)

    none = np.zeros_like(observed.value)
    return judge(kind, named, observed.value, side, ("bound", bound), control, none, limit, criterion)


def equality(
    id: str,
    observed: ArrayLike,
    expected: ArrayLike,
    *,
    tolerance: ArrayLike,
    control: Wrong,
    seed: Seed = None,
    part: str = "",
    reason: str = "",
) -> Check:
    """Check numbers without sampling error: a closed form, a quadrature, an equation on a grid.

    Shapes: `expected`, the control's prediction and `tolerance` broadcast to `observed`.
    Law: accepts if |observed - expected| <= tolerance in every component; the tolerance is the
    error of the computation, known beforehand.
    Raises: ValueError without a control, for numbers that are not finite, a tolerance not above 0.

    >>> from deeplimits import evidence
    >>> check = evidence.equality("e", (1 + 1e-8) ** 1e8, 2.71828183, tolerance=1e-7, control=("a slip", 2.7182))
    >>> check.verdict
    'holds'
    """
    value = numbers("observed", observed)
    allowed = numbers("tolerance", tolerance, like=value, above=0)
    criterion = "|observed - predicted| / tolerance ≤ 1"

    def side(name: str, other: ArrayLike) -> Side:
        return numbers(name, other, like=value), allowed

    named, none = about(id, part, reason, seed), np.zeros_like(value)
    return judge("equality", named, value, side, ("expected", expected), control, none, 1.0, criterion)


def ks_test(
    id: str,
    samples: ArrayLike,
    law: Law,
    *,
    control: tuple[str, Law],
    seed: Seed,
    bias: float = 0.0,
    part: str = "",
    reason: str = "",
) -> Check:
    """Check that samples follow a law, or that two samples follow the same law.

    Shapes: `samples` (k,); laws are vectorised distribution functions or samples (j,). Atoms are
    allowed, +inf (an exploded path) among them.
    Law: accepts if the Kolmogorov distance is at most its critical value at `LEVEL`, exact for a
    continuous law, plus `bias`, the distance of the prediction from the truth known beforehand.
    Raises: ValueError without a control, for NaN, for a distribution function outside [0, 1].

    >>> from scipy import stats
    >>> from deeplimits import evidence
    >>> drawn = stats.norm.rvs(size=4000, random_state=1)
    >>> check = evidence.ks_test("normal", drawn, stats.norm.cdf, control=("Laplace", stats.laplace.cdf), seed=1)
    >>> check.verdict
    'holds'
    """
    x, allowed = sample("samples", samples), numbers("bias", bias, like=np.zeros(()), least=0)
    named = about(id, part, reason, seed)

    def side(name: str, other: Law) -> Side:
        gap, sampling = distance(x, other, LEVEL, name)
        return np.asarray(gap), np.asarray(sampling)

    own = gap, sampling = side("law", law)
    limit = f"({sampling:.2g} + {allowed:.2g})" if allowed > 0 else f"{sampling:.2g}"
    moves = accepted(x, law, float(sampling + allowed))
    return judge(
        "laws",
        named,
        gap,
        lambda name, other: own if other is law else side(name, other),
        ("law", law),
        control,
        allowed,
        1.0,
        f"distance / {limit} ≤ 1",
        moves,
    )
