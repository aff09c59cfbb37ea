"""Networks that draw their weights, because inputs outnumber neurons, against those that draw rows."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits import activations, diffusions, networks
from deeplimits.blocks import Blocks
from deeplimits.networks._dense import cheaper

DRAW = np.random.default_rng(0)
INPUTS, WIDTH, SAMPLES = 12, 6, 4000
V0 = np.cov(DRAW.standard_normal((INPUTS, 40))) + 0.2
STATE = DRAW.standard_normal((WIDTH, INPUTS))
SHAPED = {
    "leaky": activations.shaped_relu(0.5, -1.0),
    "tanh": activations.smooth("tanh", a=1.2),
    "gelu": activations.smooth("gelu"),
}
RESIDUAL = {
    "relu": Blocks(activations.relu(), activations.linear(), 1.3, 0.2),
    "smooth": Blocks(activations.plain("tanh"), activations.plain("gelu"), 2.0),
}


def smallest_p(a, b):
    return min(stats.ks_2samp(x, y).pvalue for x, y in zip(a.T, b.T, strict=True))


def seen(V):
    """Norms, products and a distance."""
    rho = V[:, 0, 5] / np.sqrt(V[:, 0, 0] * V[:, 5, 5])
    return np.stack([np.log(V[:, 0, 0]), np.log(V[:, 11, 11]), rho, V[:, 3, 7], np.log(V.sum((1, 2)))], axis=1)


@pytest.mark.parametrize("name", SHAPED)
def test_covariances_have_the_law_of_rows(name):
    network = networks.ShapedMLP(SHAPED[name], WIDTH, 5)
    rows, weights = (network.sample(V0, SAMPLES, seed, method=how) for seed, how in ((1, "rows"), (2, "weights")))
    assert smallest_p(seen(rows), seen(weights)) > LEVEL / 15
    assert smallest_p(seen(rows), seen(1.5 * weights)) < 1e-9


@pytest.mark.parametrize("name", SHAPED)
def test_tangents_have_the_law_of_rows(name):
    network = networks.ShapedMLP(SHAPED[name], WIDTH, 5)
    rows, weights = (network.tangents(V0, SAMPLES, seed, method=how) for seed, how in ((1, "rows"), (2, "weights")))
    assert smallest_p(seen(rows), seen(weights)) > LEVEL / 15


@pytest.mark.parametrize("limit", [False, True])
@pytest.mark.parametrize("name", RESIDUAL)
def test_states_have_the_law_of_rows(name, limit):
    blocks = RESIDUAL[name]
    process = diffusions.ResidualSDE(blocks, WIDTH) if limit else networks.ResNet(blocks, WIDTH, 8)
    how = {"steps": 16} if limit else {}
    rows, weights = (
        process.sample(STATE, SAMPLES, seed, method=method, **how) for seed, method in ((1, "rows"), (2, "weights"))
    )
    features = [np.stack([one[:, 0, 0], one[:, 2, 9], one[:, 0, 3] * one[:, 4, 3]], 1) for one in (rows, weights)]
    grams = [seen(one.swapaxes(1, 2) @ one) for one in (rows, weights)]
    assert smallest_p(*features) > LEVEL / 32 and smallest_p(*grams) > LEVEL / 32


def test_samples_do_not_depend_on_threads_or_cuts():
    network, resnet = networks.ShapedMLP(SHAPED["tanh"], WIDTH, 4), networks.ResNet(RESIDUAL["relu"], WIDTH, 4)
    for process, start in ((network, V0), (resnet, STATE)):
        whole = process.sample(start, 9, 1, at=[4, 0, 2], threads=1, method="weights")
        parts = [
            process.sample(start, n, 1, at=[4, 0, 2], first=f, threads=2, method="weights") for n, f in ((4, 0), (5, 4))
        ]
        assert np.array_equal(np.concatenate(parts), whole)
        assert np.array_equal(whole[3, 1], start)


def test_a_coarse_network_follows_a_fine_one():
    blocks = RESIDUAL["smooth"]
    found = [
        networks.ResNet(blocks, WIDTH, depth).sample(STATE, 200, 1, noise_depth=256, method="weights")
        for depth in (64, 128, 256)
    ]
    far = [np.mean((one - found[2]) ** 2) for one in found[:2]]
    apart = np.mean((found[2] - networks.ResNet(blocks, WIDTH, 256).sample(STATE, 200, 2, method="weights")) ** 2)
    assert far[1] < 0.7 * far[0] < 0.07 * apart


@pytest.mark.parametrize("distance", [1e-3, 1e-7])
def test_nearly_parallel_inputs_keep_their_distance(distance):
    network = networks.ShapedMLP(SHAPED["leaky"], 40, 10)
    rho = 1 - distance**2 / 2
    found = [network.sample([[1.0, rho], [rho, 1.0]], 2000, 1, method=how) for how in ("rows", "weights")]
    gaps = [one[:, 0, 0] + one[:, 1, 1] - 2 * one[:, 0, 1] for one in found]
    assert abs(np.log(gaps[0].mean() / gaps[1].mean())) < (0.1 if distance > 1e-6 else 0.5)


def test_networks_that_overflow_are_infinite_from_there_on():
    network = networks.ResNet(Blocks(activations.linear(), activations.linear(), 1e60), WIDTH, 12)
    found = network.sample(1e200 * STATE, 3, 1, at=[0, 2, 12], method="weights")
    assert np.all(np.isfinite(found[:, :2])) and np.all(found[:, 2] == np.inf)


def test_the_cheaper_way_is_taken_without_asking():
    network = networks.ShapedMLP(SHAPED["leaky"], 16, 3)
    many, few = np.eye(40) + 1, np.eye(3) + 1
    for start, method in ((many, "weights"), (few, "rows")):
        assert np.array_equal(network.sample(start, 5, 1), network.sample(start, 5, 1, method=method))
    assert cheaper(64, 500) and cheaper(64, 64) and not cheaper(64, 8) and not cheaper(500, 64)


@pytest.mark.parametrize("blocks, method", [(RESIDUAL["relu"], "filters"), (RESIDUAL["relu"], "chain")])
def test_bad_input_is_named(blocks, method):
    with pytest.raises(ValueError, match="method"):
        networks.ResNet(blocks, WIDTH, 4).sample(STATE, 2, 1, method=method)
