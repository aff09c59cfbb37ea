"""Training agrees with its closed forms, resumes to the bit, and believes no damaged file."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import signal as images
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.kernel_ridge import KernelRidge

from deeplimits import networks, training
from deeplimits.activations import linear, plain, relu
from deeplimits.activations.expressions import FUNCTIONS
from deeplimits.blocks import Blocks, ConvBlocks
from deeplimits.kernels import ResidualKernel
from deeplimits.training import Model, Optimiser, _checkpoints, descent, train
from deeplimits.training.model import elementwise

RNG = np.random.default_rng(1)
X, Y, WATCHED = RNG.standard_normal((12, 4)), RNG.standard_normal((12, 2)), RNG.standard_normal((5, 4))
TANH = networks.ResNet(Blocks(inner=linear(), outer=plain("tanh"), bias_variance=0.3), 6, 3)
MODEL = Model(TANH, inputs=4, outputs=2)
FILTERS = networks.ResNet(ConvBlocks(inner=plain("tanh"), outer=plain("tanh"), bias_variance=0.3), 3, 2)
IMAGES = RNG.standard_normal((4, 5, 4, 2))


def one(parameters, sample=0):
    return {name: array[sample] for name, array in parameters.items()}


# ------------------------------------------------------------------ regression


def descended(phi, y, rate, steps, start=0.0):
    w = np.zeros((phi.shape[1], y.shape[1]))
    for _ in range(steps):
        w -= rate * phi.T @ (start + phi @ w - y) / len(phi)
    return w


@pytest.mark.parametrize("rate", [0.05, 0.8])
def test_gradient_descent_of_a_linear_model_has_this_closed_form(rate):
    start, seen_start = RNG.standard_normal((12, 2)), RNG.standard_normal((5, 2))
    found = training.follow(X, Y, rate, [0, 1, 7, 300], WATCHED, start, seen_start)
    for place, steps in enumerate([0, 1, 7, 300]):
        w = descended(X, Y, rate, steps, start)
        assert np.allclose(found.outputs[place], seen_start + WATCHED @ w, rtol=0, atol=1e-11)
        assert found.distances[place] == pytest.approx(np.linalg.norm(w), abs=1e-11)


def test_it_ends_at_least_squares_of_least_norm_whatever_the_rate():
    wide, seen = RNG.standard_normal((3, 6)), RNG.standard_normal((2, 6))
    for phi, at in ((X, WATCHED), (wide, seen)):
        expected = at @ np.linalg.lstsq(phi, Y[: len(phi)])[0]
        for rate in (0.1, 0.3):
            assert np.allclose(training.follow(phi, Y[: len(phi)], rate, np.inf, at).outputs[0], expected, atol=1e-9)


def test_regression_with_noise_is_that_of_scikit_learn():
    found = training.ridge(X, Y, 0.3, WATCHED)
    assert np.allclose(found, KernelRidge(alpha=0.3).fit(X, Y).predict(WATCHED), atol=1e-12)
    gaussian = GaussianProcessRegressor(kernels.DotProduct(0.0, "fixed"), alpha=0.3, optimizer=None).fit(X, Y)
    assert np.allclose(found, gaussian.predict(WATCHED), atol=1e-12)


def test_features_have_the_inner_products_of_the_kernel():
    K = X @ X.T  # of rank 4
    phi = training.features(K)
    assert np.allclose(phi @ phi.T, K, atol=1e-12)
    expected = training.follow(X[:8], Y[:8], 0.2, [3, np.inf], X[8:])
    found = training.follow(phi[:8], Y[:8], 0.2, [3, np.inf], phi[8:])
    assert np.allclose(found.outputs, expected.outputs, atol=1e-7)
    assert np.allclose(found.distances, expected.distances, atol=1e-7)


def test_the_likelihood_is_that_of_a_normal_law():
    K = np.stack([X @ X.T, 2 * X @ X.T + 1])
    expected = [-stats.multivariate_normal(cov=k + 0.2 * np.eye(12)).logpdf(Y[:, 0]) / 12 for k in K]
    assert np.allclose(training.negative_log_likelihood(K, Y[:, 0], 0.2), expected, rtol=1e-12)


def test_a_rate_at_which_descent_diverges_is_refused_and_the_largest_named():
    largest = 2 * 12 / np.linalg.norm(X, 2) ** 2
    with pytest.raises(ValueError, match=f"rate must be below {largest:.4g}"):
        training.follow(X, Y, 1.01 * largest, [1], WATCHED)
    training.follow(X, Y, 0.99 * largest, [1], WATCHED)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: training.follow(X, Y[:3], 0.1, [1], WATCHED), "features, targets and watched"),
        (lambda: training.follow(X, Y, 0.1, [1], WATCHED[:, :3]), "features, targets and watched"),
        (lambda: training.follow(X, Y, 0.1, [-1], WATCHED), "at must be steps"),
        (lambda: training.follow(X, Y, 0.1, [1.5], WATCHED), "at must be steps"),
        (lambda: training.follow(X, np.full_like(Y, np.nan), 0.1, [1], WATCHED), "finite"),
        (lambda: training.ridge(X, Y, 0, WATCHED), "noise must be"),
        (lambda: training.ridge(X, Y[:, 0], 1, WATCHED), "features, targets and watched"),
        (lambda: training.features([[1.0, 2.0], [2.0, 1.0]]), "kernel must be positive semi-definite"),
        (lambda: training.negative_log_likelihood(-np.eye(12), Y[:, 0], 0.1), "kernel"),
        (lambda: training.negative_log_likelihood(np.eye(3), Y[:, 0], 0.1), "kernel and targets"),
    ],
)
def test_regressions_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


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


@pytest.mark.parametrize("blocks, inputs", [(TANH, X), (FILTERS, IMAGES)])
def test_the_tangent_kernel_of_the_output_layer_is_that_of_the_hidden_states(blocks, inputs):
    model = Model(blocks, inputs.shape[-1], 2, output_variance=1.5, trained="output")
    start = model.parameters(3, seed=5)
    for i, found in enumerate(model.tangent_kernels(start, inputs)):
        phi = hidden(model, one(start, i), inputs)
        assert np.allclose(found, phi @ phi.T, rtol=1e-4, atol=1e-5)


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


# ------------------------------------------------------------------ large runs


@pytest.fixture
def recompiled():
    yield
    descent._look.cache_clear()


@pytest.mark.parametrize("blocks, inputs", [(TANH, X), (FILTERS, IMAGES)])
def test_many_images_are_looked_at_in_blocks_with_the_same_outputs(blocks, inputs, monkeypatch, recompiled):
    run = Model(blocks, inputs.shape[-1], 2), inputs, Y[: len(inputs)], Optimiser("sgd", 0.1), 2, 2, 3
    expected = train(*run)
    size = descent.hidden(run[0], inputs)
    assert size == (6 if blocks is TANH else 5 * 4 * 9 * 3)
    monkeypatch.setattr(descent, "ROOM", 3 * size)
    descent._look.cache_clear()
    found = train(*run)
    assert np.allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)
    assert np.allclose(found.losses, expected.losses, rtol=1e-5)


def test_long_steps_are_done_one_by_one_so_that_a_run_can_be_saved(monkeypatch, tmp_path):
    def task(width, samples=2):
        blocks = networks.ResNet(Blocks(linear(), plain("tanh")), width, width)
        return descent.Task.checked(Model(blocks, 4, 2), X, Y, Optimiser("sgd", 0.1), 10, samples, 1, None, None)

    assert task(4).chunk == descent.CHUNK and task(1000).chunk == 1
    assert task(300, samples=2).chunk > task(300, samples=4).chunk > 1
    expected = train(*RUNS["adam on batches"])
    monkeypatch.setattr(descent, "WORK", 1)
    monkeypatch.setattr(descent, "PAUSE", 0)
    saved = []
    monkeypatch.setattr(_checkpoints.Checkpoint, "save", lambda own, arrays: saved.append(int(arrays["step"])))
    same(train(*RUNS["adam on batches"], folder=tmp_path), expected)
    assert saved == list(range(121))


# ------------------------------------------------------------------ interruptions


class Interrupted:
    """A progress bar during which someone presses Ctrl-C, or worse."""

    at_call, action = 3, None

    def __init__(self, *_):
        self.calls = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def at(self, done):
        self.calls += 1
        if self.calls == self.at_call:
            self.action()


def press():
    raise KeyboardInterrupt


RUNS = {
    "adam on batches": (MODEL, X, Y, Optimiser("adam", 0.01, batch=5), 120, 2, 3, [0, 40, 90, 120]),
    "filters": (Model(FILTERS, 2, 2), IMAGES, Y[:4], Optimiser("sgd", 0.05), 60, 2, 3, [60, 10]),
}


def same(one, other):
    assert all(np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
    assert all(np.array_equal(one.parameters[name], other.parameters[name]) for name in one.parameters)


def no_work(*_):
    raise AssertionError("this run should not train")


@pytest.mark.parametrize("name", RUNS)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(name, tmp_path, monkeypatch):
    expected = train(*RUNS[name])
    with monkeypatch.context() as patch:
        patch.setattr(descent, "Progress", Interrupted)
        patch.setattr(Interrupted, "action", staticmethod(press))
        with pytest.raises(KeyboardInterrupt):
            train(*RUNS[name], folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    steps, advanced = descent.Run.walk, []
    monkeypatch.setattr(descent.Run, "walk", lambda run: (advanced.append(s) or s for s in steps(run)))
    same(train(*RUNS[name], folder=tmp_path), expected)
    assert min(advanced) > 25, "it began again"
    monkeypatch.setattr(descent, "_advance", no_work)
    same(train(*RUNS[name], folder=tmp_path), expected)
    with pytest.raises(AssertionError, match="should not train"):
        train(*RUNS[name][:6], 4, RUNS[name][7], folder=tmp_path)  # another seed is another run


KILLED = """
import os, pickle, signal, sys
from deeplimits.training import descent
descent.PAUSE = 0
descent.Progress.at = lambda bar, done: os.kill(os.getpid(), signal.SIGKILL) if done > bar.total / 2 else None
descent.train(*pickle.load(sys.stdin.buffer), folder=sys.argv[1])
"""


def test_a_killed_run_resumes(tmp_path):
    run, environment = RUNS["adam on batches"], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], input=pickle.dumps(run), env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.npz"))) == 1
    same(train(*run, folder=tmp_path), train(*run))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "of another run", "an array", "other numbers"])
def test_a_damaged_checkpoint_is_not_believed(damage, tmp_path):
    expected = train(*RUNS["adam on batches"], folder=tmp_path)
    path = next(tmp_path.iterdir())
    body = bytearray(path.read_bytes())
    if damage == "of another run":
        train(*RUNS["adam on batches"][:6], 4, folder=tmp_path)
        other = next(p for p in tmp_path.iterdir() if p != path)
        other.replace(path)
    elif damage == "an array":
        np.save(path.open("wb"), np.ones(3))
    elif damage == "other numbers":
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        np.savez(path, **{name: 2 * one if one.dtype.kind == "f" else one for name, one in arrays.items()})
    else:
        body[len(body) // 2] ^= 255
        path.write_bytes({"truncated": body[:-30], "flipped": body, "empty": b""}[damage])
    with pytest.warns(RuntimeWarning, match="is damaged or another file"):
        same(train(*RUNS["adam on batches"], folder=tmp_path), expected)
    same(train(*RUNS["adam on batches"], folder=tmp_path), expected)


def test_a_run_is_told_apart_by_the_code_of_its_networks_and_their_activations(monkeypatch):
    before, read, files = _checkpoints.fingerprint(1), Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: (files.append(path.parent.name), read(path) + b" ")[1])
    assert _checkpoints.fingerprint(1) != before and set(files) == {"training", "activations"}


# ------------------------------------------------------------------ progress

IN_A_KERNEL = """
import time
from deeplimits import _progress
_progress.PAUSE = _progress.PATIENCE = 0
print("before")
for bar in (_progress.Progress(4, True), _progress.Progress(4, True)):
    with bar:
        for done in (1, 2, 4):
            time.sleep(0.01)
            bar.at(done)
"""


@pytest.mark.parametrize("watched", [True, False])
def test_in_a_notebook_progress_is_one_line_that_changes_in_place_and_is_cleared(watched):
    """Whoever runs a cell can be asked for input; a notebook that is executed as a whole cannot, and stays clean."""
    manager = pytest.importorskip("jupyter_client.manager")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    kernel, client = manager.start_new_kernel(kernel_name="python3", env=environment)
    try:
        shown = []
        answer = client.execute_interactive(IN_A_KERNEL, allow_stdin=watched, timeout=60, output_hook=shown.append)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert answer["content"]["status"] == "ok", answer["content"]
    shown = [message for message in shown if message["msg_type"] not in ("status", "execute_input")]
    assert shown.pop(0)["content"] == {"name": "stdout", "text": "before\n"}
    lines = [message["content"] for message in shown if "display_data" in message["msg_type"]]
    assert len(shown) == len(lines)
    if not watched:
        assert not lines
        return
    texts = [line["data"]["text/plain"] for line in lines]
    assert len({line["transient"]["display_id"] for line in lines}) == 1
    assert sum(m["msg_type"] == "display_data" for m in shown) == 1
    assert " 25%  1 of 4 samples" in texts[0] and "100%" in texts[-2] and texts[3] == texts[-1] == ""


# ------------------------------------------------------------------ libraries


def test_the_package_does_without_jax_until_it_trains():
    program = "import sys; import deeplimits.training; sys.exit('jax' in sys.modules or 'optax' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


@pytest.mark.parametrize("library", ["jax", "optax"])
def test_a_missing_library_is_named_with_its_remedy(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"pip install deeplimits\[training\]"):
        train(MODEL, X, Y, Optimiser("sgd", 0.1), 1, 1, 1)
