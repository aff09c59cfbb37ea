"""A verdict drawn again from the numbers in its record, without the package that drew it first."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from scipy import stats

#: Probability that a check rejects a true prediction, shared by its components.
LEVEL = 1e-5
#: What a sharp check accepts at most, relative to its prediction; an exponent as it stands.
SHARP = 0.1
BOUNDS = ("below", "above")


def scores(record: dict, predicted: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How far each component is from a prediction, in units of what the criterion allows."""
    observed, bias = np.array(record["observed"]), np.array(record["bias"])
    if record["kind"] == "laws":
        return predicted / (error + bias)
    if record["kind"] in BOUNDS:
        return (observed - predicted) * (1 if record["kind"] == "below" else -1) / error
    return (np.abs(observed - predicted) - bias) / error


def limit(record: dict) -> float:
    """The largest score that the criterion accepts; for a bound, how far the data must lie from it."""
    size = np.size(record["observed"])
    return {
        "laws": 1.0,
        "equality": 1.0,
        "below": stats.norm.isf(LEVEL / size),
        "above": stats.norm.isf(LEVEL / size),
    }.get(record["kind"], stats.norm.isf(LEVEL / size / 2))


def judged(record: dict) -> dict[str, Any]:
    """What a record must say of itself, from its observation, its predictions and their errors alone."""
    bounded, most = record["kind"] in BOUNDS, limit(record)
    expected, control = np.array(record["expected"]), record["control"]
    right = scores(record, expected, np.array(record["uncertainty"]))
    wrong = scores(record, np.array(control["expected"]), np.array(control["uncertainty"]))
    apart = np.abs(np.array(control["expected"]) - expected)
    where = (apart > 0) & (apart >= np.array(control["least"]))
    over = wrong >= most if bounded else wrong > most
    rejected = bool(where.any() and over[where].all())
    held = bool(np.all(right <= (-most if bounded else most)))
    broken = bool(np.any(right >= most if bounded else right > most))
    verdict = "holds" if held and rejected else "fails" if broken else "undecided"
    return {
        "limit": most,
        "statistic": right.max(),
        "verdict": verdict,
        "passed": verdict == "holds",
        "control.judged": where.tolist(),
        "control.rejected": rejected,
        "control.statistic": wrong[where].min() if where.any() else wrong.min(),
        "sharpness": sharpness(record),
    }


def ends(record: dict) -> list[np.ndarray]:
    """The smallest and the largest prediction that the data would accept, for each component."""
    radius = limit(record) * np.array(record["uncertainty"]) + np.array(record["bias"])
    return [np.array(record["observed"]) - radius, np.array(record["observed"]) + radius]


def sharpness(record: dict) -> float | None:
    """Half of what is accepted, relative to the largest prediction, or to the way from 0 to the control."""
    if record["kind"] in BOUNDS:
        return None
    if record["kind"] == "laws":
        moves = [
            abs(end - centre)
            for name, centre in (("shift", 0), ("stretch", 1))
            for end in record["accepts"][name] or []
        ]
        return max(moves, default=None)
    low, high = ends(record)
    half = float(np.max(high - low)) / 2
    if record["kind"] == "exponent":
        return half
    expected = np.array(record["expected"])
    scale = np.abs(expected if expected.any() else np.array(record["control"]["expected"]) - expected).max()
    return half / float(scale) if scale else None


def faults_of(record: dict) -> list[str]:
    """What a record says of itself and its numbers do not, and what its card does not show."""
    name = f"{record['page']}: `{record['id']}`" + (record["part"] and f" ({record['part']})")
    try:
        truth = judged(record)
    except (KeyError, TypeError, ValueError) as error:
        return [f"{name}: the record lacks what its verdict rests on: {error!r}"]
    faults = []
    for field, true in truth.items():
        said = record["control"][field[8:]] if field.startswith("control.") else record[field]
        number = isinstance(true, float) and isinstance(said, float)
        if not (np.isclose(said, true, rtol=1e-9, atol=1e-12) if number else said == true):
            faults.append(f"{name}: {field} is recorded as {said!r}, and its numbers give {true!r}")
    if record["kind"] not in (*BOUNDS, "laws"):
        said, true = record["accepts"]["prediction"], [end.tolist() for end in ends(record)]
        if np.shape(said) != np.shape(true) or not np.allclose(said, true, rtol=1e-9, atol=1e-12):
            faults.append(f"{name}: what it accepts is recorded as {said}, and its numbers give {true}")
    shown = [
        record["verdict"].capitalize(),
        record["criterion"],
        f": {record['statistic']:.3g}<",
        record["control"]["variant"],
        f"rejected at {record['control']['statistic']:.3g}",
        record["reason"],
    ]
    return faults + [
        f"{name}: the card does not show `{text}`"
        for text in shown
        if (text if text.startswith(": ") else escape(text)) not in record["card"]
    ]


def blunt(record: dict) -> bool:
    """Whether a check accepts more than a sharp one does, and gives no reason."""
    return (record["sharpness"] or 0) > SHARP and not record["reason"]
