"""What the limit predicts of training: linear regression on the features of a kernel.

A kernel enters by features whose inner products it is: K(z, z') = <features(z), features(z')>. An affine
kernel a <z, z'> + b has the features (sqrt(a) z, sqrt(b)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from .._checks import FloatArray, covariance, numbers, real, reals, shown

#: Features and targets beyond this are refused: their squares leave double precision.
LARGEST = 1e100


class Prediction(NamedTuple):
    """What gradient descent has reached after some steps.

    Shapes: outputs (times, k, outputs); distances (times,), how far all parameters together have moved.

    >>> import numpy as np
    >>> from deeplimits import training
    >>> reached = training.follow(np.eye(2), [[1.0], [-1.0]], rate=1.0, at=[0, np.inf], watched=np.eye(2))
    >>> reached.outputs.shape, reached.distances.shape
    ((2, 2, 1), (2,))
    """

    outputs: FloatArray
    distances: FloatArray


def features(kernel: ArrayLike) -> FloatArray:
    """Features of a kernel matrix over all inputs, those to train on and those to watch.

    Shapes: (m, m) -> (m, m), rows whose inner products the matrix is.
    Law: exact to rounding. Raises: ValueError for a matrix that is not a covariance.

    >>> import numpy as np
    >>> from deeplimits import training
    >>> kernel = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> rows = training.features(kernel)
    >>> bool(np.allclose(rows @ rows.T, kernel))
    True
    """
    values, modes = np.linalg.eigh(covariance("kernel", kernel))
    return modes * np.sqrt(np.maximum(values, 0))


def follow(
    features: ArrayLike,
    targets: ArrayLike,
    rate: float,
    at: ArrayLike,
    watched: ArrayLike,
    start: ArrayLike = 0.0,
    watched_start: ArrayLike = 0.0,
) -> Prediction:
    """Gradient descent in closed form on the loss |f - y|^2 / (2 N), for f = start + <features, w> and w = 0.

    Shapes: features (N, p) and targets (N, outputs) of what is trained on; `watched` (k, p), features of the inputs
        to predict at; `at` (times,), steps, inf for the end; the starts (N, outputs) and (k, outputs), or 0.
    Law: exact for the linear model; for networks, the limit of infinite width and depth, if the starts are their
        outputs before training. `distances` is the limit of the norm by which their parameters move.
    Source: Peluchetti and Favaro 2021, Proposition 16, there in continuous time; Jacot et al. 2018.
    Raises: ValueError for arrays of other shapes or not finite, steps below 0, and a rate at which descent diverges.

    >>> import numpy as np
    >>> from deeplimits import training
    >>> targets = np.array([[1.0], [-1.0]])
    >>> reached = training.follow(np.eye(2), targets, rate=1.0, at=[0, np.inf], watched=np.eye(2))
    >>> bool(np.allclose(reached.outputs, [np.zeros((2, 1)), targets]))  # from nothing to the targets
    True
    """
    phi, y, seen = _matrices(features, targets, watched)
    steps = numbers("at", at, 1)
    if steps.ndim != 1 or not steps.size or not np.all((steps >= 0) & ((steps == np.floor(steps)) | np.isinf(steps))):
        raise ValueError(f"at must be steps, one at least, >= 0 or inf, got {shown(at)}")
    rates, modes = linalg.eigh(phi.T @ phi / len(phi))
    if not 0 < real("rate", rate, above=0) * rates[-1] < 2:
        raise ValueError(f"rate must be below {2 / rates[-1]:.4g}, where gradient descent diverges, got {rate}")
    pull = modes.T @ (phi.T @ (y - reals("start", start))) / len(phi)
    weights = np.array([_gain(rates, rate, count)[:, None] * pull for count in steps])
    outputs = reals("watched_start", watched_start) + (seen @ modes) @ weights
    return Prediction(outputs, np.sqrt(np.sum(weights**2, axis=(1, 2))))


def _gain(rates: FloatArray, rate: float, steps: float) -> FloatArray:
    """The sum of rate (1 - rate lambda)^s over steps s, for each eigenvalue lambda."""
    alive = rates > 1e-13 * rates[-1]
    safe = np.where(alive, rates, 1.0)
    if np.isinf(steps):
        return np.where(alive, 1 / safe, 0.0)
    return np.where(alive, (1 - (1 - rate * safe) ** steps) / safe, rate * steps)


def ridge(features: ArrayLike, targets: ArrayLike, noise: float, watched: ArrayLike) -> FloatArray:
    """The mean of Bayesian linear regression, which is kernel regression with noise.

    Shapes: as `follow` -> (k, outputs). `noise` is the variance of the targets about the function.
    Law: exact, K(watched, z) (K + noise I)^-1 targets.
    Source: Peluchetti and Favaro 2021, regression with the limiting kernels.
    Raises: ValueError for arrays of other shapes or not finite, and noise not above 0.

    >>> import numpy as np
    >>> from deeplimits import training
    >>> training.ridge(np.eye(2), [[1.0], [-1.0]], noise=1.0, watched=np.eye(2))
    array([[ 0.5],
           [-0.5]])
    """
    phi, y, seen = _matrices(features, targets, watched)
    gram = phi.T @ phi + real("noise", noise, above=0) * np.eye(phi.shape[1])
    return seen @ linalg.solve(gram, phi.T @ y, assume_a="pos")


def negative_log_likelihood(kernel: ArrayLike, targets: ArrayLike, noise: float) -> FloatArray:
    """Minus the logarithm of the probability of targets under N(0, kernel + noise I), for one image.

    Shapes: kernel (..., N, N), targets (N,) -> (...), the total divided by N. `noise` is a variance.
    Law: exact. Source: Peluchetti and Favaro 2021, empirical Bayes.
    Raises: ValueError for arrays of other shapes or not finite, kernels that are not positive semi-definite,
        and noise not above 0.

    >>> import numpy as np
    >>> from deeplimits import training
    >>> found = training.negative_log_likelihood(np.zeros((2, 2)), [0.0, 0.0], noise=1.0)
    >>> bool(np.isclose(found, np.log(2 * np.pi) / 2))  # the density of a standard normal at 0
    True
    """
    y, K = numbers("targets", targets), numbers("kernel", kernel)
    if y.ndim != 1 or K.shape[-2:] != (len(y), len(y)) or not (np.all(np.isfinite(y)) and np.all(np.isfinite(K))):
        raise ValueError(f"kernel and targets must be finite, (..., N, N) and (N,), got {K.shape} and {y.shape}")
    noisy = K + real("noise", noise, above=0) * np.eye(len(y))
    try:
        factor = np.linalg.cholesky(noisy)
    except np.linalg.LinAlgError:
        for single in noisy.reshape(-1, *noisy.shape[-2:]):
            covariance("kernel + noise", single)
        raise
    white = np.linalg.solve(factor, y[:, None])[..., 0]
    halves = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1) + np.sum(white**2, axis=-1) / 2
    return halves / len(y) + np.log(2 * np.pi) / 2


def _matrices(features: ArrayLike, targets: ArrayLike, watched: ArrayLike) -> tuple[FloatArray, ...]:
    named = {"features": features, "targets": targets, "watched": watched}
    arrays = [reals(name, value, least=-LARGEST, most=LARGEST) for name, value in named.items()]
    shapes = [array.shape for array in arrays]
    if [len(shape) for shape in shapes] != [2, 2, 2] or shapes[0][0] != shapes[1][0] or shapes[0][1] != shapes[2][1]:
        raise ValueError(f"features, targets and watched must be (N, p), (N, outputs) and (k, p), got {shapes}")
    if not all(array.size for array in arrays):
        raise ValueError(f"features, targets and watched must not be empty, got {shapes}")
    return tuple(arrays)
