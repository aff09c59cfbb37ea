"""Regression agrees with its closed forms and with scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.kernel_ridge import KernelRidge
from trained import RNG, WATCHED, X, Y

from deeplimits import training


def descended(phi, y, rate, steps, start=0.0):
    w = np.zeros((phi.shape[1], y.shape[1]))
    for _ in range(steps):
        w -= rate * phi.T @ (start + phi @ w - y) / len(phi)
    return w


@pytest.mark.parametrize("rate", [0.05, 0.8])
def test_gradient_descent_of_a_linear_model_has_this_closed_form(rate):
    start, seen_start = RNG.standard_normal((12, 2)), RNG.standard_normal((5, 2))
    found = training.follow(X, Y, rate, [0, 1, 7, 300], WATCHED, start, seen_start)
    for place, steps in enumerate([0, 1, 7, 300]):
        w = descended(X, Y, rate, steps, start)
        assert np.allclose(found.outputs[place], seen_start + WATCHED @ w, rtol=0, atol=1e-11)
        assert found.distances[place] == pytest.approx(np.linalg.norm(w), abs=1e-11)


def test_it_ends_at_least_squares_of_least_norm_whatever_the_rate():
    wide, seen = RNG.standard_normal((3, 6)), RNG.standard_normal((2, 6))
    for phi, at in ((X, WATCHED), (wide, seen)):
        expected = at @ np.linalg.lstsq(phi, Y[: len(phi)])[0]
        for rate in (0.1, 0.3):
            assert np.allclose(training.follow(phi, Y[: len(phi)], rate, np.inf, at).outputs[0], expected, atol=1e-9)


def test_regression_with_noise_is_that_of_scikit_learn():
    found = training.ridge(X, Y, 0.3, WATCHED)
    assert np.allclose(found, KernelRidge(alpha=0.3).fit(X, Y).predict(WATCHED), atol=1e-12)
    gaussian = GaussianProcessRegressor(kernels.DotProduct(0.0, "fixed"), alpha=0.3, optimizer=None).fit(X, Y)
    assert np.allclose(found, gaussian.predict(WATCHED), atol=1e-12)


def test_features_have_the_inner_products_of_the_kernel():
    K = X @ X.T  # of rank 4
    phi = training.features(K)
    assert np.allclose(phi @ phi.T, K, atol=1e-12)
    expected = training.follow(X[:8], Y[:8], 0.2, [3, np.inf], X[8:])
    found = training.follow(phi[:8], Y[:8], 0.2, [3, np.inf], phi[8:])
    assert np.allclose(found.outputs, expected.outputs, atol=1e-7)
    assert np.allclose(found.distances, expected.distances, atol=1e-7)


def test_the_likelihood_is_that_of_a_normal_law():
    K = np.stack([X @ X.T, 2 * X @ X.T + 1])
    expected = [-stats.multivariate_normal(cov=k + 0.2 * np.eye(12)).logpdf(Y[:, 0]) / 12 for k in K]
    assert np.allclose(training.negative_log_likelihood(K, Y[:, 0], 0.2), expected, rtol=1e-12)


def test_a_rate_at_which_descent_diverges_is_refused_and_the_largest_named():
    largest = 2 * 12 / np.linalg.norm(X, 2) ** 2
    with pytest.raises(ValueError, match=f"rate must be below {largest:.4g}"):
        training.follow(X, Y, 1.01 * largest, [1], WATCHED)
    training.follow(X, Y, 0.99 * largest, [1], WATCHED)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: training.follow(X, Y[:3], 0.1, [1], WATCHED), "features, targets and watched"),
        (lambda: training.follow(X, Y, 0.1, [1], WATCHED[:, :3]), "features, targets and watched"),
        (lambda: training.follow(X, Y, 0.1, [-1], WATCHED), "at must be steps"),
        (lambda: training.follow(X, Y, 0.1, [1.5], WATCHED), "at must be steps"),
        (lambda: training.follow(X, np.full_like(Y, np.nan), 0.1, [1], WATCHED), "finite"),
        (lambda: training.ridge(X, Y, 0, WATCHED), "noise must be"),
        (lambda: training.ridge(X, Y[:, 0], 1, WATCHED), "features, targets and watched"),
        (lambda: training.features([[1.0, 2.0], [2.0, 1.0]]), "kernel must be positive semi-definite"),
        (lambda: training.negative_log_likelihood(-np.eye(12), Y[:, 0], 0.1), "kernel"),
        (lambda: training.negative_log_likelihood(np.eye(3), Y[:, 0], 0.1), "kernel and targets"),
    ],
)
def test_regressions_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
