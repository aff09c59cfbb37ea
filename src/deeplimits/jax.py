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
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ._checks import choice, real, shown, whole
from ._optional import found, missing
from ._torch_laws import LAWS, OWN, Law

__all__ = ["weightless", "weightless_dense"]

jax: Any = found("jax")
jnp: Any = found("jax.numpy")
found("jax.custom_batching")


#: E w^4 / (E w^2)^2 of uniform weights, and of normal ones cut off at twice their deviation.
UNIFORM, CUT_OFF = 1.8, 2.366
#: A tree is refused if weights as far from their rule have a smaller probability, corrected for its layers.
REFUSED = 1e-9


class Rule(NamedTuple):
    """How a library draws the weights of a layer: their deviation, from the number of inputs, and their tails."""

    deviation: Callable[[int], float]
    tails: float


def weightless_dense(key: Any, x: Any, outputs: int, std: float | None = None) -> Any:
    """x W^T with a Gaussian matrix W of this key, of which only what x and the gradients see is drawn.

    Shapes: x (..., inputs) -> (..., outputs); any leading axes. A key of `jax.random`.
    Law: exact, jointly for all rows and for all gradients of one call, in the precision of x; entries of W are
        N(0, std^2), by default with std = 1 / sqrt(inputs). `vmap` over keys gives independent matrices; `vmap` over
        x or over cotangents, as in `jacrev`, asks one matrix about all of them. A call is a matrix of its own: a
        key must not be used for two calls, and for a matrix that is used twice there is `deeplimits.lazy`. Forward-mode
        derivatives and second derivatives are refused by JAX.
    Source: ours; see `deeplimits.lazy`.
    Raises: ImportError without JAX; ValueError for what is no key, for outputs that are not positive, a negative std,
        an x that has no axis or holds no floating-point numbers.

    >>> import jax
    >>> from deeplimits.jax import weightless_dense
    >>> weightless_dense(jax.random.key(1), jax.numpy.ones((2, 3)), 10**6).shape
    (2, 1000000)
    """
    _needed()
    key, outputs, x = _keyed(key), whole("outputs", outputs), _array(x)
    if not x.ndim or not x.size or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"x must hold floating-point numbers (..., inputs), got {x.dtype} of shape {x.shape}")
    std = x.shape[-1] ** -0.5 if std is None else real("std", std, least=0)
    return std * _dense(key, x.reshape(-1, x.shape[-1]), outputs).reshape(*x.shape[:-1], outputs)


def weightless(tree: Any, key: Any, *, law: Law | None = None) -> Any:
    """A model of Equinox or of Flax (NNX) with every `Linear` layer weightless: the same tree, a key for each layer.

    Shapes: those of the model. Kernels may be shapes only (`nnx.eval_shape`, `equinox.filter_eval_shape`), so that
        they cost nothing; all other arrays need values.
    Law: of Gaussian weights of the variance of the library's own initialisation: 1 / (3 inputs) for Equinox, whose
        weights are uniform, and 1 / inputs for Flax, whose normals are cut off; the law is that of the model only as
        the width grows. `law` names another deviation ("he", "xavier", "lecun", "torch"), or maps (path of a layer,
        layer) to one, or to None for this rule: neither library tells which initialiser a layer was given. A layer
        whose weights contradict the rule is refused (a sound one with probability 1e-9), unless `law` is "own".
        Biases keep their values; one that is a shape only is zero. A layer that is used twice in the tree is two
        matrices.
    Source: ours; Equinox, nn.Linear; Flax, nnx.Linear.
    Raises: ImportError without JAX, and without Equinox and Flax; ValueError for a model without `Linear` layers, for
        other arrays without values, for what is no key or no law, for a deviation that is negative or not finite, and
        for a layer that holds weights of another size than its rule gives.

    >>> import equinox, jax
    >>> import deeplimits.jax
    >>> model = equinox.nn.MLP(3, 1, width_size=16, depth=2, key=jax.random.key(0))
    >>> model = deeplimits.jax.weightless(model, jax.random.key(1))
    >>> jax.vmap(model)(jax.numpy.ones((2, 3))).shape
    (2, 1)
    """
    _needed()
    deviations, key = _known_layers(), _keyed(key)
    if isinstance(law, str):
        choice("law", law, (*LAWS, OWN))
    elif law is not None and not callable(law):
        raise ValueError(f"law must be a name, a function of (path of a layer, layer) or None, got {shown(law)}")
    leaves, shape = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: type(leaf) in deviations)
    count = sum(type(leaf) in deviations for _, leaf in leaves)
    if not count:
        raise ValueError(f"tree must hold an equinox.nn.Linear or a flax.nnx.Linear, got {tree!r}")
    keys, made = iter(jax.random.split(key, count)), []
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        if type(leaf) in deviations:
            outputs, std = _drawn_as(name, leaf, law, deviations[type(leaf)], REFUSED / count)
            made.append(Layer(next(keys), jax.tree_util.tree_map(_valued, leaf.bias), outputs, std))
        elif isinstance(leaf, jax.ShapeDtypeStruct):
            raise ValueError(f"tree must hold values outside of Linear layers, got only the shape of {name}")
        else:
            made.append(leaf)
    return jax.tree_util.tree_unflatten(shape, made)


def _drawn_as(name: str, layer: Any, law: Law | None, rule: Rule, level: float) -> tuple[int, float]:
    """The outputs of a layer and the deviation of its weights: that which `law` gives, or that of its library.

    Raises: ValueError for a deviation that is negative or not finite, and for a layer whose weights are of another size
        than its library gives, if `law` says nothing.
    """
    inputs, outputs = (1 if one == "scalar" else one for one in (layer.in_features, layer.out_features))
    given = law(name, layer) if callable(law) else LAWS[law](inputs, outputs) if law in LAWS else None
    if given is not None:
        return outputs, real(f"law at {name}", given, least=0)
    std = rule.deviation(inputs)
    (weights,) = jax.tree_util.tree_leaves(layer.kernel if hasattr(layer, "kernel") else layer.weight)
    if law != OWN and not isinstance(weights, jax.ShapeDtypeStruct | jax.core.Tracer):
        power = float(np.mean(np.square(np.asarray(weights, np.float64)))) / std**2
        if 2 * stats.norm.sf(abs(power - 1) / np.sqrt((rule.tails - 1) / weights.size)) < level:
            raise ValueError(
                f"tree must hold what its own layers draw, or law must say what it is: weights of {name} are "
                f"{power**0.5:.3g} times as large as by default. Name the law: one of {', '.join(map(repr, LAWS))}, a "
                "function of (path of a layer, layer), or 'own' for the default of each layer, whatever it holds"
            )
    return outputs, std


@dataclass(frozen=True)
class Layer:
    """A `Linear` layer without its weight, for any model that is a tree of arrays."""

    key: Any
    bias: Any
    outputs: int
    std: float

    def __call__(self, x: Any, **_: Any) -> Any:
        """x W^T + b."""
        y = weightless_dense(self.key, x, self.outputs, self.std)
        return y if self.bias is None else y + self.bias[...]


def _keyed(key: Any) -> Any:
    """The numbers of a key of `jax.random`, of either kind."""
    kind = getattr(key, "dtype", None)
    if isinstance(key, jax.Array) and jax.dtypes.issubdtype(kind, jax.dtypes.prng_key) and not key.ndim:
        return jax.random.key_data(key)
    if isinstance(key, jax.Array | np.ndarray) and kind == np.uint32 and key.ndim == 1:
        return key
    raise ValueError(f"key must be a key of jax.random, got {shown(key)}")


def _array(x: Any) -> Any:
    try:
        return jnp.asarray(x)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"x must be an array of floating-point numbers (..., inputs): {error}") from None


def _known_layers() -> dict[type, Rule]:
    """The layers that are replaced, and how their library draws their weights."""
    equinox, flax = found("equinox"), found("flax.nnx")
    if equinox is None and flax is None:
        raise missing("weightless", "Equinox or Flax", "equinox")
    known: dict[type, Rule] = {}
    if equinox is not None:
        known[equinox.nn.Linear] = Rule(lambda inputs: (3 * inputs) ** -0.5, UNIFORM)
    if flax is not None:
        known[flax.Linear] = Rule(lambda inputs: inputs**-0.5, CUT_OFF)
    return known


def _valued(leaf: Any) -> Any:
    """An array, of zeros where only its shape is known."""
    return jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf


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
    jax.tree_util.register_dataclass(Layer, data_fields=["key", "bias"], meta_fields=["outputs", "std"])
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
