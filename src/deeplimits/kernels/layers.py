"""Input and output layers around infinitely wide residual blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import FloatArray, covariance, real, shown
from .residual import ResidualKernel

#: The largest variance of the input layer.
LARGEST = 1e100


class Kernels(NamedTuple):
    """Kernels of the network's output, each (m, m): prior, and tangent of all or of hidden layers only.

    >>> from deeplimits import activations, kernels
    >>> from deeplimits.blocks import Blocks
    >>> kernel = kernels.ResidualKernel(Blocks(activations.relu(), activations.linear()))
    >>> found = kernels.with_layers(kernel, [[1.0, 0.0], [0.0, 1.0]])
    >>> found.prior.shape, found.tangent.shape
    ((2, 2), (2, 2))
    """

    prior: FloatArray
    tangent: FloatArray
    hidden: FloatArray


def with_layers(
    kernel: ResidualKernel, gram: ArrayLike, input_variance: float = 1.0, output_variance: float = 1.0
) -> Kernels:
    """Kernels of a network with a linear layer before the blocks and one after them.

    x0 = A z with entries of variance `input_variance`, and the output is G x_T with entries of
    variance output_variance / width. The prior kernel is the covariance of the output; the tangent
    kernels are for standard normal parameters, scaled by these deviations.

    Shapes: gram (m, m), the inner products <z, z'> of the inputs -> three (m, m).
    Law: limit of infinite width and depth, error about 1e-10. For the identity inside and
    outer''(0) = 0 all are affine in the inner products: Bayesian linear regression.
    Source: Peluchetti and Favaro 2021, kernels of the completed models.
    Raises: ValueError for a gram that is no covariance and for variances out of range.

    >>> import numpy as np
    >>> from deeplimits import activations, kernels
    >>> from deeplimits.blocks import Blocks
    >>> kernel = kernels.ResidualKernel(Blocks(activations.linear(), activations.linear()))
    >>> found = kernels.with_layers(kernel, [[1.0, 0.0], [0.0, 1.0]])
    >>> bool(np.isclose(found.prior[0, 0], np.e))  # a linear network: the variance grows like exp(T)
    True
    """
    if not isinstance(kernel, ResidualKernel):
        raise ValueError(f"kernel must be a ResidualKernel, got {shown(kernel)}")
    start = real("input_variance", input_variance, above=0, most=LARGEST) * covariance("gram", gram)
    scale = real("output_variance", output_variance, above=0)
    unit, tangent = kernel.at(0.0, start), kernel.ntk(0.0, start, inputs=start)
    prior = scale * (unit.covariance + np.multiply.outer(unit.mean, unit.mean))
    return Kernels(prior, scale * tangent.total + prior, scale * (tangent.weights + tangent.biases))
