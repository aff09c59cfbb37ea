"""neural-tangents in a process and an environment of its own, since it needs an older jax than diffrax.

Run as a program it answers jobs from standard input: (names, blocks, depth, activation, inputs) -> kernels.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

PYTHON = Path(sys.prefix) / "tangents" / "bin" / "python"


def kernels(*job):
    """The kernels "nngp" (covariance) and "ntk" (tangent kernel) of a network of infinite width, in double precision.

    Shapes: inputs (m, features) -> (names, m, m).
    """
    worker = _worker()
    pickle.dump(job, worker.stdin)
    worker.stdin.flush()
    return pickle.load(worker.stdout)


@cache
def _worker() -> subprocess.Popen:
    """The other process; it ends when its input does, with this one."""
    return subprocess.Popen([PYTHON, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _answer() -> None:
    # An extension that is not used here would need TensorFlow.
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")
    import jax
    import numpy as np
    from neural_tangents import stax

    jax.config.update("jax_enable_x64", True)

    def shaped(depth, activation):
        """Blocks of one shaped rectifier; `activation` holds its slopes and normaliser."""
        minus, plus, normaliser = activation
        block = stax.ABRelu(minus, plus), stax.Dense(1, W_std=normaliser**0.5)
        return stax.serial(stax.Dense(1), *block * depth)[2]

    def residual(depth, activation):
        """Blocks x + W phi(x) / sqrt(depth) after a linear layer."""
        inner = {"relu": stax.Relu, "erf": stax.Erf}[activation]()
        branch = stax.serial(inner, stax.Dense(1, W_std=depth**-0.5))
        block = stax.FanOut(2), stax.parallel(stax.Identity(), branch), stax.FanInSum()
        return stax.serial(stax.Dense(1), *block * depth)[2]

    @cache
    def compiled(names, blocks, depth, activation):
        build = {"shaped": shaped, "residual": residual}[blocks](depth, activation)
        return jax.jit(lambda x: jax.numpy.stack(build(x, None, names)))

    while True:
        try:
            *network, inputs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(np.asarray(compiled(*network)(inputs)), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _answer()
