"""The functions of one argument that expressions are made of: one table, which everything else reads.

Derivatives, values by NumPy, exact values by mpmath, formulas by SymPy, functions of JAX and the instructions of
compiled programs are all looked up here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Primitive:
    """What is known of a function.

    `derivative` is an expression in x. `values` works on arrays. `exact` is the name that mpmath and SymPy share, and
    `jax` the path of the function below `jax`; "" stands for `definition`, an expression in x that is exact but,
    in floating-point numbers, loses digits.
    """

    derivative: str
    values: Callable[[Any], Any]
    exact: str = ""
    jax: str = ""
    definition: str = ""


#: Functions that are not smooth, and the values of their argument where that is so. `sign` serves the derivatives of
#: the others and cannot be written in an expression.
KINKS = {"abs": (0,), "hardtanh": (-1, 1), "sign": (0,)}

#: The order is that of the instructions of compiled programs. `hardtanh` is min(max(x, -1), 1): as a difference of
#: two rectifiers it would lose its digits, of small inputs or of large ones.
PRIMITIVES = {
    "exp": Primitive("exp(x)", np.exp, "exp", "numpy.exp"),
    "expm1": Primitive("exp(x)", np.expm1, "", "numpy.expm1", "exp(x) - 1"),
    "log": Primitive("1/x", np.log, "log", "numpy.log"),
    "log1p": Primitive("1/(1 + x)", np.log1p, "", "numpy.log1p", "log(1 + x)"),
    "sqrt": Primitive("1/(2*sqrt(x))", np.sqrt, "sqrt", "numpy.sqrt"),
    "sin": Primitive("cos(x)", np.sin, "sin", "numpy.sin"),
    "cos": Primitive("-sin(x)", np.cos, "cos", "numpy.cos"),
    "tanh": Primitive("1 - tanh(x)**2", np.tanh, "tanh", "numpy.tanh"),
    "arctan": Primitive("1/(1 + x**2)", np.arctan, "atan", "numpy.arctan"),
    "asinh": Primitive("1/sqrt(1 + x**2)", np.arcsinh, "asinh", "numpy.arcsinh"),
    "erf": Primitive("2/sqrt(pi)*exp(-x**2)", special.erf, "erf", "scipy.special.erf"),
    "normal_cdf": Primitive(
        "exp(-x**2/2)/sqrt(2*pi)", special.ndtr, "", "scipy.special.ndtr", "(1 + erf(x/sqrt(2)))/2"
    ),
    "sigmoid": Primitive("sigmoid(x)*sigmoid(-x)", special.expit, "", "nn.sigmoid", "1/(1 + exp(-x))"),
    "softplus": Primitive("sigmoid(x)", lambda u: np.logaddexp(0, u), "", "nn.softplus", "log(1 + exp(x))"),
    "silu": Primitive("sigmoid(x)*(1 + x*sigmoid(-x))", lambda u: u * special.expit(u), "", "nn.silu", "x*sigmoid(x)"),
    "gelu": Primitive(
        "normal_cdf(x) + x*exp(-x**2/2)/sqrt(2*pi)", lambda u: u * special.ndtr(u), "", "", "x*normal_cdf(x)"
    ),
    "abs": Primitive("sign(x)", np.abs, "Abs", "numpy.abs"),
    "sign": Primitive("0", np.sign, "sign", "numpy.sign"),
    "hardtanh": Primitive(
        "sign(x + 1)/2 - sign(x - 1)/2", lambda u: np.clip(u, -1, 1), "", "nn.hard_tanh", "abs(x + 1)/2 - abs(x - 1)/2"
    ),
}

#: Functions that are written in terms of the primitives.
MACROS = {
    "identity": "x",
    "linear": "x",
    "swish": "silu(x)",
    "atan": "arctan(x)",
    "arcsinh": "asinh(x)",
    "sinh": "(expm1(x) - expm1(-x))/2",
    "cosh": "(exp(x) + exp(-x))/2",
    "gudermannian": "2*arctan(tanh(x/2))",
    "logsigmoid": "-softplus(-x)",
    "gelu_tanh": "x*sigmoid(sqrt(8/pi)*(x + 0.044715*x**3))",
    "mish": "x*tanh(softplus(x))",
    "snake": "x + sin(x)**2",
    "relu": "x/2 + abs(x)/2",
    "leaky_relu": "relu(x) - relu(-x)/100",
    "relu6": "6*hardtanh(relu(x)/6)",
    "squared_relu": "relu(x)**2",
    "hardswish": "x*(1 + hardtanh(x/3))/2",
    "elu": "relu(x) + expm1(-relu(-x))",
    "celu": "relu(x) + expm1(-relu(-x))",
    "selu": "1.0507009873554805*(relu(x) + 1.6732632423543772*expm1(-relu(-x)))",
    "softsign": "x/(1 + abs(x))",
}

#: What an expression may call.
FUNCTIONS = sorted((PRIMITIVES.keys() - {"sign"}) | MACROS.keys())
