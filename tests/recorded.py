"""Every public sampler and law under fixed arguments, and the numbers that they gave when they were recorded.

`python tests/recorded.py` records them again: only where a change of the numbers is meant, and the commit says why.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import scipy

from deeplimits import (
    activations,
    attention,
    densities,
    diffusions,
    fractional,
    gaussian,
    growth,
    kernels,
    networks,
    stability,
)
from deeplimits.activations import linear, plain, relu, shaped_relu, smooth
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.kernels import layers
from deeplimits.networks.unshaped import one_layer_moments

FILE = Path(__file__).with_name("recorded.json")

#: How many numbers of a result are kept beside the digest of all of them.
KEPT = 12

LEAKY, TANH, SILU, GELU = shaped_relu(0.3, -1.0), smooth("tanh", a=1.3), smooth("silu", a=2.0), smooth("gelu", a=1.5)
PAIR = np.array([[1.0, 0.6], [0.6, 1.5]])
CLOSE = np.array([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]])
FOUR = np.array([[1.0, 0.9, 0.2, 0.0], [0.9, 1.3, 0.3, 0.1], [0.2, 0.3, 0.8, -0.4], [0.0, 0.1, -0.4, 1.0]])
ROWS = np.random.default_rng(5)
STATE = {(n, m): ROWS.standard_normal((n, m)) for n in (3, 40) for m in (1, 2, 3)}
IMAGES = ROWS.standard_normal((3, 4, 5, 2))
SYMMETRIC = {n: (lambda A: A @ A.T / n)(ROWS.standard_normal((n, n + 2))) for n in (3,)}
BIG = {"samples": 9, "seed": 7}


def _shaped(name: str, phi, **how) -> dict[str, Callable]:
    net = networks.ShapedMLP(phi, 700 if how.pop("wide", False) else 33, 6)
    return {
        f"ShapedMLP {name} one": lambda: net.sample([[1.2]], 9, 7, at=[0, 6, 3], **how),
        f"ShapedMLP {name} pair": lambda: net.sample(PAIR, 9, 7, at=[0, 6, 3], first=5, **how),
        f"ShapedMLP {name} close": lambda: net.sample(CLOSE, 9, 7, **how),
        f"ShapedMLP {name} four": lambda: net.sample(FOUR, 9, 7, at=[2, 6], threads=2, **how),
    }


def _residual(name: str, inner, outer) -> dict[str, Callable]:
    calls = {}
    for (n, m), x0 in STATE.items():
        net = networks.ResNet(Blocks(inner, outer, 1.3, 0.2), n, 6)
        calls[f"ResNet {name} {n} {m}"] = lambda net=net, x0=x0: net.sample(x0, 9, 7, at=[6, 0, 2], first=3)
        if outer.smoothness >= 3 and (inner.regularity >= 2 or outer is LINE):
            sde = diffusions.ResidualSDE(Blocks(inner, outer, 1.3, 0.2, time=0.7), n)
            calls[f"ResidualSDE {name} {n} {m}"] = lambda sde=sde, x0=x0: sde.sample(x0, 9, 7, steps=8, at=[0.7, 0.35])
    net = networks.ResNet(Blocks(inner, outer, 1.3, 0.2), 3, 6)
    return calls | {
        f"ResNet {name} double": lambda: net.sample(STATE[3, 2], 5, 7, precision="double", noise_depth=12),
        f"ResNet {name} jacobians": lambda: net.jacobians(STATE[3, 2], 5, 7, at=[3, 6]),
        f"ResNet {name} ntk": lambda: net.ntk(STATE[3, 2], 5, 7),
    }


LINE = linear()


@functools.cache
def calls() -> dict[str, Callable]:
    """A name for each call, and the call."""
    table: dict[str, Callable] = {}
    for name, phi in {
        "leaky": LEAKY,
        "line": LINE,
        "relu": relu(),
        "tanh": TANH,
        "silu": SILU,
        "plain gelu": plain("gelu"),
    }.items():
        table |= _shaped(name, phi)
    table |= _shaped("leaky wide", LEAKY, wide=True) | _shaped("silu wide", SILU, wide=True)
    table |= _shaped("leaky double", LEAKY, precision="double") | _shaped("silu double", SILU, precision="double")
    table |= _shaped("leaky rows", LEAKY, method="rows") | _shaped("line rows", LINE, method="rows")
    for name, phi in {"leaky": LEAKY, "silu": SILU}.items():
        net = networks.ShapedMLP(phi, 33, 6)
        table[f"ShapedMLP {name} tangents"] = lambda net=net: net.tangents(PAIR, 9, 7, at=[6, 3])
        table[f"ShapedMLP {name} gradients"] = lambda net=net: net.gradients(PAIR, 9, 7, at=[6, 3])
    table["ShapedMLP leaky tangents rows"] = lambda: networks.ShapedMLP(LEAKY, 33, 6).tangents(
        FOUR, 9, 7, method="rows"
    )
    for name, (inner, outer) in {
        "relu line": (relu(), LINE),
        "tanh line": (plain("tanh"), LINE),
        "tanh tanh": (plain("tanh"), plain("tanh")),
        "gelu silu": (plain("gelu"), plain("silu")),
        "relu relu": (relu(), relu()),
    }.items():
        table |= _residual(name, inner, outer)
    general = dict(
        weight_variance=0.8,
        row_covariance=SYMMETRIC[3],
        column_covariance=SYMMETRIC[3] + np.eye(3),
        weight_mean=0.1 * STATE[3, 3],
        bias_mean=[0.1, 0.0, -0.2],
        bias_covariance=SYMMETRIC[3],
    )
    correlated = Blocks(plain("tanh"), LINE, **general)
    table["ResNet general"] = lambda: networks.ResNet(correlated, 3, 6).sample(STATE[3, 2], 9, 7)
    table["ResNet general jacobians"] = lambda: networks.ResNet(
        Blocks(plain("tanh"), plain("tanh"), **general), 3, 6
    ).jacobians(STATE[3, 2], 9, 7)
    table["ResidualSDE general"] = lambda: diffusions.ResidualSDE(correlated, 3).sample(STATE[3, 2], 9, 7, steps=8)
    table["ResidualSDE jacobians"] = lambda: diffusions.ResidualSDE(
        Blocks(plain("tanh"), plain("tanh"), 1.0, 0.1), 3
    ).jacobians(STATE[3, 2], 9, 7, steps=8, at=[0.5, 1.0])
    for padding in ("zero", "periodic"):
        for method in (None, "field", "filters"):
            net = networks.ResNet(ConvBlocks(plain("tanh"), LINE, 1.0, 0.1, kernel=3, padding=padding), 3, 4)
            table[f"ResNet images {padding} {method}"] = lambda net=net, method=method: net.sample(
                IMAGES, 5, 7, at=[2, 4], method=method
            )
    filters = ConvBlocks(relu(), LINE, 1.0, 0.1, vertical_covariance=SYMMETRIC[3])
    table["ResidualSDE images"] = lambda: diffusions.ResidualSDE(filters, 3).sample(IMAGES, 5, 7, steps=8)
    inputs = np.outer(np.cos(np.arange(300.0)), [1.0, -0.5, 2.0]) + 0.3
    for name, (inner, outer) in {"relu line": (relu(), LINE), "gelu silu": (plain("gelu"), plain("silu"))}.items():
        net = networks.ResNet(Blocks(inner, outer, 1.3, 0.2), 300, 6)
        table[f"ResNet {name} wide"] = lambda net=net: net.sample(inputs, 5, 7, at=[6, 0, 2], first=3)
    table["gaussian_start"] = lambda: networks.gaussian_start(PAIR, 40, 9, 7)
    for name, phi in {"leaky": LEAKY, "line": LINE, "tanh": TANH}.items():
        sde = diffusions.CorrelationSDE(phi, 0.8)
        table[f"CorrelationSDE {name}"] = lambda sde=sde: sde.sample(0.3, 700, 7, steps=16, at=[0.8, 0.0, 0.4], first=9)
        table[f"CorrelationSDE {name} angle"] = lambda sde=sde: sde.sample(
            0.3, 9, 7, steps=16, coordinate="angle", precision="double", noise_steps=32
        )
    for name, phi in {"leaky": LEAKY, "line": LINE, "tanh": TANH, "silu": SILU, "gelu": GELU}.items():
        sde, norms = diffusions.CovarianceSDE(phi, 0.8), diffusions.NormSDE(phi, 0.8)
        for shape, start in {"one": [[1.2]], "pair": PAIR, "close": CLOSE, "four": FOUR}.items():
            table[f"CovarianceSDE {name} {shape}"] = lambda sde=sde, start=start: sde.sample(
                start, 300, 7, steps=16, at=[0.8, 0.4], first=5
            )
        table[f"CovarianceSDE {name} double"] = lambda sde=sde: sde.sample(PAIR, 9, 7, steps=16, precision="double")
        table[f"CovarianceSDE {name} tangents"] = lambda sde=sde: sde.tangents(FOUR, 9, 7, steps=16, at=[0.4, 0.8])
        table[f"NormSDE {name}"] = lambda sde=norms: sde.sample(1.2, 300, 7, steps=16, at=[0.4, 0.8])
        table[f"NormSDE {name} explosions"] = lambda sde=norms: sde.explosion_times(2.0, 300, 7, steps=16)
    sde = diffusions.CovarianceSDE(SILU, 2.0)
    table["CovarianceSDE radius"] = lambda sde=sde: sde.sample(PAIR, 99, 7, steps=16, radius=3.0)
    table["CovarianceSDE explosions"] = lambda sde=sde: sde.explosion_times(PAIR, 99, 7, steps=16)
    table["UnshapedChain"] = lambda: networks.UnshapedChain(50, 9).sample(0.3, 9, 7, at=[0, 9, 4])
    table["SingularSDE"] = lambda: diffusions.SingularSDE(0.5).sample(44.0, 9, 7, at=[0.1, 0.5], steps=32)
    table["SingularSDE fine"] = lambda: diffusions.SingularSDE(0.5).sample(44.0, 9, 7, steps=32, noise_steps=64)
    table["ShapedAttention"] = lambda: attention.ShapedAttention(20, 5, 0.7, 1.3, 15).sample(FOUR, 9, 7, at=[0, 5])
    table["AttentionSDE"] = lambda: attention.AttentionSDE(0.7, 1.3, 0.5).sample(FOUR, 9, 7, steps=8, at=[0.25, 0.5])
    table["attention drift"] = lambda: np.stack([attention.attention_drift(FOUR, 0.7, 1.3)])
    table["fractional noise"] = lambda: fractional.fractional_noise(0.7, 16, 3, 4, 7)
    table["FractionalResNet"] = lambda: fractional.FractionalResNet(Blocks(plain("tanh"), LINE), 4, 8, 0.7).sample(
        np.ones((4, 2)), 5, 7, at=[4, 8]
    )
    table["normals"] = lambda: gaussian.normals(7, 5, 50, first=3, stream=9)
    return table | _laws()


def _laws() -> dict[str, Callable]:
    """Kernels, densities and closed forms."""
    grid = np.array([0.1, 0.5, 0.9])
    table: dict[str, Callable] = {}
    for name, phi in {"leaky": LEAKY, "line": LINE, "tanh": TANH, "silu": SILU}.items():
        ode = kernels.CovarianceODE(phi)
        table[f"CovarianceODE {name}"] = lambda ode=ode: ode.at(FOUR, [0.0, 0.1, 0.3])
        table[f"CovarianceODE {name} depth"] = lambda ode=ode: ode.finite_depth(FOUR, 40, 6, at=[3, 6])
    for name, (inner, outer) in {
        "relu line": (relu(), LINE),
        "tanh tanh": (plain("tanh"), plain("tanh")),
        "gelu silu": (plain("gelu"), plain("silu")),
        "line line": (LINE, LINE),
    }.items():
        kernel = kernels.ResidualKernel(Blocks(inner, outer, 1.1, 0.2))
        table[f"ResidualKernel {name}"] = lambda kernel=kernel: kernel.at(0.1, PAIR, [0.0, 0.5, 1.0])
        table[f"ResidualKernel {name} ntk"] = lambda kernel=kernel: kernel.ntk(0.1, PAIR)
        table[f"ResidualKernel {name} depth"] = lambda kernel=kernel: kernel.finite_depth(0.1, PAIR, 8)
        table[f"ResidualKernel {name} depth ntk"] = lambda kernel=kernel: kernel.finite_depth_ntk(0.1, PAIR, 8)
    table["layers"] = lambda: layers.with_layers(kernels.ResidualKernel(Blocks(relu(), LINE)), PAIR)
    for name, law in {
        "correlation": lambda: densities.correlation(LEAKY, 0.3, 0.5),
        "norm": lambda: densities.norm(SILU, 1.0, 0.5),
        "norm relu": lambda: densities.norm(LEAKY, 1.0, 0.5),
        "width one": lambda: densities.width_one(plain("tanh"), 0.7),
        "width one relu": lambda: densities.width_one(relu(), 0.7),
    }.items():
        table[f"density {name}"] = lambda law=law: np.stack([law().pdf(grid), law().cdf(grid)])
    table["angles"] = lambda: activations.angle_defect(activations.angle_of(np.array([0.0, 1e-12, 0.1, 1.0, 2.0])))
    for phi in (TANH, SILU, GELU):
        table[f"constants {phi.name}"] = lambda phi=phi: np.array(
            [phi.second, phi.third, phi.b, phi.kappa, *phi(grid, 50), phi.normaliser(50)]
        )
    table["rectifier maps"] = lambda: np.stack([LEAKY.correlation_map(grid, 50), LEAKY.epsilon_map(grid, 50)])
    table["growth"] = lambda: np.stack([growth.mean_log_norm(20, grid), growth.log_norm_variance(grid)])
    table["stability"] = lambda: np.stack(
        [
            stability.explosion_probability(0.7, grid),
            stability.feller_integral(0.7, grid),
            stability.stationary(-1.7).pdf(grid),
        ]
    )
    table["moments of an unshaped layer"] = lambda: np.stack(one_layer_moments(grid))
    return table


def flat(result) -> np.ndarray:
    """All numbers of a result, whatever holds them."""
    parts = result if isinstance(result, tuple) else (result,)
    return np.concatenate([np.asarray(part, np.float64).ravel() for part in parts if part is not None])


def kept(values: np.ndarray) -> list[float]:
    """A few of the numbers, spread over all of them."""
    return values[np.linspace(0, values.size - 1, min(KEPT, values.size)).astype(int)].tolist()


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


def machine() -> str:
    """What the last digit depends on."""
    return " ".join(
        [
            platform.machine(),
            "python " + ".".join(platform.python_version_tuple()[:2]),  # Numba compiles its bytecode
            numba.config.CPU_NAME or numba.core.codegen.ll.get_host_cpu_name(),
            *(f"{m.__name__} {m.__version__}" for m in (np, scipy, numba)),
        ]
    )


def record(only: str = "") -> None:
    """Write the table, or the entries whose name contains `only`."""
    old = json.loads(FILE.read_text())["calls"] if only else {}
    new = {
        name: {"digest": digest(values), "values": kept(values)}
        for name, call in calls().items()
        if only in name
        for values in [flat(call())]
    }
    rows = (f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted((old | new).items()))
    FILE.write_text('{"machine": ' + json.dumps(machine()) + ',\n "calls": {\n' + ",\n".join(rows) + "\n}}\n")


if __name__ == "__main__":
    record(*sys.argv[1:])
