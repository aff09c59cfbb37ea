"""How samples are compared: one level for all tests, errors in units of the standard error."""

import numpy as np
from scipy import stats

#: Probability with which a test rejects what is true.
LEVEL = 1e-5


def z_scores(values, expected):
    """Standardised errors of the means over samples."""
    return (values.mean(axis=0) - expected) / (values.std(axis=0) / np.sqrt(len(values)))


def limit_for(cases):
    """The standardised error that none of so many cases exceeds, but for the level."""
    return stats.norm.isf(LEVEL / 2 / cases)


def score(values, expected, error=0.0):
    """How many standard errors the mean of the values is from what is expected."""
    return abs(values.mean() - expected) / np.hypot(values.std() / np.sqrt(len(values)), error)


def same_everywhere(call):
    """The same numbers for any threads and chunks, others for another seed."""
    whole = call(300, 7, first=0, threads=1)
    assert np.array_equal(whole, call(300, 7, first=0, threads=5))
    cuts = [0, 1, 130, 300]
    parts = [call(stop - start, 7, first=start, threads=2) for start, stop in zip(cuts, cuts[1:], strict=False)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, call(300, 8, first=0, threads=1))


def log_norm_law(V0, time):
    """The law of the logarithm of a norm without drift."""
    return stats.norm(np.log(V0) - time, np.sqrt(2 * time)).cdf
