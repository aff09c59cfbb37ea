"""Harm to the swap of the site, and to long runs: kills, lost workers, an interrupt, and memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from deeplimits import activations, ensembles, networks
from tests.harden import ROOT, Trial, hold
from tests.tallies import EDGES, bits

#: Enough files for a swap to last a while.
FILES = 60
HOW: dict[str, Any] = {"edges": EDGES, "chunk": 2000, "progress": False}
NETWORK = networks.ShapedMLP(activations.shaped_relu(0.0, -1.0), width=20, depth=20)
#: A run of so many samples, in a process of its own, which says how much memory it took at most.
MEMORY = (
    "import resource, sys\nfrom deeplimits import ensembles\nfrom tests.harden.runs import NETWORK\n"
    "ensembles.summarise(NETWORK, [[1.0]], int(sys.argv[1]), 1, ensembles.values, progress=False)\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def _swap(root: Path, moment: float) -> dict[str, str]:
    """Put a new site in the place of an old one, in a process that is killed after a moment; what lies there then."""
    from bookbuild import site

    for folder, text in ((root / site.SITE, "old"), (root / site.NEXT, "new")):
        folder.mkdir(parents=True)
        for number in range(FILES):
            (folder / f"{number}.html").write_text(text, encoding="utf-8")
    child = os.fork()
    if child == 0:
        try:
            os.chdir(root)
            site.swap(site.NEXT)
        finally:
            os._exit(0)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return {
        name: "".join(sorted({path.read_text(encoding="utf-8") for path in (root / place).glob("*")}))
        for name, place in (("site", site.SITE), ("previous", site.PREVIOUS))
        if len(list((root / place).glob("*"))) == FILES
    }


def swapped(prepared: Any, drawn: random.Random) -> None:
    """A kill inside the swap of the site: a whole site is left in its place, or beside it for the next build."""
    from bookbuild import site

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole = _swap(root, drawn.uniform(0, 0.006))
        if not (root / site.SITE).exists():
            hold(whole.get("previous") == "old", f"a kill inside the swap leaves {whole}")
            before = Path.cwd()
            os.chdir(root)
            try:
                site.recover()
            finally:
                os.chdir(before)
            hold((root / site.SITE / "0.html").exists(), "the next build does not put the site back")
        else:
            hold(whole.get("site") in ("old", "new"), f"a kill inside the swap leaves {whole}")


def lost_worker(prepared: Any, drawn: random.Random) -> None:
    """A worker of a process pool is killed: the same bits as without the pool."""
    import warnings

    expected = ensembles.summarise(NETWORK, [[1.0]], 200_000, 3, ensembles.values, **HOW)
    before = set(psutil.Process().children(recursive=True))

    def kill() -> None:
        time.sleep(drawn.uniform(0, 6))
        mine = set(psutil.Process().children(recursive=True)) - before
        workers = [one for one in mine if any("spawn_main" in word for word in one.cmdline())]
        if workers:
            drawn.choice(sorted(workers, key=lambda one: one.pid)).kill()

    with warnings.catch_warnings(), ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        warnings.simplefilter("ignore")
        killer = threading.Thread(target=kill)
        killer.start()
        got = ensembles.summarise(NETWORK, [[1.0]], 200_000, 3, ensembles.values, pool, **HOW)
        killer.join()
        # A pool that is told to end before it has seen the loss waits for ever for a lock that the lost worker holds.
        with contextlib.suppress(BrokenExecutor):
            pool.submit(int).result()
    hold(bits(got) == bits(expected), "a worker that is lost changes the bits of a summary")


def interrupted(prepared: Any, drawn: random.Random) -> None:
    """Ctrl-C during a summary: what is merged by then is kept, marked partial, and is what as many samples give."""
    timer = threading.Timer(drawn.uniform(0.05, 0.5), os.kill, (os.getpid(), signal.SIGINT))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        got = ensembles.summarise(NETWORK, [[1.0]], 10**8, 5, ensembles.values, **HOW)
    except KeyboardInterrupt:
        return  # nothing was merged yet
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, handler)
    again = ensembles.summarise(NETWORK, [[1.0]], got.count, 5, ensembles.values, **HOW)
    hold(got.partial and bits(got) == bits(again), f"{got.count} samples, kept by an interrupt, are not those")


def memory(prepared: Any, drawn: random.Random) -> None:
    """Fifty times as many samples take no more memory."""

    def peak(samples: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(samples)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
        )
        hold(done.returncode == 0, done.stderr)
        return int(done.stdout)

    few, many = peak(200_000), peak(10_000_000)
    hold(many < 1.15 * few, f"10,000,000 samples take {many} kB at most, 200,000 take {few}")


TRIALS = (
    Trial("swap", "the process that swaps the site is killed inside the swap", 1500, 200, swapped),
    Trial("worker", "a worker of a process pool is killed during a summary", 8, 1, lost_worker),
    Trial("summary", "a summary is interrupted (Ctrl-C) at a random moment", 20, 2, interrupted),
    Trial("memory", "10,000,000 samples of a network: the memory of 200,000", 1, 0, memory),
)
