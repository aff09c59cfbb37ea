"""Recorded numbers of other programs: complete, made again by their command, and ours to rounding."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from deeplimits import reference
from deeplimits.activations import linear, plain
from deeplimits.blocks import Blocks
from deeplimits.kernels import ResidualKernel, with_layers

ROOT = Path(__file__).parents[1]
RECORDED = reference.neural_tangents()
SHORT = [network for network in RECORDED.networks if network.depth <= 16]
NAMES = [f"{network.inner}, depth {network.depth}" for network in SHORT]


def kernels(inner, depth, weight_variance=RECORDED.weight_variance):
    """Prior and tangent kernel of our recursion over blocks."""
    start = RECORDED.input_variance * RECORDED.inputs @ RECORDED.inputs.T
    kernel = ResidualKernel(Blocks(plain(inner), linear(), weight_variance, RECORDED.bias_variance))
    prior = RECORDED.output_variance * kernel.finite_depth(0.0, start, depth).covariance
    tangent = RECORDED.output_variance * kernel.finite_depth_ntk(0.0, start, depth, inputs=start).total
    return prior, tangent + prior


@pytest.mark.parametrize("network", SHORT, ids=NAMES)
def test_neural_tangents_and_our_recursion_agree(network):
    prior, tangent = kernels(network.inner, network.depth)
    assert prior == pytest.approx(network.prior, rel=1e-13)
    # Theirs has the angle of an input with itself, under ReLU, only to the square root of rounding.
    assert tangent == pytest.approx(network.tangent, rel=1e-8 if network.inner == "relu" else 1e-13)


@pytest.mark.parametrize("network", SHORT, ids=NAMES)
def test_other_weights_have_other_kernels(network):
    prior, tangent = kernels(network.inner, network.depth, weight_variance=1.01 * RECORDED.weight_variance)
    assert np.abs(prior - network.prior).max() > 1e-3 and np.abs(tangent - network.tangent).max() > 1e-3


def test_the_recorded_kernels_approach_the_limit_like_one_over_depth():
    for inner in ("x", "relu"):
        blocks = Blocks(plain(inner), linear(), RECORDED.weight_variance, RECORDED.bias_variance)
        limit = with_layers(ResidualKernel(blocks), RECORDED.inputs @ RECORDED.inputs.T, RECORDED.input_variance)
        errors = {
            network.depth: [np.abs(found - exact).max() for found, exact in zip(network[2:], limit, strict=False)]
            for network in RECORDED.networks
            if network.inner == inner
        }
        assert np.log2(np.divide(errors[64], errors[128])) == pytest.approx([1, 1], abs=0.02)


def test_what_is_recorded_cannot_be_changed():
    with pytest.raises(ValueError):
        RECORDED.networks[0].prior[0, 0] = 0
    with pytest.raises(ValueError):
        RECORDED.inputs[0, 0] = 0


def test_the_record_names_the_command_and_the_versions():
    program, script, *_ = RECORDED.command.split()
    assert program.endswith("python") and (ROOT / script).is_file()
    assert {"python", "neural-tangents", "jax", "numpy"} <= set(RECORDED.versions)
    assert (
        f"neural-tangents=={RECORDED.versions['neural-tangents']}"
        in (ROOT / "requirements-bench-tangents.txt").read_text()
    )


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / RECORDED.command.split()[0]).exists(), reason="`make bench` sets neural-tangents up")
def test_the_command_makes_the_numbers_again(tmp_path):
    program, script, option, _ = RECORDED.command.split()
    out = tmp_path / "again.json"
    subprocess.run([ROOT / program, script, option, out, "--depths", "1", "16"], cwd=ROOT, check=True, timeout=300)
    again = json.loads(out.read_text())["networks"]
    assert [(one["inner"], one["depth"]) for one in again] == [(one.inner, one.depth) for one in SHORT]
    for one, recorded in zip(again, SHORT, strict=True):
        assert np.array(one["prior"]) == pytest.approx(recorded.prior, rel=1e-12)
        assert np.array(one["tangent"]) == pytest.approx(recorded.tangent, rel=1e-8)
