"""The scripts of a release, run on the sample book, with stand-ins for what acts on the world."""

import os
import shutil
import subprocess
import tarfile

import pytest
from sample_book import ROOT

#: A stand-in for the command of GitHub: writes down what it was asked, knows one release with a site and one without.
GH = """#!/bin/sh
echo "$*" >> gh.log
case "$1 $2 $3" in
"release list --limit") printf 'v0.2.0\\nv0.1.0\\n';;
"release download v0.2.0") cp _build/release/site.tar.gz "$7";;
"release download v0.1.0" | "release view v9.9.9") exit 1;;
esac
"""


@pytest.fixture
def scripts(project):
    """The sample book with the scripts, and with `make` and `gh` that only write down what they were asked."""
    shutil.copytree(ROOT / ".ci", project.root / ".ci")
    shutil.copy2(ROOT / "README.md", project.root)
    project.write("src/deeplimits/__init__.py", '"""A sample."""\n\n__version__ = "0.2.0"\n')
    for name, body in (("gh", GH), ("make", '#!/bin/sh\necho "$*" >> make.log\n')):
        project.write(f"bin/{name}", body)
        (project.root / "bin" / name).chmod(0o755)
    for name in ("deep-limits.pdf", "deep-limits-0.2.0-quick.tar.gz"):
        project.write(f"_build/html/{name}", name)

    def run(script: str, **given: str) -> subprocess.CompletedProcess:
        outside = {**os.environ, "PATH": f"{project.root / 'bin'}:{os.environ['PATH']}", **given}
        return subprocess.run(
            ["bash", f".ci/{script}"],
            cwd=project.root,
            env=outside,
            text=True,
            timeout=300,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return project.root, run


def test_a_release_has_the_site_the_archive_the_book_and_the_package(scripts):
    root, run = scripts
    done = run("release", GITHUB_OUTPUT=str(root / "output"))
    assert done.returncode == 0, done.stdout
    assert (root / "make.log").read_text() == "pdf archive\n"
    names = {path.name for path in (root / "_build/release").iterdir()}
    assert names == {"site.tar.gz", "deep-limits.pdf", "deep-limits-0.2.0-quick.tar.gz"}
    with tarfile.open(root / "_build/release/site.tar.gz") as site:
        assert {"./book/index.html", "./claims.json", "./deep-limits.pdf"} <= set(site.getnames())
    assert {path.suffix for path in (root / "_build/packages").iterdir()} == {".whl", ".gz"}
    assert (root / "output").read_text() == "public=false\n" and not (root / "_build/colab").exists()


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="unpacking with care needs Python 3.11.4")
def test_the_sites_of_releases_are_gathered_and_put_beside_the_new_one(scripts):
    root, run = scripts
    assert run("release").returncode == 0
    done = run("versions")
    assert done.returncode == 0 and "v0.1.0 has no site" in done.stdout, done.stdout
    assert {path.parts[-3] for path in (root / "_build/public").glob("*/book/index.html")} == {"latest", "v0.2"}
    assert (root / "_build/public/v0.2/claims.json").is_file()


@pytest.mark.parametrize("tag, made", [("v9.9.9", True), ("v0.2.0", False)])
def test_files_are_added_to_the_release_which_is_made_if_it_is_not_there(scripts, tag, made):
    root, run = scripts
    (root / "_build/release").mkdir()
    (root / "_build/release/site.tar.gz").write_text("a site")
    assert run("attach", GITHUB_REF_NAME=tag).returncode == 0
    asked = (root / "gh.log").read_text()
    assert (f"release create {tag} --verify-tag" in asked) == made
    assert f"release upload {tag} _build/release/site.tar.gz --clobber" in asked


def test_the_preview_is_named_in_the_summary(scripts):
    root, run = scripts
    summary = root / "summary"
    assert run("preview", SITE="https://host.example/artifact", GITHUB_STEP_SUMMARY=str(summary)).returncode == 0
    assert "](https://host.example/artifact)" in summary.read_text()
