"""What the left sides of printed formulas are, by the package: shaped networks, their norms, and the primer."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from deeplimits import attention, densities, stability
from deeplimits.activations import relu, shaped_relu, smooth
from deeplimits.diffusions.unshaped import PLATEAU
from deeplimits.kernels import CovarianceODE, _expectations
from deeplimits.networks.unshaped import one_layer_moments
from tests.formulas import Drawn, tie

Random = np.random.Generator
LAW = {"N": lambda mean, variance: (mean, variance), r"\GammaLaw": lambda shape, rate: (shape, rate)}
STEP = {r"\dd t": 0.37, r"\dd B": -0.81, r"\dd B_t": -0.81}


def normal_log(law: densities.NormalLaw | densities.Law, start: float) -> tuple[float, float]:
    """Mean and variance of log(V / start), from two quantiles."""
    low, high = np.log(law.ppf([stats.norm.cdf(-1), stats.norm.cdf(1)]) / start)
    return float(low + high) / 2, float(high - low) ** 2 / 4


def constants(draw: Random) -> tuple[float, float]:
    return draw.uniform(0.5, 2), draw.uniform(-2, -0.5)


@tie(r"shaped/covariance#eq-drift \nu(\rho)", r"claims/shaped-relu-drift \nu(\rho)")
def drift_of_a_rectifier(draw: Random) -> Drawn:
    plus, minus, rho = *constants(draw), draw.uniform(-1, 1)
    return {"c_+": plus, "c_-": minus, r"\rho": rho}, shaped_relu(plus, minus).drift(rho)


@tie(
    r"shaped/covariance#eq-layer-map c\, \E[\varphi_s(g)\varphi_s(h)]",
    r"claims/one-layer-correlation-map c\,\mathbb{E}[\varphi_s(g)\varphi_s(h)]",
)
def map_of_one_layer(draw: Random) -> Drawn:
    (plus, minus), theta, n = constants(draw), draw.uniform(0.1, 3), 30
    phi = shaped_relu(plus, minus)
    s = phi.slopes(n)
    values = {"s_+": s[0], "s_-": s[1], r"\theta": theta, r"\rho": np.cos(theta)}
    return values, phi.correlation_map(np.cos(theta), n)


@tie(r"shaped/covariance#def-shaping \varphi_s(x)", r"claims/relu-shaping \varphi_s(x)")
def a_shaped_rectifier(draw: Random) -> Drawn:
    (plus, minus), x, n = constants(draw), draw.normal(), 12
    phi = shaped_relu(plus, minus)
    s = phi.slopes(n)
    return {"s_+": s[0], "s_-": s[1], "x": x, "0": 0.0}, phi(x, n)


@tie(r"shaped/covariance#def-shaping s_\pm", r"claims/relu-shaping s_\pm")
def slopes(draw: Random) -> Drawn:
    plus, n = draw.normal(), float(draw.integers(3, 90))
    return {r"c_\pm": plus, "n": n}, shaped_relu(plus, -1).slopes(int(n))[0]


@tie("shaped/covariance#def-shaping c")
def normaliser(draw: Random) -> Drawn:
    phi = shaped_relu(*constants(draw))
    s = phi.slopes(20)
    return {"s_+": s[0], "s_-": s[1]}, phi.normaliser(20)


@tie(r"shaped/covariance#eq-effective \Delta_n^2", r"claims/effective-slope-difference \Delta_n^2")
def effective_difference(draw: Random) -> Drawn:
    phi = shaped_relu(*constants(draw))
    s = phi.slopes(20)
    return {"s_+": s[0], "s_-": s[1], "n": 20.0}, phi.effective_gap2(20)


@tie(
    r"shaped/covariance#thm-norm \log\tfrac{V_T}{V_0}",
    r"claims/norm-log-normal \log(V_T/V_0)",
    r"claims/norm-law-for-every-exponent \log(V_T/V_0)",
    r"primer/ito#display \log\frac{V_T}{V_0}",
)
def norm_of_a_rectifier(draw: Random) -> Drawn:
    time, start = draw.uniform(0.2, 2), draw.uniform(0.5, 2)
    return LAW | {"T": time}, normal_log(densities.norm(shaped_relu(0, -1), start, time), start)


@tie(r"shaped/covariance#thm-correlation \dd\rho_t", r"claims/correlation-sde \mathrm{d}\rho")
def correlation_sde(draw: Random) -> Drawn:
    """Ito's formula for V12 / sqrt(V11 V22), from the covariance SDE."""
    phi, rho = shaped_relu(*constants(draw)), draw.uniform(-0.9, 0.9)
    drift = phi.drift(rho) - rho * (1 - rho**2) / 2
    # The law on the grid has this drift: its mean after a short time.
    short = 1e-5
    assert abs((densities.correlation(phi, rho, short).mean() - rho) / short - drift) < 1e-3
    values = STEP | {r"\rho": rho, r"\rho_t": rho, r"\nu": phi.drift}
    return values, drift * STEP[r"\dd t"] + (1 - rho**2) * STEP[r"\dd B"]


@tie(r"shaped/covariance#eq-angle \dd\theta_t", r"claims/angle-martingale \mathrm{d}\theta")
def angle_sde(draw: Random) -> Drawn:
    phi, theta = shaped_relu(*constants(draw)), draw.uniform(0.3, 2.8)
    rho = np.cos(theta)
    first, second = -1 / np.sin(theta), -rho / np.sin(theta) ** 3
    drift = first * (phi.drift(rho) - rho * (1 - rho**2) / 2) + second * (1 - rho**2) ** 2 / 2
    values = STEP | {r"\theta": theta, r"\theta_t": theta, r"\nu": phi.drift}
    values = {**values, r"\cos\theta_t": rho, r"\cos\theta": rho}
    return values, drift * STEP[r"\dd t"] - np.sin(theta) * STEP[r"\dd B"]


@tie(
    r"shaped/covariance#thm-covariance \Sigma^{\alpha\beta,\gamma\delta}(V)",
    r"claims/covariance-sde \Sigma^{\alpha\beta,\gamma\delta}",
    r"shaped/smooth#thm-smooth-sde \Sigma^{\alpha\beta,\gamma\delta}",
    r"primer/chain-to-diffusion#prop-primer-one-layer \Sigma^{\alpha\beta,\gamma\delta}",
    r"primer/wishart#prop-primer-wishart-noise n \Cov\big[&S^{\alpha\beta}, S^{\gamma\delta}\big]",
    r"claims/primer-sample-covariance-noise n\,\mathrm{Cov}[S^{\alpha\beta}, S^{\gamma\delta}]",
)
def noise_of_a_covariance(draw: Random) -> Drawn:
    """The fourth moments of Gaussian vectors, by Gauss-Hermite quadrature in four dimensions."""
    A = draw.normal(size=(4, 4))
    V = A @ A.T
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), -1).reshape(-1, 4) @ A.T
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 4, indexing="ij"), -1), axis=-1).ravel()
    fourth = weight @ (grid[:, 0] * grid[:, 1] * grid[:, 2] * grid[:, 3])
    names = ("alpha", "beta", "gamma", "delta")
    values = {rf"V^{{\{a}\{b}}}": V[i, j] for i, a in enumerate(names) for j, b in enumerate(names)}
    return values, fourth - V[0, 1] * V[2, 3]


@tie(r"shaped/covariance#thm-covariance b^{\alpha\beta}(V)", r"claims/covariance-sde b^{\alpha\beta}")
def drift_of_a_covariance(draw: Random) -> Drawn:
    phi, (v, w), rho = shaped_relu(*constants(draw)), draw.uniform(0.5, 2, 2), draw.uniform(-0.9, 0.9)
    V = np.array([[v, rho * np.sqrt(v * w)], [rho * np.sqrt(v * w), w]])
    values = {r"V^{\alpha\alpha}": v, r"V^{\beta\beta}": w, r"\rho^{\alpha\beta}": rho, r"\nu": phi.drift}
    return values, phi.covariance_drift(V)[0, 1]


def curved(draw: Random) -> tuple:
    phi = smooth("softplus", a=draw.uniform(0.5, 2), centre=draw.uniform(-1, 1))
    (v, w), rho = draw.uniform(0.5, 2, 2), draw.uniform(-0.9, 0.9)
    c = rho * np.sqrt(v * w)
    names = {"a": phi.a, r"\varphi''": phi.second, r"\varphi'''": phi.third, r"\kappa": phi.kappa, r"\rho": rho}
    names |= {r"\varphi''(0)": phi.second, r"\varphi'''(0)": phi.third, r"V^{12}": c}
    names |= {r"V^{\alpha\alpha}": v, r"V^{\beta\beta}": w, r"V^{\alpha\beta}": c, r"V^{11}": v, r"V^{22}": w}
    return phi, np.array([[v, c], [c, w]]), names


@tie(
    r"shaped/smooth#thm-smooth-sde a^2\, b^{\alpha\beta}(V)",
    r"claims/smooth-drift a^2 b^{\alpha\beta}",
    r"primer/chain-to-diffusion#prop-primer-one-layer a^2 b^{\alpha\beta}",
)
def drift_of_a_smooth_covariance(draw: Random) -> Drawn:
    phi, V, names = curved(draw)
    return names, phi.a**2 * phi.covariance_drift(V)[0, 1]


@tie(r"shaped/smooth#eq-smooth-rho \dd\rho")
def smooth_correlation_sde(draw: Random) -> Drawn:
    phi, V, names = curved(draw)
    return STEP | names, correlation_drift(phi, V) * STEP[r"\dd t"] + (1 - names[r"\rho"] ** 2) * STEP[r"\dd B"]


def correlation_drift(phi: object, V: np.ndarray) -> float:
    """Ito's formula for the correlation under the covariance SDE, from its drift and the noise of Wishart matrices."""
    b, rho = phi.covariance_drift(V), V[0, 1] / np.sqrt(V[0, 0] * V[1, 1])
    first = b[0, 1] / np.sqrt(V[0, 0] * V[1, 1]) - rho / 2 * (b[0, 0] / V[0, 0] + b[1, 1] / V[1, 1])
    return first - rho * (1 - rho**2) / 2


@tie("shaped/smooth#eq-half ")
def drift_towards_one_half(draw: Random) -> Drawn:
    phi, _, names = curved(draw)
    v, rho = draw.uniform(0.5, 2), names[r"\rho"]
    V = v * np.array([[1, rho], [rho, 1]])
    return names | {"v": v}, correlation_drift(phi, V) + rho * (1 - rho**2) / 2


@tie("shaped/smooth#eq-odd-correction ")
def odd_correction(draw: Random) -> Drawn:
    """One layer of a tanh network of infinite width, far out."""
    v, rho, s = draw.uniform(0.5, 1.5), draw.uniform(-0.8, 0.8), 40.0
    phi = smooth("tanh", a=s)
    V = v * np.array([[1, rho], [rho, 1]])
    after = CovarianceODE(phi).finite_depth(V, 1, 1)
    moved = s**4 * (after[0, 1] / np.sqrt(after[0, 0] * after[1, 1]) - rho)
    exact = -4 * v**2 / 6 * rho * (1 - rho**2)
    assert abs(moved - exact) < 0.02 * abs(exact) + 1e-4
    return {r"\varphi'''": -2.0, "v": v, "s": s, r"\rho": rho}, exact / s**4


@tie(r"stability/norm#eq-kappa \kappa", r"stability/activations#eq-kappa-centre \kappa(x_0)")
@tie(r"claims/normalised-activation \kappa(x_0)")
def kappa(draw: Random) -> Drawn:
    phi, _, names = curved(draw)
    return names | {"f''(x_0)": 3 * phi.second, "f'(x_0)": 3.0, "f'''(x_0)": 3 * phi.third}, phi.kappa


@tie(r"claims/norm-sde-smooth b")
def b_of_an_activation(draw: Random) -> Drawn:
    phi, _, names = curved(draw)
    return names, phi.b


@tie(r"stability/norm#thm-norm-smooth b")
def b_by_kappa(draw: Random) -> Drawn:
    phi, _, names = curved(draw)
    return names, phi.b


@tie(
    r"stability/norm#thm-norm-smooth \dd V",
    r"claims/norm-sde-smooth \mathrm dV",
    r"primer/feller#eq-primer-norm-sde \dd V",
)
def norm_sde(draw: Random) -> Drawn:
    phi, _, names = curved(draw)
    v = draw.uniform(0.5, 2)
    drift = phi.covariance_drift(np.array([[v]]))[0, 0]
    return STEP | names | {"V": v, "b": phi.b}, drift * STEP[r"\dd t"] + np.sqrt(2) * v * STEP[r"\dd B"]


@tie(
    r"stability/norm#prop-explosion-probability \P(T^* < \infty)",
    r"claims/explosion-probability P(b+1, bV_0)",
    r"claims/primer-feller-explosion \mathbb{P}(T^*<\infty)",
    r"primer/feller#prop-primer-norm-explosion \P(T^* < \infty)",
)
def probability_of_explosion(draw: Random) -> Drawn:
    b, start = draw.uniform(0.3, 2), draw.uniform(0.5, 2)
    values = {
        "b": b,
        "V_0": start,
        "P": special.gammainc,
        r"\gamma": lambda a, x: special.gammainc(a, x) * special.gamma(a),
    }
    return values, stability.explosion_probability(b, start)


@tie(r"stability/norm#prop-gamma V_\infty", r"claims/norm-stationary-law \mathrm{Gamma}(\beta - 1, \text{rate } \beta)")
def stationary_law(draw: Random) -> Drawn:
    beta = draw.uniform(1.3, 4)
    law = stability.stationary(-beta)
    shape = law.mean() ** 2 / law.var()
    return LAW | {r"\beta": beta}, (shape, shape / law.mean())


@tie(r"stability/norm#prop-gamma \E V_\infty")
def stationary_mean(draw: Random) -> Drawn:
    beta = draw.uniform(1.3, 4)
    return {r"\beta": beta}, stability.stationary(-beta).mean()


@tie(r"stability/norm#prop-gamma \Var V_\infty")
def stationary_variance(draw: Random) -> Drawn:
    beta = draw.uniform(1.3, 4)
    return {r"\beta": beta}, stability.stationary(-beta).var()


@tie(r"stability/norm#eq-scale-speed p(x)", r"primer/feller#eq-primer-norm-scale s'(V)")
def scale(draw: Random) -> Drawn:
    b, x = draw.uniform(-2, 2), draw.uniform(0.2, 3)
    return {"b": b, "x": x, "V": x}, stability.scale_density(b, x) * np.exp(-b)


@tie(r"stability/norm#eq-scale-speed m(x)")
def speed(draw: Random) -> Drawn:
    b, x = draw.uniform(-2, 2), draw.uniform(0.2, 3)
    return {"b": b, "x": x}, stability.speed_density(b, x) * np.exp(b)


@tie(r"shaped/unshaped#eq-relu-map \bar\kappa(\rho)")
def map_of_relu(draw: Random) -> Drawn:
    theta = draw.uniform(0.1, 3)
    return {r"\theta": theta}, relu().correlation_map(np.cos(theta), 1)


@tie(r"shaped/unshaped#eq-same \dot\rho")
def residual_correlation(draw: Random) -> Drawn:
    rho = draw.uniform(-0.9, 0.9)
    values = {r"\rho": rho, r"\bar\kappa": lambda r: relu().correlation_map(r, 1)}
    return values, shaped_relu(0, -np.sqrt(2)).drift(rho)


def fourth_moments(theta: float) -> tuple[float, float, float]:
    """4 E phi(g)^2 phi(h)^2 and 4 E phi(g)^3 phi(h) for ReLU, by quadrature, and the map."""
    x, y, weight = _expectations.pair((0.0, 0.0), (1.0, 1.0), 1 - np.cos(theta), (0.0,))
    p, q = np.maximum(x, 0), np.maximum(y, 0)
    return 4 * np.sum(weight * p**2 * q**2), 4 * np.sum(weight * p**3 * q), relu().correlation_map(np.cos(theta), 1)


@tie(r"shaped/unshaped#prop-unshaped-chain \tfrac\pi2 M_{22}")
def moment_22(draw: Random) -> Drawn:
    theta = draw.uniform(0.2, 2.9)
    return {r"\theta": theta}, np.pi / 2 * fourth_moments(theta)[0]


@tie(r"shaped/unshaped#prop-unshaped-chain \tfrac\pi2 M_{31}")
def moment_31(draw: Random) -> Drawn:
    theta = draw.uniform(0.2, 2.9)
    return {r"\theta": theta}, np.pi / 2 * fourth_moments(theta)[1]


def chain_values(draw: Random) -> tuple:
    theta = draw.uniform(0.2, 2.9)
    m22, m31, image = fourth_moments(theta)
    epsilon = 1 - np.cos(theta)
    return {"M_{22}": m22, "M_{31}": m31, r"\bar\kappa": image}, one_layer_moments(np.array(epsilon))


@tie(r"shaped/unshaped#prop-unshaped-chain \hat\mu")
def drift_of_the_chain(draw: Random) -> Drawn:
    values, (drift, _) = chain_values(draw)
    return values, drift


@tie(r"shaped/unshaped#prop-unshaped-chain \hat\sigma^2")
def noise_of_the_chain(draw: Random) -> Drawn:
    values, (_, noise) = chain_values(draw)
    return values, noise


def log_sine(draw: Random) -> tuple:
    """Values of the symbols; n times mean and variance of ln sin^2 after a layer, by Ito's rule from the chain."""
    values, (drift, noise) = chain_values(draw)
    rho = values[r"\bar\kappa"]
    first, second = -2 * rho / (1 - rho**2), -2 * (1 + rho**2) / (1 - rho**2) ** 2
    mean = first * drift + second * noise / 2
    return values | {"K": (4 - mean) * (1 - rho**2) ** 2}, mean, first**2 * noise


@tie(r"shaped/unshaped#eq-log-sine K")
def constant_of_the_log_sine(draw: Random) -> Drawn:
    values, _, _ = log_sine(draw)
    return values, values.pop("K")


@tie(r"shaped/unshaped#eq-log-sine n\E[\ln\tfrac{\sin^2\theta_{\ell+1}}{1-\bar\kappa^2}]")
def mean_of_the_log_sine(draw: Random) -> Drawn:
    return log_sine(draw)[:2]


@tie(r"shaped/unshaped#eq-log-sine n\Var[\ln\sin^2\theta_{\ell+1}]")
def variance_of_the_log_sine(draw: Random) -> Drawn:
    return log_sine(draw)[::2]


@tie(r"shaped/unshaped#eq-plateau \ell^2\, (1-\rho_\ell)", r"claims/unshaped-collapse-rate \ell^2(1-\rho_\ell)")
@tie(r"shaped/unshaped#thm-singular q_{0+}")
def plateau(draw: Random) -> Drawn:
    return {}, PLATEAU


@tie(r"shaped/unshaped#thm-singular \dd q", r"claims/unshaped-singular-sde \mathrm{d}q")
def singular_sde(draw: Random) -> Drawn:
    q, t = draw.uniform(10, 90), draw.uniform(0.2, 1)
    drift, noise = singular(q, t)
    return STEP | {"q": q, "t": t}, drift * STEP[r"\dd t"] + noise * STEP[r"\dd B"]


def singular(q: float, t: float) -> tuple[float, float]:
    """From the chain of one layer near rho = 1, where q = l^2 epsilon and l = t n."""
    epsilon = 1e-8
    drift, noise = one_layer_moments(np.array(epsilon))
    pull = (relu().epsilon_map(epsilon, 1) - epsilon) / epsilon**1.5  # a layer of infinite width
    rounded = float(np.round(pull * 3 * np.pi / np.sqrt(2), 3)) * np.sqrt(2) / (3 * np.pi)
    gain, size = float(np.round(-drift / epsilon, 3)), float(np.round(noise / epsilon**2, 2))
    return 2 * q / t + rounded * q**1.5 / t + gain * q, np.sqrt(size) * q


@tie(r"shaped/unshaped#display \dd\log q")
def singular_log(draw: Random) -> Drawn:
    q, t = draw.uniform(10, 90), draw.uniform(0.2, 1)
    drift, noise = singular(q, t)
    step = (drift / q - (noise / q) ** 2 / 2) * STEP[r"\dd t"] + noise / q * STEP[r"\dd B"]
    return STEP | {"q": q, "t": t}, step


def attention_values(draw: Random) -> dict:
    return {r"\gamma": draw.uniform(0.3, 0.9), r"\tau_0": draw.uniform(0.4, 2), "T": draw.uniform(0.3, 2)}


@tie(r"shaped/attention#eq-attention-one T'", r"claims/attention-one-token T'")
def clock_of_one_token(draw: Random) -> Drawn:
    values = attention_values(draw)
    noise = attention.attention_noise(np.array([[1.0]]), values[r"\gamma"], values[r"\tau_0"])
    return values, noise[0, 0, 0, 0] / 2 * values["T"]


@tie(r"shaped/attention#eq-attention-distance \dd D")
def distance_of_two_tokens(draw: Random) -> Drawn:
    values = attention_values(draw)
    A = draw.normal(size=(2, 2))
    V, u = A @ A.T, np.array([1.0, -1.0])
    D, at = u @ V @ u, (values[r"\gamma"], values[r"\tau_0"])
    drift = u @ attention.attention_drift(V, *at) @ u
    noise = np.einsum("abcd,a,b,c,d", attention.attention_noise(V, *at), u, u, u, u)
    return STEP | values | {"D": D}, drift * STEP[r"\dd t"] + np.sqrt(noise) * STEP[r"\dd B"]
