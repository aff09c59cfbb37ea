"""The Jacobian of a residual network of infinite depth, with its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Unpack

from numpy.typing import ArrayLike

from .._checks import FloatArray
from .._run import Steps
from ..networks._branches import start
from ..networks.weights import derivatives, log_determinants
from .residual import ResidualSDE


class JacobianPaths(NamedTuple):
    """States of a diffusion with their derivatives with respect to the start.

    Shapes: state (samples, times?, width, m); jacobian and inverse (samples, times?, m, width, width), with the
        matrices last for linear algebra; log_determinant, the logarithm of |det jacobian|, (samples, times?, m).
    """

    state: FloatArray
    jacobian: FloatArray
    inverse: FloatArray
    log_determinant: FloatArray


class JacobianSDE(ResidualSDE):
    """The state x of `ResidualSDE`, its Jacobian g with respect to the start, and the inverse of g.

    dg = dZ g and dg^-1 = g^-1 (-dZ + d[Z, Z]) with dZ = (phi'(0) dW + phi''(0) d[W psi(x) 1^T * W]) * 1 psi'(x)^T,
    where * is element-wise and d[Z, Z] the bracket of the matrix product. The arguments are those of `ResidualSDE`.

    Source: Peluchetti and Favaro 2021, limits of the Jacobian and of its inverse; ours, the reading of the bracket.
    Raises: ValueError as for `ResidualSDE`.
    """

    def sample(self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None,
               **how: Unpack[Steps]) -> JacobianPaths:
        """States, Jacobians and inverses of independent networks of infinite depth, from explicit weights.

        Shapes: initial is (width, m) or (samples, width, m). Returns (state, jacobian, inverse, log_determinant) of
            shapes (samples, width, m), twice (samples, m, width, width) and (samples, m), with an axis of times after
            the samples where `at` is given. All inputs share the weights.
        Law: Euler scheme, weak order 1 and strong order 1/2 in the step, for the Jacobian and for the inverse on
            its own. The weights are those of `networks.ResNet.jacobians` with the same seed: a network of `steps`
            layers, or of fewer with `noise_depth=steps`, follows the same Brownian path at a distance of order
            1/sqrt(depth). Precision, seeds and overflow as there; `noise_steps` as for `ResidualSDE`.
        Source: Peluchetti and Favaro 2021, limits of the Jacobian and of its inverse.
        Raises: ValueError as for `ResidualSDE.sample`.
        """
        run = self._run(samples, seed, at, how)
        x0 = start(initial, (self.width,), run.samples)
        state, jacobian, inverse = derivatives(self._branches, x0, run, limit=True)
        return JacobianPaths(state, jacobian, inverse, log_determinants(jacobian))
