"""The publishing: execute the notebooks, stage the book, collect the evidence, check the site.

Everything runs in the root of the project and writes below `_build` only. The package is not
installed; the Makefile calls its modules with `python -m bookbuild.<module>`.
"""

from __future__ import annotations

import errno
import shutil
import signal
import sys
from collections.abc import Callable

from bookbuild import surroundings

#: What a disk or a folder refuses: no fault of the book, so no traceback.
REFUSED = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EBUSY, errno.ENOTEMPTY, errno.EXDEV, errno.EIO),  # mounted or held open, on another disk, failing
)


class BuildError(Exception):
    """What stops the build: one line for every culprit."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def refused(error: OSError) -> str | None:
    """Which file the machine refuses and why, if that is what an error says; a copy of a folder lists its files."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        (_, target, said), *others = error.args[0]
        return f"{target}: {said}" + (f", and {len(others)} more" if others else "")
    return f"{error.filename or 'a file'}: {error.strerror}" if error.errno in REFUSED else None


def exit_with(action: Callable[[], None], settled: bool = True) -> None:
    """Run a command in settled surroundings; on a BuildError print its faults and leave with status 1.

    A full disk and a folder that cannot be written are told in the same way. A command that is told to end (SIGTERM)
    ends as by the keyboard, and so does what it started.
    `settled=False` is for the command that settles them for another.
    """
    if settled:
        surroundings.settle()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        action()
    except BuildError as error:
        for fault in error.faults:
            print(f"*** {fault}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if (said := refused(error)) is None:
            raise
        print(f"*** {said}; what was built before stays as it is", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("*** interrupted: run the same command again to resume", file=sys.stderr)
        sys.exit(130)
