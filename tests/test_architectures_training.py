"""Training without weights, against the textbook on drawn matrices and against networks with weights in law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits.architectures import (
    SGD,
    Adam,
    Elementwise,
    LayerNorm,
    Linear,
    Network,
    cross_entropy,
    mlp,
    repeat,
    squared,
    train,
)
from deeplimits.architectures._parameters import Vector, Weight
from deeplimits.lazy import GaussianMatrix

SAMPLES, STEPS = 1500, 3
X = np.random.default_rng(0).standard_normal((10, 3))
Y = np.array([[1.0, -1.0, 0.5]])
NETWORK = Network(
    Linear(16, "he", bias=0.3), LayerNorm(), repeat(2, Linear(16, 1.4), Elementwise("tanh"), tied=True), Linear(1)
)
RULES = {
    "descent": (SGD(0.3), {}),
    "momentum": (SGD(0.2, momentum=0.9), {"momentum": 0.9}),
    "decay": (SGD(0.2, momentum=0.9, decay=0.4), {"momentum": 0.9, "decay": 0.4}),
    "nesterov": (SGD(0.2, momentum=0.8, decay=0.2, nesterov=True), {"momentum": 0.8, "decay": 0.2, "nesterov": True}),
}


def stepped(w, g, memory, rate, momentum=0.0, decay=0.0, nesterov=False):
    """PyTorch's rule, one parameter at a time."""
    g = g + decay * w
    v = momentum * memory + g
    return w - rate * (g + momentum * v if nesterov else v), v


def adam(w, g, memory, step, rate, decay):
    m, s = memory
    m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
    return (1 - rate * decay) * w - rate * (m / (1 - 0.9**step)) / (jnp.sqrt(s / (1 - 0.999**step)) + 1e-8), (m, s)


@pytest.mark.parametrize("size", [(60, 50), (9, 12)])
@pytest.mark.parametrize("rule", RULES)
def test_a_lazy_matrix_moves_as_one_that_is_drawn(rule, size):
    optimiser, how = RULES[rule]
    draw = np.random.default_rng(1)
    lazy = Weight(GaussianMatrix(*size, 0.4, 1, "w", samples=2, method="lazy"), rate=0.5)
    steps = [(draw.standard_normal((2, size[0], 2)), draw.standard_normal((2, size[1], 2))) for _ in range(4)]
    seen = []
    for D, G in steps:
        lazy.pending = [(D[:, :, :1], G[:, :, :1]), (D[:, :, 1:], G[:, :, 1:])]
        optimiser.move(lazy)
        seen.append((lazy.ask(G), lazy.ask_left(D)))
    assert (lazy.array is None) == (size == (60, 50))
    W = lazy.matrix.dense()
    v = np.zeros_like(W)
    for (D, G), (right, left) in zip(steps, seen, strict=True):
        W, v = stepped(W, D @ G.swapaxes(1, 2), v, 0.5 * optimiser.rate, **how)
        assert np.allclose(W @ G, right, atol=1e-11) and np.allclose(W.swapaxes(1, 2) @ D, left, atol=1e-11)


def twin(key):
    """The parameters of `NETWORK`, drawn."""
    first, bias, tied, last = jax.random.split(key, 4)
    return {
        "first": (2 / 10) ** 0.5 * jax.random.normal(first, (16, 10)),
        "bias": 0.3 * jax.random.normal(bias, (16, 1)),
        "gain": jnp.ones((16, 1)),
        "shift": jnp.zeros((16, 1)),
        "tied": 0.35 * jax.random.normal(tied, (16, 16)),
        "last": 0.25 * jax.random.normal(last, (1, 16)),
    }


def output(p, x):
    z = p["first"] @ x + p["bias"]
    z = z - z.mean(0)
    h = p["gain"] * z / jnp.sqrt((z**2).mean(0) + 1e-5) + p["shift"]
    for _ in range(2):
        h = jnp.tanh(p["tied"] @ h)
    return p["last"] @ h


def trained_twin(rule):
    """Outputs before, after one step and after three, of networks with weights."""

    def one(key):
        p, seen = twin(key), []
        memory = {name: jnp.zeros_like(w) for name, w in p.items()}
        memory = {name: (m, m) for name, m in memory.items()} if rule is None else memory
        for step in range(STEPS + 1):
            seen.append(output(p, X)[0])
            g = jax.grad(lambda p: jnp.sum((output(p, X) - Y) ** 2) / 6)(p)
            moved = {
                name: adam(p[name], g[name], memory[name], step + 1, 0.05, 0.5)
                if rule is None
                else stepped(p[name], g[name], memory[name], RULES[rule][0].rate, **RULES[rule][1])
                for name in p
            }
            p, memory = ({name: both[k] for name, both in moved.items()} for k in range(2))
        return jnp.stack(seen)

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), SAMPLES))
    return statistics(np.asarray(found, np.float64))


def statistics(outputs):
    """Shapes: (samples, times, inputs) -> (samples, count)."""
    return np.concatenate(
        [outputs.reshape(len(outputs), -1), outputs[:, -1] * outputs[:, 0], outputs[:, 1] - outputs[:, 0]], axis=1
    )


def trained(optimiser, network=NETWORK, method=None):
    found = train(network, X, squared(Y), optimiser, STEPS, SAMPLES, seed=1, at=range(STEPS + 1), method=method)
    return statistics(found.outputs[:, :, 0])


def smallest_p(a, b):
    return min(stats.ks_2samp(a[:, k], b[:, k]).pvalue for k in range(a.shape[1]))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["descent", "decay"])
def test_trained_networks_have_the_law_of_networks_with_weights(rule, monkeypatch):
    expected = trained_twin(rule)
    assert smallest_p(trained(RULES[rule][0]), expected) > LEVEL / 60
    if rule == "decay":
        assert smallest_p(trained(RULES["momentum"][0]), expected) < 1e-9
        right = GaussianMatrix.ask_left
        monkeypatch.setattr(
            GaussianMatrix,
            "ask_left",
            lambda self, G: right(
                GaussianMatrix(self.outputs, self.inputs, self.std, 99, self.name, samples=self.samples, method="lazy"),
                G,
            ),
        )
        assert smallest_p(trained(RULES[rule][0], method="lazy"), expected) < 1e-9


@pytest.mark.slow
def test_adam_trains_matrices_that_are_drawn_whole():
    assert smallest_p(trained(Adam(0.05, decay=0.5)), trained_twin(None)) > LEVEL / 60


def test_a_matrix_stays_lazy_or_is_drawn_with_the_same_law():
    lazy, dense = (trained(RULES["decay"][0], method=method) for method in ("lazy", "dense"))
    assert smallest_p(lazy, dense) > LEVEL / 20


def test_wide_networks_are_trained_without_their_weights():
    history = train(mlp([30_000, 30_000, 1]), X, squared(Y), SGD(3e-5), 4, 2, 1, at=[4, 0])
    assert history.losses.shape == (2, 2) and np.all(history.losses[:, 0] < history.losses[:, 1])


@pytest.mark.parametrize("watched", [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0], [[np.nan]], "x"])
def test_watched_inputs_that_the_network_does_not_take_are_refused_by_name(watched):
    with pytest.raises(ValueError, match="^watched must"):
        train(mlp([8, 1]), [[1.0]], squared([[1.0]]), SGD(0.05), steps=1, samples=2, seed=1, watched=watched)


def test_batches_go_round_and_watched_inputs_are_seen():
    network = mlp([30, 1], "tanh")
    single = train(network, X[:, :1], squared(Y[:, :1]), SGD(0.1), 1, 4, 1, watched=X)
    batched = train(network, X, squared(Y), SGD(0.1), 1, 4, 1, batch=1)
    assert np.allclose(single.outputs, batched.outputs) and single.outputs.shape == (4, 1, 3)
    thrice = train(network, X, squared(Y), SGD(0.1), 4, 4, 1, batch=1, at=[1, 4])
    assert np.allclose(thrice.outputs[:, 0], batched.outputs)
    assert not np.allclose(thrice.outputs[:, 1], batched.outputs)


def test_losses_are_what_they_say_and_their_gradients_derivatives():
    y = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    labels = np.arange(12).reshape(4, 3) % 5
    chance = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    picked = np.take_along_axis(chance, labels[None, None].repeat(2, 0), 1)
    assert np.allclose(cross_entropy(labels).value(y), -np.log(picked).mean((1, 2, 3)))
    for loss in (cross_entropy(labels), squared(np.ones((5, 4, 3)))):
        change, step = np.random.default_rng(1).standard_normal(y.shape), 1e-6
        slope = (loss.value(y + step * change) - loss.value(y - step * change)) / (2 * step)
        assert np.allclose(slope, np.sum(loss(y) * change, (1, 2, 3)), rtol=1e-6)
    run = mlp([8, 5]).sample(X, 3, 1, at=[1], backward=cross_entropy(np.array([0, 4, 2])))
    assert run.gradients.shape == (3, 1, 8, 3)


def test_vectors_move_like_matrices():
    vector, w, v = Vector(np.ones((1, 4)), 1.0), np.ones((2, 4)), 0.0
    for g in np.random.default_rng(0).standard_normal((3, 2, 4)):
        vector.add_gradient(g)
        RULES["nesterov"][0].move(vector)
        w, v = stepped(w, g, v, 0.2, 0.8, 0.2, True)
    assert np.allclose(vector.value, w)


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: SGD(0.0), "rate"),
        (lambda: SGD(0.1, momentum=1.0), "momentum"),
        (lambda: SGD(0.1, decay=-1), "decay"),
        (lambda: Adam(0.1, betas=(1.0, 0.9)), "betas"),
        (lambda: squared([[np.inf]]), "targets"),
        (lambda: cross_entropy([0.5]), "labels"),
        (lambda: cross_entropy([0, 9]).value(np.ones((1, 3, 2))), "labels"),
        (lambda: Adam(0.1, betas=0.9), "betas"),
        (lambda: cross_entropy([[0, 1], [2]]), "labels"),
        (lambda: squared(Y).value(None), "y must"),
        (lambda: train("mlp", X, squared(Y), SGD(0.1), 1, 1, 1), "network"),
        (lambda: train(NETWORK, X, squared(Y), "sgd", 1, 1, 1), "optimiser"),
        (lambda: train(NETWORK, X, squared(Y[:, :2]), SGD(0.1), 1, 1, 1), "loss"),
        (lambda: train(NETWORK, X, squared(Y), SGD(0.1), 1, 1, 1, batch=4), "batch"),
        (lambda: train(NETWORK, X, squared(Y), SGD(0.1), 1, 1, 1, at=[2]), "at"),
        (lambda: train(NETWORK, X, squared(np.ones((2, 3))), SGD(0.1), 1, 1, 1), "targets"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_divergence_is_an_error():
    with pytest.raises(FloatingPointError, match="rate below"):
        train(mlp([20, 20, 1]), X, squared(Y), SGD(1e6), 60, 2, 1)
