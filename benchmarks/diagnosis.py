"""How often a diagnosis suspects sound networks, and how often it finds what is wrong.

`python -m benchmarks.diagnosis` needs PyTorch and takes about twenty minutes of one core; benchmarks/README.md keeps
what it printed.
"""

from __future__ import annotations

import argparse
import math

import torch
from torch import nn

from deeplimits.own import Diagnosis, diagnose

WIDTH, DEPTH, INPUTS, OUTPUTS = 32, 4, 16, 4
LEVEL = 0.05


class Block(nn.Module):
    """A pre-norm perceptron beside a skip, its branch times a scale."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.scale = scale

    def forward(self, x):
        return x + self.scale * self.down(torch.relu(self.up(self.norm(x))))


class Model(nn.Module):
    """A small residual network."""

    def __init__(self, scale: float = DEPTH**-0.5) -> None:
        super().__init__()
        self.first = nn.Linear(INPUTS, WIDTH)
        self.blocks = nn.ModuleList(Block(scale) for _ in range(DEPTH))
        self.norm, self.last = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, OUTPUTS)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(self.norm(x))


def deviation(name: str, weight: torch.Tensor) -> float | None:
    """The design that is meant: 1 / sqrt(inputs), and 1 / sqrt(2 L) more for what ends a branch."""
    if weight.dim() < 2:
        return None
    return weight.shape[1] ** -0.5 * ((2 * DEPTH) ** -0.5 if "down" in name else 1.0)


def gaussian(seed: int) -> Model:
    """A network drawn by the design."""
    torch.manual_seed(seed)
    model = Model()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            std = deviation(name, weight)
            if std is not None:
                weight.normal_(0, std)
    return model


def uniform(seed: int) -> Model:
    """A network as PyTorch draws it."""
    torch.manual_seed(seed)
    return Model()


def wrong_gain(model: Model) -> None:
    model.blocks[2].up.weight.mul_(math.sqrt(2))


def forgotten_depth(model: Model) -> None:
    for block in model.blocks:
        block.down.weight.mul_((2 * DEPTH) ** 0.5)


def forgotten_scale(model: Model) -> None:
    for block in model.blocks:
        block.scale = 1.0


def tied_layers(model: Model) -> None:
    model.blocks[2].up.weight.copy_(model.blocks[1].up.weight)


def transposed_fan(model: Model) -> None:
    model.blocks[1].up.weight.normal_(0, model.blocks[1].up.weight.shape[0] ** -0.5)


def underflow(model: Model) -> None:
    for block in model.blocks:
        block.down.weight.mul_(1e-7)
    model.half()


def dead_layer(model: Model) -> None:
    model.blocks[3].up.bias.fill_(-20.0)


def decayed_norms(model: Model) -> None:
    for block in model.blocks:
        block.norm.weight.mul_(0.9)


#: What is wrong -> how it comes about, and the layer (a part of its name) that must be suspected.
FAULTS = {
    "gain sqrt(2) times too large in one layer": (wrong_gain, "blocks.2.up"),
    "1/sqrt(2L) forgotten in the weights": (forgotten_depth, "down"),
    "1/sqrt(L) forgotten in the forward pass": (forgotten_scale, ""),
    "two layers with the same weights": (tied_layers, "blocks.2.up"),
    "outputs counted instead of inputs": (transposed_fan, "blocks.1.up"),
    "weights below float16": (underflow, "down"),
    "a dead layer": (dead_layer, "blocks.3"),
    "weight decay of 10 % on norms": (decayed_norms, "norm"),
}


def examined(model: Model, seed: int, law=deviation) -> Diagnosis:
    """The diagnosis of a model on a batch of its own, beside the design."""
    batch = torch.randn(8, INPUTS, generator=torch.Generator().manual_seed(seed))
    return diagnose(model, batch, seed=seed, law=law, like=Model(), level=LEVEL, progress=False)


def with_fault(fault: str, seed: int) -> Diagnosis:
    """The diagnosis of a network in which something is wrong."""
    model = gaussian(seed)
    with torch.no_grad():
        FAULTS[fault][0](model)
    return examined(model, seed)


def found(fault: str, diagnosis: Diagnosis) -> bool:
    """Whether the layer is suspected."""
    return any(FAULTS[fault][1] in one.layer for one in diagnosis.suspects)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=1000, help="sound networks (default: %(default)s)")
    parser.add_argument("--faulty", type=int, default=100, help="networks for each fault (default: %(default)s)")
    asked = parser.parse_args()
    for name, make, law, count in (
        ("Gaussian", gaussian, deviation, asked.networks),
        ("as PyTorch draws them", uniform, None, max(1, asked.networks // 4)),
    ):
        alarms = sum(not examined(make(seed), seed, law).sound for seed in range(count))
        print(f"| sound, {name} | {alarms} of {count} suspected at level {LEVEL} |", flush=True)
    for fault in FAULTS:
        hits = [with_fault(fault, seed) for seed in range(asked.faulty)]
        print(f"| {fault} | {sum(found(fault, hit) for hit in hits)} of {asked.faulty} found |", flush=True)


if __name__ == "__main__":
    main()
