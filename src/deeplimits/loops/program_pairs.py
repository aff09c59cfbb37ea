"""The loop of `program_rows` for two inputs, with the state in three numbers: several times faster.

The state is the variance of the first input, its covariance with the other coordinate, and the
variance of that: the difference of both inputs if they are joined, the second if not.
"""

from __future__ import annotations

import numpy as np

from .._jit import FINITE, njit
from .._vectors import widest_vectors
from ..activations.programs import TILE, apply, polynomial
from ..gaussian import fill, of_sample, padded
from .linear import PIVOT
from .program_rows import JOIN, PART, SMALL, divisor_of, one_layer, state_of


@njit(fastmath=FINITE, error_model="numpy")
def _near_sums(normals, count, across, other_across, beside, gain, other_gain, joined, near):
    """Sums over neurons of y^2, y d and d^2 for two inputs, in one pass, and how many it cannot serve.

    y = gain phi(x) and d = other_gain (phi(x') - joined phi(x)) by the polynomial of the activation.
    """
    widest_vectors()
    kind = normals.dtype.type
    radius, one, none = near[0], kind(1), kind(0)
    squares, products, differences, outside = none, none, none, none
    for i in range(count):
        x = across * normals[i]
        other = other_across * normals[i] + beside * normals[count + i]
        value = polynomial(x, near)
        difference = other_gain * (polynomial(other, near) - joined * value)
        value = gain * value
        squares += value * value
        products += value * difference
        differences += difference * difference
        # A count in floating point: the compiler does not vectorise a maximum beside sums.
        outside += none if abs(x) < radius else one
        outside += none if abs(other) < radius else one
    return squares, products, differences, outside


@njit(fastmath=FINITE)
def _inputs(x, other, normals, across, other_across, beside):
    widest_vectors()
    count = len(x)
    for i in range(count):
        x[i] = across * normals[i]
        other[i] = other_across * normals[i] + beside * normals[count + i]


@njit(fastmath=FINITE)
def _sums(values, others, gain, other_gain, joined):
    """The sums of `_near_sums` from the activations."""
    widest_vectors()
    kind = values.dtype.type
    squares, products, differences = kind(0), kind(0), kind(0)
    for i in range(len(values)):
        value, difference = gain * values[i], other_gain * (others[i] - joined * values[i])
        squares += value * value
        products += value * difference
        differences += difference * difference
    return squares, products, differences


@njit
def _far_sums(drawn, count, across, other_across, beside, gain, other_gain, joined, program, work):
    """The sums of `_near_sums` by the program itself."""
    units, others, values, other_values = (
        work.units[0, :count],
        work.units[1, :count],
        work.values[0, :count],
        work.values[1, :count],
    )
    _inputs(units, others, drawn, across, other_across, beside)
    apply(program, units, values, work.registers)
    apply(program, others, other_values, work.registers)
    return _sums(values, other_values, gain, other_gain, joined)


@njit
def _pair_layer(v, cross, e, joined, enlarged, neurons, layer, address, work):
    """One layer of neurons for two inputs that are not nearly parallel: the new state before the factor c/n."""
    kind, program = work.normals.dtype.type, neurons.program
    near = program.near
    size, other_size = enlarged * np.sqrt(v), enlarged * np.sqrt(e)
    along = enlarged * cross / np.sqrt(v)
    rest = other_size * other_size - along * along
    across, other_across = kind(size), kind(size + along if joined else along)
    beside = kind(np.sqrt(rest) if rest > PIVOT * other_size * other_size else 0.0)
    divisor, other_divisor = divisor_of(False, size, neurons.value), divisor_of(joined, other_size, neurons.value)
    gain, other_gain, share = kind(1 / divisor), kind(1 / other_divisor), kind(1 if joined else 0)
    a, b, c = 0.0, 0.0, 0.0
    counter = 0
    for begin in range(0, neurons.width, TILE):
        count = min(TILE, neurons.width - begin)
        drawn = work.normals[: padded(2 * count)]
        fill(drawn, counter, layer, address)
        counter += len(drawn) // 4
        outside = kind(1)
        if len(near):
            x, y, z, outside = _near_sums(drawn, count, across, other_across, beside, gain, other_gain, share, near)
        if outside > 0:
            x, y, z = _far_sums(drawn, count, across, other_across, beside, gain, other_gain, share, program, work)
        a, b, c = a + x, b + y, c + z
    divisor, other_divisor = divisor / enlarged, other_divisor / enlarged
    return divisor * divisor * a, divisor * other_divisor * b, other_divisor * other_divisor * c


@njit
def _rejoined(v, cross, e, joined):
    """The state in the coordinates that suit it."""
    if joined and e > PART * (v + 2 * cross + e):
        return v + cross, v + 2 * cross + e, False
    if not joined and v - 2 * cross + e < JOIN * e:
        return cross - v, max(v - 2 * cross + e, 0.0), True
    return cross, e, joined


@njit
def _write(out, v, cross, e, joined):
    out[0, 0] = v
    out[0, 1] = out[1, 0] = v + cross if joined else cross
    out[1, 1] = v + 2 * cross + e if joined else e
    if not np.all(np.isfinite(out)):
        out[:] = np.inf


@njit
def _close_layer(v, cross, e, joined, neurons, layer, address, work):
    """One layer by the general loop, which knows nearly parallel inputs and those that vanish."""
    state = state_of(np.zeros(2, np.int64))
    gram = state.gram
    gram[0, 0], gram[0, 1], gram[1, 0], gram[1, 1] = v, cross, cross, e
    state.joined[1] = joined
    _write(state.covariance, v, cross, e, joined)
    one_layer(state, neurons, layer, address, work)
    return gram[0, 0], gram[0, 1], gram[1, 1]


@njit
def propagate_pair(out, layers, V0, neurons, origin, work):
    """`propagate` for two inputs."""
    close = neurons.close**2
    for i in range(len(out)):
        v, cross, e, joined = V0[0, 0], V0[0, 1], V0[1, 1], False
        address = of_sample(origin, origin.sample + i)
        done = 0
        for place in range(len(layers)):
            while done < layers[place]:
                if np.isfinite(v + abs(cross) + e):
                    cross, e, joined = _rejoined(v, cross, e, joined)
                    largest = np.sqrt(max(v, v + 2 * cross + e if joined else e))
                    if v > 0 and e > 0 and (not joined or e >= close * v):
                        enlarged = 1.0
                        if neurons.proportional and largest < SMALL * neurons.length:
                            enlarged = SMALL * neurons.length / largest
                        v, cross, e = _pair_layer(v, cross, e, joined, enlarged, neurons, done, address, work)
                        v, cross, e = neurons.scale * v, neurons.scale * cross, neurons.scale * e
                    else:
                        v, cross, e = _close_layer(v, cross, e, joined, neurons, done, address, work)
                done += 1
            _write(out[i, place], v, cross, e, joined)
