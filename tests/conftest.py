"""What every test relies on."""

from __future__ import annotations

import gc
import os
import signal

import pytest

# Tests run side by side: threads of linear algebra would wait for cores on which another test runs.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

# A shell starts background jobs with the interrupt ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """All that was imported stays to the end: looking through it for what nobody needs takes a tenth of the time."""
    gc.freeze()


def pytest_sessionfinish():
    """Nor does it matter at the end, when the process goes."""
    gc.freeze()


@pytest.fixture(params=["narrow", "wide"])
def loops(request, monkeypatch):
    """Both compiled loops in turn."""
    from deeplimits.loops import narrow

    if request.param == "wide":
        monkeypatch.setattr(narrow, "FITTING", 0)
    return request.param
