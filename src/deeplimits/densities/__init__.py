"""Laws of one-dimensional limits without Monte Carlo: closed forms, or Fokker-Planck equations on a grid.

An equation is solved in the coordinate in which its noise is Brownian motion; the law found there
answers in the variable of interest.
"""

from ._correlation import CorrelationDensity, correlation
from ._laws import Atom, GridLaw, Law, Mirror, NormalLaw
from ._norm import NormDensity, norm
from ._width_one import OrnsteinUhlenbeck, width_one

__all__ = [
    "Atom",
    "CorrelationDensity",
    "GridLaw",
    "Law",
    "Mirror",
    "NormDensity",
    "NormalLaw",
    "OrnsteinUhlenbeck",
    "correlation",
    "norm",
    "width_one",
]
