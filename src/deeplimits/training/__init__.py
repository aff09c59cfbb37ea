"""Training of deep residual networks, and what their infinite limit predicts of it.

The predictions need NumPy only. `train` imports JAX and optax when it is called.
"""

from .descent import History, Optimiser, train
from .model import Model
from .regression import Prediction, features, follow, negative_log_likelihood, ridge

__all__ = [
    "History",
    "Model",
    "Optimiser",
    "Prediction",
    "features",
    "follow",
    "negative_log_likelihood",
    "ridge",
    "train",
]
