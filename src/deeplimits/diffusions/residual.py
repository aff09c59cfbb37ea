"""Residual networks of infinite depth: diffusions of the state, dense and convolutional, with their Jacobians.

Only slope and curvature of the outer activation at 0 survive the limit, but all of the inner one.
The Euler scheme is a network whose outer activation is slope h + curvature E[h^2]/2, so both run in the same loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Unpack

from numpy.typing import ArrayLike

from .._checks import FloatArray
from .._run import Diffusion, Steps
from ..blocks import Blocks, checked_blocks
from ..networks._branches import dense_start, states
from ..networks.weights import derivatives, log_determinants


class JacobianPaths(NamedTuple):
    """States of a diffusion with their derivatives with respect to the start.

    Shapes: state (samples, times?, width, m); jacobian and inverse (samples, times?, m, width, width), with the
        matrices last for linear algebra; log_determinant, the logarithm of |det jacobian|, (samples, times?, m).

    >>> import numpy as np
    >>> from deeplimits import activations, diffusions
    >>> from deeplimits.blocks import Blocks
    >>> limit = diffusions.ResidualSDE(Blocks(activations.plain("tanh"), activations.linear()), width=4)
    >>> paths = limit.jacobians(np.ones((4, 1)), samples=10, seed=1, steps=256)
    >>> bool(np.allclose(paths.jacobian @ paths.inverse, np.eye(4), atol=0.3))
    True
    """

    state: FloatArray
    jacobian: FloatArray
    inverse: FloatArray
    log_determinant: FloatArray


@dataclass(frozen=True)
class ResidualSDE(Diffusion):
    """The state of a residual network of finite width as its depth grows.

    dx = phi'(0) (dW psi(x) + db) + phi''(0)/2 d[W psi(x) + b], with outer activation phi and inner psi, and the weights
    of the blocks as Brownian motions. For outer=linear() and inner=relu() it is the limit of Hayou. With `ConvBlocks`
    it is that equation at every position, with the same W and b for all of them and the patch in place of the state.

    Source: Peluchetti and Favaro 2021, diffusion limits of fully connected and of convolutional networks; Hayou 2023,
        infinite depth.
    Raises: ValueError as for `networks.ResNet`; an outer activation with fewer than 3 derivatives at 0 or a
        value there, and, unless the outer one is linear(), an inner activation with fewer than 2 derivatives.

    >>> import numpy as np
    >>> from deeplimits import activations, diffusions
    >>> from deeplimits.blocks import Blocks
    >>> limit = diffusions.ResidualSDE(Blocks(activations.relu(), activations.linear()), width=10)
    >>> limit.sample(np.ones((10, 2)), samples=100, seed=1, steps=32).shape
    (100, 10, 2)
    """

    STEPS = 256

    blocks: Blocks
    width: int

    def __post_init__(self) -> None:
        checked_blocks(self.blocks).fitting(self.width)
        self.blocks.taylor()

    @property
    def time(self) -> float:
        """The time that the blocks cover."""
        return self.blocks.time

    def sample(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[float] | None = None,
        *,
        method: str | None = None,
        **how: Unpack[Steps],
    ) -> FloatArray:
        """States of independent networks of infinite depth.

        Shapes: initial is (width, m) or (samples, width, m), for images (width, rows, columns, m) or (samples, ...).
            Returns (samples, width, m), or images, at `time`, or with an axis of times after the samples at the times
            `at`, multiples of time/steps, in their order; 0 is the start.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step. For outer=linear() it is, number for number,
            the network of `steps` layers with the same seed. Precision, `method`, nearly parallel inputs and seeds as
            for `networks.ResNet`. With `noise_steps`, a multiple of `steps`, the Brownian path is that of so many
            steps: coarse and fine paths are coupled. A state that overflows is infinite from there on.
        Source: Peluchetti and Favaro 2021, Euler scheme of the limit; Hayou 2023, the network as Euler scheme.
        Raises: ValueError for a start of another shape or not finite, samples or steps below 1, times off the grid,
            noise_steps that are no multiple of steps, an unknown method or precision.
        """
        run = self._run(samples, seed, at, how)
        return states(self.blocks, self.width, initial, run, method, limit=True)

    def jacobians(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None, **how: Unpack[Steps]
    ) -> JacobianPaths:
        """States x, Jacobians g with respect to the start, and their inverses, from explicit weights.

        dg = dZ g and dg^-1 = g^-1 (-dZ + d[Z, Z]) with dZ = (phi'(0) dW + phi''(0) d[W psi(x) 1^T * W]) * 1 psi'(x)^T,
        where * is element-wise and d[Z, Z] the bracket of the matrix product.

        Shapes: initial is (width, m) or (samples, width, m). Returns (state, jacobian, inverse, log_determinant) of
            shapes (samples, width, m), twice (samples, m, width, width) and (samples, m), with an axis of times after
            the samples where `at` is given. All inputs share the weights.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step, for the Jacobian and for the inverse on
            its own. The weights are those of `networks.ResNet.jacobians` with the same seed: a network of `steps`
            layers, or of fewer with `noise_depth=steps`, follows the same Brownian path at a distance of order
            1/sqrt(depth). Precision, seeds and overflow as there; `noise_steps` as for `sample`.
        Source: Peluchetti and Favaro 2021, limits of the Jacobian and of its inverse; ours, the reading of the bracket.
        Raises: ValueError as for `sample`, and for convolutional blocks.
        """
        run = self._run(samples, seed, at, how)
        x0 = dense_start(self.blocks, self.width, initial, run)
        state, jacobian, inverse = derivatives(self.blocks, x0, run, limit=True)
        return JacobianPaths(state, jacobian, inverse, log_determinants(jacobian))
