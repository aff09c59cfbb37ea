"""What the limits of shaped networks share: the activation has one, and the time is positive."""

from __future__ import annotations

from typing import Any

from .._checks import real
from ..activations import shaped


def keep_limit(law: Any) -> None:
    """Check that the activation and the time of a law have a limit of growing width and depth, and keep both.

    A string stands for the smooth shaping of that activation.

    Raises: ValueError that names the argument, its value and what is allowed.
    """
    activation = shaped(law.activation)
    _ = activation.limit  # raises where there is none
    object.__setattr__(law, "activation", activation)
    object.__setattr__(law, "time", real("time", law.time, above=0))


#: The longest step: flows over it are still tabulated in a second.
LONGEST = 10.0
#: The largest product of a step and of b: growth by its exponential stays within double precision.
MOST_DRIFT = 100.0
#: The largest product of a step and the squared difference of the constants; correlations are then 1 after a step.
MOST_BEND = 1e4


def check_steps(time: float, steps: int, b: float = 0.0, gap2: float = 0.0) -> None:
    """Refuse steps over which what a scheme solves leaves double precision.

    Raises: ValueError that names the steps and says how many there must be.
    """
    for rate, most, of in ((1.0, LONGEST, "1"), (b, MOST_DRIFT, "b"), (gap2, MOST_BEND, "(c_plus - c_minus)^2")):
        if not abs(rate) * (time / steps) <= most:
            raise ValueError(
                f"steps must be at least {abs(rate) * (time / most):.6g}, so that {of} = {rate:.6g} times "
                f"a step is at most {most:g}, got {steps}"
            )
