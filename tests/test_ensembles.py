"""Summaries of many samples: the same bits wherever the chunks are computed, right against NumPy on the whole."""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tallies import BOTH, CHUNK, EDGES, NETWORK, PAIR, SAMPLES, Indices, Shuffled, bits, expected, reference

from deeplimits import ensembles, evidence
from deeplimits._tally import tally
from deeplimits.ensembles import Summary, summarise

# ---------------------------------------------------------------- right


def test_summary_is_that_of_numpy_on_all_samples():
    summary = reference()
    V = NETWORK.sample(PAIR, SAMPLES, 3)
    x = np.stack([V[:, 0, 1] / np.sqrt(V[:, 0, 0] * V[:, 1, 1]), np.log(V[:, 0, 0])])
    np.testing.assert_allclose(summary.mean.value, x.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(summary.mean.error, x.std(axis=1, ddof=1) / np.sqrt(SAMPLES), rtol=1e-12)
    np.testing.assert_allclose(summary.covariance, np.cov(x), rtol=1e-11)
    np.testing.assert_allclose([summary.minimum, summary.maximum], [x.min(axis=1), x.max(axis=1)], rtol=1e-14)
    np.testing.assert_array_equal(summary.cdf, (x[:, :, None] <= EDGES).mean(axis=1))
    assert summary.count == SAMPLES and not summary.partial and summary.names == tuple(BOTH)
    assert np.all(summary.histogram.sum(axis=1) == SAMPLES)


def test_one_statistic_has_no_axis_and_equals_its_row():
    alone = summarise(NETWORK, PAIR, SAMPLES, 3, BOTH["correlation"], edges=EDGES, chunk=CHUNK)
    row = reference()["correlation"]
    assert alone.mean.value.shape == alone.covariance.shape == () and alone.cdf.shape == EDGES.shape
    assert bits(alone) == bits(row)
    assert bits(reference()[1]) != bits(row)


def test_quantiles_are_within_their_bin_error_and_their_standard_error():
    p = np.array([0.01, 0.2, 0.5, 0.9])
    x = ensembles.correlation(0, 1)(NETWORK.sample(PAIR, SAMPLES, 3))
    found = reference()["correlation"].quantile(p)
    assert np.all(abs(found.value - np.quantile(x, p, method="inverted_cdf")) <= found.bin_error)
    assert np.all(found.bin_error <= EDGES[1] - EDGES[0])
    # The sample median of a normal law has variance pi/(2n).
    draws = np.random.default_rng(5).standard_normal(10**5)
    median = Summary(tally(draws, draws.size, 0, np.linspace(-4, 4, 801)), draws.size, np.linspace(-4, 4, 801))
    assert median.quantile(0.5).error == pytest.approx(np.sqrt(np.pi / 2 / draws.size), rel=0.1)
    check = evidence.z_test(
        "a-median", median.quantile(0.5), 0.0, bias=median.quantile(0.5).bin_error, control=("shifted", 0.1), seed=5
    )
    assert check.passed


def test_distribution_function_serves_a_kolmogorov_test():
    draws = np.random.default_rng(6).standard_normal(10**5)
    edges = np.linspace(-3, 3, 301)
    cdf = Summary(tally(draws, draws.size, 0, edges), draws.size, edges).cdf
    critical = stats.kstwo.isf(evidence.LEVEL, draws.size)
    assert abs(cdf - stats.norm.cdf(edges)).max() < critical < abs(cdf - stats.norm.cdf(edges, 0.05)).max()


def test_times_are_columns_and_options_reach_the_process():
    summary = summarise(NETWORK, PAIR, 3000, 1, ensembles.correlation(0, 1), at=[0, 1, 3], precision="double")
    assert summary.mean.value.shape == (3,) and summary.mean.value[0] == pytest.approx(0.3 / np.sqrt(2))
    V = NETWORK.sample(PAIR, 3000, 1, at=[0, 1, 3], precision="double")
    np.testing.assert_allclose(summary.mean.value, ensembles.correlation(0, 1)(V).mean(axis=0), rtol=1e-12)


def test_every_number_of_a_sample_is_a_statistic_of_its_own():
    summary = summarise(NETWORK, PAIR, 3000, 1, ensembles.values)
    np.testing.assert_allclose(summary.mean.value, NETWORK.sample(PAIR, 3000, 1).mean(axis=0).ravel(), rtol=1e-12)


# ---------------------------------------------------------------- the same bits everywhere


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), in_flight=st.integers(1, 30))
def test_any_order_of_completion_gives_the_same_bits(seed, in_flight):
    executor = Shuffled(seed)
    assert bits(reference(executor, in_flight=in_flight)) == expected()
    assert executor.most_open <= in_flight


def test_any_number_of_threads_gives_the_same_bits():
    assert bits(reference(threads=8)) == bits(reference()) == expected()
    with ThreadPoolExecutor(3) as executor:
        assert bits(reference(executor)) == expected()


def test_another_seed_gives_other_bits():
    assert bits(summarise(NETWORK, PAIR, SAMPLES, 4, BOTH, edges=EDGES, chunk=CHUNK)) != expected()


def test_another_chunk_changes_rounding_only():
    coarse = summarise(NETWORK, PAIR, SAMPLES, 3, BOTH, edges=EDGES, chunk=7001)
    fine = reference()
    np.testing.assert_allclose(coarse.mean.value, fine.mean.value, rtol=1e-13)
    np.testing.assert_allclose(coarse.covariance, fine.covariance, rtol=1e-12)
    for same in ("count", "histogram", "minimum", "maximum"):
        assert bits(coarse)[same] == bits(fine)[same]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_any_cut_merges_to_the_whole(data):
    """Counts, extremes and histograms exactly, moments to rounding, infinities included."""
    number = st.floats(-1e3, 1e3) | st.sampled_from([np.inf, -np.inf, 1e6])
    rows = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=40))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=5)) | {0, len(rows)})
    x = np.array(rows)
    merged, *others = [tally(x[a:b], b - a, a, EDGES) for a, b in zip(cuts, cuts[1:], strict=False)]
    for other in others:
        merged = merged.merge(other)
    whole = tally(x, len(x), 0, EDGES)
    for part in ("pairs", "minimum", "maximum", "histogram"):
        np.testing.assert_array_equal(getattr(merged, part), getattr(whole, part))
    np.testing.assert_allclose(merged.means, whole.means, rtol=1e-12, atol=1e-12 * 1e6)
    np.testing.assert_allclose(merged.products, whole.products, rtol=1e-12, atol=1e-12 * 1e12 * len(x))
    both = x[np.isfinite(x).all(axis=1)]
    if len(both) > 1:
        covariance = whole.products[0, 1] / (whole.pairs[0, 1] - 1)
        assert covariance == pytest.approx(np.cov(both.T)[0, 1], rel=1e-9, abs=1e-9 * np.abs(both).max() ** 2)


def test_moments_survive_a_mean_much_larger_than_the_spread():
    x = 1e8 + np.random.default_rng(1).standard_normal(10_000)
    parts = [tally(x[i : i + 100], 100, i, None) for i in range(0, 10_000, 100)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert merged.products[0, 0] == pytest.approx(np.sum((x - x.mean()) ** 2), rel=1e-7)


# ---------------------------------------------------------------- infinities and interruptions


def test_infinities_are_counted_and_leave_out_no_finite_number():
    def two(x):
        return {"exploding": x, "finite": np.arange(len(x)) * 1.0}

    summary = summarise(Indices(infinite_from=60), 0.0, 100, 0, two, edges=[0, 10, 50, 200])
    assert summary.infinite.tolist() == [40, 0]
    assert summary.mean.value.tolist() == [29.5, 49.5]
    assert summary.maximum.tolist() == [59, 99] and summary.cdf[0].tolist() == [0.01, 0.11, 0.51, 0.6]
    assert summary.covariance[0, 1] == pytest.approx(np.var(np.arange(60), ddof=1))
    assert summary.covariance[1, 1] == pytest.approx(np.var(np.arange(100), ddof=1))
    assert "40 infinite" in repr(summary)
    with pytest.raises(ValueError, match=r"probability .* between the edges.*0.9"):
        summary["exploding"].quantile(0.9)


def test_exploded_covariances_are_infinite_in_every_statistic():
    V = np.array([PAIR, np.full((2, 2), np.inf)])
    assert ensembles.correlation(0, 1)(V).tolist() == [pytest.approx(0.3 / np.sqrt(2)), np.inf]
    assert ensembles.log_variance(1)(V).tolist() == [np.log(2), np.inf]


def test_nan_is_refused_with_the_index_of_its_sample():
    with pytest.raises(ValueError, match="NaN for statistic 0 of sample 2345"):
        summarise(Indices(nan_at=2345), 0.0, 5000, 0, ensembles.values, chunk=1000)


class Interrupting(Indices):
    """Interrupts the main thread as a keyboard does at sample 5000, and works on that until told to end."""

    def __init__(self):
        super().__init__()
        self.told = threading.Event()

    def sample(self, initial, samples, seed, at=None, *, first=0, threads=None):
        if first <= 5000 < first + samples:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            self.told.wait(600)
        return super().sample(initial, samples, seed, first=first)


@pytest.fixture
def interrupting():
    """The process, and afterwards no thread of it."""
    before, process = set(threading.enumerate()), Interrupting()
    try:
        yield process
    finally:
        process.told.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(600)  # the threads end with the chunk at hand, not with the map
        assert not thread.is_alive()


@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt_returns_what_is_merged_marked_partial(threads, interrupting):
    # With 4 chunks in flight, that of sample 5000 is not begun before 7 are merged.
    options = dict(edges=EDGES, chunk=500)
    got = summarise(interrupting, 0.0, 10**6, 0, ensembles.values, in_flight=4, threads=threads, **options)
    assert got.partial and 3500 <= got.count <= 5000 and got.count % 500 == 0 and "interrupted" in repr(got)
    assert bits(got) == bits(summarise(Indices(), 0.0, got.count, 0, ensembles.values, **options))


def test_interrupt_before_anything_is_merged_is_an_interrupt(interrupting):
    with pytest.raises(KeyboardInterrupt):
        summarise(interrupting, 0.0, 10**6, 0, ensembles.values, chunk=10**5)


def test_progress_is_shown_on_a_terminal_only(capsys, monkeypatch):
    summarise(Indices(), 0.0, 100, 0, ensembles.values)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    summarise(Indices(), 0.0, 100, 0, ensembles.values, progress=False)
    assert capsys.readouterr() == ("", "")
    summarise(Indices(), 0.0, 100, 0, ensembles.values, chunk=10)
    out, err = capsys.readouterr()
    assert out == "" and "10%  10 of 100 samples" in err and err.endswith("\r\x1b[K")


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "change, message",
    [
        ({"samples": 0}, "samples must be an integer >= 1 and <= 281474976710656, got 0"),
        ({"samples": 1.5}, "samples must be an integer"),
        ({"chunk": 0}, "chunk must be an integer >= 1, got 0"),
        ({"in_flight": 0}, "in_flight must be an integer >= 1, got 0"),
        ({"threads": 0}, "threads must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be"),
        ({"edges": [0, 1, 1]}, "edges must be at least 2 finite increasing numbers"),
        ({"edges": [0, np.nan]}, "edges must be at least 2 finite increasing numbers"),
        ({"edges": [1]}, "edges must be at least 2 finite increasing numbers"),
        ({"edges": [[0, 1], [0, 1]]}, "edges must be one row, or one for each of 1 statistics, got 2"),
        ({"executor": 8}, "executor must be None or a concurrent.futures.Executor .* got 8"),
        ({"executor": Shuffled(0), "threads": 2}, "executor must be None .* threads=2"),
        ({"process": "net"}, "process must have a method `sample`, got 'net'"),
        ({"first": 7}, "first must not be given"),
        ({"statistics": None}, "statistics must be a function"),
        ({"statistics": lambda x: x[:3]}, r"statistics must give shape \(100,\) or \(100, k\).*got \(3,\)"),
        ({"statistics": lambda x: x.mean()}, r"statistics must give shape \(100,\).*got \(\)"),
        ({"statistics": lambda x: x[:, None, None]}, r"statistics must give shape \(100,\).*got \(100, 1, 1\)"),
        ({"statistics": lambda x: x[:, None][:, :0]}, r"statistics must give shape \(100,\).*got \(100, 0\)"),
        ({"statistics": lambda x: {}}, "statistics must give as many"),
        ({"statistics": lambda x: {"a": x, "b": x[:3]}}, "statistics must give as many"),
        ({"statistics": lambda x: x + 1j}, "statistics must give real numbers"),
        ({"statistics": lambda x: "no"}, "statistics must give real numbers"),
        (
            {"statistics": lambda x: x[:, None][:, [0] * (1 + int(x[0] == 0))], "chunk": 10},
            "statistics must be the same",
        ),
        ({"statistics": lambda x: 1e200 * x}, "statistics must have squares below"),
        (
            {"statistics": lambda x: np.full(len(x), 1e200 * (x[0] > 0)), "chunk": 10},
            "statistics must have squares below",
        ),
        ({"statistics": ensembles.correlation(0, 1)}, "samples must be covariances of at least 2 inputs"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"process": Indices(), "initial": 0.0, "samples": 100, "seed": 0, "statistics": ensembles.values}
    with pytest.raises(ValueError, match=message):
        summarise(**(arguments | change))


def test_bad_questions_are_named():
    summary = summarise(Indices(), 0.0, 100, 0, ensembles.values)
    with pytest.raises(ValueError, match="edges must be given"):
        summary.quantile(0.5)
    with pytest.raises(ValueError, match="edges must be given"):
        _ = summary.cdf
    with pytest.raises(ValueError, match="statistic must be one of None, got 'a'"):
        summary["a"]
    with pytest.raises(ValueError, match="statistic must be an integer >= 0 and <= 0, got 3"):
        summary[3]
    with pytest.raises(ValueError, match="probability must lie between 0 and 1, got 1"):
        summarise(Indices(), 0.0, 100, 0, ensembles.values, edges=[0, 200]).quantile(1)
    with pytest.raises(ValueError, match="at least 2 finite samples"):
        _ = summarise(Indices(), 0.0, 1, 0, ensembles.values).mean
    with pytest.raises(ValueError, match="first must be an integer >= 0"):
        ensembles.correlation(-1, 0)
