"""What a caller has told NumPy to do about floating-point errors changes no answer."""

import copy

import numpy as np
import pytest
from calls import calls

import deeplimits
from deeplimits import _equations

#: Matplotlib computes for itself; these would ask the internet.
ELSEWHERE = ("figures.", "data.mnist")
#: Modules with calls: what judges a number is called by `evidence`.
MODULES = [module for module in deeplimits.__all__ if module not in ("figures", "verdicts")]


@pytest.fixture(scope="module")
def known():
    """The calls of the examples, which take a while to run: not where these tests are only listed."""
    return [call for call in calls() if not call.name.startswith(ELSEWHERE)]


def numbers(result):
    """The numbers of a result, to the last bit."""
    if isinstance(result, np.ndarray | np.generic | float):
        return [np.asarray(result).tobytes()] if np.asarray(result).dtype.kind in "fiub" else []
    if isinstance(result, tuple | list):
        return [one for part in result for one in numbers(part)]
    return []


def fresh(call):
    """The call with generators of its own, which a call moves on."""
    moved = {name: copy.deepcopy(it) for name, it in call.arguments.items() if isinstance(it, np.random.Generator)}
    return call._replace(arguments=call.arguments | moved)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("module", MODULES)
def test_a_state_that_raises_changes_no_result(module, known):
    for call in known:
        if not call.name.startswith(f"{module}."):
            continue
        one, other = (fresh(call) for _ in range(2))
        with np.errstate(all="warn"):
            expected = numbers(one())
        with np.errstate(all="raise"):
            assert numbers(other()) == expected, call.name


def test_the_state_raises_where_nothing_guards_and_an_equation_is_solved_all_the_same():
    def decays(_, x):
        return -x * np.exp(-800 * np.ones(1))[0] - x

    with np.errstate(all="raise"):
        with pytest.raises(FloatingPointError):
            decays(0, np.ones(1))
        path = _equations.solve_ivp(decays, (0, 1), [1.0], rtol=1e-8)
    assert path.y[0, -1] == pytest.approx(np.exp(-1), rel=1e-6)
