"""A dense layer for JAX without its weights: drawn where one looks, inside jit, vmap and grad.

>>> import jax
>>> from deeplimits.jax import weightless_dense
>>> def network(key, x):
...     first, second = jax.random.split(key)
...     return weightless_dense(second, jax.nn.relu(weightless_dense(first, x, 10**5)), 1)
>>> x = jax.numpy.ones((3, 20))
>>> jax.jit(jax.grad(lambda x: network(jax.random.key(1), x).sum()))(x).shape
(3, 20)

JAX is needed for this module only: `pip install deeplimits[jax]`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from ._checks import real, whole
from ._optional import found, missing

__all__ = ["weightless", "weightless_dense"]

jax: Any = found("jax")
jnp: Any = found("jax.numpy")
found("jax.custom_batching")


def weightless_dense(key: Any, x: Any, outputs: int, std: float | None = None) -> Any:
    """x W^T with a Gaussian matrix W of this key, of which only what x and the gradients see is drawn.

    Shapes: x (..., inputs) -> (..., outputs); any leading axes. A key of `jax.random`.
    Law: exact, jointly for all rows and for all gradients of one call, in the precision of x; entries of W are
        N(0, std^2), by default with std = 1 / sqrt(inputs). `vmap` over keys gives independent matrices; `vmap` over
        x or over cotangents, as in `jacrev`, asks one matrix about all of them. A call is a matrix of its own: a
        key must not be used for two calls, and for a matrix that is used twice there is `deeplimits.lazy`. Forward-mode
        derivatives and second derivatives are refused by JAX.
    Source: ours; see `deeplimits.lazy`.
    Raises: ImportError without JAX; ValueError for outputs that are not positive, a negative std, an x without axis.
    """
    _needed()
    outputs, x = whole("outputs", outputs), jnp.asarray(x)
    if not x.ndim or not x.size or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"x must hold floating-point numbers (..., inputs), got {x.dtype} of shape {x.shape}")
    std = x.shape[-1] ** -0.5 if std is None else real("std", std, least=0)
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return std * _dense(key, x.reshape(-1, x.shape[-1]), outputs).reshape(*x.shape[:-1], outputs)


def weightless(tree: Any, key: Any) -> Any:
    """A model of Equinox with every `Linear` layer weightless: the same tree, with layers that hold a key each.

    Shapes: those of the model.
    Law: of Gaussian weights of the variance of Equinox's uniform initialisation, 1 / (3 inputs); its law is that of the
        model only as the width grows. Biases keep their values. A layer that is used twice in the tree is two matrices.
    Source: ours; Equinox, nn.Linear.
    Raises: ImportError without JAX and Equinox; ValueError for a model without `Linear` layers.
    """
    _needed()
    equinox = found("equinox")
    if equinox is None:
        raise missing("weightless", "Equinox", "equinox")
    linear = lambda leaf: isinstance(leaf, equinox.nn.Linear)  # noqa: E731
    leaves, shape = jax.tree_util.tree_flatten(tree, is_leaf=linear)
    count = sum(map(linear, leaves))
    if not count:
        raise ValueError(f"tree must hold an equinox.nn.Linear, got {tree!r}")
    keys = iter(jax.random.split(key, count))
    made = [_layer(equinox)(next(keys), leaf) if linear(leaf) else leaf for leaf in leaves]
    return jax.tree_util.tree_unflatten(shape, made)


@cache
def _layer(equinox: Any) -> type:
    """The class of weightless layers of Equinox."""

    class WeightlessLinear(equinox.Module):
        """`equinox.nn.Linear` without its weight."""

        key: Any
        bias: Any
        outputs: int = equinox.field(static=True)
        inputs: int = equinox.field(static=True)

        def __init__(self, key: Any, of: Any) -> None:
            size = [1 if one == "scalar" else one for one in (of.in_features, of.out_features)]
            self.key, self.bias, (self.inputs, self.outputs) = key, of.bias, size

        def __call__(self, x: Any, *, key: Any = None) -> Any:
            y = weightless_dense(self.key, x, self.outputs, (3 * self.inputs) ** -0.5)
            return y if self.bias is None else y + self.bias

    return WeightlessLinear


def _vjp(function: Callable[..., Any]) -> Any:
    """Leave a function alone without JAX, so that this module can be imported."""
    return function if jax is None else partial(jax.custom_vjp, nondiff_argnums=(2,))(function)


@_vjp
def _dense(key: Any, rows: Any, outputs: int) -> Any:
    return _ask(0, outputs)(key, rows)[0]


def _dense_forward(key: Any, rows: Any, outputs: int) -> tuple[Any, Any]:
    y, basis, answers = _ask(0, outputs)(key, rows)
    return y, (key, basis, answers)


def _dense_backward(outputs: int, known: Any, gradient: Any) -> tuple[Any, Any]:
    key, basis, answers = known
    return np.zeros(key.shape, jax.dtypes.float0), _ask_left(0)(key, basis, answers, gradient)


if jax is not None:
    _dense.defvjp(_dense_forward, _dense_backward)


def _answered(outputs: int, key: Any, rows: Any) -> tuple[Any, Any, Any]:
    """Rows in orthonormal directions, and fresh answers to these: any such directions will do.

    Shapes: (m, inputs) -> (m, outputs), (r, inputs), (r, outputs) with r = min(m, inputs).
    """
    basis, triangle = jnp.linalg.qr(rows.T)
    answers = jax.random.normal(jax.random.fold_in(_key(key), 0), (basis.shape[1], outputs), rows.dtype)
    return triangle.T @ answers, basis.T, answers


def _answered_left(key: Any, basis: Any, answers: Any, rows: Any) -> Any:
    """The same from the other side: along known answers nothing is drawn.

    Shapes: (m, outputs) -> (m, inputs).
    """
    directions, triangle = jnp.linalg.qr(rows.T)
    drawn = jax.random.normal(jax.random.fold_in(_key(key), 1), (directions.shape[1], basis.shape[1]), rows.dtype)
    drawn = drawn + (directions.T @ answers.T - drawn @ basis.T) @ basis
    return triangle.T @ drawn


def _key(data: Any) -> Any:
    return jax.random.wrap_key_data(data) if data.dtype == jnp.uint32 else data


@cache
def _ask(axes: int, outputs: int) -> Callable[..., Any]:
    """`_answered` for keys with so many axes in front. A batch of rows with one key is more rows of one matrix."""
    plain = _mapped(partial(_answered, outputs), axes)
    asked = jax.custom_batching.custom_vmap(plain)

    @asked.def_vmap
    def rule(size: int, batched: Any, key: Any, rows: Any) -> Any:
        if batched[0]:
            rows = rows if batched[1] else jnp.broadcast_to(rows, (size, *rows.shape))
            return _ask(axes + 1, outputs)(key, rows), (True, True, True)
        y, basis, answers = asked(key, _merged(rows, axes))
        return (_split(y, size, axes), basis, answers), (True, False, False)

    return asked


@cache
def _ask_left(axes: int) -> Callable[..., Any]:
    """`_answered_left` for keys with so many axes in front."""
    asked = jax.custom_batching.custom_vmap(_mapped(_answered_left, axes))

    @asked.def_vmap
    def rule(size: int, batched: Any, key: Any, basis: Any, answers: Any, rows: Any) -> Any:
        if any(batched[:3]):
            parts = [
                part if flag else jnp.broadcast_to(part, (size, *part.shape))
                for flag, part in zip(batched, (key, basis, answers, rows), strict=True)
            ]
            return _ask_left(axes + 1)(*parts), True
        return _split(asked(key, basis, answers, _merged(rows, axes)), size, axes), True

    return asked


def _mapped(function: Callable[..., Any], axes: int) -> Callable[..., Any]:
    for _ in range(axes):
        function = jax.vmap(function)
    return function


def _merged(rows: Any, axes: int) -> Any:
    """A batch in front becomes more rows. Shapes: (size, ...keys, m, n) -> (...keys, size m, n)."""
    moved = jnp.moveaxis(rows, 0, axes)
    return moved.reshape(*moved.shape[:axes], -1, moved.shape[-1])


def _split(rows: Any, size: int, axes: int) -> Any:
    """The opposite of `_merged`."""
    return jnp.moveaxis(rows.reshape(*rows.shape[:axes], size, -1, rows.shape[-1]), axes, 0)


def _needed() -> None:
    if jax is None:
        raise missing("deeplimits.jax", "JAX", "deeplimits[jax]")
