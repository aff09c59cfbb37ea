"""Numbers of a module outside its matrices: drawn anew for each network by the part that holds them, or kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._torch_laws import Laws
from ._modules import layers_of, needed


def finite(module: Any, *, weightless: bool = False) -> None:
    """Refuse numbers that are missing; `weightless` modules may be on the meta device.

    Raises: ValueError for the first parameter that is missing or infinite or, unless `weightless`, on the meta device,
        and for a buffer with missing numbers; masks hold infinite ones.
    """
    torch = needed()
    for name, parameter in module.named_parameters():
        if parameter.is_meta and not weightless:
            raise ValueError(f"module must hold its weights, {name!r} is on the meta device")
        if not parameter.is_meta and not bool(torch.isfinite(parameter).all()):
            raise ValueError(f"module must have finite weights, {name!r} has infinite or missing ones")
    for name, buffer in module.named_buffers():
        if not buffer.is_meta and bool(torch.isnan(buffer).any()):
            raise ValueError(f"module must have buffers without missing numbers, {name!r} has some")


def parts_of(module: Any) -> Iterator[tuple[str, Any]]:
    """The parts that hold parameters of their own and get no twin, by name."""
    from ..torch import _LazyModule

    laws = Laws(needed(), module, None)
    for name, part in module.named_modules():
        twin = isinstance(part, _LazyModule) or laws.kind(part) is not None
        if not twin and next(part.parameters(recurse=False), None) is not None:
            yield name, part


def draws(module: Any, part: Any) -> bool:
    """Whether a part knows how its parameters are drawn."""
    return hasattr(part, "reset_parameters") or Laws(needed(), module, None).model is not None


def only_drawn(module: Any) -> None:
    """Refuse parameters that would be the same in every network although they look drawn.

    Raises: ValueError for a parameter that learns, whose entries differ, of a part that cannot draw it again.
    """
    layers_of(module)  # what cannot have a twin at all is refused first
    for name, part in parts_of(module):
        if draws(module, part):
            continue
        for key, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad and not parameter.is_meta and bool((parameter != parameter.flatten()[:1]).any()):
                full = f"{name}.{key}".lstrip(".")
                raise ValueError(
                    f"module must say how {full!r} is drawn, or all networks would share it: give "
                    f"{type(part).__name__} a method reset_parameters, or make it a buffer if it is no initial value; "
                    "a constant may stay"
                )


def kept(module: Any) -> Iterator[tuple[str, Any]]:
    """Parameters and buffers that all networks share, by name."""
    for name, part in parts_of(module):
        if not draws(module, part):
            yield from ((f"{name}.{key}", one) for key, one in part.named_parameters(recurse=False) if not one.is_meta)
    yield from ((name, buffer) for name, buffer in module.named_buffers() if not buffer.is_meta)


def draw(module: Any, seed: int) -> None:
    """Draw what parts without a twin hold, as they do it themselves. The generator of PyTorch is left as it was.

    Raises: ValueError for a part whose method fails or leaves a parameter as it was.
    """
    torch = needed()
    laws = Laws(torch, module, None)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name, part in parts_of(module):
            if not draws(module, part):
                continue
            own = list(part.named_parameters(recurse=False))
            for _, parameter in own:
                if parameter.is_floating_point():
                    parameter.fill_(float("nan"))
            try:
                laws.initialise(name, part)
            except Exception as error:  # whatever a stranger's code raises
                text = " ".join(str(error).split())
                raise ValueError(f"module has a part {name!r} whose reset_parameters failed: {text[:300]}") from None
            for key, parameter in own:
                if bool(torch.isnan(parameter).any()):
                    full = f"{name}.{key}".lstrip(".")
                    raise ValueError(
                        f"module must draw {full!r} in {type(part).__name__}.reset_parameters, which left it"
                    )
