"""Counter-based Gaussian streams: any normal of any sample, without a state.

A normal is a pure function of (seed, stream, sample, layer, position). Work can therefore
be cut into threads, chunks and machines in any way and gives the same numbers.
The bits come from Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011), the normals from
the transform of Box and Muller, written without branches so that the compiler turns
it into vector instructions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import overload, register_jitable
from numpy.typing import DTypeLike, NDArray

from ._checks import empty, shown, whole
from ._checks import seed as checked_seed
from ._jit import FUSED, njit
from ._vectors import COSINE, LOG, SINE, bits_from_float, exponent_and_mantissa, float_from_bits, horner, widest_vectors

__all__ = ["block_generator", "normals"]

u32, i32, u64, f32, f64 = np.uint32, np.int32, np.uint64, np.float32, np.float64

#: Sample indices stay below 2^48: the upper 16 bits of the last counter word name the stream.
MOST_SAMPLES = 2**48

#: Streams, one for each purpose, so that two uses of one seed never share a number.
LAYERS, STARTS, SPLITS, TANGENT_LAYERS, TANGENT_SPLITS, WEIGHTS, SHAPED_WEIGHTS = 0, 1, 2, 3, 4, 8, 9
CORRELATION_PATHS, COVARIANCE_PATHS, CHAIN_PATHS, SINGULAR_PATHS, NORM_PATHS = 16, 17, 18, 19, 20
TANGENT_PATHS, EQUATION_PATHS = 21, 22
ATTENTION_LAYERS, ATTENTION_PATHS = 30, 31
FRACTIONAL_WEIGHTS = 32
LAZY = 40

_MULTIPLY_0, _MULTIPLY_1 = u64(0xD2511F53), u64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = u32(0x9E3779B9), u32(0xBB67AE85)
_HALF_WORD = u64(32)


class Address(NamedTuple):
    """Where normals stand, but for their layer and their place in it: a sample or a block of samples, stream, seed."""

    sample: int
    stream: int
    seed: np.uint64


@register_jitable
def of_sample(address: Address, sample: int) -> Address:
    """The address of another sample under the same seed."""
    return Address(sample, address.stream, address.seed)


@register_jitable
def padded(count: int) -> int:
    """The size of a buffer for so many normals, in compiled code too: a multiple of 32, so that vectors fill it."""
    return 32 * ((count + 31) // 32)


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words of 32 bits from a counter of four words and a key of two."""
    for _ in range(10):
        low_product = u64(c0) * _MULTIPLY_0
        high_product = u64(c2) * _MULTIPLY_1
        c0 = u32(u32(high_product >> _HALF_WORD) ^ c1 ^ k0)
        c2 = u32(u32(low_product >> _HALF_WORD) ^ c3 ^ k1)
        c1 = u32(high_product)
        c3 = u32(low_product)
        k0 = u32(k0 + _WEYL_0)
        k1 = u32(k1 + _WEYL_1)
    return c0, c1, c2, c3


@njit(inline="always")
def _radius(word):
    """sqrt(-2 log u) with u = (word + 1/2) / 2^32, in single precision.

    The logarithm splits off the exponent and uses the polynomial of the Cephes library on
    [sqrt(1/2), sqrt(2)]. The word is converted in two halves, since there is no vector
    instruction for unsigned integers; u keeps its relative precision down to 2^-33.
    """
    x = f32(i32(word >> u32(16))) * f32(65536) + (f32(i32(word & u32(0xFFFF))) + f32(0.5))
    exponent, m = exponent_and_mantissa(x)
    square = m * m
    log_mantissa = horner(m, LOG) * m * square - f32(0.5) * square + m
    # Rounding can push u one unit above 1: the maximum keeps the root real.
    return f32(math.sqrt(f32(2) * max((f32(32) - exponent) * f32(math.log(2)) - log_mantissa, f32(0))))


@njit(inline="always")
def _sine_cosine(word):
    """Sine and cosine of 2 pi word / 2^32: a quadrant from the top bits, a polynomial for the rest."""
    turned = u32(word + u32(0x20000000))
    t = f32(i32(word - (turned & u32(0xC0000000)))) * f32(math.pi / 2**31)
    square = t * t
    sine = horner(square, SINE[1:]) * square * t + t
    cosine = horner(square, COSINE[2:]) * square * square - f32(0.5) * square + f32(1)
    odd = (turned & u32(0x40000000)) != u32(0)
    first, second = (cosine, sine) if odd else (sine, cosine)
    first_sign = i32(turned & u32(0x80000000))
    second_sign = i32((turned + u32(0x40000000)) & u32(0x80000000))
    return (
        float_from_bits(i32(bits_from_float(first) ^ first_sign)),
        float_from_bits(i32(bits_from_float(second) ^ second_sign)),
    )


@njit(inline="always")
def _words(address):
    """The last two words of the counter, and the key."""
    sample, stream, seed = u64(address.sample), u64(address.stream), u64(address.seed)
    low, high = u32(sample & u64(0xFFFFFFFF)), u32((sample >> _HALF_WORD) | (stream << u64(16)))
    return low, high, u32(seed & u64(0xFFFFFFFF)), u32(seed >> _HALF_WORD)


@njit(fastmath=FUSED)
def _fill_single(out, start, layer, address):
    widest_vectors()
    quarter = out.size // 4
    c2, c3, k0, k1 = _words(address)
    for i in range(quarter):
        a, b, c, d = philox(u32(start + i), u32(layer), c2, c3, k0, k1)
        radius = _radius(a)
        sine, cosine = _sine_cosine(b)
        out[i] = radius * sine
        out[quarter + i] = radius * cosine
        radius = _radius(c)
        sine, cosine = _sine_cosine(d)
        out[2 * quarter + i] = radius * sine
        out[3 * quarter + i] = radius * cosine


@njit
def _fill_double(out, start, layer, address):
    quarter = out.size // 4
    c2, c3, k0, k1 = _words(address)
    for i in range(quarter):
        for half in range(2):
            # The top bit of the layer word tells the second pair from the first.
            a, b, c, d = philox(u32(start + i), u32(layer) | (u32(half) << u32(31)), c2, c3, k0, k1)
            u = ((u64(a) << _HALF_WORD | u64(b)) >> u64(11)) * 2.0**-53 + 2.0**-54
            radius = math.sqrt(-2 * math.log(u))
            angle = 2 * math.pi * (((u64(c) << _HALF_WORD | u64(d)) >> u64(11)) * 2.0**-53)
            out[2 * half * quarter + i] = radius * math.sin(angle)
            out[(2 * half + 1) * quarter + i] = radius * math.cos(angle)


def fill(out: np.ndarray, start: int, layer: int, address: Address) -> None:
    """Fill `out` with the normals of four words from each counter start, start + 1, ... (inside compiled code).

    Shapes: out is one-dimensional float32 or float64, its size a multiple of 4.
    """


@overload(fill)
def _fill_for(out, start, layer, address):
    chosen = _fill_single if out.dtype == types.float32 else _fill_double

    def implementation(out, start, layer, address):
        chosen(out, start, layer, address)

    return implementation


@njit
def _table(out, layer, origin):
    for i in range(out.shape[0]):
        fill(out[i], 0, layer, of_sample(origin, origin.sample + i))


def normals(
    seed: int,
    samples: int,
    count: int,
    *,
    layer: int = 0,
    first: int = 0,
    stream: int = LAYERS,
    dtype: DTypeLike = np.float32,
) -> NDArray:
    """Standard normals of a stream, addressed by sample and layer.

    Shapes: (samples, count), float32 or float64; row i belongs to sample `first + i`. The rows
        do not depend on `samples` or `first`; they do depend on `count`, which sets the layout.
    Law: independent standard normals. Single precision: the radius comes from 32 bits, so no draw
        is further out than sqrt(66 log 2) = 6.764 (a normal is, with probability 1.3e-11); the
        angle has 32 bits; the squared radius is right to 3e-7 (1 + radius^2). Double precision: 53
        bits, no draw further out than sqrt(108 log 2) = 8.652, and numbers of its own (not the
        same ones with more digits).
    Source: Salmon, Moraes, Dror and Shaw 2011, Philox4x32-10; Box and Muller 1958.
    Raises: ValueError for a negative or oversized seed, sample, layer or stream and another dtype.

    >>> import numpy as np
    >>> from deeplimits import gaussian
    >>> x = gaussian.normals(seed=1, samples=1000, count=4)
    >>> x.shape, bool(abs(x.mean()) < 0.1)
    ((1000, 4), True)
    >>> bool(np.array_equal(gaussian.normals(seed=1, samples=10, count=4, first=500), x[500:510]))
    True
    """
    rows, columns = whole("samples", samples, most=MOST_SAMPLES), whole("count", count)
    if not any(
        dtype is one or (isinstance(dtype, str | np.dtype) and dtype == np.dtype(one).name) for one in (f32, f64)
    ):
        raise ValueError(f"dtype must be float32 or float64, got {shown(dtype)}")
    whole("layer", layer, least=0, most=2**31 - 1)
    whole("stream", stream, least=0, most=2**16 - 1)
    whole("first", first, least=0, most=MOST_SAMPLES - rows)
    out = empty("samples and count", (rows, 4 * -(-columns // 4)), dtype)
    _table(out, layer, Address(first, stream, u64(checked_seed(seed))))
    return out[:, :columns]


def block_generator(seed: int, block: int, stream: int) -> np.random.Generator:
    """A NumPy generator of its own for one block of samples, for laws other than the normal.

    Law: streams of different (seed, block, stream) never overlap.
    Source: NumPy's Philox4x64-10, keyed by seed and stream and placed by the block.
    Raises: ValueError for what is not a whole number of 64 bits.

    >>> from deeplimits import gaussian
    >>> draw = gaussian.block_generator(seed=1, block=0, stream=0)
    >>> draw.exponential(size=3).shape
    (3,)
    """
    whole("block", block, least=0, most=2**64 - 1), whole("stream", stream, least=0, most=2**64 - 1)
    counter = np.array([0, 0, 0, block], dtype=u64)
    return np.random.Generator(np.random.Philox(key=np.array([checked_seed(seed), stream], dtype=u64), counter=counter))
