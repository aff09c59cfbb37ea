"""The command line: `deeplimits report`, `deeplimits diagnose` and `deeplimits compare`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from .._torch_laws import LAWS, OWN
from ..architectures import Network
from ._advice import TARGETS
from ._trace import writable
from .comparisons import compare
from .designs import NORMS, PRESETS, perceptron, preset
from .diagnoses import diagnose
from .reports import report, save_all

#: Exit status for what cannot be done as asked, and for what was interrupted.
WRONG, INTERRUPTED = 2, 130
LAW = f"of the weights of a module: {', '.join(LAWS)} or {OWN} (the default of each layer, whatever it holds)"
SIZES = ("width", "depth", "activation", "init", "outputs", "residual", "norm")
EPILOGUE = f"""\
A design is a preset ({", ".join(PRESETS)}), or numbers such as width=1024,depth=96,activation=gelu,init=he
(also outputs=, residual= and norm=). Results: OUTPUT.html, one page that needs nothing else, and OUTPUT.json.
"""


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    top = argparse.ArgumentParser("deeplimits", description=__doc__, epilog="https://pypi.org/project/deeplimits")
    top.add_argument("--version", action="version", version=f"deeplimits {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _report(_command(commands, "report", "what the initialisation of a network does, over many networks", reported))
    _diagnose(_command(commands, "diagnose", "whether weights have the law of their initialisation", diagnosed))
    compare = _command(commands, "compare", "two designs side by side", compared)
    compare.add_argument("a", help="a design: see below")
    compare.add_argument("b", help="another, or the same with another depth")
    _common(compare, "comparison")
    return top


def _command(commands: Any, name: str, text: str, run: Callable[[Any], Any]) -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    found = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EPILOGUE, formatter_class=plain
    )
    found.set_defaults(run=run)
    return found


def _common(to: argparse.ArgumentParser, output: str) -> None:
    to.add_argument("--samples", type=int, help="how many networks (default: 100, fewer of very large ones)")
    to.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    to.add_argument("--output", default=output, help="name of the files without their end (default: %(default)s)")


def _report(to: argparse.ArgumentParser) -> None:
    what = to.add_mutually_exclusive_group(required=True)
    what.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    what.add_argument("--width", type=int, help="neurons of each layer, of a network of matrices; with --depth")
    what.add_argument(
        "--module",
        metavar="MODULE:FUNCTION",
        help="a function of a module or of FILE.py that returns a list of blocks, or (module, batch)",
    )
    to.add_argument("--depth", type=int)
    to.add_argument("--activation", default="relu", help="a name or a formula in x (default: %(default)s)")
    to.add_argument("--init", default="he", help="he, xavier, lecun, torch, critical or a gain (default: %(default)s)")
    to.add_argument("--outputs", type=int, default=10, help="default: %(default)s")
    to.add_argument("--residual", metavar="SCALE", help="a number, 1/sqrt(L) or 1/L: layers add that times a branch")
    to.add_argument("--norm", help=f"{' or '.join(NORMS)}: a norm in each layer")
    to.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="what to meet, and say how: " + "; ".join(f"{name}: {text}" for name, text in TARGETS.items()),
    )
    to.add_argument("--law", help=LAW)
    _common(to, "report")


def _diagnose(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--module",
        required=True,
        metavar="MODULE:FUNCTION",
        help="a function, also of FILE.py, of (module, batch)",
    )
    to.add_argument("--law", help=LAW)
    to.add_argument("--level", type=float, default=0.01, help="how often sound weights are suspected (default: 0.01)")
    _common(to, "diagnosis")


def reported(asked: argparse.Namespace) -> Any:
    """The report that was asked for."""
    batch = None
    if asked.preset is not None:
        design: Any = asked.preset
    elif asked.module is not None:
        design, batch = loaded(asked.module)
    else:
        if asked.depth is None:
            raise ValueError("depth must be given with --width")
        design = perceptron(**{name: _value(name, getattr(asked, name)) for name in SIZES})
    target = dict(_pair("target", text) for text in asked.target)
    numbers = {name: _number(f"target {name}", value) for name, value in target.items()}
    how = {"target": numbers, "law": asked.law, "checkpoint": _checkpoint(asked)}
    return report(design, batch, asked.samples, asked.seed, **how)


def diagnosed(asked: argparse.Namespace) -> Any:
    """The diagnosis that was asked for."""
    module, batch = loaded(asked.module)
    how = {"law": asked.law, "level": asked.level, "checkpoint": _checkpoint(asked)}
    return diagnose(module, batch, asked.samples, asked.seed, **how)


def compared(asked: argparse.Namespace) -> Any:
    """The comparison that was asked for."""
    designs, labels = (designed(asked.a), designed(asked.b)), (asked.a, asked.b)
    return compare(*designs, asked.samples, asked.seed, labels=labels, checkpoint=_checkpoint(asked))


def _checkpoint(asked: argparse.Namespace) -> Path:
    """Where an interrupted run goes on: a hidden file beside its results."""
    return Path(asked.output).with_name(f".{Path(asked.output).name}.checkpoint")


def designed(text: str) -> Network:
    """A design from its words: a preset, or numbers with their names.

    Raises: ValueError for an unknown preset or name, with the one that is closest.
    """
    if "=" not in text:
        return preset(text)
    found = dict(_pair("design", part) for part in text.split(","))
    for name in found:
        if name not in SIZES:
            raise ValueError(f"design must be made of {', '.join(SIZES)}, got {name!r}")
    missing = [name for name in ("width", "depth") if name not in found]
    if missing:
        raise ValueError(f"design must give {' and '.join(missing)}, got {text!r}")
    return perceptron(**{name: _value(name, value) for name, value in found.items()})  # type: ignore[arg-type]


def loaded(path: str) -> tuple[Any, Any]:
    """What a function of a module or of a file returns: a design, and a batch or None.

    Raises: ValueError for what cannot be imported or called.
    """
    name, _, function = path.rpartition(":")
    if not name or not function:
        raise ValueError(f"module must be PACKAGE.MODULE:FUNCTION or FILE.py:FUNCTION, got {path!r}")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(_file(name) if name.endswith(".py") else importlib.import_module(name), function)()
    except Exception as error:  # whatever a stranger's code raises
        raise ValueError(f"module {path!r} could not be made: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(os.getcwd())
    return found if isinstance(found, tuple) and len(found) == 2 else (found, None)


def _file(path: str) -> Any:
    """A module from a file, which may import its neighbours."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no file of Python")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _value(name: str, text: Any) -> Any:
    if name in ("width", "depth", "outputs"):
        return int(_number(name, text))
    if name in ("init", "residual") and isinstance(text, str):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _pair(what: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{what} must be NAME=VALUE, got {text!r}")
    return name.strip(), value.strip()


def _number(name: str, text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text!r}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. What cannot be done is said in one sentence, with exit status 2, and nothing is written."""
    asked = parser().parse_args(arguments)
    try:
        files = _files(asked.output)
        found = asked.run(asked)
        save_all(files, found)
    except (ValueError, ImportError, OSError) as error:
        text = " ".join(str(error).split())
        print(f"deeplimits: {text}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("deeplimits: interrupted; the same command goes on where it was", file=sys.stderr)
        return INTERRUPTED
    print(f"{found}\n\nwritten: {', '.join(map(str, files))}")
    return 0


def _files(output: str) -> list[Path]:
    """The page and the data of a result. Raises: ValueError for a name that no file can have."""
    path = Path(output)
    if not path.name or not path.parent.is_dir():
        raise ValueError(f"output must be a name in a folder that exists, got {output!r}")
    return [writable("output", path.with_name(path.name + end)) for end in (".html", ".json")]
