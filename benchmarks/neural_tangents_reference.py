"""Record kernels of residual networks of infinite width as neural-tangents computes them.

Needs only the environment of neural-tangents, which `make bench` sets up in `.venv-bench/tangents`. The command that
made what the package holds stands in the file: `deeplimits.reference.neural_tangents().command`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import types
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

#: Three inputs, one much longer than the others, and the variances of all parameters.
INPUTS = ((0.5, -1.0, 0.3), (1.0, 0.2, -0.4), (-2.0, 1.5, 1.0))
VARIANCES = {"input_variance": 0.8, "weight_variance": 0.6, "bias_variance": 0.5, "output_variance": 1.0}
DEPTHS = (1, 16, 32, 64, 128)


def kernels(inner, depth: int) -> dict[str, list]:
    """Prior and tangent kernel of A z, `depth` blocks x + W inner(x) + b and a linear output; all layers count."""
    from neural_tangents import stax

    first, weights, biases, last = VARIANCES.values()
    # Weights are divided by the root of the fan-in, which the model does not do with the input.
    before = stax.Dense(1, W_std=(first * len(INPUTS[0])) ** 0.5)
    branch = stax.serial(*inner, stax.Dense(1, W_std=(weights / depth) ** 0.5, b_std=(biases / depth) ** 0.5))
    block = stax.FanOut(2), stax.parallel(stax.Identity(), branch), stax.FanInSum()
    found = stax.serial(before, *block * depth, stax.Dense(1, W_std=last**0.5))[2](np.array(INPUTS), None)
    return {"prior": found.nngp.tolist(), "tangent": found.ntk.tolist()}


def record(depths: list[int], out: str) -> dict:
    """All networks, with what is needed to make them again."""
    # An extension that is not used here would need TensorFlow.
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")
    import jax
    from neural_tangents import stax

    jax.config.update("jax_enable_x64", True)
    warnings.filterwarnings("ignore", message="`FanIn` layers assume")  # each branch ends in a dense layer
    inner = {
        "x": (),
        "erf(sqrt(pi)/2*x)": (stax.Erf(b=np.sqrt(np.pi) / 2),),
        "relu": (stax.Relu(),),
        "gelu": (stax.Gelu(),),
    }
    packages = {name: version(name) for name in ("neural-tangents", "jax", "jaxlib", "numpy")}
    return {
        "command": f".venv-bench/tangents/bin/python benchmarks/{Path(__file__).name} --out {out}",
        "versions": {"python": platform.python_version(), **packages},
        "inputs": INPUTS,
        **VARIANCES,
        "networks": [
            {"inner": name, "depth": depth, **kernels(layer, depth)}
            for name, layer in inner.items()
            for depth in depths
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the JSON file to write")
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS, help="numbers of blocks")
    wanted = parser.parse_args()
    Path(wanted.out).write_text(json.dumps(record(wanted.depths, wanted.out), indent=1) + "\n")


if __name__ == "__main__":
    main()
