"""What other networks cost beside shaped ReLU, for each neuron and layer."""

from __future__ import annotations

import numpy as np

from deeplimits import activations, networks
from deeplimits.blocks import Blocks

WIDTH, DEPTH = 500, 100
V0 = np.array([[1.0, 0.3], [0.3, 1.0]])
PHI = activations.shaped_relu(0.0, -1.0)


def test_smooth_and_residual_networks(bench):
    samples = bench.size(2048, 256)
    x0 = networks.gaussian_start(V0, WIDTH, samples=1, seed=1)[0]
    relu, linear, tanh = activations.relu(), activations.linear(), activations.plain("tanh")
    others = {
        f"ShapedMLP, {name}": networks.ShapedMLP(activations.smooth(name), WIDTH, DEPTH)
        for name in ("tanh", "erf", "silu", "gelu")
    }
    others |= {
        "ResNet, ReLU inside": networks.ResNet(Blocks(relu, linear), WIDTH, DEPTH),
        "ResNet, tanh inside": networks.ResNet(Blocks(tanh, linear), WIDTH, DEPTH),
        "ResNet, tanh inside and outside": networks.ResNet(Blocks(tanh, tanh), WIDTH, DEPTH),
    }

    def call(network):
        start = V0 if isinstance(network, networks.ShapedMLP) else x0
        return lambda seed: len(network.sample(start, samples, seed))

    laps = bench.alternate(
        lambda: networks.ShapedMLP(PHI, WIDTH, DEPTH).sample(V0, samples, seed=1),
        {name: call(network) for name, network in others.items()},
    )
    for name in others:
        bench.row(
            "cost",
            process=name,
            size=f"n = {WIDTH}, d = {DEPTH}, m = 2",
            beside="ShapedMLP, shaped ReLU",
            factor=laps.ratio(name, "ours"),
            most=2,
        )
