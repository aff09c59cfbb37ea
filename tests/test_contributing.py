"""The walk-through in CONTRIBUTING.md works as it stands: a new diffusion and a new activation."""

import re
from pathlib import Path

import numpy as np
import pytest
from samples import limit_for, same_everywhere, z_scores
from scipy import stats

from deeplimits import networks
from deeplimits.activations import Activation, plain
from deeplimits.blocks import Blocks

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


def test_two_methods_make_an_activation(written):
    phi, known = written["Ripple"](0.5), plain("x + sin(x)**2/2")
    assert (phi.value0, phi.slope0, phi.smoothness) == (0, 1, np.inf)
    assert phi.second0 == pytest.approx(1.0, abs=1e-10)
    assert phi.normaliser() == pytest.approx(known.normaliser(), rel=1e-13)
    pair = [networks.ShapedMLP(one, 30, 5).sample([[1.0, 0.5], [0.5, 1.0]], 32, 7) for one in (phi, known)]
    assert pair[0] == pytest.approx(pair[1], rel=1e-4)
    paths = [networks.ResNet(Blocks(one, "linear"), 10, 6).sample(np.ones((10, 1)), 32, 7) for one in (phi, known)]
    assert paths[0] == pytest.approx(paths[1], abs=1e-4)
    with pytest.raises(ValueError, match="ripple is unshaped and has no covariance SDE"):
        _ = phi.limit


@pytest.mark.slow
def test_a_function_and_its_derivative_make_one_too(written):
    found = networks.ShapedMLP(written["phi"], 30, 20).sample(1.0, 10_000, 7)[:, 0, 0]
    same, other = (
        networks.ShapedMLP(written["Ripple"](height), 30, 20).sample(1.0, 10_000, 8)[:, 0, 0] for height in (0.5, 3.0)
    )
    assert stats.ks_2samp(found, same).pvalue > 1e-4
    assert stats.ks_2samp(found, other).pvalue < 1e-4


def test_without_its_two_methods_it_is_none():
    with pytest.raises(TypeError, match="derivative"):
        type("Half", (Activation,), {"__call__": lambda self, x, width=None: x})()


def test_three_commands_begin_it():
    commands = re.search(r"^```sh\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)[1].split("\n")
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert commands == ["make check", "make book", "make test", ""]
    assert all(f"\n{command.split()[1]}:" in makefile for command in commands if command)
