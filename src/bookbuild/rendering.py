"""Run Jupyter Book on the stage; where only text has changed, what the last run read and wrote serves the next one.

`_build/next` holds what Sphinx knows and the site as it wrote it. Both are kept for the next run if the run was whole,
and are used again if nothing differs but texts and outputs of notebooks, and pages of Markdown: for any other change,
and after a run that did not end, everything is made from scratch. Which pages are read and written again is decided by
content (`bookbuild.extensions.again`).

Law: a site that was made on top of the last one has the same bytes as one from scratch.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bookbuild import BuildError, current, notebooks, recorded, stage

NEXT = Path("_build/next")
#: The site as Sphinx wrote it.
RAW = NEXT / "_build/html"
#: What a whole run was made from; it is not there while one runs.
WHOLE = NEXT / "whole.json"
LOG = Path("_build/site.log")
#: What may change while the rest of the last run serves: records of notebooks, Markdown, origins of numbers.
TEXT = re.compile(r"_build/exec/.+\.provenance\.json|book/.+\.md|book/numbers\.yml")
#: What of the last site stays in its place for Sphinx; all else it copies or writes in any case.
KEPT = (notebooks.BOOK.name, "_images", "_sources", "searchindex.js", ".buildinfo")
#: The command `jupyter-book`, by this interpreter, wherever the environment has been moved to.
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
#: All files of the stage have this time, so that Sphinx decides nothing by it.
STILL = 1_000_000_000


def basis(inputs: dict[str, str]) -> dict[str, str]:
    """What a run is made from: the inputs of the site, the lock, this folder and this Python."""
    return inputs | {"lock": current.state(current.LOCK).exact, "folder": str(Path.cwd()), "python": sys.version}


def serves(made_from: dict[str, str]) -> bool:
    """Whether the last run was whole, and what it was made from differs in texts alone."""
    try:
        last = dict(json.loads(WHOLE.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return False
    differing = (name for name in made_from if last.get(name) != made_from[name])
    return last.keys() == made_from.keys() and all(map(TEXT.fullmatch, differing))


def drawn(inputs: dict[str, str]) -> dict[str, str]:
    """What `recorded.drawn` makes; taken from the last run where that serves, as what it is made from is the same."""
    if not serves(basis(inputs)):
        return recorded.drawn()
    reports, picture = (RAW / recorded.PAGES).glob("*.html"), RAW / "_images" / Path(recorded.PICTURE).name
    found = {f"{recorded.PAGES}/{path.name}": path.read_text(encoding="utf-8") for path in reports}
    return found | ({recorded.PICTURE: picture.read_text(encoding="utf-8")} if picture.exists() else {})


def prepare(site: Path, again: bool) -> None:
    """Leave of the last run what serves the next one."""
    WHOLE.unlink(missing_ok=True)
    if not again:
        shutil.rmtree(NEXT, ignore_errors=True)
    elif site.exists():
        for path in site.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in stage.STAGE.rglob("*"):
        os.utime(path, (STILL, STILL))


def render(inputs: dict[str, str]) -> Path:
    """Run Jupyter Book on the stage and return the folder of what it made, which stays as it is for the next run.

    Raises: BuildError with the warnings and errors of Sphinx, if there are any.
    """
    made_from = basis(inputs)
    prepare(RAW, serves(made_from))
    command = [
        sys.executable,
        "-c",
        JUPYTER_BOOK,
        "build",
        str(stage.STAGE),
        "--path-output",
        str(NEXT),
        "--quiet",
        "-W",
        "-n",
        "--keep-going",
        "--builder",
        "html",
    ]
    with LOG.open("w", encoding="utf-8") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
    text = re.sub(r"\x1b\[[0-9;]*m", "", LOG.read_text(encoding="utf-8", errors="replace"))
    if done.returncode:
        said = [line.strip() for line in text.splitlines() if re.search("WARNING|ERROR", line)]
        raise BuildError(*(said or text.splitlines()[-5:]), f"the site was not built: see {LOG}")
    partial = WHOLE.with_suffix(".partial")
    partial.write_text(json.dumps(made_from), encoding="utf-8")
    partial.replace(WHOLE)
    return RAW


def stamped(site: Path, target: Path, stamp: str) -> Path:
    """A copy of a site whose pages say at their foot what version, commit and profile they show."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(site, target)
    for path in target.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if stage.FOOT in text:
            path.write_text(text.replace(stage.FOOT, stamp), encoding="utf-8")
    return target
