"""What a reader writes passes a type checker, and what no call accepts does not."""

import subprocess
import sys

import pytest

ACCEPTED = """
from deeplimits import activations, diffusions, kernels, networks
from deeplimits.blocks import Blocks, ConvBlocks

network = networks.ShapedMLP("gelu", width=100, depth=100)
limit = diffusions.CovarianceSDE("gelu", time=1.0)
mean = kernels.CovarianceODE("gelu")
diffusions.CorrelationSDE("tanh", time=1.0), diffusions.NormSDE(activations.shaped_relu(0, -1), time=1.0)
blocks = Blocks("tanh", activations.linear(), bias_variance=0.1)
images = ConvBlocks("tanh", "tanh", kernel=3)
for process, start in ((network, 1.0), (limit, 1.0)):
    process.sample(start, samples=2, seed=1, threads=1, precision="double")
network.activation.normaliser(10)
"""

#: A line that no call accepts, and the word by which the checker says so.
REFUSED = {
    'networks.ShapedMLP("gelu", width="wide", depth=3)': "arg-type",
    "networks.ShapedMLP(3.0, width=10, depth=3)": "arg-type",
    'network.sample(1.0, samples=2, seed=1, presicion="double")': "call-arg",
    "Blocks(3.0, activations.linear())": "arg-type",
    'ConvBlocks("tanh", "tanh", kernel="large")': "arg-type",
    "diffusions.CovarianceSDE(2.0, time=1.0)": "arg-type",
}


@pytest.mark.slow
def test_strings_stand_for_activations_and_other_things_do_not(tmp_path):
    page = tmp_path / "page.py"
    page.write_text(ACCEPTED + "\n".join(REFUSED) + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(page)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    first = len(ACCEPTED.splitlines()) + 1
    errors = {int(line.split(":")[1]): line for line in said if ": error: " in line}
    assert set(errors) == set(range(first, first + len(REFUSED))), said
    for place, code in enumerate(REFUSED.values(), start=first):
        assert f"[{code}]" in errors[place]
