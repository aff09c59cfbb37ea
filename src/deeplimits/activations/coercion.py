"""What may stand for an activation: a name, an expression, a Python function with its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import shown
from ._plain import plain
from ._smooth import smooth
from .base import Activation
from .function import Function
from .rectifier import leaky_relu, linear, relu

#: What calls accept where they want an activation.
ActivationLike = Activation | str

#: Names of activations that are straight on either side of 0, for which there are exact shortcuts.
_STRAIGHT: dict[str, Callable[[], Activation]] = {
    "relu": relu,
    "linear": linear,
    "identity": linear,
    "leaky_relu": leaky_relu,
}


def activation(
    value: ActivationLike | Callable[[Any], Any],
    derivative: Callable[[Any], Any] | None = None,
    *,
    kinks: ArrayLike = (),
    continuous: int = 0,
    role: str = "activation",
) -> Activation:
    """An activation from whatever stands for one, as it is: without shaping.

    A string is a name such as "gelu", or an expression in x. A function comes with its `derivative`; `kinks` are the
    places where it, or a derivative, jumps, and `continuous` the number of derivatives that do not. An activation stays
    as it is. `role` is the name of the argument, for messages.

    Law: functions run in compiled loops as machine code, if numba can compile them, or else by a call back into
        Python: see `Function`. Strings never become code.
    Raises: ValueError for anything else, for a name that is not known (with the known one that is closest), for a
        function without its derivative or with a wrong one.

    >>> import numpy as np
    >>> from deeplimits import activations
    >>> activations.activation("relu") == activations.relu()
    True
    >>> activations.activation(np.sin, np.cos).slope0
    1.0
    """
    if derivative is None and isinstance(value, str):
        name = value.strip()
        return _STRAIGHT[name]() if name in _STRAIGHT else _read(plain, value, role)
    if derivative is None and isinstance(value, Activation):
        return value
    if not callable(value) or isinstance(value, Activation):
        raise ValueError(
            f"{role} must be an activation, a name such as 'gelu', an expression in x, or a function with "
            f"its derivative (activations.activation(f, derivative)), got {shown(value)}"
        )
    if not callable(derivative):
        raise ValueError(
            f"{role} is a function and needs its derivative: activations.activation(f, derivative), "
            f"got {shown(derivative)}"
        )
    name = getattr(value, "__name__", type(value).__name__)
    return Function(
        "the function" if name == "<lambda>" else name, value, derivative, tuple(np.ravel(kinks)), continuous
    )


def unshaped(value: ActivationLike, role: str) -> Activation:
    """An activation for residual branches, where a string means the activation as it is.

    Raises: ValueError as `activation`, and for smooth shaping, which these branches do not know.

    >>> from deeplimits import activations
    >>> activations.unshaped("tanh", "inner") == activations.plain("tanh")
    True
    """
    found = activation(value, role=role)
    if found.shaped and found.rectifier is None:
        raise ValueError(
            f"{role} must be unshaped, such as activations.plain({found.name!r}), relu() or linear(), "
            f"got {shown(value)}"
        )
    return found


def keep_unshaped(owner: object, *roles: str) -> None:
    """Replace what stands for an activation in attributes of an object, frozen or not, as `unshaped` reads it."""
    for role in roles:
        object.__setattr__(owner, role, unshaped(getattr(owner, role), role))


def shaped(value: ActivationLike, role: str = "activation") -> Activation:
    """An activation for a shaped network or its limit: a string means its smooth shaping with s = sqrt(width).

    `shaped("gelu")` is `smooth("gelu")`, so that `ShapedMLP("gelu", ...)` and `CovarianceSDE("gelu", ...)` are a
    network and its limit; "linear" is `linear()`. An activation stays as it is, shaped or not.

    Raises: ValueError as `activation` and `smooth`: what has a kink at 0, such as "relu", has no such shaping.

    >>> from deeplimits import activations
    >>> activations.shaped("gelu") == activations.smooth("gelu")
    True
    """
    if isinstance(value, str) and value.strip() not in ("linear", "identity"):
        return _read(smooth, value, role)
    return activation(value, role=role)


def _read(reader: Callable[[str], Activation], text: str, role: str) -> Activation:
    """What a reader makes of a text; its errors name the argument."""
    try:
        return reader(text)
    except ValueError as error:
        raise ValueError(f"{role} must be an activation: {error}") from None
