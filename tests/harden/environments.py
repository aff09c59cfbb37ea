"""Harm to the installation of the environment: what is cut short is never taken for whole."""

from __future__ import annotations

import functools
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.book import sample_book
from tests.harden import Impossible, Trial, hold
from tests.harden.builds import Make

GOAL = ".venv/.book"
#: Longest wait for an installation, in seconds.
LIMIT = 1500
#: Modules from the first and the last of what is installed, the package itself among them.
IMPORTED = "import deeplimits, jupyter_book, jax, numba, papermill, seaborn, sphinx_proof, zmq"


@contextmanager
def bare() -> Iterator[sample_book.Project]:
    """A project without an environment."""
    with tempfile.TemporaryDirectory() as folder:
        project = sample_book.skeleton(Path(folder))
        shutil.copy2(sample_book.ROOT / "README.md", folder)
        project.write("src/deeplimits/__init__.py", '"""A sample."""\n\n__version__ = "0"\n')
        shutil.rmtree(project.root / ".venv")  # links: what they lead to stays
        yield project


@functools.cache
def seconds() -> float:
    """How long a whole installation takes; the first also fills what pip or uv keeps.

    Raises: Impossible where nothing can be installed, as without a network.
    """
    taken = 0.0
    for _ in range(2):
        with bare() as project:
            started = time.monotonic()
            running = Make(project, goal=GOAL)
            said, taken = running.ended(LIMIT), time.monotonic() - started
            if running.process.returncode:
                raise Impossible(f"nothing can be installed here: {said[-400:]}")
    return taken


def works(project: sample_book.Project) -> bool:
    """Whether an environment holds everything in the versions that fit one another."""
    python = project.root / ".venv/bin/python"
    commands = ([python, "-m", "pip", "check"], [python, "-c", IMPORTED])
    return all(subprocess.run(command, cwd=project.root, capture_output=True).returncode == 0 for command in commands)


def killed(prepared: Any, drawn: random.Random) -> None:
    """SIGKILL for the whole group at any moment of an installation."""
    moment = drawn.uniform(0, seconds())
    with bare() as project:
        running = Make(project, goal=GOAL)
        time.sleep(moment)
        running.signal(signal.SIGKILL)
        whole = (project.root / GOAL).exists()
        hold(not whole or works(project), f"killed after {moment:.1f} s, half an environment is marked as whole")
        again = Make(project, goal=GOAL)
        said = again.ended(LIMIT)
        hold(again.process.returncode == 0, f"killed after {moment:.1f} s, the next make says {said}")
        hold(
            "Traceback" not in said and works(project), f"killed after {moment:.1f} s, the next make sets up what fails"
        )


TRIALS = (Trial("installed", "`make` is killed (SIGKILL) while it installs the environment", 8, 0, killed),)
