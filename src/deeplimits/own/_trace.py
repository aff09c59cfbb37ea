"""What is measured of every network: sizes, correlations and gradients by layer, one row for each network.

All sizes are decimal logarithms, so that nothing overflows: -inf is zero, +inf beyond double precision.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

import numpy as np

from .. import __version__
from .._checks import FloatArray, shown
from .._files import Arrays, keep, kept
from .._progress import Progress

#: What is measured of each layer.
BY_LAYER = ("norm", "largest", "correlation", "gradient", "largest_gradient", "parameters")
#: The 5, 50 and 95 % of networks.
Band = tuple[float, float, float]
#: Seconds between two checkpoints.
PAUSE = 10.0


class Source(Protocol):
    """Where networks come from."""

    layers: tuple[str, ...]
    chunk: int  # networks that are cheap to measure together

    def draw(self, first: int, count: int, seed: int) -> Arrays:
        """Measurements of the networks first..first + count: (count, layers) and (count,)."""

    def __repr__(self) -> str:
        """All that the measurements depend on."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Measurements of many networks.

    Shapes: norm, largest, correlation, gradient, largest_gradient, parameters (samples, layers); logits, loss
        (samples,). Sizes are decimal logarithms; a correlation is NaN where an input is dead or beyond double.
    """

    layers: tuple[str, ...]
    norm: FloatArray
    largest: FloatArray
    correlation: FloatArray
    gradient: FloatArray
    largest_gradient: FloatArray
    parameters: FloatArray
    logits: FloatArray
    loss: FloatArray

    @property
    def samples(self) -> int:
        """How many networks."""
        return len(self.loss)

    def only(self, places: Sequence[int]) -> Trace:
        """Some of the layers."""
        parts = {name: getattr(self, name)[:, places] for name in BY_LAYER}
        return replace(self, layers=tuple(self.layers[place] for place in places), **parts)


def collect(source: Source, samples: int, seed: int, path: Path | None, progress: bool) -> Trace:
    """Measure networks, and go on from a checkpoint at `path` if there is one of the same task."""
    arrays = resumed(source, samples, seed, path, progress, lambda first, count: source.draw(first, count, seed))
    return Trace(source.layers, **arrays)


def resumed(
    source: Source, samples: int, seed: int, path: Path | None, progress: bool, draw: Callable[[int, int], Arrays]
) -> Arrays:
    """What `draw(first, count)` gives of networks, in chunks, from where a checkpoint at `path` of the same task ends.

    Shapes: arrays whose first axis are the networks.
    Law: what was measured before an interrupt is kept; the numbers are those of an uninterrupted run. The checkpoint
        stays until it is `finished`.
    """
    task = f"deeplimits {__version__} {seed} {source!r}"
    name = hashlib.sha256(task.encode()).hexdigest()
    found = {} if path is None else kept(path, name) or {}
    done = saved = len(next(iter(found.values()))) if found else 0
    when, parts = time.monotonic(), [found] if found else []

    def save() -> None:
        if path is not None and done > saved:
            keep(path, name, joined(parts))

    try:
        with Progress(samples, progress) as bar:
            while done < samples:
                bar.at(done)
                count = min(source.chunk, samples - done)
                parts.append(draw(done, count))
                done += count
                if time.monotonic() - when > PAUSE:
                    save()
                    saved, when = done, time.monotonic()
    finally:
        save()
    return {key: array[:samples] for key, array in joined(parts).items()}


def checked_path(checkpoint: object) -> Path | None:
    """Raises: ValueError for what is no path, and for one where no file can be put."""
    if not isinstance(checkpoint, str | os.PathLike | None):
        raise ValueError(f"checkpoint must be a path, got {shown(checkpoint)}")
    return None if checkpoint is None else writable("checkpoint", Path(checkpoint))


def writable(name: str, path: Path) -> Path:
    """The path, if a file can be put there, which is tried and leaves nothing; its folder may be missing still.

    Raises: ValueError that names the argument and the path, and says why not.
    """
    folder = path.parent
    try:
        if os.path.lexists(path) and path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        while not folder.exists():
            folder = folder.parent
        with TemporaryFile(dir=folder):
            os.stat(folder / path.name)  # a name that is too long, or that none may have
    except FileNotFoundError as error:
        if error.filename == os.fspath(folder / path.name):
            return path
        why = error.strerror
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    else:
        return path
    raise ValueError(f"{name} must be a file that can be written, got {shown(os.fspath(path))}: {why}")


def finished(checkpoint: Path | None) -> None:
    """Remove the checkpoint of a run that has ended."""
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def band(values: FloatArray) -> Band:
    """The 5, 50 and 95 % of what is not missing; NaN if nothing is."""
    values = values[~np.isnan(values)]
    if not len(values):
        return (np.nan,) * 3
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), method="inverted_cdf")
    return float(low), float(middle), float(high)


def joined(parts: list[Arrays]) -> Arrays:
    """Chunks one after the other."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def log10(x: FloatArray) -> FloatArray:
    """The decimal logarithm, -inf of 0."""
    with np.errstate(divide="ignore"):
        return np.log10(x)


def looked(rows: FloatArray, everything: FloatArray) -> FloatArray:
    """Sizes and correlation of states.

    Shapes: rows (samples, 2, width), the two inputs where they are compared; everything (samples, ...) ->
        (samples, 4): log of the root mean square of the first, of the largest entry of all, of the norm of all, and the
        correlation.
    Law: scaled before squares are taken, so that nothing overflows.
    """
    flat = np.abs(everything).reshape(len(everything), -1)
    largest = flat.max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)[:, None]
    norm = largest * np.sqrt(np.sum((flat / unit) ** 2, axis=1))
    peak = np.abs(rows).max(axis=2, keepdims=True)
    scaled = rows / np.where(peak > 0, peak, 1.0)
    power = np.mean(scaled**2, axis=2)
    inner = np.mean(scaled[:, 0] * scaled[:, -1], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = inner / np.sqrt(power[:, 0] * power[:, -1])
    rms = log10(peak[:, 0, 0]) + log10(power[:, 0]) / 2
    return np.stack([rms, log10(largest), log10(norm), np.clip(correlation, -1, 1)], axis=1)


def measured(
    seen: FloatArray, back: FloatArray, parameters: FloatArray, logits: FloatArray, loss: FloatArray
) -> Arrays:
    """The arrays of a chunk from what was `looked` at on the way forward and back.

    Shapes: seen and back (samples, layers, 4).
    """
    gone = ~np.isfinite(seen[..., 3])
    return {
        "norm": seen[..., 0],
        "largest": seen[..., 1],
        "correlation": np.where(gone, np.nan, seen[..., 3]),
        "gradient": back[..., 2],
        "largest_gradient": back[..., 1],
        "parameters": parameters,
        "logits": logits,
        "loss": loss,
    }
