"""Gaussian expectations of activations: quadratures and closed forms, also for nearly parallel variables."""

import numpy as np
import pytest
from explicit import erf_products
from scipy.stats import norm

from deeplimits.activations import linear, plain, relu
from deeplimits.kernels import _expectations, _units

TANH, SILU, ERF = plain("tanh"), plain("silu"), plain("erf(sqrt(pi)/2*x)")
TWO = np.zeros((2, 2))
E = np.e


@pytest.mark.parametrize("rho", [0.0, 0.3, -0.8, 0.999, 1.0, -1.0])
def test_quadrature_of_a_smooth_function_is_exact_to_rounding(rho):
    K = np.array([[0.4, rho * np.sqrt(1.2)], [rho * np.sqrt(1.2), 3.0]])
    assert _expectations.products(ERF, np.zeros(2), K) == pytest.approx(erf_products(K)[0], abs=1e-14)
    assert _expectations.products(ERF.derivative, np.zeros(2), K) == pytest.approx(erf_products(K)[1], rel=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.5, 0.99, 1 - 1e-8, -1 + 1e-6, 1.0])
def test_quadrature_across_kinks_is_exact_to_rounding(rho):
    K = np.array([[1.0, 1.3 * rho], [1.3 * rho, 1.69]])
    angle = np.arccos(rho)
    found = _expectations.products(relu(), np.zeros(2), K, (0.0,))
    expected = 1.3 * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    assert found == pytest.approx(np.array([[0.5, expected], [expected, 0.845]]), abs=1e-14)
    steps = _expectations.products(relu().derivative, np.zeros(2), K, (0.0,))
    assert steps[0, 1] == pytest.approx((np.pi - angle) / (2 * np.pi), abs=1e-8 if abs(rho) == 1 else 1e-12)


def test_quadrature_with_means_and_kinks_agrees_with_stein():
    # E relu(x) relu(y) by conditioning and a dense sum, as an independent computation.
    mean, K = np.array([0.3, -0.7]), np.array([[1.0, 0.6], [0.6, 0.8]])
    u = np.linspace(-9, 9, 400001)
    rest = np.sqrt(0.8 - 0.36)
    centre = (mean[1] + 0.6 * u) / rest
    inner = rest * (norm.pdf(centre) + centre * norm.cdf(centre))
    expected = np.sum(norm.pdf(u) * np.maximum(mean[0] + u, 0) * inner) * (u[1] - u[0])
    assert _expectations.products(relu(), mean, K, (0.0,))[0, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["relu(x) - 0.3*relu(-x)", "erf", "-2*erf(0.3*x)", "erf(7*x)", "abs"])
@pytest.mark.parametrize("rho", [0.0, 0.4, -0.9, 1 - 1e-6])
def test_closed_forms_agree_with_the_quadrature(name, rho):
    K, phi = np.array([[0.4, rho * np.sqrt(1.2)], [rho * np.sqrt(1.2), 3.0]]), plain(name)
    values, slopes = _units.Expectations(phi).both(TWO[0], K)
    shape = phi.kinks(), phi.length()
    assert values == pytest.approx(_expectations.products(phi, TWO[0], K, *shape), rel=1e-12, abs=1e-12)
    assert slopes == pytest.approx(_expectations.products(phi.derivative, TWO[0], K, *shape), rel=1e-9, abs=1e-11)
    if name == "erf(7*x)":  # seen as if it bent no faster than erf(x)
        assert np.abs(values - _expectations.products(phi, TWO[0], K)).max() > 1e-4


def test_closed_forms_are_told_from_what_is_nearly_one():
    found = {
        name: _units.Expectations(plain(name)) for name in ("tanh", "erf", "erf(x) + 0.000001*x", "gelu", "exp(x)")
    }
    assert [name for name, one in found.items() if one.error_function] == ["erf"]
    assert [name for name, one in found.items() if one.odd] == ["tanh", "erf", "erf(x) + 0.000001*x"]
    assert _units.Expectations(plain("3*erf(x/2)")).error_function == pytest.approx((3, 0.5))
    # Exactly no mean: rounding would send centred rectifiers to the quadrature from the second block on.
    assert not np.any(_units.Expectations(linear()).means(np.array([0.3, 7.0])))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_nearly_parallel_variables_of_an_error_function_keep_their_digits(scale):
    # psi(x) - psi(y) is (x - y) psi'(x) to first order: E (psi(x) - psi(y))^2 = E (x - y)^2 E psi'^2.
    gap = 1e-6
    K = scale * np.array([[1, 1 - gap], [1 - gap, 1]])
    values, slopes = _units.Expectations(plain("erf")).both(TWO[0], K)
    moved = values[0, 0] + values[1, 1] - 2 * values[0, 1]
    assert moved == pytest.approx(2 * scale * gap * slopes[0, 0], rel=1e-2 if scale > 1 else 1e-4)
