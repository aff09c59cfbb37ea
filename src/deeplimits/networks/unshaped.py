"""The correlation of two inputs of an unshaped ReLU network of finite width, layer by layer.

Without shaping each layer moves the correlation by an amount of order one. Close to 1 the chain has a
limit, `diffusions.SingularSDE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from .._checks import FloatArray, real, whole
from .._run import How, Network, pieces
from ..activations import angle_of, relu
from ..gaussian import CHAIN_PATHS, normals

#: Below this angle the coefficients are summed as series: their formulas cancel.
SMALL_ANGLE = 0.03


def one_layer_moments(epsilon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Drift and squared noise of the correlation of one unshaped ReLU layer, beyond infinite width.

    A layer of width n maps a correlation 1 - epsilon to its image at infinite width plus drift/n
    plus noise/sqrt(n) times a centred variable of unit variance.

    Shapes: any shape in [0, 2]; two arrays of the same shape.
    Law: exact up to O(n^-3/2) for the layer; stable as epsilon tends to 0 (drift ~ -2 epsilon, noise^2 ~ 8 epsilon^2).
    Source: Li, Nica and Roy 2022, the unshaped chain; coefficients re-derived.
    """
    t = angle_of(epsilon)
    sine, cosine, rest = np.sin(t), np.cos(t), np.pi - t
    image = (sine + rest * cosine) / np.pi
    m22 = 2 / np.pi * (3 * sine * cosine + rest * (1 + 2 * cosine**2))
    m31 = 2 / np.pi * (sine * (2 + cosine**2) + 3 * rest * cosine)
    drift = -m31 + image * (18 + m22) / 4
    noise = m22 - 2 * image * m31 + image**2 * (3 + m22 / 2)
    p = np.pi
    near_drift = t**2 * (-1 + t * (2 / p + t * (5 / 6 + t * (-22 / (15 * p) + t * (-91 / 360 + t * 571 / (1260 * p))))))
    near_noise = t**4 * (
        2
        + t
        * (
            -56 / (15 * p)
            + t
            * (-4 / 3 + 2 / (3 * p**2) + t * (908 / (315 * p) + t * (2 / 5 - 16 / (15 * p**2) - t * 884 / (945 * p))))
        )
    )
    small = t < SMALL_ANGLE
    return np.where(small, near_drift, drift), np.where(small, near_noise, np.maximum(noise, 0))


@dataclass(frozen=True)
class UnshapedChain(Network):
    """The correlation of two inputs of an unshaped ReLU network, layer by layer, to second order.

    Source: Li, Nica and Roy 2022, the finite-width chain of the unshaped correlation.
    Raises: ValueError for a width or depth that is not a positive integer.

    >>> from deeplimits import networks
    >>> distance = networks.UnshapedChain(width=50, depth=50).sample(0.3, samples=100, seed=1)
    >>> distance.shape, bool(distance.mean() < 0.7)  # 1 - correlation: inputs come together
    ((100,), True)
    """

    width: int
    depth: int

    def __post_init__(self) -> None:
        whole("width", self.width)
        whole("depth", self.depth, most=2**31 - 1)

    def sample(
        self, initial: float, samples: int, seed: int, at: Sequence[int] | None = None, **how: Unpack[How]
    ) -> FloatArray:
        """1 - correlation at the layers asked for.

        Shapes: initial is the correlation of the inputs. Returns (samples,) at the last layer or
            (samples, len(at)) at the layers `at`, in their order; 0 is the start. The result is
            1 - correlation, which keeps its digits near 0.
        Law: the first two moments of each layer are right to O(width^-3/2); the noise is that of a log-normal step
            with these moments, so that 1 - correlation stays positive.
        Source: Li, Nica and Roy 2022, the finite-width chain of the unshaped correlation.
        Raises: ValueError for a correlation outside [-1, 1), layers outside 0..depth, samples below 1.
        """
        start = 1 - real("initial", initial, least=-1, most=np.nextafter(1, 0))
        run = self._run(samples, seed, at, how, How)

        def kernel(out: FloatArray, begin: int) -> None:
            noise = normals(int(run.seed), len(out), self.depth, first=begin, stream=CHAIN_PATHS)
            epsilon = np.full(len(out), start)
            for layer in range(run.records[-1] + 1):
                if layer:
                    drift, square = one_layer_moments(epsilon)
                    mean = relu().epsilon_map(epsilon, self.width) - drift / self.width
                    spread = np.log1p(square / self.width / mean**2)
                    epsilon = mean * np.exp(np.sqrt(spread) * noise[:, layer - 1] - spread / 2)
                    epsilon = np.minimum(epsilon, 2.0)
                out[:, run.records == layer] = epsilon[:, None]

        return run.paths(pieces(kernel), ())
