"""What to change so that a network meets a target: a gain, the scale of its branches, or a shaped activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq

from .._checks import real
from ..architectures import Network, gram
from ..networks import ShapedMLP
from ._levers import Plain, branches, with_gain, with_scale
from ._networks import Blocks
from ._snippets import gain_lines, scale_lines, shaping_lines
from ._trace import Band, Trace, band, collect, log10

#: What can be asked of a network.
TARGETS = {
    "norm": "the root mean square of the last hidden layer over that of the first",
    "gradient": "the norm of the gradient at the first hidden layer over that at the last",
    "correlation": "the correlation of two inputs at the last hidden layer",
}
#: Networks by which a change is found at most, and by which a shaped activation is.
TRIES, FAST_TRIES = 64, 400
#: How often a bracket is doubled, and how close a factor is found, as a natural logarithm.
DOUBLINGS, CLOSE = 14, 2e-4
#: How far a gain and the scale of branches are looked for.
GAINS, SCALES = 4.0, 1000.0


@dataclass(frozen=True)
class Advice:
    """A change that meets a target.

    Shapes: target its name, wanted the number asked for; lever what is changed, from what to what; before and after
        are the 5, 50 and 95 % of networks, the latter of networks that were sampled with the change. torch and jax are
        lines to paste, or None. `lever` is "" where no change of this network meets the target, and `text` says why.
    """

    target: str
    wanted: float
    lever: str
    value: float | None
    before: Band
    after: Band | None
    text: str
    torch: str | None = None
    jax: str | None = None


def checked_target(target: Mapping[str, float]) -> dict[str, float]:
    """Raises: ValueError for an unknown target and numbers that are not possible."""
    found = {}
    for name, value in target.items():
        if name not in TARGETS:
            raise ValueError(f"target must be among {', '.join(TARGETS)}, got {name!r}")
        limit = {"most": np.nextafter(1, 0)} if name == "correlation" else {"above": 0}
        found[name] = real(f"target[{name!r}]", value, **limit)
    return found


def span(network: Network, layers: tuple[str, ...]) -> tuple[int, int]:
    """The places of the first and the last hidden layer: those before and after all repetitions."""
    begins = network.depth + 1 - len(layers)
    repeated = [number for number, layer in enumerate(network.layers, 1) if layer.depth > 1]
    first, last = (repeated[0] - 1, repeated[-1]) if repeated else (1, max(network.depth - 1, 1))
    return max(first - begins, 0), last - begins


def ratio(trace: Trace, target: str, places: tuple[int, int]) -> np.ndarray:
    """What a target speaks of, of every network: decimal logarithms, but for correlations.

    Shapes: (samples,).
    """
    first, last = places
    if target == "correlation":
        return trace.correlation[:, last]
    array, up, down = (trace.norm, last, first) if target == "norm" else (trace.gradient, first, last)
    with np.errstate(invalid="ignore"):
        return array[:, up] - array[:, down]


def advise(source: Blocks, trace: Trace, target: Mapping[str, float], seed: int) -> list[Advice]:
    """A change for each target. Law: by sampling, with the same networks for every trial of a number."""
    return [_one(source, trace, name, wanted, seed) for name, wanted in checked_target(target).items()]


def _one(source: Blocks, trace: Trace, target: str, wanted: float, seed: int) -> Advice:
    network, shape = source.network, source.initial.shape
    places = span(network, source.layers)
    before = band(ratio(trace, target, places))
    plain, scales = Plain(network, shape), branches(network)
    if target == "correlation" and plain.fits:
        return _shape(source, plain, wanted, before, trace.samples, seed)
    if not scales and (not plain.fits or target == "correlation"):
        return Advice(target, wanted, "", None, before, None, _none("it has neither branches nor one plain gain"))
    change = partial(with_scale if scales else with_gain, network, shape=shape)
    goal = wanted if target == "correlation" else float(np.log10(wanted))
    tries = int(np.clip(trace.samples // 2, 2, TRIES))

    def off(log_factor: float) -> float:
        return _median(source, change(factor=float(np.exp(log_factor))), target, places, seed, tries) - goal

    reach = SCALES if scales else GAINS
    factor = _solved(off, (goal - before[1]) * np.log(10) / max(places[1] - places[0], 1), float(np.log(reach)))
    if factor is None:
        what = f"{'scale of the branches' if scales else 'gain'} within a factor of {reach:g}"
        return Advice(target, wanted, "", None, before, None, _none(f"no {what} brings the median there"))
    after = _after(source, change(factor=factor), target, places, trace.samples, seed)
    if scales:
        torch, jax = scale_lines([factor * scale for scale in scales])
        value, lever, text = factor * scales[0], "scale", f"Multiply every branch by {factor:.4g}"
    else:
        value, lever = factor * plain.gain, "gain"
        (torch, jax), text = gain_lines(value, _number(plain.bias)), f"Draw weights with gain {value:.4g}"
    return Advice(target, wanted, lever, value, before, after, f"{text} ({factor:.4g} times what it is).", torch, jax)


def _after(source: Blocks, network: Network, target: str, places: tuple[int, int], samples: int, seed: int) -> Band:
    """The band of networks that have the change, other ones than those by which it was found."""
    changed = Blocks(network, source.initial, seed)
    return band(ratio(_trial(changed, target, places, seed + 1, samples), target, places))


def _number(bias: object) -> float | None:
    return bias if isinstance(bias, float) else None


def _none(why: str) -> str:
    return f"No change of this network meets the target: {why}."


def _median(source: Blocks, network: Network, target: str, places: tuple[int, int], seed: int, tries: int) -> float:
    trial = Blocks(network, source.initial, seed)
    value = band(ratio(_trial(trial, target, places, seed, tries), target, places))[1]
    return float(np.clip(np.nan_to_num(value, nan=1e3), -1e3, 1e3))


def _trial(trial: Blocks, target: str, places: tuple[int, int], seed: int, tries: int) -> Trace:
    return collect(trial, tries, seed, None, False) if target == "gradient" else _forward(trial, places, seed, tries)


def _forward(trial: Blocks, places: tuple[int, int], seed: int, tries: int) -> Trace:
    """Two layers of networks, without gradients.

    Of vectors only the Gram matrix is looked at, which faster samplers give: a state below 1e-154 counts as zero.
    """
    at = [trial.numbers[place] for place in places]
    full = np.full((tries, len(trial.layers), 5), np.nan)
    if trial.initial.ndim == 2:
        grams = trial.network.sample(trial.initial[:, :2], tries, seed, at=at, observe=gram)
        power = np.diagonal(grams, axis1=2, axis2=3)
        with np.errstate(invalid="ignore", divide="ignore"):
            full[:, places, 0] = log10(power[..., 0]) / 2
            full[:, places, 3] = grams[..., 0, 1] / np.sqrt(power.prod(axis=2))
    else:
        full[:, places, :] = trial.network.sample(trial.initial, tries, seed, at=at, observe=trial._observe)
    nothing = np.full((tries, len(trial.layers)), np.nan)
    return Trace(
        trial.layers,
        norm=full[..., 0],
        largest=full[..., 1],
        correlation=full[..., 3],
        gradient=nothing,
        largest_gradient=nothing,
        parameters=nothing,
        logits=nothing[:, 0],
        loss=nothing[:, 0],
    )


def _solved(off: Callable[[float], float], step: float, reach: float) -> float | None:
    """The factor at which a function of its logarithm is 0; None if it has no change of sign within reach."""
    here, value = 0.0, off(0.0)
    if value == 0:
        return 1.0
    step = step if step and np.isfinite(step) else -0.1 * float(np.sign(value))
    for _ in range(DOUBLINGS):
        there = float(np.clip(here + step, -reach, reach))
        found = off(there)
        if np.sign(found) != np.sign(value):
            return float(np.exp(brentq(off, here, there, xtol=CLOSE)))
        if abs(there) == reach:
            return None
        here, value, step = there, found, 2 * step
    return None


def _shape(source: Blocks, plain: Plain, wanted: float, before: Band, samples: int, seed: int) -> Advice:
    """A shaped activation whose median correlation at the last hidden layer is the one wanted."""
    flat = source.initial
    gram = flat.T @ flat / len(flat)

    def median(log_constant: float) -> float:
        network = ShapedMLP(plain.shaped(float(np.exp(log_constant))), plain.width, plain.depth)
        V = network.sample(gram[:2, :2], FAST_TRIES, seed)
        with np.errstate(invalid="ignore"):  # of networks that are dead there is no correlation
            middle = band(V[:, 0, 1] / np.sqrt(V[:, 0, 0] * V[:, 1, 1]))[1]
        return 1.0 if np.isnan(middle) else middle

    try:
        rectifier = plain.activation is not None and plain.activation.rectifier is not None
        least, most = (np.log(1e-3), np.log(plain.width) / 2) if rectifier else (np.log(0.1), np.log(30.0))
        ends = [median(end) - wanted for end in (least, most)]
    except ValueError as error:
        return Advice("correlation", wanted, "", None, before, None, _none(str(error)))
    if ends[0] * ends[1] > 0:
        reach = sorted(end + wanted for end in ends)
        why = f"shaped activations reach medians from {reach[0]:.4g} to {reach[1]:.4g}"
        return Advice("correlation", wanted, "", None, before, None, _none(why))
    constant = float(np.exp(brentq(lambda x: median(x) - wanted, least, most, xtol=1e-3)))
    phi = plain.shaped(constant)
    gain, network = float(np.sqrt(phi.normaliser(plain.width))), plain.with_activation(phi)
    after = _after(source, network, "correlation", span(network, source.layers), samples, seed)
    lines = shaping_lines(phi, str(plain.activation and plain.activation.name), gain, plain.width)
    what = f"slopes 1 and 1 - {constant:.4g} / sqrt(width)" if rectifier else f"s = {constant:.4g} sqrt(width)"
    text = f"Shape the activation: {what}, with gain {gain:.4g}."
    return Advice("correlation", wanted, "shaping", constant, before, after, text, *(lines or (None, None)))
