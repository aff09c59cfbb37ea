"""The way in: `import deeplimits`, and everything public is there by name, and light."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from importlib.resources import files

import pytest

import deeplimits

MODULES = deeplimits.__all__
CALLS = ["compare", "diagnose", "report"]


def fresh(program: str) -> str:
    """What a program prints in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True).stdout.strip()


def test_tab_shows_the_modules_and_what_a_practitioner_calls():
    assert [name for name in dir(deeplimits) if not name.startswith("_")] == sorted([*MODULES, *CALLS])


@pytest.mark.parametrize("name", CALLS)
def test_what_a_practitioner_calls_is_a_function(name):
    assert getattr(deeplimits, name) is getattr(deeplimits.own, name)


def test_every_module_that_says_what_it_offers_is_public():
    """A folder of compiled loops says nothing, and is none."""
    found = [each.name for each in pkgutil.iter_modules(deeplimits.__path__) if not each.name.startswith("_")]
    offering = [name for name in found if hasattr(importlib.import_module(f"deeplimits.{name}"), "__all__")]
    assert sorted(MODULES) == offering


def test_the_package_alone_is_light():
    heavy = "[name for name in ('numpy', 'numba', 'scipy', 'matplotlib', 'sympy') if name in sys.modules]"
    assert fresh(f"import sys, deeplimits; print({heavy})") == "[]"


@pytest.mark.slow
def test_a_module_comes_when_it_is_asked_for():
    assert fresh("import deeplimits; print(float(deeplimits.growth.active_probability(1)))") == "1.0"
    assert fresh("from deeplimits import *; print(float(growth.active_probability(1)))") == "1.0"


def test_what_is_not_there_is_named():
    with pytest.raises(AttributeError, match="module 'deeplimits' has no attribute 'nets'"):
        _ = deeplimits.nets


@pytest.mark.parametrize("name", MODULES)
def test_a_module_offers_what_it_has(name):
    module = importlib.import_module(f"deeplimits.{name}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []


def test_type_checkers_read_the_package():
    assert files("deeplimits").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_hidden_by_a_function_of_its_name(name):
    module = importlib.import_module(f"deeplimits.{name}")
    inside = [each.name for each in pkgutil.iter_modules(getattr(module, "__path__", []))]
    assert [each for each in inside if hasattr(module, each) and not inspect.ismodule(getattr(module, each))] == []
