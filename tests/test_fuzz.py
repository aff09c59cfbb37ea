"""What is not allowed, given for each argument of each public call: an error that names an argument, or an answer."""

import datetime
import signal

import numpy as np
import pytest
from calls import calls, parameters

NAN, INF = float("nan"), float("inf")
HOSTILE = {
    "none": None,
    "text": "no such thing",
    "bytes": b"1",
    "complex": 1 + 1j,
    "nan": NAN,
    "infinite": INF,
    "minus infinite": -INF,
    "negative": -1,
    "negative fraction": -0.5,
    "zero": 0,
    "fraction": 0.5,
    "huge": 1e308,
    "tiny": 1e-320,
    "beyond floats": 10**400,
    "beyond counters": 2**64,
    "truth": True,
    "nothing": [],
    "empty rows": [[]],
    "ragged": [[1.0, 2.0], [3.0]],
    "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
    "nan inside": [1.0, NAN],
    "nan in a matrix": [[1.0, NAN], [NAN, 1.0]],
    "not a covariance": [[1.0, 5.0], [5.0, 1.0]],
    "huge matrix": [[1e200, 0.0], [0.0, 1e200]],
    "objects": np.array([object()]),
    "date": datetime.date(2026, 1, 1),
    "dictionary": {},
}
#: Arguments that every sampler has.
HOW = {"first": 0, "threads": 1, "precision": "single", "steps": 4}
#: What else a message may call an argument that stands for an activation.
ALSO = {"value": ("activation", "inner", "outer"), "function": ("activation",), "design": ("preset",)}
#: Their arguments are those of Matplotlib, which refuses in its own words; these would ask the internet.
ELSEWHERE = ("figures.", "data.mnist")
#: Shows what it is given, NaN included: `summarise` names the sample that holds it.
SHOWS_NAN = ("ensembles.values",)

CALLS = {call.name: call for call in calls() if not call.name.startswith(ELSEWHERE)}


@pytest.fixture(autouse=True)
def bounded():
    """No call takes longer than a minute."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def numbers(result):
    """All the numbers of a result that a caller sees."""
    if isinstance(result, np.ndarray):
        return [result] if result.dtype.kind == "f" else []
    if isinstance(result, float | np.floating):
        return [np.asarray(result)]
    if isinstance(result, tuple | list):
        return [array for part in result for array in numbers(part)]
    return []


def fault(call, name, value):
    """What is wrong with the answer of a call, or nothing."""
    known = [*parameters(call), *call.arguments.get("how", {}), name, *ALSO.get(name, ())]
    signal.alarm(60)
    try:
        with np.errstate(all="ignore"):
            result = call(**{name: value})
    except (ValueError, TypeError) as error:
        return None if any(one in str(error) for one in known) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    nan = any(np.isnan(array).any() for array in numbers(result))
    return "NaN" if nan and call.name not in SHOWS_NAN else None


def changed(call):
    """The arguments that are given wrong values."""
    kinds = parameters(call)
    yield from (name for name, kind in kinds.items() if kind.kind is not kind.VAR_POSITIONAL)
    if "how" in call.arguments:
        yield from HOW


def test_most_of_what_is_public_is_called():
    assert len(CALLS) > 120


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_no_argument_is_silently_accepted_or_refused_without_its_name(name):
    call = CALLS[name]
    faults = {
        f"{argument}={kind}": said
        for argument in changed(call)
        for kind, value in HOSTILE.items()
        if (said := fault(call, argument, value))
    }
    assert faults == {}


def broken(kind):
    if kind == "nan":
        return np.array([NAN])
    raise {"key": KeyError("count"), "silent": ValueError("no")}[kind]


@pytest.mark.parametrize(("kind", "said"), [("nan", "NaN"), ("key", "KeyError: 'count'"), ("silent", "ValueError: no")])
def test_the_test_sees_what_is_wrong(kind, said):
    call = next(iter(CALLS.values()))._replace(function=broken, arguments={})
    assert fault(call, "kind", kind) == said
