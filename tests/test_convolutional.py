"""Convolutional residual networks and their diffusion against exact moments on small images."""

from __future__ import annotations

import numpy as np
import pytest
from samples import LEVEL, limit_for, z_scores
from scipy import stats

from deeplimits.activations import linear, plain, relu
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.diffusions import ResidualSDE
from deeplimits.networks import ResNet
from deeplimits.networks._branches import neighbours

IMAGE = np.random.default_rng(1).standard_normal((2, 3, 3, 1)) * 0.5 + 0.7
FACTORS = {  # non-symmetric factors: of outputs, rows and columns of the filter, and inputs
    "row": np.array([[0.5, 0.4], [-0.3, 0.3]]),
    "vertical": np.array([[0.8, 0.6, 0.0], [0.0, 0.3, 0.2], [0.1, 0.0, 0.1]]),
    "horizontal": np.array([[0.2, 0.7, 0.5], [0.0, 0.1, 0.9], [0.2, 0.0, 0.1]]),
    "column": np.array([[0.3, 0.9], [0.0, 0.4]]),
}


def covariances(transposed=()):
    """Of sigma_O B (sigma_U x sigma_V x sigma_I): sigma sigma^T for outputs, sigma^T sigma for the rest."""
    found = {}
    for name, factor in FACTORS.items():
        right = (name == "row") != (name in transposed)
        found[f"{name}_covariance"] = factor @ factor.T if right else factor.T @ factor
    return found


def patches(x, kernel, padding):
    """What a filter sees: (..., channels, rows, columns) to (..., rows, columns, kernel, kernel, channels)."""
    reach = kernel // 2
    mode = {"zero": "constant", "periodic": "wrap"}[padding]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(reach, reach)] * 2, mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(-2, -1))
    return np.moveaxis(windows, -5, -1)


def one_hot_patches(channels, rows, columns, kernel, padding):
    """The linear map from images to patches: (rows columns, kernel^2 channels, channels rows columns)."""
    size = channels * rows * columns
    basis = np.eye(size).reshape(size, channels, rows, columns)
    return patches(basis, kernel, padding).reshape(size, rows * columns, -1).transpose(1, 2, 0)


def second_moments(image, depth, padding, outputs, inputs, biases):
    """E[x x^T] over channels and positions of a network linear in x, exactly, layer by layer."""
    channels, rows, columns = image.shape
    seen = one_hot_patches(channels, rows, columns, 3, padding)
    M = np.outer(image.ravel(), image.ravel())
    for _ in range(depth):
        field = np.einsum("pks,kl,qlt,st->pq", seen, inputs, seen, M, optimize=True)
        M = M + (np.kron(outputs, field) + np.kron(biases, np.ones_like(field))) / depth
    return M


def sampled_moments(x):
    flat = x.reshape(len(x), -1)
    return flat[:, :, None] * flat[:, None, :]


@pytest.mark.parametrize("padding", ["zero", "periodic"])
def test_neighbours_are_those_of_padded_windows(padding):
    image = np.arange(1, 13).reshape(1, 3, 4)
    seen = neighbours(3, 4, 3, padding)
    values = np.where(seen >= 0, image.ravel()[seen], 0)
    assert np.array_equal(values.reshape(3, 4, 3, 3), patches(image, 3, padding)[..., 0])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["field", "filters"])
@pytest.mark.parametrize("padding", ["zero", "periodic"])
def test_independent_filters_have_the_exact_second_moments(padding, method):
    depth, weight, bias = 15, 0.1, 0.3
    network = ResNet(ConvBlocks(linear(), linear(), weight, bias, padding=padding), 2, depth)
    x = network.sample(IMAGE, 20_000, 3, method=method)
    moments = sampled_moments(x)
    exact = second_moments(IMAGE[..., 0], depth, padding, np.eye(2), weight / 2 * np.eye(18), bias * np.eye(2))
    assert np.abs(z_scores(moments, exact)).max() < limit_for(18 * 19)
    per_tap = second_moments(IMAGE[..., 0], depth, padding, np.eye(2), weight / 18 * np.eye(18), bias * np.eye(2))
    assert np.abs(z_scores(moments, per_tap)).max() > limit_for(18 * 19)  # the scaling 1/(K^2 D)
    other = {"zero": "periodic", "periodic": "zero"}[padding]
    padded = second_moments(IMAGE[..., 0], depth, other, np.eye(2), weight / 2 * np.eye(18), bias * np.eye(2))
    assert np.abs(z_scores(moments, padded)).max() > limit_for(18 * 19)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "diffusion"])
def test_factorised_filters_have_the_exact_second_moments(kind):
    depth, law = 15, covariances()
    if kind == "network":
        x = ResNet(ConvBlocks(linear(), linear(), **law), 2, depth).sample(IMAGE, 20_000, 3)
    else:
        x = ResidualSDE(ConvBlocks(linear(), plain("tanh"), **law), 2).sample(IMAGE, 20_000, 3, steps=depth)
    moments = sampled_moments(x)

    def expected(law):
        inputs = np.kron(np.kron(law["vertical_covariance"], law["horizontal_covariance"]), law["column_covariance"])
        return second_moments(IMAGE[..., 0], depth, "zero", law["row_covariance"], inputs, np.zeros((2, 2)))

    assert np.abs(z_scores(moments, expected(law))).max() < limit_for(18 * 19)
    for name in FACTORS:  # each factor the wrong way round is seen
        assert np.abs(z_scores(moments, expected(covariances({name})))).max() > limit_for(18 * 19), name


@pytest.mark.parametrize("method", ["field", "filters"])
def test_one_layer_has_the_law_of_explicit_filters(method):
    """Filters sigma_O B (sigma_U x sigma_V x sigma_I), two images at once, an inner activation that is not 0 at 0."""
    draw = np.random.default_rng(4)
    x0 = draw.standard_normal((2, 3, 4, 2))
    inner, outer = plain("sigmoid"), plain("silu")
    mean = draw.standard_normal((2, 3, 3, 2))
    means = {"weight_mean": mean, "bias_mean": [0.3, -0.2]}
    network = ResNet(ConvBlocks(inner, outer, bias_variance=0.2, **means, **covariances()), 2, 1)
    x = network.sample(x0, 20_000, 3, method=method) - x0
    B = draw.standard_normal((20_000, 2, 3, 3, 2))
    W = (
        np.einsum(
            "ab,sbuvi,uw,vx,ij->sawxj",
            FACTORS["row"],
            B,
            FACTORS["vertical"],
            FACTORS["horizontal"],
            FACTORS["column"],
            optimize=True,
        )
        + mean
    )
    seen = patches(np.moveaxis(inner(np.pad(x0, [(0, 0), (1, 1), (1, 1), (0, 0)])), -1, 0), 3, "zero")[:, 1:-1, 1:-1]
    b = np.array([0.3, -0.2]) + np.sqrt(0.2) * draw.standard_normal((20_000, 2))
    h = np.einsum("souvi,mrcuvi->sorcm", W, seen, optimize=True) + b[:, :, None, None, None]
    explicit = outer(h)
    views = {
        "corner": lambda x: x[:, 0, 0, 0, 0],
        "images": lambda x: (x[..., 0] * x[..., 1]).mean((1, 2, 3)),
        "across": lambda x: x[:, 0, 1, 1, 0] * x[:, 1, 1, 2, 0],
        "square": lambda x: (x**2).mean((1, 2, 3, 4)),
    }
    for name, view in views.items():
        assert stats.ks_2samp(view(x), view(explicit)).pvalue > LEVEL / 8, name
    centred = views["square"](outer(h - b[:, :, None, None, None]))
    assert stats.ks_2samp(views["square"](x), centred).pvalue < LEVEL / 8


@pytest.mark.slow
def test_filter_of_one_tap_on_one_position_is_a_dense_layer():
    x0 = np.array([[1.0, 0.5], [0.2, -0.4], [0.3, 0.3]])
    law = (plain("tanh"), plain("silu"))
    flat, filters = Blocks(*law, 1.5, 0.5), ConvBlocks(*law, 1.5, 0.5, kernel=1)
    dense = ResNet(flat, 3, 10).sample(x0, 20_000, 3)
    image = ResNet(filters, 3, 10).sample(x0[:, None, None], 20_000, 4)
    dense_limit = ResidualSDE(flat, 3).sample(x0, 20_000, 3, steps=10)
    limit = ResidualSDE(filters, 3).sample(x0[:, None, None], 20_000, 4, steps=10)
    for one, other in ((dense, image), (dense_limit, limit)):
        for view in (lambda x: x[:, 0, 0], lambda x: (x[:, :, 0] * x[:, :, 1]).mean(1), lambda x: (x**2).mean((1, 2))):
            assert stats.ks_2samp(view(one), view(other[:, :, 0, 0])).pvalue > LEVEL / 6
    other = ResNet(Blocks(*law, 2.0, 0.5), 3, 10).sample(x0, 20_000, 3)
    assert stats.ks_2samp((other**2).mean((1, 2)), (image[:, :, 0, 0] ** 2).mean((1, 2))).pvalue < LEVEL


@pytest.mark.slow
def test_second_moments_of_tanh_networks_tend_to_the_limit_as_one_over_depth():
    exact = second_moments(IMAGE[..., 0], 4000, "zero", np.eye(2), 0.05 * np.eye(18), 0.3 * np.eye(2))[8, 8]
    gaps = []
    for depth in (4, 16):
        network = ResNet(ConvBlocks(linear(), plain("tanh"), weight_variance=0.1, bias_variance=0.3), 2, depth)
        x = network.sample(IMAGE, 20_000, 3, method="filters")[:, 0, 2, 2, 0]
        gaps.append(exact - np.mean(x**2))
    assert gaps[0] > 0
    assert 2 < gaps[0] / gaps[1] < 8


@pytest.mark.slow
def test_coarse_and_fine_diffusions_converge_on_the_same_path():
    sde, errors = ResidualSDE(ConvBlocks(plain("tanh"), plain("silu"), **covariances()), 2), []
    fine = sde.sample(IMAGE, 400, 3, steps=256)
    for steps in (4, 16, 64):
        coarse = sde.sample(IMAGE, 400, 3, steps=steps, noise_steps=256)
        errors.append(np.sqrt(np.mean((coarse - fine) ** 2) / (1 - steps / 256)))
    assert -1.1 < np.polyfit(np.log([4, 16, 64]), np.log(errors), 1)[0] < -0.4
    apart = sde.sample(IMAGE, 400, 3, steps=64)
    assert np.sqrt(np.mean((apart - fine) ** 2)) > 5 * errors[-1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["field", "filters"])
def test_same_bits_for_any_threads_and_chunks(method):
    network = ResNet(ConvBlocks(relu(), plain("tanh"), bias_variance=1, padding="periodic"), 3, 4)
    starts = np.random.default_rng(1).standard_normal((40, 3, 2, 5, 2))
    whole = network.sample(starts, 40, 7, at=[4, 0, 2], threads=1, method=method)
    assert whole.shape == (40, 3, 3, 2, 5, 2)
    assert np.array_equal(whole[:, 1], starts)
    assert np.array_equal(whole, network.sample(starts, 40, 7, at=[4, 0, 2], threads=3, method=method))
    cuts = [0, 1, 17, 40]
    parts = [
        network.sample(starts[a:b], b - a, 7, at=[4, 0, 2], first=a, method=method)
        for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    assert np.array_equal(whole, np.concatenate(parts))


def network(width=2, **law):
    return ResNet(ConvBlocks(relu(), linear(), **law), width, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": 4}, "kernel must be odd, so that it has a centre, got 4"),
        ({"kernel": 0}, "kernel must be an integer >= 1, got 0"),
        ({"padding": "reflect"}, "padding must be one of zero, periodic, got 'reflect'"),
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"vertical_covariance": np.eye(2)}, r"vertical_covariance must have shape \(3, 3\)"),
        ({"horizontal_covariance": -np.eye(3)}, "horizontal_covariance must be positive semi-definite"),
        ({"weight_mean": np.ones((2, 2))}, r"weight_mean must have shape \(2, 3, 3, 2\)"),
    ],
)
def test_bad_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        network(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": np.ones((2, 3, 3))}, r"initial must have shape \(2, rows, columns, inputs\)"),
        ({"initial": np.ones((3, 3, 3, 1))}, "initial must have shape"),
        ({"initial": np.ones((2, 0, 3, 1))}, "initial must have shape"),
        ({"method": "fft"}, "method must be one of field, filters or None, got 'fft'"),
        ({"at": [4]}, "at must be an integer >= 0 and <= 3, got 4"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        network().sample(**{"initial": np.ones((2, 3, 3, 1)), "samples": 2, "seed": 1, **arguments})


def test_activations_without_a_diffusion_limit_are_refused():
    with pytest.raises(ValueError, match="outer must have 3 continuous derivatives"):
        ResidualSDE(ConvBlocks(linear(), relu()), 2)
