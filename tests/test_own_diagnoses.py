"""Diagnoses of sound modules and of modules in which something is wrong, and what they may not do."""

import json

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

from deeplimits import own
from deeplimits._torch_laws import Laws
from deeplimits.own import _commands
from deeplimits.own._modules import Module, arguments, layers_of, watched
from deeplimits.own._weights import Tie, sizes, ties
from deeplimits.own.diagnoses import _acting, _acts, _least, adjusted

torch = pytest.importorskip("torch")
benchmark = pytest.importorskip("benchmarks.diagnosis")
BATCH = torch.randn(8, benchmark.INPUTS, generator=torch.Generator().manual_seed(0))


def networks_of(draw, repeats, layers=6, samples=39):
    """Measurements of networks whose layers go together, with tails that are not normal."""
    common = draw.standard_t(3, (repeats, samples + 1, 1, 1))
    return common + draw.standard_t(3, (repeats, samples + 1, layers, 2))


def test_corrected_p_values_keep_their_level_whatever_the_law():
    acts = networks_of(np.random.default_rng(0), 4000)
    suspected = sum(adjusted(one).min() <= 0.05 for one in acts)
    assert stats.binomtest(suspected, 4000, 0.05).pvalue > LEVEL
    single = [np.mean(one >= one[0], axis=0) for one in acts]  # p-values of single layers, not corrected
    assert np.mean([one.min() <= 0.05 for one in single]) > 0.15


def test_a_layer_that_stands_out_is_found_by_correction():
    acts = networks_of(np.random.default_rng(0), 1)[0]
    acts[0, 4, 1] += 40
    found = adjusted(acts)
    assert found[4] == 1 / 40 and np.all(np.delete(found, 4) > 1 / 40)


def test_sound_matrices_are_as_unlike_as_two_sided_p_values_say():
    torch.manual_seed(0)
    found = []
    for _ in range(800):
        module = torch.nn.Sequential(torch.nn.Linear(15, 15), torch.nn.Tanh(), torch.nn.Linear(15, 15))
        found += ties(module, Laws(torch, module, None), layers_of(module))
    assert len(found) == 800
    assert stats.kstest([one.p for one in found], "uniform").pvalue > LEVEL


def test_the_least_likely_of_a_layer_is_corrected_for_all_and_for_its_share():
    found = [Tie("a", "b", 0.2, 0.02), Tie("a", "c", 0.1, 0.5)]
    assert _least(found, 0.5)["a"] == (found[0], pytest.approx(2 * 0.02 / 0.5))


def test_a_layer_like_all_others_stands_in_the_middle_of_equals():
    found = own.diagnose(torch.nn.Linear(4, 4, bias=False), torch.zeros(2, 4), progress=False)
    assert found.findings[0].quantile == 0.5


def alarms(make, law, count):
    return sum(not benchmark.examined(make(seed), seed, law).sound for seed in range(count))


#: How sound networks are drawn, and the law that is named for them.
SOUND = {"Gaussian": (benchmark.gaussian, benchmark.deviation), "as PyTorch draws them": (benchmark.uniform, None)}


@pytest.mark.parametrize("weights", SOUND)
def test_sound_networks_are_suspected_as_rarely_as_is_said(weights):
    assert stats.binom.sf(alarms(*SOUND[weights], 8) - 1, 8, benchmark.LEVEL) > LEVEL


def differing(networks, source, drawn):
    """The smallest p-value, corrected, of how layers of networks act beside those that were drawn."""
    seen = [watched(one.eval(), arguments(one, BATCH, single=False), source.kinds, 1)[0] for one in networks]
    own = np.array([[_acting(layer) for layer in layers] for layers in seen])
    p = stats.ks_2samp(own.reshape(len(own), -1), drawn.reshape(len(drawn), -1), axis=0).pvalue
    return p.min() * p.size


@pytest.mark.slow
@pytest.mark.parametrize("weights", SOUND)
def test_sound_networks_act_as_those_that_they_are_compared_with(weights):
    make, law = SOUND[weights]
    source = Module(benchmark.Model(), BATCH, 1, law)
    drawn = _acts(source, 0, 200, 1)
    assert differing([make(seed) for seed in range(200)], source, drawn) > LEVEL
    faulty = [make(seed) for seed in range(50)]
    for one in faulty:
        benchmark.forgotten_scale(one)
    assert differing(faulty, source, drawn) < LEVEL


@pytest.mark.parametrize("weights", SOUND)
def test_sizes_and_likeness_of_sound_weights_keep_their_level(weights):
    make, law = SOUND[weights]
    design, count = benchmark.Model(), 400
    laws, kinds = Laws(torch, design, law), layers_of(design)

    def suspected(model):
        found = sizes(model, design, laws, kinds), ties(model, laws, kinds)
        return [min(p for _, p in _least(one, 1.0).values()) <= benchmark.LEVEL for one in found]

    alarms = np.sum([suspected(make(seed)) for seed in range(count)], axis=0)
    assert np.all(stats.binom.sf(alarms - 1, count, benchmark.LEVEL) > LEVEL) and np.all(alarms > 0)
    model = make(0)
    with torch.no_grad():
        benchmark.wrong_gain(model)
        assert suspected(model)[0]
        benchmark.tied_layers(model)
        assert suspected(model)[1]


@pytest.mark.parametrize("fault", benchmark.FAULTS)
def test_what_is_wrong_is_found(fault):
    assert all(benchmark.found(fault, benchmark.with_fault(fault, seed)) for seed in (0, 1))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("gain sqrt(2) times too large in one layer", "a gain of sqrt(2) twice?"),
        ("1/sqrt(2L) forgotten in the weights", "1/sqrt(2L) of 4 blocks forgotten?"),
        ("two layers with the same weights", "has the weights of blocks.1.up"),
        ("outputs counted instead of inputs", "scaled by the outputs instead of the inputs?"),
        ("weights below float16", "too small for their format"),
        ("a dead layer", "gets no gradient"),
        ("weight decay of 10 % on norms", "weight decay applied to norms?"),
    ],
)
def test_the_cause_is_named(fault, said):
    assert said in " ".join(benchmark.with_fault(fault, 0).sentences)


def test_one_wrong_layer_is_the_only_one_whose_weights_are_blamed():
    found = benchmark.with_fault("gain sqrt(2) times too large in one layer", 3)
    blamed = [one.layer for one in found.findings if one.verdict.startswith("weights are")]
    assert blamed == ["blocks.2.up"]


def test_he_weights_are_no_surprise_to_who_names_them():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(16, 64, bias=False), torch.nn.ReLU(), torch.nn.Linear(64, 4, bias=False)
    )
    for layer in (model[0], model[2]):
        torch.nn.init.kaiming_normal_(layer.weight)
    assert own.diagnose(model, BATCH, level=0.05, law="he", progress=False).sound
    unnamed = own.diagnose(model, BATCH, level=0.05, progress=False)
    assert "name the law" in unnamed.suspects[0].verdict


def test_the_module_is_left_as_it_was():
    model = benchmark.uniform(0)
    model.train()
    model.first.weight.requires_grad_(False)
    model(BATCH).sum().backward()
    before = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    values = [p.clone() for p in model.parameters()]
    own.diagnose(model, BATCH, level=0.5, progress=False)
    assert model.training and not model.first.weight.requires_grad and not model.first._forward_hooks
    for parameter, gradient, value in zip(model.parameters(), before, values, strict=True):
        assert torch.equal(parameter, value)
        assert (parameter.grad is None and gradient is None) or torch.equal(parameter.grad, gradient)


def test_a_language_model_of_transformers_is_sound_until_it_is_not():
    hub = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 0}
    model = hub.GPT2LMHeadModel(hub.GPT2Config(**sizes))
    tokens = torch.randint(0, 50, (3, 6), generator=torch.Generator().manual_seed(0))
    assert own.diagnose(model, tokens, level=0.05, progress=False).sound
    with torch.no_grad():
        model.transformer.h[1].mlp.c_proj.weight.mul_(2.0)
    (suspect,) = [
        one for one in own.diagnose(model, tokens, level=0.05, progress=False).suspects if one.size and one.p < 1e-6
    ]
    assert suspect.layer == "transformer.h.1.mlp.c_proj" and "1/sqrt(2L) of 2 blocks forgotten?" in suspect.verdict


def test_a_diagnosis_is_a_page_and_data(tmp_path):
    found = benchmark.with_fault("two layers with the same weights", 0)
    found.save(tmp_path / "d.html"), found.save(tmp_path / "d.json")
    data = json.loads((tmp_path / "d.json").read_text())
    assert not data["sound"] and len(data["layers"]) == len(found.findings)
    assert "has the weights of blocks.1.up" in (tmp_path / "d.html").read_text()


def test_the_command_diagnoses(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sick.py").write_text(
        "import torch\ndef make():\n    torch.manual_seed(0)\n    m = torch.nn.Sequential(torch.nn.Linear(9, 9), "
        "torch.nn.Linear(9, 9))\n    m[1].weight.data.mul_(3)\n    return m, torch.ones(2, 9)\n"
    )
    assert _commands.main(["diagnose", "--module", "sick:make", "--level", "0.1"]) == 0
    assert "1: weights are" in capsys.readouterr().out and (tmp_path / "diagnosis.json").is_file()


def broken():
    model = benchmark.uniform(0)
    model.last.weight.data[0, 0] = float("nan")
    return model


def on_meta():
    with torch.device("meta"):
        return benchmark.Model()


@pytest.mark.parametrize(
    ("make", "batch", "options", "message"),
    [
        (broken, BATCH, {}, "'last.weight' has infinite or missing"),
        (on_meta, BATCH, {}, "on the meta device"),
        (lambda: 3, BATCH, {}, "must be a torch.nn.Module"),
        (lambda: torch.nn.ReLU(), BATCH, {}, "must hold a Linear"),
        (benchmark.Model, BATCH[:, :3], {}, "batch must fit the module"),
        (benchmark.Model, BATCH * float("nan"), {}, "batch must be finite"),
        (benchmark.Model, BATCH, {"law": "hee"}, "did you mean 'he'"),
        (benchmark.Model, BATCH, {"level": 0.0}, "level must"),
        (benchmark.Model, BATCH, {"samples": 5}, "samples must"),
        (benchmark.Model, BATCH, {"like": torch.nn.Linear(16, 4)}, "layers of module"),
    ],
)
def test_bad_input_is_one_sentence(make, batch, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        own.diagnose(make(), batch, progress=False, **options)
    assert "\n" not in str(caught.value)
