"""Infinite width: covariances that are no longer random, as ODEs and as layer recursions."""

from .layers import Kernels, with_layers
from .residual import ResidualKernel, Tangent, Unit
from .shaped import CovarianceODE

__all__ = ["CovarianceODE", "Kernels", "ResidualKernel", "Tangent", "Unit", "with_layers"]
