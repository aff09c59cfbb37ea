"""Recorded reports: what the page shows of them, and that records, files and the list agree."""

import json
from types import SimpleNamespace

import pytest

from bookbuild import recorded

FOUND = SimpleNamespace(
    sentences=["net: 3 | 4 parameters.", "It grows.", "It ends."],
    as_dict=lambda: {"networks": 7},
    save=lambda path: path.write_text("saved"),
)


@pytest.fixture
def listed(monkeypatch):
    one = recorded.Recorded("A network", "deeplimits report --preset net", lambda: FOUND)
    monkeypatch.setattr(recorded, "ALL", {"net": one})


def test_a_record_is_a_page_its_numbers_and_what_made_them(tmp_path, listed):
    results, folder = tmp_path / "recorded.json", tmp_path / "pages"
    entry = recorded.record("net", results, folder)
    assert entry["networks"] == 7 and entry["versions"]["deeplimits"]
    assert sorted(path.name for path in folder.iterdir()) == ["net.html", "net.json"]
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
    whole = json.loads((recorded.PAGES / f"{name}.json").read_text(encoding="utf-8"))
    assert whole["sentences"] == entry["sentences"] and whole["networks"] == entry["networks"]
    assert whole["version"] == entry["versions"]["deeplimits"]
    assert (recorded.PAGES / f"{name}.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_only_the_planted_fault_is_diagnosed():
    assert json.loads((recorded.PAGES / "diagnosis-sound.json").read_text(encoding="utf-8"))["sound"]
    whole = json.loads((recorded.PAGES / "diagnosis-gain.json").read_text(encoding="utf-8"))
    assert not whole["sound"] and any("h.7.mlp.c_proj" in one for one in whole["sentences"])
