"""Training runs on disk: whole files only, and only those of the same run."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .._files import Arrays, keep, kept


def fingerprint(*parts: object) -> str:
    """What tells runs apart: their arguments, their data, the libraries and the code that trains.

    Shapes: arrays count by their bytes, everything else by its representation -> 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape} ".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(f"{part!r} ".encode())
    for library in ("jax", "jaxlib", "optax", "numpy"):
        digest.update(version(library).encode())
    package = Path(__file__).parent.parent  # what a network computes is written in these two folders
    for source in sorted([*package.glob("training/*.py"), *package.glob("activations/*.py")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()


class Checkpoint:
    """The file of one run in a folder, or nothing where no folder is given."""

    def __init__(self, folder: str | os.PathLike[str] | None, name: str) -> None:
        self.name = name
        self.path = None if folder is None else Path(folder) / f"{name[:32]}.npz"

    def load(self) -> Arrays | None:
        """What was saved last, None if there is nothing or nothing whole."""
        return None if self.path is None else kept(self.path, self.name)

    def save(self, arrays: Arrays) -> None:
        """Put a file in place that is whole at every moment."""
        if self.path is not None:
            keep(self.path, self.name, arrays)
