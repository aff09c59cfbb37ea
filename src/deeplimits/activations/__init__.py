"""Activations and their shaping: slopes, normalisation and exact one-layer maps.

A shaped network moves its activation towards the identity as the width grows,
so that each layer changes the covariance by an amount of order 1/width.
"""

from .geometry import angle_defect, angle_of, correlation_of
from .rectifier import Rectifier, linear, relu, shaped_relu

__all__ = ["Rectifier", "angle_defect", "angle_of", "correlation_of", "linear", "relu", "shaped_relu"]
