"""Numbers of a module outside its matrices: drawn anew for each network by the part that holds them, or kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._torch_laws import Laws
from .._torch_weights import other
from ._modules import layers_of, needed

#: Networks whose drawn parameters are compared with those of a module, and how many standard deviations are too many.
COMPARED, FAR = 20, 12.0


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


def constants(module: Any, drawn: Any, *, strict: bool) -> dict[str, Any]:
    """Parameters of parts without a twin that hold one number, another than their part gives them: by name.

    Law: drawn ones are compared by their root mean square with that of `COMPARED` networks; it must lie within `FAR`
        standard deviations of the logarithm.
    Raises: ValueError, if `strict`, for a parameter that is not what its part draws.
    """
    torch = needed()
    names = [
        f"{name}.{key}".lstrip(".")
        for name, part in parts_of(module)
        if draws(module, part)
        for key, one in part.named_parameters(recurse=False)
        if not one.is_meta and one.numel()
    ]
    start = {name: drawn.get_parameter(name).detach().clone() for name in names}
    sizes: dict[str, list[float]] = {name: [] for name in names}
    steady = dict.fromkeys(names, True)
    for seed in range(1, COMPARED + 1 if names else 1):
        draw(drawn, seed)
        for name in names:
            steady[name] &= bool(torch.equal(drawn.get_parameter(name), start[name]))
            sizes[name].append(_size(drawn.get_parameter(name)))
    found = {}
    for name in names:
        own = module.get_parameter(name).detach().float()
        if steady[name] and torch.allclose(own, start[name], rtol=1e-3, atol=1e-6):
            continue
        if steady[name] and bool((own == own.flatten()[:1]).all()):
            found[name] = own
        elif strict and (steady[name] or abs(_size(own) - np.mean(sizes[name])) > FAR * np.std(sizes[name]) + 1e-3):
            raise other(name, "is not what reset_parameters gives", "")
    return found


def _size(tensor: Any) -> float:
    """The logarithm of the root mean square."""
    return float(tensor.detach().double().square().mean().clamp(min=1e-300).log()) / 2


def put(module: Any, fixed: Mapping[str, Any]) -> None:
    """Give parameters the values that they keep."""
    with needed().no_grad():
        for name, value in fixed.items():
            module.get_parameter(name).copy_(value)


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
