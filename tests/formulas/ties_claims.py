"""What the left sides of printed formulas are: statements of claims, by sums over all cases, quadrature and moments."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy import special, stats

from deeplimits.activations import linear, plain, smooth
from deeplimits.blocks import Blocks
from deeplimits.kernels import ResidualKernel
from tests.formulas import Drawn, tie
from tests.formulas.ties_residual import blocks_of, starts

Random = np.random.Generator
H = 1e-4  # of a difference in time


def normal_mean(function: object, mean: float = 0.0, variance: float = 1.0) -> float:
    """The mean of a smooth function of a normal number."""
    nodes, weights = hermegauss(120)
    return float(weights @ function(mean + np.sqrt(variance) * nodes) / weights.sum())  # type: ignore[operator]


@tie(r"claims/uniform-weights-fourth-cumulant \mathbb{E}[z^4 - 6 V z^2 + 3 V^2]/(\mathbb{E} V)^2")
@tie(r"reference/engine#display \frac{\E[z^4-6Vz^2+3V^2]}{(\E V)^2}")
def fourth_cumulant_of_narrow_networks(draw: Random) -> Drawn:
    """All networks of two inputs and two rectifiers whose weights take three values."""
    n, chance = 2, draw.uniform(0.2, 0.9)  # of a weight that is not zero
    size, kappa = np.sqrt(2 / n / chance), 1 / chance - 3
    cases = np.array(list(product([-size, 0.0, size], repeat=3 * n)))
    weights = np.where(cases == 0, 1 - chance, chance / 2).prod(axis=1)
    hidden = np.maximum(cases[:, :4].reshape(-1, n, n).sum(axis=2), 0)
    z, V = (cases[:, 4:] * hidden).sum(axis=1), 2 / n * (hidden**2).sum(axis=1)
    mean = weights @ (z**4 - 6 * V * z**2 + 3 * V**2)
    return {r"\kappa": kappa, "n": float(n)}, mean / (weights @ V) ** 2


@tie(r"claims/norm-chain-exact \mu_2")
def second_moment_of_a_rectified_neuron(draw: Random) -> Drawn:
    plus, minus = draw.uniform(0.3, 1.5, 2)
    half = stats.halfnorm.moment
    square, fourth = ((plus**k + minus**k) / 2 * half(k) for k in (2, 4))
    return {"c": 1 / square, "s_+": plus, "s_-": minus}, fourth / square**2


@tie(r"claims/norm-chain-exact \mathbb{E}V_d^2")
def second_moment_of_the_norm(draw: Random) -> Drawn:
    """Layer by layer, from the mean square of an average of n independent factors of mean one."""
    n, depth, start, mu = int(draw.integers(2, 9)), int(draw.integers(1, 6)), draw.uniform(0.5, 2), draw.uniform(1.5, 4)
    square = start**2
    for _ in range(depth):
        square *= (n * mu + n * (n - 1)) / n**2
    return {"V_0": start, r"\mu_2": mu, "n": float(n), "d": depth}, square


@tie(r"claims/heavy-tailed-outputs \mathbb{E}|z|")
def size_of_an_output(draw: Random) -> Drawn:
    """A normal number whose variance is that of a linear network: log V is normal of mean log V0 - T, variance 2 T."""
    start, time = draw.uniform(0.5, 2), draw.uniform(0.2, 1.5)
    root = normal_mean(lambda x: np.exp(x / 2), np.log(start) - time, 2 * time)
    return {"V_0": start, "T": time}, stats.halfnorm.mean() * root


def scale_of_ou(z: np.ndarray) -> np.ndarray:
    """The integral of exp(u^2) from 0."""
    return np.sqrt(np.pi) / 2 * special.erfi(z)


@tie(r"claims/ou-mean-and-tail \mathbb{E}h(g)")
def mean_of_an_ou_neuron(draw: Random) -> Drawn:
    m, v = draw.uniform(-0.5, 0.5), draw.uniform(0.02, 0.15)
    return {"m": m, "v": v, "h": scale_of_ou}, normal_mean(scale_of_ou, m, v)


@tie(r"claims/ou-infinite-variance \mathbb{E}\phi(X_t)^2")
def mean_square_of_an_ou_neuron(draw: Random) -> Drawn:
    m, v = draw.uniform(-0.5, 0.5), draw.uniform(0.02, 0.12)
    return {"m": m, "v": v}, normal_mean(lambda g: np.exp(2 * g**2), m, v)


@tie(
    r"claims/smooth-shaping c",
    r"claims/networks-grow-geometrically c",
)
@tie(r"shaped/smooth#def-smooth-shaping c")
def normaliser_of_a_smooth_shape(draw: Random) -> Drawn:
    phi, n = smooth("tanh", a=draw.uniform(0.5, 2)), int(draw.integers(4, 60))
    return {r"\mathbb{E}[\varphi_s(g)^2]": normal_mean(lambda x: phi(x, n) ** 2)}, phi.normaliser(n)


@tie(r"claims/smooth-shaping \varphi_s(x)")
@tie(r"shaped/smooth#def-smooth-shaping \varphi_s(x)")
@tie(r"stability/activations#def-normalised \varphi_s(x)")
@tie(r"primer/chain-to-diffusion#prop-primer-one-layer \varphi_s(x)")
def a_smooth_shape(draw: Random) -> Drawn:
    a, n, x = draw.uniform(0.5, 2), int(draw.integers(4, 60)), draw.normal()
    return {"s": a * np.sqrt(n), "x": x, r"\varphi": np.tanh}, smooth("tanh", a=a)(x, n)


@tie(r"claims/doubly-overlap-equations \dot m_i")
def speed_of_the_mean(draw: Random) -> Drawn:
    names, _, speed = _moving(draw)
    return names, speed["m"]


@tie(r"claims/doubly-overlap-equations \dot q_i")
def speed_of_the_norm(draw: Random) -> Drawn:
    names, _, speed = _moving(draw)
    return names, speed["q"]


@tie(r"claims/doubly-overlap-equations \dot\lambda_{ij}")
@tie(r"residual/expressive-power#display \dot\lambda_{ij}")
def speed_of_the_overlap(draw: Random) -> Drawn:
    names, _, speed = _moving(draw)
    return names, speed["overlap"]


def _moving(draw: Random) -> tuple[dict, np.ndarray, dict]:
    """Two inputs of a curved network, and how fast their averages move, by differences of the solved equations."""
    made, names = blocks_of(draw, curved=True)
    mean, overlap = starts(draw)
    times = H * np.arange(5)
    found = ResidualKernel(made).at(mean, overlap - np.outer(mean, mean), times)
    m, squares = found.mean, found.covariance + found.mean[:, :, None] * found.mean[:, None, :]
    slope = np.array([-25, 48, -36, 16, -3]) / (12 * H)
    S = names[r"\sigma_b"] ** 2 + names[r"\sigma_w"] ** 2 * np.diag(overlap)
    names = names | {"m_i": mean[0], "m_j": mean[1], "S_i": S[0], "S_j": S[1], r"\lambda_{ij}": overlap[0, 1]}
    speed = {"m": slope @ m[:, 0], "q": slope @ squares[:, 0, 0], "overlap": slope @ squares[:, 0, 1]}
    return names, overlap, speed


@tie(r"claims/doubly-fluctuations n \mathrm{Var}\,m_T")
def variance_of_the_mean(draw: Random) -> Drawn:
    """The integral of the bracket of the mean, along the mean norm."""
    made, names = blocks_of(draw)
    q, (x, w) = draw.uniform(0.5, 2), np.polynomial.legendre.leggauss(20)
    times = names["T"] * np.sort((x + 1) / 2)
    kernel = ResidualKernel(made)
    norms = kernel.at(0.0, [[q]], times).covariance[:, 0, 0]
    bracket = 0.64 * (names[r"\sigma_b"] ** 2 + names[r"\sigma_w"] ** 2 * norms)
    return {r"\mathrm{E}\,q_T": kernel.at(0.0, [[q]]).covariance[0, 0], "q_0": q}, names["T"] / 2 * w @ bracket


@tie(r"claims/doubly-inner-activation \dot k_{ij}")
@tie(r"residual/doubly-infinite#prop-dbl-kernels \dot k_{ij}")
def speed_of_a_kernel(draw: Random) -> Drawn:
    names, speed, _ = _bent(draw)
    return names, speed


@tie(r"claims/doubly-inner-activation \dot\mu_i")
@tie(r"residual/doubly-infinite#prop-dbl-kernels \dot\mu_i")
def speed_of_a_neuron(draw: Random) -> Drawn:
    names, _, speed = _bent(draw)
    return names, speed


def _bent(draw: Random) -> tuple[dict, float, float]:
    """Two inputs of a network with tanh inside and a curved outside, and the start of their kernel and mean."""
    weight, bias = draw.uniform(0.5, 1.5, 2)
    mean, overlap = starts(draw)
    K = overlap - np.outer(mean, mean)
    root, (x, w) = np.linalg.cholesky(K), hermegauss(200)
    first = np.tanh(mean[0] + root[0, 0] * x)[:, None]
    second = np.tanh(mean[1] + root[1, 0] * x[:, None] + root[1, 1] * x)
    of_product = w @ (first * second) @ w / w.sum() ** 2
    of_square = w @ first[:, 0] ** 2 / w.sum()
    found = ResidualKernel(Blocks(plain("tanh"), plain("0.8*x + 0.3*x**2"), weight, bias)).at(mean, K, H * np.arange(5))
    slope = np.array([-25, 48, -36, 16, -3]) / (12 * H)
    names = {r"\sigma_w": np.sqrt(weight), r"\sigma_b": np.sqrt(bias), r"\varphi'": 0.8, r"\varphi''": 0.6}
    names |= {r"\mathrm{E}\,\psi(x_i)\psi(x_j)": of_product, r"\mathrm{E}\,\psi(x_i)^2": of_square}
    return names, slope @ found.covariance[:, 0, 1], slope @ found.mean[:, 0]


@tie(r"claims/jacobian-spectrum e^{2u_*}", r"residual/gradients#prop-grad-spectrum e^{2u_*}")
def edge_of_the_spectrum(draw: Random) -> Drawn:
    """The largest logarithm of the density's two formulas, where beta goes to 0."""
    C = draw.uniform(0.2, 3)
    alpha = np.sqrt(1 / 4 + 1 / (2 * C))
    u = C * alpha + np.log((alpha + 1 / 2) / (alpha - 1 / 2)) / 2
    return {"C": C, "s": np.sqrt(C**2 + 2 * C)}, np.exp(2 * u)


@tie(r"claims/gradients-do-not-explode \E\|J(x_L, x_\ell)^\top v\|^2")
def growth_of_a_gradient(draw: Random) -> Drawn:
    """A linear network transposed is a linear network: the recursion of the norm, without biases."""
    L, kept, C = int(draw.integers(3, 20)), int(draw.integers(1, 3)), draw.uniform(0.3, 2)
    v = draw.uniform(0.5, 2)
    blocks = Blocks(linear(), linear(), C * (L - kept) / L, 0.0)
    found = ResidualKernel(blocks).finite_depth(0.0, [[v]], L - kept).covariance[0, 0]
    return {"C": C, "L": float(L), r"\ell": float(kept), r"\|v\|^2": v}, found


@tie(r"claims/torch-default-fades E|h_{l+1}|^2")
def fading(draw: Random) -> Drawn:
    n, size = int(draw.integers(3, 50)), draw.uniform(0.5, 2)
    weight = stats.uniform(-1 / np.sqrt(n), 2 / np.sqrt(n)).var()
    return {r"E|h_l|^2": size}, n * weight * size * stats.halfnorm.moment(2) / 2


@tie(r"claims/shared-volatility L^2\,\mathbb{E}(\Delta^1\Delta^2)^2")
def product_of_two_changes(draw: Random) -> Drawn:
    """The mean square of the mean square of n rectified normal numbers."""
    n, half = int(draw.integers(1, 20)), stats.halfnorm.moment
    return {"n": float(n)}, (half(4) / 2 + (n - 1) * (half(2) / 2) ** 2) / n
