"""The surroundings of make, of every command and of every kernel, settled here and nowhere else.

What a user has set for other work (a backend, a folder of kernels, flags of Python, a text encoding) changes neither
the book nor whether it can be built. Kept is what says where things come from and where they may lie: mirrors,
certificates, proxies, caches. Standard library only: this runs before the environment exists.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]

#: What settings of other work begin with.
FOREIGN = (
    "PYTHON",
    "PIP_",
    "UV_",
    "JUPYTER",
    "IPYTHON",
    "MPL",
    "MATPLOTLIB",
    "NUMBA_",
    "JAX_",
    "XLA_",
    "SCIPY_",
    "NPY_",
    "NUMPY_",
    "SPHINX",
    "DOCUTILS",
    "DASK_",
    "EQX_",
    "JAXTYPING_",
    "SKLEARN_",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "LC_",
    "LANG",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)
#: What pip may be told: where packages come from, and how to get there.
MIRRORS = (
    "index_url",
    "extra_index_url",
    "find_links",
    "no_index",
    "trusted_host",
    "cert",
    "client_cert",
    "proxy",
    "timeout",
    "default_timeout",
    "retries",
    "keyring_provider",
    "cache_dir",
)
KEPT = {
    "PYTHON",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",  # which Python, and where its caches lie
    "NUMBA_CACHE_DIR",
    "NUMBA_NUM_THREADS",
    "PIP_CONFIG_FILE",
    *(f"PIP_{name.upper()}" for name in MIRRORS),
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_OFFLINE",
    "UV_CACHE_DIR",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
}


def cache() -> Path:
    """Where what is not part of the book is kept: in the environment of this interpreter, or where it will be."""
    return Path(sys.prefix if sys.prefix != sys.base_prefix else ROOT / ".venv") / "cache"


def settled(environment: dict[str, str]) -> dict[str, str]:
    """An environment without what a user has set for other work, and with what the book needs.

    Law: settling twice is settling once.
    """
    kept = {name: value for name, value in environment.items() if name in KEPT or not name.startswith(FOREIGN)}
    here = cache()
    kept.setdefault("NUMBA_CACHE_DIR", str(ROOT / "_build" / "numba"))  # machine code knows the sources it comes from
    kept.setdefault("DEEPLIMITS_CACHE", str(here / "deeplimits"))
    return kept | {
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "agg",  # kernels have another: see `of_kernel`
        "MPLCONFIGDIR": str(here / "matplotlib"),
        "IPYTHONDIR": str(here / "ipython"),
        "JUPYTER_CONFIG_DIR": str(here / "jupyter"),
        "JUPYTER_DATA_DIR": str(here / "jupyter" / "data"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def of_kernel(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a kernel: figures go into the notebook."""
    return settled(environment) | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}


def settle() -> None:
    """Settle the surroundings of this command: start it again in them if they are others.

    Flags such as -O act before the first line runs, so they cannot be undone from within.
    """
    wanted = settled(dict(os.environ))
    if wanted != os.environ or sys.flags.optimize or sys.warnoptions:
        module = sys.modules["__main__"].__spec__
        assert module, "commands are started with -m"
        os.execve(sys.executable, [sys.executable, "-m", module.name, *sys.argv[1:]], wanted)


def pip_settings(python: Path, environment: dict[str, str]) -> dict[str, str]:
    """An environment for pip that keeps a user's mirrors, and nothing of what they do with packages.

    A file of settings with `user = true` or `target = …` would install elsewhere, so no file is read by the
    installation itself; what the files say of mirrors is read here and handed over.
    """
    whole = environment | {"PIP_USER": "0", "PIP_QUIET": "0"}  # both would hide what the files say
    listed = subprocess.run(
        [python, "-m", "pip", "config", "list"], env=whole, capture_output=True, encoding="utf-8", errors="replace"
    ).stdout
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, given, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if given and section in found and name.replace("-", "_") in MIRRORS:
            found[section][name.replace("-", "_")] = " ".join(str(ast.literal_eval(value)).split())
    chosen = found["global"] | found["install"] | found[":env:"]
    bare = {name: value for name, value in environment.items() if not name.startswith("PIP_")}
    return bare | {f"PIP_{name.upper()}": value for name, value in chosen.items()} | {"PIP_CONFIG_FILE": os.devnull}
