"""Put a file into the built site and a link to it on every page that has a place for one.

A place is an empty `<span class="downloads"></span>`: the footer has one, and the landing page. A
site that is built again carries nothing that was made from the last one.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path

from bookbuild.site import SITE

PLACE = '<span class="downloads">'


def offer(file: Path, name: str, site: Path = SITE) -> None:
    """Copy a file to the root of the site; links to it are called `name`. A second time, it replaces the first."""
    with site.with_name("downloads.lock").open("w") as lock:  # `make pdf archive` may do both at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        partial = site / f"{file.name}.partial"
        shutil.copyfile(file, partial)
        partial.replace(site / file.name)
        size = f"{file.stat().st_size / 1e6:.1f} MB"
        for page in site.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            if PLACE in text:
                start = f'<a href="{"../" * (len(page.relative_to(site).parts) - 1)}{file.name}" download>'
                text = re.sub(f"{re.escape(start)}[^<]*</a> ", "", text)
                renewed = page.with_name(f"{page.name}.partial")
                renewed.write_text(text.replace(PLACE, f"{PLACE}{start}{name} ({size})</a> "), encoding="utf-8")
                renewed.replace(page)
