"""A Gaussian matrix that is drawn only where one looks.

W has independent entries N(0, std^2) and is never drawn. What is kept are orthonormal directions that were asked
from the right (rows of Q, with answers W q) and from the left (rows of P, with answers W^T p). In bases that begin
with P and Q the entries of W are still independent Gaussians, also when a direction was chosen after earlier
answers were seen: they are functions of entries in known rows and columns, and the others are independent of those.
A new unit direction u orthogonal to all q meets known rows and fresh entries:

    W u = sum_i p_i <W^T p_i, u> + (1 - sum_i p_i p_i^T) std z,    z standard normal,

and from the left in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _checks
from ._blas import combined, one_blas_thread
from ._checks import FloatArray, choice, real, whole
from ._directions import new_directions
from ._jit import njit
from ._parallel import over_samples
from .gaussian import LAZY, MOST_SAMPLES, Address, fill, u64

__all__ = ["GaussianMatrix", "Transposed"]

#: A matrix is drawn whole before more than this share of its smaller side is known.
DENSE_SHARE = 1 / 3

#: Questions with larger entries than this are refused.
LARGEST = 1e150

#: What a counter is for: answers from the right, from the left, and the rows of what is left when it turns dense.
RIGHT, LEFT, REST = 0, 1, 2
PRECISIONS = {"single": np.float32, "double": np.float64}


@njit
def _fill_rows(out, index, side, first, key, begin, end):
    """Rows begin..end of (samples, rows, count), row j of sample i from the counter of direction index[i, j].

    A negative index leaves zeros.
    """
    rows = out.shape[1]
    for place in range(begin, end):
        i, j = place // rows, place % rows
        if index[i, j] < 0:
            out[i, j] = 0
        else:
            fill(out[i, j], 0, 4 * index[i, j] + side, Address(first + i, LAZY, key))


def key_of(seed: int, name: str) -> int:
    """The key of a stream that belongs to a seed and a name.

    Law: a digest of 64 bits, so that two of a million names share a key with probability 3e-8.
    Raises: ValueError for a seed out of range.
    """
    text = f"{_checks.seed(seed)}/{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def draw_rows(
    index: NDArray[np.int64], count: int, side: int, first: int, key: int, kind: type, threads: int | None = None
) -> NDArray[Any]:
    """Standard normals, one row for each index.

    Shapes: index (samples, rows), -1 for a row of zeros -> (samples, rows, count).
    """
    out = np.empty((*index.shape, 4 * -(-count // 4)), kind)
    index = np.ascontiguousarray(index)
    few = index.size * count < 2**16
    over_samples(lambda a, b: _fill_rows(out, index, side, first, u64(key), a, b), index.size, 1 if few else threads)
    return out[..., :count]


class _Side:
    """What is known from one side: orthonormal rows, and the answers to them.

    Shapes: basis (samples or 1, k, questions), answers (samples, k, answers); a sample that knows fewer directions
    than others has rows of zeros in both. `known` (samples) counts without these.
    """

    def __init__(self, samples: int, asked: int, answered: int, number: int) -> None:
        self.basis, self.answers = np.zeros((1, 0, asked)), np.zeros((samples, 0, answered), np.float32)
        self.known, self.number = np.zeros(samples, np.int64), number

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    def extend(self, rows: FloatArray, answers: NDArray[Any]) -> None:
        if not self.rank:
            self.basis, self.answers = rows, answers
            return
        samples = max(len(self.basis), len(rows))
        parts = [np.broadcast_to(part, (samples, *part.shape[1:])) for part in (self.basis, rows)]
        self.basis, self.answers = np.concatenate(parts, 1), np.concatenate([self.answers, answers], 1)


class GaussianMatrix:
    """A matrix of independent N(0, std^2) entries that is drawn only where one looks.

    `W @ X` and `W.T @ G` have the exact joint law of products with one matrix, whatever was asked before and
    however the questions depend on earlier answers. A question that is known costs no draw.

    >>> import numpy as np
    >>> from deeplimits.lazy import GaussianMatrix
    >>> W = GaussianMatrix(50_000, 40_000, std=0.02, seed=1, name="up")
    >>> x, g = np.ones((40_000, 1)), np.ones((50_000, 1))
    >>> y = W @ x
    >>> bool(np.isclose(g.T @ y, (W.T @ g).T @ x).item()), W.rank
    (True, 2)

    Shapes: without `samples`, X is (inputs,) or (inputs, m) and W @ X (outputs, m). With them there is one matrix a
        sample: X is (samples, inputs, m), or (inputs, m) for all, and W @ X (samples, outputs, m).
    Law: exact, whichever `method` is used: "lazy" keeps directions, "dense" draws all at once, None is lazy until
        more than a third of the smaller side is known or would be after a second question like the first, and then
        dense. The normals have single precision, or double
        with `precision="double"`; all algebra is double. A unit vector counts as known when at most 1e-12 of it
        lies beside the known directions, so that nearly parallel questions keep their difference down to there. The
        draw for the j-th direction from one side depends on (seed, name, first + sample, j) and nothing else, and
        directions are taken in the order of the columns: asking columns one by one or together gives the same to
        rounding. With m new columns and k known ones a question costs O((outputs + inputs) m (k + m)).
    Source: Bolthausen 2014, the conditioning of his proof, run as a program; ours.
    Raises: ValueError for sizes that are not positive, a std that is negative or not finite, an unknown precision
        or method; `@` for questions of another shape or not finite.
    """

    def __init__(
        self,
        outputs: int,
        inputs: int,
        std: float,
        seed: int,
        name: str = "",
        *,
        samples: int | None = None,
        first: int = 0,
        threads: int | None = None,
        precision: str = "single",
        method: str | None = None,
    ) -> None:
        self.outputs, self.inputs = whole("outputs", outputs), whole("inputs", inputs)
        self.std, self.name, self.key = real("std", std, least=0), name, key_of(seed, name)
        self.samples, count = samples, 1 if samples is None else whole("samples", samples, most=MOST_SAMPLES)
        self.first = whole("first", first, least=0, most=MOST_SAMPLES - count)
        choice("precision", precision, PRECISIONS), choice("method", method, ("lazy", "dense"), optional=True)
        self._kind, self._method, self._threads = PRECISIONS[precision], method, threads
        self._right, self._left = self._sides(count)
        self._whole: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.outputs, self.inputs

    @property
    def rank(self) -> int:
        """How many directions are known, from the right and from the left together; all when dense."""
        if self._whole is not None:
            return self.outputs + self.inputs
        return int(self._right.known.max() + self._left.known.max())

    @property
    def is_dense(self) -> bool:
        """Whether all of it is drawn."""
        return self._whole is not None

    @property
    def nbytes(self) -> int:
        """The memory that is held."""
        if self._whole is not None:
            return self._whole.nbytes
        return sum(array.nbytes for side in (self._right, self._left) for array in (side.basis, side.answers))

    @property
    def T(self) -> Transposed:
        """The transpose, the same matrix asked from the other side."""
        return Transposed(self)

    def __matmul__(self, X: ArrayLike) -> FloatArray:
        return self._checked(X, self.inputs, self.ask)

    def ask(self, X: FloatArray) -> FloatArray:
        """W X without checks; NaN for samples whose question has no finite norm.

        Shapes: (samples or 1, inputs, m) -> (samples, outputs, m).
        """
        return self._answer(X, from_left=False)

    def ask_left(self, G: FloatArray) -> FloatArray:
        """W^T G without checks. Shapes: (samples or 1, outputs, m) -> (samples, inputs, m)."""
        return self._answer(G, from_left=True)

    def dense(self) -> FloatArray:
        """The whole matrix: what is known and, drawn now, the rest.

        Shapes: (outputs, inputs), or (samples, outputs, inputs).
        Law: exact, jointly with all answers; later answers are products with it.
        """
        W = np.multiply(self.std, self._draw_whole() if self._whole is None else self._whole)
        return W[0] if self.samples is None else W

    def _checked(self, X: ArrayLike, size: int, ask: Callable[[FloatArray], FloatArray]) -> FloatArray:
        X = _checks.numbers("X", X)
        batched = self.samples is not None and X.ndim == 3
        allowed = (X.ndim in (1, 2) and len(X) == size) or (batched and X.shape[:2] == (self.samples, size))
        if not allowed or not X.size:
            more = "" if self.samples is None else f" or ({self.samples}, {size}, m)"
            raise ValueError(f"X must have shape ({size},), ({size}, m){more}, got {X.shape}")
        if not np.all(np.abs(X) < LARGEST):  # so that squares are finite; false for missing numbers
            raise ValueError(f"X must be finite and below {LARGEST:g} in size, got infinite, missing or larger numbers")
        asked = X.shape[-1] if X.ndim > 1 else 1
        _checks.room("outputs, inputs or samples", (4 * len(self._right.known), max(self.shape), asked))
        flat = X.ndim == 1
        Y = ask(X.reshape(1, size, -1) if X.ndim < 3 else X)
        Y = Y[..., 0] if flat else Y
        return Y[0] if self.samples is None else Y

    @np.errstate(under="ignore")
    def _answer(self, X: FloatArray, *, from_left: bool) -> FloatArray:
        finite = np.isfinite(np.einsum("snm,snm->s", X, X))
        if not finite.all():
            answers = self._answer(np.where(finite[:, None, None], X, 0.0), from_left=from_left)
            return np.where(finite[:, None, None], answers, np.nan)
        side, other = (self._left, self._right) if from_left else (self._right, self._left)
        with one_blas_thread():
            if self._whole is None and self._turns_dense(X.shape[-1]):
                self._draw_whole()
            if self._whole is not None:
                rows = self._whole if from_left else self._whole.swapaxes(1, 2)
                return combined(rows, self.std * X, self._threads)
            new = new_directions(side.basis, X.swapaxes(1, 2))
            if new.shape[1]:
                side.extend(new, self._draw(new, side, other))
            return combined(side.answers, self.std * (side.basis @ X), self._threads)

    def _sides(self, samples: int) -> tuple[_Side, _Side]:
        """Both sides, with nothing known."""
        return (_Side(samples, self.inputs, self.outputs, RIGHT), _Side(samples, self.outputs, self.inputs, LEFT))

    def _turns_dense(self, asked: int) -> bool:
        if self._method is not None:
            return self._method == "dense"
        known = self._right.rank + self._left.rank
        # The first question decides for two: as many directions may be asked from the other side.
        return (known or asked) + asked > DENSE_SHARE * min(self.shape)

    def _draw(self, new: FloatArray, side: _Side, other: _Side) -> NDArray[Any]:
        """The answers of the matrix with std 1 to new directions."""
        present = np.broadcast_to(new.any(axis=-1), (len(side.known), new.shape[1]))
        index = np.where(present, side.known[:, None] + np.cumsum(present, axis=1) - 1, -1)
        drawn = draw_rows(index, side.answers.shape[-1], side.number, self.first, self.key, self._kind, self._threads)
        side.known = side.known + present.sum(axis=1)
        if not other.rank:
            return drawn
        change = new @ other.answers.swapaxes(1, 2) - drawn @ other.basis.swapaxes(1, 2)
        return drawn + (change * present[..., None]) @ other.basis

    def _draw_whole(self) -> FloatArray:
        """Draw the matrix with std 1: the answers, and fresh entries where nothing is known."""
        samples, (right, left) = len(self._right.known), (self._right, self._left)
        _checks.room("outputs, inputs or samples", (samples, *self.shape))
        index = np.broadcast_to(np.arange(self.outputs), (samples, self.outputs))
        W = draw_rows(index, self.inputs, REST, self.first, self.key, self._kind, self._threads)
        if right.rank:
            W = W + (right.answers.swapaxes(1, 2) - W @ right.basis.swapaxes(1, 2)) @ right.basis
        if left.rank:
            W = W + left.basis.swapaxes(1, 2) @ (left.answers - left.basis @ W)
        self._right, self._left = self._sides(samples)
        self._whole = W.astype(np.float64, copy=False)
        return self._whole


class Transposed:
    """The transpose of a Gaussian matrix: `W.T @ G`.

    >>> import numpy as np
    >>> from deeplimits.lazy import GaussianMatrix
    >>> W = GaussianMatrix(50_000, 40_000, std=0.02, seed=1)
    >>> W.T.shape, (W.T @ np.ones(50_000)).shape, W.T.T is W
    ((40000, 50000), (40000,), True)
    """

    def __init__(self, of: GaussianMatrix) -> None:
        self.T = of

    @property
    def shape(self) -> tuple[int, int]:
        """(inputs, outputs)."""
        return self.T.inputs, self.T.outputs

    def __matmul__(self, G: ArrayLike) -> FloatArray:
        return self.T._checked(G, self.T.outputs, self.T.ask_left)
