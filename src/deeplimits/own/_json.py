"""Reports as JSON, written and read: what `report.schema.json` describes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import FloatArray, real, shown, whole
from ._advice import Advice
from ._infinite import Infinite
from ._quantiles import BANDS, FORMATS, Quantiles
from ._trace import Band

if TYPE_CHECKING:
    from .reports import Report

SCHEMA = "deeplimits report 2"
#: What a layer calls its bands.
NAMES = dict(zip(BANDS, ("log10_size", "correlation", "log10_gradient", "log10_parameter_gradient"), strict=True))
#: Logarithms that JSON has no number for: of 0, and of what is beyond double precision.
ENDLESS = {"-inf": -np.inf, "inf": np.inf}


def number(value: float | None) -> float | str | None:
    """A number; None for what is missing and a word for what is infinite."""
    if value is None or np.isnan(value):
        return None
    return float(value) if np.isfinite(value) else str(float(value))


def ends(band: Iterable[float]) -> dict[str, float | str | None]:
    """The 5, 50 and 95 % by name."""
    return dict(zip(("low", "median", "high"), map(number, band), strict=True))


def report(found: Report) -> dict[str, Any]:
    """All that a report holds but the single networks."""
    limit, law = found.infinite, found.law
    layers = [
        {
            "name": name,
            **{label: ends(getattr(law, band)[:, k]) for band, label in NAMES.items()},
            "dead": float(law.dead[k]),
            "beyond": {
                key: {"states": float(law.states[key][k]), "gradients": float(law.gradients[key][k])} for key in FORMATS
            },
            "infinite_width": None
            if limit.norm is None or limit.correlation is None
            else {"log10_size": number(limit.norm[k]), "correlation": number(limit.correlation[k])},
        }
        for k, name in enumerate(found.layers)
    ]
    return {
        "schema": SCHEMA,
        "version": found.version,
        "design": found.design,
        "parameters": found.parameters,
        "networks": law.samples,
        "seed": found.seed,
        "tolerance": found.tolerance,
        "hidden": {"first": found.layers[found.span[0]], "last": found.layers[found.span[1]]},
        "layers": layers,
        "log10_growth": ends(law.growth),
        "log10_growth_of_gradient": ends(law.back),
        "loss": ends(law.loss),
        "outputs": found.outputs,
        "log10_outputs": ends(law.outputs),
        "infinite_width": {
            "reason": limit.reason,
            "holds_until": None if found.holds is None or found.holds < 0 else found.layers[found.holds],
        },
        "advice": [_advice(one) for one in found.advice],
        "sentences": found.sentences,
    }


def _advice(one: Advice) -> dict[str, Any]:
    return {
        "target": one.target,
        "wanted": one.wanted,
        "lever": one.lever,
        "value": number(one.value),
        "before": ends(one.before),
        "after": None if one.after is None else ends(one.after),
        "text": one.text,
        "torch": one.torch,
        "jax": one.jax,
    }


def loaded(path: str | os.PathLike[str], schema: str) -> Any:
    """What a file of JSON holds.

    Raises: ValueError for what is no path and for what is no JSON, with the name of the file.
    """

    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path must be that of a file, got {shown(path)}")

    def refused(constant: str) -> float:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=refused)
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"path must lead to a file of {schema!r}, {os.fspath(path)!r} is damaged: {why}") from None


def read(document: Any, schema: str, make: Any) -> Any:
    """An object made from a document: the one whose `as_dict` gives that document, but for its sentences.

    Raises: ValueError for a document of another schema, and for one with something missing, added or out of range.
    """
    given = document.get("schema") if isinstance(document, Mapping) else None
    if given != schema:
        raise ValueError(f"document must have the schema {schema!r}, got {shown(document if given is None else given)}")
    try:
        found = make(document)
        again = found.as_dict()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        why = f"there is no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ValueError(f"document must be whole, of schema {schema!r}: {why[:300]}") from None
    for name in {**document, **again}:
        if name != "sentences" and (name not in document or name not in again or document[name] != again[name]):
            raise ValueError(f"document must be whole, of schema {schema!r}: {name!r} is not as it is written")
    if not isinstance(document.get("sentences"), list):
        raise ValueError(f"document must be whole, of schema {schema!r}: there are no 'sentences'")
    return found


def fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a report is made of, from what it says."""
    layers = document["layers"]
    names = tuple(text(one["name"]) for one in layers)
    limits = [one["infinite_width"] for one in layers]
    reason, until = (document["infinite_width"][name] for name in ("reason", "holds_until"))
    known = limits[0] is not None
    limit = Infinite(_column(limits, "log10_size"), _column(limits, "correlation"), reason) if known else None
    return {
        "design": text(document["design"]),
        "parameters": whole("parameters", document["parameters"], least=0),
        "seed": whole("seed", document["seed"], least=0),
        "layers": names,
        "law": _law(document, layers),
        "infinite": limit or Infinite(None, None, reason),
        "holds": (-1 if until is None else names.index(until)) if known else None,
        "tolerance": real("tolerance", document["tolerance"], above=0, most=1),
        "span": (names.index(document["hidden"]["first"]), names.index(document["hidden"]["last"])),
        "outputs": whole("outputs", document["outputs"]),
        "advice": [_advised(one) for one in document["advice"]],
        "version": text(document["version"]),
    }


def _law(document: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> Quantiles:
    beyond: dict[str, Any] = {
        part: {name: np.array([share(one["beyond"][name][part]) for one in layers]) for name in FORMATS}
        for part in ("states", "gradients")
    }
    bands: dict[str, Any] = {
        name: np.transpose([_band(one[label], label) for one in layers]) for name, label in NAMES.items()
    }
    return Quantiles(
        samples=whole("networks", document["networks"]),
        **bands,
        dead=np.array([share(one["dead"]) for one in layers]),
        **beyond,
        growth=_band(document["log10_growth"]),
        back=_band(document["log10_growth_of_gradient"]),
        loss=_band(document["loss"]),
        outputs=_band(document["log10_outputs"]),
    )


def _value(given: Any) -> float:
    """Raises: ValueError for what is neither a number, nor None, nor a word for what is infinite."""
    return np.nan if given is None else ENDLESS[given] if isinstance(given, str) else real("a number", given)


def text(given: Any) -> str:
    """Raises: ValueError for what is no text."""
    if not isinstance(given, str):
        raise ValueError(f"a text must stand where there is {shown(given)}")
    return given


def share(given: Any) -> float:
    """Raises: ValueError for what is no number from 0 to 1."""
    return real("a share", given, least=0, most=1)


def _column(limits: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    return np.array([_value(one[name]) for one in limits])


def _band(given: Mapping[str, Any], name: str = "") -> Band:
    low, median, high = (_value(given[one]) for one in ("low", "median", "high"))
    if low > median or median > high or (name == "correlation" and max(-low, high) > 1):
        raise ValueError(f"the band {low} to {high} around {median} is none")
    return low, median, high


def _advised(given: Mapping[str, Any]) -> Advice:
    after = None if given["after"] is None else _band(given["after"])
    value = None if given["value"] is None else real("value", given["value"])
    numbers = {"wanted": real("wanted", given["wanted"]), "value": value, "before": _band(given["before"])}
    words = {name: text(given[name]) for name in ("target", "lever", "text")}
    lines = {name: None if given[name] is None else text(given[name]) for name in ("torch", "jax")}
    return Advice(**words, **lines, **numbers, after=after)  # type: ignore[arg-type]
