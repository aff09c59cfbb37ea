"""Shaped fully connected networks, seen through their covariance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FloatArray, whole
from .._parallel import BLOCK
from .._run import Network, Precise, Run
from ..activations import Activation, ActivationLike, shaped
from ..gaussian import LAYERS, SPLITS, Address, block_generator
from ..loops import program_pairs as _program_pairs
from ..loops import program_rows as _program_rows
from ..loops import rows as _rows
from ..wishart import bartlett, factor_of
from ._dense import cheaper, shaped_states
from ._gradients import Gradients, backpropagate
from ._tangents import tangent_chain, tangent_rows

#: A sampler of one law: (network, covariance, run) -> covariances.
Sampler = Callable[["ShapedMLP", FloatArray, Run], FloatArray]


@dataclass(frozen=True)
class ShapedMLP(Network):
    """A fully connected network with a shaped activation, seen through its covariance.

    Layer l + 1 is z' = sqrt(c/n) W phi(z) with independent standard normal weights, and its
    covariance is V = c/n <phi(z), phi(z)> for each pair of inputs.

    A string stands for the smooth shaping of that activation, as it does for the limits: "gelu" for `smooth("gelu")`.

    Source: Li, Nica and Roy 2022, the network of the covariance SDE.
    Raises: ValueError for what is no activation, for a width or depth that is not a positive integer and for an
        activation that cannot be normalised at this width.

    >>> import numpy as np
    >>> from deeplimits import activations, networks
    >>> network = networks.ShapedMLP(activations.shaped_relu(0, -1), width=20, depth=20)
    >>> V = network.sample([[1.0, 0.3], [0.3, 1.0]], samples=1000, seed=1)
    >>> V.shape, bool(np.all(V[:, 0, 0] > 0))
    ((1000, 2, 2), True)
    >>> network.sample(1.0, samples=10, seed=1, at=[0, 10, 20]).shape  # one input, at three layers
    (10, 3, 1, 1)
    """

    activation: Activation
    width: int
    depth: int

    if TYPE_CHECKING:  # a string may stand for an activation

        def __init__(self, activation: ActivationLike, width: int, depth: int) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", shaped(self.activation))
        whole("width", self.width)
        whole("depth", self.depth, most=2**31 - 1)
        self.activation.normaliser(self.width)

    def sample(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[int] | None = None,
        *,
        method: str | None = None,
        **how: Unpack[Precise],
    ) -> FloatArray:
        """Post-activation covariances of independent networks.

        Shapes: initial is V0, (m, m), the Gram <x, x'>/n_in of the inputs (a number for one input).
            Returns (samples, m, m) at the last layer, or (samples, len(at), m, m) at the layers
            `at`, in their order; layer 0 is the start, layer `depth` the last.
        Law: exact at any width, whichever method is used: `method` is "chain" (one input: a binomial
            and two chi-squared draws a layer, whatever the width), "wishart" (linear network: Bartlett
            factors), "rows" (any number of inputs: one Gaussian row for each neuron) or "weights" (all of
            them drawn: cheaper where inputs outnumber neurons, about); None picks the fastest that applies;
            "chain" and "wishart" are for rectifiers. "rows" and "weights" draw in single
            precision, with sums in double; `precision="double"` draws in double, as a reference.
            Rows carry nearly parallel inputs as differences from the closest input before them, weights carry
            states in double precision: both keep 1 - correlation down to the rounding of V. Two
            inputs, for speed, are summed in single precision over blocks of 512 neurons: rounding of
            about 1e-7 a layer, relative in each norm and in that of their difference.
            A norm that explodes beyond the range of floating-point numbers makes its covariance
            +inf, in every entry and from its layer on.
            Sample i depends only on (seed, first + i): threads and chunks change nothing.
        Source: Li, Nica and Roy 2022, conditional Gaussianity of the layers; Bartlett 1933.
        Raises: ValueError for an initial value that is not a covariance, samples below 1, layers outside
            0..depth, an unknown method or precision, or a method that does not apply.
        """
        V0 = _checks.covariance("initial", initial)
        run = self._run(samples, seed, at, how, Precise)
        return self._sampler(method, len(V0))(self, V0, run)

    def tangents(
        self,
        initial: ArrayLike,
        samples: int,
        seed: int,
        at: Sequence[int] | None = None,
        *,
        method: str | None = None,
        **how: Unpack[Precise],
    ) -> FloatArray:
        """How independent networks stretch directions at one input, together with its norm.

        Shapes: initial is (1 + k, 1 + k), the Gram of the input x and of k directions u, <., .>/n_in. Returns
            (samples, 1 + k, 1 + k), the Gram of the activations sqrt(c/n) phi(z) and of their derivatives
            along each u: entry [0, 0] is V, [j, j] the squared norm |J u|^2. Layers `at` as for `sample`.
        Law: exact at any width. Given a layer, the pre-activation z and its derivatives v of a neuron are one
            Gaussian row: `method` "rows" draws them. "weights" draws these instead, cheaper for very many directions.
            "chain" (rectifiers, the default for them) multiplies by Wishart matrices, whatever the width. Normals have
            single precision, sums double; `precision="double"`
            draws in double. For rectifiers E|J u|^2 is conserved, and |J u|^2 has exactly the law of the norm V.
            Sample i depends only on (seed, first + i). Overflow: every entry is +inf from its layer on.
        Source: ours, after the conditional Gaussianity of the layers in Li, Nica and Roy 2022.
        Raises: ValueError as for `sample`.
        """
        gram = _checks.covariance("initial", initial)
        run = self._run(samples, seed, at, how, Precise)
        applies = {"chain": self.activation.rectifier is not None, **_any(self.width, len(gram))}
        weights = partial(shaped_states, tangents=True)
        return _choose(method, applies, {"chain": tangent_chain, "rows": tangent_rows, "weights": weights})(
            self, gram, run
        )

    def gradients(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, **how: Unpack[Precise]
    ) -> Gradients:
        """Tangents as `tangents` has them, with the squared norm of a backpropagated vector, from explicit weights.

        Shapes: initial is (1 + k, 1 + k) with k < width. Returns (tangents, norms): (samples, 1 + k, 1 + k) at the last
            layer and |J^T g|^2 (samples,) for the derivative J of the last activations with respect to the
            input, which has as many coordinates as a layer. With layers `at`, an axis for them after the
            samples: the tangents there, and J the derivative with respect to the activations there.
        Law: exact; g is a random direction, |g| = 1, of its own for each network. |J^T g|^2 has, jointly with V,
            exactly the law of |J u|^2 for a random direction u, since J and its transpose have the same singular
            values: `tangents` gives it without weights. Weights have single precision, or double with
            `precision="double"`; all else is double. Sample i depends only on (seed, first + i).
        Source: ours, after Li, Nica and Roy 2022.
        Raises: ValueError as for `sample`, and for a width that has no room for k directions and the input.
        """
        gram = _checks.covariance("initial", initial)
        if len(gram) > self.width:
            raise ValueError(f"initial must have at most width={self.width} rows, got {len(gram)}")
        run = self._run(samples, seed, at, how, Precise)
        return backpropagate(self, gram, run)

    @property
    def slopes(self) -> tuple[float, float]:
        """The slopes on either side of 0.

        Raises: ValueError for an activation that is not straight there.
        """
        if self.activation.rectifier is None:
            raise ValueError(f"slopes are those of a rectifier, {self.activation.name} is none")
        return self.activation.rectifier.slopes(self.width)

    def _sampler(self, method: str | None, inputs: int) -> Sampler:
        """The sampler asked for, or the fastest that applies."""
        rectifier = self.activation.rectifier is not None
        straight = rectifier and len(set(self.slopes)) == 1
        applies = {"wishart": straight, "chain": rectifier and inputs == 1, **_any(self.width, inputs)}
        rows = gaussian_rows if rectifier else program_rows
        return _choose(
            method,
            applies,
            {"wishart": wishart_products, "chain": norm_chain, "rows": rows, "weights": shaped_states},
        )


def _any(width: int, inputs: int) -> dict[str, bool]:
    """The methods that always apply, the cheaper one first."""
    return dict.fromkeys(("weights", "rows") if cheaper(width, inputs) else ("rows", "weights"), True)


def _choose(method: str | None, applies: dict[str, bool], samplers: dict[str, Sampler]) -> Sampler:
    """The sampler of that name, or the first that applies."""
    if method is None:
        method = next(name for name, possible in applies.items() if possible)
    method = _checks.choice("method", method, applies)
    if not applies[method]:
        needs = {"wishart": "equal slopes (a linear network)", "chain": "a single input and a rectifier"}[method]
        raise ValueError(f"method={method!r} needs {needs}")
    return samplers[method]


def gaussian_rows(network: ShapedMLP, V0: FloatArray, run: Run) -> FloatArray:
    """Sample any network by its Gaussian rows: width x inputs normals a layer.

    Law: exact. The state is the Gram of unit vectors in differences along a tree of close inputs.
    """
    plus, minus = network.slopes
    scale = network.activation.normaliser(network.width) / network.width
    tree = _rows.tree_coordinates(V0)
    neurons = _rows.Neurons(network.width, scale, (plus + minus) / 2, (plus - minus) / 2)

    def kernel(out: FloatArray, begin: int) -> None:
        work, origin = _rows.workspace(network.width, len(V0), run.dtype), Address(begin, LAYERS, run.seed)
        if len(V0) == 2:
            _rows.propagate_pair(out, run.records, V0, tree.gram[1, 1] / 2, neurons, origin, work.normals)
        else:
            _rows.propagate(out, run.records, tree, neurons, origin, work)

    return run.paths(kernel, V0.shape)


def program_rows(network: ShapedMLP, V0: FloatArray, run: Run) -> FloatArray:
    """Sample a network whose activation is a program by its Gaussian rows.

    Law: exact. The state is the covariance, of differences where inputs are close to one before them.
    """
    parents = _program_rows.nearest(V0)
    neurons = _program_rows.neurons(network.activation, network.width, run.dtype)

    def kernel(out: FloatArray, begin: int) -> None:
        work = _program_rows.workspace(network.width, len(V0), run.dtype)
        place = (neurons, Address(begin, LAYERS, run.seed), work)
        if len(V0) == 2:
            _program_pairs.propagate_pair(out, run.records, V0, *place)
        else:
            _program_rows.propagate(out, run.records, V0, parents, *place)

    return run.paths(kernel, V0.shape)


def norm_chain(network: ShapedMLP, V0: FloatArray, run: Run) -> FloatArray:
    """Sample the norm of one input: three draws a layer whatever the width.

    Law: exact. A layer multiplies V by c/n (s_plus^2 chi2_K + s_minus^2 chi2_(n-K)), K binomial(n, 1/2).
    """
    width = network.width
    plus, minus = network.slopes
    scale = 2 * network.activation.normaliser(width) / width

    def block(number: int) -> FloatArray:
        draw = block_generator(int(run.seed), number, SPLITS)
        V = np.full(BLOCK, V0[0, 0])
        kept = np.empty((BLOCK, len(run.records), 1, 1))
        for layer in range(run.records[-1] + 1):
            if layer:
                active = draw.binomial(width, 0.5, BLOCK)
                V *= scale * (
                    plus**2 * draw.standard_gamma(active / 2) + minus**2 * draw.standard_gamma((width - active) / 2)
                )
            kept[:, run.records == layer, 0, 0] = V[:, None]
        return kept

    return run.blocks(block, V0.shape)


def wishart_products(network: ShapedMLP, V0: FloatArray, run: Run) -> FloatArray:
    """Sample a deep linear network as a product of triangular factors: O(m^2) draws a layer.

    Law: exact. V = F F^T and F is multiplied by a Bartlett factor of width degrees of freedom a layer.
    """

    def block(number: int) -> FloatArray:
        draw = block_generator(int(run.seed), number, SPLITS)
        factor = np.broadcast_to(factor_of(V0), (BLOCK, *factor_of(V0).shape))
        kept = np.empty((BLOCK, len(run.records), *V0.shape))
        for layer in range(run.records[-1] + 1):
            if layer:
                factor = factor @ bartlett(draw, BLOCK, factor.shape[-1], network.width)
            if layer in run.records:
                kept[:, run.records == layer] = (factor @ factor.swapaxes(1, 2))[:, None]
        return kept

    return run.blocks(block, V0.shape)
