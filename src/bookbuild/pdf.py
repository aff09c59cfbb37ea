"""Print the book into one PDF, which the site then offers: `python -m bookbuild.pdf`, or `make pdf`.

Three ways were tried on three chapters. LaTeX through Jupyter Book loses what stands on the pages as HTML (live
figures, badges, the table of claims), cannot read SVG without a converter, and asks for 500 MB of TeX. WeasyPrint
has every rule of paged CSS, and does not run the script that sets the formulas. Chromium, which the tests need
anyway, sets the formulas as on the site, and has page boxes, named pages for running heads and an outline of its own.
It cannot number the lines of a table of contents. So the book is printed twice: the first printing says on which page
each chapter begins; and a third time should the numbers themselves have moved a page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bookbuild import BuildError, downloads, exit_with, printing, provenance
from bookbuild.site import SITE, STAMP

PDF = Path("_build/deep-limits.pdf")
PAGE = Path("_build/pdf/book.html")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--allow-file-access-from-files",
    "--generate-pdf-document-outline",
)
#: The most pages: the book has about 250, and is not to grow much further.
MOST = 265
#: The most printings until the contents are right.
PRINTINGS = 3
#: Milliseconds of the page's own time, which runs on while nothing is pending: enough to set all formulas.
PATIENCE = 1_200_000


def browser() -> str:
    """The path of Chromium.

    Raises: BuildError if there is none.
    """
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise BuildError(
            "make pdf needs Chromium: none of " + ", ".join(names) + " was found;"
            " install one, or name it in the variable CHROMIUM"
        )
    return path


def print_page(page: Path, target: Path) -> None:
    """Print an HTML file into a PDF, which appears only when it is whole.

    Raises: BuildError with what Chromium says if it prints nothing.
    """
    with tempfile.TemporaryDirectory() as profile:
        partial = Path(profile) / "book.pdf"
        done = subprocess.run(
            [
                browser(),
                *QUIET,
                f"--user-data-dir={profile}/profile",
                "--no-pdf-header-footer",
                f"--virtual-time-budget={PATIENCE}",
                f"--print-to-pdf={partial}",
                page.resolve().as_uri(),
            ],
            capture_output=True,
            text=True,
        )
        if not partial.exists() or not partial.read_bytes().rstrip().endswith(b"%%EOF"):
            raise BuildError("Chromium did not print the book", *done.stderr.splitlines()[-5:])
        shutil.move(partial, target)


@dataclass(frozen=True)
class Printed:
    """What Chromium's PDF says of itself: its objects are plain text, and only the streams in them are packed."""

    data: bytes

    @cached_property
    def objects(self) -> dict[bytes, bytes]:
        """The objects that are dictionaries, by their numbers."""
        return dict(re.findall(rb"(?:^|\n)(\d+) 0 obj\s*(<<.*?)\nendobj", self.data, re.DOTALL))

    def object(self, number: bytes) -> bytes:
        """An object that is a dictionary, by its number."""
        return self.objects.get(number, b"")

    def pages(self) -> list[bytes]:
        """The numbers of the objects of the pages, in order."""
        found: list[bytes] = []
        waiting = re.findall(rb"/Type /Catalog\s+/Pages (\d+) 0 R", self.data)
        while waiting:
            number = waiting.pop(0)
            kids = re.search(rb"/Kids \[([^]]*)\]", self.object(number))
            if kids:
                waiting = re.findall(rb"(\d+) 0 R", kids[1]) + waiting
            else:
                found.append(number)
        return found

    def places(self) -> dict[str, int]:
        """On which page each target of a link lies, the first page being 1."""
        pages = {number: place for place, number in enumerate(self.pages(), 1)}
        root = re.search(rb"/Dests (\d+) 0 R", self.data)
        targets = re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", self.object(root[1])) if root else []
        return {unescaped(name): pages[page] for name, page in targets if page in pages}

    def faults(self, names: list[str]) -> list[str]:
        """What is wrong: a link to a file, a line of the contents that leads nowhere, no outline, too many pages."""
        links = sorted(set(re.findall(rb"/URI \((file:[^)]*)\)", self.data)))
        found = [f"a link to a file: {link.decode('latin-1')}" for link in links]
        there = self.places()
        found += [f"no page for the line of the contents: {name}" for name in names if name not in there]
        if len(self.pages()) > MOST:
            found.append(f"{len(self.pages())} pages: more than {MOST}")
        return found if b"/Outlines " in self.data else [*found, "no outline"]


def unescaped(name: bytes) -> str:
    """A name of the PDF as text."""
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), name).decode("utf-8")


def make(site: Path, page: Path, target: Path, stamp: str) -> list[str]:
    """Print a site until the page numbers in the contents are those of the pages; returns the ids in the contents.

    Raises: BuildError for a book that links to files, or whose contents lead nowhere.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    files = os.path.relpath(site, page.parent)
    chapters = printing.chapters_of(site, files)
    names = [name for chapter in chapters[1:] for name in (chapter.anchor, *(each for each, _ in chapter.sections()))]
    with tempfile.TemporaryDirectory() as folder:
        draft, known = Path(folder) / "draft.pdf", dict[str, int]()
        for _ in range(PRINTINGS):
            page.write_text(printing.document(site, files, stamp, known, chapters), encoding="utf-8")
            print_page(page, draft)
            printed, before = Printed(draft.read_bytes()), known
            known = printed.places()
            moved = [name for name in names if before.get(name) != known.get(name)]
            if not moved:
                break
        if wrong := printed.faults(names) + [f"not on the page of the contents: {name}" for name in moved]:
            raise BuildError(*wrong, f"the book was not printed as it should be: {page}")
        shutil.move(draft, target)
    return names


def main() -> None:
    """The command line."""
    browser()
    if not (SITE / STAMP).exists():
        raise BuildError(f"{SITE} is missing: run `make book` first")
    profile = (SITE / STAMP).read_text(encoding="utf-8").strip()
    make(SITE, PAGE, PDF, re.sub(r"<[^>]+>", "", provenance.stamp(profile)))
    downloads.offer(PDF, "The whole book as a PDF")
    pages = len(Printed(PDF.read_bytes()).pages())
    print(f"{PDF}: {pages} pages, {PDF.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    exit_with(main)
