"""The sites of all versions side by side: `python -m bookbuild.versions SITE RELEASES TARGET`.

`SITE` is an archive of the newest site, which becomes `latest/`. `RELEASES` is a folder with the archives of earlier
ones, each named after its tag: `v0.3.1.tar.gz` becomes `v0.3/`, and of the releases with the same first two numbers the
newest is shown. The root leads to the latest, and `versions.html` lists all.

Only the standard library is used: this runs where nothing is installed.
"""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from pathlib import Path

from bookbuild import BuildError, exit_with

LATEST = "latest"
TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)\.tar\.gz")
#: The page that lists the versions; the root leads to the latest at once.
LIST = "versions.html"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{head}
<title>Deep Limits: {title}</title>
</head>
<body>
<h1>Deep Limits: {title}</h1>
<ul>
{items}
</ul>
</body>
</html>
"""


def newest(releases: Path) -> dict[str, Path]:
    """The archive of the newest release for each pair of first numbers, newest pair first.

    Raises: BuildError for a file that is not named after a release.
    """
    found: dict[tuple[int, int], tuple[int, Path]] = {}
    for path in releases.iterdir() if releases.exists() else ():
        matched = TAG.fullmatch(path.name)
        if not matched:
            raise BuildError(f"{path} is not named after a release, as v0.3.1.tar.gz is")
        major, minor, patch = map(int, matched.groups())
        if (major, minor) not in found or found[major, minor][0] < patch:
            found[major, minor] = patch, path
    return {f"v{major}.{minor}": found[major, minor][1] for major, minor in sorted(found, reverse=True)}


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a site; nothing in it may lie outside its folder.

    Raises: BuildError if the archive holds no book, or where Python is too old to unpack with care.
    """
    if not hasattr(tarfile, "data_filter"):
        raise BuildError("archives are unpacked by Python 3.11.4 or later")
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    if not (folder / "book/index.html").exists():
        raise BuildError(f"{archive} holds no site: book/index.html is missing")


def assemble(site: Path, releases: Path, target: Path) -> list[str]:
    """Fill the target afresh; return the names of the folders in it, the latest first."""
    shutil.rmtree(target, ignore_errors=True)
    shown = {LATEST: site, **newest(releases)}
    for name, archive in shown.items():
        unpack(archive, target / name)
    items = [f'<li><a href="{name}/book/index.html">{name}</a></li>' for name in shown]
    away = f'\n<meta http-equiv="refresh" content="0; url={LATEST}/book/index.html">'
    pages = (("index.html", away, "the latest version", items[:1]), (LIST, "", "versions", items))
    for page, head, title, listed in pages:
        text = PAGE.format(head=head, title=title, items="\n".join(listed))
        (target / page).write_text(text, encoding="utf-8")
    return list(shown)


def main() -> None:
    """The command line."""
    if len(sys.argv) != 4:
        raise BuildError("usage: python -m bookbuild.versions SITE RELEASES TARGET")
    print("side by side:", ", ".join(assemble(*map(Path, sys.argv[1:]))))


if __name__ == "__main__":
    exit_with(main)
