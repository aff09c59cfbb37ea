"""Small models to be trained, and what they are trained on."""

import numpy as np

from deeplimits import networks
from deeplimits.activations import linear, plain
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.training import Model

RNG = np.random.default_rng(1)
X, Y, WATCHED = RNG.standard_normal((12, 4)), RNG.standard_normal((12, 2)), RNG.standard_normal((5, 4))
TANH = networks.ResNet(Blocks(inner=linear(), outer=plain("tanh"), bias_variance=0.3), 6, 3)
MODEL = Model(TANH, inputs=4, outputs=2)
FILTERS = networks.ResNet(ConvBlocks(inner=plain("tanh"), outer=plain("tanh"), bias_variance=0.3), 3, 2)
IMAGES = RNG.standard_normal((4, 5, 4, 2))


def one(parameters, sample=0):
    return {name: array[sample] for name, array in parameters.items()}
