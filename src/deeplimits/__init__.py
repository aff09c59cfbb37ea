"""Deep Limits: simulate infinitely deep neural networks and their limits."""

__version__ = "0.2.0"
