"""Set up the environments: `python -m bookbuild.environment book|test|lab|bench`.

Everything is locked by hash. An installation that is interrupted leaves no mark behind, so that the next one starts
afresh. Standard library only: this runs before the environment exists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bookbuild import BuildError, exit_with, surroundings

VENV = Path(".venv")
BENCH = Path(".venv-bench")
#: The one package without a hash: it is large, differs by machine, and what needs it is left out where it lacks.
TORCH = "torch==2.13.0"


def run(command: list[object], environment: dict[str, str]) -> bool:
    """Whether a command succeeds; it says itself why not."""
    return subprocess.run([str(word) for word in command], env=environment).returncode == 0


def install(venv: Path, *what: object) -> None:
    """Install into an environment: with uv where it is there and works, else with pip.

    Raises: BuildError if neither can.
    """
    environment, python = surroundings.settled(dict(os.environ)), venv / "bin/python"
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--no-config", "--quiet", "--python", python, "--compile-bytecode", *what]
        if run(command, environment):
            return
        print("uv could not install it: trying pip", file=sys.stderr)
    pip = surroundings.pip_settings(python, environment)
    if not run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what], pip):
        raise BuildError(f"{venv} could not be set up: pip says why above")


def create(venv: Path, *flags: str) -> None:
    """Make an empty environment of the Python that runs this.

    Raises: BuildError if that fails.
    """
    if not run([sys.executable, "-m", "venv", *flags, venv], surroundings.settled(dict(os.environ))):
        raise BuildError(f"{venv} could not be made: the venv module says why above")


def digest(lock: str) -> str:
    """A lock by its content: another date is no reason to install again."""
    return hashlib.sha256(Path(lock).read_bytes()).hexdigest()


def current(mark: Path, lock: str) -> bool:
    """Whether a mark says that this lock is installed; it is dated anew then."""
    if not mark.exists() or mark.read_text(encoding="utf-8") != digest(lock):
        return False
    mark.touch()
    return True


def book() -> None:
    """What the book needs, and the package itself, without network."""
    if current(VENV / ".book", "requirements.txt"):
        return
    print(f"Setting up {VENV} from requirements.txt: once, a minute or two", flush=True)
    create(VENV, "--clear")
    install(VENV, "--require-hashes", "-r", "requirements.txt")
    install(VENV, "--no-deps", "--no-build-isolation", "--no-index", "-e", ".")
    settled = surroundings.settled(dict(os.environ))
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        Path(settled[name]).mkdir(parents=True, exist_ok=True)
    if not run([VENV / "bin/python", "-c", "import matplotlib.font_manager"], settled):
        raise BuildError(f"{VENV} does not work: Python says why above")
    (VENV / ".book").write_text(digest("requirements.txt"), encoding="utf-8")


def more(kind: str) -> None:
    """What tests or JupyterLab need beside it; while it is being installed the environment is no whole one.

    Without the dependencies that pip would look up: the locks are complete but for PyTorch, see pyproject.toml.
    """
    if current(VENV / f".{kind}", f"requirements-{kind}.txt"):
        return
    print(f"Adding requirements-{kind}.txt to {VENV}", flush=True)
    (VENV / ".book").rename(VENV / ".held")
    install(VENV, "--require-hashes", "--no-deps", "-r", f"requirements-{kind}.txt")
    (VENV / ".held").rename(VENV / ".book")
    (VENV / f".{kind}").write_text(digest(f"requirements-{kind}.txt"), encoding="utf-8")


def bench() -> None:
    """What the benchmarks need, in environments of their own, and PyTorch if it can be had."""
    print(f"Setting up {BENCH} from requirements-bench*.txt, and PyTorch if it can be had", flush=True)
    for venv, lock in ((BENCH, "requirements-bench.txt"), (BENCH / "tangents", "requirements-bench-tangents.txt")):
        create(venv, *(["--clear"] if venv == BENCH else []))
        install(venv, "--require-hashes", "--no-deps", "-r", lock)
    try:
        install(BENCH, TORCH)
    except BuildError:
        print(f"PyTorch ({TORCH}) could not be installed: the comparisons with it are left out")
    (BENCH / ".bench").touch()


def main() -> None:
    """The command line."""
    (kind,) = sys.argv[1:]
    {"book": book, "bench": bench}.get(kind, lambda: more(kind))()


if __name__ == "__main__":
    exit_with(main)
