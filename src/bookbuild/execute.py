"""Execute one notebook: `python -m bookbuild.execute SOURCE TARGET [--profile P] [-p NAME VALUE]`.

The notebook runs into TARGET's neighbour `<name>.partial.ipynb`, which stays for inspection when a
cell raises. TARGET appears only when all is done, together with `<name>.provenance.json`.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
import warnings
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, exit_with, notebooks, provenance

#: A kernel that is told to stop may lose its sockets first; neither that nor an interrupt is worth a traceback.
QUIET_KERNEL = [
    "--IPKernelApp.log_level=50",
    "--IPKernelApp.exec_lines=import logging; logging.getLogger('tornado').setLevel('CRITICAL'); del logging",
]

#: Tags of the cells that papermill adds to a notebook.
ADDED = {"injected-parameters", "papermill-error-cell-tag"}


def value_of(text: str) -> object:
    """A parameter as typed on the command line: a Python literal, otherwise a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def tidy(notebook: NotebookNode, defaults: dict[str, object], replaced: dict[str, object]) -> None:
    """Prepare an executed notebook for readers.

    Papermill adds a cell with the replaced parameters. It is shown only where it says something:
    when more than the name of the profile differs from the cell above it.
    """
    changed = {name for name, value in replaced.items() if defaults[name] != value}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace("# Parameters", "# What this run changes", 1)
            if not changed - {"profile"}:
                cell.metadata.tags.append("remove-cell")
    notebook.metadata.pop("papermill", None)


def describe(error: Exception, notebook: NotebookNode) -> str:
    """Which cell failed and with what, in one line."""
    if not hasattr(error, "ename"):
        return f"failed: {error}"
    own = [cell for cell in notebook.cells if ADDED.isdisjoint(cell.metadata.get("tags", []))]
    for number, cell in enumerate(own, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            line = cell.source.strip().splitlines()[0]
            return f"failed in cell {number} (`{line}`): {error.ename}: {error.evalue}"
    return f"failed: {error.ename}: {error.evalue}"


def run(source: Path, target: Path, profile: str, changes: dict[str, object]) -> float:
    """Execute a notebook and return the seconds it took.

    Raises: BuildError that names the notebook and the unknown parameter or profile, or the cell
    that raised, and for a target among the sources.
    """
    import papermill

    if target.resolve().is_relative_to(notebooks.BOOK.resolve()):
        raise BuildError(f"{target} lies in {notebooks.BOOK}/, where notebooks have no outputs; name another file")

    started = time.time()
    defaults, replaced = notebooks.settle(notebooks.read(source), profile, changes, source)
    partial = target.with_suffix(".partial.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    origin = provenance.of_run(source, profile, {**defaults, **replaced})
    # A bar for each of several notebooks at a time would overwrite the others; `make -j1 book` shows them.
    alone = "--jobserver" not in os.environ.get("MAKEFLAGS", "")
    try:
        executed = papermill.execute_notebook(
            str(source),
            str(partial),
            parameters=replaced,
            kernel_name="python3",
            language="python",
            cwd=str(source.parent),
            progress_bar=alone and sys.stderr.isatty(),
            extra_arguments=QUIET_KERNEL,
        )
    except Exception as error:
        if not partial.exists():
            raise BuildError(f"{source} failed: {error}") from error
        what = describe(error, notebooks.read(partial))
        raise BuildError(f"{source} {what}", f"to inspect: {partial}") from error
    tidy(executed, defaults, replaced)
    nbformat.write(executed, partial)
    origin["seconds"] = round(time.time() - started, 1)
    target.with_suffix(".provenance.json").write_text(json.dumps(origin, indent=1) + "\n")
    # Dated when it began: what is edited while the notebook runs counts as newer.
    os.utime(partial, (started, started))
    partial.replace(target)
    return origin["seconds"]


def settle_surroundings() -> None:
    """Make the kernel this environment's, whatever is registered in the user's home, and papermill quiet."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    warnings.filterwarnings("ignore", module="papermill|traitlets|zmq")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bookbuild.execute", description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("-p", dest="changes", nargs=2, action="append", default=[],
                        metavar=("NAME", "VALUE"))
    given = parser.parse_args()
    settle_surroundings()
    changes = {name: value_of(text) for name, text in given.changes}
    seconds = run(given.source, given.target, given.profile, changes)
    print(f"  executed {given.source} ({given.profile}) in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    exit_with(main)
