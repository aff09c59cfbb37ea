"""Reports against closed forms, other samplers and frameworks; changes that are advised are made and tried."""

import json
import re
import sys

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits import activations, networks, own
from deeplimits.architectures import Elementwise, LayerNorm, Linear, Network, Residual, gpt2, mlp, repeat
from deeplimits.own import _advice, _networks, _trace
from deeplimits.own._levers import with_gain

jsonschema = pytest.importorskip("jsonschema")


def quiet(design, *arguments, **options):
    return own.report(design, *arguments, progress=False, **options)


@pytest.fixture(scope="module")
def gelu():
    """A deep network of a usual initialisation, with two targets."""
    return quiet(mlp([128] * 20 + [10], "gelu"), samples=60, target={"norm": 1.0, "gradient": 1.0})


def test_sizes_and_correlations_have_the_law_of_the_sampler_of_covariances():
    found = quiet(mlp([32] * 10 + [3], "relu"), samples=400)
    V = networks.ShapedMLP(activations.relu(), 32, 10).sample([[1, 0.5], [0.5, 1]], 4000, 7)
    assert stats.ks_2samp(2 * np.log(10) * found.trace.norm[:, 10], np.log(V[:, 0, 0])).pvalue > LEVEL
    rho = V[:, 0, 1] / np.sqrt(V[:, 0, 0] * V[:, 1, 1])
    assert stats.ks_2samp(found.trace.correlation[:, 10], rho).pvalue > LEVEL
    assert stats.ks_2samp(found.trace.correlation[:, 9], rho).pvalue < 1e-3  # one layer earlier it is another


def test_a_wide_network_is_where_infinite_width_says():
    found = quiet(mlp([8192] * 3 + [10], "tanh", gain=1.0), samples=10)
    assert np.allclose(found.bands("norm")[1, :4], found.infinite.norm[:4], atol=0.03)
    assert found.holds == 3


def test_a_deep_narrow_one_is_not(gelu):
    assert gelu.holds < 10
    assert "can be trusted up to" in " ".join(gelu.sentences)


def test_parameter_gradients_are_those_of_a_framework():
    torch = pytest.importorskip("torch")
    from deeplimits.own._modules import arguments, layers_of, watched

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(12, 9), torch.nn.Tanh(), torch.nn.Linear(9, 1))
    batch = arguments(module, torch.randn(4, 12), single=False)
    seen, _ = watched(module, batch, layers_of(module), 1)
    ((module(*batch[0]) - 1) ** 2).mean().div(2).backward()
    for one, layer in zip(seen, (module[0], module[2]), strict=True):
        assert np.isclose(10**one.weight, layer.weight.grad.norm().item(), rtol=1e-5)


def test_a_module_has_the_law_of_its_list_of_blocks():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(
        torch.nn.Linear(20, 20, bias=False), torch.nn.Tanh(), torch.nn.Linear(20, 3, bias=False)
    )
    x = np.random.default_rng(0).standard_normal((20, 2))
    found = quiet(module, torch.from_numpy(x.T), samples=400)
    blocks = quiet(mlp([20, 3], "tanh", gain="torch"), x, samples=400)
    assert stats.ks_2samp(found.trace.norm[:, 1], blocks.trace.norm[:, 2]).pvalue > LEVEL
    other = quiet(mlp([20, 3], "tanh", gain=0.7), x, samples=400)
    assert stats.ks_2samp(found.trace.norm[:, 1], other.trace.norm[:, 2]).pvalue < LEVEL


def test_what_leaves_a_format_is_counted():
    growing = quiet(mlp([64] * 12 + [10], "relu", gain=1e1), samples=20)
    half = growing.beyond("float16")
    assert half[1] == 0 and half[-1] == 1 and np.all(growing.beyond("float32") == 0)
    vanishing = quiet(mlp([64] * 12 + [10], "relu", gain=1e-1), samples=20)
    assert vanishing.beyond("float16")[-1] == 1 and vanishing.beyond("float16", gradients=True)[0] == 1


def test_the_ways_of_a_ratio_are_forwards_for_growth_and_backwards_for_gradients():
    for gain in (0.1, 10.0):
        law = quiet(mlp([64] * 12 + [10], "relu", gain=gain), samples=5).law
        assert np.all(np.sign(law.growth) == np.sign(np.log(gain)))
        assert np.all(np.sign(law.back) == np.sign(np.log(gain)))


def test_networks_beyond_double_precision_are_told_and_not_missing():
    found = quiet(mlp([16] * 30 + [10], "relu", gain=1e20), samples=5)
    assert np.isposinf(found.trace.norm[:, -1]).all() and found.beyond("float32")[-1] == 1
    json.dumps(found.as_dict(), allow_nan=False)
    assert "beyond double" in str(found) and "nan times" not in str(found)


def test_dead_networks_are_counted():
    found = quiet(mlp([2] * 30 + [10], "relu"), samples=60)
    assert found.dead[30] > 0.9 and found.dead[0] == 0
    assert np.all(np.isnan(found.trace.correlation[np.isneginf(found.trace.norm)]))
    jsonschema.validate(found.as_dict(), own.schema())


def test_json_fits_its_schema_and_other_things_do_not(gelu):
    document = json.loads(json.dumps(gelu.as_dict(), allow_nan=False))
    jsonschema.validate(document, own.schema())
    for wrong in ({"networks": 0}, {"layers": []}, {"more": 1}, {"schema": "deeplimits report 0"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | wrong, own.schema())


def test_a_page_needs_nothing_else(gelu, tmp_path):
    gelu.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert not re.findall(r"""(?:src|href)="(?!#)|url\((?!#)|@import""", text)
    assert "<script" not in text and text.count("<svg") == 3 and "prefers-color-scheme" in text
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_file_that_cannot_be_written_leaves_nothing(gelu, tmp_path):
    with pytest.raises(ValueError, match="must end in .html or .json"):
        gelu.save(tmp_path / "page.pdf")
    with pytest.raises(OSError):
        gelu.save(tmp_path / "none" / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_report_on_a_terminal_shows_how_far_it_is_from_its_first_moment_on(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    own.report(mlp([8] * 3, "relu"), samples=3)
    out, err = capsys.readouterr()
    assert out == "" and "0%  0 of 3 samples\x1b[K" in err and err.endswith("\r\x1b[K")


def test_an_interrupted_report_goes_on_where_it_was(tmp_path, monkeypatch):
    network = mlp([32] * 4 + [10], "relu")
    whole = quiet(network, samples=12)
    monkeypatch.setattr(_networks, "PIECE", 4 * network.size((32, 2)).held)  # chunks of four networks
    drawn, draw = [], _networks.Blocks.draw

    def interrupted(self, first, count, seed):
        if first == 8 and 8 not in drawn:
            drawn.append(8)
            raise KeyboardInterrupt
        drawn.append(first)
        return draw(self, first, count, seed)

    monkeypatch.setattr(_networks.Blocks, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quiet(network, samples=12, checkpoint=tmp_path / "kept")
    assert (tmp_path / "kept").is_file()
    again = quiet(network, samples=12, checkpoint=tmp_path / "kept")
    assert drawn == [0, 4, 8, 8] and not (tmp_path / "kept").exists()
    assert np.allclose(again.trace.norm, whole.trace.norm, rtol=1e-9, atol=1e-9)


def test_a_checkpoint_of_another_task_is_not_used(tmp_path):
    _trace.keep(tmp_path / "kept", "another", {"loss": np.zeros(12)})
    with pytest.warns(RuntimeWarning, match="another file"):
        assert quiet(mlp([8, 10]), samples=2, checkpoint=tmp_path / "kept").trace.samples == 2


def test_a_gain_is_advised_that_keeps_the_size(gelu):
    norm = gelu.advice[0]
    assert norm.before[2] < 0 and norm.after[0] < 0 < norm.after[2]
    assert norm.lever == "gain" and norm.value > np.sqrt(2)


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_changes_are_tried_on_networks_of_the_same_law(activation):
    network = mlp([64] * 12 + [10], activation)
    source = _networks.Blocks(network, _networks.inputs_for(network, 0.5, 1), 1)
    tried, whole = _advice._forward(source, (1, 12), 3, 2000), quiet(network, samples=400).trace
    for name in ("norm", "correlation"):
        one, other = getattr(tried, name), getattr(whole, name)
        assert stats.ks_2samp(one[:, 12], other[:, 12]).pvalue > LEVEL
        assert stats.ks_2samp(one[:, 1], other[:, 1]).pvalue > LEVEL
        assert stats.ks_2samp(one[:, 1], other[:, 12]).pvalue < LEVEL


def torch_norms(width, depth, lines, phi, tries=60):
    """The growth of networks that PyTorch makes with the lines."""
    torch = pytest.importorskip("torch")
    names = {"torch": torch}
    exec(lines, names)
    activation = names.get("shaped", phi)
    x = torch.from_numpy(_networks.inputs_for(mlp([width, 1]), 0.5, 1)).float().T
    found = []
    for seed in range(tries):
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(width, width, bias=False) for _ in range(depth)]
        names["initialise"](torch.nn.Sequential(*layers, torch.nn.Linear(width, 10)))
        states = [x]
        for layer in layers:
            states.append(activation(layer(states[-1])))
        found.append([states[1].detach().numpy(), states[-1].detach().numpy()])
    return np.array(found, np.float64)


def test_lines_for_pytorch_do_what_is_said(gelu):
    torch = pytest.importorskip("torch")
    states = torch_norms(128, 20, gelu.advice[0].torch, torch.nn.functional.gelu)
    growth = np.log10(np.sqrt(np.mean(states[:, 1, 0] ** 2, axis=1) / np.mean(states[:, 0, 0] ** 2, axis=1)))
    low, middle, high = gelu.advice[0].after
    assert low < np.median(growth) < high
    assert np.median(growth) > gelu.advice[0].before[2]


def test_lines_for_jax_do_what_is_said(gelu):
    jax = pytest.importorskip("jax")
    names = {"jax": jax, "jnp": jax.numpy}
    exec(gelu.advice[0].jax, names)
    x = jax.numpy.asarray(_networks.inputs_for(mlp([128, 1]), 0.5, 1).T)[0]
    growth = []
    for seed in range(40):
        states = [x]
        for key in jax.random.split(jax.random.key(seed), 20):
            states.append(jax.nn.gelu(states[-1] @ names["weight"](key, 128, 128), approximate=False))
        growth.append(float(jax.numpy.log10(jax.numpy.linalg.norm(states[-1]) / jax.numpy.linalg.norm(states[1]))))
    low, _, high = gelu.advice[0].after
    assert gelu.advice[0].before[2] < np.median(growth) and low < np.median(growth) < high


@pytest.mark.parametrize(("activation", "wanted"), [("relu", 0.85), ("tanh", 0.4)])
def test_a_shape_is_advised_that_keeps_inputs_apart(activation, wanted):
    found = quiet(mlp([100] * 30 + [10], activation), samples=60, target={"correlation": wanted})
    (advice,) = found.advice
    assert advice.lever == "shaping" and abs(advice.after[1] - wanted) < 0.1 < abs(advice.before[1] - wanted)
    states = torch_norms(100, 30, advice.torch, None)[:, 1]
    rho = np.sum(states[:, 0] * states[:, 1], axis=1) / np.linalg.norm(states, axis=2).prod(axis=1)
    assert abs(np.median(rho) - wanted) < 0.12


def test_a_scale_of_branches_is_advised_that_bounds_growth():
    network = Network(Linear(64), repeat(24, Residual(Elementwise("relu"), Linear(64, "he"))), Linear(10))
    (advice,) = quiet(network, samples=40, target={"norm": 2.0}).advice
    assert advice.lever == "scale" and advice.before[0] > 2 and abs(advice.after[1] - np.log10(2)) < 0.05
    names = {}
    exec(advice.torch, names)
    draw = np.random.default_rng(0)
    x = draw.standard_normal((64, 200))
    state = x
    for _ in range(24):
        state = names["residual"](state, lambda h: np.sqrt(2 / 64) * draw.standard_normal((64, 64)) @ np.maximum(h, 0))
    growth = np.median(np.linalg.norm(state, axis=0) / np.linalg.norm(x, axis=0))
    assert 10 ** advice.after[0] < growth < 10 ** advice.after[2]
    assert advice.torch == advice.jax


def test_what_no_change_can_meet_is_said():
    bounded = quiet(mlp([64] * 8 + [10], "tanh"), samples=10, target={"norm": 5.0}).advice[0]
    assert bounded.lever == "" and "No change" in bounded.text and bounded.after is None
    attention = quiet(gpt2("small"), samples=2, seed=3)
    assert "closed form" in attention.sentences[3]


def test_of_one_hidden_layer_no_growth_is_told():
    one, two = (" ".join(quiet(mlp([16] * depth + [10], "relu"), samples=5).sentences) for depth in (1, 2))
    assert "at layer 1 is " in one and "times that at" not in one and "goes from" not in one
    assert "at layer 2 is " in two and "times that at layer 1" in two and "goes from" in two


def test_norms_are_levers_of_no_gain():
    network = Network(repeat(4, Linear(16), LayerNorm(), Elementwise("relu")), Linear(10))
    (advice,) = quiet(network, samples=5, target={"norm": 1.0}).advice
    assert advice.lever == "" and "neither branches nor one plain gain" in advice.text


def test_two_designs_stand_side_by_side(tmp_path):
    shallow, deep = (mlp([64] * depth + [10], "gelu") for depth in (4, 40))
    found = own.compare(shallow, deep, 30, labels=("4", "40"), progress=False)
    assert any("do not meet" in one and "4 has more" in one for one in found.differences())
    found.save(tmp_path / "c.html"), found.save(tmp_path / "c.json")
    assert (tmp_path / "c.html").read_text().count("<svg") == 3
    for one in json.loads((tmp_path / "c.json").read_text())["reports"]:
        jsonschema.validate(one, own.schema())


def test_designs_whose_bands_overlap_are_not_told_apart():
    more, less = (mlp([16] * 3 + [4], "relu", gain=gain) for gain in (1.45, 1.4))
    found = own.compare(more, less, 40, progress=False)
    assert found.reports[0].law.growth[0] > found.reports[1].law.growth[0]
    assert found.differences() == ["For size, correlation and gradient the bands of 90 % of the two meet."]


def test_a_gain_is_a_factor_of_all_matrices_but_the_last():
    plain = mlp([8, 8, 3], "relu")
    sizes = [
        [
            part.law.deviation(8, part.width)
            for layer in network.layers
            for part in getattr(layer.block, "blocks", (layer.block,))
            if isinstance(part, Linear)
        ]
        for network in (plain, with_gain(plain, 3.0, (8, 2)))
    ]
    assert np.allclose(np.divide(sizes[1], sizes[0]), [3, 3, 1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("gpt5",), {}, "did you mean"),
        ((3,), {}, "design must be a list of blocks"),
        ((mlp([4, 2]),), {"samples": 0}, "samples must be"),
        ((mlp([4, 2]),), {"target": {"size": 1}}, "target must be among"),
        ((mlp([4, 2]),), {"target": {"norm": 0}}, "norm"),
        ((mlp([4, 2]),), {"tolerance": 0}, "tolerance must be"),
        ((mlp([4, 2]),), {"correlation": 2}, "correlation must be"),
        ((mlp([4, 2]), np.ones(4)), {}, "at least two inputs"),
        ((mlp([4, 2]), np.full((4, 2), np.nan)), {}, "finite"),
        ((Network(Elementwise("relu")),), {}, "initial must be given"),
    ],
)
def test_bad_input_is_one_sentence(arguments, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        quiet(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"init": "hee"}, {"norm": "batch"}, {"residual": "1/sqrt(l)"}])
def test_near_names_are_offered(options):
    with pytest.raises(ValueError, match="must be one of"):
        own.perceptron(4, 2, **options)
