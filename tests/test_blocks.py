"""Blocks: one description for a network, its diffusion and its kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.kernels import ResidualKernel
from deeplimits.networks import ResNet

SKEW = np.array([[2.0, 0.5], [0.5, 1.0]])


def test_equal_blocks_are_equal_and_so_are_what_is_made_of_them():
    one, other = (Blocks(relu(), linear(), row_covariance=SKEW.copy()) for _ in range(2))
    assert one == other and hash(one) == hash(other)
    assert ResNet(one, 2, 5) == ResNet(other, 2, 5)
    assert len({ResidualSDE(one, 2), ResidualSDE(other, 2)}) == 1
    assert one != replace(one, row_covariance=2 * SKEW)
    assert one != replace(one, time=2.0)
    assert Blocks(relu(), linear()) != ConvBlocks(relu(), linear())


def test_a_network_its_diffusion_and_its_kernel_come_from_one_description():
    blocks, x0 = Blocks(linear(), linear(), weight_variance=0.5), np.ones((2000, 1))
    network, limit = ResNet(blocks, 2000, 64).sample(x0, 50, 1), ResidualSDE(blocks, 2000).sample(x0, 50, 2, steps=64)
    wide = ResidualKernel(blocks).at(1.0, 0.0).covariance[0, 0]
    for states in (network, limit):
        # A neuron's variance at infinite width, with the error of 64 steps and of 50 networks.
        assert np.mean((states - 1) ** 2) == pytest.approx(wide, rel=0.02)


def test_matrices_fix_the_width():
    blocks = Blocks(relu(), linear(), weight_mean=np.ones((2, 2)))
    assert ResNet(blocks, 2, 3).width == 2
    for make in (lambda: ResNet(blocks, 3, 3), lambda: ResidualSDE(blocks, 3)):
        with pytest.raises(ValueError, match=r"weight_mean must have shape \(3, 3\), got \(2, 2\)"):
            make()


@pytest.mark.parametrize(
    "make", [lambda blocks: ResNet(blocks, 2, 3), lambda blocks: ResidualSDE(blocks, 2), ResidualKernel]
)
def test_what_is_no_blocks_is_refused(make):
    for wrong in (relu(), None, 3, {"inner": relu()}):
        with pytest.raises(ValueError, match="blocks must be"):
            make(wrong)


def test_what_filters_cannot_do_is_refused():
    image, filters = np.ones((2, 3, 3, 1)), ConvBlocks(relu(), linear())
    for call in (
        lambda: ResNet(filters, 2, 3).jacobians(image, 1, 1),
        lambda: ResNet(filters, 2, 3).ntk(image, 1, 1),
        lambda: ResidualSDE(filters, 2).jacobians(image, 1, 1),
        lambda: ResidualKernel(filters),
    ):
        with pytest.raises(ValueError, match="blocks must be dense"):
            call()
    with pytest.raises(ValueError, match="method must be one of rows, weights or None, got 'field'"):
        ResNet(Blocks(relu(), linear()), 2, 3).sample(np.ones((2, 1)), 1, 1, method="field")


def test_dependent_parameters_have_no_kernel():
    with pytest.raises(ValueError, match="independent parameters"):
        ResidualKernel(Blocks(plain("tanh"), linear(), bias_mean=[0.0, 1.0]))
