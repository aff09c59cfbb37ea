"""What is not allowed, given for each argument of each public call: an error that names an argument, or an answer."""

import datetime
import os
import re
import signal

import numpy as np
import pytest
from calls import Call, calls, parameters

import deeplimits

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
ALSO = {
    "value": ("activation", "inner", "outer"),
    "function": ("activation",),
    "design": ("preset",),
    "name": ("preset",),
    "a": ("preset",),
    "b": ("preset",),
}
#: Their arguments are those of Matplotlib, which refuses in its own words; these would ask the internet.
ELSEWHERE = ("figures.", "data.mnist")
#: Modules with calls: what judges a number is called by `evidence`.
MODULES = [module for module in deeplimits.__all__ if module not in ("figures", "verdicts")]
#: Shows what it is given, NaN included: `summarise` names the sample that holds it.
SHOWS_NAN = ("ensembles.values",)
#: Arguments that name a place on the disk: what is written there is not refused.
PLACES = ("checkpoint", "folder", "path")


@pytest.fixture(scope="module")
def known():
    """The calls of the examples, which take a while to run: not where these tests are only listed."""
    return [call for call in calls() if not call.name.startswith(ELSEWHERE)]


def limit(computing, waiting):
    """Seconds of this process's own time, which others on the machine do not use up, and of the clock; 0 for none."""
    signal.setitimer(signal.ITIMER_PROF, computing)
    signal.alarm(waiting)


@pytest.fixture(autouse=True)
def bounded(tmp_path, monkeypatch):
    """No call computes longer than a minute or waits for ten, or leaves a file where it works."""

    def stop(*_):
        raise TimeoutError

    before = {which: signal.signal(which, stop) for which in (signal.SIGPROF, signal.SIGALRM)}
    (working := tmp_path / "working").mkdir()
    monkeypatch.chdir(working)
    yield
    limit(0, 0)
    for which, handler in before.items():
        signal.signal(which, handler)
    assert os.listdir(working) == []


def numbers(result):
    """All the numbers of a result that a caller sees."""
    if isinstance(result, np.ndarray):
        return [result] if result.dtype.kind == "f" else []
    if isinstance(result, float | np.floating):
        return [np.asarray(result)]
    if isinstance(result, tuple | list):
        return [array for part in result for array in numbers(part)]
    return []


def named(argument, message):
    """Whether a message has the name of an argument as a word; "at least" does not speak of `at`."""
    return re.search(rf"(?<!\w){re.escape(argument)}(?!\w| least| most)", message) is not None


def fault(call, name, value):
    """What is wrong with the answer of a call, or nothing."""
    known = [*parameters(call), *call.arguments.get("how", {}), name, *ALSO.get(name, ())]
    limit(60, 600)
    try:
        with np.errstate(all="ignore"):
            result = call(**{name: value})
    except (ValueError, TypeError) as error:
        return None if any(named(one, str(error)) for one in known) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        limit(0, 0)
    nan = any(np.isnan(array).any() for array in numbers(result))
    return "NaN" if nan and call.name not in SHOWS_NAN else None


def changed(call):
    """The arguments that are given wrong values."""
    kinds = parameters(call)
    yield from (name for name, kind in kinds.items() if kind.kind is not kind.VAR_POSITIONAL)
    if "how" in call.arguments:
        yield from HOW


@pytest.mark.slow
def test_most_of_what_is_public_is_called(known):
    assert len(known) > 120 and {call.name.partition(".")[0] for call in known} == set(MODULES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("module", MODULES)
def test_no_argument_is_silently_accepted_or_refused_without_its_name(module, known, tmp_path):
    there = HOSTILE | {"text": str(tmp_path / HOSTILE["text"])}
    faults = {
        f"{call.name}: {argument}={kind}": said
        for call in known
        if call.name.startswith(f"{module}.")
        for argument in changed(call)
        for kind, value in (there if argument in PLACES else HOSTILE).items()
        if (said := fault(call, argument, value))
    }
    assert faults == {}


def test_a_name_in_a_message_is_a_word_of_it():
    assert named("at", "at must be a sequence") and named("id", "got ...; id must be a slug") and named("x", "(x, y)")
    assert not named("at", "that is wrong") and not named("at", "must have at least 2")


def broken(kind):
    if kind == "nan":
        return np.array([NAN])
    if kind == "endless":
        limit(0.1, 600)
        while True:
            pass
    raise {"key": KeyError("count"), "silent": ValueError("no")}[kind]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("nan", "NaN"), ("key", "KeyError: 'count'"), ("silent", "ValueError: no"), ("endless", "TimeoutError: ")],
)
def test_the_test_sees_what_is_wrong(kind, said):
    call = Call("module.broken", broken, {})
    assert fault(call, "kind", kind) == said
