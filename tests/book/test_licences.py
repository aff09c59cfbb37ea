"""The licences of what the book installs are listed, each as its package declares it."""

from email.message import Message

import pytest
from sample_book import ROOT

from bookbuild import licences


def declared(**fields: str | list[str]) -> Message:
    """What a package says of itself."""
    message = Message()
    for name, value in fields.items():
        for each in [value] if isinstance(value, str) else value:
            message[name.replace("_", "-")] = each
    return message


@pytest.mark.parametrize(
    "fields, licence",
    [
        ({"License_Expression": "MIT", "License": "something else"}, "MIT"),
        ({"Classifier": ["License :: OSI Approved :: BSD License", "Topic :: X"], "License": "BSD"}, "BSD License"),
        ({"Classifier": ["License :: OSI Approved"], "License": "BSD 3-Clause"}, "BSD 3-Clause"),
        ({"License": "Copyright\nall the text of a licence"}, licences.UNNAMED),
        ({"License": "x" * 61}, licences.UNNAMED),
        ({}, licences.UNNAMED),
    ],
)
def test_a_licence_is_what_the_package_declares(fields, licence):
    assert licences.of(declared(**fields)) == licence


def test_every_package_of_the_lock_that_is_installed_has_a_line_and_a_licence(monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = [line.split(" | ") for line in licences.to_markdown().splitlines()[2:]]
    listed = {row[0].removeprefix("| "): row[2].removesuffix(" |") for row in rows}
    assert {"numpy", "scipy", "numba", "matplotlib", "seaborn", "scikit-learn", "sympy", "jax"} <= listed.keys()
    assert len(listed) > 100 and licences.UNNAMED not in listed.values()
    assert not [name for name, licence in listed.items() if "Proprietary" in licence]
