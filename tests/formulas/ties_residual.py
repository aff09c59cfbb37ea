"""What the left sides of printed formulas are, by the package: residual networks, at finite and at infinite width."""

from __future__ import annotations

import numpy as np
from scipy import stats

from deeplimits import densities, growth
from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks
from deeplimits.kernels import ResidualKernel, layers
from tests.formulas import Drawn, tie
from tests.formulas.ties import LAW, STEP, normal_log

Random = np.random.Generator


def blocks_of(draw: Random, curved: bool = False) -> tuple[Blocks, dict]:
    """A block with the identity inside, and what its formulas name."""
    weight, bias, time = draw.uniform(0.5, 1.5, 3)
    outer = plain("0.8*x + 0.3*x**2") if curved else plain("0.8*tanh(x)")
    slope, second = 0.8, 0.6 * curved
    made = Blocks(linear(), outer, weight, bias, time)
    C = slope**2 * weight * time
    names = {"T": time, r"\sigma_w": np.sqrt(weight), r"\sigma_b": np.sqrt(bias), "C": C, "r": bias / weight}
    names |= {r"\phi'": slope, r"\phi''": second, r"\phi'(0)": slope, r"\phi''(0)": second, "e^C": np.exp(C)}
    return made, names | {"c": slope**2 * weight, "E": np.exp(C)}


def starts(draw: Random) -> tuple[np.ndarray, np.ndarray]:
    """Means over neurons of two inputs, and their overlaps."""
    A = draw.normal(size=(2, 3)) / np.sqrt(2)
    mean = draw.uniform(-0.3, 0.3, 2)
    return mean, A @ A.T + np.outer(mean, mean)


@tie(r"residual/doubly-infinite#thm-dbl-flat q_T", r"claims/doubly-flat-averages \mathrm{E}\,q_T")
def flat_squares(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    q = draw.uniform(0.5, 2)
    return names | {"q_0": q}, q + ResidualKernel(made).at(0.0, [[q]]).covariance[0, 0] - q


@tie(r"residual/doubly-infinite#thm-dbl-flat \lambda_T")
def flat_overlaps(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    _, overlap = starts(draw)
    return names | {r"\lambda_0": overlap[0, 1]}, ResidualKernel(made).at(0.0, overlap).covariance[0, 1]


@tie(
    r"residual/shrinking#eq-shrinking-covariance &\Cov\big(x^{(i)}_{T,a},\, x^{(j)}_{T,a}\big)",
    r"claims/moments-at-every-width \mathrm{Cov}(x^{(i)}_{T,a}, x^{(j)}_{T,a})",
    r"residual/doubly-infinite#thm-dbl-unit k_T",
)
def covariance_at_every_width(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    _, overlap = starts(draw)
    moved = ResidualKernel(made).at(0.0, overlap).covariance[0, 1] - overlap[0, 1]
    return names | dict.fromkeys((r"\lambda_0^{(i,j)}", r"\lambda_0"), overlap[0, 1]), moved


@tie(r"claims/moments-at-every-width C")
def the_clock(draw: Random) -> Drawn:
    _, names = blocks_of(draw)
    return {name: value for name, value in names.items() if name != "C"}, names["C"]


def riccati(draw: Random) -> tuple[Blocks, dict, float, float]:
    """A curved block in the regime of the tangent, before it explodes."""
    while True:
        made, names = blocks_of(draw, curved=True)
        m, v = draw.uniform(-0.4, 0.1), draw.uniform(0.5, 2)
        w2, b2, slope, second = names[r"\sigma_w"] ** 2, names[r"\sigma_b"] ** 2, 0.8, 0.6
        C = second**2 * (b2 + w2 * v) - w2 * slope**2 * (slope**2 + 2 * second * m)
        if C > 0.05 and ResidualKernel(made).explosion_time(m, [[v]])[0] > 1.3 * made.time:
            u0 = second * m + slope**2
            theta = np.arctan(names[r"\sigma_w"] * u0 / np.sqrt(C))
            names |= {r"\mathcal C": C, r"\vartheta_0": theta, "m_0": m, "v_0": v, "u_0": u0}
            return made, names, m, v


@tie(r"residual/doubly-infinite#thm-dbl-curved u_T")
def curved_u(draw: Random) -> Drawn:
    made, names, m, v = riccati(draw)
    mean = ResidualKernel(made).at(m, [[v]]).mean[0]
    return names, 0.6 * mean + 0.64


@tie(r"residual/doubly-infinite#thm-dbl-curved m_T")
def curved_m(draw: Random) -> Drawn:
    made, names, m, v = riccati(draw)
    mean = ResidualKernel(made).at(m, [[v]]).mean[0]
    return names | {"u_T": 0.6 * mean + 0.64}, mean


@tie(r"residual/doubly-infinite#thm-dbl-curved q_T")
def curved_q(draw: Random) -> Drawn:
    made, names, m, v = riccati(draw)
    unit = ResidualKernel(made).at(m, [[v]])
    return names | {"u_T": 0.6 * unit.mean[0] + 0.64}, unit.covariance[0, 0] + unit.mean[0] ** 2


@tie(r"residual/doubly-infinite#eq-dbl-riccati \mathcal C")
def constant_of_riccati(draw: Random) -> Drawn:
    _, names, _, _ = riccati(draw)
    return {name: value for name, value in names.items() if name != r"\mathcal C"}, names[r"\mathcal C"]


@tie(r"claims/doubly-explosion-time \frac{2}{\sigma_w\sqrt{\mathcal C}}(\frac\pi2 - \vartheta_0)")
def explosion_of_the_tangent(draw: Random) -> Drawn:
    made, names, m, v = riccati(draw)
    return names, ResidualKernel(made).explosion_time(m, [[v]])[0]


def tangents(draw: Random) -> tuple:
    made, names = blocks_of(draw)
    _, overlap = starts(draw)
    found = ResidualKernel(made).ntk(0.0, overlap)
    return names | {r"\lambda_0": overlap[0, 1]}, found.weights[0, 1], found.biases[0, 1]


@tie(r"residual/doubly-infinite#thm-dbl-ntk K_b", r"claims/doubly-tangent-kernel K_b")
def tangents_of_biases(draw: Random) -> Drawn:
    names, _, biases = tangents(draw)
    return names, biases


@tie(r"residual/doubly-infinite#thm-dbl-ntk K_W", r"claims/doubly-tangent-kernel K_W")
def tangents_of_weights(draw: Random) -> Drawn:
    names, weights, _ = tangents(draw)
    return names, weights


@tie(r"residual/doubly-infinite#thm-dbl-ntk K_W + K_b")
def tangents_of_both(draw: Random) -> Drawn:
    names, weights, biases = tangents(draw)
    return names, weights + biases


def with_layers(draw: Random) -> tuple:
    made, names = blocks_of(draw)
    A = draw.normal(size=(2, 3))
    gram, variances = A @ A.T / 3, draw.uniform(0.5, 2, 2)
    found = layers.with_layers(ResidualKernel(made), gram, *variances)
    inner, root = gram[0, 1], np.sqrt(variances)
    names |= {r"\sigma_Z": root[0], r"\sigma_Y": root[1], r"\langle z, z'\rangle": inner, r"\lambda": inner}
    return names, found, variances


@tie(
    r"residual/doubly-infinite#thm-dbl-regression \sigma_Y^2(\sigma_Z^2E\langle z, z'\rangle + r(E - 1))",
    r"claims/doubly-linear-regression \sigma_Y^2(\sigma_Z^2E\langle z, z'\rangle + r(E - 1))",
)
def prior_of_regression(draw: Random) -> Drawn:
    names, found, _ = with_layers(draw)
    return names, found.prior[0, 1]


@tie(
    r"residual/doubly-infinite#thm-dbl-regression \sigma_Y^2(\sigma_Z^2(C + 2)E\langle z, z'\rangle + r(CE + E - 1))",
    r"claims/doubly-linear-regression \sigma_Y^2(\sigma_Z^2(C + 2)E\langle z, z'\rangle + r(CE + E - 1))",
)
def tangent_of_regression(draw: Random) -> Drawn:
    names, found, _ = with_layers(draw)
    return names, found.tangent[0, 1]


@tie(r"residual/training#display K(z, z') = e^C \lambda + r\,(e^C - 1)")
def prior_of_training(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    A = draw.normal(size=(2, 3))
    gram = A @ A.T / 3
    return names | {r"\lambda": gram[0, 1]}, layers.with_layers(ResidualKernel(made), gram).prior[0, 1]


@tie(
    r"residual/training#display \Theta(z, z')",
    r"claims/trained-limit-is-linear (C+2)e^C\lambda + r(Ce^C + e^C - 1)",
)
def tangent_of_training(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    A = draw.normal(size=(2, 3))
    gram = A @ A.T / 3
    return names | {r"\lambda": gram[0, 1]}, layers.with_layers(ResidualKernel(made), gram).tangent[0, 1]


@tie(r"residual/functions#eq-functions-correlation \rho(z, z')", r"claims/correlation-of-outputs \rho(z, z')")
def correlation_of_outputs(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    z, other = draw.normal(size=2)
    start = np.array([[z * z, z * other], [z * other, other * other]]) + 1e-12 * np.eye(2)
    moved = ResidualKernel(made).at(0.0, start).covariance - start
    values = {"z": z, "z'": other, "r": names["r"]}
    return values, moved[0, 1] / np.sqrt(moved[0, 0] * moved[1, 1])


@tie(r"residual/width-one#thm-one-relu \log(X_t/X_0)", r"claims/width-one-relu \log(X_t/X_0)")
def one_relu_neuron(draw: Random) -> Drawn:
    time, start = draw.uniform(0.2, 2), draw.uniform(0.5, 2)
    return LAW | {"t": time}, normal_log(densities.width_one(relu(), start, time), start)


@tie(r"residual/width-one#thm-one-ou g(X_t)")
def spring(draw: Random) -> Drawn:
    alpha, start, time = draw.uniform(0.3, 1.5), draw.normal(), draw.uniform(0.2, 2)
    phi = densities.OrnsteinUhlenbeck(alpha, 0.3)
    low, high = phi.g(densities.width_one(phi, start, time).ppf([stats.norm.cdf(-1), stats.norm.cdf(1)]))
    values = {r"\alpha": alpha, "t": time, "g(X_0)": float(phi.g(start))}
    return LAW | values, ((low + high) / 2, ((high - low) / 2) ** 2)


@tie(r"residual/width-one#thm-one-ou \dd g(X_t)", r"claims/width-one-ou dg(X)")
def spring_sde(draw: Random) -> Drawn:
    """Ito's formula: g' phi is the noise, g'' phi^2 / 2 the drift."""
    alpha, x = draw.uniform(0.3, 1.5), draw.normal()
    phi = densities.OrnsteinUhlenbeck(alpha, 0.3)
    slope = alpha / phi(x)
    drift = -alpha * phi.derivative(x) / phi(x) ** 2 * phi(x) ** 2 / 2
    step = drift * STEP[r"\dd t"] + slope * phi(x) * STEP[r"\dd B"]
    values = {r"\alpha": alpha, "g(X_t)": float(phi.g(x)), "g(X)": float(phi.g(x)), "dt": 0.37, "dB": -0.81}
    return STEP | values, step


@tie(r"claims/width-one-ou \phi\phi''")
def bend_of_the_spring(draw: Random) -> Drawn:
    alpha, x, h = draw.uniform(0.3, 1.5), draw.normal(), 1e-3
    phi = densities.OrnsteinUhlenbeck(alpha, 0.3)
    second = (
        8 * (phi.derivative(x + h) - phi.derivative(x - h)) - phi.derivative(x + 2 * h) + phi.derivative(x - 2 * h)
    ) / (12 * h)
    return {r"\alpha": alpha}, phi(x) * second


@tie(r"residual/regimes#prop-reg-exact p_0", r"claims/activity-drains p_0")
def active_at_first(draw: Random) -> Drawn:
    n = int(draw.integers(1, 9))
    return {"n": float(n)}, growth.active_probability(n)


@tie(r"claims/mean-log-norm \frac{1}{4(1-2^{-n})}-\frac1n")
def first_rate(draw: Random) -> Drawn:
    n = int(draw.integers(1, 9))
    return {"n": float(n)}, growth.initial_rate(n)


@tie(r"residual/regimes#eq-reg-constant \E[R_t - &R_s \mid \phi(X_0)\neq0]")
def rate_between(draw: Random) -> Drawn:
    n, s, t = int(draw.integers(1, 9)), *np.sort(draw.uniform(0, 1, 2))
    return {"n": float(n), "s": s, "t": t}, growth.initial_rate(n) * (t - s)


@tie(r"residual/regimes#prop-reg-drain c_n", r"claims/activity-drains c_n")
def drained(draw: Random) -> Drawn:
    n = int(draw.integers(2, 9))
    active = np.arange(1, n)
    length = stats.binom.pmf(active, n - 1, 0.5) @ stats.chi(active).mean()
    values = {"n": float(n), r"\E\|\phi(Z_{n-1})\|": length}
    return values, growth.drain(n)


@tie(r"residual/regimes#eq-reg-variance V(t)", r"residual/limits-commute#display V(T)")
def variance_of_the_log_norm(draw: Random) -> Drawn:
    t = draw.uniform(0.3, 2)
    double = _double(lambda s, u: np.arcsin(np.exp(-abs(s - u) / 4)), t)
    values = {"t": t, "T": t, r"\int_0^t\int_0^t\arcsin e^{-|s-u|/4}\dd s\dd u": double, r"r_s": 0.0}
    values |= {r"\int_0^T\int_0^T\arcsin e^{-|s-u|/4}\dd s\dd u": double}
    single = _along(lambda r: np.arccos(r) - r * np.sqrt(1 - r * r), t)
    for end in ("t", "T"):
        values[rf"\int_0^{end}(\arccos r_s - r_s\sqrt{{1-r_s^2}})\dd s"] = single
    return values, float(growth.log_norm_variance(t))


def _double(function: object, t: float) -> float:
    """The integral over a square of a function that is symmetric and has a kink on the diagonal."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x = (nodes + 1) / 2
    s = t * (1 - x[:, None] ** 2 * np.ones(60))  # squares take the root at the diagonal away
    gap = t * x[:, None] ** 2
    return float(2 * np.sum(weights / 2 * 2 * x * t * (t - gap[:, 0]) * function(s[:, 0] * 0 + gap[:, 0], 0.0)))


def _along(function: object, t: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x = (nodes + 1) / 2
    return float(np.sum(weights / 2 * 2 * x * t * function(np.exp(-t * x**2 / 4))))


def image_of_relu(c: float) -> float:
    """What the correlation of two rectified neurons is: that of infinite width for one layer."""
    return relu().correlation_map(c, 1)


@tie(
    r"residual/infinite-width#thm-wid-kernel f(c)",
    r"claims/residual-correlation-kernel f(c)",
    r"claims/two-matrix-noise f(c)",
)
def map_of_the_kernel(draw: Random) -> Drawn:
    c = draw.uniform(-0.95, 0.95)
    return {"c": c}, image_of_relu(c)


@tie(
    r"residual/infinite-width#thm-wid-kernel \frac{\dd c_t}{\dd t}",
    r"claims/residual-correlation-kernel \frac{d}{dt}c_t",
)
def speed_of_the_kernel(draw: Random) -> Drawn:
    c, h = draw.uniform(-0.9, 0.9), 1e-3
    kernel = ResidualKernel(Blocks(relu(), linear()))
    start = np.array([[1, c], [c, 1]])

    def at(t: float) -> float:
        K = kernel.at(0.0, start, t).covariance
        return K[0, 1] / K[0, 0]

    speed = (-3 * c + 4 * at(h) - at(2 * h)) / (2 * h)
    exact = (image_of_relu(c) - c) / 2
    assert abs(speed - exact) < 1e-5
    return {"c_t": c, "f": image_of_relu}, exact


@tie(
    r"residual/infinite-width#thm-wid-neuron \sigma_t^2",
    r"claims/neuron-variance-ode \sigma_t^2",
)
def variance_of_a_neuron(draw: Random) -> Drawn:
    t, start = draw.uniform(0.1, 1), draw.uniform(0.5, 2)
    found = ResidualKernel(Blocks(relu(), linear())).at(0.0, [[start]], t).covariance[0, 0]
    return {r"\sigma_0^2": start, "t": t}, found


@tie(r"residual/infinite-width#thm-wid-first \sigma_L^2", r"claims/width-then-depth \sigma_L^2")
def variance_at_finite_depth(draw: Random) -> Drawn:
    depth, start = int(draw.integers(2, 40)), draw.uniform(0.5, 2)
    found = ResidualKernel(Blocks(relu(), linear())).finite_depth(0.0, [[start]], depth).covariance[0, 0]
    return {r"\sigma_0^2": start, "L": float(depth)}, found


@tie(r"residual/gradients#prop-grad-determinant \log\det g_T", r"claims/jacobian-determinant \log\det g_T")
def determinant_of_a_jacobian(draw: Random) -> Drawn:
    """Width one, where the Jacobian of a linear network is a geometric Brownian motion."""
    _, names = blocks_of(draw)
    return LAW | {"C": names["C"]}, normal_log(densities.width_one(linear(), 1.0, names["C"]), 1.0)


@tie(
    r"residual/gradients#prop-grad-determinant \log\frac{\|g_T v\|}{\|v\|}",
    r"claims/jacobian-direction \log\|g_Tv\|/\|v\|",
    r"claims/log-norm-with-outer-activation \log(\|x_T\|/\|x_0\|)",
)
def direction_of_a_jacobian(draw: Random) -> Drawn:
    """Ito's formula for the logarithm of a length."""
    n, C = int(draw.integers(1, 9)), draw.uniform(0.3, 2)
    noise = np.eye(n) / n  # of each unit of C, for a vector of length one
    v = np.eye(n)[0]
    hessian = np.eye(n) - 2 * np.outer(v, v)  # of the logarithm of the length
    return LAW | {"n": float(n), "C": C}, (np.trace(hessian @ noise) / 2 * C, v @ noise @ v * C)
