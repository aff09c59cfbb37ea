"""The workflows: what runs for others has no more rights than it needs, and is what was read."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from repo_review.processor import process
from sample_book import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
JOBS = {name: job for path in WORKFLOWS for name, job in yaml.safe_load(path.read_text())["jobs"].items()}
PUBLISHING = {
    "packages": {"id-token"},
    "release": {"contents"},
    "pages": {"id-token", "pages"},
    "notebooks": {"contents"},
}


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_is_a_script_of_the_project(path):
    found = [each for job in yaml.safe_load(path.read_text())["jobs"].values() for each in commands(job)]
    assert found
    assert all(len(each.split()) == 1 and os.access(ROOT / each, os.X_OK) for each in found)


def test_actions_are_pinned_by_commit_each_at_one_place_in_its_history():
    used = [
        line.split("uses:")[1].strip()
        for path in WORKFLOWS
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)
    assert len(set(used)) == len({each.split("@")[0] for each in used})


def test_only_jobs_that_run_nothing_else_may_write():
    writing = {
        name: {right for right, level in job["permissions"].items() if level == "write"} for name, job in JOBS.items()
    }
    assert {name: rights for name, rights in writing.items() if rights} == PUBLISHING
    installing = {name for name, job in JOBS.items() if {".ci/run", ".ci/release", ".ci/harden"} & set(commands(job))}
    assert installing == {"test", "build", "harden"}


def test_a_release_is_built_without_what_has_no_hash():
    tested = next(step for step in JOBS["build"]["steps"] if step.get("run") == ".ci/run")
    assert tested["env"]["TORCH"] == "no"
    assert 'if [ "${TORCH:-yes}" != no ]' in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("fault", ["none", "tag", "credentials", "rights", "template"])
def test_zizmor_finds_nothing_and_would_find_seeded_faults(fault, tmp_path):
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    path = tmp_path / ".github/workflows/publish.yml"
    text = path.read_text()
    seeded = {
        "none": text,
        "tag": re.sub(r"checkout@\w+ # .*", "checkout@v4", text),
        "credentials": text.replace("persist-credentials: false", "persist-credentials: true"),
        "rights": text.replace("permissions: {}", "permissions: write-all"),
        "template": text.replace("run: .ci/versions", "run: echo ${{ github.head_ref }}"),
    }
    path.write_text(seeded[fault])
    assert fault == "none" or seeded[fault] != text
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [zizmor, "--offline", "--persona", "auditor", "--no-progress", ".github"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert (done.returncode == 0) == (fault == "none"), done.stdout + done.stderr


def test_the_rules_of_scientific_python_hold():
    """All but those that pyproject.toml leaves out, each with its reason."""
    results = process(ROOT).results
    assert sum(each.result is True for each in results) > 30
    assert not {each.name: each.err_msg for each in results if each.result is False}


@pytest.mark.parametrize("tag, passes", [("v{}", True), ("{}", False), ("v{}.1", False), ("v9.9.9", False)])
def test_a_release_is_tagged_with_its_version(tag, passes):
    version = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    given = {**os.environ, "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": tag.format(version)}
    done = subprocess.run(["bash", ROOT / ".ci/tag"], env=given, capture_output=True, text=True)
    assert (done.returncode == 0) == passes
    assert passes or f"v{version}" in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_the_forms_for_issues_are_whole(path):
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "labels", "body"} <= form.keys()
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in fields}) == len(fields) and all(each["attributes"]["label"] for each in fields)
    assert any(each.get("validations", {}).get("required") for each in fields)
