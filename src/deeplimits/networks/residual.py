"""Fully connected residual networks, sampled exactly without their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, whole
from .._run import MOST_STEPS, Layers, Network
from ..blocks import Blocks, checked_blocks
from ..gaussian import MOST_SAMPLES, STARTS, normals
from ..kernels import Tangent
from ..wishart import factor_of
from ._branches import dense_start, states
from ._tangent_kernel import tangent_kernels
from .weights import derivatives, log_determinants


def gaussian_start(gram: ArrayLike, width: int, samples: int, seed: int, *, first: int = 0) -> FloatArray:
    """First states x0 = W_in x of independent networks, for inputs of a given Gram matrix.

    Shapes: gram is (m, m), <x, x'>/d for inputs of dimension d, or a number for one input.
        Returns (samples, width, m).
    Law: exact, neurons are independent normal rows with covariance `gram`; the normals have single
        precision. Sample i depends only on (seed, first + i), from a stream of its own.
    Source: Hayou 2023, the input layer with variance 1/d.
    Raises: ValueError for a gram that is not a covariance, and width or samples below 1.

    >>> import numpy as np
    >>> from deeplimits import networks
    >>> x0 = networks.gaussian_start(np.eye(2), width=10, samples=1000, seed=1)
    >>> x0.shape, bool(abs(np.mean(x0**2) - 1) < 0.1)
    ((1000, 10, 2), True)
    """
    factor = factor_of(_checks.covariance("gram", gram))
    count = whole("width", width) * factor.shape[1]
    whole("first", first, least=0, most=MOST_SAMPLES - whole("samples", samples))
    _checks.room("samples and width", (samples, width, len(factor)))
    drawn = normals(seed, samples, count, first=first, stream=STARTS)
    return drawn.reshape(samples, width, -1).astype(np.float64) @ factor.T


class Jacobians(NamedTuple):
    """States of networks with their derivatives with respect to the start.

    Shapes: state (samples, times?, width, m), jacobian (samples, times?, m, width, width), with the matrices last
        for linear algebra, and log_determinant, the logarithm of |det|, (samples, times?, m).

    >>> import numpy as np
    >>> from deeplimits import activations, networks
    >>> from deeplimits.blocks import Blocks
    >>> network = networks.ResNet(Blocks(activations.plain("tanh"), activations.linear()), width=4, depth=20)
    >>> found = network.jacobians(np.ones((4, 1)), samples=10, seed=1)
    >>> found.state.shape, found.jacobian.shape
    ((10, 4, 1), (10, 1, 4, 4))
    """

    state: FloatArray
    jacobian: FloatArray
    log_determinant: FloatArray


@dataclass(frozen=True)
class ResNet(Network):
    """A residual network of finite width and depth: each of the `depth` layers is a block that covers time/depth.

    With `ConvBlocks` it is convolutional, its states are images of any size, and the width is in channels.

    Source: Hayou 2023, residual network; Peluchetti and Favaro 2021, fully connected and convolutional networks.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> import numpy as np
    >>> from deeplimits import activations, networks
    >>> from deeplimits.blocks import Blocks
    >>> network = networks.ResNet(Blocks(activations.relu(), activations.linear()), width=10, depth=50)
    >>> x0 = networks.gaussian_start(np.eye(2), width=10, samples=100, seed=1)
    >>> network.sample(x0, samples=100, seed=2).shape
    (100, 10, 2)
    """

    blocks: Blocks
    width: int
    depth: int

    def __post_init__(self) -> None:
        whole("depth", self.depth, most=MOST_STEPS)
        checked_blocks(self.blocks).fitting(self.width)

    def sample(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[int] | None = None,
        *,
        method: str | None = None,
        **how: Unpack[Layers],
    ) -> FloatArray:
        """States of independent networks.

        Shapes: initial is (width, m), the same for all networks, or (samples, width, m). Returns
            (samples, width, m) at the last layer, or (samples, len(at), width, m) at the layers `at`, in their
            order; layer 0 is the start, layer `depth` the last. Images: (width, rows, columns, m) instead.
        Law: exact at any width and depth. Given a layer, the pre-activations of the m inputs are one Gaussian row
            for each neuron, so m normals a neuron are drawn and no weights. Normals and activations have single
            precision, states and sums over neurons double; `precision="double"` draws and evaluates in double.
            Where inputs outnumber neurons, about, independent weights are drawn after all, which is cheaper then:
            `method` "rows" or "weights" forces one. Weights come with double states and activations: distances
            below 1e-16 of the state are rounding. Rows carry each input as the difference from the nearest one
            before it, in the state and through both activations, so that nearly parallel inputs keep their distance,
            however small, to 1e-7 of itself (rectifiers) or 1e-5 (others) in a layer.
            Correlated weights carry no differences: distances below 1e-7 of the state are rounding.
            Sample i depends only on (seed, first + i) and the start. With `noise_depth`, a multiple of `depth`, each
            layer uses the normalised sum of the normals of several layers of a network so deep: both then follow
            the same Brownian path. A state that overflows is infinite from there on, in all its inputs.
            Images: the pre-activations of a channel are one Gaussian vector over positions and inputs, whose
            covariance is the Gram matrix of the patches. Its factor is the triangular one (`method` "field") or
            the patches themselves ("filters", whose normals are filters); None takes the first where positions
            times inputs are fewer than channels. `noise_depth` couples samples of the same method.
        Source: Hayou 2023, the layer law; Peluchetti and Favaro 2021, fully iid parameters, convolutional networks.
        Raises: ValueError for a start of another shape or not finite, samples below 1, layers outside 0..depth,
            noise_depth that is no multiple of depth, an unknown precision or method.
        """
        run = self._run(samples, seed, at, how)
        return states(self.blocks, self.width, initial, run, method, limit=False)

    def jacobians(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, **how: Unpack[Layers]
    ) -> Jacobians:
        """States of independent networks and their Jacobians with respect to the start, from explicit weights.

        Shapes: initial is (width, m) or (samples, width, m). Returns (state, jacobian, log_determinant) of shapes
            (samples, width, m), (samples, m, width, width) and (samples, m), with an axis of layers after the samples
            where `at` is given. All inputs share the weights.
        Law: exact, J = product over layers of I + diag(phi'(h)) W diag(psi'(x)). Weights have single precision, or
            double with `precision="double"`, everything else is double. Sample i depends only on (seed, first + i)
            and x0, and not on the numbers of `sample`. `noise_depth` sums the weights of several layers of a
            network so deep, which is how networks of other depths and `diffusions.ResidualSDE.jacobians` are coupled.
            A sample that overflows is +inf from there on, in all that is returned.
        Source: Peluchetti and Favaro 2021, gradients in residual networks.
        Raises: ValueError as for `sample`.
        """
        run = self._run(samples, seed, at, how)
        state, jacobian = derivatives(self.blocks, dense_start(self.blocks, self.width, initial, run), run, limit=False)
        return Jacobians(state, jacobian, log_determinants(jacobian))

    def ntk(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        *,
        inputs: ArrayLike | None = None,
        readout: ArrayLike | None = None,
        **how: Unpack[Layers],
    ) -> Tangent:
        """The empirical tangent kernels of independent networks, from explicit weights.

        Shapes: initial is (width, m) or (samples, width, m). Returns (weights, biases, inputs), each (samples, m, m):
            inner products of the gradients of the output with respect to the standard normals that make the weights
            and the biases of the blocks. The output is the first neuron, or <readout, x> with readout (width,) or
            (samples, width). `inputs` (m, m) is the tangent kernel of one neuron of what comes before the
            blocks, carried through them; 0 by default.
        Law: exact, by backpropagation through the weights of `jacobians` with the same seed, each layer
            time/depth long; weights have single precision, or double with `precision="double"`, all
            else is double. Sample i depends only on (seed, first + i), the start and readout. Its mean tends to
            `kernels.ResidualKernel.ntk` with the depth, at every width for the identity inside and outer''(0) = 0; at
            finite depth and large width it is `finite_depth_ntk`, for linear activations at every
            width. A kernel that overflows is +inf.
        Source: Peluchetti and Favaro 2021, neural tangent kernel of the doubly infinite limit.
        Raises: ValueError as for `sample`, for inputs that are not positive semi-definite, and a
            readout of another shape or not finite.
        """
        run = self._run(samples, seed, None, how)
        return tangent_kernels(self.blocks, dense_start(self.blocks, self.width, initial, run), inputs, readout, run)
