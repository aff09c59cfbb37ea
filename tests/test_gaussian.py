"""Philox against its published vectors, the normals against their law."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from samples import LEVEL
from scipy import stats

from deeplimits import gaussian

#: Known answers published with Random123 for philox4x32-10: counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@njit
def words(counter, key):
    return gaussian.philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@njit
def transform(values):
    out = np.empty((3, len(values)), np.float32)
    for i in range(len(values)):
        out[0, i] = gaussian._radius(values[i])
        out[1, i], out[2, i] = gaussian._sine_cosine(values[i])
    return out


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, answer):
    result = words(np.array(counter, np.uint32), np.array(key, np.uint32))
    assert tuple(int(word) for word in result) == answer


def test_box_muller_transform_agrees_with_double_precision():
    edges = np.array([0, 1, 2, 3, 2**29 - 1, 2**29, 2**30, 2**31, 2**32 - 2, 2**32 - 1], np.uint32)
    values = np.concatenate([edges, np.random.default_rng(1).integers(0, 2**32, 200_000, dtype=np.uint32)])
    radius, sine, cosine = transform(values)
    square = -2 * np.log((values + 0.5) / 2.0**32)
    assert np.all(np.abs(radius.astype(np.float64) ** 2 - square) <= 3e-7 * (1 + square))
    angle = 2 * np.pi * (values / 2.0**32)
    assert np.abs(sine - np.sin(angle)).max() < 2e-7
    assert np.abs(cosine - np.cos(angle)).max() < 2e-7


def test_no_draw_is_further_out_than_the_documented_tail():
    radius = transform(np.array([0], np.uint32))[0, 0]
    assert radius == pytest.approx(np.sqrt(66 * np.log(2)), rel=1e-6)


def moment_errors(z):
    """Standardised errors of the first eight moments."""
    exact = [0, 1, 0, 3, 0, 15, 0, 105]
    variances = [1, 2, 15, 96, 945, 10170, 135135, 2016000]
    z = z.astype(np.float64)
    power, errors = np.ones_like(z), []
    for moment, variance in zip(exact, variances, strict=True):
        power *= z
        errors.append((power.mean() - moment) * np.sqrt(z.size / variance))
    return np.array(errors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_to_order_eight_and_kolmogorov_smirnov(dtype):
    z = gaussian.normals(11, 2000, 1000, dtype=dtype).ravel()
    limit = stats.norm.isf(LEVEL / 16)
    assert np.abs(moment_errors(z)).max() < limit
    assert np.abs(moment_errors(1.01 * z)).max() > limit  # one per cent too wide is seen
    assert stats.kstest(z[:200_000], "norm").pvalue > LEVEL
    assert stats.kstest(z[:200_000] + 0.02, "norm").pvalue < LEVEL


def test_lanes_counters_layers_samples_streams_and_keys_are_independent():
    base = gaussian.normals(5, 64, 4096).astype(np.float64)
    others = {
        "lanes": np.roll(base, 1024, axis=1),
        "counters": np.roll(base, 1, axis=1),
        "layers": gaussian.normals(5, 64, 4096, layer=1),
        "samples": gaussian.normals(5, 64, 4096, first=64),
        "streams": gaussian.normals(5, 64, 4096, stream=1),
        "keys": gaussian.normals(6, 64, 4096),
        "high key word": gaussian.normals(5 + 2**32, 64, 4096),
        "high sample word": gaussian.normals(5, 64, 4096, first=2**32),
    }
    limit = stats.norm.isf(LEVEL / (4 * len(others)))
    for name, other in others.items():
        for power in (1, 2):  # correlation of values and of squares
            x, y = base**power, other.astype(np.float64) ** power
            z = np.corrcoef(x.ravel(), y.ravel())[0, 1] * np.sqrt(x.size)
            assert abs(z) < limit, (name, power, z)
    assert abs(np.corrcoef(base.ravel(), base.ravel())[0, 1]) * np.sqrt(base.size) > limit


def test_rows_do_not_depend_on_how_samples_are_cut():
    whole = gaussian.normals(3, 100, 50)
    parts = np.concatenate([gaussian.normals(3, 37, 50), gaussian.normals(3, 63, 50, first=37)])
    assert np.array_equal(whole, parts)


@pytest.mark.slow
def test_statistics_of_a_hundred_million_draws():
    rounds, size = 100, 1_000_000
    errors, counts = np.zeros(8), np.zeros(2000)
    edges = np.concatenate([[-np.inf], stats.norm.ppf(np.arange(1, 2000) / 2000), [np.inf]])
    pairs = 0.0
    tail = 0
    for part in range(rounds):
        z = gaussian.normals(17, 1000, 1000, first=1000 * part)
        errors += moment_errors(z.ravel())
        counts += np.bincount(np.searchsorted(edges, z.ravel()) - 1, minlength=2000)
        pairs += np.mean(z[:, :500].astype(np.float64) * z[:, 500:]) * np.sqrt(z.size / 2)
        tail += int(np.count_nonzero(np.abs(z) > 4.5))
    limit = stats.norm.isf(LEVEL / 22)
    assert np.abs(errors / np.sqrt(rounds)).max() < limit
    assert abs(pairs) / np.sqrt(rounds) < limit
    total = rounds * size
    expected_tail = 2 * stats.norm.sf(4.5) * total
    assert abs(tail - expected_tail) < limit * np.sqrt(expected_tail)
    # The largest gap between the two distribution functions, seen at 2000 quantiles.
    gap = np.abs(np.cumsum(counts) / total - np.arange(1, 2001) / 2000).max()
    assert gap < stats.kstwobign.isf(LEVEL) / np.sqrt(total)
    assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seed": -1, "samples": 1, "count": 1}, "seed"),
        ({"seed": 2**64, "samples": 1, "count": 1}, "seed"),
        ({"seed": 1, "samples": 0, "count": 1}, "samples"),
        ({"seed": 1, "samples": 1, "count": 0}, "count"),
        ({"seed": 1, "samples": 1, "count": 1, "layer": -1}, "layer"),
        ({"seed": 1, "samples": 1, "count": 1, "stream": 2**16}, "stream"),
        ({"seed": 1, "samples": 1, "count": 1, "first": 2**48}, "first"),
        ({"seed": 1, "samples": 1, "count": 1, "dtype": "int32"}, "dtype"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        gaussian.normals(**arguments)
