"""What turns loops into vector instructions: intrinsics of LLVM, and polynomials in single precision.

The polynomials are minimax fits; where no other source is named they are those of the Cephes library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, njit, types

f32, i32 = np.float32, np.int32

#: Without a type, since an intrinsic is not called with the arguments that it is written with.
intrinsic: Any = extending.intrinsic

#: How what is written here compiles: always inline, so that the loops around it vectorise, and never reassociated.
OPTIONS: Any = {"forceinline": True, "error_model": "numpy", "fastmath": {"contract"}}


def single(*coefficients: float) -> tuple[np.float32, ...]:
    """Coefficients of a polynomial in single precision, the constant one first."""
    return tuple(f32(c) for c in coefficients)


#: (log(1 + m) - m + m^2/2) / m^3 for 1 + m in [sqrt(1/2), sqrt(2)], and the bits of sqrt(1/2).
LOG = single(
    3.3333331174e-1,
    -2.4999993993e-1,
    2.0000714765e-1,
    -1.6668057665e-1,
    1.4249322787e-1,
    -1.2420140846e-1,
    1.1676998740e-1,
    -1.1514610310e-1,
    7.0376836292e-2,
)
ROOT_HALF = i32(0x3F3504F3)
#: sin(x) / x and cos(x) as functions of x^2 for |x| <= pi / 4.
SINE = single(1.0, -1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4)
COSINE = single(1.0, -0.5, 4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5)


@intrinsic
def float_from_bits(typing_context, bits):
    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def bits_from_float(typing_context, value):
    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@intrinsic
def widest_vectors(typing_context):
    """Let the compiler use the widest vectors that the processor has, in the function that calls this.

    It prefers half of them on processors with AVX-512, for the sake of programs that are seldom in such loops.
    """

    def codegen(context, builder, signature, arguments):
        # A set of llvmlite that knows only attributes without a value; its own `add` would refuse this one.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), codegen


@njit(**OPTIONS)
def horner(x, coefficients):
    """A polynomial from its coefficients, the constant one first."""
    total = coefficients[-1]
    for k in range(len(coefficients) - 2, -1, -1):
        total = total * x + coefficients[k]
    return total


@njit(**OPTIONS)
def exponent_and_mantissa(x):
    """n and m with x = 2^n (1 + m) and 1 + m in [sqrt(1/2), sqrt(2)], for a positive, normal x."""
    # Cast at once: the difference of two words of 32 bits has 64.
    shifted = i32(bits_from_float(x) - ROOT_HALF)
    return f32(i32(shifted >> i32(23))), float_from_bits(i32((shifted & i32(0x7FFFFF)) + ROOT_HALF)) - f32(1)
