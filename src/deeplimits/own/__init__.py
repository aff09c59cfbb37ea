"""Your own network: what its initialisation does, whether your weights have its law, and two designs side by side.

>>> import deeplimits
>>> from deeplimits.architectures import mlp
>>> found = deeplimits.report(mlp([128] * 16 + [10], "tanh", gain=1.0), samples=20)
>>> found.bands("correlation").shape  # 5, 50 and 95 % of networks at each layer
(3, 18)

On the command line: `deeplimits report --preset gpt2`.
"""

from .comparisons import Comparison, compare
from .designs import perceptron, preset
from .diagnoses import Diagnosis, Finding, diagnose
from .reports import Report, report, schema

__all__ = [
    "Comparison",
    "Diagnosis",
    "Finding",
    "Report",
    "compare",
    "diagnose",
    "perceptron",
    "preset",
    "report",
    "schema",
]
