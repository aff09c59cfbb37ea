"""The numbers of the live explorer against the Python engine."""

import numpy as np
import pytest
from scipy import stats

from deeplimits import densities
from deeplimits.activations import correlation_of, linear, plain, relu, shaped_relu, smooth
from deeplimits.blocks import Blocks
from deeplimits.diffusions import CovarianceSDE, ResidualSDE
from deeplimits.kernels import CovarianceODE, ResidualKernel
from deeplimits.networks import ResNet, ShapedMLP, gaussian_start

#: Samples on either side of a comparison, and its probability to reject the right law.
SAMPLES, LEVEL = 16_000, 1e-5
#: Settings of the explorer, with what they are in Python: (setting, activation).
SHAPED = {
    "leaky ReLU": (dict(activation="relu", plus=0, minus=-1), shaped_relu(0, -1)),
    "strong bend": (dict(activation="relu", plus=2, minus=-1), shaped_relu(2, -1)),
    "tanh": (dict(activation="tanh", a=0.5), smooth("tanh", a=0.5)),
    "SiLU": (dict(activation="silu", a=0.8), smooth("silu", a=0.8)),
    "GELU": (dict(activation="gelu", a=1.2), smooth("gelu", a=1.2)),
}
RESIDUAL = {
    "ReLU": (dict(activation="relu"), relu()),
    "tanh": (dict(activation="tanh"), plain("tanh")),
    "linear": (dict(activation="linear"), linear()),
}
#: Networks as people initialise them: (setting, activation, weight variance, bias variance).
PLAIN = {
    "He": (dict(activation="relu", gain=2), relu(), 2.0, 0.0),
    "torch": (dict(activation="relu", gain=1 / 3, bias=0.0033), relu(), 0.3333, 0.0033),
    "tanh": (dict(activation="tanh", gain=1.4, bias=0.01), plain("tanh"), 1.4, 0.01),
    "GELU": (dict(activation="gelu", gain=2), plain("gelu"), 2.0, 0.0),
    "typed": (dict(activation="formula", formula="sin(x) + x/2", gain=1), plain("sin(x) + x/2"), 1.0, 0.0),
}
RHO, NORM = 0.4, 1.4


def gram(norm=1.0):
    return norm * np.array([[1, RHO], [RHO, 1]])


def coordinates(V):
    """artanh of the correlation, and the logarithm of the first norm."""
    return np.arctanh(correlation_of(V)[:, 0, 1]), np.log(V[:, 0, 0])


def drawn(call, **setting):
    """The same of the explorer's samples; exploded norms are infinite."""
    z, first, second = np.reshape(call("sample", samples=SAMPLES, seed=7, rho=RHO, digits=0, **setting), (-1, 3)).T
    with np.errstate(divide="ignore"):
        return z, np.where(np.isinf(second), np.inf, np.log(first))


def same_law(first, second):
    return stats.ks_2samp(first, second).pvalue > LEVEL


def cells(law):
    """Upper edges of the cells of a law from the explorer, and its distribution function there."""
    masses = np.array(law["masses"])
    return law["low"] + law["width"] * np.arange(1, masses.size + 1), np.cumsum(masses)


def test_normal_numbers_are_normal(page):
    # Counted in the page: 200 cells of width 0.05, the outer ones open, and products of neighbours.
    counts, product = page.evaluate("""async () => {
      const x = await window.deepLimits.explorers[0].call("normals", {samples: 4e6, seed: 3});
      const counts = new Array(200).fill(0);
      let product = 0;
      for (let i = 0; i < x.length; i++) {
        counts[Math.min(Math.max(Math.floor((x[i] + 5) / 0.05), 0), 199)]++;
        if (i > 0) product += x[i] * x[i - 1];
      }
      return [counts, product];
    }""")
    edges = np.r_[-np.inf, np.linspace(-4.95, 4.95, 199), np.inf]
    expected = 4_000_000 * np.diff(stats.norm.cdf(edges))
    common = expected > 10
    distance = np.sum((np.array(counts)[common] - expected[common]) ** 2 / expected[common])
    assert stats.chi2.sf(distance, common.sum() - 1) > LEVEL
    assert abs(product) < 5 * np.sqrt(4_000_000)


def test_the_tail_of_the_normal_numbers_is_that_of_the_law(page):
    # Beyond the place where the ziggurat draws its tail apart: how many, and how far beyond.
    start, samples = 3.6541528853610088, 40_000_000
    count, excess = page.evaluate(
        """async (start) => {
          let count = 0, excess = 0;
          for (let seed = 1; seed <= 10; seed++) {
            const x = await window.deepLimits.explorers[0].call("normals", {samples: 4e6, seed});
            for (const one of x) if (Math.abs(one) > start) { count++; excess += Math.abs(one) - start; }
          }
          return [count, excess];
        }""",
        start,
    )
    share, hazard = 2 * stats.norm.sf(start), stats.norm.pdf(start) / stats.norm.sf(start)
    assert abs(count - samples * share) < 4.5 * np.sqrt(samples * share)
    spread = np.sqrt(1 + start * hazard - hazard**2)
    assert abs(excess / count - (hazard - start)) < 4.5 * spread / np.sqrt(count)


def test_another_seed_gives_other_numbers(call):
    first, again, other = (call("normals", samples=100, seed=seed) for seed in (3, 3, 4))
    assert first == again and not np.any(np.isin(first, other))


@pytest.mark.parametrize("name", SHAPED)
def test_activations_have_the_constants_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    found = call("constants", width=40, **setting)
    assert found["normaliser"] == pytest.approx(phi.normaliser(40), rel=1e-6)
    if "plus" in setting:
        assert found["gap2"] == pytest.approx(phi.effective_gap2(40), rel=1e-12) and found["b"] == 0
    else:
        assert (found["b"], found["bend"]) == pytest.approx((phi.b, (phi.second / phi.a) ** 2), rel=1e-12)


@pytest.mark.parametrize("name", SHAPED)
def test_shaped_networks_have_the_law_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = NORM if name in ("tanh", "SiLU", "GELU") else 1.0
    z, size = drawn(call, width=20, depth=12, norm=norm, **setting)
    V = ShapedMLP(phi, 20, 12).sample(gram(norm), SAMPLES, seed=1)
    assert same_law(z, coordinates(V)[0]) and same_law(size, coordinates(V)[1])
    later = ShapedMLP(phi, 20, 20).sample(gram(norm), SAMPLES, seed=1)
    assert not (same_law(z, coordinates(later)[0]) and same_law(size, coordinates(later)[1]))


@pytest.mark.parametrize("name", SHAPED)
def test_the_limit_of_shaped_networks_has_the_law_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = NORM if name in ("tanh", "SiLU", "GELU") else 1.0
    z, size = drawn(call, limit=True, width=100, depth=80, norm=norm, **setting)
    limit = CovarianceSDE(phi.effective(100) if "plus" in setting else phi, 0.8)
    V = limit.sample(gram(norm), SAMPLES, seed=1, steps=256)
    # An explosion of either input ends both in Python; until then all norms are finite.
    alive, finite = np.isfinite(size), np.isfinite(V[:, 0, 0])
    assert stats.fisher_exact([[alive.sum(), (~alive).sum()], [finite.sum(), (~finite).sum()]]).pvalue > LEVEL
    expected = coordinates(V[finite])
    assert same_law(z[alive], expected[0]) and same_law(size[alive], expected[1])
    assert not same_law(z[alive] + 0.15, expected[0]) and not same_law(size[alive] + 0.3, expected[1])


@pytest.mark.parametrize("a, norm, depth", [(1.0, 1.4, 150), (0.3, 0.5, 100), (0.3, 1.0, 100)])
def test_the_simulated_limit_has_the_norm_of_one_input(a, norm, depth, call):
    found = call("sample", samples=SAMPLES, seed=7, rho=RHO, limit=True, activation="silu", a=a, norm=norm, depth=depth)
    law = densities.norm(smooth("silu", a=a).b, norm, depth / 100)
    for first in np.reshape(found, (-1, 3)).T[1:]:
        exploded = np.isinf(first)
        assert stats.binomtest(int(exploded.sum()), SAMPLES, law.explosion_probability).pvalue > LEVEL
        assert stats.kstest(first[~exploded], lambda V: law.cdf(V) / (1 - law.explosion_probability)).pvalue > LEVEL


@pytest.mark.parametrize("limit", [False, True], ids=["networks", "limit"])
@pytest.mark.parametrize("name", RESIDUAL)
def test_residual_networks_have_the_law_of_the_engine(name, limit, call):
    setting, phi = RESIDUAL[name]
    z, size = drawn(call, network="residual", limit=limit, width=6, depth=20, norm=1, **setting)
    x0 = gaussian_start(gram(), 6, SAMPLES, seed=2)
    process = ResidualSDE(Blocks(phi, linear()), 6) if limit else ResNet(Blocks(inner=phi, outer=linear()), 6, 20)
    x = process.sample(x0, SAMPLES, seed=1, **(dict(steps=512) if limit else {}))
    V = np.einsum("snk,snl->skl", x, x) / 6
    assert same_law(z, coordinates(V)[0]) and same_law(size, coordinates(V)[1])
    start = np.einsum("snk,snl->skl", x0, x0) / 6
    assert not same_law(size, coordinates(start)[1])


@pytest.mark.parametrize(
    "gap2, rho, time", [(1.0, 0.3, 1.0), (0.0, -0.9, 2.0), (9.0, -0.99, 0.5), (4.0, 0.99, 4.0), (1.0, 0.0, 0.05)]
)
def test_the_law_of_the_correlation_is_that_of_the_engine(gap2, rho, time, call):
    edges, found = cells(call("correlationLaw", gap2=gap2, rho=rho, time=time))
    expected = densities.correlation(shaped_relu(np.sqrt(gap2), 0), rho, time)
    assert found[-1] == pytest.approx(1, abs=1e-6)
    assert found == pytest.approx(expected.cdf(np.tanh(edges)), abs=1e-3)
    without = densities.correlation(shaped_relu(np.sqrt(gap2) + 0.5, 0), rho, time)
    assert np.abs(found - without.cdf(np.tanh(edges))).max() > 2e-3


@pytest.mark.parametrize(
    "b, norm, time",
    [
        (0.0, 1.0, 1.0),
        (0.75, 2.0, 1.0),
        (3.0, 1.0, 0.5),
        (-2.0, 1.0, 3.0),
        (-8.0, 3.0, 1.0),
        (1.0, 1.0, 6.0),
        (-20.0, 0.5, 3.0),
    ],
)
def test_the_law_of_the_norm_is_that_of_the_engine(b, norm, time, call):
    edges, found = cells(call("normLaw", b=b, norm=norm, time=time))
    expected = densities.norm(b, norm, time)
    assert found == pytest.approx(expected.cdf(np.exp(np.sqrt(2) * edges)), abs=1e-3)
    if b > 0:
        assert 1 - found[-1] == pytest.approx(expected.explosion_probability, abs=5e-4)
    other = densities.norm(b + 0.3, norm, time)
    assert np.abs(found - other.cdf(np.exp(np.sqrt(2) * edges))).max() > 2e-3


@pytest.mark.parametrize("name", SHAPED)
def test_infinitely_wide_shaped_networks_are_those_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = 0.7 if name in ("tanh", "SiLU", "GELU") else 1.0
    path = call("wide", width=100, depth=200, rho=RHO, norm=norm, **setting)
    ode = CovarianceODE(phi.effective(100) if "plus" in setting else phi)
    V = ode.at(gram(norm), np.linspace(0, 2, len(path)))
    assert [place["first"] for place in path] == pytest.approx(V[:, 0, 0], abs=1e-6)
    assert np.tanh([place["z"] for place in path]) == pytest.approx(correlation_of(V)[:, 0, 1], abs=1e-5)


def test_an_infinitely_wide_network_explodes_when_the_engine_says_so(call):
    path = call("wide", activation="silu", a=0.5, norm=2, width=100, depth=100)
    when = CovarianceODE(smooth("silu", a=0.5)).explosion_time(gram(2.0))[0]
    exploded = np.isinf([place["first"] for place in path])
    assert np.array_equal(exploded, np.linspace(0, 1, len(path)) > when) and exploded.any()


@pytest.mark.parametrize("name", RESIDUAL)
def test_infinitely_wide_residual_networks_are_those_of_the_engine(name, call):
    setting, phi = RESIDUAL[name]
    path = call("wide", network="residual", width=10, depth=100, rho=RHO, **setting)
    unit = ResidualKernel(Blocks(phi, linear())).at(0.0, gram(), np.linspace(0, 1, len(path)))
    assert [place["first"] for place in path] == pytest.approx(unit.covariance[:, 0, 0], abs=2e-4)
    found = np.tanh([place["z"] for place in path])
    assert found == pytest.approx(correlation_of(unit.covariance)[:, 0, 1], abs=2e-4)


@pytest.mark.parametrize("name", PLAIN)
def test_networks_that_are_not_shaped_are_those_of_weights_that_are_drawn(name, call):
    setting, phi, gain, bias = PLAIN[name]
    z, size = drawn(call, network="plain", width=10, depth=5, norm=1, **setting)
    rng, n = np.random.default_rng(1), 10
    h = rng.standard_normal((SAMPLES, n, 2)) @ np.linalg.cholesky(gram()).T
    for layer in range(5):
        a = phi(h)
        V = gain * np.einsum("snk,snl->skl", a, a) / n + bias
        if layer < 4:
            weights = np.sqrt(gain / n) * rng.standard_normal((SAMPLES, n, n))
            h = weights @ a + np.sqrt(bias) * rng.standard_normal((SAMPLES, n, 1))
    # Networks that are dead have no correlation, and among the others some are parallel to the last digit.
    V = V[(V[:, 0, 0] > 0) & (V[:, 1, 1] > 0)]
    with np.errstate(divide="ignore"):
        expected = coordinates(V)
    assert same_law(z, expected[0]) and same_law(size, expected[1])
    assert not same_law(size + 0.15, expected[1])


@pytest.mark.parametrize("name", PLAIN)
def test_infinitely_wide_networks_that_are_not_shaped_obey_their_recursion(name, call):
    setting, phi, gain, bias = PLAIN[name]
    path = call("wide", network="plain", width=100, depth=16, rho=RHO, norm=1, **setting)
    g, weights = np.polynomial.hermite_e.hermegauss(160)
    weights = np.outer(weights, weights) / (2 * np.pi)
    v, rho = 1.0, RHO
    for _ in range(16):
        first, second = np.sqrt(v) * g[:, None], np.sqrt(v) * (rho * g[:, None] + np.sqrt(1 - rho**2) * g)
        same = gain * np.sum(weights * phi(first) ** 2) + bias
        v, rho = same, (gain * np.sum(weights * phi(first) * phi(second)) + bias) / same
    corner = 0.03 if setting["activation"] == "relu" else 1e-4
    assert path[-1]["first"] == pytest.approx(v, rel=max(corner, 1e-4))
    assert np.tanh(path[-1]["z"]) == pytest.approx(rho, abs=corner)


FORMULAS = [
    "tanh(x)",
    "x*sigmoid(1.7*x)",
    "gelu(x)",
    "mish(x)",
    "exp(-x^2) + asinh(x)/(1 + x^2)",
    "sqrt(x^2 + 1) - x**3/7",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_typed_formula_has_the_value_and_the_derivatives_of_the_engine(text, call):
    phi = plain(text.replace("^", "**"))
    for x in (-1.3, 0.0, 0.7):
        found = call("formula", text=text, x=x)
        h = 1e-3
        around = [float(phi(np.array([x + k * h]))[0]) for k in (-2, -1, 0, 1, 2)]
        third = (around[4] - 2 * around[3] + 2 * around[1] - around[0]) / (2 * h**3)
        second = (around[3] - 2 * around[2] + around[1]) / h**2
        slope = float(phi.derivative(np.array([x]))[0])
        assert found[:2] == pytest.approx([around[2], slope], rel=1e-9, abs=1e-12)
        assert found[2:] == pytest.approx([second, third], rel=1e-3, abs=2e-4)


@pytest.mark.parametrize("text", ["constructor(x)", "window", "x; x", "", "x x", "1e999", "x^x", "toString", "x" * 201])
def test_what_is_no_formula_is_refused_in_words(text, call):
    assert isinstance(call("formula", text=text, x=1.0), str)
