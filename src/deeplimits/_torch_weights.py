"""Numbers that a module of PyTorch holds against the law that is taken for them: how large they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ._torch_laws import LAWS, Laws, matrices_of

#: E w^4 / (E w^2)^2 of uniform weights.
UNIFORM = 1.8
#: A module is refused if numbers as far from their law have a smaller probability, corrected for all that it holds.
REFUSED = 1e-9
#: Rounding in numbers of half precision.
ROUNDING = 1e-3


class Likely(NamedTuple):
    """How large numbers are in units of their law, and how likely that is. Shapes: `p` is two-sided."""

    ratio: float
    p: float


def likely(laws: Laws, name: str, part: Any, weight: Any, std: float) -> Likely | None:
    """The size of a matrix beside its deviation; None where it has no entry that counts.

    Law: exact for Gaussian weights; the normal approximation of a sum for uniform ones.
    """
    padding = getattr(part, "padding_idx", None)
    count = weight.numel() - (0 if padding is None else weight.shape[1])
    if not count:
        return None
    total = float(laws.torch.linalg.vector_norm(weight.detach(), dtype=laws.torch.float64)) ** 2
    if not std:
        return None if not total else Likely(np.inf, 0.0)
    power = total / std**2
    if laws.is_gaussian(name, part, weight):
        p = 2 * min(stats.chi2.cdf(power, count), stats.chi2.sf(power, count))
    else:
        p = 2 * stats.norm.sf(abs(power / count - 1) / np.sqrt((UNIFORM - 1) / count))
    return Likely(float(np.sqrt(power / count)), min(1.0, float(p)))


def refuse_others(module: Any, laws: Laws) -> None:
    """Refuse a module whose numbers are not of the law that is taken for them where `law` says nothing.

    Law: matrices by their mean square, biases by their largest entry; a sound module is refused with probability 1e-9
        at most, about. What is on the meta device cannot be compared. Biases of zeros start at zero.
    Raises: ValueError for the first parameter, with the law that its size is of if there is one.
    """
    if laws.by_name:
        return
    plan = matrices_of(laws.torch, module, laws)
    seen: set[int] = set()
    level = REFUSED / max(1, 2 * len(plan))
    for name, part in plan:
        for key, outputs, inputs in laws.shapes(part):
            weight, full = part.get_parameter(key), f"{name}.{key}".lstrip(".")
            if id(weight) in seen or weight.is_meta or laws.given(full, weight) is not None:
                continue
            seen.add(id(weight))
            std = laws.deviation(full, part, weight)
            found = likely(laws, full, part, weight, std)
            if found is not None and found.p < level:
                raise other(full, f"is {_times(found.ratio)} that of its default", _named(found, std, inputs, outputs))
        for key, bias in laws.biases(part).items():
            reach = laws.bias_range(name, part, key)
            if not bias.is_meta and bias.numel():
                share = float(bias.detach().abs().max()) / reach if reach else np.inf * float(bias.any())
                if share > 1 + ROUNDING or share ** bias.numel() < level:
                    raise other(f"{name}.{key}".lstrip("."), "is of another size than its default", "")


def other(name: str, how: str, hint: str) -> ValueError:
    """The error for a parameter that holds something else than its law gives, with the way out."""
    return ValueError(
        f"module must hold what its own layers draw, or law must say what it is: {name!r} {how}{hint}. Name the law: "
        f"one of {', '.join(map(repr, LAWS))}, a function of (name, parameter), or 'own' for the defaults of its "
        "layers, whatever it holds"
    )


def _times(ratio: float) -> str:
    """A ratio in words, of a size that follows."""
    return "0 times" if not ratio else f"{ratio:.3g} times" if np.isfinite(ratio) else "not zero, unlike"


def _named(found: Likely, std: float, inputs: int, outputs: int) -> str:
    """The known law of which a matrix with such a size could be."""
    near = 0.01 + 3 / np.sqrt(2 * inputs * outputs)
    size = found.ratio * std
    fits = [name for name, law in LAWS.items() if size and abs(np.log(size / law(inputs, outputs))) < near]
    return f", and near that of law={fits[0]!r}" if fits else ""
