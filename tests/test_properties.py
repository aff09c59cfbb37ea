"""What holds for every process and every argument: no NaN, documented shapes, the start at 0, any cut of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplimits import attention, densities, diffusions, kernels, networks
from deeplimits.activations import linear, plain, relu, shaped_relu, smooth
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.diffusions import SingularSDE
from deeplimits.networks import UnshapedChain

SMOOTH = ["tanh", "erf", "silu", "gelu", "softplus", "exp(x) - 1"]
EXAMPLES = settings(max_examples=12, deadline=None, derandomize=True, database=None)

rectifiers = st.builds(shaped_relu, st.floats(-0.4, 3), st.floats(-0.4, 3), st.sampled_from([0.5, 1.0]))
smooths = st.builds(smooth, st.sampled_from(SMOOTH), st.sampled_from([0.5, 1.0, 3.0]), st.sampled_from([0.0, 0.7]))
plains = st.builds(plain, st.sampled_from(["tanh", "relu", "gelu", "softsign", "x**2 + x"]))
inners = st.one_of(plains, st.sampled_from([relu(), linear()]))
outers = st.one_of(st.just(linear()), st.builds(plain, st.sampled_from(["tanh", "silu", "expm1"])))
small, few = st.integers(1, 4), st.integers(1, 12)
scales = st.sampled_from([1e-12, 1e-3, 1.0, 30.0, 1e6])
seeds = st.integers(0, 2**64 - 1)


@st.composite
def grams(draw, inputs=small):
    """Covariances of any rank, nearly or exactly parallel inputs among them."""
    m, rank, x = draw(inputs), draw(small), np.random.default_rng(draw(st.integers(0, 99)))
    rows = x.standard_normal((m, rank))
    if m > 1:
        rows[-1] = rows[0] * draw(st.sampled_from([1.0, -1.0, 3.0])) + draw(st.sampled_from([0, 1e-9, 1])) * rows[-1]
    return draw(scales) * rows @ rows.T


@st.composite
def branches(draw, size, shape):
    """Weights of a residual network: independent, or with means and covariances of their own."""
    given = {
        "weight_variance": draw(st.floats(0, 4)),
        "bias_variance": draw(st.floats(0, 4)),
        "time": draw(st.sampled_from([0.1, 1.0, 3.0])),
    }
    if draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 99)))
        given |= {
            "bias_mean": random.standard_normal(size),
            "weight_mean": random.standard_normal(shape),
            "row_covariance": np.cov(random.standard_normal((size, 2 * size))).reshape(size, size),
        }
    return given


def start(draw, *shape):
    return draw(scales) * np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)


def diffusion_limit(inner, outer):
    """An inner activation that the diffusion with this outer one allows."""
    return inner if outer == linear() or inner.regularity >= 2 else plain("tanh")


# Each case: process, start, where it ends, further arguments, shape of a sample


@st.composite
def shaped_networks(draw):
    V0 = draw(grams())
    network = networks.ShapedMLP(draw(st.one_of(rectifiers, smooths, plains)), draw(few) + 1, draw(few))
    return network, V0, network.depth, {}, V0.shape


@st.composite
def residual_networks(draw):
    n, depth, m = draw(small), draw(few), draw(small)
    network = networks.ResNet(Blocks(draw(inners), draw(outers), **draw(branches(n, (n, n)))), n, depth)
    return network, start(draw, n, m), depth, {}, (n, m)


@st.composite
def convolutional_networks(draw):
    channels, depth, shape, kernel = draw(small), draw(small), (draw(small), draw(small), draw(st.integers(1, 2))), 3
    law = draw(branches(channels, (channels, kernel, kernel, channels)))
    padding = draw(st.sampled_from(["zero", "periodic"]))
    network = networks.ResNet(ConvBlocks(draw(inners), draw(outers), padding=padding, **law), channels, depth)
    return network, start(draw, channels, *shape), depth, {}, (channels, *shape)


@st.composite
def covariances(draw):
    V0, time = draw(grams()), draw(st.sampled_from([0.1, 1.0, 5.0]))
    process = diffusions.CovarianceSDE(draw(st.one_of(rectifiers, smooths)), time)
    return process, V0, time, {"steps": draw(few)}, V0.shape


@st.composite
def correlations(draw):
    phi = draw(st.one_of(rectifiers, st.sampled_from([smooth("tanh"), smooth("erf")])))
    arguments = {"steps": draw(few), "coordinate": draw(st.sampled_from(["rho", "angle"]))}
    if draw(st.booleans()):
        arguments["precision"] = "double"
    rho = draw(st.one_of(st.floats(-1, 1), st.sampled_from([-1.0, 1.0, 1 - 1e-16])))
    return diffusions.CorrelationSDE(phi, 2.0), rho, 2.0, arguments, ()


@st.composite
def norms(draw):
    process = diffusions.NormSDE(draw(st.one_of(rectifiers, smooths)), draw(st.sampled_from([0.1, 3.0])))
    return process, draw(scales), process.time, {"steps": draw(few)}, ()


@st.composite
def residual_diffusions(draw):
    n, m, outer = draw(small), draw(small), draw(outers)
    law = draw(branches(n, (n, n)))
    process = diffusions.ResidualSDE(Blocks(diffusion_limit(draw(inners), outer), outer, **law), n)
    return process, start(draw, n, m), process.time, {"steps": draw(few)}, (n, m)


@st.composite
def convolutional_diffusions(draw):
    channels, shape, outer = draw(small), (draw(small), draw(small), 1), draw(outers)
    law = draw(branches(channels, (channels, 3, 3, channels)))
    process = diffusions.ResidualSDE(ConvBlocks(diffusion_limit(draw(inners), outer), outer, **law), channels)
    return process, start(draw, channels, *shape), process.time, {"steps": draw(small)}, (channels, *shape)


@st.composite
def unshaped_chains(draw):
    depth = draw(few)
    return UnshapedChain(draw(few), depth), draw(st.floats(-1, 1 - 1e-12)), depth, {}, ()


@st.composite
def attention_networks(draw):
    V0 = draw(grams())
    network = attention.ShapedAttention(
        len(V0) + draw(few),
        draw(few),
        draw(st.sampled_from([0.1, 0.7, 1.0])),
        draw(st.sampled_from([0.1, 1.0])),
        draw(few),
    )
    return network, V0, network.depth, {}, V0.shape


@st.composite
def attention_diffusions(draw):
    V0, time = draw(grams()), draw(st.sampled_from([0.1, 1.0]))
    process = attention.AttentionSDE(draw(st.sampled_from([0.1, 0.7, 1.0])), draw(st.sampled_from([0.3, 3.0])), time)
    return process, V0, time, {"steps": draw(few) + 4}, V0.shape


PROCESSES = {
    strategy.__name__: strategy
    for strategy in (
        shaped_networks,
        residual_networks,
        convolutional_networks,
        covariances,
        correlations,
        norms,
        residual_diffusions,
        convolutional_diffusions,
        unshaped_chains,
        attention_networks,
        attention_diffusions,
    )
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_has_its_shapes_and_no_nan(name):
    @EXAMPLES
    @given(PROCESSES[name](), seeds, st.integers(0, 2**40))
    def holds(case, seed, first):
        process, initial, end, arguments, shape = case
        last = process.sample(initial, 3, seed, first=first, **arguments)
        path = process.sample(initial, 3, seed, at=[end, 0], first=first, threads=1, **arguments)
        assert last.shape == (3, *shape) and path.shape == (3, 2, *shape)
        assert last.dtype == np.float64 and not np.isnan(path).any()
        np.testing.assert_array_equal(path[:, 0], last)
        np.testing.assert_array_equal(process.sample(initial, 1, seed, first=first + 2, **arguments)[0], last[2])
        begin = {"angle": np.arccos}.get(arguments.get("coordinate"), lambda x: x)(np.asarray(initial))
        begin = 1 - begin if name == "unshaped_chains" else begin
        np.testing.assert_allclose(
            path[:, 1], np.broadcast_to(begin, path[:, 1].shape), rtol=1e-9, atol=1e-9 * np.abs(begin).max() + 1e-300
        )

    holds()


@EXAMPLES
@given(grams(), st.one_of(rectifiers, smooths), seeds)
def test_explosions_come_as_a_whole_and_for_good(V0, phi, seed):
    for process, at in (
        (networks.ShapedMLP(phi, 5, 9), [0, 3, 9]),
        (diffusions.CovarianceSDE(phi, 3.0), [0, 0.75, 3.0]),
    ):
        V = process.sample(V0, 4, seed, at=at, **({"steps": 4} if at[-1] == 3 else {}))
        gone = ~np.isfinite(V).all((2, 3))
        assert np.all(V[gone] == np.inf)
        assert np.all(gone[:, 1:] >= gone[:, :-1]) and not gone[:, 0].any()


@pytest.mark.parametrize("inputs", [2, 3])
def test_no_product_of_two_large_variances_overflows(inputs):
    V0 = 1e200 * (0.7 * np.eye(inputs) + 0.3)
    for process, extra in (
        (networks.ShapedMLP(shaped_relu(0, 1), 5, 3), {}),
        (diffusions.CovarianceSDE(shaped_relu(0, 1), 1.0), {"steps": 4}),
    ):
        one, large = (process.sample(start, 3, 1, **extra) for start in (V0 / 1e200, V0))
        np.testing.assert_allclose(large / 1e200, one, rtol=1e-9)


@EXAMPLES
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), inners, outers, seeds)
def test_jacobians_have_their_shapes_and_no_nan(n, m, steps, inner, outer, seed):
    x0 = np.random.default_rng(seed).standard_normal((n, m))
    process = diffusions.ResidualSDE(Blocks(diffusion_limit(inner, outer), outer), n)
    for found in (
        networks.ResNet(Blocks(inner, outer), n, steps).jacobians(x0, 2, seed, at=[0, steps]),
        process.jacobians(x0, 2, seed, at=[0.0, 1.0], steps=steps),
    ):
        assert found.state.shape == (2, 2, n, m) and found.jacobian.shape == (2, 2, m, n, n)
        assert found.log_determinant.shape == (2, 2, m)
        assert not any(np.isnan(part).any() for part in found)
        assert np.all(found.jacobian[:, 0] == np.eye(n)) and np.all(found.log_determinant[:, 0] == 0)


@EXAMPLES
@given(st.floats(0.01, 1e3), st.sampled_from([1e-3, 0.3, 2.0]), st.integers(1, 40), seeds)
def test_the_singular_limit_stays_positive(initial, time, steps, seed):
    process = SingularSDE(time)
    q = process.sample(initial, 4, seed, at=[time, time / 2], steps=steps)
    assert q.shape == (4, 2) and np.all((q > 0) & np.isfinite(q))


@EXAMPLES
@given(grams(), st.one_of(rectifiers, smooths), st.floats(0, 9), few, few)
def test_infinite_width_keeps_covariances(V0, phi, time, width, depth):
    kernel = kernels.CovarianceODE(phi)
    for V in (kernel.at(V0, [time, 0.0]), kernel.finite_depth(V0, width + 1, depth, at=[depth, 0])):
        assert V.shape == (2, *V0.shape) and not np.isnan(V).any()
        np.testing.assert_allclose(V[1], V0, rtol=1e-12, atol=1e-12 * np.abs(V0).max())
        size = np.sqrt(np.diag(V[0]))
        alive = np.isfinite(size)
        ratio = V[0][np.ix_(alive, alive)] / np.outer(size[alive], size[alive])
        assert np.all(np.abs(ratio) <= 1 + 1e-9) and np.all(np.isinf(V[0][~alive]))


@pytest.mark.slow
@EXAMPLES
@given(
    grams(st.integers(1, 3)),
    st.sampled_from([relu(), linear(), plain("tanh"), plain("erf")]),
    outers,
    st.floats(0, 2),
    st.floats(0, 2),
    small,
)
def test_residual_kernels_have_their_shapes_and_no_nan(K0, inner, outer, weights, biases, depth):
    K0 = K0 / max(np.abs(K0).max(), 1)
    m, kernel = len(K0), kernels.ResidualKernel(Blocks(inner, outer, weights, biases))
    found = kernel.at(0.0, K0, times=[1.0, 0.0]), kernel.finite_depth(0.0, K0, depth, at=[depth, 0])
    for unit in found:
        assert unit.mean.shape == (2, m) and unit.covariance.shape == (2, m, m)
        assert not np.isnan(unit.mean).any() and not np.isnan(unit.covariance).any()
        np.testing.assert_allclose(unit.covariance[1], K0, atol=1e-12)
    for tangent in (kernel.ntk(0.0, K0), kernel.finite_depth_ntk(0.0, K0, depth)):
        assert tangent.total.shape == (m, m) and not np.isnan(tangent.total).any()


@pytest.mark.slow
@EXAMPLES
@given(
    st.one_of(rectifiers, st.just(smooth("tanh"))),
    st.floats(-0.999, 0.999),
    st.sampled_from([0.05, 1.0]),
    st.floats(0.01, 5),
)
def test_densities_are_distributions(phi, rho0, time, V0):
    for law, x in (
        (densities.correlation(phi, rho0, time), np.linspace(-1, 1, 41)),
        (densities.norm(phi, V0, time), np.linspace(0, 20, 41)),
    ):
        assert law.pdf(x).shape == law.cdf(x).shape == x.shape
        assert np.all(law.pdf(x) >= 0) and np.all(np.diff(law.cdf(x)) >= -1e-12)
        assert np.all(np.diff(law.ppf([0.1, 0.5, 0.9])) > 0)
        assert not np.isnan([law.mean(), law.var(), law.error]).any()


# Bad input: every process names the argument

PAIR, STATES = [[1, 0.3], [0.3, 1]], np.ones((3, 2))
CALLS = {
    "ShapedMLP": (networks.ShapedMLP(relu(), 3, 4), PAIR),
    "ResNet": (networks.ResNet(Blocks(relu(), linear()), 3, 4), STATES),
    "ResNet of images": (networks.ResNet(ConvBlocks(relu(), linear()), 3, 4), np.ones((3, 2, 2, 1))),
    "CovarianceSDE": (diffusions.CovarianceSDE(linear(), 1.0), PAIR),
    "CorrelationSDE": (diffusions.CorrelationSDE(linear(), 1.0), 0.3),
    "NormSDE": (diffusions.NormSDE(smooth("gelu"), 1.0), 2.0),
    "ResidualSDE": (diffusions.ResidualSDE(Blocks(relu(), linear()), 3), STATES),
    "ResidualSDE of images": (diffusions.ResidualSDE(ConvBlocks(relu(), linear()), 3), np.ones((3, 2, 2, 1))),
    "UnshapedChain": (UnshapedChain(3, 4), 0.3),
    "SingularSDE": (SingularSDE(1.0), 1.0),
    "ShapedAttention": (attention.ShapedAttention(3, 4, 0.5, 1.0), PAIR),
    "AttentionSDE": (attention.AttentionSDE(0.5, 1.0, 1.0), PAIR),
}
BAD = {
    "samples": [0, 2.5, "many"],
    "seed": [-1, 1.5, None, 2**64],
    "first": [-1, 2**48, 0.5],
    "threads": [0, 1.5],
    "at": [[], [-1], [9], [np.nan], ["1"], 0.5, "1", [[0.5], [0.5, 0.5]]],
}


@pytest.mark.parametrize("argument", BAD)
@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_of_any_process_are_named(name, argument):
    process, initial = CALLS[name]
    for value in BAD[argument]:
        with pytest.raises(ValueError, match=f"{argument} must"):
            process.sample(initial, **{"samples": 2, "seed": 1} | {argument: value})


@pytest.mark.parametrize("name", CALLS)
def test_starts_that_cannot_be_are_refused(name):
    ragged, imaginary = [[1, 0.5], [0.5]], 1j * np.eye(2)
    for value in (np.nan, np.inf, [[1, 2], [2, 1]], [1.0, np.nan], "start", None, ragged, imaginary):
        with pytest.raises(ValueError, match="^initial must"):
            CALLS[name][0].sample(value, 2, 1)
