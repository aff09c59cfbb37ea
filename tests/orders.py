"""Coarse and fine paths of a process on the same noise, and the orders at which they approach each other."""

import numpy as np


def rates(differences):
    """log2 ratios of successive mean differences, with their errors."""
    mean = np.array([d.mean() for d in differences])
    relative = np.array([d.std() / np.sqrt(len(d)) for d in differences]) / np.abs(mean)
    return np.log2(np.abs(mean[:-1] / mean[1:])), np.hypot(relative[:-1], relative[1:]) / np.log(2)


def coupled(process, initial, samples, observe, coarse=(4, 8), fine=128):
    """Differences of paths with coarse and fine steps that share their Brownian motion."""
    reference = observe(process.sample(initial, samples, 16, steps=fine))
    return [observe(process.sample(initial, samples, 16, steps=s, noise_steps=fine)) - reference for s in coarse]
