"""From a tree to a program: constants are folded into the instructions, and registers are shared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import DTypeLike

from .expressions import CONSTANTS, Node
from .programs import NUMBER_OF, REGISTERS, UNARY, Program


@dataclass(frozen=True)
class _Value:
    """scale * register + shift; without a register, a constant."""

    register: int | None
    scale: float = 1.0
    shift: float = 0.0

    def times(self, factor: float) -> _Value:
        return _Value(self.register, self.scale * factor, self.shift * factor)


@dataclass
class _Assembler:
    """Writes instructions on as many registers as there are results; register 0 is the input."""

    instructions: list[tuple[str, int, int, list[float]]] = field(default_factory=list)
    known: dict[Node, _Value] = field(default_factory=dict)

    def emit(self, name: str, first: int, second: int, constants: list[float]) -> _Value:
        self.instructions.append((name, first, second, constants))
        return _Value(len(self.instructions))

    def value(self, node: Node) -> _Value:
        if node not in self.known:
            self.known[node] = self.compute(node)
        return self.known[node]

    def compute(self, node: Node) -> _Value:
        match node:
            case Node("number", value=value):
                return _Value(None, 0.0, float(CONSTANTS[value] if value in CONSTANTS else value))
            case Node("power", (base,), exponent):
                return self.power(self.value(base), exponent)
        parts = [self.value(part) for part in node.parts]
        if node.kind in UNARY:
            return self.unary(node.kind, *parts)
        return getattr(self, node.kind)(*parts)

    def unary(self, name: str, inside: _Value) -> _Value:
        # A constant argument still runs on a register, so that one definition of each function serves all.
        register = 0 if inside.register is None else inside.register
        return self.emit(name, register, 0, [inside.scale, inside.shift, 1.0, 0.0])

    def add(self, u: _Value, v: _Value) -> _Value:
        if u.register is None or v.register is None or u.register == v.register:
            register = v.register if u.register is None else u.register
            return _Value(register, u.scale + v.scale, u.shift + v.shift)
        return self.emit("add", u.register, v.register, [u.scale, v.scale, u.shift + v.shift, 0.0])

    def multiply(self, u: _Value, v: _Value) -> _Value:
        if u.register is None:
            return v.times(u.shift)
        if v.register is None:
            return u.times(v.shift)
        return self.emit("multiply", u.register, v.register, [u.scale, u.shift, v.scale, v.shift])

    def divide(self, u: _Value, v: _Value) -> _Value:
        if v.register is None and v.shift != 0:
            return u.times(1 / v.shift)
        return self.emit("divide", u.register or 0, v.register or 0, [u.scale, u.shift, v.scale, v.shift])

    def power(self, base: _Value, exponent: int) -> _Value:
        if base.register is None:
            return _Value(None, 0.0, base.shift**exponent)
        total: _Value | None = None
        while exponent:
            if exponent & 1:
                total = base if total is None else self.multiply(total, base)
            exponent >>= 1
            base = self.multiply(base, base) if exponent else base
        return total or _Value(None, 0.0, 1.0)

    def finish(self, result: _Value) -> None:
        """Make the last instruction write scale * register + shift into the output."""
        last = len(self.instructions)
        if result.register is not None and result.register == last and last > 0:
            name, first, second, (a, b, c, d) = self.instructions[-1]
            scale, shift = result.scale, result.shift
            folded = None
            if name in UNARY:
                folded = [a, b, c * scale, d * scale + shift]
            elif name == "add":
                folded = [a * scale, b * scale, c * scale + shift, 0.0]
            elif shift == 0:
                folded = [a * scale, b * scale, c, d]
            if folded is not None:
                self.instructions[-1] = (name, first, second, folded)
                return
        self.emit("linear", result.register or 0, 0, [result.scale, result.shift, 1.0, 0.0])


def _allocate(instructions: list[tuple[str, int, int, list[float]]]) -> list[list[int]]:
    """Physical registers: one is free again after its last use, and never both source and target of a loop."""
    last_use = {}
    for place, (_, first, second, _) in enumerate(instructions):
        last_use[first] = last_use[second] = place
    where, free, codes = {0: 0}, list(range(REGISTERS, 0, -1)), []
    for place, (name, first, second, _) in enumerate(instructions):
        target = -1
        if place < len(instructions) - 1:
            if not free:
                raise ValueError(f"the expression needs more than {REGISTERS} intermediate results; write it shorter")
            target = where[place + 1] = free.pop()
        codes.append([NUMBER_OF[name], target, where[first], where[second]])
        free += [where[register] for register in {first, second} - {0} if last_use[register] == place]
    return codes


def assemble(
    node: Node, scale: float, shift: float, gain: float, offset: float, dtype: DTypeLike, near: np.ndarray | None = None
) -> Program:
    """The program of gain * tree(x / scale + shift) + offset.

    Raises: ValueError for a tree that needs too many registers.
    """
    assembler = _Assembler()
    assembler.known[Node("x")] = _Value(0, 1 / scale, shift)
    result = assembler.value(node)
    assembler.finish(replace(result, scale=result.scale * gain, shift=result.shift * gain + offset))
    codes = _allocate(assembler.instructions)
    steps = [[*code, *constants] for code, (*_, constants) in zip(codes, assembler.instructions, strict=True)]
    return Program(np.array(steps, dtype), np.zeros(0, dtype) if near is None else near.astype(dtype))
