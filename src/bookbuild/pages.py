"""The pages that notebooks become: each executed copy is read once, and handed to all who need it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode

from bookbuild import BuildError, current, notebooks


class Page(NamedTuple):
    """A page by its name (the path of the source without ending), and the executed notebook that it shows."""

    name: str
    path: Path
    notebook: NotebookNode

    @classmethod
    def read(cls, name: str, path: Path) -> Page:
        """The page that an executed copy becomes."""
        return cls(name, path, notebooks.read(path))

    @property
    def up(self) -> str:
        """The way from the page to the root of the site."""
        return "../" * self.name.count("/")

    @property
    def title(self) -> str:
        """The heading of the page."""
        return notebooks.title(self.notebook)

    @property
    def record(self) -> Path:
        """Where the record of the run lies: beside the executed copy."""
        return self.path.with_suffix(".provenance.json")

    def run(self) -> dict[str, Any]:
        """The record of the run."""
        return json.loads(self.record.read_text(encoding="utf-8"))

    def faults(self, profile: str) -> list[str]:
        """Where the executed copy is not what a run in this profile made from what is here now."""
        again = "; delete it to run it again"
        if changed := current.change(self.record):
            return [f"{self.path} is not up to date: {changed} has changed{again}"]
        if changed := current.retold(self.record):
            return [f"{self.path} is not up to date: the text of {changed} has changed{again}"]
        run, found = self.run(), []
        if run["profile"] != profile:
            found.append(f"{self.path} comes from the {run['profile']} profile, not from {profile}{again}")
        if run["executed"] != current.state(self.path).exact:
            found.append(f"{self.path} was changed after its run{again}")
        source = Path(self.name).with_suffix(".ipynb")
        if notebooks.code(self.notebook) != current.code(source.read_text(encoding="utf-8")):
            found.append(f"{self.path} ran other code than {source}{again}")
        return found


def of_book(profile: str) -> list[Page]:
    """A page for every notebook of the book, in the order of its contents.

    Raises: BuildError for a notebook that has not been executed, and for a copy that is not what its run made.
    """
    order = re.findall(r"file: (\S+)", Path("_toc.yml").read_text(encoding="utf-8"))
    found = []
    for source in notebooks.find():
        executed = notebooks.executed_copy(source, profile)
        if not executed.exists():
            raise BuildError(f"{source} has not been executed in the {profile} profile")
        found.append(Page.read(source.with_suffix("").as_posix(), executed))
    if faults := [fault for page in found for fault in page.faults(profile)]:
        raise BuildError(*faults)
    return sorted(found, key=lambda page: order.index(page.name) if page.name in order else len(order))
