"""How a check is judged: prediction and control by one criterion, and how sharp that is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._checks import FloatArray, shown
from ._checks import seed as whole_seed
from ._estimates import Estimate, numbers
from .verdicts import Check, Control, Ends, Seed

#: Two predictions differ if they do so by more than rounding, relative to the largest.
ROUNDING = 1e-9
#: Numbers beyond this are recorded as this: JSON knows no infinity.
LARGEST = float(np.finfo(np.float64).max)

Prediction = Estimate | ArrayLike
#: An observation's side of a comparison: a prediction's value and the error of the difference.
Side = tuple[FloatArray, FloatArray]


class About(NamedTuple):
    """What a check is called, and what else it says of itself."""

    id: str
    part: str
    reason: str
    seed: Seed


def about(id: str, part: str, reason: str, seed: Seed) -> About:
    """The words and seeds of a check.

    Raises: ValueError that names the argument.
    """
    if not isinstance(id, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"id must be a slug of small letters, digits and hyphens, got {shown(id)}")
    for name, text in (("part", part), ("reason", reason)):
        if not isinstance(text, str):
            raise ValueError(f"{name} must be a text, got {shown(text)}")
    if isinstance(seed, list | tuple):
        return About(id, part, reason, [whole_seed(one) for one in seed])
    return About(id, part, reason, None if seed is None else whole_seed(seed))


def scores(kind: str, observed: FloatArray, predicted: FloatArray, error: FloatArray, bias: FloatArray) -> FloatArray:
    """How far each component is from a prediction, in units of what the criterion allows.

    Shapes: as the observation.
    Law: |observed - predicted| beyond the bias in units of the error; for a bound, signed, with
    the wrong side positive. For laws, the distance from the one predicted, over the largest that
    is accepted.
    """
    if kind == "laws":
        return predicted / (error + bias)
    with np.errstate(over="ignore"):
        if kind in ("below", "above"):
            found = (observed - predicted if kind == "below" else predicted - observed) / error
        else:
            found = (abs(observed - predicted) - bias) / error
    return finite(found)


def finite(values: FloatArray) -> FloatArray:
    """Numbers within double precision."""
    return np.clip(values, -LARGEST, LARGEST)


def like(name: str, predicted: Prediction, observed: Estimate) -> Side:
    """A prediction in the observation's shape, and the error of their difference.

    Raises: ValueError that names the prediction.
    """
    given, spread = (predicted.value, predicted.error) if isinstance(predicted, Estimate) else (predicted, 0.0)
    value = numbers(name, given, like=observed.value)
    own = numbers(f"error of {name}", spread, like=observed.value)
    with np.errstate(over="ignore"):
        error = np.hypot(observed.error, own)
    return value, numbers(f"error of observed - {name}", error, above=0)


def judge(
    kind: str,
    about: About,
    observed: FloatArray,
    side: Callable[[str, Any], Side],
    predicted: tuple[str, Any],
    control: Any,
    bias: FloatArray,
    limit: float,
    criterion: str | Callable[..., Any],
    moves: dict[str, Any] | None = None,
) -> Check:
    """Hold prediction and control to one criterion: every component's score within the limit.

    `side` takes the name of an argument, for messages, and the prediction that it holds; `predicted` is such a pair.
    The criterion is a text, or a function that gives the text for the component that fits worst.
    """
    bounded = kind in ("below", "above")
    expected, error = side(*predicted)
    right = scores(kind, observed, expected, error, bias)
    wrong = _control(kind, observed, expected, side, control, bias, limit)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(right), right.shape))
    held = np.all(right <= (-limit if bounded else limit))
    broken = np.any(right >= limit if bounded else right > limit)
    with np.errstate(over="ignore"):
        accepts = moves or {"prediction": _interval(kind, observed, limit * error + bias)}
        sharpness, scale = _sharpness(kind, accepts, expected, wrong)
    return Check(
        id=about.id,
        part=about.part,
        kind=kind,
        observed=observed,
        uncertainty=error,
        expected=expected,
        bias=bias,
        limit=limit,
        criterion=criterion(worst) if callable(criterion) else criterion,
        statistic=float(right.max()),
        verdict="holds" if held and wrong.rejected else "fails" if broken else "undecided",
        accepts=accepts,
        sharpness=sharpness,
        scale=scale,
        control=wrong,
        reason=about.reason,
        seed=about.seed,
        worst=worst,
    )


def _control(
    kind: str,
    observed: FloatArray,
    expected: FloatArray,
    side: Callable[[str, Any], Side],
    control: Any,
    bias: FloatArray,
    limit: float,
) -> Control:
    """The verdict on a wrong variant: rejected if each component that is judged is."""
    named = isinstance(control, tuple) and len(control) in (2, 3) and isinstance(control[0], str)
    if not (named and control[0].strip()):
        raise ValueError(
            "control must be (name of a wrong variant, prediction) or"
            f" (name, prediction, least difference), got {shown(control)}"
        )
    value, error = side("the control's prediction", control[1])
    given = control[2] if len(control) == 3 else ROUNDING * np.max(abs(expected))
    least = numbers("the control's least difference", given, observed, least=0)
    with np.errstate(over="ignore"):
        judged = (value != expected) & (abs(value - expected) >= least)
    wrong = scores(kind, observed, value, error, bias)
    bounded = kind in ("below", "above")
    rejected = judged.any() and np.all((wrong >= limit if bounded else wrong > limit)[judged])
    weakest = wrong[judged].min() if judged.any() else wrong.min()
    return Control(control[0], value, error, least, judged, float(weakest), bool(rejected))


def _interval(kind: str, observed: FloatArray, radius: FloatArray) -> Ends:
    """The ends of the predictions, or of the bounds, that the data would accept."""
    low, high = finite(observed - radius), finite(observed + radius)
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
    half = finite(np.max(high - low)) / 2
    if kind == "exponent":
        return float(half), "one"
    if np.any(expected):
        return float(finite(half / np.max(abs(expected)))), "prediction"
    way = np.max(abs(control.expected - expected))
    return (float(finite(half / way)) if way else None), "way to the control"
