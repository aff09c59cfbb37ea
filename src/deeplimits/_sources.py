"""What a module does, apart from how it is written: its syntax without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib


def tree(text: str) -> ast.Module:
    """The syntax tree of a module without its docstrings; comments have no place in it."""
    whole = ast.parse(text)
    for node in ast.walk(whole):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [part for part in body if not _is_docstring(part)]
    return whole


def digest(whole: ast.Module) -> bytes:
    """A digest that two modules share if they do the same, statement for statement."""
    return hashlib.sha256(ast.dump(whole).encode()).digest()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
