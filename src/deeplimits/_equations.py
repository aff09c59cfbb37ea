"""Differential equations, solved by SciPy whatever a caller has told NumPy about underflow.

SciPy's step sizes and small coordinates underflow by design: a caller's `np.seterr(all="raise")` would end a solution.
"""

from __future__ import annotations

import numpy as np
from scipy import integrate

__all__ = ["solve_ivp"]

solve_ivp = np.errstate(under="ignore")(integrate.solve_ivp)
