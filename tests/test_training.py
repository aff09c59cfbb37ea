"""Trained networks agree with the recursions of the book and with their closed forms."""

import numpy as np
import pytest
from scipy import signal as images
from trained import FILTERS, IMAGES, MODEL, TANH, WATCHED, X, Y, one

from deeplimits import networks, training
from deeplimits.activations import linear, plain, relu
from deeplimits.activations.expressions import FUNCTIONS
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.kernels import ResidualKernel
from deeplimits.training import Model, Optimiser, descent, train
from deeplimits.training.model import elementwise

# ------------------------------------------------------------------ the model


@pytest.mark.parametrize(
    "name",
    [
        *sorted(set(FUNCTIONS) - {"log", "log1p", "sqrt"}),
        "pi*x**3/(1 + sqrt(1 + x**2))",
        "log(2 + abs(x)) - log1p(e)*x",
    ],
)
def test_activations_mean_the_same_to_jax(name):
    x = np.linspace(-4, 4, 81, dtype=np.float32)
    assert np.allclose(elementwise(plain(name))(x), plain(name)(x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("activation", [linear(), relu()])
def test_rectifiers_mean_the_same_to_jax(activation):
    x = np.linspace(-4, 4, 81, dtype=np.float32)
    assert np.array_equal(elementwise(activation)(x), activation(x))


def test_a_dense_model_is_the_recursion_of_the_book():
    blocks = networks.ResNet(Blocks(plain("sin"), plain("tanh"), weight_variance=0.7, bias_variance=0.3, time=2), 6, 3)
    model = Model(blocks, 4, 2, input_variance=0.5, output_variance=3)
    p = one(model.parameters(2, seed=5), 1)
    x = X @ p["input"].T * np.sqrt(0.5 / 4)
    for weights, biases in zip(p["weights"], p["biases"], strict=True):
        x = x + np.tanh(np.sin(x) @ weights.T * np.sqrt(0.7 * 2 / 3 / 6) + biases * np.sqrt(0.3 * 2 / 3))
    assert np.allclose(model.apply(p, X), x @ p["output"].T * np.sqrt(3 / 6), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("padding, boundary", [("zero", "fill"), ("periodic", "wrap")])
def test_a_convolutional_model_is_the_recursion_of_the_book(padding, boundary):
    blocks = ConvBlocks(plain("sin"), plain("tanh"), bias_variance=0.3, padding=padding)
    model = Model(networks.ResNet(blocks, 3, 2), 2, 2)
    p = one(model.parameters(1, seed=5))
    x = IMAGES @ p["input"].T / np.sqrt(2)
    for weights, biases in zip(p["weights"].reshape(2, 3, 3, 3, 3), p["biases"], strict=True):
        h = np.zeros_like(x)
        for k, o, i in np.ndindex(4, 3, 3):
            h[k, :, :, o] += images.correlate2d(np.sin(x[k, :, :, i]), weights[o, :, :, i], "same", boundary)
        x = x + np.tanh(h * np.sqrt(1 / 2 / 3) + biases * np.sqrt(0.3 / 2))
    expected = x.mean(axis=(1, 2)) @ p["output"].T / np.sqrt(3)
    assert np.allclose(model.apply(p, IMAGES), expected, atol=1e-5)


@pytest.mark.slow
def test_the_untrained_outputs_have_the_covariance_of_the_kernel():
    blocks = networks.ResNet(Blocks(inner=linear(), outer=linear(), weight_variance=0.5, bias_variance=0.4), 5, 4)
    history = train(Model(blocks, 4, 2, 0.8, 1.5), X[:3], Y[:3], Optimiser("sgd", 0.1), 0, samples=20_000, seed=3)
    products = np.einsum("sko,slo->skl", history.outputs, history.outputs) / 2
    kernel = ResidualKernel(Blocks(linear(), linear(), 0.5, 0.4)).finite_depth(0.0, 0.8 * X[:3] @ X[:3].T / 4, 4)
    error = products.std(axis=0) / np.sqrt(len(products))
    assert np.all(np.abs(products.mean(axis=0) - 1.5 * kernel.covariance) < 5 * error)
    assert not np.all(np.abs(products.mean(axis=0) - kernel.covariance) < 5 * error)


def test_the_kernels_of_the_limit_are_the_closed_forms():
    gram, growth = X @ X.T / 4, np.e**0.6
    limit = Model(networks.ResNet(Blocks(linear(), plain("tanh"), 0.6, 0.5), 6, 3), 4, 2, 0.8, 1.2).limit(gram)
    assert np.allclose(limit.prior, 1.2 * (0.8 * growth * gram + 0.5 / 0.6 * (growth - 1)), atol=1e-9)
    assert np.allclose(limit.tangent, 1.2 * (0.8 * 2.6 * growth * gram + 0.5 / 0.6 * (1.6 * growth - 1)), atol=1e-8)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"network": "tanh"}, "network must be a networks.ResNet"),
        (
            {"network": networks.ResNet(Blocks(linear(), linear(), bias_mean=[1.0, 0.0]), 2, 2)},
            "independent parameters",
        ),
        ({"inputs": 0}, "inputs must be"),
        ({"outputs": 1.5}, "outputs must be"),
        ({"input_variance": 0}, "input_variance must be"),
        ({"output_variance": -1}, "output_variance must be"),
        ({"trained": "none"}, "trained must be one of all, blocks, output"),
    ],
)
def test_models_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Model(**({"network": TANH, "inputs": 4, "outputs": 2} | changes))


@pytest.mark.slow
@pytest.mark.parametrize("blocks, inputs", [(TANH, X), (FILTERS, IMAGES)])
def test_the_tangent_kernel_of_the_output_layer_is_that_of_the_hidden_states(blocks, inputs):
    model = Model(blocks, inputs.shape[-1], 2, output_variance=1.5, trained="output")
    start = model.parameters(3, seed=5)
    for i, found in enumerate(model.tangent_kernels(start, inputs)):
        phi = hidden(model, one(start, i), inputs)
        assert np.allclose(found, phi @ phi.T, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_linear_networks_have_the_tangent_kernel_of_their_depth_in_the_mean():
    blocks, depth, variance = networks.ResNet(Blocks(linear(), linear(), weight_variance=0.8), 6, 3), 3, 0.8
    found = {trained: Model(blocks, 4, 1, trained=trained) for trained in ("all", "blocks", "output")}
    found = {name: m.tangent_kernels(m.parameters(4_000, seed=2), X[:2])[:, 0, 1] for name, m in found.items()}
    growth, gram = 1 + variance / depth, X[0] @ X[1] / 4
    expected = {"output": growth**depth * gram, "blocks": variance * growth ** (depth - 1) * gram}
    expected["all"] = 2 * expected["output"] + expected["blocks"]
    for name, kernels_found in found.items():
        assert abs(kernels_found.mean() - expected[name]) < 5 * kernels_found.std() / np.sqrt(4_000)
    error = found["all"].std() / np.sqrt(4_000)
    assert abs(found["all"].mean() - expected["output"] - expected["blocks"]) > 5 * error  # one outer layer forgotten


def test_no_kernel_is_claimed_for_filters():
    with pytest.raises(ValueError, match="fully connected"):
        Model(FILTERS, 2, 1).limit(np.eye(2))


# ------------------------------------------------------------------ training


def hidden(model, p, x):
    """The last hidden states as features: the output of a model whose output layer is the identity."""
    identity = np.eye(model.width, dtype=np.float32)
    return np.asarray(model.apply(p | {"output": identity}, x))


@pytest.mark.slow
def test_training_the_output_layer_alone_is_linear_regression_on_the_hidden_states():
    model, at = Model(TANH, 4, 2, trained="output"), [0, 1, 30, 60]
    history = train(model, X, Y, Optimiser("sgd", 0.1), 60, samples=2, seed=4, at=at, watched=WATCHED)
    start = model.parameters(2, 4)
    for i in range(2):
        p = one(start, i)
        phi, seen = hidden(model, p, X), hidden(model, p, WATCHED)
        outputs = [np.asarray(model.apply(p, x)) for x in (X, WATCHED)]
        expected = training.follow(phi, Y, 0.1, at, seen, *outputs)
        assert np.allclose(history.outputs[i], expected.outputs, atol=2e-5)
        assert np.allclose(history.distances[i], expected.distances, atol=2e-5)
        loss = np.mean(np.sum((outputs[0] - Y) ** 2, axis=1)) / 2
        assert history.losses[i, 0] == pytest.approx(loss, rel=1e-5)
        assert np.array_equal(history.parameters["weights"][i], p["weights"])


@pytest.mark.slow
def test_a_wide_network_follows_its_own_tangent_kernel():
    def gap(width):
        blocks = Blocks(plain("sin"), plain("tanh"), bias_variance=0.3)
        model = Model(networks.ResNet(blocks, width, 2), 4, 1)
        history = train(model, X[:5], Y[:5, :1], Optimiser("sgd", 0.02), 100, samples=1, seed=4, watched=X[:8])
        p = one(model.parameters(1, 4))
        kernel = model.tangent_kernels(model.parameters(1, 4), X[:8])[0]
        phi, start = training.features(kernel), np.asarray(model.apply(p, X[:8]))
        linearised = training.follow(phi[:5], Y[:5, :1], 0.02, 100, phi, start[:5], start).outputs[0]
        return np.abs(history.outputs[0] - linearised).max(), np.abs(linearised - start).max()

    (narrow, _), (wide, moved) = gap(8), gap(256)
    assert moved > 0.5  # it has learnt something
    assert wide < 0.05 * moved and wide < 0.3 * narrow


@pytest.mark.slow
def test_adam_is_that_of_the_paper():
    model = Model(networks.ResNet(Blocks(linear(), linear(), weight_variance=0), 3, 1), 4, 1, trained="output")
    history = train(model, X, Y[:, :1], Optimiser("adam", 0.01), 3, samples=1, seed=4)
    p = one(model.parameters(1, 4))
    phi, w, m, v = hidden(model, p, X), p["output"].astype(float), 0.0, 0.0
    for step in range(1, 4):
        g = (phi @ w.T - Y[:, :1]).T @ phi / 12
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    assert np.allclose(history.parameters["output"][0], w, atol=1e-5)


def test_batches_go_through_all_inputs_in_each_epoch():
    task = descent.Task.checked(MODEL, X, Y, Optimiser("sgd", 0.1, batch=5), 6, 2, 1, None, None)
    indices = task.indices(0, 6)
    assert indices.shape == (2, 6, 5)
    for epoch in (indices[:, :2], indices[:, 2:4], indices[:, 4:]):
        assert all(len(set(own.ravel())) == 10 for own in epoch)
    assert not np.array_equal(indices[:, :2], indices[:, 2:4])
    assert np.array_equal(task.indices(3, 5), indices[:, 3:5])


@pytest.mark.slow
def test_a_network_does_not_depend_on_those_trained_beside_it():
    runs = [train(MODEL, X, Y, Optimiser("adam", 0.01, batch=4), 20, samples, 7) for samples in (1, 3)]
    assert np.array_equal(runs[0].outputs[0], runs[1].outputs[0])
    assert not np.allclose(runs[1].outputs[0], runs[1].outputs[1], atol=1e-2)


def test_training_that_diverges_says_so_instead_of_returning_nan(tmp_path):
    for _ in range(2):  # nor is it ever taken for finished
        with pytest.raises(FloatingPointError, match="diverged.*below 50"):
            train(MODEL, X, Y, Optimiser("sgd", 50), 200, 1, 1, folder=tmp_path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"inputs": X[:, :3]}, "inputs must be finite, of shape"),
        ({"inputs": X + np.nan}, "inputs must be finite"),
        ({"targets": Y[:5]}, "targets must be as many as inputs, 12, got 5"),
        ({"targets": Y[:, 0]}, "targets must be"),
        ({"watched": WATCHED[0]}, "watched must be"),
        ({"steps": -1}, "steps must be"),
        ({"samples": 0}, "samples must be"),
        ({"seed": -1}, "seed must be"),
        ({"at": [11]}, "at must be"),
        ({"at": []}, "at must name"),
        ({"optimiser": "adam"}, "Optimiser"),
        ({"optimiser": Optimiser("sgd", 0.1, batch=13)}, "batch must be at most"),
    ],
)
def test_runs_that_make_no_sense_are_refused(changes, message):
    arguments = {"inputs": X, "targets": Y, "optimiser": Optimiser("sgd", 0.1), "steps": 10, "samples": 1, "seed": 1}
    with pytest.raises(ValueError, match=message):
        train(MODEL, **(arguments | changes))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("newton", 0.1), "method must be one of sgd, adam"),
        (("sgd", 0), "rate must be"),
        (("sgd", 0.1, 0), "batch must be"),
    ],
)
def test_optimisers_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Optimiser(*arguments)
