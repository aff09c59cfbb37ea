"""What every test relies on."""

from __future__ import annotations

import signal

# A shell starts background jobs with the interrupt ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
