"""Losses of the last state: their values for each network, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _checks
from .._checks import FloatArray


@dataclass(frozen=True)
class Loss:
    """A loss: called with last states it gives its gradient there, as `Network.sample` takes it for `backward`.

    Shapes: states (samples, outputs, ..., inputs) -> gradients of the same shape; `value` -> (samples,). `part` gives
        the loss of some of the inputs.

    >>> import numpy as np
    >>> from deeplimits.architectures import squared
    >>> loss = squared([[1.0, 0.0]])  # targets of two inputs
    >>> loss.value(np.ones((1, 1, 2))), loss(np.ones((1, 1, 2)))
    (array([0.25]), array([[[0. , 0.5]]]))
    """

    both: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    part: Callable[[NDArray[np.int64]], Loss]
    inputs: int

    def __call__(self, y: FloatArray) -> FloatArray:
        return self.both(y)[1]

    def value(self, y: FloatArray) -> FloatArray:
        """The loss of each network."""
        return self.both(_checks.numbers("y", y, 2))[0]


def squared(targets: ArrayLike) -> Loss:
    """|f - y|^2 / (2 N) over N inputs.

    Shapes: targets (outputs, ..., inputs), as a last state without samples.
    Raises: ValueError for targets that are not finite; when it is called, for states of another shape.

    >>> import numpy as np
    >>> from deeplimits.architectures import squared
    >>> squared([[1.0, 0.0]]).value(np.zeros((1, 1, 2)))
    array([0.25])
    """
    wanted = _checks.numbers("targets", targets, 2)
    if not np.all(np.isfinite(wanted)):
        raise ValueError("targets must be finite, got infinite or missing numbers")

    def both(y: FloatArray) -> tuple[FloatArray, FloatArray]:
        if y.shape[1:] != wanted.shape:
            raise ValueError(f"the last state y must have the shape of the targets {wanted.shape}, got {y.shape[1:]}")
        error = (y - wanted) / wanted.shape[-1]
        return np.sum((error * (y - wanted)).reshape(len(y), -1), axis=1) / 2, error

    return Loss(both, lambda chosen: squared(wanted[..., chosen]), wanted.shape[-1])


def cross_entropy(labels: ArrayLike) -> Loss:
    """The mean over positions and inputs of log sum_c exp f_c - f_label.

    Shapes: labels (inputs,) or (positions, inputs), whole numbers from 0 to outputs - 1.
    Raises: ValueError when it is called, for states of another shape and labels out of range.

    >>> import numpy as np
    >>> from deeplimits.architectures import cross_entropy
    >>> loss = cross_entropy([0, 3])  # labels of two inputs
    >>> bool(np.isclose(loss.value(np.zeros((1, 4, 2))), np.log(4)).all())
    True
    """
    try:
        wanted = np.atleast_1d(np.asarray(labels))
    except ValueError:  # rows of unequal length
        wanted = np.zeros(0)
    if not np.issubdtype(wanted.dtype, np.integer) or not wanted.size or wanted.min() < 0:
        raise ValueError(f"labels must be whole numbers >= 0, got {labels!r}")

    def both(y: FloatArray) -> tuple[FloatArray, FloatArray]:
        if y.shape[2:] != wanted.shape or wanted.max() >= y.shape[1]:
            raise ValueError(
                f"labels must have shape {y.shape[2:]} and be below {y.shape[1]}, got shape "
                f"{wanted.shape} and {wanted.max()}"
            )
        y = y - y.max(axis=1, keepdims=True)
        total = np.log(np.sum(np.exp(y), axis=1, keepdims=True))
        place = np.broadcast_to(wanted[None, None], (len(y), 1, *wanted.shape))
        value = (total - np.take_along_axis(y, place, axis=1)).reshape(len(y), -1).mean(axis=1)
        g = np.exp(y - total)
        np.put_along_axis(g, place, np.take_along_axis(g, place, axis=1) - 1, axis=1)
        return value, g / wanted.size

    return Loss(both, lambda chosen: cross_entropy(wanted[..., chosen]), wanted.shape[-1])
