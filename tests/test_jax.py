"""Dense layers for JAX without weights against layers with them."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits.jax import weightless, weightless_dense

jax = pytest.importorskip("jax")
jnp = jax.numpy
SAMPLES = 1500
X = jax.random.normal(jax.random.key(0), (3, 10))


def with_weights(key, x, outputs, std=None):
    W = jax.random.normal(key, (outputs, x.shape[-1])) * (x.shape[-1] ** -0.5 if std is None else std)
    return x @ W.T


def network(dense, key, x):
    keys = jax.random.split(key, 3)
    h = jnp.tanh(dense(keys[0], x, 16, 0.5))
    h = jax.nn.relu(h + dense(keys[1], h, 16))
    return dense(keys[2], h, 4)


def seen(dense, key, mapped=False):
    """Norms, angles and gradients of one network."""
    call = (lambda x: jax.vmap(lambda one: network(dense, key, one))(x)) if mapped else partial_network(dense, key)
    y, back = jax.vjp(call, X)
    g = back(y)[0]
    return jnp.stack(
        [jnp.log(jnp.sum(y[0] ** 2)), y[0] @ y[1], jnp.log(jnp.sum(g**2)), g[0] @ g[2], jnp.sum(g * X), g[1, 0]]
    )


def partial_network(dense, key):
    return lambda x: network(dense, key, x)


def drawn(dense, seed=1, **how):
    keys = jax.random.split(jax.random.key(seed), SAMPLES)
    return np.asarray(jax.jit(jax.vmap(lambda key: seen(dense, key, **how)))(keys), np.float64)


@pytest.fixture(scope="module")
def expected():
    return drawn(with_weights, 2)


def smallest_p(a, b):
    return min(stats.ks_2samp(a[:, k], b[:, k]).pvalue for k in range(a.shape[1]))


@pytest.mark.slow
@pytest.mark.parametrize("mapped", [False, True])
def test_outputs_and_gradients_have_the_law_of_layers_with_weights(mapped, expected):
    assert smallest_p(drawn(weightless_dense, mapped=mapped), expected) > LEVEL / 12


@pytest.mark.slow
def test_the_test_sees_a_transpose_that_is_drawn_anew(expected):
    @jax.custom_vjp
    def unconditioned(key, x, W):
        return x @ W.T

    def backward(kept, g):
        key, W = kept
        return None, g @ jax.random.normal(jax.random.fold_in(key, 7), W.shape) * W.shape[1] ** -0.5, None

    unconditioned.defvjp(lambda key, x, W: (x @ W.T, (key, W)), backward)

    def dense(key, x, outputs, std=None):
        return unconditioned(key, x, with_weights(key, jnp.eye(x.shape[-1]), outputs, std).T)

    assert smallest_p(drawn(dense), expected) < 1e-9


@pytest.mark.slow
def test_rows_keys_and_cotangents_can_be_mapped_in_any_order():
    keys = jax.random.split(jax.random.key(3), 4)
    whole = jax.vmap(lambda key: weightless_dense(key, X, 20))(keys)
    inside = jax.vmap(lambda key: jax.vmap(lambda x: weightless_dense(key, x, 20))(X))(keys)
    outside = jax.vmap(lambda x: jax.vmap(lambda key: weightless_dense(key, x, 20))(keys), out_axes=1)(X)
    assert np.allclose(whole, inside, atol=1e-5) and np.allclose(whole, outside, atol=1e-5)
    assert not np.allclose(whole[0], whole[1])
    y, back = jax.vjp(lambda x: weightless_dense(keys[0], x, 6), X)
    J = jax.jacrev(lambda x: weightless_dense(keys[0], x, 6))(X[0])
    assert J.shape == (6, 10) and np.allclose(J @ X[0], weightless_dense(keys[0], X[0], 6), atol=1e-5)
    assert np.allclose(jnp.sum(back(y)[0] * X), jnp.sum(y**2), rtol=1e-5)


@pytest.mark.slow
def test_nearly_parallel_and_equal_rows_keep_what_they_share():
    x = jnp.stack([X[0], X[0] + 1e-4 * X[1], X[0], 0 * X[0]])
    y = weightless_dense(jax.random.key(1), x, 5000)
    assert np.allclose(y[0], y[2], atol=1e-5) and not np.any(y[3])
    expected = 1e-4 * float(jnp.linalg.norm(X[1])) * 500**0.5
    assert float(jnp.linalg.norm(y[1] - y[0])) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_models_of_equinox_lose_their_weights():
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.MLP(10, 2, 64, 2, key=jax.random.key(0))

    @jax.jit
    @jax.vmap
    def looks(key):
        y = jax.vmap(weightless(model, key))(X)
        return jnp.stack([y[0] @ y[1], y[0, 0]])

    @jax.jit
    @jax.vmap
    def expected(key):
        def gaussian(layer, key):
            W = jax.random.normal(key, layer.weight.shape) * (3 * layer.in_features) ** -0.5
            return eqx.tree_at(lambda one: one.weight, layer, W)

        layers = [gaussian(layer, one) for layer, one in zip(model.layers, jax.random.split(key, 3), strict=True)]
        y = jax.vmap(eqx.tree_at(lambda one: one.layers, model, tuple(layers)))(X)
        return jnp.stack([y[0] @ y[1], y[0, 0]])

    a, b = (
        np.asarray(call(jax.random.split(jax.random.key(seed), SAMPLES)), np.float64)
        for seed, call in ((1, looks), (2, expected))
    )
    assert smallest_p(a, b) > LEVEL / 2
    grown = eqx.filter_grad(lambda model: jnp.sum(jax.vmap(weightless(model, jax.random.key(1)))(X) ** 2))(model)
    assert any(np.any(np.asarray(leaf)) for leaf in jax.tree_util.tree_leaves(grown))
    with pytest.raises(ValueError, match="Linear"):
        weightless(eqx.nn.Identity(), jax.random.key(0))
    wide = eqx.filter_eval_shape(lambda: eqx.nn.Linear(10, 10**6, key=jax.random.key(0)))
    assert weightless(wide, jax.random.key(0), law=lambda name, layer: 0.0)(X[0]).shape == (10**6,)


def perceptron(nnx):
    """A model of Flax with layers in a list and a norm."""

    class Perceptron(nnx.Module):
        def __init__(self, rngs):
            law = jax.nn.initializers.normal(0.3)
            self.layers = nnx.List([nnx.Linear(size, 32, kernel_init=law, rngs=rngs) for size in (10, 32)])
            self.norm, self.last = nnx.LayerNorm(32, rngs=rngs), nnx.Linear(32, 2, kernel_init=law, rngs=rngs)

        def __call__(self, x):
            for layer in self.layers:
                x = jnp.tanh(layer(x))
            return self.last(self.norm(x))

    return Perceptron


@pytest.mark.slow
def test_models_of_flax_lose_their_weights():
    nnx = pytest.importorskip("flax.nnx")
    model = perceptron(nnx)(nnx.Rngs(0))

    def looks(make):
        @jax.jit
        @jax.vmap
        def of(key):
            y, back = jax.vjp(make(key), X)
            g = back(y)[0]
            return jnp.stack([y[0] @ y[1], y[0, 0], jnp.sum(g**2), jnp.sum(g * X)])

        return np.asarray(of(jax.random.split(jax.random.key(7), SAMPLES)), np.float64)

    def right(name, layer):
        return 0.3

    found = looks(lambda key: weightless(model, key, law=right))
    expected = looks(lambda key: perceptron(nnx)(nnx.Rngs(key)))
    assert smallest_p(found, expected) > LEVEL / 4
    own = looks(lambda key: weightless(model, key, law="own"))
    assert smallest_p(own, expected) < 1e-9  # 1/sqrt(inputs) is not 0.3
    with pytest.raises(ValueError, match="law must say what it is: weights of .last are 1.[67].* times"):
        weightless(model, jax.random.key(0))
    grown = nnx.grad(lambda model: jnp.sum(model(X) ** 2))(weightless(model, jax.random.key(1), law="own"))
    assert jax.tree_util.tree_all(jax.tree_util.tree_map(np.any, grown))


def test_weights_of_another_law_than_the_default_are_refused_until_it_is_named():
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.MLP(4, 1, width_size=64, depth=2, key=jax.random.key(0))
    he = equinox.tree_at(lambda model: model.layers[1].weight, model, replace_fn=lambda weight: weight * 6**0.5)
    with pytest.raises(ValueError, match=r"tree must hold .* weights of \.layers\[1\] are 2.4\d times"):
        weightless(he, jax.random.key(1))
    for law, expected in (("he", (2 / 64) ** 0.5), ("own", (3 * 64) ** -0.5)):
        assert weightless(he, jax.random.key(1), law=law).layers[1].std == pytest.approx(expected)
    traced = equinox.filter_jit(lambda tree: weightless(tree, jax.random.key(1)).layers[1](jnp.ones(64)))
    assert traced(he).shape == (64,)  # what is traced is not known
    with pytest.raises(ValueError, match="law must be .*'he'"):
        weightless(model, jax.random.key(1), law="her")


def test_models_as_their_libraries_draw_them_are_taken():
    equinox = pytest.importorskip("equinox")
    for seed in range(40):
        model = equinox.nn.MLP(3, 2, width_size=11, depth=3, key=jax.random.key(seed))
        assert len(weightless(model, jax.random.key(1)).layers) == 4


def test_kernels_of_flax_may_be_shapes_only():
    nnx = pytest.importorskip("flax.nnx")
    wide = nnx.eval_shape(
        lambda: nnx.Sequential(nnx.Linear(10, 10**6, rngs=nnx.Rngs(0)), nnx.Linear(10**6, 3, rngs=nnx.Rngs(1)))
    )
    assert weightless(wide, jax.random.key(0))(X).shape == (3, 3)
    with pytest.raises(ValueError, match="only the shape of .*norm"):
        weightless(nnx.eval_shape(lambda: perceptron(nnx)(nnx.Rngs(0))), jax.random.key(0))
    with pytest.raises(ValueError, match="law at"):
        weightless(wide, jax.random.key(0), law=lambda name, layer: -1.0)


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: weightless_dense(jax.random.key(0), X, 0), "outputs"),
        (lambda: weightless_dense(jax.random.key(0), X, 2, -1.0), "std"),
        (lambda: weightless_dense(jax.random.key(0), jnp.arange(3), 2), "x must"),
        (lambda: weightless_dense(jax.random.key(0), 1.0, 2), "x must"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
