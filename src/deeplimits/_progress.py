"""A line on the terminal that tells how far a long computation is."""

from __future__ import annotations

import sys
import time

#: Seconds between two looks of the line.
PAUSE = 0.2
WIDTH = 30


class Progress:
    """A bar with rate and remaining time on standard error; silent where that is no terminal."""

    def __init__(self, total: int, wanted: bool) -> None:
        self.total, self.start, self.next = total, time.monotonic(), 0.0
        self.shown = wanted and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def at(self, done: int) -> None:
        """Show that so many of the total are done."""
        now = time.monotonic()
        if not self.shown or now < self.next:
            return
        self.next = now + PAUSE
        rate = done / max(now - self.start, 1e-9)
        bar = "#" * (WIDTH * done // self.total)
        left = (self.total - done) / rate
        print(f"\r[{bar:<{WIDTH}}] {done / self.total:4.0%}  {done:.3g} of {self.total:.3g} samples  "
              f"{rate:.3g}/s  {_span(left)} left\x1b[K", end="", file=sys.stderr, flush=True)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
