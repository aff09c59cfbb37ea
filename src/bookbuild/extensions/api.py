"""Sphinx extension: the docstrings of the package as they are written here.

They are plain text with `names` between backticks, the paragraphs Shapes, Law, Source and Raises, and an example.
autodoc takes them for reStructuredText; this translates, links names to their entries, and shows types as the source
has them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.ext.autodoc import DataDocumenter, ModuleDocumenter
from sphinx.util.inspect import stringify_signature

from bookbuild.api import modules

SECTIONS = ("Shapes", "Law", "Source", "Raises")
_ONE = "|".join(SECTIONS)
SECTION = re.compile(rf"(?:^|(?<=[.:;] ))((?:{_ONE})(?:, (?:{_ONE}))*): ")
QUOTED = re.compile(r"(``[^`]+``|`[^`]+`)")


@cache
def names() -> dict[str, Any]:
    """Every public name of the package with what it stands for; the methods of a class among them."""
    found: dict[str, Any] = {}
    for module in modules():
        full = f"deeplimits.{module}"
        loaded = importlib.import_module(full)
        found[full] = loaded
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            found[f"{full}.{name}"] = thing
            if inspect.isclass(thing):
                found |= {
                    f"{full}.{name}.{member}": getattr(thing, member)
                    for member in dir(thing)
                    if is_public(member, inspect.getattr_static(thing, member))
                }
    return found


def is_public(name: str, member: Any) -> bool:
    """Whether a member of a class is one of the package's own with something said of it, not of a library's."""
    while not inspect.isfunction(member):  # a property, a class method, a cached property
        inner = [getattr(member, each, None) for each in ("fget", "__func__", "func")]
        member = next(filter(None, inner), None)
        if member is None:
            return False
    return not name.startswith("_") and member.__module__.startswith("deeplimits") and bool(inspect.getdoc(member))


def target(text: str, near: str) -> str | None:
    """The public name that a word in the docstring of `near` stands for: the nearest one of that name."""
    parts = near.split(".")
    scopes = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    if not re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return None
    found = next((f"{scope}.{text}" for scope in scopes if f"{scope}.{text}" in names()), None)
    return found if found != near else None


def plain(text: str, near: str) -> str:
    """Text of a docstring as reStructuredText: nothing is markup but what stands between backticks."""

    def piece(part: str) -> str:
        if not part.startswith("`"):
            return re.sub(r"""[*|\\'"]|_(?!\w)|-(?=-)""", lambda each: f"\\{each[0]}", part)
        word = part.strip("`")
        full = target(word, near)
        return f"\\ :py:obj:`{word} <{full}>`\\ " if full else f"\\ ``{word}``\\ "

    return "".join(map(piece, QUOTED.split(text)))


def read(lines: list[str], near: str) -> list[str]:
    """A docstring as reStructuredText: its text, then its sections as one list of fields, then its example."""
    body: list[str] = []
    fields: list[str] = []
    for block in "\n".join(lines).strip("\n").split("\n\n"):
        if block.lstrip().startswith(">>>"):
            body += ["", *fields, "", ".. rubric:: Example", "", *inspect.cleandoc(block).split("\n"), ""]
            fields = []
            continue
        if block.startswith(" "):
            body += ["", "::", "", *block.split("\n"), ""]
            continue
        flowing = [line for line in block.split("\n") if line]
        before, *sections = SECTION.split(" ".join(line.strip() for line in flowing))
        fields += [
            f":{name}: {plain(text.strip(), near)}" for name, text in zip(sections[::2], sections[1::2], strict=True)
        ]
        if before and sections:
            body += ["", plain(before, near)]
        elif before:
            body += ["", *(plain(line, near) for line in flowing)]
    return [*body, "", *fields, ""]


def process_docstring(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """For Sphinx: `read` in place."""
    if name in names():
        lines[:] = read(lines, name)


class Otherwise:
    """A default that stands elsewhere."""

    def __repr__(self) -> str:
        return "..."


def unpacked(signature: inspect.Signature, scope: dict[str, Any]) -> inspect.Signature:
    """A signature whose `**how: Unpack[Keywords]` is written out."""
    found: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        packed = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        given = inspect.get_annotations(scope[packed[1]]) if packed else None
        found += (
            [parameter]
            if given is None
            else [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=Otherwise(),
                    annotation=getattr(kind, "__forward_arg__", kind),
                )
                for name, kind in given.items()
            ]
        )
    return signature.replace(parameters=found)


def process_signature(app: Any, what: str, name: str, thing: Any, options: Any, *given: Any) -> tuple | None:
    """For Sphinx: the signature as the source has it, types by their short names."""
    if not callable(thing) or what == "module":
        return None
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    signature = unpacked(signature, getattr(inspect.unwrap(thing), "__globals__", {}))
    if what == "method" and not inspect.ismethod(thing):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    if what in ("class", "exception"):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    text = stringify_signature(signature, unqualified_typehints=True)
    call, arrow, returned = text.partition(") -> ")
    return (f"{call})", returned) if arrow else (text, None)


def skip_member(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """For Sphinx: a class shows its own members, and a field that its docstring says."""
    return not is_public(name, member) if what == "class" else None


def resolve_type(app: Any, env: Any, node: nodes.Element, shown: nodes.Element) -> nodes.Node | None:
    """For Sphinx: a type in a signature leads to the one public class of that name, or stands as it is."""
    if node.get("refdomain") != "py" or node.get("reftype") != "class" and node["reftarget"] != "None":
        return None
    last = node["reftarget"].rpartition(".")[2]
    full = [name for name, thing in names().items() if name.rpartition(".")[2] == last and inspect.isclass(thing)]
    if len(full) != 1:
        return shown
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "class", full[0], node, shown)


class AnyData(DataDocumenter):
    """Sphinx leaves out what a module offers beside classes and functions, unless a comment stands before it there."""

    @classmethod
    def can_document_member(cls, member: Any, name: str, has_comment: bool, parent: Any) -> bool:
        """Whether a member of a module is data."""
        is_data = not (inspect.ismodule(member) or inspect.isclass(member) or inspect.isroutine(member))
        return isinstance(parent, ModuleDocumenter) and is_data


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.config.autodoc_default_options = {"members": True, "undoc-members": True, "inherited-members": True}
    app.config.autodoc_member_order = "groupwise"
    app.config.add_module_names = False
    app.add_autodocumenter(AnyData, override=True)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", resolve_type)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
