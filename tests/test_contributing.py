"""The walk-through in CONTRIBUTING.md works as it stands: a new diffusion and a new activation."""

import re
from pathlib import Path

import numpy as np
import pytest
from samples import limit_for, same_everywhere, z_scores

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written():
    """What the examples define, executed in order."""
    names: dict = {"__name__": "walk_through"}
    for program in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL):
        exec(compile(program, "CONTRIBUTING.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def returning(written):
    return written["Returning"](time=2.0)


def test_the_diffusion_has_the_mean_and_variance_of_its_scheme(written, returning):
    steps, samples = 32, 40_000
    h = 2.0 / steps
    paths = returning.sample(1.5, samples, 1, at=[0, 1, 2], steps=steps)
    assert paths.shape == (samples, 3) and np.all(paths[:, 0] == 1.5) and written["paths"].shape == (1000, 3)
    for column, count in ((1, steps // 2), (2, steps)):
        mean, variance = 1.5 * (1 - h) ** count, h * np.sum((1 - h) ** (2 * np.arange(count)))
        assert abs(z_scores(paths[:, column], mean)) < limit_for(4)
        assert abs(z_scores((paths[:, column] - mean) ** 2, variance)) < limit_for(4)
        assert abs(z_scores(paths[:, column], 1.5)) > 100, "a walk without drift is told apart"


def test_the_diffusion_has_the_same_bits_for_any_threads_and_chunks(returning):
    same_everywhere(lambda samples, seed, **how: returning.sample(1.0, samples, seed, steps=8, **how))


def test_coarse_and_fine_paths_of_the_diffusion_follow_one_noise(returning):
    coarse = returning.sample(1.0, 2000, 3, steps=16, noise_steps=64)
    fine = returning.sample(1.0, 2000, 3, steps=64)
    apart = returning.sample(1.0, 2000, 3, steps=16)
    assert np.std(coarse - fine) < 0.1 < np.std(apart - fine)


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"initial": float("nan")}, ValueError, "initial"),
        ({"samples": 0}, ValueError, "samples"),
        ({"at": [0.3]}, ValueError, "at must lie on the grid"),
        ({"step": 8}, TypeError, "did you mean steps"),
    ],
)
def test_the_diffusion_refuses_wrong_arguments_by_name(returning, change, error, complaint):
    with pytest.raises(error, match=complaint):
        returning.sample(**{"initial": 1.0, "samples": 10, "seed": 1, "steps": 8} | change)


def test_three_commands_begin_it():
    commands = re.search(r"^```sh\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)[1].split("\n")
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert commands == ["make check", "make book", "make test", ""]
    assert all(f"\n{command.split()[1]}:" in makefile for command in commands if command)
