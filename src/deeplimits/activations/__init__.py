"""Activations: their shaping, their derivatives, and programs that run them in compiled loops.

A shaped network moves its activation towards the identity as the width grows,
so that each layer changes the covariance by an amount of order 1/width.
"""

from .geometry import angle_defect, angle_of, correlation_of
from .plain import Plain, plain
from .rectifier import Rectifier, linear, relu, shaped_relu
from .smooth import Smooth, smooth

__all__ = [
    "Plain",
    "Rectifier",
    "Smooth",
    "angle_defect",
    "angle_of",
    "correlation_of",
    "linear",
    "plain",
    "relu",
    "shaped_relu",
    "smooth",
]
