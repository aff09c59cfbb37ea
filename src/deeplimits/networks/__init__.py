"""Finite networks at initialisation, sampled exactly in law.

Given the layer before, the pre-activations of m inputs are independent Gaussian rows, one
for each neuron. A layer of width n therefore costs n m normals instead of n^2 weights.
"""

from ._gradients import Gradients
from .residual import Jacobians, ResNet, gaussian_start
from .shaped import ShapedMLP
from .unshaped import UnshapedChain

__all__ = ["Gradients", "Jacobians", "ResNet", "ShapedMLP", "UnshapedChain", "gaussian_start"]
