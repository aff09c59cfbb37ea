"""What a summary says of its errors where some samples are infinite: finite ones count, pair by pair."""

from dataclasses import dataclass

import numpy as np
import pytest

from deeplimits import ensembles


@dataclass(frozen=True)
class Given:
    """A process that shows rows of a table, sample by sample."""

    table: tuple

    def sample(self, initial, samples, seed, *, first=0, threads=None):
        return np.array(self.table)[first : first + samples]


ROWS = np.random.default_rng(3).normal(size=(60, 2)) + [1, -2]
ROWS[::4, 0] = np.inf
ROWS[::5, 1] = np.inf


def summary(**how):
    given = Given(tuple(map(tuple, ROWS)))
    return ensembles.summarise(given, 0, 60, 1, ensembles.values, progress=False, chunk=17, **how)


def finite(column):
    return ROWS[np.isfinite(ROWS[:, column]), column]


def test_the_error_of_a_mean_counts_the_finite_samples():
    found = summary().mean
    for k in range(2):
        x = finite(k)
        assert found.value[k] == pytest.approx(x.mean())
        assert found.error[k] == pytest.approx(x.std(ddof=1) / np.sqrt(len(x)))


def test_the_table_and_the_shown_error_count_them_too():
    frame, shown = summary().to_frame(), repr(summary())
    for k in range(2):
        x = finite(k)
        error = x.std(ddof=1) / np.sqrt(len(x))
        assert frame["error"].iloc[k] == pytest.approx(error) and frame["infinite"].iloc[k] == 60 - len(x)
        assert f"± {error:.2g}," in shown


def test_a_covariance_counts_the_samples_in_which_both_are_finite():
    both = ROWS[np.isfinite(ROWS).all(axis=1)]
    found = summary().covariance
    assert found[0, 1] == pytest.approx(np.cov(both.T)[0, 1])
    assert [found[0, 0], found[1, 1]] == pytest.approx([finite(0).var(ddof=1), finite(1).var(ddof=1)])


def test_a_number_on_an_edge_is_not_above_it():
    table = tuple((x, x) for x in (0.0, 1.0, 1.0, 2.0, 3.0))
    found = ensembles.summarise(Given(table), 0, 5, 1, ensembles.values, progress=False, edges=[0.0, 1.0, 2.0], chunk=2)
    assert found.cdf[0] == pytest.approx([0.2, 0.6, 0.8])
