"""What is kept in a file is verified whenever it is read: nothing else under its name is believed."""

import re
import shutil
import zipfile

import numpy as np
import pytest

from deeplimits import _files

ARRAYS = {"pixels": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "labels": np.array([1, 2]), "step": np.array(3)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder" / "kept.npz"
    _files.keep(path, "a name", ARRAYS)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_kept_is_read_as_it_was(path, compressed):
    _files.keep(path, "a name", ARRAYS, compressed)
    found = _files.kept(path, "a name")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array) and found[name].dtype == array.dtype
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_there_is_nothing_and_no_warning(tmp_path):
    assert _files.kept(tmp_path / "none.npz", "a name") is None


def swapped(path, change):
    """The kept file with some of its entries changed, its seal as it was."""
    with np.load(path) as file:
        entries = dict(file)
    change(entries)
    np.savez(path, **entries)


STRANGERS = {
    "other pixels": lambda path: swapped(path, lambda each: each.update(pixels=ARRAYS["pixels"] + np.uint8(1))),
    "one pixel": lambda path: swapped(path, lambda each: each["pixels"].__setitem__((1, 2, 3), 99)),
    "another kind of number": lambda path: swapped(path, lambda each: each.update(labels=each["labels"].astype(float))),
    "another shape": lambda path: swapped(path, lambda each: each.update(pixels=each["pixels"].reshape(4, 3, 2))),
    "an entry less": lambda path: swapped(path, lambda each: each.pop("labels")),
    "an entry more": lambda path: swapped(path, lambda each: each.update(more=np.array(1))),
    "names exchanged": lambda path: swapped(path, lambda each: each.update(labels=each["step"], step=each["labels"])),
    "no seal": lambda path: swapped(path, lambda each: each.pop(_files.SEAL)),
    "no arrays": lambda path: np.savez(path),
    "objects": lambda path: np.savez(path, pixels=np.array([None, "x"], dtype=object)),
    "one array": lambda path: np.save(path.open("wb"), ARRAYS["pixels"]),
    "an archive of texts": lambda path: zipfile.ZipFile(path, "w").writestr("pixels.npy", "no array"),
    "an empty file": lambda path: path.write_bytes(b""),
    "a text": lambda path: path.write_text("no archive"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_another_file_is_not_believed_and_is_named(path, stranger):
    STRANGERS[stranger](path)
    with pytest.warns(RuntimeWarning, match=re.escape(str(path)) + ".*delete it"):
        assert _files.kept(path, "a name") is None


def test_the_file_of_another_name_is_not_believed(path):
    with pytest.warns(RuntimeWarning, match="another file"):
        assert _files.kept(path, "another name") is None


@pytest.mark.parametrize("stranger", [each for each in STRANGERS if each != "a folder"])
def test_another_file_is_replaced(path, stranger):
    STRANGERS[stranger](path)
    _files.keep(path, "a name", ARRAYS)
    assert np.array_equal(_files.kept(path, "a name")["pixels"], ARRAYS["pixels"])


def test_where_no_file_can_be_put_the_error_names_the_place_and_nothing_is_left(path):
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=re.escape(path.name)):
        _files.keep(path, "a name", ARRAYS)
    assert list(path.parent.iterdir()) == [path]
    shutil.rmtree(path)
