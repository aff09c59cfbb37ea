"""Diffusions: the limits of networks whose depth grows with their width.

Time is depth/width. A diffusion answers to the same `sample` call as the network it is the limit of.
"""

from .correlation import CorrelationSDE
from .covariance import CovarianceSDE
from .jacobian import JacobianPaths, JacobianSDE
from .norm import NormSDE
from .residual import ConvolutionalSDE, ResidualSDE
from .tangent import TangentSDE
from .unshaped import SingularSDE

__all__ = [
    "ConvolutionalSDE",
    "CorrelationSDE",
    "CovarianceSDE",
    "JacobianPaths",
    "JacobianSDE",
    "NormSDE",
    "ResidualSDE",
    "SingularSDE",
    "TangentSDE",
]
