"""Activations as text: a whitelist parser, the tree it makes, and derivatives of that tree.

Text never becomes code. Python's parser only splits it into tokens and brackets; each node is then
looked up in a short list of what is allowed, and everything else is refused.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from typing import Any

from .primitives import FUNCTIONS, MACROS, PRIMITIVES

LONGEST, DEEPEST, MOST_NODES = 200, 20, 400
LARGEST_EXPONENT, LARGEST_NUMBER = 16, 10**9
CONSTANTS = {"pi": math.pi, "e": math.e}


@dataclass(frozen=True)
class Node:
    """One operation: "x", "number", "add", "multiply", "divide", "power" or a primitive function.

    `value` is the number (a Fraction, "pi" or "e") or the integer exponent of a power.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    value: Any = None
    #: The number of operations in the tree. Trees share their branches: counted while they grow, it costs nothing.
    size: int = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum(part.size for part in self.parts))
        object.__setattr__(self, "_hash", hash((self.kind, self.parts, self.value)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def entire(self) -> bool:
        """Whether the tree is a polynomial, which is finite everywhere."""
        return self.kind in ("x", "number", "add", "multiply", "power") and all(part.entire for part in self.parts)


X = Node("x")


def number(value: Fraction | int | str) -> Node:
    """A constant: a rational number, "pi" or "e"."""
    return Node("number", value=value if isinstance(value, str) else Fraction(value))


ZERO, ONE = number(0), number(1)


def checked_name(text: object) -> str:
    """The text of an activation, if it is short enough to look at.

    Raises: ValueError for anything else.
    """
    if not isinstance(text, str):
        raise ValueError(f"an activation must be a name or an expression in x, got {text!r:.200}")
    if len(text) > LONGEST:
        raise ValueError(f"the expression has {len(text)} characters; at most {LONGEST} are allowed")
    return text.strip()


def parse(text: str) -> Node:
    """The tree of an activation given by name or as an expression in x.

    Raises: ValueError that names what is not allowed and says what is.
    """
    stripped = checked_name(text)
    if stripped in FUNCTIONS:
        stripped += "(x)"
    strange = re.search(r"[^0-9A-Za-z_+\-*/()., ]", stripped)
    if strange:
        raise ValueError(f"{strange.group()!r} is not allowed in {text!r}: write it with + - * / ** ( ) and functions")
    try:
        tree = ast.parse(stripped, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(
            f"{text!r} is no name of an activation and not an expression in x; write for example 'x + sin(x)**2'"
        ) from None
    return _Reader(text, FUNCTIONS).read(tree, 0)


def suggestion(name: str) -> str:
    """A question that names the known function closest to a name, if one is close."""
    near = get_close_matches(name.lower().replace("-", "_"), FUNCTIONS, n=1)
    return f"did you mean {near[0]}? " if near else ""


class _Reader:
    """Turns Python's syntax tree into ours, and refuses all that is not listed."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        self.text = text
        self.functions = functions

    def refuse(self, what: str, remedy: str) -> ValueError:
        return ValueError(f"{what} is not allowed in {self.text!r}: {remedy}")

    def read(self, tree: ast.expr, depth: int) -> Node:
        """The tree of a part. What is written out of macros is counted at each step, so that none is ever large."""
        if depth > DEEPEST:
            raise self.refuse(f"nesting deeper than {DEEPEST}", "write it with fewer brackets")
        node = self.operation(tree, depth)
        if node.size > MOST_NODES:
            raise ValueError(
                f"{self.text!r} has {node.size:,} or more operations; at most {MOST_NODES} are allowed, "
                "functions such as elu written out"
            )
        return node

    def operation(self, tree: ast.expr, depth: int) -> Node:
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self.constant(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inside = self.read(operand, depth + 1)
                return _multiply(number(-1), inside) if isinstance(sign, ast.USub) else inside
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
                return self.power(self.read(base, depth + 1), exponent)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as operation, right=right):
                first, second = self.read(left, depth + 1), self.read(right, depth + 1)
                return self.binary(type(operation), first, second)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                if name not in self.functions:
                    known = f"{suggestion(name)}known ones are {', '.join(FUNCTIONS)}"
                    raise self.refuse(f"the function {name!r}", known)
                return call(name, self.read(argument, depth + 1))
        raise self.refuse(
            f"{ast.unparse(tree)!r}", "only x, numbers, pi, e, + - * / ** and functions of one argument are"
        )

    def binary(self, operation: type[ast.operator], first: Node, second: Node) -> Node:
        """One operation. 0 times, or 0 over, what may be infinite is kept as it is written, and found out later."""
        if operation is ast.Div and second == ZERO:
            raise self.refuse("a division by 0", "leave it out")
        if operation is ast.Mult and ZERO in (first, second) and not (first.entire and second.entire):
            return Node("multiply", (first, second))
        if operation is ast.Div and first == ZERO and second.kind != "number":
            return Node("divide", (first, second))
        simplified = {ast.Add: _add, ast.Sub: _subtract, ast.Mult: _multiply, ast.Div: _divide}
        return simplified[operation](first, second)

    def constant(self, value: float) -> Node:
        if not abs(value) <= LARGEST_NUMBER:
            raise self.refuse(f"the number {value!r:.30}", f"numbers are at most {LARGEST_NUMBER:g}")
        return number(Fraction(repr(value)))

    def name(self, name: str) -> Node:
        if name == "x":
            return X
        if name in CONSTANTS:
            return number(name)
        known = f"{suggestion(name)}known are x, pi, e and the functions {', '.join(FUNCTIONS)}"
        raise self.refuse(f"the name {name!r}", f"write {name}(x)" if name in FUNCTIONS else known)

    def power(self, base: Node, exponent: ast.expr) -> Node:
        sign = 1
        if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
            sign, exponent = -1, exponent.operand
        value = exponent.value if isinstance(exponent, ast.Constant) else None
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or value != int(value)
            or value > LARGEST_EXPONENT
        ):
            raise self.refuse(
                f"the exponent {ast.unparse(exponent)!r:.30}",
                f"exponents are whole numbers up to {LARGEST_EXPONENT}; there are also sqrt and exp",
            )
        if value == 0 and not base.entire:  # 1, where the base is finite
            return _add(ONE, Node("multiply", (ZERO, base)))
        if sign < 0 and base == ZERO:
            raise self.refuse("a division by 0", "leave it out")
        return power(base, sign * int(value))


def _add(a: Node, b: Node) -> Node:
    return b if a == ZERO else a if b == ZERO else Node("add", (a, b))


def _subtract(a: Node, b: Node) -> Node:
    return _add(a, _multiply(number(-1), b))


def _multiply(a: Node, b: Node) -> Node:
    if ZERO in (a, b):
        return ZERO
    return b if a == ONE else a if b == ONE else Node("multiply", (a, b))


def _divide(a: Node, b: Node) -> Node:
    return a if b == ONE else ZERO if a == ZERO else Node("divide", (a, b))


def power(base: Node, exponent: int) -> Node:
    """A whole power, negative ones as one over the positive."""
    if exponent < 0:
        return _divide(ONE, power(base, -exponent))
    return ONE if exponent == 0 else base if exponent == 1 else Node("power", (base,), exponent)


def call(name: str, argument: Node) -> Node:
    """A function of a tree, macros written out."""
    return substitute(_written_out(name), argument) if name in MACROS else Node(name, (argument,))


@cache
def _written_out(macro: str) -> Node:
    return parse(MACROS[macro])


def substitute(node: Node, inside: Node) -> Node:
    """The tree with x replaced."""
    if node.kind == "x":
        return inside
    return Node(node.kind, tuple(substitute(part, inside) for part in node.parts), node.value)


def derivative(node: Node) -> Node:
    """The derivative with respect to x; where there is a kink, the mean of both sides."""
    known: dict[int, Node] = {}

    def slope(node: Node) -> Node:
        if id(node) not in known:
            known[id(node)] = rule(node)
        return known[id(node)]

    def rule(node: Node) -> Node:
        match node:
            case Node("x"):
                return ONE
            case Node("number"):
                return ZERO
            case Node("add", (a, b)):
                return _add(slope(a), slope(b))
            case Node("multiply", (a, b)):
                return _add(_multiply(slope(a), b), _multiply(a, slope(b)))
            case Node("divide", (a, b)):
                return _divide(_subtract(_multiply(slope(a), b), _multiply(a, slope(b))), power(b, 2))
            case Node("power", (a,), exponent):
                return _multiply(_multiply(number(exponent), power(a, exponent - 1)), slope(a))
        (inside,) = node.parts
        return _multiply(substitute(slope_of(node.kind), inside), slope(inside))

    return slope(node)


@cache
def slope_of(name: str) -> Node:
    """The derivative of a primitive function, as a tree. It may use `sign`, which expressions may not."""
    text = PRIMITIVES[name].derivative
    return _Reader(text, {*FUNCTIONS, "sign"}).read(ast.parse(text, mode="eval").body, 0)


def evaluate(
    node: Node, x: Any, constant: Callable[[Any], Any], function: Callable[[str], Callable[[Any], Any]]
) -> Any:
    """The value of a tree for any kind of number: shared branches are worked out once.

    `constant` makes a number of a Fraction, "pi" or "e"; `function` gives the primitive function of a name.
    """
    known: dict[int, Any] = {}

    def value(node: Node) -> Any:
        if id(node) not in known:
            known[id(node)] = operation(node)
        return known[id(node)]

    def operation(node: Node) -> Any:
        if node.kind == "x":
            return x
        if node.kind == "number":
            return constant(node.value)
        first, *rest = (value(part) for part in node.parts)
        match node.kind:
            case "add":
                return first + rest[0]
            case "multiply":
                return first * rest[0]
            case "divide":
                return first / rest[0]
            case "power":
                return first**node.value
        return function(node.kind)(first)

    return value(node)
