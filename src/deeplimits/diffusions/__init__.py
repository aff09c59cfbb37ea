"""Diffusions: the limits of networks whose depth grows with their width.

Time is depth/width. A diffusion answers to the same `sample` call as the network it is the limit of. Another one is a
subclass of `Equation` that writes its drift and its noise.
"""

from .correlation import CorrelationSDE
from .covariance import CovarianceSDE
from .equation import Equation
from .norm import NormSDE
from .residual import JacobianPaths, ResidualSDE
from .unshaped import SingularSDE

__all__ = ["CorrelationSDE", "CovarianceSDE", "Equation", "JacobianPaths", "NormSDE", "ResidualSDE", "SingularSDE"]
