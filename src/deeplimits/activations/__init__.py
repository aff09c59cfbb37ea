"""Activations: their shaping, their derivatives, and programs that run them in compiled loops.

A shaped network moves its activation towards the identity as the width grows,
so that each layer changes the covariance by an amount of order 1/width.
"""

from ._plain import Plain, plain
from ._smooth import Smooth, smooth
from .base import Activation, Constants
from .coercion import ActivationLike, activation, shaped, unshaped
from .derivatives import symbolic
from .exact import Curvature, curvature
from .function import Function
from .geometry import angle_defect, angle_of, correlation_of
from .rectifier import Rectifier, leaky_relu, linear, relu, shaped_relu

__all__ = [
    "Activation",
    "ActivationLike",
    "Constants",
    "Curvature",
    "Function",
    "Plain",
    "Rectifier",
    "Smooth",
    "activation",
    "angle_defect",
    "angle_of",
    "correlation_of",
    "curvature",
    "leaky_relu",
    "linear",
    "plain",
    "relu",
    "shaped",
    "shaped_relu",
    "smooth",
    "symbolic",
    "unshaped",
]
