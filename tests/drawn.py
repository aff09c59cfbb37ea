"""Networks with every weight drawn and differentiated by JAX: what lists of blocks are held against.

Each takes a key and a start (width, positions..., inputs) and returns the last state; written without the package.
"""

import jax
import jax.numpy as jnp
import numpy as np


def keys(key):
    """Endless keys."""
    while True:
        key, one = jax.random.split(key)
        yield one


def matrix(draw, outputs, inputs, std):
    return std * jax.random.normal(next(draw), (outputs, inputs))


def layer_norm(x, mean=True):
    x = x - x.mean(0) if mean else x
    return x / jnp.sqrt((x**2).mean(0) + 1e-5)


def rms_norm(x):
    return x / jnp.sqrt((x**2).mean(0) + 1e-6)


def gelu(x):
    return jax.nn.gelu(x, approximate=False)


def perceptron(draw, x):
    z = matrix(draw, 24, 16, (2 / 16) ** 0.5) @ x + 0.3 * jax.random.normal(next(draw), (24, 1))
    return matrix(draw, 5, 24, 24**-0.5) @ jax.nn.relu(z)


def gated(draw, x):
    for _ in range(2):
        z = rms_norm(x)
        value = matrix(draw, 20, 16, 16**-0.5) @ z
        gate = matrix(draw, 20, 16, 16**-0.5) @ z
        x = 0.9 * x + 0.5 * matrix(draw, 16, 20, (2 / 36) ** 0.5) @ (value * jax.nn.silu(gate))
    return layer_norm(x)


def tokens_times(W, x):
    return jnp.einsum("oi,itb->otb", W, x)


def heads_of(x, heads):
    return x.reshape(heads, -1, *x.shape[1:]).transpose(3, 0, 2, 1)  # inputs, heads, tokens, width


def attend(q, k, v, causal, temperature):
    scores = jnp.einsum("bhtd,bhsd->bhts", q, k) / temperature
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:])) > 0, scores, -jnp.inf)
    mixed = jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(scores, -1), v)
    return mixed.transpose(1, 3, 2, 0).reshape(-1, mixed.shape[2], mixed.shape[0])


def transformer(draw, x, same_keys=False, biases=True, mean=True, gain=1.0):
    """Two causal blocks with four heads; the scores are sharp, so that queries and keys matter."""
    for _ in range(2):
        z = layer_norm(x, mean)
        W = [matrix(draw, 16, 16, 2 * gain * 16**-0.5) for _ in range(3)]
        b = [0.5 * jax.random.normal(next(draw), (16, 1, 1)) * biases for _ in range(3)]
        if same_keys:
            W[1], b[1] = W[0], b[0]
        q, k, v = (heads_of(tokens_times(one, z) + bias, 4) for one, bias in zip(W, b, strict=True))
        last = 0.5 * jax.random.normal(next(draw), (16, 1, 1)) * biases
        x = x + tokens_times(matrix(draw, 16, 16, 16**-0.5), attend(q, k, v, True, 2.0)) + last
        z = tokens_times(matrix(draw, 32, 16, (2 / 16) ** 0.5), layer_norm(x, mean))
        x = x + tokens_times(matrix(draw, 16, 32, 32**-0.5), gelu(z))
    return x


def rotated(x):
    """The rotations of rotary positions as complex numbers."""
    half = x.shape[-1] // 2
    z = x[..., :half] + 1j * x[..., half:]
    turn = jnp.exp(1j * jnp.arange(x.shape[2])[:, None] * 100.0 ** (-jnp.arange(half) / half))
    z = z * turn
    return jnp.concatenate([z.real, z.imag], axis=-1)


def llama_block(draw, x):
    z = rms_norm(x)
    q = rotated(heads_of(tokens_times(matrix(draw, 16, 16, 0.5), z), 4))
    k = jnp.repeat(rotated(heads_of(tokens_times(matrix(draw, 8, 16, 0.5), z), 2)), 2, axis=1)
    v = jnp.repeat(heads_of(tokens_times(matrix(draw, 8, 16, 0.5), z), 2), 2, axis=1)
    x = x + tokens_times(matrix(draw, 16, 16, 0.5), attend(q, k, v, True, 2.0))
    z = rms_norm(x)
    value, gate = (tokens_times(matrix(draw, 20, 16, 0.3), z) for _ in range(2))
    return x + tokens_times(matrix(draw, 16, 20, 0.3), value * jax.nn.silu(gate))


def shaped_attention(draw, x):
    for _ in range(2):
        q, k = (heads_of(tokens_times(matrix(draw, 5, 16, 16**-0.5), x), 1) for _ in range(2))
        v = heads_of(tokens_times(matrix(draw, 16, 16, 16**-0.5), x), 1)
        A = jnp.eye(4) + jax.nn.softmax(jnp.einsum("bhtd,bhsd->bhts", q, k) / 1.5, -1) - 0.25
        mixed = jnp.einsum("bhts,bhsd->bhtd", A, v).transpose(1, 3, 2, 0).reshape(16, 4, -1)
        x = 0.8 * x + 0.6 * mixed
    return x


def convolved(draw, x, channels, gain, stride, padding):
    W = gain * (9 * x.shape[0]) ** -0.5 * jax.random.normal(next(draw), (channels, x.shape[0], 3, 3))
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap" if padding == "periodic" else "constant")
    return jax.lax.conv_general_dilated(x.transpose(3, 0, 1, 2), W, (stride, stride), "VALID").transpose(1, 2, 3, 0)


def convolutional(draw, x):
    z = convolved(draw, x, 6, 2**0.5, 1, "zero") + 0.2 * jax.random.normal(next(draw), (6, 1, 1, 1))
    z = convolved(draw, jax.nn.relu(z), 5, 1.0, 2, "periodic")
    return matrix(draw, 3, 5, 5**-0.5) @ jnp.tanh(z).mean((1, 2))


def recurrent(draw, x):
    W = matrix(draw, 16, 16, 1.5 / 4)
    for _ in range(5):
        x = x + 0.5 * W @ jnp.tanh(x)
    return x


def language_model(draw, tokens, tied=True):
    """Embedding, positions, a block, and a read-out by the transposed embedding."""
    E = matrix(draw, 16, 9, 0.7)
    return language_model_of(E, draw, tokens, E.T if tied else matrix(draw, 9, 16, 0.7))


def language_model_of(E, draw, tokens, last):
    x = E[:, tokens] + matrix(draw, 16, 6, 0.3)[:, :4, None]
    x = x + tokens_times(matrix(draw, 16, 16, 0.4), jax.nn.relu(layer_norm(x)))
    return tokens_times(last, x)


def embedding_gradients(tokens, samples):
    """The squared norms of the last state of `language_model` and of the gradient of the tied embedding."""

    def one(key):
        def loss(E):
            draw = keys(key)
            next(draw)
            return jnp.sum(language_model_of(E, draw, tokens, E.T) ** 2) / 2

        value, g = jax.value_and_grad(loss)(matrix(keys(key), 16, 9, 0.7))
        return jnp.stack([2 * value, jnp.sum(g**2)])

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(3), samples))
    return np.log(np.asarray(found, np.float64))


def statistics(states, gradients, x):
    """What is compared: norms, angles and products of last states, and of gradients of half their squared norm.

    Shapes: states (samples, width, ..., inputs); gradients the same for the start, or None; (samples, count).
    """
    y = np.asarray(states, np.float64).reshape(len(states), states.shape[1], -1)
    columns = [
        np.log(np.sum(y[:, :, 0] ** 2, 1) + 1e-6),
        np.log(np.sum(y[:, :, -1] ** 2, 1) + 1e-6),
        np.sum(y[:, :, 0] * y[:, :, -1], 1),
        y[:, 0, 0],
    ]
    if gradients is not None:
        g = np.asarray(gradients, np.float64).reshape(len(gradients), x.shape[0], -1)
        start = np.reshape(x, (x.shape[0], -1))
        columns += [
            np.log(np.sum(g[:, :, 0] ** 2, 1) + 1e-9),
            np.log(np.sum(g**2, (1, 2)) + 1e-9),
            np.sum(g[:, :, 0] * g[:, :, -1], 1),
            np.einsum("snm,nm->s", g, start),
            g[:, 0, 0],
        ]
    return np.stack(columns, axis=1)


def draws(network, x, samples, seed=0, differentiate=True, **how):
    """The statistics of independent networks."""

    def one(key):
        def loss(start):
            y = network(keys(key), start, **how)
            return jnp.sum(y**2) / 2, y

        if not differentiate:
            return loss(x)[1], jnp.zeros(0)
        (_, y), g = jax.value_and_grad(loss, has_aux=True)(x)
        return y, g

    x = jnp.asarray(x)
    states, gradients = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), samples))
    return statistics(np.asarray(states), np.asarray(gradients) if differentiate else None, np.asarray(x))
