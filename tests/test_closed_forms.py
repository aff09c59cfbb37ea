"""Closed forms over the whole range of their parameters, against arithmetic with many digits."""

import mpmath as mp
import numpy as np
import pytest

from deeplimits import densities, fractional, growth, stability
from deeplimits.activations import angle_defect, angle_of, plain
from deeplimits.kernels._expectations import gaussian_linear, rectified, sigmoidal
from deeplimits.kernels._identity import Riccati

mp.mp.dps = 350  # 1 + a variance of 1e150 is not that variance
SIZES = [1e-300, 1e-150, 1e-20, 1e-8, 1e-3, 0.3, 1.0, 7.0, 1e3, 1e8, 1e16, 1e100, 1e150]
LARGE = [1e-300, 1e-20, 1e-3, 0.5, 1.0, 29.9, 30.1, 700.0, 1e5, 1e10, 1e15]


def close(value, exact, rel):
    exact = float(exact)
    if not 1e-300 < abs(exact) < 1.7e308:  # below, double precision has fewer digits
        assert abs(value - exact) <= 1e-300 if abs(exact) < 1 else value == exact
    else:
        assert value == pytest.approx(exact, rel=rel, abs=0)


@pytest.mark.parametrize("epsilon", [0.0, 1e-300, 1e-16, 1e-8, 1e-3, 0.2, 1.0, 1.9, 2 - 1e-15, 2.0])
def test_angles(epsilon):
    angle = mp.acos(1 - mp.mpf(epsilon))
    close(float(angle_of(epsilon)), angle, 1e-15 if epsilon < 1.99 else 1e-7)
    theta = float(angle_of(epsilon))
    close(float(angle_defect(theta)), mp.sin(theta) - theta * mp.cos(theta), 1e-15)


def gelu(a, b, c):
    """The product's mean by the formula as it is written, with many digits."""
    d = mp.sqrt((1 + a) * (1 + b) - c * c)
    return c * (mp.mpf(1) / 4 + mp.asin(c / mp.sqrt((1 + a) * (1 + b))) / (2 * mp.pi)) + (
        a * b - c * c + c * c / (1 + a) + c * c / (1 + b)
    ) / (2 * mp.pi * d)


@pytest.mark.parametrize("first", SIZES)
@pytest.mark.parametrize("second", SIZES[::3])
@pytest.mark.parametrize("rho", [-1.0, -0.5, 0.0, 0.3, 1.0])
def test_kernels_of_gelu_and_error_functions(first, second, rho):
    cross = rho * np.sqrt(first) * np.sqrt(second)
    a, b, c = (mp.mpf(float(x)) for x in (first, second, cross))
    V = np.array([[first, cross], [cross, second]])
    values, _ = gaussian_linear(1.0, 1.0, V)
    close(values[0, 0], gelu(a, a, a), 1e-14)
    if abs(rho) < 1:
        close(values[0, 1], gelu(a, b, c), 1e-13)
    if max(first, second) < 1e150:
        erf, _ = sigmoidal(1.0, 1.0, V)
        close(erf[0, 0], 2 / mp.pi * mp.asin(2 * a / (1 + 2 * a)), 1e-14)
    relu, _ = rectified(1.0, 0.0, V)
    close(relu[0, 0], a / 2, 1e-14)


def test_the_formula_of_gelu_is_its_mean():
    with mp.workdps(20):
        exact = mp.quad(lambda x: (x * mp.ncdf(x)) ** 2 * mp.npdf(x), [-20, 0, 20])
    assert float(gelu(mp.mpf(1), mp.mpf(1), mp.mpf(1))) == pytest.approx(float(exact), rel=1e-12)
    assert plain("gelu")(1.0) == pytest.approx(float(mp.ncdf(1)), rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("b", LARGE)
def test_the_scale_function_at_both_ends(b):
    found, x = stability.feller_test(b) if b < 1e10 else None, mp.mpf(b)
    zero, infinity = stability._scale_of_zero(b), stability._scale_of_infinity(b)
    log = mp.loggamma(x + 1) - (x + 1) * mp.log(x) + x
    if b < 1e4:
        close(zero, mp.exp(log) * mp.gammainc(x + 1, 0, x, regularized=True), 1e-13)
        close(infinity, mp.exp(log) * mp.gammainc(x + 1, x, mp.inf, regularized=True), 1e-12)
    close(zero + infinity, mp.exp(log), 1e-13)
    assert found is None or found.scale_at_infinity == infinity


@pytest.mark.parametrize("b", [-1e17, -30.0, -1.0, -1e-9, 0.0, 1e-300, 0.7, 1e6, 1e17])
@pytest.mark.parametrize("V", [1e-300, 1e-5, 0.5, 1 - 1e-12, 1.0, 1 + 1e-9, 1.04, 2.0, 1e3, 1e300])
def test_scale_and_speed_densities(b, V):
    x, v = mp.mpf(b), mp.mpf(V)
    power = x * (mp.log(v) - v + 1)
    if abs(power) < 600:
        close(float(stability.scale_density(b, V)), mp.exp(power), 1e-12)
        close(float(stability.speed_density(b, V)), mp.exp(-power) / v**2, 1e-12)
    else:
        assert stability.scale_density(b, V) == (0 if power < -750 else np.inf) or abs(power) < 750


@pytest.mark.parametrize("V0", SIZES)
@pytest.mark.parametrize("time", [1e-300, 1e-8, 1.0, 300.0, 1e4])
def test_log_normal_norms(V0, time):
    law, t = densities.norm(0.0, V0, time), mp.mpf(time)
    assert law.mean() == V0
    close(law.var(), mp.mpf(V0) ** 2 * mp.expm1(2 * t), 1e-14)
    close(float(law.ppf(0.5)), mp.mpf(V0) * mp.exp(-t), 1e-12)


@pytest.mark.parametrize("width", [1, 2, 3, 10, 1000, 10**6, 2**53])
def test_the_growth_of_rectified_norms(width):
    n = mp.mpf(width)
    active = 1 / (2 * (1 - mp.mpf(2) ** -n)) if width < 2000 else mp.mpf("0.5")
    close(growth.active_probability(width), active, 1e-15)
    close(growth.initial_rate(width), active / 2 - 1 / n, 1e-13)


@pytest.mark.parametrize("second", [0.0, 1e-9, 0.5, 3.0])
@pytest.mark.parametrize("variance", [1e-20, 1.0, 1e8])
def test_the_means_of_the_identity_inside(second, variance):
    path = Riccati(1.0, second, 1.0, 0.1, np.array([0.2]), np.array([variance]))
    time = min(0.3, 0.5 * float(path.explosion_time()[0]))
    with mp.workdps(30):
        m, k = mp.mpf("0.2"), mp.mpf(variance)
        u0, power = mp.mpf(second) * m + 1, mp.mpf("0.1") + k + m * m
        constant = mp.mpf(second) ** 2 * (mp.mpf("0.1") + k) - (1 + 2 * second * m)
        omega = mp.sqrt(mp.mpc(constant)) / 2
        sine = mp.mpf(time) if omega == 0 else (mp.sin(omega * time) / omega).real
        exact = m + second * power / 2 * sine / (mp.cos(omega * time).real - u0 / 2 * sine)
    close(float(path.means(time)[0]), exact, 1e-10)


@pytest.mark.parametrize("hurst", [1e-6, 0.2, 0.5 - 1e-9, 0.5, 0.5 + 1e-9, 0.7, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("lag", [0.0, 1.0, 2.0, 3.0, 17.0, 1e4, 1e8, 1e15, 1e100, 1e300])
def test_the_covariance_of_fractional_noise(hurst, lag):
    power, x = 2 * mp.mpf(hurst), mp.mpf(lag)
    with mp.workdps(700):
        exact = ((x + 1) ** power - 2 * x**power + abs(x - 1) ** power) / 2
    close(float(fractional.noise_covariance(lag, hurst)), exact, 1e-12)
