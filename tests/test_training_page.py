"""The chapter on training runs on MNIST as it runs on the digits: here on a stand-in of a few hundred images."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from deeplimits import data

PAGE = Path(__file__).parents[1] / "book" / "residual" / "training.ipynb"
#: Sizes at which the chapter takes seconds; its checks need larger ones and are not judged here.
TINY = {
    "dataset": "mnist",
    "train": 120,
    "test": 60,
    "sizes": [8, 9],
    "each": 96,
    "steps": 20,
    "long": [8, 30, 3],
    "filters": [4],
    "pictures": 60,
    "filter_epochs": 2,
    "held_steps": 2,
    "images": 20,
    "bayes_networks": 10,
    "bayes_sizes": [5, 12],
}


@pytest.mark.slow
def test_the_chapter_runs_on_mnist(tmp_path, monkeypatch):
    execute = pytest.importorskip("bookbuild.execute")
    nbformat = pytest.importorskip("nbformat")
    digits, file, target = data.digits(), tmp_path / "mnist.arff", tmp_path / "done.ipynb"
    pixels = np.kron(digits.pixels[:600], np.ones((2, 2))).astype(int)  # 16 x 16, larger than the digits
    rows = [",".join(map(str, row)) for row in np.column_stack([pixels.reshape(600, -1), digits.labels[:600]])]
    file.write_text("\n".join(["@DATA", *rows, ""]))
    source = {"url": file.as_uri(), "md5": hashlib.md5(file.read_bytes()).hexdigest()}
    monkeypatch.setenv("DEEPLIMITS_CACHE", str(tmp_path / "cache"))
    execute.run(PAGE, target, "quick", TINY | {"source": source})
    outputs = [o for cell in nbformat.read(target, 4).cells for o in cell.get("outputs", [])]
    assert sum("image/svg+xml" in o.get("data", {}) for o in outputs) == 5
    assert not any(o.get("name") == "stderr" for o in outputs)
    assert list((tmp_path / "cache" / "training").glob("*.npz"))
