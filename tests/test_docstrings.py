"""Every public name says what it is; what simulates or computes a law says its shapes, law, source and errors."""

import importlib
import inspect

import pytest

import deeplimits

SECTIONS = ("Shapes:", "Law:", "Source:", "Raises:")
PROCESSES = ("architectures", "attention", "densities", "diffusions", "fractional", "kernels", "networks")


def surface():
    """(name, object) for each function and class that the modules of the public surface offer, and its methods."""
    for module in deeplimits.__all__:
        for name, thing in vars(importlib.import_module(f"deeplimits.{module}")).items():
            own = getattr(thing, "__module__", "").startswith(f"deeplimits.{module}")
            if name.startswith("_") or not own or not (inspect.isfunction(thing) or inspect.isclass(thing)):
                continue
            yield f"{module}.{name}", thing
            for method, value in vars(thing).items() if inspect.isclass(thing) else ():
                if inspect.isfunction(value) and not method.startswith("_"):
                    yield f"{module}.{name}.{method}", value


SURFACE = dict(surface())
CALLS = {
    name: call
    for name, call in SURFACE.items()
    if name.split(".")[0] in PROCESSES
    and name.rpartition(".")[2]
    in (
        "sample",
        "at",
        "finite_depth",
        "ntk",
        "finite_depth_ntk",
        "jacobians",
        "gradients",
        "tangents",
        "explosion_times",
        "explosion_time",
        "norm",
        "correlation",
        "gaussian_start",
        "attention_drift",
        "attention_noise",
    )
}


@pytest.mark.parametrize("name", SURFACE)
def test_says_what_it_is_and_what_it_takes(name):
    thing = SURFACE[name]
    first = (inspect.getdoc(thing) or "").partition("\n")[0]
    assert first.endswith((".", ":")), f"first line: {first!r}"
    call = thing if inspect.isfunction(thing) else thing.__init__
    for parameter in list(inspect.signature(call).parameters.values()) if inspect.isfunction(call) else []:
        assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty, parameter


@pytest.mark.parametrize("name", CALLS)
def test_a_process_says_its_shapes_law_source_and_errors(name):
    text = inspect.getdoc(CALLS[name])
    assert [section for section in SECTIONS if section not in text] == []
