"""A line that tells how far a long computation is, on a terminal or below the cell of a notebook."""

from __future__ import annotations

import sys
import time
from typing import Any

#: Seconds between two looks of the line.
PAUSE = 0.2
#: Seconds that a computation in a notebook takes before it has a line.
PATIENCE = 1.0
WIDTH = 30


class Progress:
    """A bar with rate and remaining time, on standard error or in a notebook; silent where nobody watches."""

    def __init__(self, total: int, wanted: bool) -> None:
        self.total, self.start, self.next = total, time.monotonic(), 0.0
        self.line = _line() if wanted else None
        if isinstance(self.line, Cell):
            self.next = self.start + PATIENCE

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.line is not None:
            self.line.clear()

    def at(self, done: int) -> None:
        """Show that so many of the total are done."""
        now = time.monotonic()
        if self.line is None or now < self.next:
            return
        self.next = now + PAUSE
        bar = "#" * (WIDTH * done // self.total)
        rate = done / max(now - self.start, 1e-9)
        speed = f"  {rate:.3g}/s  {_span((self.total - done) / rate)} left" if done else ""
        self.line.show(f"[{bar:<{WIDTH}}] {done / self.total:4.0%}  {done:.3g} of {self.total:.3g} samples{speed}")


class Terminal:
    """The last line of a terminal."""

    def show(self, text: str) -> None:
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self.show("")


class Cell:
    """A line of the output of a notebook cell, the same for all computations of this cell."""

    last: tuple[Any, Any] = None, None

    def __init__(self, shell: Any) -> None:
        self.number, self.shown = shell.execution_count, False

    def show(self, text: str) -> None:
        from IPython.display import display

        self.shown, bundle = True, {"text/plain": text}
        number, handle = Cell.last
        if number == self.number:
            handle.update(bundle, raw=True)
        else:
            Cell.last = self.number, display(bundle, raw=True, display_id=True)

    def clear(self) -> None:
        if self.shown:
            self.show("")


def _line() -> Terminal | Cell | None:
    """Where to show progress. A kernel may ask only where someone can answer, not while a notebook is built."""
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal()
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return Cell(shell) if getattr(getattr(shell, "kernel", None), "_allow_stdin", False) else None


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
