"""Arrays kept in files that are whole at every moment and are verified whenever they are read."""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

Arrays = dict[str, np.ndarray]

#: The entry of a file that vouches for the others.
SEAL = "seal"
#: What reading a file that is something else may raise.
STRANGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def seal(name: str, arrays: Mapping[str, np.ndarray]) -> str:
    """A sum over the name of what is kept and over every array, as 64 hexadecimal digits."""
    digest = hashlib.sha256(name.encode())
    for key, array in sorted(arrays.items()):
        digest.update(f"\0{key}\0{array.dtype.str}{array.shape}\0".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def keep(path: Path, name: str, arrays: Mapping[str, np.ndarray], compressed: bool = False) -> None:
    """Write arrays to a file beside another one and, once they are on the disk, put it in its place.

    Raises: OSError, which names the path, where a file cannot be put.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sealed = {**arrays, SEAL: np.array(seal(name, arrays))}
    with NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
        try:
            write: Callable[..., None] = np.savez_compressed if compressed else np.savez
            write(file, **sealed)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def kept(path: Path, name: str) -> Arrays | None:
    """What `keep` put there under this name; None if there is no file, or another one, which a warning names.

    Law: a file is believed only if its seal fits its contents and the name, whatever else it may be.
    """
    if not os.path.lexists(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: np.asarray(file[key]) for key in file.files}
        if str(arrays.pop(SEAL, "")) == seal(name, arrays):
            return arrays
    except STRANGE:
        pass
    warnings.warn(
        f"{path} is damaged or another file than was kept there: it is not used, and made again. If this "
        "is said again and again, delete it",
        RuntimeWarning,
        stacklevel=3,
    )
    return None
