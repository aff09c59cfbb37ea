"""Each page is read once, and shows what its run made."""

import json

import pytest

from bookbuild import BuildError, notebooks, pages, rendering, site

EXECUTED = "_build/exec/quick/part/first.ipynb"


@pytest.fixture
def here(project, monkeypatch):
    """The built project, entered."""
    monkeypatch.chdir(project.root)
    return project


def test_pages_come_in_the_order_of_the_contents(here):
    assert [page.name for page in pages.of_book("quick")] == ["book/part/first", "book/part/deeper/second"]


def test_building_the_site_reads_each_executed_notebook_once(here, monkeypatch):
    read, opened = notebooks.read, []
    monkeypatch.setattr(notebooks, "read", lambda path: opened.append(path.as_posix()) or read(path))
    monkeypatch.setattr(rendering, "render", lambda inputs: (_ for _ in ()).throw(BuildError("far enough")))
    with pytest.raises(BuildError, match="far enough"):
        site.build("quick", {})
    assert sorted(opened) == ["_build/exec/quick/part/deeper/second.ipynb", EXECUTED]


def of_profile(record: dict) -> None:
    record["profile"] = "full"


def of_lock(record: dict) -> None:
    record["inputs"]["requirements.txt"] = ["0", "0"]


def of_result(record: dict) -> None:
    record["executed"] = "0"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (of_profile, "comes from the full profile, not from quick"),
        (of_lock, "is not up to date: requirements.txt has changed"),
        (of_result, "was changed after its run"),
    ],
)
def test_a_copy_that_is_not_what_its_run_made_is_refused(here, change, complaint):
    path = here.root / EXECUTED.replace(".ipynb", ".provenance.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(BuildError, match=complaint):
        pages.of_book("quick")


def test_a_copy_without_a_readable_record_is_refused(here):
    (here.root / EXECUTED.replace(".ipynb", ".provenance.json")).write_text("{}", encoding="utf-8")
    with pytest.raises(BuildError, match="first.provenance.json has changed"):
        pages.of_book("quick")
