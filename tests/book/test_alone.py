"""One make at a time in a checkout: the second waits and says for whom."""

import fcntl
import os
import re
import subprocess
import sys
import time

import psutil
import pytest
from sample_book import ROOT, environment

from bookbuild import notebooks
from bookbuild.alone import LOCK

WAITING = re.compile(r"another make is building here, process (\d+) \(make ([^)]*)\); waiting")
#: A notebook that says that it runs, and goes on when it is told.
HELD = (
    "import pathlib, time\npathlib.Path('started').touch()\n"
    "while not pathlib.Path('go').exists():\n    time.sleep(0.02)"
)


def start(project, *goals: str) -> subprocess.Popen:
    """Start make."""
    return subprocess.Popen(
        ["make", *goals],
        cwd=project.root,
        env=environment(),
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for(condition, *processes) -> None:
    """Wait until something is so, while the processes run."""
    deadline = time.time() + 3000
    while not condition():
        assert time.time() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.02)


@pytest.fixture
def building(project):
    """A project in which a make is executing a notebook, which ends on `release()`."""
    project.notebook("part/deeper/second.ipynb", HELD)
    part = project.root / "book/part/deeper"
    running = start(project, "book")
    wait_for((part / "started").exists, running)
    yield project, running, (part / "go").touch
    (part / "go").touch()
    running.communicate(timeout=3000)


@pytest.mark.parametrize("goals", [["book"], ["clean"], [".venv/.book"]], ids=" ".join)
def test_a_second_make_waits_and_says_for_whom(building, goals):
    project, first, release = building
    second = start(project, *goals)
    line = second.stdout.readline()
    holder = WAITING.fullmatch(line.strip())
    assert holder and holder[2] == "book", line
    os.kill(int(holder[1]), 0)
    assert (project.root / "_build/html/index.html").exists(), "nothing is cleaned away under a build"
    release()
    said, _ = first.communicate(timeout=3000)
    assert first.returncode == 0 and "is ready" in said, said
    rest, _ = second.communicate(timeout=3000)
    assert second.returncode == 0 and "Traceback" not in rest, rest
    assert project.executed(rest) == []
    assert (project.root / "_build").exists() == (goals != ["clean"])


def test_help_does_not_wait(building):
    project, *_ = building
    done = project.make("help")
    assert done.returncode == 0 and "waiting" not in done.stdout


def test_the_lock_ends_with_who_holds_it(building):
    project, first, _ = building
    os.killpg(first.pid, 9)
    first.wait()
    with (project.root / LOCK).open() as lock:
        deadline = time.time() + 300
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.time() < deadline, "a killed make keeps its lock"
                time.sleep(0.05)


def test_a_build_that_is_told_to_end_ends_what_it_started(building):
    project, first, _ = building
    below = psutil.Process(first.pid).children(recursive=True)
    (book,) = (process for process in below if "bookbuild.book" in process.cmdline())
    assert any("ipykernel_launcher" in process.cmdline() for process in below)
    book.terminate()
    said, _ = first.communicate(timeout=3000)
    assert first.returncode != 0 and "*** interrupted" in said and "Traceback" not in said, said
    _, alive = psutil.wait_procs(below, timeout=300)
    assert not alive


def test_a_make_within_a_make_does_not_wait_for_it(project):
    project.write("inner.mk", "")
    makefile = project.root / "Makefile"
    makefile.write_text(
        makefile.read_text(encoding="utf-8").replace(
            "\nclean:", "\nwithin: ; @$(MAKE) --no-print-directory book\n\nclean:", 1
        ),
        encoding="utf-8",
    )
    done = project.make("within")
    assert done.returncode == 0 and "waiting" not in done.stdout and "is ready" in done.stdout, done.stdout


def test_a_folder_that_cannot_be_written_is_said(project):
    (project.root / LOCK).unlink(missing_ok=True)
    (project.root / LOCK).mkdir()
    done = project.make("book")
    assert done.returncode != 0 and "cannot be written" in done.stdout and "Traceback" not in done.stdout


def test_a_notebook_of_ones_own_may_have_a_space_in_its_name(project):
    project.notebook("part/my first.ipynb", "print('mine')")
    toc = (project.root / "_toc.yml").read_text(encoding="utf-8")
    project.write("_toc.yml", toc + "  - file: book/part/my first\n")
    done = project.make("book")
    assert done.returncode == 0 and "executed book/part/my first.ipynb" in done.stdout, done.stdout
    assert "mine" in project.page("part/my first.html")


@pytest.mark.parametrize("name", ["a$b", "a b's {c} #1"])
def test_the_address_of_the_book_is_right_in_a_folder_of_any_name(project, tmp_path, name):
    folder = tmp_path / name
    project.root.rename(folder)
    project.root = folder
    project.notebook("part/deeper/second.ipynb", "print('again')")
    done = project.make("book")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith((folder / "_build/html/index.html").as_uri())


def test_the_longest_notebook_is_the_first(tmp_path, monkeypatch):
    from bookbuild import book

    monkeypatch.chdir(tmp_path)
    for name, seconds in (("a", 1), ("b", 9), ("c", None)):
        copy = notebooks.executed_copy(notebooks.BOOK / f"{name}.ipynb", "quick")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if seconds:
            copy.with_suffix(".provenance.json").write_text(f'{{"seconds": {seconds}}}', encoding="utf-8")
    sources = [notebooks.BOOK / f"{name}.ipynb" for name in "abc"]
    assert [path.stem for path in book.stale(sources, "quick")] == ["c", "b", "a"]
    monkeypatch.setattr(book, "LONG", [notebooks.BOOK / "z.ipynb"])
    sources += [notebooks.BOOK / "z.ipynb"]
    assert [path.stem for path in book.stale(sources, "quick")] == ["z", "c", "b", "a"], "a first run"


def test_the_notebooks_named_as_the_longest_are_there():
    from bookbuild import book

    assert all((ROOT / path).is_file() for path in book.LONG)


def test_python_flags_do_not_reach_a_command(project):
    done = subprocess.run(
        [
            sys.executable,
            "-OO",
            "-W",
            "error",
            "-m",
            "bookbuild.execute",
            "book/part/deeper/second.ipynb",
            "mine.ipynb",
        ],
        cwd=project.root,
        encoding="utf-8",
        env=environment() | {"PYTHONPATH": str(project.root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0 and "executed" in done.stdout, done.stdout
