"""What the left sides of printed formulas are: tokens, gradients, products of random matrices, pictures."""

from __future__ import annotations

import numpy as np
from scipy import linalg, stats

from deeplimits import attention, densities, growth
from deeplimits.activations import linear, plain, relu, smooth
from deeplimits.blocks import Blocks
from deeplimits.kernels import ResidualKernel
from tests.formulas import Drawn, tie
from tests.formulas.ties import LAW, curved, normal_log

Random = np.random.Generator


@tie(r"shaped/outputs#prop-moments a_T")
def squares_of_a_covariance(draw: Random) -> Drawn:
    time, start = draw.uniform(0.2, 1.5), draw.uniform(0.2, 1, 2)
    # The noise of the linear limit: E (V12)^2 gains E V12^2 + V11 V22, and E V11 V22 gains 2 E V12^2.
    return {"T": time, "a_0": start[0], "q_0": start[1]}, (linalg.expm(time * np.array([[1, 1], [2, 0]])) @ start)[0]


@tie(r"shaped/outputs#prop-moments q_T")
def products_of_variances(draw: Random) -> Drawn:
    time, start = draw.uniform(0.2, 1.5), draw.uniform(0.2, 1, 2)
    return {"T": time, "a_0": start[0], "q_0": start[1]}, (linalg.expm(time * np.array([[1, 1], [2, 0]])) @ start)[1]


@tie(r"claims/linear-determinant \mathbb{E}\det V_d", r"claims/primer-determinant \mathbb{E}\det V_d")
def determinant_of_products(draw: Random) -> Drawn:
    n, inputs, depth, start = (
        int(draw.integers(4, 20)),
        int(draw.integers(2, 5)),
        int(draw.integers(1, 6)),
        draw.random(),
    )
    one = np.prod([stats.chi2(n - j).mean() / n for j in range(inputs)])  # the diagonal of Bartlett
    return {"n": float(n), "k": inputs, "m": inputs, "d": depth, r"\det V_0": start}, start * one**depth


def tangent_values(draw: Random) -> tuple:
    """A second input at h + e J u: its covariances are polynomials in e, and so are their drifts."""
    phi, _, names = curved(draw)
    v, u = draw.uniform(0.5, 2, 2)
    c = draw.uniform(-0.9, 0.9) * np.sqrt(v * u)
    e = np.linspace(-1, 1, 7)
    drifts = []
    for step in e:
        W = np.array([[v, v + step * c], [v + step * c, v + 2 * step * c + step**2 * u]])
        drifts.append(phi.covariance_drift(W))
    b = np.array(drifts)
    mixed = np.polynomial.polynomial.polyfit(e, b[:, 0, 1] - b[:, 0, 0], 6)[1]
    second = np.polynomial.polynomial.polyfit(e, b[:, 1, 1] - 2 * b[:, 0, 1] + b[:, 0, 0], 6)[2]
    names = names | {"V": v, "U": u, "C": c, r"\rho": c / np.sqrt(v * u)}
    return names, phi.covariance_drift(np.array([[v]]))[0, 0], mixed, second


@tie(r"shaped/backward#thm-backward-smooth \tfrac{1}{a^2}\, \kappa\, V\,(V - 1)")
def drift_of_the_state(draw: Random) -> Drawn:
    names, state, _, _ = tangent_values(draw)
    return names, state


@tie(
    r"shaped/backward#thm-backward-smooth \frac{1}{a^2} C[(\frac32\varphi''^2+2\varphi''')V - \kappa]",
    r"claims/smooth-gain-drift \frac{1}{a^2} C[(\frac32\varphi''^2+2\varphi''')V - \kappa]",
)
def drift_of_the_alignment(draw: Random) -> Drawn:
    names, _, mixed, _ = tangent_values(draw)
    return names, mixed


@tie(
    r"shaped/backward#thm-backward-smooth \frac{1}{a^2} U[(\varphi''^2+\varphi''')V(1+2\rho^2) - \kappa]",
    r"claims/smooth-gain-drift \frac{1}{a^2} U[(\varphi''^2+\varphi''')V(1+2\rho^2) - \kappa]",
)
def drift_of_the_gain(draw: Random) -> Drawn:
    names, _, _, second = tangent_values(draw)
    return names, second


@tie(r"claims/gain-log-normal \log |J_d u|^2", r"shaped/backward#thm-backward-gain \log |J_d u|^2 \to N(-T,\, 2T)")
def gain_of_a_shaped_rectifier(draw: Random) -> Drawn:
    time = draw.uniform(0.2, 2)
    return LAW | {"T": time}, normal_log(densities.norm(linear(), 1.0, time), 1.0)


@tie(r"shaped/backward#thm-backward-gain \log |J_d u|^2 \to N\!\left(-\tfrac52 T,\, 5T\right)")
def gain_of_a_plain_rectifier(draw: Random) -> Drawn:
    """The chi-square of the active half: per neuron the variance of 2 phi(g)^2 is 5."""
    time, nodes = draw.uniform(0.2, 2), np.linspace(-12, 12, 200_001)
    phi = relu()
    fourth = np.trapezoid(phi(nodes) ** 4 * stats.norm.pdf(nodes), nodes) * phi.normaliser(1) ** 2
    return LAW | {"T": time}, (-(fourth - 1) / 2 * time, (fourth - 1) * time)


def token_values(draw: Random) -> tuple:
    m = int(draw.integers(2, 5))
    A = draw.normal(size=(m, m))
    V = A @ A.T
    names = dict(zip(("alpha", "delta", "beta", "omega"), draw.integers(0, m, 4), strict=True))
    values = {rf"V^{{\{a}\{b}}}": V[i, j] for a, i in names.items() for b, j in names.items()}
    values |= {rf"V^{{\{a}\bar x}}": V[i].mean() for a, i in names.items()}
    values |= {r"V^{\bar x\bar x}": V.mean(), r"\sum_\omega V^{\omega\omega}": np.trace(V), "m": float(m)}
    return values, V, tuple(names.values())


@tie(r"shaped/attention#prop-attention-orders S_1^{\alpha\delta,\beta\omega}")
def first_order_of_attention(draw: Random) -> Drawn:
    values, V, place = token_values(draw)
    return values, attention.attention_moments(V)[0][place]


@tie(r"shaped/attention#prop-attention-orders S_2^{\alpha\delta}")
def second_order_of_attention(draw: Random) -> Drawn:
    values, V, place = token_values(draw)
    return values, attention.attention_moments(V)[1][place[:2]]


@tie(r"residual/euler#eq-res-strong \E (Y_L - X_1)^2", r"claims/euler-strong-rate \mathbb{E}(Y_L - X_1)^2")
def strong_error(draw: Random) -> Drawn:
    """E Y^2 + E X^2 - 2 E X Y of one neuron, each a product over layers, by Gauss-Hermite quadrature."""
    depth = int(draw.integers(2, 60))
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    step, weights = nodes / np.sqrt(depth), weights / weights.sum()
    layer, exact = 1 + step, np.exp(step - 1 / (2 * depth))
    powers = [float(weights @ product) ** depth for product in (layer**2, exact**2, layer * exact)]
    return {"L": float(depth)}, powers[0] + powers[1] - 2 * powers[2]


@tie(r"residual/gradients#eq-grad-means \E[(g_T^\top g_T)^{-1}]", r"claims/jacobian-moments \E[(g^\top g)^{-1}]")
def mean_of_an_inverse(draw: Random) -> Drawn:
    """One small layer M = I + G: (M^T M)^-1 = I - X + X^2 with X = G + G^T + G^T G, over many layers."""
    n, C = int(draw.integers(1, 9)), draw.uniform(0.2, 1)
    square, once = 1.0, 1.0 / n  # E G^T G and E G G, for each unit of C
    rate = -square + 2 * square + 2 * once
    return {"n": float(n), "C": C, "I": 1.0}, np.exp(rate * C)


@tie(r"residual/gradients#eq-grad-means \E[g_T^\top g_T]", r"claims/jacobian-moments \E[g^\top g]")
def mean_of_a_square(draw: Random) -> Drawn:
    C = draw.uniform(0.2, 1)
    law = densities.width_one(linear(), 1.0, C)
    return {"C": C, "I": 1.0}, law.var() + law.mean() ** 2


@tie(r"residual/images#prop-images-average \tfrac1n\E\langle\bar x, \bar x'\rangle")
def average_of_pictures(draw: Random) -> Drawn:
    weight, bias, time, kernel = *draw.uniform(0.1, 0.3, 2), draw.uniform(0.5, 1), 3
    z, other = draw.normal(size=2)
    made = Blocks(linear(), plain("tanh"), kernel**2 * weight, bias, time)
    start = np.array([[z * z, z * other], [z * other, other * other]]) + 1e-12 * np.eye(2)
    names = {"C": kernel**2 * weight * time, "r": bias / (kernel**2 * weight), r"\bar z": z, r"\bar z'": other}
    return names, ResidualKernel(made).at(0.0, start).covariance[0, 1]


@tie(
    r"residual/width-one#eq-one-dead &\P(\text{dead by depth } L \mid Y_0 > 0)",
    r"claims/width-one-dead-paths \mathbb{P}(\text{dead by depth } L\mid Y_0>0)",
)
def dead_neurons(draw: Random) -> Drawn:
    depth, alive = int(draw.integers(1, 9)), 1.0
    for _ in range(depth):
        alive *= 1 - stats.norm.cdf(-np.sqrt(depth))
    return {"L": float(depth)}, 1 - alive


@tie(r"stability/activations#display \kappa(x_0) = 3t^2 + 6 t^2 - 2 = 9t^2 - 2")
def kappa_of_tanh(draw: Random) -> Drawn:
    centre = draw.uniform(-1.5, 1.5)
    return {"t": np.tanh(centre)}, smooth("tanh", centre=centre).kappa


@tie(r"stability/activations#display \kappa(x_0) = \tfrac14 (1 - \sigma)(7 - 11\,\sigma)")
def kappa_of_softplus(draw: Random) -> Drawn:
    centre = draw.uniform(-1.5, 1.5)
    return {r"\sigma": 1 / (1 + np.exp(-centre))}, smooth("softplus", centre=centre).kappa


@tie(r"claims/one-clock V(T)/T")
def speed_of_the_clock(draw: Random) -> Drawn:
    first, second = growth.log_norm_variance([1e5, 2e5])
    return {}, (second - first) / 1e5


@tie(r"shaped/smooth#display \E[x^2y^2]")
def fourth_moment(draw: Random) -> Drawn:
    values, x, y, weight = _pair(draw)
    return values, float(np.sum(weight * x**2 * y**2))


@tie(r"shaped/smooth#display \E[x^3 y + x y^3]")
def odd_fourth_moment(draw: Random) -> Drawn:
    values, x, y, weight = _pair(draw)
    return values, float(np.sum(weight * (x**3 * y + x * y**3)))


def _pair(draw: Random) -> tuple:
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    A = draw.normal(size=(2, 2))
    V, g = A @ A.T, np.stack(np.meshgrid(nodes, nodes, indexing="ij"))
    x, y = np.einsum("ab,bij->aij", A, g)
    weight = np.outer(weights, weights) / weights.sum() ** 2
    values = {r"V^{\alpha\alpha}": V[0, 0], r"V^{\beta\beta}": V[1, 1], r"V^{\alpha\beta}": V[0, 1]}
    return values, x, y, weight
