"""Digits enter the networks centred, at unit variance, with the correlations asked for; MNIST is fetched once."""

import gzip
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from deeplimits import data


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), k=1)]


def test_every_digit_has_unit_variance():
    inputs, labels, pixels = data.digits()
    assert inputs.shape == (1797, 64) and labels.shape == (1797,) and pixels.shape == (1797, 8, 8)
    assert np.allclose(np.mean(inputs**2, axis=1), 1, rtol=0, atol=1e-14)
    assert set(labels) == set(range(10))


def test_the_mean_image_is_subtracted():
    inputs, _, pixels = data.digits()
    centred = pixels.reshape(-1, 64) - pixels.reshape(-1, 64).mean(axis=0)
    assert np.allclose(inputs * np.sqrt(np.mean(centred**2, axis=1))[:, None], centred)
    # Uncentred digits would all be correlated by about one half.
    assert abs(upper(data.gram(inputs)).mean()) < 0.01


def test_the_range_of_correlations_is_the_stated_one():
    correlations = upper(data.gram(data.digits().inputs))
    assert correlations.min() == pytest.approx(-0.7915, abs=1e-4)
    assert correlations.max() == pytest.approx(0.9908, abs=1e-4)
    assert np.quantile(correlations, [0.005, 0.25, 0.75, 0.995]) == pytest.approx([-0.56, -0.19, 0.16, 0.82], abs=0.006)


@pytest.mark.parametrize("wanted", [-0.7, -0.1, 0.0, 0.3, 0.5, 0.9, 0.95])
def test_a_pair_has_the_correlation_asked_for(wanted):
    found = data.pair(wanted)
    assert found.inputs.shape == (2, 64) and found.pixels.shape == (2, 8, 8)
    assert data.gram(found.inputs)[0, 1] == pytest.approx(wanted, abs=1e-4)
    assert np.array_equal(found.inputs, data.pair(wanted).inputs)


def test_beyond_the_data_the_extreme_pair_is_taken_never_a_digit_with_itself():
    assert data.gram(data.pair(1.0).inputs)[0, 1] == pytest.approx(0.9908, abs=1e-4)
    assert data.gram(data.pair(-1.0).inputs)[0, 1] == pytest.approx(-0.7915, abs=1e-4)


def test_the_digits_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        data.digits().inputs[0, 0] = 1.0


@pytest.mark.parametrize("inputs", [[1.0, 2.0], [[1.0, np.nan]], np.zeros((2, 0)), 3.0])
def test_inputs_of_the_wrong_kind_are_refused(inputs):
    with pytest.raises(ValueError, match="inputs must be"):
        data.gram(inputs)


@pytest.mark.parametrize("correlation", [1.5, np.nan, "half"])
def test_a_correlation_that_cannot_be_is_refused(correlation):
    with pytest.raises(ValueError, match="correlation must be"):
        data.pair(correlation)


# ------------------------------------------------------------------ pictures to train on


def test_a_split_holds_different_digits_with_their_labels():
    found, everything = data.split("digits", 1000, 797, seed=2), data.digits()
    assert found.pixels.shape == (1000, 8, 8) and found.test_pixels.shape == (797, 8, 8)
    assert found.pixels.min() == 0 and found.pixels.max() == 1

    def rows(pixels, labels):
        return sorted(map(bytes, np.column_stack([pixels.reshape(-1, 64), labels])))

    both = [np.concatenate([found[i], found[i + 2]]) for i in (0, 1)]
    assert rows(*both) == rows(everything.pixels / 16, everything.labels)
    assert not np.array_equal(found.labels[:797], data.split("digits", 797, 9, seed=3).labels)


def test_a_split_keeps_to_the_classes_asked_for():
    found = data.split("digits", 40, 20, seed=2, classes=(3, 7))
    assert set(found.labels) == set(found.test_labels) == {3, 7} and len(found.labels) == 40


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("letters", 5, 5, 1), "name must be one of digits, mnist, got 'letters'"),
        (("digits", 0, 5, 1), "train must be"),
        (("digits", 1797, 1, 1), "train must be an integer >= 1 and <= 1796"),
        (("digits", 1790, 8, 1), "test must be an integer >= 1 and <= 7"),
        (("digits", 5, 5, -1), "seed must be"),
        (("digits", 5, 5, 1, (11,)), "classes"),
    ],
)
def test_splits_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.split(*arguments)


# ------------------------------------------------------------------ MNIST, from a stand-in on this machine

PIXELS = np.random.default_rng(1).integers(0, 256, (30, 4, 4))
LABELS = np.arange(30) % 10
ARFF = (
    "% a stand-in\n@RELATION mnist\n@ATTRIBUTE pixel1 real\n@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}\n@DATA\n"
    + "\n".join(",".join(map(str, [*p.ravel(), c])) for p, c in zip(PIXELS, LABELS, strict=True))
    + "\n"
).encode()
MD5 = hashlib.md5(ARFF).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of one file, which counts how often it is asked; what is fetched is kept in a folder of the test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            serving.asked += 1
            body = gzip.compress(serving.body) if serving.zipped else serving.body
            self.send_response(serving.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: serving.cut])

        def log_message(self, *_):
            pass

    monkeypatch.setenv("DEEPLIMITS_CACHE", str(tmp_path / "cache"))
    serving = HTTPServer(("127.0.0.1", 0), Handler)
    serving.asked, serving.body, serving.zipped, serving.status, serving.cut = 0, ARFF, False, 200, None
    serving.url = f"http://127.0.0.1:{serving.server_port}/mnist.arff"
    threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def kept():
    folder = data.cache_folder()
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_is_fetched_once_and_kept(server, zipped):
    server.zipped = zipped
    for _ in range(2):
        found = data.mnist(server.url, MD5)
        assert np.array_equal(found.pixels, PIXELS) and np.array_equal(found.labels, LABELS)
        assert found.pixels.dtype == found.labels.dtype == np.uint8
    assert server.asked == 1 and len(kept()) == 1


def test_mnist_can_come_from_a_file_and_be_split(server, tmp_path):
    (tmp_path / "mnist.arff").write_bytes(ARFF)
    found = data.split("mnist", 20, 10, seed=1, url=(tmp_path / "mnist.arff").as_uri(), md5=MD5)
    assert found.pixels.shape == (20, 4, 4) and set(found.labels) | set(found.test_labels) == set(range(10))
    total = found.pixels.sum() + found.test_pixels.sum()
    assert total == pytest.approx(PIXELS.sum() / 255) and server.asked == 0


def test_what_has_another_sum_is_neither_used_nor_kept(server):
    server.body = ARFF.replace(b"1", b"2", 1)
    with pytest.raises(ValueError, match=f"MD5 sum {hashlib.md5(server.body).hexdigest()}, and not {MD5}"):
        data.mnist(server.url, MD5)
    assert not kept()
    server.body = ARFF
    assert np.array_equal(data.mnist(server.url, MD5).pixels, PIXELS)


@pytest.mark.parametrize("trouble", ["cut short", "cut short, zipped", "refused"])
def test_a_transfer_that_fails_is_said_and_not_kept(server, trouble):
    server.cut, server.zipped = (None if trouble == "refused" else 100), trouble.endswith("zipped")
    server.status = 503 if trouble == "refused" else 200
    with pytest.raises(ConnectionError, match="could not be fetched from http.*take the data set 'digits'"):
        data.mnist(server.url, MD5)
    assert not kept()


def test_without_a_network_the_error_says_what_to_do(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match="needs the network once; without it take the data set 'digits'"):
        data.split("mnist", 5, 5, seed=1, url=server.url, md5=MD5)


@pytest.mark.parametrize(
    "damage", [lambda body: body[:-40], lambda body: b"", lambda body: body[:200] + b"?" * 40 + body[240:]]
)
def test_a_damaged_copy_is_named_and_fetched_again(server, damage):
    data.mnist(server.url, MD5)
    (path,) = kept()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match=re.escape(f"{path} is damaged or another file")):
        assert np.array_equal(data.mnist(server.url, MD5).pixels, PIXELS)
    assert server.asked == 2 and kept() == [path]
    assert np.array_equal(data.mnist(server.url, MD5).pixels, PIXELS) and server.asked == 2


def other_pixels(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["pixels"] = arrays["pixels"] ^ 1
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    "put",
    [
        other_pixels,
        lambda path: np.savez(path, pixels=PIXELS, labels=LABELS),
        lambda path: np.savez(path, a=1),
        lambda path: np.save(path.open("wb"), PIXELS),
        lambda path: path.write_text("PK"),
    ],
)
def test_another_file_in_its_place_is_not_believed(server, put):
    data.mnist(server.url, MD5)
    (path,) = kept()
    put(path)
    with pytest.warns(RuntimeWarning, match="is damaged or another file"):
        assert np.array_equal(data.mnist(server.url, MD5).pixels, PIXELS)
    assert np.array_equal(data.mnist(server.url, MD5).pixels, PIXELS) and server.asked == 2


def test_another_file_in_its_place_is_not_lost_without_a_network(server):
    data.mnist(server.url, MD5)
    (path,) = kept()
    other_pixels(path)
    before, server.status = path.read_bytes(), 503
    with pytest.warns(RuntimeWarning, match="is damaged or another file"), pytest.raises(ConnectionError):
        data.mnist(server.url, MD5)
    assert path.read_bytes() == before


@pytest.mark.parametrize("body", [b"<html></html>", b"@data\n1,2,3\n", b"@data\n1,2\n1,300\n", b"@data\n"])
def test_a_file_of_another_kind_is_refused(server, body):
    server.body = body
    with pytest.raises(ValueError, match="is not a file of square pictures"):
        data.mnist(server.url, hashlib.md5(body).hexdigest())
    assert not kept()


def test_a_sum_that_is_none_is_refused(server):
    with pytest.raises(ValueError, match="md5 must be 32 hexadecimal digits"):
        data.mnist(server.url, "../../elsewhere")
