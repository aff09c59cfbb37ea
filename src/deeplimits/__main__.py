"""`python -m deeplimits`, the same as the command `deeplimits`."""

import sys


def main() -> int:
    """Run the command line; what it needs is imported when it is asked for."""
    from .own._commands import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
