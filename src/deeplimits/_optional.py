"""Libraries that only some modules need: found if they are installed, and named if they are not."""

from __future__ import annotations

import importlib
from typing import Any


def found(name: str) -> Any:
    """The module of that name, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def missing(user: str, library: str, package: str) -> ImportError:
    """The error for a library that is needed and not there."""
    return ImportError(f"{user} needs {library}, which deeplimits itself does without: `pip install {package}`")
