"""JAX and optax, imported when training begins: the rest of the package does without them."""

from __future__ import annotations

from types import ModuleType


def jax() -> ModuleType:
    """The module jax. Raises: ImportError that says how to get it."""
    try:
        import jax
    except ImportError as error:
        raise _missing(error) from error
    return jax


def optax() -> ModuleType:
    """The module optax. Raises: ImportError that says how to get it."""
    try:
        import optax
    except ImportError as error:
        raise _missing(error) from error
    return optax


def _missing(error: ImportError) -> ImportError:
    return ImportError(
        "training needs JAX and optax, which deeplimits itself does without: "
        f"`pip install deeplimits[training]` ({error})"
    )
