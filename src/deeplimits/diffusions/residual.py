"""Residual networks of infinite depth: diffusions of the state, dense and convolutional.

Only slope and curvature of the outer activation at 0 survive the limit, but all of the inner one.
The Euler scheme is a network whose outer activation is slope h + curvature E[h^2]/2, so both run in the same loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Unpack

from numpy.typing import ArrayLike

from .._checks import FloatArray
from .._run import Diffusion, Steps
from ..networks._branches import Activation, Branches, simulate, start
from ..networks.convolutional import check, images


@dataclass(frozen=True, eq=False)
class ResidualSDE(Diffusion):
    """The state of a residual network of finite width as its depth grows.

    dx = phi'(0) (dW psi(x) + db) + phi''(0)/2 d[W psi(x) + b], with outer activation phi and inner psi, and the weights
    of `networks.ResNet` as Brownian motions. For outer=linear() and inner=relu() it is the limit of Hayou.

    Source: Peluchetti and Favaro 2021, diffusion limit of fully connected networks; Hayou 2023, infinite depth.
    Raises: ValueError as for `networks.ResNet`; an outer activation with fewer than 3 derivatives at 0 or a
        value there, and, unless the outer one is linear(), an inner activation with fewer than 2 derivatives.
    """

    STEPS = 256

    width: int
    inner: Activation
    outer: Activation
    weight_variance: float = 1.0
    bias_variance: float = 0.0
    time: float = 1.0
    weight_mean: ArrayLike | None = None
    bias_mean: ArrayLike | None = None
    row_covariance: ArrayLike | None = None
    column_covariance: ArrayLike | None = None
    bias_covariance: ArrayLike | None = None

    def __post_init__(self) -> None:
        branches = Branches(**{field.name: getattr(self, field.name) for field in fields(self)})
        branches.taylor()
        object.__setattr__(self, "_branches", branches)

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None,
               **how: Unpack[Steps]) -> FloatArray:
        """States of independent networks of infinite depth.

        Shapes: initial is (width, m) or (samples, width, m). Returns (samples, width, m) at `time`, or
            (samples, len(at), width, m) at the times `at`, multiples of time/steps, in their order; 0 is the start.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step. For outer=linear() it is, number for number,
            the network of `steps` layers with the same seed. Precision, nearly parallel inputs and seeds as for
            `networks.ResNet`. With `noise_steps`, a multiple of `steps`, the Brownian path is that of so many
            steps: coarse and fine paths are coupled. A state that overflows is infinite from there on.
        Source: Peluchetti and Favaro 2021, Euler scheme of the limit; Hayou 2023, the network as Euler scheme.
        Raises: ValueError for a start of another shape or not finite, samples or steps below 1, times off the grid,
            noise_steps that are no multiple of steps, or an unknown precision.
        """
        run = self._run(samples, seed, at, how)
        return simulate(self._branches, start(initial, (self.width,), run.samples), run, limit=True)


@dataclass(frozen=True, eq=False)
class ConvolutionalSDE(Diffusion):
    """The state of a convolutional residual network as its depth grows.

    The equation of `ResidualSDE` at every position, with the same W and b for all of them and the patch in place of the
    state; the weights are those of `networks.ConvResNet` as Brownian motions.

    Source: Peluchetti and Favaro 2021, diffusion limit of convolutional residual networks.
    Raises: ValueError as for `networks.ConvResNet` and `ResidualSDE`.
    """

    STEPS = 256

    channels: int
    inner: Activation
    outer: Activation
    kernel: int = 3
    padding: str = "zero"
    weight_variance: float = 1.0
    bias_variance: float = 0.0
    time: float = 1.0
    weight_mean: ArrayLike | None = None
    bias_mean: ArrayLike | None = None
    row_covariance: ArrayLike | None = None
    column_covariance: ArrayLike | None = None
    bias_covariance: ArrayLike | None = None
    vertical_covariance: ArrayLike | None = None
    horizontal_covariance: ArrayLike | None = None

    def __post_init__(self) -> None:
        check(self)
        self._branches.taylor()

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None, *,
               method: str | None = None, **how: Unpack[Steps]) -> FloatArray:
        """States of independent networks of infinite depth.

        Shapes: initial is (channels, rows, columns, m) or (samples, channels, rows, columns, m). Returns (samples,
            channels, rows, columns, m) at `time`, or (samples, len(at), channels, rows, columns, m) at the times `at`.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step. `method`, seeds and precision as for
            `networks.ConvResNet`; steps, times and `noise_steps` as for `ResidualSDE`.
        Source: Peluchetti and Favaro 2021, diffusion limit of convolutional residual networks.
        Raises: ValueError as for `ResidualSDE`, and for an unknown method.
        """
        run = self._run(samples, seed, at, how)
        return images(self, initial, run, method, limit=True)
