"""Run a command in settled surroundings while no other make works in this checkout: `python -m bookbuild.alone CMD…`.

The Makefile starts itself again through this. The lock is a file that the command inherits: it is free when the
command and what it started are gone, however they ended. `--beside` settles the surroundings without the lock.
Standard library only: this runs before the environment exists.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path

from bookbuild import BuildError, exit_with, surroundings

LOCK = Path(".make.lock")
#: Says to the makes that a make starts in its own folder that the lock is theirs already.
HELD = "DEEPLIMITS_ALONE"


def hold(lock: Path, command: str) -> None:
    """Take the lock of a checkout for this process and its children; wait for who has it, and say so.

    Raises: BuildError if the lock cannot be written.
    """
    try:
        opened = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise BuildError(f"{lock.absolute()} cannot be written: {error.strerror}; make works in its folder") from None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            print(f"*** {lock} cannot be locked here ({error.strerror}): keep to one make at a time", file=sys.stderr)
            return
        holder = os.read(opened, 1000).decode(errors="replace").strip() or "of unknown number"
        print(f"another make is building here, process {holder}; waiting", file=sys.stderr, flush=True)
        fcntl.flock(opened, fcntl.LOCK_EX)
    os.ftruncate(opened, 0)
    os.pwrite(opened, f"{os.getpid()} ({command})\n".encode(), 0)
    os.set_inheritable(opened, True)


def main() -> None:
    """The command line."""
    exit_with(lambda: start(sys.argv[1:]), settled=False)


def start(command: list[str]) -> None:
    """Become the command."""
    environment = surroundings.settled(dict(os.environ))
    if command[0] == "--beside":
        command = command[1:]
    else:
        hold(LOCK, " ".join(["make", *(word for word in command[1:] if not word.startswith("-"))]))
        environment[HELD] = os.getcwd()
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
