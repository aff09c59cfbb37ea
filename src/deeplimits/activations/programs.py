"""Activations inside compiled loops: a few numbers say which vector loops to run over a block of neurons.

A tree becomes a short list of instructions for a machine whose registers are blocks of
neurons that stay in the first-level cache. Every instruction is one vectorised loop, so any expression
runs near the speed of a hand-written loop, and nothing has to be compiled for a new one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import DTypeLike, NDArray

from .._jit import njit
from .._vectors import OPTIONS, intrinsic, widest_vectors
from . import elementary as f
from .primitives import PRIMITIVES

#: Neurons handled by one call at most: their normals, state and activations stay in the first-level cache.
TILE = 512
#: Blocks that a program may keep at the same time.
REGISTERS = 16

#: Operations, by their number in a program. LINEAR to HARDTANH compute c F(a u + b) + d, RECTIFY
#: a u + b |u|, ADD a u + b v + c, MULTIPLY (a u + b) (c v + d), DIVIDE (a u + b) / (c v + d).
UNARY = ("linear", *PRIMITIVES, "rectify")
BINARY = ("add", "multiply", "divide")
NUMBER_OF = {name: number for number, name in enumerate(UNARY + BINARY)}
(
    LINEAR,
    EXP,
    EXPM1,
    LOG,
    LOG1P,
    SQRT,
    SIN,
    COS,
    TANH,
    ARCTAN,
    ASINH,
    ERF,
    NORMAL_CDF,
    SIGMOID,
    SOFTPLUS,
    SILU,
    GELU,
    ABS,
    SIGN,
    HARDTANH,
    RECTIFY,
    ADD,
    MULTIPLY,
    DIVIDE,
) = range(len(NUMBER_OF))

#: Coefficients of the polynomial near the centre.
TERMS = 14


class Program(NamedTuple):
    """An activation for compiled code: pass it whole to `apply`.

    instructions: (count, 8): operation, target, first and second source, then the constants a, b, c, d;
    source 0 is the input, target -1 the output. near: empty, or radius, 1/scale, value, slope and
    `TERMS` coefficients of the polynomial that replaces the instructions for |x| < radius. address: 0, or where
    machine code stands that takes the place of both, a function of input, output and their length.
    """

    instructions: NDArray
    near: NDArray
    address: int = 0


def scratch(dtype: DTypeLike) -> NDArray:
    """The registers of one thread.

    Shapes: (REGISTERS, TILE).
    """
    return np.empty((REGISTERS, TILE), dtype)


@njit(error_model="numpy", fastmath={"contract"})
def _unary(operation, out, u, a, b, c, d):
    """out = c F(a u + b) + d: one loop for each F."""
    widest_vectors()
    n = len(out)
    if operation == LINEAR:
        for i in range(n):
            out[i] = a * u[i] + b
    elif operation == EXP:
        for i in range(n):
            out[i] = c * f.exp(a * u[i] + b) + d
    elif operation == EXPM1:
        for i in range(n):
            out[i] = c * f.expm1(a * u[i] + b) + d
    elif operation == LOG:
        for i in range(n):
            out[i] = c * f.log(a * u[i] + b) + d
    elif operation == LOG1P:
        for i in range(n):
            out[i] = c * f.log1p(a * u[i] + b) + d
    elif operation == SQRT:
        for i in range(n):
            out[i] = c * math.sqrt(a * u[i] + b) + d
    elif operation == SIN:
        for i in range(n):
            out[i] = c * f.sin(a * u[i] + b) + d
    elif operation == COS:
        for i in range(n):
            out[i] = c * f.cos(a * u[i] + b) + d
    elif operation == TANH:
        for i in range(n):
            out[i] = c * f.tanh(a * u[i] + b) + d
    elif operation == ARCTAN:
        for i in range(n):
            out[i] = c * f.arctan(a * u[i] + b) + d
    else:
        _more_unary(operation, out, u, a, b, c, d)


@njit(error_model="numpy", fastmath={"contract"})
def _more_unary(operation, out, u, a, b, c, d):
    widest_vectors()
    n = len(out)
    zero = out.dtype.type(0)
    if operation == ASINH:
        for i in range(n):
            out[i] = c * f.asinh(a * u[i] + b) + d
    elif operation == ERF:
        for i in range(n):
            out[i] = c * f.erf(a * u[i] + b) + d
    elif operation == NORMAL_CDF:
        for i in range(n):
            out[i] = c * f.normal_cdf(a * u[i] + b) + d
    elif operation == SIGMOID:
        for i in range(n):
            out[i] = c * f.sigmoid(a * u[i] + b) + d
    elif operation == SOFTPLUS:
        for i in range(n):
            out[i] = c * f.softplus(a * u[i] + b) + d
    elif operation == SILU:
        for i in range(n):
            v = a * u[i] + b
            out[i] = c * (v * f.sigmoid(v)) + d
    elif operation == GELU:
        for i in range(n):
            v = a * u[i] + b
            out[i] = c * (v * f.normal_cdf(v)) + d
    elif operation == ABS:
        for i in range(n):
            out[i] = c * abs(a * u[i] + b) + d
    elif operation == SIGN:
        for i in range(n):
            v = a * u[i] + b
            out[i] = d + (c if v > zero else (-c if v < zero else zero))
    elif operation == HARDTANH:
        one = out.dtype.type(1)
        for i in range(n):
            v = a * u[i] + b
            v = one if v > one else v
            out[i] = c * (-one if v < -one else v) + d
    elif operation == RECTIFY:
        for i in range(n):
            out[i] = a * u[i] + b * abs(u[i])


@njit(error_model="numpy", fastmath={"contract"})
def _binary(operation, out, u, v, a, b, c, d):
    widest_vectors()
    n = len(out)
    if operation == ADD:
        for i in range(n):
            out[i] = a * u[i] + b * v[i] + c
    elif operation == MULTIPLY:
        for i in range(n):
            out[i] = (a * u[i] + b) * (c * v[i] + d)
    else:
        for i in range(n):
            out[i] = (a * u[i] + b) / (c * v[i] + d)


@njit(**OPTIONS)
def polynomial(x, near):
    """value + slope x + x u r(u), u = x / scale: the slope stays exact however small x is."""
    u = x * near[1]
    total = near[TERMS + 3]
    for k in range(TERMS + 2, 3, -1):
        total = total * u + near[k]
    return near[2] + (near[3] * x + (x * u) * total)


@njit(error_model="numpy", fastmath={"contract"})
def _near(out, x, near):
    widest_vectors()
    for i in range(len(x)):
        out[i] = polynomial(x[i], near)


@njit(error_model="numpy", fastmath={"contract"})
def _mend(out, x, near):
    """Put the polynomial where |x| < radius."""
    widest_vectors()
    radius = near[0]
    for i in range(len(x)):
        value = polynomial(x[i], near)
        out[i] = value if abs(x[i]) < radius else out[i]


@njit(fastmath={"reassoc", "nsz"})
def _outside(x, near):
    """How many x the polynomial cannot serve; counted in the type of x, so that it vectorises."""
    widest_vectors()
    radius, one, none = near[0], x.dtype.type(1), x.dtype.type(0)
    count = none
    for i in range(len(x)):
        count += none if abs(x[i]) < radius else one
    return count


@intrinsic
def _call(typing_context, address, x, out):
    """Call the machine code at an address with two blocks and their length."""

    def codegen(context, builder, signature, arguments):
        word, byte = ir.IntType(64), ir.IntType(8).as_pointer()
        blocks = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[1:], arguments[1:], strict=True)
        ]
        kind = ir.FunctionType(ir.VoidType(), [byte, byte, word])
        places = [builder.bitcast(block.data, byte) for block in blocks]
        builder.call(
            builder.inttoptr(arguments[0], kind.as_pointer()), [*places, builder.extract_value(blocks[0].shape, 0)]
        )
        return context.get_dummy_value()

    return types.none(types.int64, x, out), codegen


@njit
def apply(program, x, out, scratch):
    """out[:] = phi(x), inside compiled code.

    Shapes: x and out one-dimensional, contiguous, of the type of the program and at most TILE
        long, not overlapping; `scratch` from the function of that name.
    Law: the value at a neuron does not depend on the others in the block.
    """
    near, steps = program.near, program.instructions
    if program.address != 0:
        _call(program.address, x, out)
        return
    if len(near) and _outside(x, near) == 0:
        _near(out, x, near)
        return
    if len(steps) == 1 and steps[0, 0] < ADD:
        _unary(int(steps[0, 0]), out, x, steps[0, 4], steps[0, 5], steps[0, 6], steps[0, 7])
    else:
        _run(steps, x, out, scratch)
    if len(near):
        _mend(out, x, near)


@njit
def _run(steps, x, out, scratch):
    n = len(x)
    for k in range(len(steps)):
        operation, target, first, second = int(steps[k, 0]), int(steps[k, 1]), int(steps[k, 2]), int(steps[k, 3])
        a, b, c, d = steps[k, 4], steps[k, 5], steps[k, 6], steps[k, 7]
        u = x if first == 0 else scratch[first - 1, :n]
        to = out if target < 0 else scratch[target - 1, :n]
        if operation < ADD:
            _unary(operation, to, u, a, b, c, d)
        else:
            v = x if second == 0 else scratch[second - 1, :n]
            _binary(operation, to, u, v, a, b, c, d)
