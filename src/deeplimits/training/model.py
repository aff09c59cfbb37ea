"""Residual networks between an input and an output layer, as functions that JAX can differentiate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import choice, real, shown, whole
from .._checks import seed as checked_seed
from ..activations import Activation
from ..activations.derivatives import definition
from ..activations.expressions import CONSTANTS, evaluate
from ..activations.primitives import PRIMITIVES
from ..blocks import Blocks, ConvBlocks, filters
from ..kernels import Kernels, ResidualKernel, with_layers
from ..networks import ResNet
from ._libraries import jax

#: The parameters that move, by what is trained.
TRAINED = {"all": ("input", "weights", "biases", "output"), "blocks": ("weights", "biases"), "output": ("output",)}


@dataclass(frozen=True)
class Model:
    """A residual network with an input layer before its blocks and an output layer after them.

    Of an input z the blocks see A z with A ~ N(0, input_variance / inputs), and the outputs are G x with
    G ~ N(0, output_variance / width), both without bias. The network is a `networks.ResNet`, dense or of
    `ConvBlocks`: then A acts on the `inputs` channels of an image, position by position, and x is the
    mean over positions. All parameters are kept as standard normal numbers; their variances are factors of
    the network, so that gradients have the size that the tangent kernel counts. What moves is "all", the
    "blocks" alone, or the "output" layer alone.

    Source: Peluchetti and Favaro 2021, completed models.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> from deeplimits.blocks import Blocks
    >>> from deeplimits.networks import ResNet
    >>> from deeplimits.training import Model
    >>> model = Model(ResNet(Blocks("linear", "tanh"), width=8, depth=4), inputs=2, outputs=1)
    >>> model.parameters(samples=3, seed=1)["output"].shape
    (3, 1, 8)
    """

    network: ResNet
    inputs: int
    outputs: int
    input_variance: float = 1.0
    output_variance: float = 1.0
    trained: str = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.network, ResNet):
            raise ValueError(f"network must be a networks.ResNet, got {shown(self.network)}")
        if not self.blocks.independent:
            raise ValueError(
                f"network must have independent parameters of mean zero to be trained, got {shown(self.blocks)}"
            )
        for name in ("inputs", "outputs"):
            whole(name, getattr(self, name))
        for name in ("input_variance", "output_variance"):
            object.__setattr__(self, name, real(name, getattr(self, name), above=0))
        choice("trained", self.trained, TRAINED)

    @property
    def convolutional(self) -> bool:
        """Whether the inputs are images, (k, rows, columns, inputs), and not vectors (k, inputs)."""
        return isinstance(self.blocks, ConvBlocks)

    @property
    def blocks(self) -> Blocks:
        """The blocks of the network."""
        return self.network.blocks

    @property
    def width(self) -> int:
        """The width of the blocks, or their channels."""
        return self.network.width

    def parameters(self, samples: int, seed: int) -> dict[str, np.ndarray]:
        """Standard normal parameters of independent networks.

        Shapes: input (samples, width, inputs), weights (samples, depth, width, taps * width) with one tap for dense
            blocks and kernel^2, row by row, for filters, biases (samples, depth, width), output (samples, outputs,
            width), in single precision.
        Law: exact; sample i depends only on (seed, i). The numbers are not those of `networks`.
        Raises: ValueError for samples below 1 or a seed out of range.
        """
        depth, width = self.network.depth, self.width
        taps = filters(self.blocks)[0] ** 2
        shapes = {
            "input": (width, self.inputs),
            "weights": (depth, width, taps * width),
            "biases": (depth, width),
            "output": (self.outputs, width),
        }
        draws = [stream(seed, sample) for sample in range(whole("samples", samples))]
        return {
            name: np.stack([draw.standard_normal(shape, np.float32) for draw in draws])
            for name, shape in shapes.items()
        }

    def apply(self, parameters: dict[str, Any], inputs: Any) -> Any:
        """The outputs of one network, as JAX arrays; a function that JAX can transform.

        Shapes: parameters of one sample; inputs (k, inputs) or (k, rows, columns, inputs) -> (k, outputs).
        Law: exact, in the precision of the arguments.
        Raises: ImportError without JAX.
        """
        jnp, blocks, width = jax().numpy, self.blocks, self.width
        inner, outer = (elementwise(phi) for phi in (blocks.inner, blocks.outer))
        step = blocks.time / self.network.depth
        weight_scale, bias_scale = (np.sqrt(v * step) for v in (blocks.weight_variance / width, blocks.bias_variance))
        x = jnp.asarray(inputs) @ parameters["input"].T * float(np.sqrt(self.input_variance / self.inputs))

        def block(x: Any, layer: Any) -> tuple[Any, None]:
            seen = inner(self._patches(x) if self.convolutional else x)
            return x + outer(seen @ layer[0].T * float(weight_scale) + layer[1] * float(bias_scale)), None

        x = jax().lax.scan(block, x, (parameters["weights"], parameters["biases"]))[0]
        if self.convolutional:
            x = x.mean(axis=(1, 2))
        return x @ parameters["output"].T * float(np.sqrt(self.output_variance / width))

    def tangent_kernels(self, parameters: dict[str, Any], inputs: ArrayLike) -> np.ndarray:
        """The tangent kernels of the first output of networks: inner products of its gradients.

        Shapes: parameters of several samples; inputs (k, inputs) or (k, rows, columns, inputs) -> (samples, k, k).
        Law: exact for each network, in single precision, with respect to what is trained.
        Source: Jacot et al. 2018.
        Raises: ImportError without JAX.
        """
        x = np.asarray(inputs, np.float32)

        def one(own: Any) -> Any:
            moving = {name: own[name] for name in TRAINED[self.trained]}
            gradients = jax().jacobian(lambda moved: self.apply(own | moved, x)[:, 0])(moving)
            rows = [gradient.reshape(len(x), -1) for gradient in gradients.values()]
            return sum(row @ row.T for row in rows)

        return np.asarray(jax().jit(lambda p: jax().lax.map(one, p))(parameters), np.float64)

    def limit(self, gram: ArrayLike) -> Kernels:
        """The kernels of one output of infinitely wide and deep fully connected networks.

        Shapes: gram (m, m), the inner products <z, z'> / inputs -> three (m, m), as `kernels.with_layers`: `prior` is
            also the tangent kernel of the output layer, `tangent` that of all layers, `hidden` that of the blocks.
        Law: the limit of `apply` at initialisation. For the identity inside and outer''(0) = 0 all are affine in
            the inner products.
        Source: Peluchetti and Favaro 2021, kernels of the completed models.
        Raises: ValueError for a gram that is not a covariance, and for filters.
        """
        if self.convolutional:
            raise ValueError("limit is known for fully connected blocks only, got ConvBlocks")
        return with_layers(ResidualKernel(self.blocks), gram, self.input_variance, self.output_variance)

    def _patches(self, x: Any) -> Any:
        """What the filter sees from each position: (k, rows, columns, kernel^2 width)."""
        jnp, blocks = jax().numpy, self.blocks
        assert isinstance(blocks, ConvBlocks)
        kernel, reach, (rows, columns) = blocks.kernel, blocks.kernel // 2, x.shape[1:3]
        mode = "wrap" if blocks.padding == "periodic" else "constant"
        padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode=mode)
        return jnp.concatenate(
            [padded[:, u : u + rows, v : v + columns] for u in range(kernel) for v in range(kernel)], axis=-1
        )


def stream(seed: int, sample: int, epoch: int = -1) -> np.random.Generator:
    """Random numbers of one network: its parameters, or the order of its inputs in an epoch."""
    return np.random.Generator(np.random.Philox(key=[checked_seed(seed), sample], counter=[0, 0, epoch + 1, 0]))


def elementwise(activation: Activation) -> Callable[[Any], Any]:
    """An activation as a function of JAX arrays.

    Raises: ValueError for one that is given by Python functions.
    """
    jnp = jax().numpy
    if (rectifier := activation.rectifier) is not None:
        plus, minus = rectifier.slopes(1)
        return (lambda x: plus * x) if plus == minus else (lambda x: jnp.where(x > 0, plus * x, minus * x))
    tree = activation.tree
    if tree is None:
        raise ValueError(
            f"activation must be given by a formula to be trained by JAX, {activation.name} is not: write "
            "it as an expression in x"
        )
    return lambda x: evaluate(tree, x, _constant, _function)


def _constant(value: Any) -> float:
    return float(CONSTANTS[value] if value in CONSTANTS else value)


def _function(name: str) -> Callable[[Any], Any]:
    """A primitive function of expressions, by JAX."""
    place = PRIMITIVES[name].jax
    return attrgetter(place)(jax()) if place else lambda x: evaluate(definition(name), x, _constant, _function)
