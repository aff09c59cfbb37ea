"""Real inputs: handwritten digits, small ones that ship with scikit-learn and the MNIST set.

The small set, 8 x 8, needs no network. MNIST, 28 x 28, is fetched from OpenML once, checked and kept.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import urllib.request
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import load_digits

from . import _checks
from ._checks import FloatArray, choice, real, reals, sequence, shown, whole
from ._files import keep, kept

__all__ = ["Digits", "Pictures", "Split", "cache_folder", "digits", "gram", "mnist", "pair", "split"]

#: The file at OpenML, and the MD5 sum that OpenML publishes for it.
MNIST_URL = "https://www.openml.org/data/v1/download/52667/mnist_784.arff"
MNIST_MD5 = "0298d579eb1b86163de7723944c7e495"

#: The largest entry of an input: its square, and the sum of many, stay within double precision.
LARGEST = 1e150
#: Seconds without an answer after which a server counts as out of reach.
PATIENCE = 30


class Digits(NamedTuple):
    """Handwritten digits as inputs of a network, and as pictures.

    Shapes: `inputs` (k, 64); `labels` (k,), integers 0 to 9; `pixels` (k, 8, 8), from 0 to 16.

    >>> from deeplimits import data
    >>> data.digits().labels[:3]
    array([0, 1, 2])
    """

    inputs: FloatArray
    labels: np.ndarray
    pixels: FloatArray


@lru_cache
def digits() -> Digits:
    """All 1797 handwritten digits, the mean image subtracted and each scaled to V = 1.

    Shapes: `inputs` (1797, 64) with |x|^2 / 64 = 1 in every row, read-only.
    Law: exact. The correlations of two digits run from -0.79 to 0.991: 99 % of the pairs lie
    between -0.56 and 0.82, half of them between -0.19 and 0.16.
    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998.

    >>> import numpy as np
    >>> from deeplimits import data
    >>> inputs = data.digits().inputs
    >>> inputs.shape, bool(np.allclose(np.mean(inputs**2, axis=1), 1))
    ((1797, 64), True)
    """
    bunch = load_digits()
    centred = bunch.data - bunch.data.mean(axis=0)
    inputs = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
    for array in (inputs, bunch.target, bunch.images):
        array.setflags(write=False)
    return Digits(inputs, bunch.target, bunch.images)


def gram(inputs: ArrayLike) -> FloatArray:
    """The covariance V0 with which inputs enter a network, <x, x'> / n_in.

    Shapes: (m, n_in) in, (m, m) out.
    Law: exact. Source: Li, Nica and Roy 2022, covariance of the first pre-activations.
    Raises: ValueError for another shape, or inputs that are not finite.

    >>> from deeplimits import data
    >>> data.gram([[1.0, 1.0], [1.0, -1.0]])
    array([[1., 0.],
           [0., 1.]])
    """
    x = reals("inputs", inputs, least=-LARGEST, most=LARGEST, what="finite numbers of shape (m, n_in)")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"inputs must be finite numbers of shape (m, n_in), got shape {x.shape}")
    with np.errstate(under="ignore"):
        return x @ x.T / x.shape[1]


def pair(correlation: float) -> Digits:
    """The two digits whose correlation is nearest to a wanted one.

    Shapes: as `Digits` with k = 2; `gram(pair(correlation).inputs)` is their covariance.
    Law: the same pair every time. Within 1e-4 of the wanted value from -0.70 to 0.95; beyond the
    range of the data, the most opposite (-0.79) or the most parallel (0.991) pair.
    Raises: ValueError for a correlation outside [-1, 1].

    >>> from deeplimits import data
    >>> V = data.gram(data.pair(0.5).inputs)
    >>> round(float(V[0, 1]), 3)
    0.5
    """
    wanted = real("correlation", correlation, least=-1, most=1)
    everything = digits()
    first, second = np.triu_indices(len(everything.labels), k=1)
    nearest = np.argmin(np.abs(gram(everything.inputs)[first, second] - wanted))
    chosen = [first[nearest], second[nearest]]
    return Digits(*(array[chosen] for array in everything))


class Split(NamedTuple):
    """Pictures to train on, and others to test with.

    Shapes: `pixels` (train, rows, columns), from 0 to 1; `labels` (train,), integers; the same of the test.

    >>> from deeplimits import data
    >>> split = data.split("digits", train=100, test=50, seed=1)
    >>> split.pixels.shape, split.test_labels.shape
    ((100, 8, 8), (50,))
    """

    pixels: FloatArray
    labels: np.ndarray
    test_pixels: FloatArray
    test_labels: np.ndarray


def split(
    name: str,
    train: int,
    test: int,
    seed: int,
    classes: Sequence[int] | None = None,
    *,
    url: str = MNIST_URL,
    md5: str = MNIST_MD5,
) -> Split:
    """Random pictures to train on, and others to test with, of "digits" or of "mnist".

    Shapes: as `Split`. With `classes`, only pictures with these labels.
    Law: without repetition; depends on the arguments only. `url` and `md5` are those of `mnist`.
    Raises: ValueError for an unknown name, more pictures than there are, and classes without any; as `mnist`.

    >>> from deeplimits import data
    >>> zeros_and_ones = data.split("digits", train=100, test=50, seed=1, classes=(0, 1))
    >>> sorted(set(zeros_and_ones.labels.tolist()))
    [0, 1]
    """
    choice("name", name, ("digits", "mnist"))
    pixels, labels, white = (digits().pixels, digits().labels, 16) if name == "digits" else (*mnist(url, md5), 255)
    wanted = (
        None
        if classes is None
        else [whole("classes", label, least=0) for label in sequence("classes", classes, "label")]
    )
    if wanted is not None and len(set(wanted)) < len(wanted):
        raise ValueError(f"classes must name each label once, got {shown(classes)}")
    kept = np.arange(len(labels)) if wanted is None else np.flatnonzero(np.isin(labels, wanted))
    if len(kept) < 2:
        raise ValueError(f"classes must be labels of {name}, got {classes!r}")
    whole("train", train, most=len(kept) - 1)
    whole("test", test, most=len(kept) - train)
    chosen = np.random.default_rng(_checks.seed(seed)).permutation(kept)[: train + test]
    grey, found = pixels[chosen] / white, labels[chosen].astype(np.int64)
    return Split(grey[:train], found[:train], grey[train:], found[train:])


class Pictures(NamedTuple):
    """Pictures with their labels. Shapes: `pixels` (k, rows, columns), from 0 to 255; `labels` (k,).

    >>> import numpy as np
    >>> from deeplimits import data
    >>> pictures = data.Pictures(np.zeros((10, 28, 28), np.uint8), np.arange(10))
    >>> pictures.pixels.shape
    (10, 28, 28)
    """

    pixels: np.ndarray
    labels: np.ndarray


def mnist(url: str = MNIST_URL, md5: str = MNIST_MD5) -> Pictures:
    """The 70 000 handwritten digits of MNIST, fetched once and kept in `cache_folder()`.

    Shapes: `pixels` (70000, 28, 28) and `labels` (70000,), bytes.
    Law: the bytes that OpenML serves, of the given MD5 sum. Another `url` (https, http, or file for a copy on this
        machine) may serve the same file, or with another sum one like it: square pictures, one in a line.
    Source: Y. LeCun, C. Cortes and C. Burges, the MNIST database; OpenML data set 554.
    Raises: ConnectionError when the server cannot be reached or stops; ValueError when what it sent has another
        sum, or is not such a file. Nothing of this is kept. What is kept is verified whenever it is read; a file that
        does not hold the pictures fetched under this sum is named in a warning, and they are fetched again.

    >>> from deeplimits import data
    >>> try:
    ...     data.mnist(md5="any")  # nothing is fetched that could not be verified
    ... except ValueError as error:
    ...     print(error)
    md5 must be 32 hexadecimal digits, got 'any'
    """
    if not isinstance(md5, str) or not re.fullmatch("[0-9a-f]{32}", md5):
        raise ValueError(f"md5 must be 32 hexadecimal digits, got {_checks.shown(md5)}")
    path = cache_folder() / f"mnist-{md5}.npz"
    found = kept(path, f"mnist {md5}")
    if found is not None:
        return Pictures(found["pixels"], found["labels"])
    pictures = _pictures(_fetched(url, md5), url)
    keep(path, f"mnist {md5}", pictures._asdict(), compressed=True)
    return pictures


def cache_folder() -> Path:
    """Where files that cost time are kept: DEEPLIMITS_CACHE, by default deeplimits in the user's cache.

    >>> from deeplimits import data
    >>> data.cache_folder().name != ""
    True
    """
    given = os.environ.get("DEEPLIMITS_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deeplimits"


def _fetched(url: str, md5: str) -> bytes:
    """A file from the network, whole and as it was published."""
    try:
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip", "User-Agent": "deeplimits"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
    except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
        raise ConnectionError(
            f"MNIST could not be fetched from {url} ({error}). It needs the network once; "
            "without it take the data set 'digits', or url='file:///...' for a copy of the file"
        ) from error
    found = hashlib.md5(body, usedforsecurity=False).hexdigest()
    if found != md5:
        raise ValueError(f"MNIST from {url} has the MD5 sum {found}, and not {md5}: it was not used")
    return body


def _pictures(body: bytes, url: str) -> Pictures:
    """The rows of an ARFF file: grey values from 0 to 255, then the label."""
    try:
        table = body[body.lower().index(b"@data") + len(b"@data") :]
        if not table.strip():
            raise ValueError("it has no rows of data")
        rows = np.loadtxt(table.decode("ascii").splitlines(), np.uint8, delimiter=",", ndmin=2)
        side = round((rows.shape[1] - 1) ** 0.5)
        return Pictures(rows[:, :-1].reshape(len(rows), side, side), rows[:, -1].copy())
    except ValueError as error:
        raise ValueError(f"{url} is not a file of square pictures: {error}") from error
