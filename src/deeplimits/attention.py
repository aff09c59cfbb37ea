"""Shaped attention: the covariance of tokens through deep attention layers, and its limit.

A layer maps the tokens X (one row each) to lambda X + gamma A X W_V / sqrt(n), where
A = I + softmax(Y/tau) - 1/m is an attention matrix shaped towards the identity, Y = X W_Q W_K^T X^T / n
and tau = temperature sqrt(n key_width). As for shaped networks, the covariance V = X X^T / n is a Markov
chain, and time is depth/width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from . import _checks
from ._checks import FloatArray, real, shown, whole
from ._parallel import BLOCK
from ._run import Diffusion, Grid, How, Network, Run, pieces
from .gaussian import ATTENTION_LAYERS, ATTENTION_PATHS, Address, block_generator
from .loops import tokens
from .wishart import bartlett, factor_of

__all__ = [
    "AttentionSDE",
    "ShapedAttention",
    "attention_drift",
    "attention_moments",
    "attention_noise",
    "shaped_softmax",
]

#: Growth of the differences of tokens beyond which a path of the limit has exploded: its life is as good as over.
EXPLODED = 1e9

#: How far a step of the limit goes in the clock of the scores, at most: a longer one is halved.
LONGEST = 0.01

#: The largest covariance of two tokens, and the range of temperatures, that the formulas of the limit take.
LARGEST = 1e50


def attention_moments(V: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """First two orders of a shaped attention matrix, at temperature 1.

    To second order A = I + B / sqrt(n) + C / n with B random and centred.

    Shapes: V (..., m, m). Returns S1 (..., m, m, m, m), the covariances of B[a, d] and B[b, w] at [a, d, b, w], and
        S2 (..., m, m), the mean of C.
    Law: exact as the key width tends to infinity; at temperature t divide both by t^2.
    Source: Noci et al. 2023, shaped attention; re-derived.
    Raises: ValueError for a V that is not finite and square in its last two axes.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> covariances, means = attention.attention_moments(np.eye(3))
    >>> covariances.shape, means.shape
    ((3, 3, 3, 3), (3, 3))
    """
    V = _tokens(V)
    return np.einsum("...ab,...dw->...adbw", V, _centred(V)) / V.shape[-1] ** 2, _second_order(V)


def _tokens(V: ArrayLike) -> FloatArray:
    """Covariances of tokens whose third powers are floating-point numbers."""
    V = _checks.matrices("V", V)
    if np.any(np.abs(V) > LARGEST):
        raise ValueError(f"V must have entries of at most {LARGEST:g}, got {shown(V)}")
    return V


def _started(initial: ArrayLike) -> FloatArray:
    """A covariance of tokens to start with."""
    V0 = _checks.covariance("initial", initial)
    if V0.max() > LARGEST:
        raise ValueError(f"initial must have entries of at most {LARGEST:g}, got {shown(initial)}")
    return V0


def _temperature(value: float) -> float:
    return real("temperature", value, least=1 / LARGEST, most=LARGEST)


def _centred(V: FloatArray) -> FloatArray:
    """The covariance of the tokens after their average is subtracted."""
    with_mean = V.mean(axis=-1)
    return V - with_mean[..., :, None] - with_mean[..., None, :] + with_mean.mean(axis=-1)[..., None, None]


def _quadratic(V: FloatArray) -> FloatArray:
    """E[B V B^T]: V times a number, since the covariance of B is a product."""
    return V * (np.sum(V * _centred(V), axis=(-2, -1)) / V.shape[-1] ** 2)[..., None, None]


def _second_order(V: FloatArray) -> FloatArray:
    """The mean of C, from the curvature of softmax."""
    size, with_mean = np.diagonal(V, axis1=-2, axis2=-1), V.mean(axis=-1)
    deviation = size - 2 * with_mean + 2 * with_mean.mean(axis=-1)[..., None] - size.mean(axis=-1)[..., None]
    return size[..., :, None] * deviation[..., None, :] / (2 * V.shape[-1])


def _arguments(V: ArrayLike, gamma: float, temperature: float) -> tuple[FloatArray, float, float]:
    """The checked arguments of drift and noise."""
    return (_tokens(V), real("gamma", gamma, least=0, most=1), _temperature(temperature))


def attention_drift(V: ArrayLike, gamma: float, temperature: float) -> FloatArray:
    """The drift of the attention SDE, per unit of depth/width.

    Shapes: (..., m, m) in and out.
    Law: exact limit.
    Source: Noci et al. 2023, covariance SDE of shaped attention; re-derived.
    Raises: ValueError for a V that is not finite and square in its last two axes, gamma outside [0, 1], a temperature
        that is not positive.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> attention.attention_drift(np.eye(3), gamma=0.5, temperature=1.0).shape
    (3, 3)
    """
    V, gamma, temperature = _arguments(V, gamma, temperature)
    half = _second_order(V) @ V
    return (gamma / temperature) ** 2 * (_quadratic(V) + half + half.swapaxes(-1, -2))


def attention_noise(V: ArrayLike, gamma: float, temperature: float) -> FloatArray:
    """The covariance of the noise of the attention SDE, per unit of depth/width.

    Shapes: (..., m, m) in; (..., m, m, m, m) out, entry [a, b, c, d] for V[a, b] and V[c, d].
    Law: exact limit.
    Source: Noci et al. 2023, covariance SDE of shaped attention; re-derived.
    Raises: ValueError for a V that is not finite and square in its last two axes, gamma outside [0, 1], a temperature
        that is not positive.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> attention.attention_noise(np.eye(3), gamma=0.5, temperature=1.0).shape
    (3, 3, 3, 3)
    """
    V, gamma, temperature = _arguments(V, gamma, temperature)
    first, _ = attention_moments(V)
    values = np.einsum("...ac,...bd->...abcd", V, V) + np.einsum("...ad,...bc->...abcd", V, V)
    # Cov of (B V)[a, b] and (B V)[c, d]; the noise is B V + V B^T.
    moved = np.einsum("...avck,...vb,...kd->...abcd", first, V, V)
    weights = moved + moved.swapaxes(-4, -3)
    weights = weights + weights.swapaxes(-2, -1)
    return gamma**2 * (2 - gamma**2) * values + gamma**4 / temperature**2 * weights


def shaped_softmax(scores: ArrayLike) -> FloatArray:
    """The shaped attention matrix I + softmax(scores) - 1/m.

    Shapes: (..., m, m) in and out; the softmax is along the last axis. Rows sum to 1.
    Law: exact. Source: Noci et al. 2023, shaped attention.
    Raises: ValueError for scores that are not finite and square in their last two axes.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> attention.shaped_softmax(np.zeros((2, 2)))  # no scores: every token sees itself
    array([[1., 0.],
           [0., 1.]])
    """
    scores = _checks.matrices("scores", scores)
    with np.errstate(over="ignore", under="ignore"):  # a weight that is too far below the largest is 0
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.eye(scores.shape[-1]) + weights / weights.sum(axis=-1, keepdims=True) - 1 / scores.shape[-1]


@dataclass(frozen=True)
class ShapedAttention(Network):
    """A deep network of shaped attention layers, seen through the covariance of its tokens.

    Source: Noci et al. 2023, shaped attention.
    Raises: ValueError for sizes that are not positive integers, gamma outside (0, 1], a temperature
        that is not positive.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> network = attention.ShapedAttention(width=32, depth=4, gamma=0.5, temperature=1.0)
    >>> network.sample(np.eye(3), samples=10, seed=1).shape
    (10, 3, 3)
    """

    width: int
    depth: int
    gamma: float
    temperature: float
    key_width: int = 64

    def __post_init__(self) -> None:
        for name in ("width", "depth", "key_width"):
            whole(name, getattr(self, name))
        real("gamma", self.gamma, above=0, most=1)
        _temperature(self.temperature)

    def sample(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[int] | None = None, **how: Unpack[How]
    ) -> FloatArray:
        """Covariances of the tokens of independent networks.

        Shapes: initial is V0, (m, m), the Gram <x, x'>/n of the tokens, m <= width. Returns (samples, m, m) at the last
            layer, or (samples, len(at), m, m) at the layers `at`, in their order; 0 is V0.
        Law: exact at any width, without weight matrices: given V the value part needs one m x m Gaussian matrix and
            a Wishart matrix of width - m degrees of freedom, the scores two m x key_width Gaussian matrices.
            Sample i depends only on (seed, first + i).
        Source: Noci et al. 2023, shaped attention; the exact sampler is ours.
        Raises: ValueError for an initial value that is not a covariance or has more tokens than the width, samples
            below 1, layers outside 0..depth.
        """
        V0 = _started(initial)
        if len(V0) > self.width:
            raise ValueError(f"initial must have at most width={self.width} tokens, got {len(V0)}")
        return _in_blocks(self._step, V0, self._run(samples, seed, at, how, How), ATTENTION_LAYERS)

    def _step(self, V: FloatArray, draw: np.random.Generator) -> FloatArray:
        count, m, n = len(V), V.shape[-1], self.width
        L = _factors(V)
        A = shaped_softmax(self._scores(L, draw))
        # The values X W_V are sqrt(n) L G: along X they meet the m x m part H = O G^T, across it the rest of G.
        H = draw.standard_normal((count, m, m))
        rest = np.zeros((count, m, m))
        if n > m:
            triangle = bartlett(draw, count, m, n - m)
            rest = triangle @ triangle.swapaxes(1, 2) * (n - m)
        spread = A @ L
        crossed = L @ H @ spread.swapaxes(1, 2) / np.sqrt(n)
        value = spread @ (H.swapaxes(1, 2) @ H + rest) @ spread.swapaxes(1, 2) / n
        mixed = np.sqrt(1 - self.gamma**2) * self.gamma * (crossed + crossed.swapaxes(1, 2))
        return (1 - self.gamma**2) * V + mixed + self.gamma**2 * value

    def _scores(self, L: FloatArray, draw: np.random.Generator) -> FloatArray:
        """Scores Y/tau of tokens X = sqrt(n) L O with orthonormal rows O.

        Queries and keys are then sqrt(n) L times Gaussian matrices.
        """
        count, m, _ = L.shape
        queries, keys = draw.standard_normal((2, count, m, self.key_width))
        sharpness = self.temperature * np.sqrt(self.width * self.key_width)
        return L @ (queries @ keys.swapaxes(1, 2)) @ L.swapaxes(1, 2) / sharpness


@dataclass(frozen=True)
class AttentionSDE(Diffusion):
    """The covariance of tokens under shaped attention, as width and depth grow together.

    dV = b(V) dt + Sigma(V)^(1/2) dB, with b from `attention_drift` and Sigma from `attention_noise`. Time is
    depth/width.

    Source: Noci et al. 2023, covariance SDE of shaped attention.
    Raises: ValueError for gamma outside (0, 1], a temperature or time that is not positive.

    >>> import numpy as np
    >>> from deeplimits import attention
    >>> limit = attention.AttentionSDE(gamma=0.5, temperature=1.0, time=0.125)
    >>> limit.sample(np.eye(3), samples=10, seed=1).shape
    (10, 3, 3)
    """

    gamma: float
    temperature: float
    time: float

    def __post_init__(self) -> None:
        real("gamma", self.gamma, above=0, most=1)
        _temperature(self.temperature)
        real("time", self.time, above=0)

    def sample(
        self, initial: ArrayLike, samples: int, seed: int, at: Sequence[float] | None = None, **how: Unpack[Grid]
    ) -> FloatArray:
        """Covariances of tokens in the limit.

        Shapes: initial is V0, (m, m). Returns (samples, m, m) at `time`, or (samples, len(at), m, m) at the times
            `at` (depth/width, multiples of time/steps), in their order; 0 is the start.
        Law: weak order 1 in the step. V stays positive semi-definite: the noise of the values multiplies by random
            triangles, that of the scores by congruences, and what remains of the drift is itself a covariance.
            The drift is cubic, so the limit is local: +inf from the explosion of a path on. (Networks do not explode,
            since softmax saturates.) Where the tokens are large a step is halved, as often as it takes, until it is
            short in the clock in which the scores move them (`LONGEST`), and its noise is split by Brownian bridges.
            So explosions are those of the equation, up to a bias of first order in `LONGEST`: where two tokens explode
            with probability 0.3645, steps twice as long find 0.371 with a standard error of 0.002. A path has
            exploded when the differences of its tokens have grown by `EXPLODED`. Normals have single precision, all
            else double. Sample i depends only on (seed, first + i) and the steps. With `noise_steps`,
            a multiple of `steps`, the noise is that of so many steps: coarse and fine paths are coupled where no
            step is halved.
        Source: Noci et al. 2023, covariance SDE of shaped attention; the scheme is ours.
        Raises: ValueError for an initial value that is not a covariance, times off the grid, samples below 1,
            noise_steps that are no multiple of steps.
        """
        V0 = _started(initial)
        run = self._run(samples, seed, at, how, Grid)
        basis = _basis(len(V0))
        start, scheme = basis @ V0 @ basis.T, self._scheme(V0, run)

        def kernel(out: FloatArray, begin: int) -> None:
            tokens.walk(out, run.records, start, basis, scheme, Address(begin, ATTENTION_PATHS, run.seed))
            alive = np.isfinite(out[:, :, 0, 0])
            out[alive] = basis.T @ out[alive] @ basis

        return run.paths(pieces(kernel), V0.shape)

    def _scheme(self, V0: FloatArray, run: Run) -> tokens.Scheme:
        """The constants of the compiled loop for a start."""
        step, apart, sharp = self.time / run.count, EXPLODED * np.trace(V0), (self.gamma / self.temperature) ** 2
        fastest = step * sharp * apart * EXPLODED * apart / LONGEST
        return tokens.Scheme(
            step,
            run.refinement,
            self.gamma**2 * (2 - self.gamma**2),
            self.gamma**2 / self.temperature,
            sharp,
            # The noise of the scores has used gamma^4 of the gamma^2 of E[B V B^T]; the rest is a covariance.
            sharp * (1 - self.gamma**2),
            LONGEST,
            apart,
            EXPLODED * apart,
            int(np.log2(max(fastest, 1))) + 3,
        )


def _basis(m: int) -> FloatArray:
    """An orthonormal basis of m tokens in its rows, the last of which is their mean."""
    basis = np.zeros((m, m))
    for k in range(m - 1):
        basis[k, : k + 1], basis[k, k + 1] = 1, -(k + 1)
    basis[-1] = 1
    return basis / np.linalg.norm(basis, axis=1, keepdims=True)


def _factors(V: FloatArray) -> FloatArray:
    """Square factors of many covariances, also of deficient rank."""
    try:
        return np.asarray(np.linalg.cholesky(V), np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(V)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0))[:, None, :], np.float64)


def _in_blocks(
    step: Callable[[FloatArray, np.random.Generator], FloatArray], V0: FloatArray, run: Run, stream: int
) -> FloatArray:
    """Carry whole blocks of samples, the same for any cut into pieces, and keep those asked for."""
    start = factor_of(V0)

    def block(number: int) -> FloatArray:
        draw = block_generator(int(run.seed), number, stream)
        kept = np.empty((BLOCK, len(run.records), *V0.shape))
        V = np.broadcast_to(start @ start.T, (BLOCK, *V0.shape))
        for done in range(run.records[-1] + 1):
            if done:
                V = step(V, draw)
            kept[:, run.records == done] = V[:, None]
        return kept

    return run.blocks(block, V0.shape)
