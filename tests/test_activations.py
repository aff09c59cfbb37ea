"""Shaping: normalisation, one-layer maps and drifts against quadrature and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from deeplimits import activations
from deeplimits.activations import angle_defect, angle_of, linear, relu, shaped_relu

FAMILY = [shaped_relu(0, -1), shaped_relu(1, -1), shaped_relu(1, 1), shaped_relu(-2, 0.5, 1.0), linear(), relu()]


def one_layer_correlation(phi, rho, width):
    """c E[phi(g) phi(h)] by polar coordinates: a rectifier is homogeneous, so only the angle is integrated."""
    theta = np.arccos(rho)

    def integrand(angle):
        return float(phi(np.cos(angle), width) * phi(np.cos(angle - theta), width))

    kinks = sorted((np.pi / 2 + shift) % (2 * np.pi) for shift in (0, np.pi, theta, theta + np.pi))
    # E[r^2] = 2 for the radius of a planar normal, and the angle has density 1/(2 pi).
    return phi.normaliser(width) * quad(integrand, 0, 2 * np.pi, points=kinks, epsabs=1e-13)[0] / np.pi


@pytest.mark.parametrize("phi", FAMILY, ids=lambda phi: f"{phi.name} {phi.c_plus} {phi.c_minus}")
@pytest.mark.parametrize("width", [4, 150])
def test_normaliser_keeps_unit_variance_and_map_is_the_integral(phi, width):
    assert one_layer_correlation(phi, 1.0, width) == pytest.approx(1, abs=1e-12)
    for rho in (-0.9, -0.2, 0.35, 0.8):
        assert phi.correlation_map(rho, width) == pytest.approx(one_layer_correlation(phi, rho, width), abs=1e-11)


def test_map_for_slopes_that_are_far_apart():
    phi = shaped_relu(0.3, -0.4)  # slopes 1.3 and 0.6 at width 1
    assert phi.correlation_map(0.35, 1) == pytest.approx(0.38896, abs=5e-6)


def test_drift_uses_the_difference_of_the_constants():
    def from_map(phi, rho, width=10**10):
        return width * (phi.correlation_map(rho, width) - rho)

    for plus, minus in ((1, -1), (0, -1), (0.5, 2)):
        phi = shaped_relu(plus, minus)
        assert phi.drift(0.2) == pytest.approx(from_map(phi, 0.2), rel=1e-3)
        assert phi.drift(0.0) == pytest.approx((plus - minus) ** 2 / (2 * np.pi))
        assert phi.drift(-1.0) == pytest.approx((plus - minus) ** 2 / 2)
        assert phi.drift(1.0) == 0
    # The sum instead of the difference: what the same map rejects.
    assert abs((0.5 + 2) ** 2 / (2 * np.pi) - from_map(shaped_relu(0.5, 2), 0.0)) > 0.5


def test_drift_of_nearly_parallel_inputs_follows_its_leading_term():
    phi = shaped_relu(1, -1)
    epsilon = np.array([1e-4, 1e-8, 1e-12, 1e-20])
    leading = np.sqrt(2) * 4 / (3 * np.pi) * epsilon**1.5
    assert phi.drift_from_epsilon(epsilon) == pytest.approx(leading, rel=1e-4)
    # The formula with rho itself has lost everything by then.
    assert abs(phi.drift(1 - 1e-17) - leading[-1]) / leading[-1] == pytest.approx(1)


def test_angle_defect_is_smooth_where_its_two_formulas_meet():
    theta = np.linspace(0.4, 0.6, 201)
    assert angle_defect(theta) == pytest.approx(np.sin(theta) - theta * np.cos(theta), rel=1e-13)
    assert np.diff(angle_defect(theta)).min() > 0
    assert angle_of(2.0) == pytest.approx(np.pi)


def test_effective_gap_tends_to_the_gap_at_the_rate_of_its_expansion():
    phi = shaped_relu(0, -2)
    for width in (10**4, 10**6):
        first_order = phi.gap2 * (1 - (phi.c_plus + phi.c_minus) / np.sqrt(width))
        assert phi.effective_gap2(width) == pytest.approx(first_order, abs=20 * phi.gap2 / width)
        assert phi.effective(width).gap2 == pytest.approx(phi.effective_gap2(width))
    balanced = shaped_relu(1, -1)
    assert balanced.effective_gap2(100) == pytest.approx(balanced.gap2, rel=0.011)


def test_covariance_drift_is_zero_on_the_diagonal_and_scales_with_the_norms():
    V = np.array([[2.0, 0.3], [0.3, 0.5]])
    drift = shaped_relu(1, -1).covariance_drift(np.stack([V, 3 * V]))
    assert np.all(np.diagonal(drift, axis1=1, axis2=2) == 0)
    assert drift[1] == pytest.approx(3 * drift[0])
    assert drift[0, 0, 1] == pytest.approx(float(shaped_relu(1, -1).drift(0.3)))


def test_limits_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="exponent=0.25"):
        _ = shaped_relu(1, -1, exponent=0.25).gap2
    with pytest.raises(ValueError, match="no covariance SDE"):
        _ = relu().gap2
    assert shaped_relu(1, 1, exponent=0.25).gap2 == 0
    assert shaped_relu(1, -1, exponent=1).gap2 == 0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: shaped_relu(np.nan, 0), "c_plus"),
        (lambda: shaped_relu(0, np.inf), "c_minus"),
        (lambda: shaped_relu(0, "x"), "c_minus"),
        (lambda: shaped_relu(0, 1, exponent=0), "exponent"),
        (lambda: shaped_relu(0, 1).slopes(0), "width"),
        (lambda: shaped_relu(-1, -1).normaliser(1), "width=1"),
        (lambda: activations.linear().slopes(2.5), "width"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()
