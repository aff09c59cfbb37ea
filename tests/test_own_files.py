"""Reports and diagnoses that are read back from their JSON, and files that are refused."""

import copy
import json

import numpy as np
import pytest

from deeplimits import own
from deeplimits.architectures import mlp

DAMAGE = {
    "another schema": lambda d: d.update(schema="deeplimits report 1"),
    "no schema": lambda d: d.pop("schema"),
    "something missing": lambda d: d.pop("loss"),
    "something added": lambda d: d.update(more=1),
    "no layers": lambda d: d.update(layers=[]),
    "a layer that is cut short": lambda d: d["layers"][1].pop("dead"),
    "a layer with something added": lambda d: d["layers"][1].update(more=1),
    "no network": lambda d: d.update(networks=0),
    "half a network": lambda d: d.update(networks=2.5),
    "a share above 1": lambda d: d["layers"][1].update(dead=1.5),
    "a band upside down": lambda d: d["layers"][1]["log10_size"].update(low=9.0),
    "a correlation above 1": lambda d: d["layers"][1]["correlation"].update(high=1.5),
    "a word for a number": lambda d: d["layers"][1]["log10_size"].update(low="much"),
    "a number for a name": lambda d: d["layers"][1].update(name=3),
    "a layer that is not there": lambda d: d["hidden"].update(last="99"),
    "no place where infinite width holds": lambda d: d["infinite_width"].update(holds_until="99"),
    "advice without its text": lambda d: d["advice"][0].pop("text"),
    "sentences that are none": lambda d: d.update(sentences=3),
}


@pytest.fixture(scope="module")
def found():
    """A report in which neurons die, with advice."""
    network = mlp([2] * 40 + [4], "relu")
    return own.report(network, samples=12, target={"norm": 1.0, "correlation": 0.7}, progress=False)


@pytest.fixture(scope="module")
def diagnosis():
    findings = (own.Finding("0", "linear", 1.41, 0.5, 1e-9, "too large"), own.Finding("1", "norm", None, 0.25, 1.0, ""))
    return own.Diagnosis("Model", findings, 39, 1, 0.05)


def test_a_report_is_read_as_it_was_written(found, tmp_path):
    assert np.isneginf(found.law.norm).any() and np.isnan(found.law.correlation).any()
    found.save(tmp_path / "r.json")
    again = own.Report.from_json(tmp_path / "r.json")
    assert again.as_dict() == found.as_dict() and again.html() == found.html() and str(again) == str(found)
    assert again.holds == found.holds and again.span == found.span and again.advice == found.advice
    for name in ("norm", "correlation", "gradient", "parameters"):
        assert np.array_equal(again.bands(name), found.bands(name), equal_nan=True)
    with pytest.raises(ValueError, match="report must be one that was made here"):
        again.trace  # noqa: B018


def test_reports_without_infinite_width_and_where_it_never_holds_stay_apart(found):
    document = json.loads(json.dumps(found.as_dict()))
    never = copy.deepcopy(document)
    never["infinite_width"]["holds_until"] = None
    unknown = copy.deepcopy(never)
    unknown["infinite_width"]["reason"] = "it has none"
    for layer in unknown["layers"]:
        layer["infinite_width"] = None
    assert own.Report.from_dict(never).holds == -1 and own.Report.from_dict(unknown).holds is None


def test_another_version_may_have_written_it(found):
    again = own.Report.from_dict(found.as_dict() | {"version": "0.0.1", "sentences": ["in other words"]})
    assert again.as_dict() == found.as_dict() | {"version": "0.0.1"} and "deeplimits 0.0.1." in again.html()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_report_is_refused(damage, found):
    document = json.loads(json.dumps(found.as_dict()))
    own.Report.from_dict(document)
    DAMAGE[damage](document)
    with pytest.raises(ValueError, match=r"^document must (be whole|have the schema)") as caught:
        own.Report.from_dict(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("document", [None, 3, [], "report", {}])
def test_what_is_no_document_is_refused(document):
    for kind in (own.Report, own.Diagnosis):
        with pytest.raises(ValueError, match="document must have the schema"):
            kind.from_dict(document)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": NaN}', "\x00"])
def test_a_file_that_is_no_json_is_refused_by_name(text, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    for kind in (own.Report, own.Diagnosis):
        with pytest.raises(ValueError, match=r"path must lead to a file of .*report\.json' is damaged"):
            kind.from_json(path)
    with pytest.raises(ValueError, match="path must be that of a file"):
        own.Report.from_json(None)


def test_a_file_that_is_cut_off_is_refused(found, tmp_path):
    found.save(tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    (tmp_path / "r.json").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        own.Report.from_json(tmp_path / "r.json")


def test_a_diagnosis_is_read_as_it_was_written(diagnosis, tmp_path):
    diagnosis.save(tmp_path / "d.json")
    again = own.Diagnosis.from_json(tmp_path / "d.json")
    assert again == diagnosis and again.html() == diagnosis.html()


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(sound=True),
        lambda d: d.update(level=0),
        lambda d: d["layers"][0].update(p=2.0),
        lambda d: d["layers"][0].update(size=-1.0),
        lambda d: d["layers"][0].update(more=1),
        lambda d: d.update(schema="deeplimits report 2"),
        lambda d: d.pop("sentences"),
    ],
)
def test_a_damaged_diagnosis_is_refused(damage, diagnosis):
    document = json.loads(json.dumps(diagnosis.as_dict()))
    damage(document)
    with pytest.raises(ValueError, match="document must"):
        own.Diagnosis.from_dict(document)
