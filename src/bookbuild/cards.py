"""The verdict of a check as a reader gets it: a few sentences made from the numbers of its record.

What was measured, what the theory says and allows, what the check could have told from it, and how far away the
rival (the negative control) is. Nothing is said that the record does not hold.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from bookbuild import judge
from bookbuild.typeset import bare, decimals_of, measured, number, ordinal, rough, words

VERDICTS = {"holds": ("✓", "Holds"), "fails": ("✗", "Fails"), "undecided": ("?", "Undecided")}
BOUNDS = {"below": ("below", "above"), "above": ("above", "below")}


def anchor(record: dict) -> str:
    """The id of a card: the claim, and the part of it that is checked."""
    part = re.sub(r"[^a-z0-9]+", "-", bare(record["part"]).lower()).strip("-")
    return "-".join(filter(None, ["check", record["id"], part]))


def card(record: dict, title: str, page: str, name: str = "", unit: str = "") -> str:
    """A check in HTML; `page` is the address of its claim if it stands elsewhere, `name` the id if that is taken."""
    mark, verdict = VERDICTS[record["verdict"]]
    name = name or anchor(record)
    part = f' <span class="claim-part">{words(record["part"])}</span>' if record["part"] else ""
    said = " ".join(sentences(record, unit))
    named = f' <a href="{page}">{words(title)}</a>' if page else ""
    return (
        f'<div class="claim-check {record["verdict"]}" id="{name}" role="group"'
        f' aria-label="{verdict}: {escape(bare(record["part"] or title))}"'
        f' data-verdict="{record["verdict"]}" data-name="{escape(record["part"] or title)}">'
        f'<p class="claim-verdict"><strong>{mark} {verdict}</strong>{named}{part}'
        f' <a class="claim-anchor" href="#{name}" aria-label="Link to this check">#</a></p>'
        f"<p>{said}</p></div>"
    )


def sentences(record: dict, unit: str = "") -> list[str]:
    """What was observed, what was expected, what could be told apart, the rival, and the reason for a blunt check."""
    kind = record["kind"]
    said = (
        _laws(record) if kind == "laws" else (_bound if kind in BOUNDS else _value)(record, unit and f" {words(unit)}")
    )
    if record["verdict"] == "undecided":
        said.append("The data cannot tell: too few networks, as when an exercise lowers the number of samples.")
    if record["reason"]:
        said.append(f"It is not sharper because of this: {words(record['reason'].rstrip('.'))}.")
    seeds = record["seed"] if isinstance(record["seed"], list) else [record["seed"]]
    shown = ", ".join(str(seed) for seed in seeds if seed is not None)
    return [*said, f'<span class="claim-seed">Seed {shown}.</span>'] if shown else said


def worst(record: dict) -> tuple[int, ...]:
    """The component that fits worst."""
    scores = judge.scores(record, np.array(record["expected"]), np.array(record["uncertainty"]))
    return _place(scores.argmax(), scores)


def weakest(record: dict) -> tuple[int, ...]:
    """The component in which the rival is nearest to the data, of those in which it says something else."""
    control = record["control"]
    scores = judge.scores(record, np.array(control["expected"]), np.array(control["uncertainty"]))
    judged = np.array(control["judged"])
    return _place(np.where(judged, scores, np.inf).argmin() if judged.any() else scores.argmin(), scores)


def _place(flat: Any, scores: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(int(flat), scores.shape))


def which(place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """A component in words, by its place among the others."""
    if not place:
        return ""
    if len(place) == 1:
        return f"the {ordinal(place[0] + 1)} of {shape[0]}"
    at = ", ".join(str(index + 1) for index in place)
    return f"entry ({at}) of {' × '.join(map(str, shape))}"


def _at(record: dict, field: str, place: tuple[int, ...]) -> float:
    return float(np.broadcast_to(np.array(record[field]), np.shape(record["observed"]))[place])


def _short(value: float, decimals: int) -> str:
    """A prediction with one decimal more than the data have, without zeros at the end."""
    text = number(value, decimals + 1)
    return re.sub(r"\.?0+$", "", text) if "." in text and "<" not in text else text


def _observed(record: dict, place: tuple[int, ...], unit: str, worst_of_all: bool = True) -> tuple[str, int]:
    """The observation at a place with its unit, and the decimals that it has."""
    value, error = _at(record, "observed", place), _at(record, "uncertainty", place)
    decimals = decimals_of(error)
    text = _short(value, decimals) if record["kind"] == "equality" else measured(value, error)
    among = which(place, np.shape(record["observed"]))
    return text + unit + (f" ({among}, where it fits worst)" if among and worst_of_all else ""), decimals


def _value(record: dict, unit: str) -> list[str]:
    """An estimate, an exponent or an equality."""
    exact, place = record["kind"] == "equality", worst(record)
    text, decimals = _observed(record, place, unit)
    expected, bias = _at(record, "expected", place), _at(record, "bias", place)
    error = _at(record, "uncertainty", place)
    what = {"exponent": "exponent ", "equality": ""}.get(record["kind"], "")
    allowed = f" (tolerance ± {rough(error)})" if exact else ""
    if bias > 0:
        allowed = f" (± {rough(bias, 2)} is allowed beside sampling, for what is known of its error)"
    said = [f"{'Computed' if exact else 'Measured'}: {what}{text}. Theory: {_short(expected, decimals)}{allowed}."]
    low, high = (end[place] for end in judge.ends(record))
    said.append(f"A theory below {_short(low, decimals)} or above {_short(high, decimals)} would have been rejected.")
    return [*said, _rival(record)]


def _rival(record: dict) -> str:
    """Where the negative control lies, in units of the error."""
    control, place = record["control"], weakest(record)
    shape = np.shape(record["observed"])
    value = float(np.broadcast_to(np.array(control["expected"]), shape)[place])
    decimals = decimals_of(_at(record, "uncertainty", place))
    where, verb = "", "computed" if record["kind"] == "equality" else "measured"
    if place != worst(record):
        seen = _short(_at(record, "observed", place), decimals)
        where = f" where {seen} was {verb} ({which(place, shape)}, where it is nearest)"
    unit = "tolerances" if record["kind"] == "equality" else "standard errors"
    beyond = " beyond the allowance" if _at(record, "bias", place) > 0 else " away"
    only = "" if control["rejected"] else ", too near to be rejected"
    return (
        f"The rival ({words(control['variant'])}) would give {_short(value, decimals)}{where}:"
        f" {rough(control['statistic'])} {unit}{beyond}{only}."
    )


def _bound(record: dict, unit: str) -> list[str]:
    """An estimate that lies below or above a bound."""
    side, other = BOUNDS[record["kind"]]
    place, control = worst(record), record["control"]
    text, decimals = _observed(record, place, unit)
    theirs = weakest(record)
    bound = float(np.broadcast_to(np.array(control["expected"]), np.shape(record["observed"]))[theirs])
    seen = "" if theirs == place else f" It was {_observed(record, theirs, unit, False)[0]} there."
    return [
        f"Measured: {text}. Theory: {side} {_short(_at(record, 'expected', place), decimals)};"
        f" it lies {rough(-record['statistic'])} standard errors {side} it,"
        f" and {rough(record['limit'])} are asked for.",
        f"The rival ({words(control['variant'])}) would mean {side} {_short(bound, decimals)}:"
        f" the data lie {rough(control['statistic'])} standard errors {other} that.{seen}",
    ]


def _laws(record: dict) -> list[str]:
    """Samples and a law, or two samples."""
    gap, chance, bias = (float(np.ravel(record[field])[0]) for field in ("observed", "uncertainty", "bias"))
    control = record["control"]
    besides = f", and {rough(bias, 2)} more is allowed for what is known of the theory's error" if bias > 0 else ""
    said = [
        f"Measured: the distribution of the samples is at most {rough(gap)} away from that of the theory"
        f" (Kolmogorov distance); chance alone stays below {rough(chance)}{besides}."
    ]
    shift, stretch = record["accepts"]["shift"], record["accepts"]["stretch"]
    if shift and stretch:
        said.append(
            f"The check could have told the law from itself when moved by {rough(shift[0], 2)} or {rough(shift[1], 2)}"
            f" interquartile ranges, or stretched by {rough(stretch[0])} or {rough(stretch[1])}."
        )
    distance = float(np.ravel(control["expected"])[0])
    only = "" if control["rejected"] else ", too near to be rejected"
    said.append(
        f"The rival ({words(control['variant'])}) is {rough(distance)} away:"
        f" {rough(control['statistic'])} times what is accepted{only}."
    )
    return said
