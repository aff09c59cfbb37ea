"""Harm to `make book` on the sample project. After each, the last good site stands and the next run completes."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.book import sample_book
from tests.harden import Broken, Impossible, Trial, copied, hold

FIRST, SECOND = "book/part/first.ipynb", "book/part/deeper/second.ipynb"
#: What may be on a medium that cannot be written.
FOLDERS = (".", "_build", "_build/exec", "_build/exec/quick/part", "_build/html")
#: Longest wait for a make, in seconds.
LIMIT = 300


class Prepared:
    """The sample book, built, and how long a build takes that has everything to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "built").mkdir()
        project = sample_book.skeleton(folder / "built")
        started = time.monotonic()
        done = project.make("book", "-j2")
        self.seconds = time.monotonic() - started
        hold(done.returncode == 0, f"the sample book is not built: {done.stdout}")

    def project(self) -> sample_book.Project:
        """A copy of the built book in which both notebooks and a page have changed."""
        project = sample_book.Project(copied(self.folder / "built", self.folder / "tried"))
        project.notebook("part/first.ipynb", sample_book.checked(), "print('changed')")
        project.notebook("part/deeper/second.ipynb", "print('changed as well')")
        project.write("book/index.md", "# A changed sample\n\n```{bibliography}\n```\n")
        return project


def site(project: sample_book.Project, name: str = "html") -> dict[str, bytes]:
    """Every file of the site that stands."""
    html = project.root / "_build" / name
    return {str(path.relative_to(html)): path.read_bytes() for path in html.rglob("*") if path.is_file()}


class Make:
    """A make that runs, what it says, and all that it has started."""

    def __init__(
        self,
        project: sample_book.Project,
        *before: str,
        prepare: Callable[[], None] | None = None,
        goal: str = "book",
    ) -> None:
        self.log = (project.root / "said.txt").open("w+b")
        self.process = subprocess.Popen(
            [*before, "make", "-j2", goal],
            cwd=project.root,
            env=sample_book.environment(),
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,
        )

    def tree(self) -> list[psutil.Process]:
        """The processes that it has started, itself included."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        """Send a signal to the group, as a terminal does; wait for the end of all that it has started."""
        started = self.tree()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(LIMIT)
        _, left = psutil.wait_procs(started, timeout=30)
        for process in left:
            process.kill()
        hold(not left, f"processes that outlive make: {[process.name() for process in left]}")

    def ended(self, limit: float = LIMIT) -> str:
        """Wait for the end, with nothing left running after too long; what was said."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            raise
        self.log.seek(0)
        return self.log.read().decode("utf-8", errors="replace")


def stands(project: sample_book.Project, before: dict[str, bytes]) -> dict[str, bytes]:
    """The site that the next run leaves; the last good one stood until then, or was whole beside its place."""
    left = site(project)
    if not left:
        hold(site(project, "html.previous") == before, "neither the last good site nor the next one is whole")
    done = project.make("book")
    hold(done.returncode == 0, f"the next run fails: {done.stdout}")
    hold("Traceback" not in done.stdout, f"the next run says {done.stdout}")
    after = site(project)
    hold(b"A changed sample" in after.get("book/index.html", b""), "the next run leaves an old site")
    hold(not left or left in (before, after), "the site is neither the last good one nor the next one")
    return after


def killed(prepared: Prepared, drawn: random.Random) -> None:
    """SIGKILL for the whole group at any moment of a build."""
    project = prepared.project()
    before, running = site(project), Make(project)
    time.sleep(drawn.uniform(0, prepared.seconds))
    running.signal(signal.SIGKILL)
    stands(project, before)


def interrupted(prepared: Prepared, drawn: random.Random) -> None:
    """Ctrl-C at any moment of a build: what was executed is not executed again."""
    project = prepared.project()
    before, running = site(project), Make(project)
    time.sleep(drawn.uniform(0, prepared.seconds))
    running.signal(signal.SIGINT)
    done = project.executed(running.ended())
    copies = {name: project.root / "_build/exec/quick" / Path(name).relative_to("book") for name in done}
    kept = {name: path.read_bytes() for name, path in copies.items()}
    stands(project, before)
    hold(all(copies[name].read_bytes() == kept[name] for name in done), "a finished notebook was executed again")


def full(prepared: Prepared, drawn: random.Random) -> None:
    """No file may grow beyond a size that is drawn, as on a full disk."""
    project, size = prepared.project(), int(10 ** drawn.uniform(2, 4.5))
    before = site(project)
    running = Make(project, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    said = running.ended()
    hold(running.process.returncode != 0, f"a build with files of {size} bytes at most is said to be good")
    hold("Traceback" not in said, f"at {size} bytes make says {said}")
    hold(site(project) == before, f"the site is not the last good one after {size} bytes")
    stands(project, before)


def _within(*flags: str) -> list[str]:
    """The command that gives another one surroundings of its own.

    Raises: Impossible where the machine does not allow them.
    """
    command = ["unshare", "--map-root-user", *flags]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True).returncode:
        raise Impossible(f"`{' '.join(command)}` is not allowed here")
    return command


def offline(prepared: Prepared, drawn: random.Random) -> None:
    """A build on a machine without any network: kernels are spoken to through files."""
    project = prepared.project()
    before = site(project)
    said = (running := Make(project, *_within("--net"))).ended()
    hold(running.process.returncode == 0, f"without a network make says {said}")
    after = site(project)
    hold(after != before and stands(project, before) == after, "the site of a build without a network is not current")


def read_only(prepared: Prepared, drawn: random.Random) -> None:
    """A folder that cannot be written."""
    project, folder = prepared.project(), drawn.choice(FOLDERS)
    before, place = site(project), project.root / folder
    mounted = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$1" && shift && exec "$@"'
    command = [*_within("--mount"), "sh", "-c", mounted, str(place), str(project.root)]
    said = (running := Make(project, *command)).ended()
    hold(running.process.returncode != 0, f"a build in {folder}, which cannot be written, is said to be good")
    hold("Traceback" not in said, f"with {folder} read-only make says {said}")
    hold(site(project) == before, f"the site is not the last good one after {folder} was read-only")
    stands(project, before)


def two_at_once(prepared: Prepared, drawn: random.Random) -> None:
    """Two builds in one folder, the second a moment later."""
    project = prepared.project()
    before, first = site(project), Make(project)
    time.sleep(drawn.uniform(0, prepared.seconds / 2))
    second = project.make("book")
    said = first.ended()
    for status, words in ((first.process.returncode, said), (second.returncode, second.stdout)):
        hold(status == 0 and "Traceback" not in words, f"one of two says {words}")
    hold("another make is building here, process" in said + second.stdout, "neither of two waits and says so")
    hold(len(project.executed(said) + project.executed(second.stdout)) == 2, "two builds do the same work twice")
    stands(project, before)


def built_again(prepared: Prepared, drawn: random.Random) -> None:
    """The site, built twice from the same executed notebooks, is the same to the byte."""
    project = sample_book.Project(copied(prepared.folder / "built", prepared.folder / "tried"))
    before = site(project)
    shutil.rmtree(project.root / "_build/html")
    done = project.make("book")
    hold(done.returncode == 0 and not project.executed(done.stdout), f"a site that was removed: {done.stdout}")
    after = site(project)
    differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    hold(not differing, f"differs from one build to the next: {', '.join(differing)}")


def worker_killed(prepared: Prepared, drawn: random.Random) -> None:
    """A process that executes a notebook, or builds the site, is killed: make says so and fails."""
    project = prepared.project()
    before, running = site(project), Make(project)
    time.sleep(drawn.uniform(0, prepared.seconds))
    below = [process for process in running.tree()[1:] if process.is_running()]
    if below:
        with contextlib.suppress(psutil.NoSuchProcess):
            drawn.choice(below).kill()
    said = running.ended()
    hold("Traceback" not in said, f"after the death of a process make says {said}")
    _, left = psutil.wait_procs(below, timeout=30)
    for process in left:
        process.kill()
    if left:
        raise Broken(f"processes that outlive make: {[process.name() for process in left]}")
    stands(project, before)


TRIALS = (
    Trial("killed", "`make book` is killed with all its processes (SIGKILL) at a random moment", 35, 1, killed),
    Trial("interrupted", "`make book` is interrupted (Ctrl-C) at a random moment", 12, 1, interrupted),
    Trial("process", "one process of `make book` is killed at a random moment", 12, 1, worker_killed),
    Trial("full", "no file of `make book` may pass a random size, as on a full disk", 8, 1, full),
    Trial("read-only", "a folder of the project cannot be written", 10, 1, read_only),
    Trial("offline", "`make book` without any network", 2, 1, offline),
    Trial("two", "a second `make book` starts during the first", 6, 1, two_at_once),
    Trial("again", "the site is built again from the same notebooks: the same bytes", 2, 1, built_again),
)
