"""Python functions inside compiled loops: machine code where numba can make it, else a call back into Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import is_jitted
from numpy.typing import DTypeLike

from .._checks import FloatArray
from .._parallel import keep_error
from .programs import Program

Function = Callable[[Any], Any]

#: Where machine code is compared with the Python function that it comes from.
PROBES = np.linspace(-29.7, 29.9, 120)
#: Where an activation keeps what compiled loops hold addresses of: both live as long.
KEPT = "_code_for_loops"
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def program(
    owner: object,
    key: Hashable,
    function: Callable[[FloatArray], Any],
    dtype: DTypeLike,
    scalar: Function | None = None,
) -> Program:
    """A program that runs a Python function over blocks of neurons.

    `function` takes arrays; `scalar`, if given, is the same for single numbers and is compiled if numba can. `key`
    tells the programs of one owner apart.

    Law: computed in float64, rounded once to the type of the loop.
    """
    kind = np.dtype(dtype)
    kept = vars(owner).setdefault(KEPT, {})
    if (key, kind) not in kept:
        machine = _machine_code(function, scalar, kind) if scalar is not None else None
        kept[key, kind] = machine or _callback(function, kind)
    return Program(np.zeros((0, 8), kind), np.zeros(0, kind), kept[key, kind].address)


class _Code(NamedTuple):
    """A function that compiled loops can call, and where it stands for as long as it is kept."""

    kept: object
    address: int


def _machine_code(function: Callable[[FloatArray], Any], scalar: Function, kind: np.dtype) -> _Code | None:
    """A compiled loop over a block; None where numba refuses the function, or makes something else of it."""
    pointer = types.CPointer(numba.from_dtype(kind))
    source = scalar if isinstance(scalar, FunctionType) else lambda x: scalar(x)  # of a ufunc, or of the C library
    try:
        code = scalar if is_jitted(scalar) else numba.njit(error_model="numpy")(source)
        if not np.allclose([code(float(x)) for x in PROBES], function(PROBES), rtol=1e-12, atol=1e-15):
            return None

        @numba.cfunc(types.void(pointer, pointer, types.int64), error_model="numpy")
        def block(x, out, count):
            for i in range(count):
                out[i] = code(types.float64(x[i]))
    except Exception:  # numba raises errors of many kinds for what it does not know, besides the function's own
        return None
    return _Code(block, block.address or 0)


def _callback(function: Callable[[FloatArray], Any], kind: np.dtype) -> _Code:
    """A call into Python, which takes the interpreter's lock. An error is kept for the thread to raise."""
    number = np.ctypeslib.as_ctypes_type(kind)

    def block(x: int, out: int, count: int) -> None:
        inputs, results = (np.ctypeslib.as_array((number * count).from_address(place)) for place in (x, out))
        try:
            with np.errstate(all="ignore"):
                results[:] = function(inputs.astype(np.float64))
        except BaseException as error:
            results[:] = np.nan
            keep_error(error)

    kept = _CALLBACK(block)
    return _Code(kept, ctypes.cast(kept, ctypes.c_void_p).value or 0)
