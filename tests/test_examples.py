"""The examples of the docstrings: there is one for every public function and class, and it gives what it says."""

import doctest
import importlib
import inspect

import matplotlib.pyplot as plt
import pytest

import deeplimits

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def offered():
    """Every public function and class of the package, by name."""
    for module in deeplimits.__all__:
        loaded = importlib.import_module(f"deeplimits.{module}")
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                yield f"{module}.{name}", thing


OFFERED = dict(offered())
#: Modules in which every public function and class has one.
COMPLETE = (
    "activations",
    "architectures",
    "attention",
    "blocks",
    "data",
    "densities",
    "diffusions",
    "ensembles",
    "evidence",
    "figures",
    "fractional",
    "gaussian",
    "growth",
    "jax",
    "kernels",
    "lazy",
    "networks",
    "own",
    "reference",
    "stability",
    "torch",
    "training",
    "verdicts",
    "wishart",
)
#: Libraries that not everybody has.
OPTIONAL = ("torch", "equinox")
EXAMPLES = {name: inspect.getdoc(thing) for name, thing in OFFERED.items() if ">>> " in inspect.getdoc(thing)}


@pytest.fixture(autouse=True)
def figures_end_here():
    """Their style, and they themselves."""
    with plt.rc_context():
        yield
    plt.close("all")


def test_there_is_one_for_every_name():
    assert [name for name in OFFERED if name.startswith(COMPLETE) and name not in EXAMPLES] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_says(name):
    for library in OPTIONAL:
        if f"import {library}" in EXAMPLES[name]:
            pytest.importorskip(library)
    example = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, None)
    said: list[str] = []
    found = doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=said.append)
    assert found.attempted and not found.failed, "".join(said)
