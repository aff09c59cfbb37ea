"""Compile time is paid once: a fresh process with an empty cache of compiled code, and with a filled one."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAMS = {
    "import only": "",
    "ShapedMLP": "networks.ShapedMLP(activations.shaped_relu(0.0, -1.0), 10, 10).sample([[1, 0.3], [0.3, 1]], 10, 1)",
    "CorrelationSDE": "diffusions.CorrelationSDE(activations.shaped_relu(0.0, -1.0), 1.0).sample(0.3, 10, 1)",
}


def test_start_of_a_process(bench, tmp_path):
    def start(cache: str, program: str):
        code = f"from deeplimits import activations, diffusions, networks\n{program}"
        return subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"NUMBA_CACHE_DIR": cache})

    filled = str(tmp_path / "filled")
    cold = {name: lambda seed, name=name: start(str(tmp_path / f"{name}{seed}"), PROGRAMS[name]) for name in PROGRAMS}
    warm = {f"{name}, again": lambda seed, name=name: start(filled, PROGRAMS[name]) for name in PROGRAMS}
    bench.rounds = bench.size(3, 1)
    laps = bench.alternate(lambda: start(filled, ""), cold | warm)
    for name in PROGRAMS:
        bench.row("start", what=name, cold=laps.median(name), warm=laps.median(f"{name}, again"))
