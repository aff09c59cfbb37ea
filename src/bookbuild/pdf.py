"""Print the whole book into one PDF, which the site then offers: `python -m bookbuild.pdf`, or `make pdf`.

Jupyter Book puts the staged pages on one page, and an installed Chromium prints it. Folded answers
are open in print.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bookbuild import BuildError, downloads, exit_with, site, stage

PDF = Path("_build/deep-limits.pdf")
FOLDER = Path("_build/pdf")
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
)
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


def on_one_page() -> Path:
    """The whole book as a single HTML file, answers unfolded.

    Raises: BuildError if the book has not been built.
    """
    if not stage.STAGE.exists():
        raise BuildError(f"{stage.STAGE} is missing: run `make book` first")
    html = site.render(FOLDER, "singlehtml")
    page = html / "book.html"
    # Addresses of styles and images are relative to the root.
    text = (html / "book" / "index.html").read_text(encoding="utf-8")
    page.write_text(re.sub(r'<details class="sd-', '<details open class="sd-', text), encoding="utf-8")
    return page


def print_page(page: Path) -> None:
    """Print an HTML file into the PDF, which appears only when it is whole.

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
        shutil.move(partial, PDF)


def main() -> None:
    """The command line."""
    browser()
    print_page(on_one_page())
    downloads.offer(PDF, "The whole book as a PDF")
    print(f"{PDF}: {PDF.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    exit_with(main)
