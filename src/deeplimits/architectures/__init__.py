"""Networks as lists of blocks, with anybody's initialisation, sampled forward and backward without weight matrices.

The list reads like the network:

>>> from deeplimits.architectures import Elementwise, Attention, LayerNorm, Linear, Network, Residual, repeat
>>> attention = Residual(LayerNorm(), Attention(heads=4, causal=True))
>>> perceptron = Residual(LayerNorm(), Linear(256, gain="he"), Elementwise("gelu"), Linear(64))
>>> network = Network(repeat(12, attention, perceptron), LayerNorm(), Linear(10))

and answers like every process of the package:

>>> import numpy as np
>>> tokens = np.random.default_rng(0).standard_normal((64, 8, 1))  # width, positions, inputs
>>> network.sample(tokens, samples=20, seed=1).shape
(20, 10, 8, 1)
>>> run = network.sample(tokens, samples=20, seed=1, at=[0, 6, 12], backward=True)
>>> run.gradients.shape
(20, 3, 64, 8, 1)

Training adds outer products to matrices that are still not drawn:

>>> from deeplimits.architectures import SGD, mlp, squared, train
>>> wide = mlp([20_000, 20_000, 1])
>>> x, y = np.eye(10, 3), np.array([[1.0, -1.0, 1.0]])
>>> history = train(wide, x, squared(y), SGD(rate=1e-4, momentum=0.9), steps=5, samples=2, seed=1, at=[0, 5])
>>> history.losses.shape, bool(np.all(history.losses[:, 1] < history.losses[:, 0]))
((2, 2), True)
"""

from ._block import Block, gram
from ._sampling import Gradients
from .attention import Attention
from .composite import Repeat, Residual, Sequence, repeat, sequence
from .images import ClassToken, Convolution, Flatten, Pool, Position
from .linear import Gated, Linear, critical_gain
from .losses import Loss, cross_entropy, squared
from .network import Network
from .optimisers import SGD, Adam
from .pointwise import Elementwise, LayerNorm, RMSNorm
from .presets import gpt2, gpt3, llama, mlp, pre_norm_mlp, resnet, vit
from .tokens import Embedding, Positions, Readout
from .training import Training, train

__all__ = [
    "Elementwise",
    "Adam",
    "Attention",
    "Block",
    "ClassToken",
    "Convolution",
    "Embedding",
    "Flatten",
    "Gated",
    "Gradients",
    "LayerNorm",
    "Linear",
    "Loss",
    "Network",
    "Pool",
    "Position",
    "Positions",
    "RMSNorm",
    "Readout",
    "Repeat",
    "Residual",
    "SGD",
    "Sequence",
    "Training",
    "critical_gain",
    "cross_entropy",
    "gpt2",
    "gpt3",
    "gram",
    "llama",
    "mlp",
    "pre_norm_mlp",
    "repeat",
    "resnet",
    "sequence",
    "squared",
    "train",
    "vit",
]
