"""What no machine can hold is refused with the argument's name, before the memory is asked for."""

import numpy as np
import pytest

from deeplimits import _checks, data, densities, diffusions, fractional, gaussian, networks, wishart
from deeplimits.activations import linear, plain, shaped_relu, smooth
from deeplimits.architectures import mlp, pre_norm_mlp
from deeplimits.attention import AttentionSDE, ShapedAttention, shaped_softmax
from deeplimits.blocks import Blocks
from deeplimits.lazy import GaussianMatrix

SHAPED, MANY = shaped_relu(1.0, -1.0), 10**14
BLOCKS = Blocks(plain("tanh"), linear())
NETWORK, MATRIX = networks.ShapedMLP(SHAPED, width=20, depth=2), GaussianMatrix(10**9, 10**9, std=1.0, seed=1)
RESNET = networks.ResNet(BLOCKS, width=3, depth=2)
#: Calls that ask for too much, and the argument that says so.
CALLS = {
    "ShapedMLP.sample": (lambda: NETWORK.sample([[1.0]], MANY, 1), "samples"),
    "ShapedMLP.sample by weights": (lambda: NETWORK.sample([[1.0]], MANY, 1, method="weights"), "samples"),
    "ShapedMLP.sample, wide by weights": (
        lambda: networks.ShapedMLP(SHAPED, 10**8, 2).sample([[1.0]], 1, 1, method="weights"),
        "width",
    ),
    "ShapedMLP.tangents, wide by weights": (
        lambda: networks.ShapedMLP(SHAPED, 10**8, 2).tangents([[1.0]], 1, 1, method="weights"),
        "width",
    ),
    "ResNet.sample, wide by weights": (
        lambda: networks.ResNet(BLOCKS, 10**6, 2).sample(np.ones((10**6, 1)), 1, 1, method="weights"),
        "width",
    ),
    "ShapedMLP.tangents": (lambda: NETWORK.tangents([[1.0]], MANY, 1), "samples"),
    "ShapedMLP.gradients": (lambda: NETWORK.gradients([[1.0]], MANY, 1), "samples"),
    "ResNet.sample": (lambda: RESNET.sample(np.ones((3, 1)), MANY, 1), "samples"),
    "ResNet.jacobians": (lambda: RESNET.jacobians(np.ones((3, 1)), MANY, 1), "samples"),
    "ResNet.ntk": (lambda: RESNET.ntk(np.ones((3, 1)), MANY, 1), "samples"),
    "CovarianceSDE.sample": (lambda: diffusions.CovarianceSDE(SHAPED, 1.0).sample(1.0, MANY, 1), "samples"),
    "CovarianceSDE.explosion_times": (
        lambda: diffusions.CovarianceSDE(smooth("tanh"), 1.0).explosion_times(1.0, MANY, 1, radius=9.0),
        "samples",
    ),
    "NormSDE.sample": (lambda: diffusions.NormSDE(SHAPED, 1.0).sample(1.0, MANY, 1), "samples"),
    "CorrelationSDE.sample": (lambda: diffusions.CorrelationSDE(SHAPED, 1.0).sample(0.1, MANY, 1), "samples"),
    "SingularSDE.sample": (lambda: diffusions.SingularSDE(1.0).sample(0.1, MANY, 1), "samples"),
    "ResidualSDE.sample": (lambda: diffusions.ResidualSDE(BLOCKS, 3).sample(np.ones((3, 1)), MANY, 1), "samples"),
    "UnshapedChain.sample": (lambda: networks.UnshapedChain(10, 2).sample(0.1, MANY, 1), "samples"),
    "ShapedAttention.sample": (lambda: ShapedAttention(8, 2, 0.5, 1.0).sample(np.eye(2), MANY, 1), "samples"),
    "AttentionSDE.sample": (lambda: AttentionSDE(0.5, 1.0, 0.1).sample(np.eye(2), MANY, 1), "samples"),
    "gaussian_start": (lambda: networks.gaussian_start(np.eye(2), 10**7, 10**7, 1), "width"),
    "normals": (lambda: gaussian.normals(1, 2, 10**13), "count"),
    "bartlett": (lambda: wishart.bartlett(np.random.default_rng(1), 10**12, 20, 30.0), "samples"),
    "fractional_noise": (lambda: fractional.fractional_noise(0.7, 10**7, 10**4, 10**4, 1), "length"),
    "FractionalResNet.sample": (
        lambda: fractional.FractionalResNet(BLOCKS, 3, 4, 0.7).sample(np.ones((3, 1)), MANY, 1),
        "samples",
    ),
    "GaussianMatrix.dense": (lambda: MATRIX.dense(), "outputs"),
    "GaussianMatrix @": (lambda: GaussianMatrix(10**13, 3, std=1.0, seed=1) @ np.ones(3), "outputs"),
    "Network.sample": (lambda: mlp([8, 2]).sample(np.ones((3, 1)), MANY, 1), "samples"),
    "Network.sample, wide": (lambda: mlp([10**13, 2]).sample(np.ones((3, 1)), 1, 1), "network"),
    "Law.rvs": (lambda: densities.correlation(SHAPED, 0.3, 0.1).rvs(10**12, 1), "size"),
}


@pytest.mark.parametrize("name", CALLS)
def test_more_than_memory_holds_is_refused_by_name(name):
    call, argument = CALLS[name]
    with pytest.raises(ValueError, match=rf"\b{argument}\b"):
        call()


def test_the_limit_is_the_memory_of_the_machine(monkeypatch):
    monkeypatch.setattr(_checks, "memory", lambda: 8 * 1000)
    assert _checks.empty("samples", (10, 100)).shape == (10, 100)
    with pytest.raises(ValueError, match="samples must be smaller: .10, 101. numbers take"):
        _checks.empty("samples", (10, 101))


@pytest.mark.filterwarnings("error")
def test_what_leaves_double_precision_on_the_way_is_right_at_the_end():
    assert smooth("tanh", a=1e300).normaliser(10) == 1
    weights = shaped_softmax([[1e308, -1e308], [0.0, 0.0]])
    assert weights == pytest.approx(np.array([[1.5, -0.5], [0.0, 1.0]]))


def test_a_label_is_named_once():
    with pytest.raises(ValueError, match="classes must name each label once"):
        data.split("digits", 5, 5, 1, classes=[0, 0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("network", "size"),
    [(mlp([4, 1]), 1e200), (mlp([4, 1], activation="x**2"), 1e100), (pre_norm_mlp(8, 2), 1e200)],
    ids=["start", "activation", "norm"],
)
def test_a_kernel_that_overflows_names_the_start(network, size):
    with pytest.raises(ValueError, match="initial must be smaller than .*: the second moments overflow at layer"):
        network.kernel(np.full((2, 3), size))


@pytest.mark.parametrize("told", [-1, ValueError("unknown name")], ids=["-1", "no such name"])
def test_a_machine_that_does_not_tell_its_memory_is_no_small_one(told, monkeypatch):
    def sysconf(name):
        if isinstance(told, Exception):
            raise told
        return told if name == "SC_PHYS_PAGES" else 4096

    monkeypatch.setattr(_checks.os, "sysconf", sysconf)
    assert _checks.memory.__wrapped__() == 2**47
