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

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ._checks import FloatArray, whole
from ._estimates import Estimate, mean, numbers, root_mean_square, slope, variance
from ._laws import Law, accepted, distance, sample
from .verdicts import MIME, Check, Control, Ends, Seed

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
#: Two predictions differ if they do so by more than rounding, relative to the largest.
ROUNDING = 1e-9

Prediction = Estimate | ArrayLike
Wrong = tuple[str, Prediction] | tuple[str, Prediction, ArrayLike]
#: An observation's side of a comparison: a prediction's value and the error of the difference.
Side = tuple[FloatArray, FloatArray]


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
    """
    return _estimate("estimate", id, observed, expected, control, bias, part, reason, seed)


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
    """
    return _estimate("exponent", id, slope(x, observed), expected_slope, control, tolerance, part, reason, seed)


def _estimate(
    kind: str,
    id: str,
    observed: Estimate,
    expected: Prediction,
    control: Wrong,
    bias: ArrayLike,
    part: str,
    reason: str,
    seed: Seed,
) -> Check:
    limit = float(stats.norm.isf(LEVEL / (2 * observed.value.size)))
    allowed = numbers("bias", bias, like=observed.value, least=0)

    def criterion(worst: tuple[int, ...]) -> str:
        gap, known = "|observed - predicted|", allowed[worst]
        return f"{f'({gap} - {known:.2g})' if known > 0 else gap} / error ≤ {limit:.2f}"

    return _judge(
        kind,
        id,
        observed.value,
        lambda other: _like(other, observed),
        expected,
        control,
        allowed,
        limit,
        criterion,
        part,
        reason,
        seed,
    )


def below_test(
    id: str, observed: Estimate, bound: Prediction, *, control: Wrong, seed: Seed, part: str = "", reason: str = ""
) -> Check:
    """Check that an estimate lies below a bound by more than its sampling error.

    Shapes: `bound` and the control's bound broadcast to the observation.
    Law: accepts if (observed - bound) / error <= -z in every component, with one-sided z at
    `LEVEL` over their number. The control is a bound that the data break by the same margin,
    (observed - bound) / error >= z; between the two the data do not decide.
    Raises: as `z_test`.
    """
    return _bound("below", id, observed, bound, control, part, reason, seed)


def above_test(
    id: str, observed: Estimate, bound: Prediction, *, control: Wrong, seed: Seed, part: str = "", reason: str = ""
) -> Check:
    """Check that an estimate lies above a bound by more than its sampling error.

    Shapes: as `below_test`.
    Law: `below_test` with the signs turned.
    Raises: as `z_test`.
    """
    return _bound("above", id, observed, bound, control, part, reason, seed)


def _bound(
    kind: str, id: str, observed: Estimate, bound: Prediction, control: Wrong, part: str, reason: str, seed: Seed
) -> Check:
    limit = float(stats.norm.isf(LEVEL / observed.value.size))
    gap = "observed - bound" if kind == "below" else "bound - observed"
    return _judge(
        kind,
        id,
        observed.value,
        lambda other: _like(other, observed),
        bound,
        control,
        np.zeros_like(observed.value),
        limit,
        f"({gap}) / error ≤ -{limit:.2f}",
        part,
        reason,
        seed,
    )


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
    """
    value = numbers("observed", observed)
    allowed = numbers("tolerance", tolerance, like=value, above=0)
    return _judge(
        "equality",
        id,
        value,
        lambda other: (numbers("expected", other, like=value), allowed),
        expected,
        control,
        np.zeros_like(value),
        1.0,
        "|observed - predicted| / tolerance ≤ 1",
        part,
        reason,
        seed,
    )


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
    """
    x, allowed = sample("samples", samples), numbers("bias", bias, least=0)
    gap, sampling = (np.asarray(part, np.float64) for part in distance(x, law, LEVEL))
    own = gap, sampling
    limit = f"({sampling:.2g} + {allowed:.2g})" if allowed > 0 else f"{sampling:.2g}"

    def side(other: Law) -> Side:
        if other is law:
            return own
        gap, sampling = (np.asarray(part, np.float64) for part in distance(x, other, LEVEL))
        return gap, sampling

    moves = accepted(x, law, float(sampling + allowed))
    return _judge(
        "laws", id, gap, side, law, control, allowed, 1.0, f"distance / {limit} ≤ 1", part, reason, seed, moves
    )


def scores(kind: str, observed: FloatArray, predicted: FloatArray, error: FloatArray, bias: FloatArray) -> FloatArray:
    """How far each component is from a prediction, in units of what the criterion allows.

    Shapes: as the observation.
    Law: |observed - predicted| beyond the bias in units of the error; for a bound, signed, with
    the wrong side positive. For laws, the distance from the one predicted, over the largest that
    is accepted.
    """
    if kind == "laws":
        return predicted / (error + bias)
    if kind in ("below", "above"):
        return (observed - predicted if kind == "below" else predicted - observed) / error
    return (abs(observed - predicted) - bias) / error


def _judge(
    kind: str,
    id: str,
    observed: FloatArray,
    side: Callable[[Any], Side],
    prediction: Any,
    control: Any,
    bias: FloatArray,
    limit: float,
    criterion: str | Callable[..., Any],
    part: str,
    reason: str,
    seed: Seed,
    moves: dict[str, Any] | None = None,
) -> Check:
    """Hold prediction and control to one criterion: every component's score within the limit.

    The criterion is a text, or a function that gives the text for the component that fits worst.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"id must be a slug of small letters, digits and hyphens, got {id!r}")
    seeds = [whole("seed", s, least=0) for s in (seed if isinstance(seed, list | tuple) else [seed]) if s is not None]
    bounded = kind in ("below", "above")
    expected, error = side(prediction)
    right = scores(kind, observed, expected, error, bias)
    wrong = _control(kind, observed, expected, side, control, bias, limit)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(right), right.shape))
    held = np.all(right <= (-limit if bounded else limit))
    broken = np.any(right >= limit if bounded else right > limit)
    accepts = moves or {"prediction": _interval(kind, observed, limit * error + bias)}
    sharpness, scale = _sharpness(kind, accepts, expected, wrong)
    return Check(
        id,
        part,
        kind,
        observed,
        error,
        expected,
        bias,
        limit,
        criterion(worst) if callable(criterion) else criterion,
        float(right.max()),
        "holds" if held and wrong.rejected else "fails" if broken else "undecided",
        accepts,
        sharpness,
        scale,
        wrong,
        reason,
        seeds if isinstance(seed, list | tuple) else next(iter(seeds), None),
        worst,
    )


def _control(
    kind: str,
    observed: FloatArray,
    expected: FloatArray,
    side: Callable[[Any], Side],
    control: Any,
    bias: FloatArray,
    limit: float,
) -> Control:
    """The verdict on a wrong variant: rejected if each component that is judged is."""
    named = isinstance(control, tuple) and len(control) in (2, 3) and isinstance(control[0], str)
    if not (named and control[0].strip()):
        raise ValueError(
            "control must be (name of a wrong variant, prediction) or"
            f" (name, prediction, least difference), got {control!r}"
        )
    value, error = side(control[1])
    least = numbers("least", control[2] if len(control) == 3 else ROUNDING * np.max(abs(expected)), observed, least=0)
    judged = (value != expected) & (abs(value - expected) >= least)
    wrong = scores(kind, observed, value, error, bias)
    bounded = kind in ("below", "above")
    rejected = judged.any() and np.all((wrong >= limit if bounded else wrong > limit)[judged])
    weakest = wrong[judged].min() if judged.any() else wrong.min()
    return Control(control[0], value, error, least, judged, float(weakest), bool(rejected))


def _interval(kind: str, observed: FloatArray, radius: FloatArray) -> Ends:
    """The ends of the predictions, or of the bounds, that the data would accept."""
    low, high = observed - radius, observed + radius
    return {"below": (high, None), "above": (None, low)}.get(kind, (low, high))


def _sharpness(kind: str, accepts: dict[str, Any], expected: FloatArray, control: Control) -> tuple[float | None, str]:
    """Half the widest interval that is accepted, and what it is relative to.

    That is the largest prediction; where all are 0, the way from there to the control. Exponents
    and laws stand for themselves, the latter with the larger of their moves and stretches. A bound
    has no second end.
    """
    if kind == "laws":
        ends = [
            abs(np.array(accepts[name]) - centre) for name, centre in (("shift", 0), ("stretch", 1)) if accepts[name]
        ]
        return (float(np.max(ends)), "law") if ends else (None, "law")
    low, high = accepts["prediction"]
    if low is None or high is None:
        return None, "bound"
    half = float(np.max(high - low)) / 2
    if kind == "exponent":
        return half, "one"
    if np.any(expected):
        return half / float(np.max(abs(expected))), "prediction"
    way = float(np.max(abs(control.expected - expected)))
    return (half / way, "way to the control") if way else (None, "way to the control")


def _like(predicted: Prediction, observed: Estimate) -> Side:
    """A prediction in the observation's shape, and the error of their difference."""
    if not isinstance(predicted, Estimate):
        predicted = Estimate(np.asarray(predicted), np.zeros(()))
    value = numbers("expected", predicted.value, like=observed.value)
    error = np.hypot(observed.error, numbers("error", predicted.error, like=observed.value))
    return value, numbers("error", error, above=0)
