"""Recorded reports: what the page shows of them, and that records, files and the list agree."""

import json
from html import escape
from types import SimpleNamespace

import numpy as np
import pytest

from bookbuild import recorded
from deeplimits import own

FOUND = SimpleNamespace(
    sentences=["net: 3 | 4 parameters.", "It grows.", "It ends."],
    as_dict=lambda: {"networks": 7},
    save=lambda path: path.write_text("saved"),
)


@pytest.fixture
def listed(monkeypatch):
    one = recorded.Recorded("A network", "deeplimits report --preset net", lambda: FOUND)
    monkeypatch.setattr(recorded, "ALL", {"net": one})


def test_a_record_is_its_numbers_and_what_made_them(tmp_path, listed):
    results, folder = tmp_path / "recorded.json", tmp_path / "pages"
    entry = recorded.record("net", results, folder)
    assert entry["networks"] == 7 and entry["versions"]["deeplimits"]
    assert sorted(path.name for path in folder.iterdir()) == ["net.json"]
    assert recorded.load(results) == {"net": entry}
    text = recorded.to_markdown({"net": entry})
    assert text.startswith(
        "## A network\n\n`deeplimits report --preset net`\n\nnet: 3 \\| 4 parameters.\n\n- It grows.\n"
    )
    assert "_static/recorded/net.html" in text and f"deeplimits {entry['versions']['deeplimits']}" in text


def test_numbers_of_a_report_are_set_as_in_the_book():
    assert recorded.said("from -0.5 | 1.3e-13, sqrt(2)") == "from −0.5 \\| 1.3 × 10<sup>−13</sup>, √2"


def test_another_record_leaves_those_before_it(tmp_path, listed):
    results = tmp_path / "recorded.json"
    results.write_text(json.dumps({"gone": {"networks": 1}, "net": {"networks": 2}}))
    recorded.record("net", results, tmp_path)
    assert list(recorded.load(results)) == ["net"], "what the list no longer has is dropped"


def test_nothing_recorded_is_said():
    assert "Nothing has been recorded" in recorded.to_markdown({})


@pytest.mark.parametrize("name", recorded.ALL)
def test_what_is_listed_is_recorded_and_its_files_say_the_same(name):
    entry = recorded.load()[name]
    whole = json.loads((recorded.NUMBERS / f"{name}.json").read_text(encoding="utf-8"))
    assert whole["sentences"] == entry["sentences"] and whole["networks"] == entry["networks"]
    assert whole["version"] == entry["versions"]["deeplimits"]


def test_pages_are_drawn_from_their_numbers_and_kept_nowhere():
    pages = recorded.drawn()
    assert set(pages) == {f"_static/recorded/{name}.html" for name in recorded.ALL} | {recorded.PICTURE}
    assert not list(recorded.NUMBERS.glob("*.html"))
    for name in recorded.ALL:
        text = pages[f"_static/recorded/{name}.html"]
        assert text.startswith("<!doctype html>") and text.count("<svg") == (0 if "diagnosis" in name else 3)
        said = json.loads((recorded.NUMBERS / f"{name}.json").read_text(encoding="utf-8"))["sentences"]
        assert all(escape(sentence) in text for sentence in said), "the words are those of the package now"


def test_a_damaged_record_stops_the_build(tmp_path):
    numbers = tmp_path / "book/_static/recorded"
    numbers.mkdir(parents=True)
    assert recorded.drawn(numbers) == {}
    whole = json.loads((recorded.NUMBERS / "gpt2.json").read_text(encoding="utf-8"))
    (numbers / "gpt2.json").write_text(json.dumps(whole | {"networks": 0}), encoding="utf-8")
    with pytest.raises(ValueError, match="networks must be"):
        recorded.drawn(numbers)


def test_the_picture_shows_what_its_caption_says():
    reports = {name: own.Report.from_json(recorded.NUMBERS / f"{name}.json") for name in recorded.LINES}
    plain = reports.pop("gelu-he")
    first, last = plain.span
    assert np.all(np.diff(plain.bands("norm")[1, first : last + 1]) < 0)
    for name, one in reports.items():
        first, last = one.span
        norm, gradient = (one.bands(measured)[1, first : last + 1] for measured in ("norm", "gradient"))
        assert np.all(np.diff(norm) > 0), name
        assert np.all(np.isneginf(gradient)) if name == "vit-base" else np.all(np.diff(gradient) < 0), name
    svg = recorded.picture(reports | {"gelu-he": plain})
    assert svg == recorded.picture(reports | {"gelu-he": plain}), "the same numbers give the same bytes"


def test_only_the_planted_fault_is_diagnosed():
    assert json.loads((recorded.NUMBERS / "diagnosis-sound.json").read_text(encoding="utf-8"))["sound"]
    whole = json.loads((recorded.NUMBERS / "diagnosis-gain.json").read_text(encoding="utf-8"))
    assert not whole["sound"] and any("h.7.mlp.c_proj" in one for one in whole["sentences"])
