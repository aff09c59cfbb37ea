"""Wishart matrices by their triangular factors (Bartlett 1933)."""

from __future__ import annotations

import numpy as np

from ._checks import FloatArray, matrices, real, room, shown, whole

__all__ = ["bartlett", "factor_of"]

#: Eigenvalues below this share of the largest count as zero.
RANK_TOLERANCE = 1e-13


def factor_of(V: FloatArray) -> FloatArray:
    """A factor F with F F^T = V, one column for each direction that V has.

    Shapes: (m, m) in, (m, rank) out. Law: exact to rounding, also for singular V.
    Raises: ValueError for what is no square matrix of finite numbers.

    >>> import numpy as np
    >>> from deeplimits import wishart
    >>> F = wishart.factor_of(np.array([[1.0, 1.0], [1.0, 1.0]]))  # one direction only
    >>> F.shape, bool(np.allclose(F @ F.T, 1))
    ((2, 1), True)
    """
    V = matrices("V", V)
    if V.ndim != 2:
        raise ValueError(f"V must be one matrix, got shape {V.shape}")
    try:
        return np.asarray(np.linalg.cholesky(V), np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(V)
        present = values > RANK_TOLERANCE * values[-1]
        return np.asarray(vectors[:, present] * np.sqrt(values[present]), np.float64)


def bartlett(draw: np.random.Generator, samples: int, rank: int, freedom: float) -> FloatArray:
    """Factors A with A A^T distributed as Wishart(freedom, I)/freedom.

    Shapes: (samples, rank, min(rank, freedom)), lower triangular.
    Law: exact; the Wishart is singular when an integer `freedom` is below `rank`. A freedom
        that is not an integer needs freedom > rank - 1.
    Source: Bartlett 1933.
    Raises: ValueError when no such Wishart law exists.

    >>> import numpy as np
    >>> from deeplimits import wishart
    >>> A = wishart.bartlett(np.random.default_rng(1), samples=1000, rank=2, freedom=10)
    >>> A.shape, bool(np.all(A[:, 0, 1] == 0))  # lower triangular
    ((1000, 2, 2), True)
    >>> mean = np.mean(A @ A.transpose(0, 2, 1), axis=0)
    >>> bool(np.allclose(mean, np.eye(2), atol=0.1))
    True
    """
    if not isinstance(draw, np.random.Generator):
        raise ValueError(f"draw must be a generator of NumPy, got {shown(draw)}")
    whole("samples", samples), whole("rank", rank), real("freedom", freedom, above=0, most=2**53)
    columns = min(rank, int(freedom)) if float(freedom).is_integer() else rank
    if freedom <= columns - 1:
        raise ValueError(f"freedom must be an integer or > {rank - 1} for {rank} inputs, got {freedom}")
    room("samples", (samples, rank, columns))
    factor = np.zeros((samples, rank, columns))
    for column in range(columns):
        factor[:, column, column] = np.sqrt(2 * draw.standard_gamma((freedom - column) / 2, samples))
        below = rank - column - 1
        if below:
            factor[:, column + 1 :, column] = draw.standard_normal((samples, below))
    return factor / np.sqrt(freedom)
