"""What the limits of shaped networks share: the activation has one, and the time is positive."""

from __future__ import annotations

from .._checks import real
from ..activations import Rectifier, Smooth


def checked_limit(activation: object, time: object) -> float:
    """The time, after a check that it and the activation have a limit of growing width and depth.

    Raises: ValueError that names the argument, its value and what is allowed.
    """
    if not isinstance(activation, Rectifier | Smooth):
        raise ValueError("activation must come from activations.shaped_relu, linear or smooth, "
                         f"got {activation!r}")
    # Both raise for a shaping that is too weak.
    _ = activation.b if isinstance(activation, Smooth) else activation.gap2
    return real("time", time, above=0)
