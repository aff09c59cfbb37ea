"""The weights of a module themselves: their sizes and their likeness, against the law of their initialisation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from .._torch_laws import Laws
from .._torch_weights import likely
from ._modules import needed

#: Entries of a matrix that are compared with those of another.
COMPARED = 2**16


class Sizes(NamedTuple):
    """A matrix: how large its weights are in units of their law, how likely that is, and its inputs and outputs.

    Shapes: `p` is two-sided and not corrected.
    """

    layer: str
    ratio: float
    p: float
    inputs: int
    outputs: int


class Tie(NamedTuple):
    """Two matrices of one shape, and the correlation of their entries. Shapes: `p` is two-sided and not corrected."""

    layer: str
    other: str
    correlation: float
    p: float


def parameters(module: Any, laws: Laws, layers: Mapping[str, str]) -> list[tuple[str, str, Any, tuple[int, int]]]:
    """Matrices: their layer, their own name, their entries, and (outputs, inputs); shared ones once."""
    known: set[int] = set()
    found = []
    for layer in (name for name, kind in layers.items() if kind != "norm"):
        part = module.get_submodule(layer)
        for weight, outputs, inputs in laws.shapes(part):
            entries = part.get_parameter(weight)
            if id(entries) not in known:
                known.add(id(entries))
                found.append((layer, f"{layer}.{weight}".lstrip("."), entries, (outputs, inputs)))
    return found


def sizes(module: Any, design: Any, laws: Laws, layers: Mapping[str, str]) -> list[Sizes]:
    """How large the weights of each matrix are.

    Law: exact for Gaussian weights; the normal approximation of a sum for uniform ones.
    """
    found = []
    for layer, name, entries, (outputs, inputs) in parameters(module, laws, layers):
        part = design.get_submodule(layer)
        weight = part.get_parameter(name[len(layer) :].lstrip(".") if layer else name)
        std = laws.deviation(name, part, weight)
        one = likely(laws, name, part, entries, std) if std else None
        if one is not None:
            found.append(Sizes(layer, one.ratio, one.p, inputs, outputs))
    return found


def ties(module: Any, laws: Laws, layers: Mapping[str, str]) -> list[Tie]:
    """Pairs of matrices of one shape.

    Law: entries are independent, so that the correlation of n of them is N(0, 1/n) up to O(1/n).
    """
    torch = needed()
    groups: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
    for layer, _, entries, _ in parameters(module, laws, layers):
        flat = entries.detach().reshape(-1)[:COMPARED].to(torch.float64).cpu().numpy()
        size = np.linalg.norm(flat)
        if size > 0:
            groups.setdefault(tuple(entries.shape), []).append((layer, flat / size))
    found = []
    for group in groups.values():
        for (first, one), (second, other) in combinations(group, 2):
            correlation = float(one @ other)
            z = abs(correlation) * np.sqrt(len(one))
            found.append(Tie(second, first, correlation, float(2 * stats.norm.sf(z))))
    return found


def moved_norms(module: Any, reference: Any, layers: Mapping[str, str]) -> dict[str, float]:
    """Norms whose gains are not what they start as: the mean of gain over start."""
    found = {}
    for name in (name for name, kind in layers.items() if kind == "norm"):
        own, start = (getattr(one.get_submodule(name), "weight", None) for one in (module, reference))
        if own is None or start is None:
            continue
        a, b = (one.detach().double().cpu().numpy() for one in (own, start))
        if np.any(np.abs(a - b) > 1e-3 * np.maximum(np.abs(b), 1)):
            found[name] = float(np.mean(a / np.where(b == 0, 1, b)))
    return found
