"""Execute one notebook: `python -m bookbuild.execute SOURCE TARGET [--profile P] [-p NAME VALUE]`.

The notebook runs into TARGET's neighbour `<name>.partial.ipynb`, which stays for inspection when a
cell raises. TARGET appears only when all is done, together with `<name>.provenance.json`.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from bookbuild import BuildError, current, exit_with, media, notebooks, provenance, surroundings, texts

#: A kernel that is told to stop may lose its sockets first; neither that nor an interrupt is worth a traceback.
QUIET_KERNEL = [
    "--IPKernelApp.log_level=50",
    "--IPKernelApp.exec_lines=import logging; logging.getLogger('tornado').setLevel('CRITICAL'); del logging",
]

#: What the last cell of a run says.
REPORT = "from bookbuild import current as _current\n_current.report()"


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
    from nbclient.exceptions import DeadKernelError

    raised, cells = getattr(error, "ename", None), list(enumerate(notebooks.own(notebook), 1))
    what = f"{raised}: {error.evalue}" if raised else str(error)  # type: ignore[attr-defined]
    if isinstance(error, DeadKernelError):
        begun = [each for each in cells if each[1].metadata.get("papermill", {}).get("status") == "completed"]
        where = f" in {notebooks.place(*begun[-1])}" if begun else ""
        return f"failed{where}: its kernel died, which often means too little memory"
    for number, cell in cells:
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return f"failed in {notebooks.place(number, cell)}: {what}"
    return f"failed: {what}"


def kernel_of_this_interpreter(channels: str) -> type:
    """What starts this interpreter in settled surroundings, whatever kernels are registered on the machine.

    It is spoken to through sockets that are files in the folder `channels`: a port that is free when it is chosen
    may be another program's by the time the kernel listens on it. Ports are for systems without such sockets, and for a
    folder whose name is too long for them.
    """
    import zmq
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    socket = os.path.join(channels, "channel")
    through_files = zmq.has("ipc") and len(os.fsencode(socket)) + len("-5") < zmq.IPC_PATH_MAX_LEN

    class Manager(AsyncKernelManager):
        kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

        @default("transport")
        def _transport_default(self) -> str:
            return "ipc" if through_files else "tcp"

        def _ip_default(self) -> str:
            return socket if self.transport == "ipc" else str(super()._ip_default())

        async def start_kernel(self, **how: Any) -> None:  # type: ignore[override]
            await super().start_kernel(**how | {"env": surroundings.of_kernel(dict(os.environ))})

    return Manager


def run_cells(partial: Path, parameters: dict[str, object], folder: Path, bar: bool) -> NotebookNode:
    """Execute the notebook at `partial` in place, as papermill does, with a last cell that reports."""
    import papermill

    warnings.filterwarnings("ignore", module="papermill|traitlets|zmq")
    escaped = str(partial).replace("{", "{{").replace("}", "}}")  # papermill takes a path for a pattern
    with tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True) as channels:
        return papermill.execute_notebook(
            escaped,
            escaped,
            parameters=parameters,
            kernel_name="python3",
            language="python",
            cwd=str(folder),
            progress_bar=bar and sys.stderr.isatty(),
            extra_arguments=QUIET_KERNEL,
            kernel_manager_class=kernel_of_this_interpreter(channels),
        )


def reported(notebook: NotebookNode) -> dict[str, Any]:
    """Take the last cell off an executed notebook and return what it reports."""
    last = notebook.cells.pop()
    return next(output.data[media.RUN] for output in last.outputs if media.RUN in output.get("data", {}))


def run(source: Path, target: Path, profile: str, changes: dict[str, object], bar: bool = False) -> float:
    """Execute a notebook and return the seconds it took.

    Raises: BuildError that names the notebook and the unknown parameter or profile, or the cell
    that raised or that has a caption and shows no figure, and for a target among the sources.
    """
    if target.resolve().is_relative_to(notebooks.BOOK.resolve()):
        raise BuildError(f"{target} lies in {notebooks.BOOK}/, where notebooks have no outputs; name another file")
    started, notebook = time.time(), notebooks.read(source)
    defaults, replaced = notebooks.settle(notebook, profile, changes, source)
    possible = current.inputs(source)
    origin = provenance.of_run(source, profile, {**defaults, **replaced})
    partial = target.with_suffix(".partial.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    notebook.cells.append(nbformat.v4.new_code_cell(REPORT, metadata={"tags": [notebooks.REPORTS]}))
    nbformat.write(notebook, partial)
    try:
        executed = run_cells(partial, replaced, source.parent, bar)
    except Exception as error:
        failed = notebooks.read(partial)
        failed.cells.pop()
        nbformat.write(failed, partial)
        raise BuildError(f"{source} {describe(error, failed)}", f"to inspect: {partial}") from error
    report = reported(executed)
    tidy(executed, defaults, replaced)
    nbformat.write(executed, partial)
    if missing := notebooks.without_picture(executed):
        raise BuildError(
            *(f"{source}: {cell} has the caption of a figure and shows none" for cell in missing),
            f"to inspect: {partial}",
        )
    try:
        origin["inputs"] = current.used(possible, report["modules"])
    except ValueError as error:
        raise BuildError(f"{source} ran with another package than that of this folder: {error}") from error
    seconds = round(time.time() - started, 1)
    origin |= {"versions": report["versions"], "seconds": seconds, "executed": current.state(partial).exact}
    texts.publish(target, origin)
    return seconds


def parse(arguments: list[str]) -> argparse.Namespace:
    """What the command line asks for. Values that begin with a minus are values, whatever argparse makes of them."""
    parser = argparse.ArgumentParser(prog="bookbuild.execute", description="Execute one notebook.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--no-bar", action="store_true", help="no bar of progress on a terminal")
    parser.add_argument("-p", nargs=2, action="append", metavar=("NAME", "VALUE"), help="a parameter of one's own")
    rest, changes = [], {}
    waiting = iter(arguments)
    for word in waiting:
        if word != "-p":
            rest.append(word)
            continue
        name, value = next(waiting, None), next(waiting, None)
        if name is None or value is None:
            parser.error("argument -p: expected a name and a value")
        changes[name] = value_of(value)
    return argparse.Namespace(**vars(parser.parse_args(rest)) | {"changes": changes})


def main() -> None:
    """The command line."""
    given = parse(sys.argv[1:])
    seconds = run(given.source, given.target, given.profile, given.changes, bar=not given.no_bar)
    print(f"  executed {given.source} ({given.profile}) in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    exit_with(main)
