"""The calls that the examples of the docstrings make: one that is right for every public function and method."""

from __future__ import annotations

import doctest
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

import matplotlib.pyplot as plt

import deeplimits


class Call(NamedTuple):
    """A public function, or a method of an object, and arguments that are right for it."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self, **changes: Any) -> Any:
        arguments = self.arguments | changes
        kinds = inspect.signature(self.function).parameters
        starred = any(one.kind is one.VAR_POSITIONAL and name in arguments for name, one in kinds.items())
        before, named = [], {name: value for name, value in arguments.items() if name not in kinds}
        for name, one in kinds.items():
            if name not in arguments:
                continue
            if one.kind is one.VAR_POSITIONAL:
                before += arguments[name]
            elif one.kind is one.VAR_KEYWORD:
                named |= arguments[name]
            elif one.kind is one.POSITIONAL_ONLY or (starred and one.kind is one.POSITIONAL_OR_KEYWORD):
                before.append(arguments[name])
            else:
                named[name] = arguments[name]
        return self.function(*before, **named)


def public() -> Iterator[tuple[str, Any]]:
    """Every public function, class and method, by name."""
    for module in deeplimits.__all__:
        loaded = importlib.import_module(f"deeplimits.{module}")
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            if inspect.isclass(thing):
                yield f"{module}.{name}", thing
                for part, method in inspect.getmembers(thing, inspect.isroutine):
                    if not part.startswith("_"):
                        yield f"{module}.{name}.{part}", method
            elif inspect.isroutine(thing):
                yield f"{module}.{name}", thing


def _codes() -> dict[CodeType, tuple[str, Any]]:
    found: dict[CodeType, tuple[str, Any]] = {}
    for name, thing in public():
        start = thing.__init__ if inspect.isclass(thing) else inspect.unwrap(thing)
        code = getattr(start, "__code__", None)
        if code is not None:
            found.setdefault(code, (name, thing))
    return found


def _seen(frame: FrameType, name: str, thing: Any) -> Call:
    kinds = inspect.signature(thing).parameters
    values = {key: value for key, value in frame.f_locals.items() if key in kinds or key in ("self", "cls")}
    if inspect.isclass(thing):
        values.pop("self", None)
        kind = type(frame.f_locals["self"])
        return Call(f"{name.split('.')[0]}.{kind.__name__}", kind, values)
    own = values.pop("self", None)
    if own is None:
        values.pop("cls", None)
        return Call(name, thing, values)
    owner = f"{name.split('.')[0]}.{type(own).__name__}.{thing.__name__}"
    return Call(owner, getattr(own, thing.__name__), values)


def calls() -> list[Call]:
    """The first call of each public function, class and method that an example makes."""
    codes, found = _codes(), {}
    for _, thing in public():
        getattr(thing, "cache_clear", bool)()  # what is remembered from another test would not be called here

    def watch(frame: FrameType, event: str, _: Any) -> None:
        known = codes.get(frame.f_code) if event == "call" else None
        if known and frame.f_back is not None and frame.f_back.f_code.co_filename.startswith("<doctest"):
            call = _seen(frame, *known)
            found.setdefault(call.name, call)

    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    with plt.rc_context():
        for name, thing in public():
            text = inspect.getdoc(thing) or ""
            if ">>> " in text:
                test = parser.get_doctest(text, {}, name, None, 0)
                sys.setprofile(watch)
                try:
                    runner.run(test, out=lambda _: None, clear_globs=False)
                finally:
                    sys.setprofile(None)
        plt.close("all")
    return list(found.values())


def parameters(call: Call) -> dict[str, inspect.Parameter]:
    """The arguments that a caller may give."""
    kinds = inspect.signature(call.function).parameters
    return {name: one for name, one in kinds.items() if one.kind is not one.VAR_KEYWORD}
