"""Training runs on disk: whole files only, and only those of the same run."""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .._files import replace

Arrays = dict[str, np.ndarray]


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

    def __init__(self, folder: str | os.PathLike | None, name: str) -> None:
        self.name = name
        self.path = None if folder is None else Path(folder) / f"{name[:32]}.npz"

    def load(self) -> Arrays | None:
        """What was saved last, None if there is nothing or nothing whole."""
        if self.path is None or not self.path.exists():
            return None
        try:
            # The archive has a check sum of every array, and its table of contents comes last.
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if str(arrays.pop("run")) == self.name:
                return arrays
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            pass
        warnings.warn(f"the checkpoint {self.path} is damaged: this run starts afresh", RuntimeWarning, stacklevel=3)
        return None

    def save(self, arrays: Arrays) -> None:
        """Put a file in place that is whole at every moment."""
        if self.path is not None:
            replace(self.path, arrays | {"run": np.array(self.name)})

