"""What a user has set for other work changes neither the book nor whether it can be built."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from sample_book import ROOT, checked, environment

from bookbuild import current, media, notebooks, surroundings

FIGURE = {
    "mystnb": {
        "figure": {"name": "fig-line", "caption": "A line."},
        "image": {"alt": "A line that rises from left to right."},
    }
}
PLOT = "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()"


def hostile(folder) -> dict[str, str]:
    """Surroundings of other work: a backend, kernels, pip's settings, flags and an encoding."""
    kernel = folder / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false", "{connection_file}"], "display_name": "Another", "language": "python"})
    )
    startup = folder / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "first.py").write_text("import numpy\nnumpy.seterr(all='raise')\n")
    (folder / "matplotlibrc").write_text("figure.figsize: 1, 1\n")
    return {
        "MPLBACKEND": "agg",
        "JUPYTER_PATH": str(folder / "jupyter"),
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONUTF8": "0",
        "LC_ALL": "de_DE.ISO-8859-1",
        "PYTHONIOENCODING": "latin-1",
        "PIP_USER": "1",
        "PIP_TARGET": str(folder / "packages"),
        "NUMBA_DISABLE_JIT": "1",
        "JAX_ENABLE_X64": "1",
    }


def draw(project) -> None:
    """A figure, a number that underflows, and letters beyond Latin in the first notebook."""
    path = project.root / "book/part/first.ipynb"
    project.notebook(
        "part/first.ipynb",
        checked(),
        PLOT,
        "import numpy as np\nprint('ρ → √', np.exp(np.array([-1000.0]))[0], __debug__)",
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].metadata.update(FIGURE)
    nbformat.write(notebook, path)


def shown(path) -> list[str]:
    """The pictures (by kind) and the printed text of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    found = [kind for _, output in notebooks.outputs(notebook) for kind in media.PICTURES if kind in output.data]
    return found + [output.text for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output]


def test_make_and_the_command_for_one_notebook_are_deaf_to_settings_of_other_work(project, tmp_path):
    draw(project)
    settings = hostile(tmp_path / "settings")
    done = project.make("book", **settings)
    assert done.returncode == 0, done.stdout
    expected = ["image/png", "ρ → √ 0.0 True\n"]
    assert shown(project.root / "_build/exec/quick/part/first.ipynb") == expected
    alone = subprocess.run(
        [sys.executable, "-m", "bookbuild.execute", "book/part/first.ipynb", "mine.ipynb"],
        cwd=project.root,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment() | settings | {"PYTHONPATH": str(project.root / "src")},
    )
    assert alone.returncode == 0, alone.stdout
    assert shown(project.root / "mine.ipynb") == expected


@pytest.mark.parametrize(
    "name",
    [
        "MPLBACKEND",
        "JUPYTER_PATH",
        "IPYTHONDIR",
        "PIP_USER",
        "PYTHONOPTIMIZE",
        "LC_ALL",
        "UV_TARGET",
        "JAX_ENABLE_X64",
        "GIT_DIR",
        "EQX_ON_ERROR",
        "DASK_MULTIPROCESSING__CONTEXT",
        "SKLEARN_ASSUME_FINITE",
        "COLUMNS",
        "FORCE_COLOR",
    ],
)
def test_no_setting_of_other_work_gets_through(name):
    assert surroundings.settled({name: "foreign"}).get(name) != "foreign"


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "PYTHON",
        "PIP_INDEX_URL",
        "UV_INDEX_URL",
        "NUMBA_CACHE_DIR",
        "https_proxy",
        "CI",
        "CHROMIUM",
        "OMP_NUM_THREADS",
        "GIT_CONFIG_COUNT",
    ],
)
def test_what_says_where_things_are_is_kept(name):
    assert surroundings.settled({name: "own"})[name] == "own"


def test_settling_twice_is_settling_once(tmp_path):
    once = surroundings.settled(dict(os.environ) | hostile(tmp_path / "settings"))
    assert surroundings.settled(once) == once
    assert surroundings.of_kernel(once)["MPLBACKEND"] == "module://matplotlib_inline.backend_inline"


def test_pip_keeps_a_users_mirrors_and_nothing_of_what_they_do_with_packages(tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nuser = true\nquiet = 2\nindex-url = https://one.example/simple\ntimeout = 7\n"
        "[install]\nindex-url = https://two.example/simple\ntarget = elsewhere\n"
        "extra-index-url =\n    https://a.example\n    https://b.example\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    told = surroundings.pip_settings(sys.executable, bare | {"PIP_CONFIG_FILE": str(settings)})
    given = {name: value for name, value in told.items() if name.startswith("PIP_")}
    assert given.pop("PIP_CONFIG_FILE") == os.devnull
    assert given["PIP_INDEX_URL"] == "https://two.example/simple" and given["PIP_TIMEOUT"] == "7"
    assert given["PIP_EXTRA_INDEX_URL"] == "https://a.example https://b.example"
    assert not {"PIP_USER", "PIP_TARGET"} & set(given)


def test_pip_installs_into_the_environment_whatever_its_settings_say(tmp_path):
    """An empty package, built here without network."""
    venv, package, settings = tmp_path / "venv", tmp_path / "package", tmp_path / "pip.conf"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", venv], check=True)
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (package / "backend.py").write_text(
        "import zipfile\n\ndef build_wheel(folder, *_):\n    name = 'nothing-1.0-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as wheel:\n        info = 'nothing-1.0.dist-info/'\n"
        "        wheel.writestr('nothing_at_all.py', '')\n"
        "        wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: nothing\\nVersion: 1.0\\n')\n"
        "        wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        wheel.writestr(info + 'RECORD', '')\n    return name\n"
    )
    settings.write_text("[global]\nuser = true\n")
    script = (
        "import pathlib\nfrom bookbuild import environment\n"
        f"environment.install(pathlib.Path({str(venv)!r}), '--no-index', '--no-build-isolation', "
        f"{str(package)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT / "src"),
            "PIP_CONFIG_FILE": str(settings),
            "PIP_USER": "1",
            "PIP_TARGET": str(tmp_path / "elsewhere"),
        },
    )
    assert done.returncode == 0, done.stdout
    assert list(venv.glob("lib/python3*/site-packages/nothing_at_all.py")) and not (tmp_path / "elsewhere").exists()


def test_modules_are_the_same_if_they_differ_in_comments_and_docstrings_only(tmp_path):
    path = tmp_path / "module.py"

    def state(text: str) -> current.State:
        path.write_text(text, encoding="utf-8")
        return current.state(path)

    plain, told = state("x = 1\n"), state('"""Told."""\n# A comment.\nx  =  1\n')
    assert plain.meaning == told.meaning and plain.exact != told.exact
    assert state("x = 2\n").meaning != plain.meaning
    assert state("x = 'a'\n").meaning != state("x = 'b'\n").meaning
    assert state("x = (\n").meaning != plain.meaning, "what is no module is what its bytes are"


def test_a_run_rests_on_the_modules_it_imported_and_on_what_lies_beside_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "requirements.txt",
        "book/a.ipynb",
        "src/deeplimits/__init__.py",
        "src/deeplimits/one.py",
        "src/deeplimits/two/__init__.py",
        "src/deeplimits/two/table.json",
        "src/deeplimits/three/table.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    possible = current.inputs(tmp_path.joinpath("book/a.ipynb").relative_to(tmp_path))
    modules = [str(tmp_path / f"src/deeplimits/{name}") for name in ("__init__.py", "two/__init__.py")]
    assert set(current.used(possible, modules)) == {
        "requirements.txt",
        "book/a.ipynb",
        "src/deeplimits/__init__.py",
        "src/deeplimits/two/__init__.py",
        "src/deeplimits/two/table.json",
    }
    with pytest.raises(ValueError, match="elsewhere"):
        current.used(possible, ["/elsewhere/deeplimits/__init__.py"])


def test_a_record_that_cannot_be_read_says_that_the_notebook_is_to_be_executed(tmp_path):
    record = tmp_path / "a.provenance.json"
    assert current.change(record) == record.as_posix()
    for text in ("", "{}", '{"inputs": {"a": 1}}', "[1]"):
        record.write_text(text, encoding="utf-8")
        assert current.change(record) == record.as_posix()


def test_the_package_writes_the_media_types_that_the_publisher_reads():
    from deeplimits import _figure_data, evidence

    assert (media.CLAIM, media.TABLE) == (evidence.MIME, _figure_data.MIME)


def test_a_file_of_the_publisher_that_does_not_name_its_encoding_is_found(tmp_path):
    for text, status in (("open('a', encoding='utf-8')\n", 0), ("open('a')\n", 1)):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                "check",
                "--select",
                "PLW1514",
                "--stdin-filename",
                "src/bookbuild/a.py",
                "-",
            ],
            cwd=ROOT,
            input=text,
            text=True,
            capture_output=True,
        )
        assert done.returncode == status, done.stdout
