"""Activations as text: a whitelist parser, the tree it makes, and derivatives of that tree.

Text never becomes code. Python's parser only splits it into tokens and brackets; each node is then
looked up in a short list of what is allowed, and everything else is refused.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

LONGEST, DEEPEST, MOST_NODES = 200, 20, 400
LARGEST_EXPONENT, LARGEST_NUMBER = 16, 10**9
CONSTANTS = ("pi", "e")

#: Functions that kernels know, each with its derivative, "" where it has a rule of its own.
#: `abs` is the only one with a kink; `sign` serves its derivative.
PRIMITIVES = {
    "exp": "exp(x)",
    "expm1": "exp(x)",
    "log": "1/x",
    "log1p": "1/(1 + x)",
    "sqrt": "1/(2*sqrt(x))",
    "sin": "cos(x)",
    "cos": "-sin(x)",
    "tanh": "1 - tanh(x)**2",
    "arctan": "1/(1 + x**2)",
    "asinh": "1/sqrt(1 + x**2)",
    "erf": "2/sqrt(pi)*exp(-x**2)",
    "normal_cdf": "exp(-x**2/2)/sqrt(2*pi)",
    "sigmoid": "sigmoid(x)*sigmoid(-x)",
    "softplus": "sigmoid(x)",
    "silu": "sigmoid(x)*(1 + x*sigmoid(-x))",
    "gelu": "normal_cdf(x) + x*exp(-x**2/2)/sqrt(2*pi)",
    "abs": "sign(x)",
    "sign": "0",
}

#: Functions that are written in terms of the primitives.
MACROS = {
    "identity": "x",
    "linear": "x",
    "swish": "silu(x)",
    "atan": "arctan(x)",
    "arcsinh": "asinh(x)",
    "sinh": "(expm1(x) - expm1(-x))/2",
    "cosh": "(exp(x) + exp(-x))/2",
    "gudermannian": "2*arctan(tanh(x/2))",
    "logsigmoid": "-softplus(-x)",
    "gelu_tanh": "x*sigmoid(sqrt(8/pi)*(x + 0.044715*x**3))",
    "mish": "x*tanh(softplus(x))",
    "snake": "x + sin(x)**2",
    "relu": "x/2 + abs(x)/2",
    "elu": "relu(x) + expm1(-relu(-x))",
    "selu": "1.0507009873554805*(relu(x) + 1.6732632423543772*expm1(-relu(-x)))",
    "softsign": "x/(1 + abs(x))",
}

FUNCTIONS = sorted((PRIMITIVES.keys() - {"sign"}) | MACROS.keys())


@dataclass(frozen=True)
class Node:
    """One operation: "x", "number", "add", "multiply", "divide", "power" or a primitive function.

    `value` is the number (a Fraction, "pi" or "e") or the integer exponent of a power.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    value: Fraction | int | str | None = None

    def size(self) -> int:
        """The number of operations in the tree."""
        return 1 + sum(part.size() for part in self.parts)


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
        raise ValueError(f"an activation must be a name or an expression in x, got {text!r}")
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
        raise ValueError(f"{text!r} is not an expression in x; write for example 'x + sin(x)**2'") from None
    node = _Reader(text).read(tree, 0)
    if node.size() > MOST_NODES:
        raise ValueError(f"{text!r} has {node.size()} operations; at most {MOST_NODES} are allowed")
    return node


class _Reader:
    """Turns Python's syntax tree into ours, and refuses all that is not listed."""

    def __init__(self, text: str) -> None:
        self.text = text

    def refuse(self, what: str, remedy: str) -> ValueError:
        return ValueError(f"{what} is not allowed in {self.text!r}: {remedy}")

    def read(self, tree: ast.expr, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.refuse(f"nesting deeper than {DEEPEST}", "write it with fewer brackets")
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
                return {ast.Add: _add, ast.Sub: _subtract, ast.Mult: _multiply, ast.Div: _divide}[type(operation)](
                    first, second)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                if name not in FUNCTIONS:
                    raise self.refuse(f"the function {name!r}", f"known ones are {', '.join(FUNCTIONS)}")
                return call(name, self.read(argument, depth + 1))
        raise self.refuse(f"{ast.unparse(tree)!r}",
                          "only x, numbers, pi, e, + - * / ** and functions of one argument are")

    def constant(self, value: float) -> Node:
        if not abs(value) <= LARGEST_NUMBER:
            raise self.refuse(f"the number {value!r:.30}", f"numbers are at most {LARGEST_NUMBER:g}")
        return number(Fraction(repr(value)))

    def name(self, name: str) -> Node:
        if name == "x":
            return X
        if name in CONSTANTS:
            return number(name)
        known = f"known are x, pi, e and the functions {', '.join(FUNCTIONS)}"
        raise self.refuse(f"the name {name!r}", f"write {name}(x)" if name in FUNCTIONS else known)

    def power(self, base: Node, exponent: ast.expr) -> Node:
        sign = 1
        if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
            sign, exponent = -1, exponent.operand
        value = exponent.value if isinstance(exponent, ast.Constant) else None
        if type(value) not in (int, float) or value != int(value) or value > LARGEST_EXPONENT:
            raise self.refuse(f"the exponent {ast.unparse(exponent)!r:.30}",
                              f"exponents are whole numbers up to {LARGEST_EXPONENT}; there are also sqrt and exp")
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
    if name in MACROS:
        return substitute(parse(MACROS[name]), argument)
    return Node(name, (argument,))


def substitute(node: Node, inside: Node) -> Node:
    """The tree with x replaced."""
    if node.kind == "x":
        return inside
    return Node(node.kind, tuple(substitute(part, inside) for part in node.parts), node.value)


def derivative(node: Node) -> Node:
    """The derivative with respect to x; where abs has a kink, that of neither side."""
    match node:
        case Node("x"):
            return ONE
        case Node("number"):
            return ZERO
        case Node("add", (a, b)):
            return _add(derivative(a), derivative(b))
        case Node("multiply", (a, b)):
            return _add(_multiply(derivative(a), b), _multiply(a, derivative(b)))
        case Node("divide", (a, b)):
            return _divide(_subtract(_multiply(derivative(a), b), _multiply(a, derivative(b))), power(b, 2))
        case Node("power", (a,), exponent):
            return _multiply(_multiply(number(exponent), power(a, exponent - 1)), derivative(a))
    (inside,) = node.parts
    outer = ZERO if node.kind == "sign" else Node("sign", (inside,)) if node.kind == "abs" else substitute(
        parse(PRIMITIVES[node.kind]), inside)
    return _multiply(outer, derivative(inside))
