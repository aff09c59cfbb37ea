"""Digits enter the networks centred, at unit variance, with the correlations asked for."""

import numpy as np
import pytest

from deeplimits import data


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), k=1)]


def test_every_digit_has_unit_variance():
    inputs, labels, pixels = data.digits()
    assert inputs.shape == (1797, 64) and labels.shape == (1797,) and pixels.shape == (1797, 8, 8)
    assert np.allclose(np.mean(inputs**2, axis=1), 1, rtol=0, atol=1e-14)
    assert set(labels) == set(range(10))


def test_the_mean_image_is_subtracted():
    inputs, _, pixels = data.digits()
    centred = pixels.reshape(-1, 64) - pixels.reshape(-1, 64).mean(axis=0)
    assert np.allclose(inputs * np.sqrt(np.mean(centred**2, axis=1))[:, None], centred)
    # Uncentred digits would all be correlated by about one half.
    assert abs(upper(data.gram(inputs)).mean()) < 0.01


def test_the_range_of_correlations_is_the_stated_one():
    correlations = upper(data.gram(data.digits().inputs))
    assert correlations.min() == pytest.approx(-0.7915, abs=1e-4)
    assert correlations.max() == pytest.approx(0.9908, abs=1e-4)
    assert np.quantile(correlations, [0.005, 0.25, 0.75, 0.995]) == pytest.approx(
        [-0.56, -0.19, 0.16, 0.82], abs=0.006)


@pytest.mark.parametrize("wanted", [-0.7, -0.1, 0.0, 0.3, 0.5, 0.9, 0.95])
def test_a_pair_has_the_correlation_asked_for(wanted):
    found = data.pair(wanted)
    assert found.inputs.shape == (2, 64) and found.pixels.shape == (2, 8, 8)
    assert data.gram(found.inputs)[0, 1] == pytest.approx(wanted, abs=1e-4)
    assert np.array_equal(found.inputs, data.pair(wanted).inputs)


def test_beyond_the_data_the_extreme_pair_is_taken_never_a_digit_with_itself():
    assert data.gram(data.pair(1.0).inputs)[0, 1] == pytest.approx(0.9908, abs=1e-4)
    assert data.gram(data.pair(-1.0).inputs)[0, 1] == pytest.approx(-0.7915, abs=1e-4)


def test_the_digits_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        data.digits().inputs[0, 0] = 1.0


@pytest.mark.parametrize("inputs", [[1.0, 2.0], [[1.0, np.nan]], np.zeros((2, 0)), 3.0])
def test_inputs_of_the_wrong_kind_are_refused(inputs):
    with pytest.raises(ValueError, match="inputs must be"):
        data.gram(inputs)


@pytest.mark.parametrize("correlation", [1.5, np.nan, "half"])
def test_a_correlation_that_cannot_be_is_refused(correlation):
    with pytest.raises(ValueError, match="correlation must be"):
        data.pair(correlation)
