"""Residual networks whose weights vary along the depth like fractional Brownian motion.

Each connection has a fractional Brownian motion of its own, and a layer's weight is its increment. At Hurst index 1/2
the layers are independent, at 1 they all have the same weights; in between, and below 1/2, they remember.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, rfft

from ._checks import FloatArray, empty, real, reals, shown, whole
from ._parallel import over_samples
from ._run import Coupled, Network, pieces
from .activations import angle_defect, angle_of
from .blocks import Blocks, ConvBlocks, checked_blocks
from .gaussian import FRACTIONAL_WEIGHTS, MOST_SAMPLES, normals
from .networks._branches import start

__all__ = ["FractionalResNet", "fractional_noise", "noise_covariance"]

#: Normals drawn at a time by a thread: they and their transform stay within some tens of megabytes.
AT_A_TIME = 2**20


def noise_covariance(lag: ArrayLike, hurst: float) -> FloatArray:
    """The covariance of two increments of fractional Brownian motion, each over a unit of time.

    Shapes: any shape of lags (the time between their starts), the same shape out.
    Law: exact, to rounding at whole lags and at all from 2 on; between, to 1e-16 of the value at lag 0, which is 1.
        At other whole lags 0 for hurst = 1/2, positive above, negative below, 1 for hurst = 1.
    Source: Mandelbrot and Van Ness 1968, fractional Gaussian noise.
    Raises: ValueError for a hurst outside (0, 1] and lags that are not finite.

    >>> from deeplimits import fractional
    >>> fractional.noise_covariance([0, 1, 2], 0.5)  # Brownian motion: increments are independent
    array([1., 0., 0.])
    """
    power, lags = 2 * _hurst(hurst), np.abs(reals("lag", lag))
    near = np.minimum(lags, 2)
    direct = ((near + 1) ** power - 2 * near**power + np.abs(near - 1) ** power) / 2
    direct = np.where(near == 1, np.expm1((power - 1) * np.log(2)), direct)
    # Beyond, where the three cancel: the even terms of the two binomial series in 1 / lag, 4^-j at most each.
    far, term, series = np.maximum(lags, 2), np.full(lags.shape, power * (power - 1) / 2), np.zeros(lags.shape)
    with np.errstate(under="ignore"):
        for j in range(1, 28):
            series = series + term
            term = term * (power - 2 * j) * (power - 2 * j - 1) / ((2 * j + 1) * (2 * j + 2)) / far / far
        return np.where(lags < 2, direct, far ** (power - 2) * series)[()]


def fractional_noise(
    hurst: float, length: int, paths: int, samples: int, seed: int, *, first: int = 0, threads: int | None = None
) -> FloatArray:
    """Increments of independent fractional Brownian motions over unit times.

    Shapes: (samples, paths, length). The increments of [0, 1] in `length` steps are these times length^-hurst.
    Law: exact, normal with mean 0 and covariance `noise_covariance`; the normals behind them have single precision.
        Sample i depends only on (seed, first + i, hurst, length, paths).
    Source: Davies and Harte 1987, circulant embedding.
    Raises: ValueError for a hurst outside (0, 1], sizes below 1, a negative or oversized seed or first.

    >>> import numpy as np
    >>> from deeplimits import fractional
    >>> noise = fractional.fractional_noise(0.8, length=16, paths=2, samples=1000, seed=1)
    >>> noise.shape, bool(np.mean(noise[..., 0] * noise[..., 1]) > 0.3)  # positive above hurst = 1/2
    ((1000, 2, 16), True)
    """
    shape = whole("samples", samples), whole("paths", paths), whole("length", length)
    whole("first", first, least=0, most=MOST_SAMPLES - samples)
    out, scale = empty("samples, paths and length", shape), _spectrum(hurst, length)
    rows = max(AT_A_TIME // (2 * length * paths), 1)

    def piece(low: int, high: int) -> None:
        for begin in range(low, high, rows):
            end = min(begin + rows, high)
            drawn = normals(seed, end - begin, 2 * length * paths, first=first + begin, stream=FRACTIONAL_WEIGHTS)
            drawn = drawn.reshape(end - begin, paths, 2 * length)
            waves = (drawn[..., : length + 1] * scale).astype(np.complex128)
            waves.imag[..., 1:length] = drawn[..., length + 1 :] * scale[1:length]
            out[begin:end] = irfft(waves, 2 * length, overwrite_x=True)[..., :length]

    over_samples(piece, samples, None if threads is None else whole("threads", threads))
    return out


def _spectrum(hurst: float, length: int) -> FloatArray:
    """Size of each wave of a periodic noise twice as long, whose first half is fractional."""
    row = noise_covariance(np.arange(length + 1), hurst)
    power = rfft(np.concatenate([row, row[-2:0:-1]])).real
    # No true value is negative; one below rounding is 0, as all but the first are at hurst = 1.
    power[power < 2 * length * np.finfo(np.float64).eps * power.max()] = 0
    # The two waves at the ends are real, the others have a real and an imaginary part of half the power.
    power[1:-1] /= 2
    return np.sqrt(2 * length * power)


def _hurst(value: object) -> float:
    return real("hurst", value, above=0, most=1)


@dataclass(frozen=True)
class FractionalResNet(Network):
    """A residual network x + outer(W inner(x)) whose weights are increments of fractional Brownian motion in depth.

    A weight of any layer has variance weight_variance / (width (depth/time)^(2 exponent)). Those of different layers in
    the same place have correlation `noise_covariance`, those in different places are independent. The exponent is
    `hurst` unless another is given: then the weights up to a layer add up to sqrt(weight_variance / width) times
    fractional Brownian motion at the time of the layer. hurst = 1/2 is `networks.ResNet`; hurst = 1 has the same
    weights in all layers, with a factor time/depth.

    Source: Marion, Fermanian, Biau and Vert 2025, residual networks with fractional weights.
    Raises: ValueError that names the argument, its value and what is allowed.

    >>> import numpy as np
    >>> from deeplimits import activations, fractional
    >>> from deeplimits.blocks import Blocks
    >>> blocks = Blocks(activations.plain("tanh"), activations.linear())
    >>> network = fractional.FractionalResNet(blocks, width=4, depth=16, hurst=0.7)
    >>> network.sample(np.ones((4, 1)), samples=10, seed=1).shape
    (10, 4, 1)
    """

    blocks: Blocks
    width: int
    depth: int
    hurst: float
    exponent: float | None = None

    def __post_init__(self) -> None:
        checked_blocks(self.blocks).fitting(self.width)
        whole("depth", self.depth)
        if isinstance(self.blocks, ConvBlocks) or not self.blocks.independent or self.blocks.bias_variance:
            raise ValueError(
                f"blocks must be dense, with centred independent weights and no bias, got {shown(self.blocks)}"
            )
        _hurst(self.hurst)
        if self.exponent is not None:
            real("exponent", self.exponent)

    @property
    def scale(self) -> float:
        """The standard deviation of a weight."""
        exponent = self.hurst if self.exponent is None else self.exponent
        return float(np.sqrt(self.blocks.weight_variance / self.width) * (self.depth / self.blocks.time) ** -exponent)

    def weights(self, samples: int, seed: int, **how: Unpack[Coupled]) -> FloatArray:
        """The weights of independent networks.

        Shapes: (samples, depth, width, width).
        Law: exact; the numbers that `sample` uses. With `noise_depth`, a multiple of `depth`, each weight is
            a normalised sum over layers of a network so deep: both then have the same fractional Brownian motions.
        Source: as the class. Raises: as `sample`.
        """
        run = self._run(samples, seed, None, how, Coupled)
        return self._weights(run.refinement, run.samples, seed, run.first, run.threads)

    def _weights(self, refinement: int, samples: int, seed: int, first: int, threads: int | None) -> FloatArray:
        noise = fractional_noise(
            self.hurst, refinement * self.depth, self.width**2, samples, seed, first=first, threads=threads
        )
        noise = noise.reshape(samples, self.width, self.width, self.depth, refinement).sum(axis=-1)
        return np.moveaxis(noise, -1, 1) * (self.scale * float(refinement) ** -self.hurst)

    def sample(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, **how: Unpack[Coupled]
    ) -> FloatArray:
        """States of independent networks.

        Shapes: initial is (width, m), the same for all networks, or (samples, width, m). Returns (samples, width, m) at
            the last layer, or (samples, len(at), width, m) at the layers `at`; layer 0 is the start. Memory grows with
            the weights of a sample, width^2 depth.
        Law: exact at any width and depth, from explicit weights. Sample i depends only on (seed, first + i) and the
            start. With `noise_depth` as in `weights`. A state that overflows is infinite from there on, in all its
            inputs.
        Source: as the class.
        Raises: ValueError for a start of another shape or not finite, samples below 1, layers outside 0..depth, a
            noise_depth that is no multiple of depth.
        """
        run = self._run(samples, seed, at, how, Coupled)
        x0 = start(initial, (self.width,), run.samples)
        size = max(AT_A_TIME // (2 * self.depth * run.refinement * self.width**2), 1)

        def kernel(out: FloatArray, begin: int) -> None:
            weights = self._weights(run.refinement, len(out), seed, begin, threads=1)
            begun = x0.part(slice(begin - run.first, begin - run.first + len(out)))
            self._propagate(out, run.records, begun, np.ascontiguousarray(weights.swapaxes(0, 1)))

        return run.paths(pieces(kernel, size), x0.states.shape[1:])

    def _propagate(self, out: FloatArray, records: NDArray[np.int64], x: FloatArray, weights: FloatArray) -> None:
        done = 0
        with np.errstate(over="ignore", invalid="ignore"):
            for place, layer in enumerate(records):
                for W in weights[done:layer]:
                    x = x + self.blocks.outer(W @ self.blocks.inner(x))
                done = layer
                out[:, place] = x
                out[~np.all(np.isfinite(out[:, place]), axis=(1, 2)), place] = np.inf

    def infinite_width(self, variance: float = 1.0) -> FloatArray:
        """The covariance of a neuron between layers, as the width goes to infinity at this depth.

        Shapes: `variance` of the neurons at the start -> (depth + 1, depth + 1), from the start to the last layer.
        Law: exact limit for a linear outer activation and independent centred neurons at the start, which are then a
            Gaussian process along the depth; at finite width the error of a mean is O(1/width).
        Source: ours; hurst = 1 is a recurrent network, Yang 2019; hurst = 1/2 on the diagonal is Hayou 2023.
        Raises: ValueError for a negative variance, an inner activation that is not linear() or relu(), an outer one
            that is not linear().
        """
        inner, outer = self.blocks.inner.rectifier, self.blocks.outer.rectifier
        if inner is None or outer is None:
            raise ValueError(
                f"inner must be linear() or relu() and outer linear(), got {self.blocks.inner!r}, {self.blocks.outer!r}"
            )
        plus, minus = inner.slopes(self.width)
        if outer.slopes(self.width) != (1.0, 1.0):
            raise ValueError(f"outer must be linear(), got {outer!r}")
        K = np.full((self.depth + 1, self.depth + 1), real("variance", variance, least=0))
        memory = self.scale**2 * self.width * noise_covariance(np.arange(self.depth), self.hurst)
        for layer in range(self.depth):
            row = K[layer, : layer + 1]
            sizes = np.sqrt(row[-1] * np.diag(K)[: layer + 1])
            rho = np.clip(np.divide(row, sizes, out=np.zeros_like(row), where=sizes > 0), -1, 1)
            defect = (plus - minus) ** 2 * angle_defect(angle_of(1 - rho)) / (2 * np.pi)
            products = sizes * ((plus**2 + minus**2) / 2 * rho + defect)
            source = memory[layer::-1] * products
            # K[layer+1, k+1] - K[layer+1, k] - K[layer, k+1] + K[layer, k] is the covariance of two branches.
            K[layer + 1, 1 : layer + 1] = K[0, 0] + np.cumsum(np.diff(row) + source[:-1])
            K[: layer + 1, layer + 1] = K[layer + 1, : layer + 1]
            K[layer + 1, layer + 1] = 2 * K[layer + 1, layer] - row[-1] + source[-1]
        return K
