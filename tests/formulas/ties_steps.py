"""What the left sides of printed formulas are: steps of derivations, equations of motion, and elementary laws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy import integrate, linalg, special, stats

from deeplimits import densities, growth, stability
from deeplimits.activations import linear, plain
from deeplimits.blocks import Blocks
from deeplimits.kernels import ResidualKernel
from tests.formulas import Drawn, tie
from tests.formulas.ties import LAW, STEP, normal_log
from tests.formulas.ties_claims import normal_mean
from tests.formulas.ties_residual import blocks_of, riccati, starts

Random = np.random.Generator
Reals = np.ndarray


def gaussian_mean(function: Callable[..., Reals], dimensions: int, points: int = 5) -> float:
    """The mean of a polynomial of independent normal numbers."""
    nodes, weights = hermegauss(points)
    grid = np.stack(np.meshgrid(*[nodes] * dimensions, indexing="ij"), -1).reshape(-1, dimensions)
    weight = np.array([np.prod(each) for each in product(weights / weights.sum(), repeat=dimensions)])
    return float(weight @ function(grid.T))


def in_the_limit(of_width: Callable[[float], float], n: float = 1e4) -> float:
    """The limit of what is straight in 1/n, and its curvature taken off."""
    one, two, four = (of_width(k * n) for k in (1, 2, 4))
    return (8 * four - 6 * two + one) / 3


def covariance(draw: Random, size: int = 2) -> Reals:
    A = draw.normal(size=(size, size))
    return A @ A.T + 0.2 * np.eye(size)


def noise_of(V: Reals, first: tuple[int, int], second: tuple[int, int]) -> float:
    """The covariance of two products of entries of a Gaussian vector."""
    root = np.linalg.cholesky(V)

    def products(z: Reals) -> Reals:
        g = root @ z
        return g[first[0]] * g[first[1]] * g[second[0]] * g[second[1]]

    return gaussian_mean(products, len(V)) - V[first] * V[second]


@tie(r"shaped/outputs#display a'")
def speed_of_a_square(draw: Random) -> Drawn:
    V = covariance(draw)
    return {"a": V[0, 1] ** 2, "q": V[0, 0] * V[1, 1]}, noise_of(V, (0, 1), (0, 1))


@tie(r"shaped/outputs#display q'")
def speed_of_a_product(draw: Random) -> Drawn:
    V = covariance(draw)
    return {"a": V[0, 1] ** 2, "q": V[0, 0] * V[1, 1]}, noise_of(V, (0, 0), (1, 1))


@tie(r"primer/wishart#display \E[g^\alpha g^\beta g^\gamma g^\delta]")
def fourth_moment_of_a_vector(draw: Random) -> Drawn:
    V = covariance(draw, 4)
    names = ("alpha", "beta", "gamma", "delta")
    values = {rf"V^{{\{a}\{b}}}": V[i, j] for i, a in enumerate(names) for j, b in enumerate(names)}
    return values, noise_of(V, (0, 1), (2, 3)) + V[0, 1] * V[2, 3]


def log_normal(draw: Random) -> tuple[dict, Callable[[float], float]]:
    """The powers of the variance of a linear network: log V is normal of mean log V0 - T and variance 2 T."""
    start, time = draw.uniform(0.5, 2), draw.uniform(0.2, 1)
    mean, variance = normal_log(densities.norm(linear(), start, time), start)
    return {"V_0": start, "T": time, r"\E z^2": start}, lambda k: normal_mean(
        lambda x: np.exp(k * x), np.log(start) + mean, variance
    )


@tie(r"shaped/outputs#display \E|z|")
def absolute_output(draw: Random) -> Drawn:
    values, power = log_normal(draw)
    return values, stats.halfnorm.mean() * power(0.5)


@tie(r"shaped/outputs#display \E z^4")
def fourth_power_of_an_output(draw: Random) -> Drawn:
    values, power = log_normal(draw)
    return values, 3 * power(2)


@tie(r"shaped/outputs#display \Cov(z_j^2,z_k^2)")
def squares_of_two_outputs(draw: Random) -> Drawn:
    values, power = log_normal(draw)
    return values, power(2) - power(1) ** 2


@tie(r"shaped/outputs#prop-moments \E\det V_T")
def mean_determinant(draw: Random) -> Drawn:
    k, time, start = int(draw.integers(2, 5)), draw.uniform(0.2, 1), draw.uniform(0.2, 1)
    rate = in_the_limit(lambda n: n * sum(np.log(stats.chi2(n - j).mean() / n) for j in range(k)))
    return {"k": k, "T": time, r"\det V_0": start}, start * np.exp(rate * time)


@tie(r"primer/wishart#prop-primer-determinant \log\frac{\det V_d}{\det V_0}")
def law_of_a_determinant(draw: Random) -> Drawn:
    """Mean and variance of the logarithms of the diagonal of Bartlett, in n T layers."""
    m, time = int(draw.integers(1, 5)), draw.uniform(0.2, 1)

    def digammas(order: int) -> float:
        def of_width(n: float) -> float:
            halves = (n - np.arange(m)) / 2
            logs = special.digamma(halves) - np.log(n / 2) if order == 0 else special.polygamma(1, halves)
            return n * float(np.sum(logs))

        return in_the_limit(of_width, 1e3)

    return LAW | {"m": m, "T": time}, (digammas(0) * time, digammas(1) * time)


def ranks(draw: Random) -> tuple[dict, float, float]:
    """One layer of two neurons with two slopes: the moments of its squared singular values."""
    Q, plus = covariance(draw), draw.uniform(0.3, 1.3)
    slopes = (plus, 2 - plus)  # of the squares, with mean 1

    def mean_of(moment: Callable[[Reals], Reals]) -> float:
        def of_layers(z: Reals) -> Reals:
            W = z.T.reshape(-1, 2, 2) / np.sqrt(2)
            rows = [np.sqrt(pair)[:, None] * W for pair in product(slopes, repeat=2)]
            return np.mean([moment(M @ Q @ M.swapaxes(1, 2)) for M in rows], axis=0)

        return gaussian_mean(of_layers, 4)

    both = (
        mean_of(lambda M: np.trace(M, axis1=1, axis2=2) ** 2),
        mean_of(lambda M: np.sum(M**2, axis=(1, 2))),
    )
    m4 = float(np.mean(np.square(slopes)))
    return {"n": 2.0, "m_4": m4, r"\E S_1^2": np.trace(Q) ** 2, r"\E S_2": np.sum(Q**2)}, both[0], both[1]


@tie(r"shaped/backward#eq-backward-ranks \E S_1^2")
def square_of_the_trace(draw: Random) -> Drawn:
    return ranks(draw)[:2]


@tie(r"shaped/backward#eq-backward-ranks \E S_2")
def trace_of_the_square(draw: Random) -> Drawn:
    return ranks(draw)[::2]


@tie(r"shaped/backward#display \frac{\E S_1^2}{\E S_2}")
def effective_rank(draw: Random) -> Drawn:
    time = draw.uniform(0.2, 2)
    first, second = linalg.expm(time * np.array([[0, 2], [1, 1]])) @ [1, 0]
    return {"T": time, "e^{2T}": np.exp(2 * time), "e^{-T}": np.exp(-time)}, first / second


@tie(r"shaped/backward#thm-backward-joint \dd\rho")
def linear_correlation(draw: Random) -> Drawn:
    """Ito's formula for V12 / sqrt(V11 V22), at variances of one."""
    rho, entries = draw.uniform(-0.9, 0.9), [(0, 0), (0, 1), (1, 1)]
    V, slopes = np.array([[1, rho], [rho, 1]]), np.array([-rho / 2, 1, -rho / 2])
    bends = np.array([[3 * rho / 4, -1 / 2, rho / 4], [-1 / 2, 0, -1 / 2], [rho / 4, -1 / 2, 3 * rho / 4]])
    noise = np.array([[noise_of(V, first, second) for second in entries] for first in entries])
    drift = np.sum(bends * noise) / 2
    return STEP | {r"\rho": rho}, drift * STEP[r"\dd t"] + np.sqrt(slopes @ noise @ slopes) * STEP[r"\dd B"]


@tie(r"shaped/attention#eq-attention-one \log \frac{V_T}{V_0}")
def one_token(draw: Random) -> Drawn:
    clock, start = draw.uniform(0.2, 2), draw.uniform(0.5, 2)
    return LAW | {"T'": clock}, normal_log(densities.norm(linear(), start, clock), start)


def kinked(V: float, size: float) -> float:
    """The limit of s (c E phi_s^2 - V) for x + J x^2 / 2 on the right and x on the left."""
    half = stats.halfnorm.moment

    def square(v: float, s: float) -> float:
        return v + size / s * v**1.5 * half(3) / 2 + size**2 / (4 * s**2) * v**2 * half(4) / 2

    return in_the_limit(lambda s: s * (square(V, s) / square(1.0, s) - V))


@tie(r"stability/activations#prop-kink s\left(c\,\E[\varphi_s(\sqrt V g)^2] - V\right)")
def pull_of_a_kink(draw: Random) -> Drawn:
    V, size = draw.uniform(0.3, 0.8), draw.uniform(-1, 1)
    return {"V": V, "J": size}, kinked(V, size)


@tie(r"stability/activations#eq-kink-sde b_1")
def rate_of_a_kink(draw: Random) -> Drawn:
    V, size, a = draw.uniform(0.3, 0.8), draw.uniform(-1, 1), draw.uniform(0.5, 2)
    return {"J": size, "a": a}, kinked(V, size) / a / (V**1.5 - V)


@tie(r"primer/ito#eq-primer-log-norm \dd\log V")
def logarithm_of_a_norm(draw: Random) -> Drawn:
    mean, variance = normal_log(densities.norm(linear(), 1.0, 1.0), 1.0)
    return STEP | {"V": draw.uniform(0.5, 2)}, mean * STEP[r"\dd t"] + np.sqrt(variance) * STEP[r"\dd B"]


@tie(r"primer/feller#display m(x)")
def speed_of_a_norm(draw: Random) -> Drawn:
    b, x = draw.uniform(-2, 2), draw.uniform(0.2, 3)
    return {"s'(x)": stability.scale_density(b, x), r"\sigma(x)": np.sqrt(2) * x}, stability.speed_density(b, x)


@tie(r"primer/feller#prop-primer-exit \P_x(\beta \text{ before } \alpha)")
def exit_above(draw: Random) -> Drawn:
    """Brownian motion with a drift: the exponential martingale gives the probability."""
    mu, low, high = draw.uniform(0.3, 1), draw.uniform(-2, -1), draw.uniform(1, 2)
    x = draw.uniform(-0.5, 0.5)
    known = special.expm1(-2 * mu * (x - low)) / special.expm1(-2 * mu * (high - low))
    return {"s": lambda y: -np.exp(-2 * mu * y), "x": x, r"\alpha": low, r"\beta": high}, known


@tie(r"residual/width-one#display \P(Y_0 \le 0,\ Y_0' \le 0)")
def two_dead_neurons(draw: Random) -> Drawn:
    rho = draw.uniform(-0.9, 0.9)
    return {r"\rho": rho}, both_positive(rho)


def both_positive(rho: float) -> float:
    """The probability that two normal numbers are positive."""
    root = np.sqrt(1 - rho**2)
    inside = lambda x: stats.norm.pdf(x) * special.ndtr(rho * x / root)  # noqa: E731
    return integrate.quad(inside, 0, 12, epsabs=1e-12, epsrel=1e-12)[0]


@tie(r"own/training#eq-own-circle \dot\rho")
def slopes_of_two_rectifiers(draw: Random) -> Drawn:
    rho = draw.uniform(-0.9, 0.9)
    return {r"\rho": rho}, 2 * both_positive(rho)


@tie(r"residual/gradients#display p")
def one_dead_neuron(draw: Random) -> Drawn:
    L = float(draw.integers(1, 9))
    return {"L": L}, stats.norm(1, 1 / np.sqrt(L)).cdf(0)


@tie(r"residual/ode-or-sde#display \E Y_L")
def sum_of_rectified_increments(draw: Random) -> Drawn:
    L, H = float(draw.integers(2, 40)), draw.uniform(0.2, 0.9)
    return {"L": L, "H": H}, L * stats.halfnorm(scale=L**-H).mean() / 2


@tie(r"residual/infinite-width#thm-wid-neuron q_t = \frac12 \sigma_t^2")
def rectified_square(draw: Random) -> Drawn:
    size = draw.uniform(0.5, 2)
    return {r"\sigma_t": size}, stats.halfnorm(scale=size).moment(2) / 2


@tie(r"residual/limits-commute#eq-com-v v", r"residual/limits-commute#prop-com-lognormal v")
def variance_of_the_clock(draw: Random) -> Drawn:
    first, second = growth.log_norm_variance([1e5, 2e5])
    return {}, (second - first) / 1e5


@tie(r"residual/doubly-infinite#thm-dbl-flat m_T")
def flat_mean(draw: Random) -> Drawn:
    made, names = blocks_of(draw)
    mean, overlap = starts(draw)
    found = ResidualKernel(made).at(mean, overlap - np.outer(mean, mean))
    return names | {"m_0": mean[0]}, found.mean[0]


@tie(r"residual/doubly-infinite#thm-dbl-curved T^*=\frac{2}{\sigma_w\sqrt{\mathcal C}}(\frac\pi2-\vartheta_0)")
def time_of_explosion(draw: Random) -> Drawn:
    made, names, m, v = riccati(draw)
    return names, ResidualKernel(made).explosion_time(m, [[v]])[0]


@tie(r"residual/doubly-infinite#eq-dbl-spread \frac{\dd}{\dd t}\E q^2")
def speed_of_a_mean_square(draw: Random) -> Drawn:
    """Two neurons over two short times: the mean of q^2 is a polynomial of second degree in the time."""
    _, names = blocks_of(draw)
    x = draw.normal(size=2)
    q = x @ x / 2
    rate = names[r"\phi'"] ** 2 * (names[r"\sigma_b"] ** 2 + names[r"\sigma_w"] ** 2 * q)

    def after(h: float) -> float:
        return gaussian_mean(lambda z: (((x[:, None] + np.sqrt(h * rate) * z) ** 2).mean(axis=0)) ** 2, 2)

    speed = 4 * (after(0.5) - q**2) - (after(1.0) - q**2)
    return names | {"n": 2.0, r"\E q^2": q**2, r"\E q": q}, speed


def without_curvature(draw: Random) -> tuple[dict, float, float]:
    """Overlaps of a trained page's network, slope one and time one, from an overlap and from nothing."""
    weight, bias, pixel = draw.uniform(0.5, 1.5, 3)
    kernel = ResidualKernel(Blocks(linear(), plain("tanh"), weight, bias, 1.0))
    grown, born = (kernel.at(0.0, start * np.eye(2) + 1e-14 * np.eye(2)).covariance[0] for start in (1.0, 0.0))
    names = {r"\sigma_z": np.sqrt(pixel), r"\sigma_w": np.sqrt(weight), r"\sigma_b": np.sqrt(bias)}
    return names, pixel * float(grown[0] - grown[1]), float(born[1])


@tie(r"residual/training#display \alpha")
def growth_of_an_overlap(draw: Random) -> Drawn:
    return without_curvature(draw)[:2]


@tie(r"residual/training#display \beta")
def overlap_from_biases(draw: Random) -> Drawn:
    return without_curvature(draw)[::2]
