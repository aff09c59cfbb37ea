"""Summaries as tables and as files: nothing is lost, and no other file is taken for one."""

import numpy as np
import pytest

from deeplimits import _files, _summary, ensembles
from deeplimits.activations import shaped_relu, smooth
from deeplimits.diffusions import NormSDE
from deeplimits.ensembles import Summary, summarise
from deeplimits.networks import ShapedMLP

NETWORK, PAIR = ShapedMLP(shaped_relu(0, -1), 16, 4), np.array([[1.0, 0.3], [0.3, 1.0]])
NAMED = {"correlation": ensembles.correlation(0, 1), "log V": ensembles.log_variance(0)}
EDGES = np.linspace(-2, 2, 9)


def one(**options):
    return summarise(NETWORK, PAIR, 200, 1, NAMED, progress=False, chunk=64, **options)


SUMMARIES = {
    "names and edges": lambda: one(edges=EDGES),
    "names": one,
    "a row of edges each": lambda: one(edges=[EDGES, EDGES + 1]),
    "one statistic": lambda: one(edges=EDGES)["log V"],
    "numbers": lambda: summarise(NETWORK, PAIR, 50, 1, ensembles.values, progress=False),
    "infinities": lambda: summarise(NormSDE(smooth("x + x**3/6"), 2.0), 2.0, 500, 1, ensembles.values, progress=False),
}


@pytest.mark.parametrize("make", SUMMARIES.values(), ids=SUMMARIES)
def test_what_is_loaded_is_what_was_saved(make, tmp_path):
    summary = make()
    summary.save(tmp_path / "a.npz")
    again = Summary.load(tmp_path / "a.npz")
    for name, value in vars(summary.tally).items():
        found = getattr(again.tally, name)
        assert np.array_equal(value, found) and type(value) is type(found), name
    assert (again.requested, again.names, repr(again)) == (summary.requested, summary.names, repr(summary))
    assert (again.edges is None) == (summary.edges is None) and np.array_equal(again.mean.value, summary.mean.value)
    assert again.tally.merge(summary.tally).count == 2 * summary.count
    if summary.edges is not None:
        assert np.array_equal(again.cdf, summary.cdf)


def test_a_table_has_a_row_for_each_statistic():
    summary = one()
    table = summary.to_frame()
    assert table.index.tolist() == ["correlation", "log V"] and table.loc["log V", "count"] == 200
    assert table["mean"].tolist() == summary.mean.value.tolist()
    assert table["error"].tolist() == pytest.approx(summary.mean.error.tolist())
    assert table["std"].tolist() == pytest.approx(np.sqrt(np.diag(summary.covariance)).tolist())
    assert table["minimum"].tolist() == summary.minimum.tolist() and table["infinite"].tolist() == [0, 0]
    exploded = SUMMARIES["infinities"]().to_frame()
    assert exploded.index.tolist() == [0] and 0 < exploded.loc[0, "infinite"] < 500


def other_version(path):
    arrays = _files.kept(path, _summary.SCHEMA)
    _files.keep(path, "deeplimits summary 9", arrays)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(b""),
        other_version,
        lambda path: np.savez(path, count=3, requested=3),
        lambda path: np.save(path.open("wb"), EDGES),
        lambda path: path.write_text("statistic,mean"),
    ],
)
def test_any_other_file_is_refused_in_one_sentence(spoil, tmp_path):
    path = tmp_path / "a.npz"
    one().save(path)
    spoil(path)
    with pytest.raises(ValueError, match=r"^path must be a file that Summary.save wrote .*a\.npz"):
        Summary.load(path)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        Summary.load(tmp_path / "b.npz")
