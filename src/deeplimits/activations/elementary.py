"""Elementary functions that the compiler vectorises: polynomials in float32, the C library in float64.

The float32 versions have no branches and call no library: ranges are reduced by comparisons and
bit operations, and what remains is a polynomial or a ratio of polynomials, a minimax fit
with relative error below 3e-8 on its interval. Rounding included, each is right to 3e-7.
Nothing here may be reassociated: the range reductions rely on the order of operations.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from .._vectors import (
    COSINE,
    LOG,
    OPTIONS,
    SINE,
    bits_from_float,
    exponent_and_mantissa,
    float_from_bits,
    horner,
    single,
)

f32, i32 = np.float32, np.int32

_inlined = njit(**OPTIONS)

#: (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2.
_EXPM1 = single(0.5000000062, 0.16666542677, 0.041666281081, 0.0083666313846, 0.0013946530480)
#: (tanh(x) / x - 1) / x^2 as a function of x^2 for |x| <= 0.625, from the Cephes library.
_TANH = single(-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3)
#: erf(x) / x as a function of x^2 for |x| <= 0.9, and log(1 - erf(x)) for x in [0.9, 4].
_ERF = single(1.1283791538, -0.37612523276, 0.11282140812, -0.026778908934, 0.0050119628488, -6.0903601368e-4)
_ERFC = single(
    -1.6644715972e-4, -1.1277972448, -0.63697607907, -0.10411368289, 0.022315215326, -0.0030654909334, 1.9821971973e-4
)
#: log(2 exp(x^2/2) P(standard normal > x)) / x for x in [0, 6.4].
_TAIL = single(
    -0.79788465095,
    0.18169086245,
    -0.036337065312,
    0.0047804507809,
    4.7380730564e-5,
    -2.2993472535e-4,
    6.9337974434e-5,
    -1.2089839513e-5,
    1.3272577325e-6,
    -8.5107930333e-8,
    2.4313492411e-9,
)
#: arctan(x) / x as a function of x^2 for |x| <= 1.
_ARCTAN = single(
    0.99999998477,
    -0.33333073343,
    0.19992619359,
    -0.14203644202,
    0.10640932980,
    -0.075042923005,
    0.042691492734,
    -0.016068612586,
    0.0028498855179,
)

#: Adding and subtracting this rounds a float32 below 2^22 to an integer.
_ROUNDER = f32(1.5 * 2**23)
_LOG2_E, _LN2_HIGH, _LN2_LOW = f32(1 / math.log(2)), f32(0.693359375), f32(-2.12194440e-4)
#: The square of a smaller number would be subnormal, and changes nothing.
_SMALLEST = f32(1e-15)
#: pi / 2 in three parts, the first two with few bits, so that their multiples are exact.
_QUARTER_TURN = single(1.5703125, 4.837512969970703125e-4, 7.54978995489188e-8)


@_inlined
def _reduced(x):
    """n and r with x = n log 2 + r and |r| <= log(2)/2, for x within the exponents of float32."""
    x = f32(88.3) if x > f32(88.3) else x
    x = f32(-43) if x < f32(-43) else x
    shifted = x * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    return n, (x - n * _LN2_HIGH) - n * _LN2_LOW


@_inlined
def _power_of_two(n):
    return float_from_bits((i32(n) + i32(127)) << i32(23))


@_inlined
def _exp(x):
    """Saturates at exp(88.3), so that no infinity meets another, and at exp(-43), whose square is no subnormal.

    Arithmetic on subnormal numbers is a hundred times slower.
    """
    n, r = _reduced(x)
    return (horner(r, _EXPM1) * (r * r) + r + f32(1)) * _power_of_two(n)


@_inlined
def _expm1(x):
    n, r = _reduced(x)
    power = _power_of_two(n)
    return power * (horner(r, _EXPM1) * (r * r) + r) + (power - f32(1))


@_inlined
def _log(x):
    """The logarithm of a positive, normal number."""
    n, m = exponent_and_mantissa(x)
    square = m * m
    fraction = horner(m, LOG) * (m * square) + n * _LN2_LOW - f32(0.5) * square
    return fraction + m + n * _LN2_HIGH


@_inlined
def _log1p(x):
    whole = x + f32(1)
    # What the sum has rounded away, to first order.
    return _log(whole) + (x - (whole - f32(1))) / whole


@_inlined
def _tanh(x):
    size = abs(x)
    kept = _SMALLEST if size < _SMALLEST else size
    square = kept * kept
    near = x * (horner(square, _TANH) * square + f32(1))
    size = f32(10) if size > f32(10) else size
    far = f32(1) - f32(2) / (_exp(size + size) + f32(1))
    return near if size < f32(0.625) else (far if x > f32(0) else -far)


@_inlined
def _sigmoid(x):
    x = f32(-43) if x < f32(-43) else x
    return f32(1) / (f32(1) + _exp(-x))


@_inlined
def _softplus(x):
    return (x if x > f32(0) else f32(0)) + _log1p(_exp(-abs(x)))


@_inlined
def _upper_tail(size):
    """P(standard normal > size) for size >= 0, as one exponential.

    Its exponent is -size^2/2 plus a polynomial; the square comes in two parts and the
    large one is reduced first, so that the tail keeps its relative precision.
    """
    size = f32(9) if size > f32(9) else size
    kept = f32(6.4) if size > f32(6.4) else size
    high = float_from_bits(bits_from_float(size) & i32(0x7FFFF000))
    large, small = f32(-0.5) * (high * high), kept * horner(kept, _TAIL) - f32(0.5) * ((size - high) * (size + high))
    shifted = (large + small) * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    r = ((large - n * _LN2_HIGH) - n * _LN2_LOW) + small
    return (horner(r, _EXPM1) * (r * r) + r + f32(1)) * _power_of_two(n - f32(1))


@_inlined
def _normal_cdf(x):
    tail = _upper_tail(abs(x))
    return tail if x < f32(0) else f32(1) - tail


@_inlined
def _erf(x):
    size = abs(x)
    kept = _SMALLEST if size < _SMALLEST else size
    near = x * horner(kept * kept, _ERF)
    far = f32(1) - _exp(horner(f32(4) if size > f32(4) else size, _ERFC))
    return near if size < f32(0.9) else (far if x > f32(0) else -far)


@_inlined
def _turned(x):
    """Quarter turns and what remains. Beyond 1e6 the digits are gone, but the result stays bounded."""
    x = f32(1e6) if x > f32(1e6) else x
    x = f32(-1e6) if x < f32(-1e6) else x
    shifted = x * f32(2 / math.pi) + _ROUNDER
    n = shifted - _ROUNDER
    r = ((x - n * _QUARTER_TURN[0]) - n * _QUARTER_TURN[1]) - n * _QUARTER_TURN[2]
    return i32(n), r


@_inlined
def _sine_of_quarters(quarters, r):
    square = r * r
    value = horner(square, COSINE) if quarters & i32(1) else r * horner(square, SINE)
    return -value if quarters & i32(2) else value


@_inlined
def _sin(x):
    quarters, r = _turned(x)
    return _sine_of_quarters(quarters, r)


@_inlined
def _cos(x):
    quarters, r = _turned(x)
    return _sine_of_quarters(quarters + i32(1), r)


@_inlined
def _arctan(x):
    size = abs(x)
    inner = f32(1) / size if size > f32(1) else size
    angle = inner * horner(inner * inner, _ARCTAN)
    angle = f32(math.pi / 2) - angle if size > f32(1) else angle
    return angle if x > f32(0) else -angle


@_inlined
def _asinh(x):
    size = abs(x)
    # Beyond 1e9 the formula is log(size) + log(2); squares would overflow.
    kept = f32(1e9) if size > f32(1e9) else size
    grown = kept + kept * kept / (f32(1) + f32(math.sqrt(kept * kept + f32(1))))
    value = _log1p(size if size > f32(1e9) else grown) + (f32(math.log(2)) if size > f32(1e9) else f32(0))
    return value if x > f32(0) else -value


def _function(single, double):
    """A function for compiled code that picks its version by the type of its argument."""

    def function(x):
        return double(x)

    @overload(function, jit_options=OPTIONS)
    def choose(x):
        chosen = single if x == types.float32 else njit(**OPTIONS)(double)
        return lambda x: chosen(x)

    return function


exp = _function(_exp, lambda x: math.exp(x))
expm1 = _function(_expm1, lambda x: math.expm1(x))
log = _function(_log, lambda x: math.log(x))
log1p = _function(_log1p, lambda x: math.log1p(x))
tanh = _function(_tanh, lambda x: math.tanh(x))
erf = _function(_erf, lambda x: math.erf(x))
sigmoid = _function(_sigmoid, lambda x: 1 / (1 + math.exp(-x)))
softplus = _function(_softplus, lambda x: (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x))))
normal_cdf = _function(_normal_cdf, lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
sin = _function(_sin, lambda x: math.sin(x))
cos = _function(_cos, lambda x: math.cos(x))
arctan = _function(_arctan, lambda x: math.atan(x))
asinh = _function(_asinh, lambda x: math.asinh(x))
