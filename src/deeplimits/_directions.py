"""Which part of a question is new: directions beside those that are known, in the order of the questions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._checks import FloatArray

#: A direction is new if a unit vector along the question has more than this left beside the known directions.
TOLERANCE = 1e-12
#: Below this remainder a question counts as nearly known, and is orthogonalised on its own, twice.
SOUND = 1e-4
#: Up to this condition number of the Gram matrix one pass leaves directions orthogonal to 2e-13; else there are two.
SETTLED = 1e3


def new_directions(basis: FloatArray, questions: FloatArray) -> FloatArray:
    """Orthonormal rows that span, with the basis, the questions as well, in the order of the questions.

    Shapes: basis (samples or 1, k, n), questions (samples or 1, m, n) -> (samples or 1, r, n) with r <= m; rows of
        zeros where a sample has fewer new directions than another.
    """
    rows = np.ascontiguousarray(questions)
    size = _size(rows)
    rest = _beside(basis, rows / np.where(size > 0, size, 1))
    new = (_size(rest)[..., 0] > TOLERANCE).any(axis=0)
    if not new.any():
        return rest[:, :0]
    if not new.all():
        rest = rest[:, new]
    gram = rest @ rest.swapaxes(1, 2)
    triangle, sound = _triangle(gram)
    inverse = np.linalg.inv(triangle)
    rows = inverse @ rest
    if not sound.all():
        rows[~sound] = _one_by_one(basis if len(basis) == 1 else basis[~sound], rest[~sound])
    if not sound.all() or _condition(gram, np.asarray(inverse, np.float64)) > SETTLED:
        rows = _beside(basis, rows)
        rows = np.linalg.inv(_triangle(rows @ rows.swapaxes(1, 2))[0]) @ rows
    present = rows.any(axis=(0, 2))
    return rows if present.all() else rows[:, present]


def _size(rows: FloatArray) -> FloatArray:
    """The norms of rows, their axis kept."""
    return np.sqrt(np.einsum("smn,smn->sm", rows, rows))[..., None]


def _beside(basis: FloatArray, rows: FloatArray) -> FloatArray:
    """Rows without their parts along the basis."""
    return rows - (rows @ basis.swapaxes(1, 2)) @ basis if basis.shape[1] else rows


def _condition(gram: FloatArray, inverse: FloatArray) -> float:
    """A bound of the condition numbers of Gram matrices, from sums over rows and columns."""
    size, sums = np.abs(inverse), np.abs(gram).sum(axis=2).max(axis=1)
    return float((sums * size.sum(axis=1).max(axis=1) * size.sum(axis=2).max(axis=1)).max())


def _triangle(gram: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Cholesky factors, and whether each is far from singular; the identity where there is none.

    A row and column of zeros, an absent direction, counts as 1 on the diagonal.
    """
    diagonal = np.arange(gram.shape[-1])
    gram[:, diagonal, diagonal] += gram[:, diagonal, diagonal] == 0
    try:
        triangle = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        triangle = np.stack([_cholesky(one) for one in gram])
    sound = triangle[:, diagonal, diagonal].min(axis=-1) > SOUND
    return np.asarray(triangle, np.float64), np.asarray(sound, np.bool_)


def _cholesky(gram: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.cholesky(gram), np.float64)
    except np.linalg.LinAlgError:
        return 0.5 * SOUND * np.eye(len(gram))


def _one_by_one(basis: FloatArray, rows: FloatArray) -> FloatArray:
    """Gram and Schmidt row by row, each projected twice at its own scale; rows of zeros where nothing is left.

    What counts is the remainder beside the basis of a unit question: the rows come with their size.
    """
    found = np.zeros_like(rows)
    for j in range(rows.shape[1]):
        row = _beside(found[:, :j], _beside(basis, rows[:, j : j + 1]))
        for again in range(2):
            size = _size(row)
            if not again:
                present = size > TOLERANCE
            row = _beside(found[:, :j], _beside(basis, row / np.where(size > 0, size, 1)))
        size = _size(row)
        found[:, j : j + 1] = np.where(present, row / np.where(size > 0, size, 1), 0)
    return found
