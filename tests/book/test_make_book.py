"""`make book` on a small book: what is executed again, and what bad input leads to."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time

import nbformat
import pytest
from bs4 import BeautifulSoup
from sample_book import CHECK, CLAIMS, checked, environment

import deeplimits
from bookbuild.pdf import BROWSERS, Printed

#: Records whose numbers do not hold: another prediction, and a control within the errors.
FAILED = {
    "expected": 2.0,
    "statistic": 19.0,
    "passed": False,
    "verdict": "fails",
    "sharpness": CHECK["sharpness"] / 2,
    "scale": "prediction",
}
UNDECIDED = {
    "passed": False,
    "verdict": "undecided",
    "sharpness": CHECK["sharpness"] / 0.3,
    "control": CHECK["control"] | {"expected": 0.3, "statistic": 1.9999999999999996, "rejected": False},
}
FIRST, SECOND = "book/part/first.ipynb", "book/part/deeper/second.ipynb"


def site_of(project) -> dict[str, bytes]:
    """Every file of the site that stands."""
    html = project.root / "_build/html"
    return {str(path.relative_to(html)): path.read_bytes() for path in html.rglob("*") if path.is_file()}


def refused(project, *arguments: str) -> str:
    """What make says when it fails; the last good site is untouched."""
    before = site_of(project)
    done = project.make("book", *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    assert site_of(project) == before
    return done.stdout


def test_it_executes_every_notebook_with_its_time_and_says_where_to_open_the_book(built):
    root, said = built
    for notebook in (FIRST, SECOND):
        assert sum(line.startswith(f"  executed {notebook} (quick) in ") for line in said.splitlines()) == 1
    assert f"open file://{root}/_build/html/index.html" in said.splitlines()[-1]
    assert (root / "_build/html/book/part/deeper/second.html").is_file()


def test_the_site_carries_the_claims_for_machines_and_for_readers(project):
    claim, definition = project.claims["claims"]
    assert claim["passed"] is True and claim["profile"] == "quick"
    assert claim["checks"][0] == {"page": "book/part/first", "unit": ""} | {k: v for k, v in CHECK.items() if k != "id"}
    assert definition["kind"] == "definition" and definition["checks"] == []
    page = project.page("reference/claims.html")
    assert 'id="claim-sample-claim"' in page and "± 44 %" in page
    assert "Measured: 0.10 ± 0.10. Theory: 0." in project.page("reference/claim-sample-claim.html")


def test_what_checks_and_computes_is_folded_at_the_end_of_its_section(project):
    page = BeautifulSoup(project.page("part/first.html"), "html.parser")
    (fold,) = page.select("details.evidence")
    assert "1 check holds: A sample" in fold.summary.text and not fold.has_attr("open")
    assert not [cell for cell in page.select("div.cell_input") if fold not in cell.parents]
    assert fold.select_one(".tag_parameters") and fold.select_one("#check-sample-claim.claim-check.holds")
    second = BeautifulSoup(project.page("part/deeper/second.html"), "html.parser")
    assert [fold.summary.text for fold in second.select("details.evidence")] == ["Parameters and imports"]
    shown = [output for output in second.select("div.cell_output") if not output.find_parent("details")]
    assert "42 10" in shown[0].text


def test_the_provenance_page_tells_seed_parameters_and_versions(project):
    page = project.page("reference/provenance.html")
    for text in ("seed", "size", "numpy", SECOND):
        assert text in page


def test_a_second_run_does_nothing(project):
    before = site_of(project)
    done = project.make("book")
    assert done.returncode == 0 and project.executed(done.stdout) == []
    assert "built the site" not in done.stdout and "open file://" in done.stdout
    assert site_of(project) == before


def test_a_changed_notebook_is_executed_alone_and_a_touched_one_is_not(project):
    (project.root / FIRST).touch()
    project.notebook("part/deeper/second.ipynb", "print('changed')")
    assert project.executed(project.make("book").stdout) == [SECOND]


def test_a_changed_text_is_shown_without_a_run_and_the_record_says_so(project):
    record = project.root / "_build/exec/quick/part/first.provenance.json"
    before = json.loads(record.read_text())
    path = project.root / FIRST
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = "# first\n\nA sentence of today."
    notebook.cells.append(nbformat.v4.new_markdown_cell("A paragraph at the end."))
    nbformat.write(notebook, path)
    done = project.make("book")
    assert done.returncode == 0 and project.executed(done.stdout) == [], done.stdout
    assert f"took the text of {FIRST} anew" in done.stdout
    page = project.page("part/first.html")
    assert "A sentence of today." in page and "A paragraph at the end." in page and "1 check holds" in page
    after = json.loads(record.read_text())
    assert after["text"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() != after["sha256"]
    for kept in ("sha256", "commit", "started", "seconds", "versions", "parameters"):
        assert after[kept] == before[kept], "what was true of the run"
    assert "text of <code" in project.page("reference/provenance.html")
    notebook.cells[1].source += "\nsize = 11"
    nbformat.write(notebook, path)
    assert project.executed(project.make("book").stdout) == [FIRST]
    assert "text" not in json.loads(record.read_text())


def test_what_used_a_changed_module_is_executed_again_and_a_comment_executes_nothing(project):
    for name in ("one", "two"):
        project.write(f"src/deeplimits/{name}.py", f"value = '{name}'\n")
    project.notebook("part/first.ipynb", checked(), "from deeplimits import one\nprint(one.value)")
    project.notebook("part/deeper/second.ipynb", "from deeplimits import two\nprint(two.value)")
    assert set(project.executed(project.make("book").stdout)) == {FIRST, SECOND}
    project.write("src/deeplimits/one.py", '"""What it is."""\n\n# A comment.\nvalue = "one"\n')
    assert project.executed(project.make("book").stdout) == []
    project.write("src/deeplimits/one.py", "value = 'another'\n")
    assert project.executed(project.make("book").stdout) == [FIRST]
    project.write("src/deeplimits/three.py", "")
    assert project.executed(project.make("book").stdout) == [], "nobody uses the new module"
    (project.root / "src/deeplimits/two.py").unlink()
    assert "deeper/second.ipynb failed in cell" in refused(project), "what used the removed module is executed again"


def test_a_change_in_the_lock_executes_all(project):
    lock = project.root / "requirements.txt"
    before = lock.stat()
    lock.write_text(lock.read_text() + "# another\n")
    os.utime(lock, (before.st_atime, before.st_mtime))  # the environment stays
    assert set(project.executed(project.make("book").stdout)) == {FIRST, SECOND}


def test_a_change_in_prose_or_publisher_executes_nothing_and_renews_the_site(project):
    project.write("book/index.md", "# Another sample\n\n```{bibliography}\n```\n")
    done = project.make("book")
    assert project.executed(done.stdout) == [] and "Another sample" in project.page("index.html")
    project.write("src/bookbuild/check.py", (project.root / "src/bookbuild/check.py").read_text() + "# more\n")
    done = project.make("book")
    assert project.executed(done.stdout) == [] and "built the site" in done.stdout


def test_a_removed_notebook_leaves_the_site(project):
    (project.root / SECOND).unlink()
    toc = (project.root / "_toc.yml").read_text()
    project.write("_toc.yml", toc.replace("  - file: book/part/deeper/second\n", ""))
    done = project.make("book")
    assert done.returncode == 0 and project.executed(done.stdout) == []
    assert not (project.root / "_build/html/book/part/deeper/second.html").exists()


def test_each_profile_shows_itself_and_is_kept(project):
    shown = [("full", 2, "42 1000"), ("quick", 0, "42 10"), ("full", 0, "42 1000")]
    for profile, count, text in shown:
        done = project.make("book", f"PROFILE={profile}")
        assert len(project.executed(done.stdout)) == count, done.stdout
        assert project.claims["profile"] == profile
        assert f"{text}\n" in project.page("part/deeper/second.html")


def test_an_unknown_profile_is_named(project):
    said = refused(project, "PROFILE=huge")
    assert "PROFILE=huge" in said and "quick and full" in said


def test_an_unknown_profile_in_a_notebook_is_named(project):
    project.notebook("part/first.ipynb", checked(), profiles={"fulll": {"size": 1}})
    said = refused(project)
    assert f"*** {FIRST}: unknown profile `fulll`; known profiles: quick, full" in said


def test_an_unknown_parameter_is_named(project):
    project.notebook("part/first.ipynb", checked(), profiles={"full": {"sise": 1}})
    said = refused(project, "PROFILE=full")
    assert f"*** {FIRST}: unknown parameter `sise`; it has: profile, seed, size" in said


def test_a_notebook_that_raises_is_named_and_kept_for_inspection(project):
    project.notebook("part/first.ipynb", checked(), "1 / 0")
    said = refused(project)
    assert f"*** {FIRST} failed in cell 4 (`1 / 0`): ZeroDivisionError: division by zero" in said
    partial = project.root / "_build/exec/quick/part/first.partial.ipynb"
    assert f"to inspect: {partial.relative_to(project.root)}" in said
    outputs = nbformat.read(partial, as_version=4).cells[-1].outputs
    assert outputs[0].ename == "ZeroDivisionError"
    project.notebook("part/first.ipynb", checked(), "1 / 1")
    assert project.executed(project.make("book").stdout) == [FIRST]
    assert not partial.exists()


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        (checked(**FAILED), "`sample-claim` fails: observed 0.1 ± 0.1, expected 2"),
        (checked(**FAILED | {"passed": True, "verdict": "holds"}), "`sample-claim`: verdict is recorded as 'holds'"),
        (checked(**UNDECIDED), "`sample-claim`: the negative control is not rejected: one"),
        (checked(control=None), "`sample-claim`: the negative control is not rejected: none"),
        (checked(id="stranger"), "a check of `stranger`, which book/claims.yml does not list"),
        ("pass", "no check of claim `sample-claim`"),
    ],
    ids=["failed", "failed but published", "control accepted", "no control", "not listed", "no record"],
)
def test_evidence_that_does_not_hold_stops_the_build(project, cell, complaint):
    project.notebook("part/first.ipynb", cell)
    assert f"*** book/part/first: {complaint}" in refused(project)
    assert "*** book/part/first: " in refused(project), "a second run must not take it for finished"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("id: sample-definition", "id: sample-claim", "claim `sample-claim` stands there twice"),
        ("id: sample-definition", "id: Sample", "`Sample` is no slug"),
        ("kind: definition", "kind: theorem", "is of kind `theorem`; known kinds: claim, definition"),
        ("source: ours, ", "", "missing or unknown: source"),
    ],
)
def test_a_malformed_list_of_claims_is_refused(project, old, new, complaint):
    project.write("book/claims.yml", CLAIMS.replace(old, new))
    assert complaint in refused(project)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("{ref}`nowhere`", "undefined label: 'nowhere'"),
        ("{cite}`nobody2000`", "nobody2000"),
        ("![a picture](nowhere.png)", "nowhere.png"),
        ('<a href="part/first.html#nowhere">a</a>', "book/index.html: dead fragment: part/first.html#nowhere"),
        ('<img src="https://example.org/a.png" alt="a">', "book/index.html: loads from outside"),
    ],
)
def test_a_broken_page_stops_the_build(project, fault, complaint):
    project.write("book/index.md", f"# A sample\n\n{fault}\n\n```{{bibliography}}\n```\n")
    assert complaint in refused(project)


def test_an_interrupted_run_resumes(project):
    """The notebook that was running is executed again, the finished one is not."""
    project.notebook("part/deeper/second.ipynb", "print('changed')")
    (project.root / "_build/exec/quick/part/deeper/second.provenance.json").unlink()  # the longest is the first
    project.notebook("part/first.ipynb", "import time\nopen('started', 'w').close()\ntime.sleep(600)")
    before = site_of(project)
    running = subprocess.Popen(
        ["make", "-j1", "book"],
        cwd=project.root,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.time() + 300
    while not (project.root / "book/part/started").exists():
        assert time.time() < deadline and running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=300)
    assert running.returncode != 0 and "*** interrupted" in said and "Traceback" not in said
    assert project.executed(said) == [SECOND] and site_of(project) == before

    project.notebook("part/first.ipynb", checked(), "print('resumed')")
    done = project.make("book")
    assert done.returncode == 0 and project.executed(done.stdout) == [FIRST], done.stdout
    assert "resumed" in project.page("part/first.html")


def test_a_swap_that_was_cut_in_two_is_mended(project):
    html = project.root / "_build/html"
    html.rename(html.with_name("html.previous"))
    (project.root / "book/claims.yml").write_text("- {id: broken}\n")
    assert project.make("book").returncode != 0
    assert html.is_dir(), "the last good site came back although the build failed"


def test_what_is_edited_during_a_run_counts_as_newer(project):
    edit = (
        f"path = '{project.root / FIRST}'\ntext = open(path).read()\n"
        "open(path, 'w').write(text.replace('size = 1', 'size = 11'))"
    )
    project.notebook("part/first.ipynb", checked(), edit)
    assert project.executed(project.make("book").stdout) == [FIRST]
    assert project.executed(project.make("book").stdout) == [FIRST]


def test_one_claim_is_checked_again_by_its_name(project):
    done = project.make("claim", "ID=sample-claim")
    assert done.returncode == 0 and "`sample-claim` holds (quick profile)" in done.stdout, done.stdout
    assert "predicted 0" in done.stdout
    project.notebook("part/first.ipynb", checked(**FAILED))
    done = project.make("claim", "ID=sample-claim")
    assert done.returncode != 0 and "fails: observed 0.1" in done.stdout


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("sample-clam", "near it: sample-claim"),
        ("sample-definition", "there is nothing to check"),
        ("", "no claim is called"),
    ],
)
def test_a_claim_that_cannot_be_checked_is_said(project, name, complaint):
    done = project.make("claim", f"ID={name}")
    assert done.returncode != 0 and complaint in done.stdout, done.stdout


def test_the_archive_of_a_site_has_checksums_and_the_same_bytes_each_time(project, tmp_path):
    first = project.make("archive").stdout
    name = f"deep-limits-{deeplimits.__version__}-quick"
    assert f"{name}.tar.gz: SHA-256" in first, first
    assert project.make("archive").stdout == first
    assert project.page("index.html").count(f'<a href="../{name}.tar.gz" download>') == 1
    with tarfile.open(project.root / f"_build/{name}.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    root = tmp_path / "unpacked" / name
    listed = dict(line.split("  ")[::-1] for line in (root / "SHA256SUMS").read_text().splitlines())
    assert {"claims.json", "notebooks/part/first.ipynb", "notebooks/part/first.provenance.json"} <= set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((root / name).read_bytes()).hexdigest() == digest


def test_the_book_is_printed_into_one_pdf(project):
    pdf = project.root / "_build/deep-limits.pdf"
    done = project.make("pdf", "CHROMIUM=no-such-browser")
    assert done.returncode != 0 and "none of no-such-browser was found" in done.stdout and not pdf.exists()
    if not any(map(shutil.which, BROWSERS)) and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine")
    done = project.make("pdf")
    assert done.returncode == 0, done.stdout
    printed = pdf.read_bytes()
    assert printed.startswith(b"%PDF-") and printed.rstrip().endswith(b"%%EOF")
    text = (project.root / "_build/pdf/book.html").read_text()
    assert "A sample" in text and "second" in text and 'class="evidence"' not in text
    known = Printed(printed)
    assert known.faults([]) == [] and 5 <= len(known.pages()) <= 12
    for name, page in re.findall(r'href="#([^"]+)"><span>.*?</span><i></i><b>(\d+)</b>', text):
        assert known.places()[name] == int(page)
    assert (project.root / "_build/html/deep-limits.pdf").read_bytes() == printed
    assert project.make("pdf").returncode == 0, "a second PDF replaces the first"
    link = '<a href="../../deep-limits.pdf" download>The whole book as a PDF ('
    assert project.page("part/first.html").count(link) == 1
    project.write("book/index.md", "# Another sample\n\n```{bibliography}\n```\n")
    assert project.make("book").returncode == 0
    assert link not in project.page("part/first.html"), "no page offers the PDF of an older site"


def test_buttons_lead_to_the_repository_once_its_address_is_known(project):
    assert "mybinder" not in project.page("part/first.html") and "colab" not in project.page("part/first.html")
    project.publish_at("https://github.com/someone/something")
    done = project.make("book")
    assert done.returncode == 0, done.stdout
    page = project.page("part/first.html")
    assert "https://mybinder.org/v2/gh/someone/something/main?urlpath=lab/tree/book/part/first.ipynb" in page
    assert "https://colab.research.google.com/github/someone/something/blob/colab/book/part/first.ipynb" in page
    assert "https://github.com/someone/something/issues" in page


def test_elsewhere_than_on_github_there_is_no_button_for_colab(project):
    project.publish_at("https://gitlab.com/someone/something")
    done = project.make("book")
    assert done.returncode == 0, done.stdout
    assert "mybinder" in project.page("part/first.html") and "colab" not in project.page("part/first.html")
