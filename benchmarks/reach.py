"""How far one machine reaches: a billion paths of the correlation SDE, ten million networks, in little memory.

    python -m benchmarks.reach [--paths 1e9] [--networks 1e7] [--threads 2]

A run of 0 is left out. Interrupting a run shows what it has so far and goes on with the next.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
from scipy import stats

from deeplimits import activations, densities, diffusions, ensembles, networks
from deeplimits._parallel import cores

ACTIVATION = activations.shaped_relu(0, -1)
RHO0, TIME = 0.3, 1.0
GRAM = np.array([[1, RHO0], [RHO0, 1]])
WIDTH = DEPTH = 100
STEPS = 128
EDGES = np.linspace(-1, 1, 2001)


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MiB."""
    import resource  # not on Windows

    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def paths(samples: int, threads: int) -> None:
    sde = diffusions.CorrelationSDE(ACTIVATION, TIME)
    sde.sample(RHO0, 1, 0, steps=STEPS)  # compiles
    start = time.perf_counter()
    summary = ensembles.summarise(
        sde, RHO0, samples, 1, ensembles.values, edges=EDGES, chunk=2**16, threads=threads, steps=STEPS
    )
    seconds = time.perf_counter() - start
    report(f"paths of the correlation SDE, {STEPS} steps", summary, seconds, STEPS * summary.count, "path-steps")
    compare("law of the limit (densities.correlation)", summary, densities.correlation(ACTIVATION, RHO0, TIME))


def finite_networks(samples: int, threads: int) -> None:
    network = networks.ShapedMLP(ACTIVATION, WIDTH, DEPTH)
    network.sample(GRAM, 1, 0)
    start = time.perf_counter()
    summary = ensembles.summarise(network, GRAM, samples, 2, ensembles.correlation(0, 1), edges=EDGES, threads=threads)
    seconds = time.perf_counter() - start
    normals = 2 * WIDTH * DEPTH * summary.count
    report(f"networks of width {WIDTH} and depth {DEPTH}, 2 inputs", summary, seconds, normals, "normals")
    time_of_network = DEPTH / WIDTH
    # A network's law is O(1/width) from that of the limit, which so many networks tell apart.
    compare("law of the limit", summary, densities.correlation(ACTIVATION, RHO0, time_of_network))
    compare(
        f"law of the limit with the shaping that width {WIDTH} really has",
        summary,
        densities.correlation(ACTIVATION.effective(WIDTH), RHO0, time_of_network),
    )


def report(what: str, summary: ensembles.Summary, seconds: float, work: int, unit: str) -> None:
    median = summary.quantile(0.5)
    print(f"{summary.count:.4g} {what}" + (" (interrupted)" if summary.partial else ""))
    print(f"  time    {seconds:.4g} s: {summary.count / seconds:.3g} a second, {work / seconds:.3g} {unit}/s")
    print(f"  memory  {peak_memory():.0f} MiB at its peak")
    print(f"  mean    {summary.mean.value:.8f} ± {summary.mean.error:.1e}")
    print(f"  median  {median.value:.6f} ± {median.error:.1e}, bin error {median.bin_error:.1e}")


def compare(name: str, summary: ensembles.Summary, law: densities.CorrelationDensity) -> None:
    gap = summary.mean.value - law.mean
    distance = abs(summary.cdf - law.cdf(EDGES)).max()
    critical = stats.kstwo.isf(0.01, summary.count)
    print(f"  against the {name}")
    print(f"    mean    {law.mean:.8f} ± {2 * law.error:.1e}: {gap:+.1e} off, {gap / summary.mean.error:+.1f} errors")
    print(f"    distribution {distance:.1e} off at most; chance alone stays below {critical:.1e} in 99 % of runs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=float, default=1e9)
    parser.add_argument("--networks", type=float, default=1e7)
    parser.add_argument("--threads", type=int, default=cores())
    asked = parser.parse_args()
    print(f"{asked.threads} threads on {cores()} cores, {platform.machine()}, NumPy {np.__version__}")
    for run, samples in ((paths, asked.paths), (finite_networks, asked.networks)):
        if samples >= 1:
            run(int(samples), asked.threads)


if __name__ == "__main__":
    main()
