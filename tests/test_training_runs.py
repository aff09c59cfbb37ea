"""Long runs of training resume to the bit, believe no damaged file, and show where they are."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trained import FILTERS, IMAGES, MODEL, TANH, X, Y

from deeplimits import networks
from deeplimits.activations import linear, plain
from deeplimits.blocks import Blocks
from deeplimits.training import Model, Optimiser, _checkpoints, descent, train

# ------------------------------------------------------------------ large runs


@pytest.fixture
def recompiled():
    yield
    descent._look.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("blocks, inputs", [(TANH, X), (FILTERS, IMAGES)])
def test_many_images_are_looked_at_in_blocks_with_the_same_outputs(blocks, inputs, monkeypatch, recompiled):
    run = Model(blocks, inputs.shape[-1], 2), inputs, Y[: len(inputs)], Optimiser("sgd", 0.1), 2, 2, 3
    expected = train(*run)
    size = descent.hidden(run[0], inputs)
    assert size == (6 if blocks is TANH else 5 * 4 * 9 * 3)
    monkeypatch.setattr(descent, "ROOM", 3 * size)
    descent._look.cache_clear()
    found = train(*run)
    assert np.allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)
    assert np.allclose(found.losses, expected.losses, rtol=1e-5)


@pytest.mark.slow
def test_long_steps_are_done_one_by_one_so_that_a_run_can_be_saved(monkeypatch, tmp_path):
    def task(width, samples=2):
        blocks = networks.ResNet(Blocks(linear(), plain("tanh")), width, width)
        return descent.Task.checked(Model(blocks, 4, 2), X, Y, Optimiser("sgd", 0.1), 10, samples, 1, None, None)

    assert task(4).chunk == descent.CHUNK and task(1000).chunk == 1
    assert task(300, samples=2).chunk > task(300, samples=4).chunk > 1
    expected = train(*RUNS["adam on batches"])
    monkeypatch.setattr(descent, "WORK", 1)
    monkeypatch.setattr(descent, "PAUSE", 0)
    saved = []
    monkeypatch.setattr(_checkpoints.Checkpoint, "save", lambda own, arrays: saved.append(int(arrays["step"])))
    same(train(*RUNS["adam on batches"], folder=tmp_path), expected)
    assert saved == list(range(121))


# ------------------------------------------------------------------ interruptions


class Interrupted:
    """A progress bar during which someone presses Ctrl-C, or worse."""

    at_call, action = 3, None

    def __init__(self, *_):
        self.calls = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def at(self, done):
        self.calls += 1
        if self.calls == self.at_call:
            self.action()


def press():
    raise KeyboardInterrupt


RUNS = {
    "adam on batches": (MODEL, X, Y, Optimiser("adam", 0.01, batch=5), 120, 2, 3, [0, 40, 90, 120]),
    "filters": (Model(FILTERS, 2, 2), IMAGES, Y[:4], Optimiser("sgd", 0.05), 60, 2, 3, [60, 10]),
}


def same(one, other):
    assert all(np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
    assert all(np.array_equal(one.parameters[name], other.parameters[name]) for name in one.parameters)


def no_work(*_):
    raise AssertionError("this run should not train")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(name, tmp_path, monkeypatch):
    expected = train(*RUNS[name])
    with monkeypatch.context() as patch:
        patch.setattr(descent, "Progress", Interrupted)
        patch.setattr(Interrupted, "action", staticmethod(press))
        with pytest.raises(KeyboardInterrupt):
            train(*RUNS[name], folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    steps, advanced = descent.Run.walk, []
    monkeypatch.setattr(descent.Run, "walk", lambda run: (advanced.append(s) or s for s in steps(run)))
    same(train(*RUNS[name], folder=tmp_path), expected)
    assert min(advanced) > 25, "it began again"
    monkeypatch.setattr(descent, "_advance", no_work)
    same(train(*RUNS[name], folder=tmp_path), expected)
    with pytest.raises(AssertionError, match="should not train"):
        train(*RUNS[name][:6], 4, RUNS[name][7], folder=tmp_path)  # another seed is another run


KILLED = """
import os, pickle, signal, sys
from deeplimits.training import descent
descent.PAUSE = 0
descent.Progress.at = lambda bar, done: os.kill(os.getpid(), signal.SIGKILL) if done > bar.total / 2 else None
descent.train(*pickle.load(sys.stdin.buffer), folder=sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_run_resumes(tmp_path):
    run, environment = RUNS["adam on batches"], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], input=pickle.dumps(run), env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.npz"))) == 1
    same(train(*run, folder=tmp_path), train(*run))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "of another run", "an array", "other numbers"])
def test_a_damaged_checkpoint_is_not_believed(damage, tmp_path):
    expected = train(*RUNS["adam on batches"], folder=tmp_path)
    path = next(tmp_path.iterdir())
    body = bytearray(path.read_bytes())
    if damage == "of another run":
        train(*RUNS["adam on batches"][:6], 4, folder=tmp_path)
        other = next(p for p in tmp_path.iterdir() if p != path)
        other.replace(path)
    elif damage == "an array":
        np.save(path.open("wb"), np.ones(3))
    elif damage == "other numbers":
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        np.savez(path, **{name: 2 * one if one.dtype.kind == "f" else one for name, one in arrays.items()})
    else:
        body[len(body) // 2] ^= 255
        path.write_bytes({"truncated": body[:-30], "flipped": body, "empty": b""}[damage])
    with pytest.warns(RuntimeWarning, match="is damaged or another file"):
        same(train(*RUNS["adam on batches"], folder=tmp_path), expected)
    same(train(*RUNS["adam on batches"], folder=tmp_path), expected)


def test_a_run_is_told_apart_by_the_code_of_its_networks_and_their_activations(monkeypatch):
    before, read, files = _checkpoints.fingerprint(1), Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: (files.append(path.parent.name), read(path) + b" ")[1])
    assert _checkpoints.fingerprint(1) != before and set(files) == {"training", "activations"}


# ------------------------------------------------------------------ progress

IN_A_KERNEL = """
import time
from deeplimits import _progress
_progress.PAUSE = _progress.PATIENCE = 0
print("before")
for bar in (_progress.Progress(4, True), _progress.Progress(4, True)):
    with bar:
        for done in (1, 2, 4):
            time.sleep(0.01)
            bar.at(done)
"""


@pytest.mark.parametrize("watched", [True, False])
def test_in_a_notebook_progress_is_one_line_that_changes_in_place_and_is_cleared(watched):
    """Whoever runs a cell can be asked for input; a notebook that is executed as a whole cannot, and stays clean."""
    manager = pytest.importorskip("jupyter_client.manager")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    kernel, client = manager.start_new_kernel(kernel_name="python3", env=environment, startup_timeout=300)
    try:
        shown = []
        answer = client.execute_interactive(IN_A_KERNEL, allow_stdin=watched, timeout=300, output_hook=shown.append)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert answer["content"]["status"] == "ok", answer["content"]
    shown = [message for message in shown if message["msg_type"] not in ("status", "execute_input")]
    assert shown.pop(0)["content"] == {"name": "stdout", "text": "before\n"}
    lines = [message["content"] for message in shown if "display_data" in message["msg_type"]]
    assert len(shown) == len(lines)
    if not watched:
        assert not lines
        return
    texts = [line["data"]["text/plain"] for line in lines]
    assert len({line["transient"]["display_id"] for line in lines}) == 1
    assert sum(m["msg_type"] == "display_data" for m in shown) == 1
    assert " 25%  1 of 4 samples" in texts[0] and "100%" in texts[-2] and texts[3] == texts[-1] == ""


# ------------------------------------------------------------------ libraries


@pytest.mark.slow
def test_the_package_does_without_jax_until_it_trains():
    program = "import sys; import deeplimits.training; sys.exit('jax' in sys.modules or 'optax' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


@pytest.mark.parametrize("library", ["jax", "optax"])
def test_a_missing_library_is_named_with_its_remedy(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"pip install deeplimits\[training\]"):
        train(MODEL, X, Y, Optimiser("sgd", 0.1), 1, 1, 1)
