"""The numbers of the live figures of chapters against the Python engine, from the files that pages load."""

import json
from pathlib import Path

import numpy as np
import pytest
from inspection import PATIENCE
from scipy import special, stats

from deeplimits import densities, growth, stability
from deeplimits.activations import correlation_of, linear, plain, relu, shaped_relu, smooth
from deeplimits.attention import ShapedAttention
from deeplimits.blocks import Blocks
from deeplimits.fractional import FractionalResNet
from deeplimits.kernels import CovarianceODE, ResidualKernel
from deeplimits.networks import ResNet, ShapedMLP, gaussian_start

LIVE = Path("book/_static/live")
#: Standard errors between two numbers that agree: a level near 1e-5 for a figure, and tails that are not normal.
FAR = 5.0
silu, tanh = plain("silu"), plain("tanh")


@pytest.fixture(scope="module")
def numbers(browser):
    """The numbers of a figure at a setting, from the file of the figure."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.set_content("<!doctype html><title>Numbers</title>")
    loaded = set()

    def run(name, **setting):
        if name not in loaded:
            page.add_script_tag(path=LIVE / f"{name}.js")
            loaded.add(name)
        return page.evaluate("([name, setting]) => liveFigures[name](setting)", [name, setting])

    yield run
    page.close()


def agrees(value, error, samples, allowed=0.0):
    """Whether an estimate with its error agrees with the mean of samples, or with a number."""
    samples = np.asarray(samples, dtype=float)
    spread = samples.std() / np.sqrt(samples.size) if samples.size > 1 else 0.0
    return abs(value - samples.mean()) <= FAR * np.hypot(error, spread) + allowed


def gram(rho, norm=1.0):
    return norm * np.array([[1, rho], [rho, 1]])


def rectified(width, depth, time, samples=20_000, seed=1):
    """States of ReLU networks that start alive, before and after: norms after the activation."""
    x0 = gaussian_start(1.0, width, samples, seed)
    x0 = x0[(x0 > 0).any(axis=(1, 2))]
    x = ResNet(Blocks(relu(), linear(), time=time), width, depth).sample(x0, len(x0), seed)
    return (np.linalg.norm(np.maximum(each, 0), axis=(1, 2)) for each in (x0, x))


@pytest.mark.parametrize("width", [1, 3])
def test_euler(width, numbers):
    found = numbers("euler", width=width, depth=64)
    blocks = Blocks(relu(), linear())
    start = np.where(np.arange(width) % 2, -1.0, 1.0)[:, None]
    coarse, fine = (ResNet(blocks, width, depth).sample(start, 20_000, 3, noise_depth=4096) for depth in (64, 4096))
    assert agrees(found["square"], found["error"], np.mean((coarse - fine) ** 2, axis=(1, 2)))
    if width == 1:
        exact = (1 + 1 / 4096) ** 4096 - (1 + 1 / 64) ** 64
        assert agrees(found["square"], found["error"], exact)
    assert not agrees(found["square"], found["error"], 2 * np.mean((coarse - fine) ** 2))


@pytest.mark.parametrize("depth, time", [(5, 1.0), (50, 2.0)])
def test_width_one(depth, time, numbers):
    found = numbers("width-one", depth=depth, time=time)
    x = ResNet(Blocks(relu(), linear(), time=time), 1, depth).sample([[1.0]], 100_000, 1).ravel()
    log = np.where(x > 0, np.log(np.where(x > 0, x, 1)), -np.inf)
    for name, middle in (("distance", -time / 2), ("without", 0.0)):
        expected = stats.kstest(log, stats.norm(middle, np.sqrt(time)).cdf).statistic
        assert found[name] == pytest.approx(expected, abs=stats.kstwo.isf(1e-5, 4000))
    assert found["dead"] == pytest.approx(np.mean(x <= 0), abs=FAR * np.sqrt(np.mean(x <= 0) / 4000 + 1e-7))


@pytest.mark.parametrize("width", [3, 4, 6])
def test_regimes(width, numbers):
    found = numbers("regimes", width=width, time=2)
    before, after = rectified(width, 64, 2.0)
    assert agrees(found["mean"], found["error"], np.log(after / before))
    assert found["rate"] == pytest.approx(growth.initial_rate(width), rel=1e-12)
    assert not agrees(found["mean"], found["error"], 0.5 + np.log(after / before).mean())


def test_five_neurons_turn_back_near_fourteen_and_three_never_rise(numbers):
    assert 9 <= numbers("regimes", width=5, time=30)["turn"] <= 20
    assert numbers("regimes", width=4, time=20)["turn"] < 7
    assert np.isnan(numbers("regimes", width=3, time=5)["turn"])


def test_infinite_width(numbers):
    found = numbers("infinite-width", width=8, depth=16)
    x0 = gaussian_start(1.0, 8, 40_000, 1)
    x = ResNet(Blocks(relu(), linear()), 8, 16).sample(x0, 40_000, 1)
    powers = np.mean(np.maximum(x, 0) ** 2, axis=(1, 2))
    assert agrees(found["bias"], found["error"], powers / (np.exp(0.5) / 2) - 1)
    assert found["spread"] == pytest.approx(np.log(powers[powers > 0]).std() / 2, rel=0.12)
    assert found["beyond"] == pytest.approx(np.mean(np.abs(x) > 3 * np.exp(0.25)), abs=0.004)


@pytest.mark.parametrize("exponent", [0.25, 0.5])
def test_limits_commute(exponent, numbers):
    found = numbers("limits-commute", exponent=exponent, width=8)
    before, after = rectified(8, 1024, 1024 ** (1 - 2 * exponent), samples=2000)
    assert agrees(found["mean"], found["error"], np.log(after / before))
    kernel = ResidualKernel(Blocks(relu(), linear(), time=1024 ** (1 - 2 * exponent)))
    wide = kernel.finite_depth(0.0, np.eye(1), 1024).covariance[0, 0]
    assert found["wide"] == pytest.approx(np.log(wide) / 2, rel=1e-9)


@pytest.mark.parametrize("hurst, power", [(0.35, 0.4), (0.35, 0.5), (0.5, 0.5), (0.7, 0.7), (0.7, 0.55), (1, 1)])
def test_ode_or_sde(hurst, power, numbers):
    found = numbers("ode-or-sde", hurst=hurst, power=power, depth=64)
    network = FractionalResNet(Blocks(linear(), linear()), 1, 64, hurst, exponent=power)
    log = np.log(np.abs(network.sample([[1.0]], 20_000, 1).ravel()))
    assert agrees(found["mean"], found["error"], log)
    assert not agrees(found["mean"], found["error"], log.mean() + 0.4)
    assert found["predicted"] == pytest.approx(-0.5 * 64 ** (1 - 2 * power), rel=1e-12)
    assert found["noise"] == pytest.approx(64 ** (hurst - power), rel=1e-12)


@pytest.mark.parametrize("start", [-1.0, 0.0, 0.5, 1.0, 2.0, 4.0])
def test_doubly_infinite(start, numbers):
    found = numbers("doubly-infinite", start=start, width=256)
    exact = ResidualKernel(Blocks(linear(), silu, 1, 1)).explosion_time(start, 0.0)[0]
    assert found["limit"] == pytest.approx(exact, rel=1e-6)
    if exact < 2.5:
        assert found["middle"] == pytest.approx(exact, rel=0.08)


@pytest.mark.parametrize("outer, phi", [(0, tanh), (1, silu), (4, relu())])
def test_shrinking(outer, phi, numbers):
    found = numbers("shrinking", outer=outer, depth=16)
    g, weights = special.roots_hermitenorm(200)
    if outer == 4:  # a corner: no polynomial, but an integral by hand
        mean, square = np.sqrt(16 / (2 * np.pi)), 0.5
    else:
        mean, square = (16 * np.sum(weights * phi(g / 4) ** power) / np.sqrt(2 * np.pi) for power in (1, 2))
    assert (found["mean"], found["square"]) == pytest.approx((mean, square), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("side, inner, outer", [(0, linear(), tanh), (1, tanh, linear()), (2, tanh, tanh)])
def test_expressive_power(side, inner, outer, numbers):
    found = numbers("expressive-power", side=side, depth=32)
    start = np.repeat([[-1.0, 0.0, 1.0]], 16, axis=0)
    x = ResNet(Blocks(inner, outer, 1, 1), 16, 32).sample(start, 4000, 1)
    bends = np.mean((x[:, :, 1] - (x[:, :, 0] + x[:, :, 2]) / 2) ** 2, axis=1)
    assert agrees(found["square"], found["error"], bends)
    assert not agrees(found["square"], found["error"], 4 * bends.mean())


def test_functions(numbers):
    found, layers = numbers("functions", rho=-0.3, depth=50), 50
    forward = CovarianceODE(relu()).finite_depth(gram(-0.3), 1, layers)
    assert found["forward"] == pytest.approx(correlation_of(forward)[0, 1], abs=1e-9)
    for name, blocks in (
        ("unscaled", Blocks(relu(), linear(), 2.0, time=layers)),
        ("shrinking", Blocks(linear(), linear(), 1.0, 1.0)),
    ):
        covariance = ResidualKernel(blocks).finite_depth(0.0, gram(-0.3), layers).covariance
        assert found[name] == pytest.approx(correlation_of(covariance)[0, 1], abs=1e-7)


@pytest.mark.parametrize("shrink, depth", [(1, 32), (0, 8)])
def test_gradients(shrink, depth, numbers):
    found = numbers("gradients", shrink=shrink, depth=depth)
    net = ResNet(Blocks(linear(), linear(), time=1.0 if shrink else depth), 10, depth)
    J = net.jacobians(np.ones((10, 1)), 4000, 1).jacobian[:, 0]
    assert agrees(found["mean"], found["error"], np.log10(np.sum(J[:, 0] ** 2, axis=-1)))
    assert found["exact"] == pytest.approx(depth * np.log10(1 + (1 / depth if shrink else 1)), rel=1e-9)


@pytest.mark.parametrize("kernel, edge", [(1, 0), (3, 0), (3, 1), (5, 0)])
def test_images(kernel, edge, numbers):
    found = numbers("images", kernel=kernel, edge=edge)
    pairs = json.loads(Path("explorer/src/digits.json").read_text())
    text = next(p for pair in pairs for label, p in zip(pair["labels"], pair["pixels"], strict=True) if label == 3)
    z = np.array([int(grey, 17) for grey in text]).reshape(8, 8) / 16
    start = covariance = np.einsum("ab,cd->abcd", z, z)
    half = kernel // 2
    shifts = range(-half, half + 1)
    for _ in range(64):
        padded = np.pad(covariance, half, mode="wrap" if edge else "constant")
        moved = [slice(half + shift, half + shift + 8) for shift in shifts]
        covariance = covariance + sum(padded[i, j, i, j] for i in moved for j in moved) / 64
    flat, size = covariance.reshape(64, 64), np.trace(start.reshape(64, 64))
    cross = int(np.argmax(z[0]))
    assert found["grown"] == pytest.approx(np.trace(flat) / size, rel=1e-9)
    spread = np.sqrt(np.diag(flat))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(flat[cross] / (spread[cross] * spread))
    assert found["opposite"] == pytest.approx(correlation[56 + cross], abs=1e-9)
    assert found["above"] == np.sum(correlation > 0.5) - 1


@pytest.mark.parametrize("width, ratio", [(25, 1), (40, 0.5)])
def test_covariance(width, ratio, numbers):
    found, phi = numbers("covariance", width=width, ratio=ratio), shaped_relu(0, -1)
    rho = correlation_of(ShapedMLP(phi, width, round(width * ratio)).sample(gram(0.3), 20_000, 1))[:, 0, 1]
    assert agrees(found["mean"], found["error"], rho)
    law = densities.correlation(phi.effective(width), 0.3, ratio)
    assert found["spread"] == pytest.approx(np.sqrt(law.var()), abs=0.05)
    wide = CovarianceODE(phi.effective(width)).at(gram(0.3), ratio)
    assert found["wide"] == pytest.approx(correlation_of(wide)[0, 1], abs=1e-5)
    assert found["distance"] < stats.kstwo.isf(1e-5, 2000) + 0.75 / width


def test_unshaped(numbers):
    found = numbers("unshaped", rho=0.2, depth=50)
    rho = correlation_of(ShapedMLP(relu(), 100, 50).sample(gram(0.2), 10_000, 1))[:, 0, 1]
    assert agrees(found["gap"], found["error"], 1 - rho)
    wide = correlation_of(CovarianceODE(relu()).finite_depth(gram(0.2), 1, 50))[0, 1]
    assert found["wide"] == pytest.approx(1 - wide, rel=1e-7)
    shaped = CovarianceODE(shaped_relu(0, -1).effective(100)).at(gram(0.2), 0.5)
    assert found["shaped"] == pytest.approx(1 - correlation_of(shaped)[0, 1], abs=1e-5)


@pytest.mark.parametrize("activation, name", [(0, "silu"), (1, "gelu"), (2, "tanh")])
def test_smooth(activation, name, numbers):
    found, phi = numbers("smooth", activation=activation, rho=-0.6), smooth(name)
    wide = CovarianceODE(phi).at(gram(-0.6), 4.0)
    assert found["wide"] == pytest.approx(correlation_of(wide)[0, 1], abs=1e-4)
    rho = correlation_of(ShapedMLP(phi, 40, 20).sample(gram(-0.6), 10_000, 1))[:, 0, 1]
    assert agrees(found["early"], found["error"], rho)
    assert found["b"] == pytest.approx(phi.b, rel=1e-9)


@pytest.mark.parametrize("exponent", [0.35, 0.5, 0.85])
def test_outputs(exponent, numbers):
    found, phi = numbers("outputs", exponent=exponent, width=32), shaped_relu(1, -1, exponent=exponent)
    rho = correlation_of(ShapedMLP(phi, 32, 32).sample(gram(0.2), 20_000, 1))[:, 0, 1]
    assert agrees(found["mean"], found["error"], rho)
    assert found["limit"] == pytest.approx(densities.correlation(phi.effective(32), 0.2, 1.0).mean(), abs=1e-3)
    assert found["linear"] == pytest.approx(densities.correlation(shaped_relu(0, 0), 0.2, 1.0).mean(), abs=1e-3)


@pytest.mark.parametrize("kind, phi", [(0, shaped_relu(1, -1)), (1, relu())])
def test_backward(kind, phi, numbers):
    found = numbers("backward", kind=kind, ratio=0.5)
    gain = ShapedMLP(phi, 50, 25).tangents(np.eye(2), 10_000, 1)[:, 1, 1]
    assert agrees(found["mean"], found["error"], np.log(gain))


@pytest.mark.parametrize("inputs, steps", [(2, 4), (3, 8), (5, 32)])
def test_numerics(inputs, steps, numbers):
    found = numbers("numerics", inputs=inputs, steps=steps)
    G = np.random.default_rng(1).standard_normal((100_000, inputs, inputs))
    each = np.mean(np.linalg.eigvalsh(np.eye(inputs) + np.sqrt(0.5 / steps) * (G + G.swapaxes(1, 2)))[:, 0] <= 0)
    spread = steps * (1 - each) ** (steps - 1) * np.sqrt(each * (1 - each) / 100_000)
    assert abs(found["share"] - (1 - (1 - each) ** steps)) <= FAR * np.hypot(spread, found["error"])


@pytest.mark.parametrize("gamma, temperature", [(0.5, 1.0), (0.7, 0.5)])
def test_attention(gamma, temperature, numbers):
    found = numbers("attention", gamma=gamma, temperature=temperature)
    V0 = 0.3 + 0.7 * np.eye(4)
    V = ShapedAttention(32, 32, gamma, temperature, key_width=16).sample(V0, 4000, 1)
    share = 1 - V.mean(axis=2).sum(axis=1) / np.trace(V, axis1=1, axis2=2)
    assert agrees(found["shaped"], found["error"], share)
    assert found["softmax"] < 0.2 < found["shaped"]
    sizes = np.trace(V, axis1=1, axis2=2) / 4
    assert found["size"] == pytest.approx(np.median(sizes), rel=0.25)
    assert found["large"] == pytest.approx(np.mean(sizes > 4), abs=0.15)


@pytest.mark.parametrize("b, start", [(0.75, 1.0), (2.0, 0.5), (-0.5, 2.0), (-4.0, 1.0)])
def test_norm(b, start, numbers):
    found = numbers("norm", b=b, start=start)
    law = densities.norm(b, start, 3.0)
    assert found["ever"] == pytest.approx(stability.explosion_probability(b, start), abs=1e-7)
    assert found["exploded"] == pytest.approx(law.explosion_probability, abs=1e-3)
    assert found["above"] == pytest.approx(1 - law.cdf(8.0), abs=2e-3)
    phi = smooth("silu", a=np.sqrt(0.75 / b)) if b > 0 else smooth("tanh", a=np.sqrt(-2 / b))
    V = ShapedMLP(phi, 64, 192).sample([[start]], 4000, 1).ravel()
    assert agrees(found["share"], found["error"], ~(V <= 8))


NAMES = ["silu", "gelu", "tanh", "sigmoid", "softplus", "mish", "erf", "sin", "atan"]


@pytest.mark.parametrize("name", NAMES)
def test_activations(name, numbers):
    for centre in (0.5, -1.25):
        found = numbers("activations", activation=NAMES.index(name), centre=centre)
        kappa = float(np.ravel(stability.recentred(name, [centre]).kappa)[0])
        assert found["kappa"] == pytest.approx(kappa, rel=1e-7)
        assert found["explodes"] == pytest.approx(
            stability.explosion_probability(kappa, 1.0) if kappa > 0 else 0, abs=1e-7
        )


@pytest.mark.parametrize("size, questions", [(4, 3), (4, 6), (64, 5)])
def test_matrix(size, questions, numbers):
    found = numbers("matrix", size=size, questions=questions)
    W = np.random.default_rng(1).standard_normal((4000, size, size)) / np.sqrt(size)
    answer = np.zeros((4000, size, 1))
    answer[:, 0] = 1
    for question in range(questions):
        answer = (W.swapaxes(1, 2) if question % 2 else W) @ answer
    assert agrees(found["mean"], found["error"], np.sum(answer**2, axis=(1, 2)))
    assert found["fresh"] == pytest.approx(1, abs=0.5) and found["catalan"] == special.comb(
        2 * questions, questions
    ) / (questions + 1)


@pytest.mark.parametrize("width, depth", [(5, 20), (100, 300)])
def test_ito(width, depth, numbers):
    found = numbers("ito", width=width, depth=depth)
    exact = depth * (special.digamma(width / 2) + np.log(2 / width))
    assert agrees(found["mean"], found["error"], exact)
    assert not agrees(found["mean"], found["error"], 0.0)


@pytest.mark.parametrize("b, start", [(0.5, 1.0), (2.0, 2.0), (4.0, 0.5), (-1.0, 1.0)])
def test_feller(b, start, numbers):
    found = numbers("feller", b=b, start=start)
    assert found["exact"] == pytest.approx(stability.explosion_probability(b, start), abs=1e-7)
    by_then = stability.explosion_probability(b, start, time=8.0)
    assert agrees(found["share"], found["error"], by_then, allowed=2e-3)


@pytest.mark.parametrize("n", [4, 16, 64])
def test_chain_to_diffusion(n, numbers):
    ends = (2 * np.arange(n + 1) - n) / np.sqrt(n)
    law, limit = stats.binom(n, 0.5).cdf(np.arange(n + 1)), stats.norm.cdf(ends)
    exact = max(np.abs(law - limit).max(), np.abs(np.r_[0, law[:-1]] - limit).max())
    found = numbers("chain-to-diffusion", kind=0, n=n)
    assert found["distance"] == pytest.approx(exact, abs=stats.kstwo.isf(1e-5, 4000))
    assert numbers("chain-to-diffusion", kind=3, n=1000)["distance"] > 0.05


@pytest.mark.parametrize("width, ratio", [(10, 1), (100, 0.5)])
def test_wishart(width, ratio, numbers):
    found, depth = numbers("wishart", width=width, ratio=ratio), round(width * ratio)
    V = ShapedMLP(linear(), width, depth).sample(np.eye(2), 10_000, 1)
    log = np.linalg.slogdet(V)[1]
    exact = depth * sum(special.digamma((width - j) / 2) + np.log(2 / width) for j in (0, 1))
    assert agrees(found["log"], found["error"], exact) and agrees(found["log"], found["error"], log)
    assert found["spread"] == pytest.approx(log.std(), rel=0.1)
    chance = FAR * 1.3 * log.std() * np.sqrt(1 / 2000 + 1 / 10_000)
    assert np.log(found["middle"]) == pytest.approx(np.median(log), abs=chance)
    assert found["mean"] == pytest.approx((1 - 1 / width) ** depth, rel=1e-12)
    assert not agrees(found["log"], found["error"], np.log(found["mean"]))


@pytest.mark.parametrize("width, depth", [(16, 8), (32, 64)])
def test_limits(width, depth, numbers):
    found, phi = numbers("limits", width=width, depth=depth), shaped_relu(0.5, -0.5)
    start, blocks = gram(0.3), Blocks(relu(), linear())
    x = ResNet(blocks, width, depth).sample(gaussian_start(start, width, 10_000, 1), 10_000, 1)
    ends = {
        "shaped": ShapedMLP(phi, width, depth).sample(start, 10_000, 1),
        "residual": np.einsum("sni,snj->sij", x, x),
    }
    wide = {
        "shaped": CovarianceODE(phi.effective(width)).at(start, depth / width),
        "residual": ResidualKernel(blocks).at(0.0, start).covariance,
    }
    for name, V in ends.items():
        rho = correlation_of(V)[:, 0, 1]
        error = found[f"{name}Error"] * np.sqrt(1 + 1000 / 10_000)
        assert found[name] == pytest.approx(rho.std(), abs=FAR * error)
        assert found[f"{name}Wide"] == pytest.approx(correlation_of(wide[name])[0, 1], abs=1e-5)
    assert abs(found["shaped"] - found["residual"]) > FAR * found["shapedError"]
