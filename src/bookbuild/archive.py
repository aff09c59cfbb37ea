"""Pack the evidence of the built book, which the site then offers: `python -m bookbuild.archive`, or `make archive`.

The archive holds the records of all claims, the numbers of all figures, the executed notebooks
with their provenance and the locks, with a checksum for each. The same site gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import yaml

from bookbuild import BuildError, downloads, exit_with, notebooks
from bookbuild.dress import TABLES
from bookbuild.site import SITE, STAMP

BUILD = Path("_build")
SUMS = "SHA256SUMS"


def contents() -> dict[str, Path]:
    """What goes into the archive, by its name there.

    Raises: BuildError if the book has not been built.
    """
    if not (SITE / STAMP).exists():
        raise BuildError(f"{SITE} is missing: run `make book` first")
    executed = notebooks.EXECUTED / (SITE / STAMP).read_text(encoding="utf-8").strip()
    found = {name: Path(name) for name in ("CITATION.cff", "LICENSE", "LICENSE-text", "requirements.txt")}
    found["claims.json"] = SITE / "claims.json"
    found |= {f"figures/{path.name}": path for path in (SITE / TABLES).glob("*.csv")}
    for source in notebooks.find():
        copy = executed / source.relative_to(notebooks.BOOK)
        for path in (copy, copy.with_suffix(".provenance.json")):
            found[f"notebooks/{path.relative_to(executed).as_posix()}"] = path
    return dict(sorted(found.items()))


def pack() -> Path:
    """Write the archive and return where it lies."""
    files = {name: path.read_bytes() for name, path in contents().items()}
    files[SUMS] = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()
    version = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))["version"]
    profile = (SITE / STAMP).read_text(encoding="utf-8").strip()
    folder = f"deep-limits-{version}-{profile}"
    packed = io.BytesIO()
    # Without times and owners, the bytes depend on the contents alone.
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(f"{folder}/{name}")
            about.size, about.mode = len(data), 0o644
            tar.addfile(about, io.BytesIO(data))
    target = BUILD / f"{folder}.tar.gz"
    partial = target.with_suffix(".partial")
    partial.write_bytes(packed.getvalue())
    partial.replace(target)
    return target


def main() -> None:
    """The command line."""
    target = pack()
    downloads.offer(target, "All evidence as an archive")
    print(f"{target}: SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    exit_with(main)
