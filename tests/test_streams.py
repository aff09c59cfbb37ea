"""Random numbers are shared by nothing that ought to be independent: streams, seeds, samples, blocks and processes."""

import numpy as np
import pytest

from deeplimits import attention, diffusions, gaussian, networks
from deeplimits.activations import linear, shaped_relu, smooth
from deeplimits.blocks import Blocks

#: Samples whose correlation is looked at, and how many standard errors of it chance may reach.
SAMPLES, CHANCE = 4000, 5.0
PAIR = np.array([[1.0, 0.4], [0.4, 1.2]])
STREAMS = {name: value for name, value in vars(gaussian).items() if name.isupper() and type(value) is int}
STREAMS = {name: value for name, value in STREAMS.items() if not name.startswith("_") and name != "MOST_SAMPLES"}
TANH, LEAKY = smooth("tanh", a=1.0), shaped_relu(0, -1)
BLOCKS = Blocks(linear(), linear())
#: Every process that draws, with a start.
PROCESSES = {
    "rows": (networks.ShapedMLP(LEAKY, 10, 3), PAIR),
    "programs": (networks.ShapedMLP(TANH, 10, 3), PAIR),
    "chain": (networks.ShapedMLP(LEAKY, 10, 3), [[1.0]]),
    "products": (networks.ShapedMLP(linear(), 10, 3), PAIR),
    "unshaped chain": (networks.UnshapedChain(50, 10), 0.3),
    "residual": (networks.ResNet(BLOCKS, 3, 4), np.ones((3, 1))),
    "attention": (attention.ShapedAttention(8, 3, 0.5, 1.0), PAIR),
    "correlation": (diffusions.CorrelationSDE(LEAKY, 1.0), 0.3),
    "covariance": (diffusions.CovarianceSDE(LEAKY, 1.0), PAIR),
    "norm": (diffusions.NormSDE(TANH, 0.5), 1.0),
    "residual limit": (diffusions.ResidualSDE(BLOCKS, 3), np.ones((3, 1))),
    "singular": (diffusions.SingularSDE(1.0), 40.0),
    "attention limit": (attention.AttentionSDE(0.5, 1.0, 0.5), PAIR),
}


def related(first, second):
    """The correlation of two rows of numbers, in standard errors of chance."""
    return abs(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1]) * np.sqrt(np.size(first))


def test_every_stream_has_a_number_of_its_own():
    assert len(STREAMS) >= 17 and len(set(STREAMS.values())) == len(STREAMS)


@pytest.mark.parametrize(("seed", "first"), [(1, 0), (1 + 2**40, 0), (2, 0), (1, 2**32), (1, 2**33), (1, 2**40)])
@pytest.mark.parametrize("other", [(1 + 2**41, 0), (1, 2**35)])
def test_all_bits_of_a_seed_and_of_a_sample_count(seed, first, other):
    one = gaussian.normals(seed, 4, SAMPLES, first=first)
    two = gaussian.normals(other[0], 4, SAMPLES, first=other[1])
    assert related(one, two) < CHANCE


def test_generators_of_blocks_differ_in_seed_block_and_stream():
    drawn = [
        gaussian.block_generator(seed, block, stream).standard_normal(SAMPLES)
        for seed, block, stream in ((1, 0, 2), (1, 1, 2), (1, 2, 2), (2, 0, 2), (1, 0, 4), (2**40, 0, 2))
    ]
    assert all(related(drawn[i], drawn[j]) < CHANCE for i in range(6) for j in range(i))


@pytest.mark.parametrize("name", PROCESSES)
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(name):
    process, start = PROCESSES[name]
    one, again, other = (np.asarray(process.sample(start, 600, seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert np.mean(one == other) < 0.05
    first, second = (each.reshape(600, -1)[:, 0] for each in (one, other))
    keep = np.isfinite(first) & np.isfinite(second)
    assert related(np.log(np.abs(first[keep]) + 1e-9), np.log(np.abs(second[keep]) + 1e-9)) < CHANCE


def test_limits_with_one_seed_share_no_noise():
    """Each is followed by the Brownian motion that drives its first number, over one step."""
    flat, how = linear(), {"steps": 1}
    norm = np.log(diffusions.NormSDE(flat, 0.01).sample(1.0, SAMPLES, 5, **how))
    rho = diffusions.CorrelationSDE(flat, 0.01).sample(0.0, SAMPLES, 5, coordinate="z", **how)
    covariance = diffusions.CovarianceSDE(flat, 0.01).sample(np.eye(2), SAMPLES, 5, **how)
    curved = diffusions.CovarianceSDE(TANH, 0.01).sample(np.eye(2), SAMPLES, 5, **how)
    tangent = diffusions.CovarianceSDE(TANH, 0.01).tangents(np.eye(2), SAMPLES, 5, **how)
    driven = [norm, rho, np.log(covariance[:, 0, 0]), np.log(tangent[:, 0, 0])]
    assert all(related(driven[i], driven[j]) < CHANCE for i in range(4) for j in range(i))
    assert related(np.log(covariance[:, 0, 0]), np.log(curved[:, 0, 0])) > 20, "the same stream would be seen"


def test_a_gradient_starts_in_a_direction_of_its_own():
    """A linear network of two layers, recomputed from its weights and from the direction, which no layer has."""
    width, depth, samples = 5, 2, 20
    net = networks.ShapedMLP(linear(), width, depth)
    drawn = [
        gaussian.normals(9, samples, gaussian.padded(width**2), layer=layer, stream=gaussian.SHAPED_WEIGHTS)
        for layer in range(depth + 1)
    ]
    W = [each[:, : width**2].reshape(samples, width, width) / np.sqrt(width) for each in drawn[:depth]]
    direction = drawn[depth][:, :width].astype(np.float64)
    gradient = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    expected = []
    for layer in (1, 0):
        gradient = np.einsum("si,sij->sj", gradient, W[layer])
        expected.append(np.sum(gradient**2, axis=1))
    found = net.gradients([[1.0]], samples, 9, at=[1, 0]).norms
    assert found == pytest.approx(np.transpose(expected), rel=1e-5)
