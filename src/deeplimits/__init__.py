"""Deep Limits: simulate infinitely deep neural networks and their limits.

Each module is imported when it is first asked for: `deeplimits.networks` needs no import of its own.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import activations as activations
    from . import architectures as architectures
    from . import attention as attention
    from . import blocks as blocks
    from . import data as data
    from . import densities as densities
    from . import diffusions as diffusions
    from . import ensembles as ensembles
    from . import evidence as evidence
    from . import figures as figures
    from . import fractional as fractional
    from . import gaussian as gaussian
    from . import growth as growth
    from . import jax as jax
    from . import kernels as kernels
    from . import lazy as lazy
    from . import networks as networks
    from . import own as own
    from . import reference as reference
    from . import stability as stability
    from . import torch as torch
    from . import training as training
    from . import verdicts as verdicts
    from . import wishart as wishart
    from .own import compare as compare
    from .own import diagnose as diagnose
    from .own import report as report

__version__ = "0.3.0"
__all__ = [
    "activations",
    "architectures",
    "attention",
    "blocks",
    "data",
    "densities",
    "diffusions",
    "ensembles",
    "evidence",
    "figures",
    "fractional",
    "gaussian",
    "growth",
    "jax",
    "kernels",
    "lazy",
    "networks",
    "own",
    "reference",
    "stability",
    "torch",
    "training",
    "verdicts",
    "wishart",
]
#: What a practitioner calls, without the name of a module.
_CALLS = ("compare", "diagnose", "report")


def __getattr__(name: str) -> Any:
    if name in _CALLS:
        return getattr(importlib.import_module(".own", __name__), name)
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_CALLS, *(name for name in globals() if name.startswith("__"))])
