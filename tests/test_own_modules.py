"""Reports of modules: what stands outside their matrices, graphs that are cut, and batches that cannot be compared."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

import deeplimits.torch as lazily
from deeplimits import own

torch = pytest.importorskip("torch")
BATCH = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Shifted(torch.nn.Module):
    """A matrix, and a bare parameter that is added."""

    def __init__(self, shift, learns=True):
        super().__init__()
        self.first = torch.nn.Linear(8, 8, bias=False)
        self.shift = torch.nn.Parameter(shift, requires_grad=learns)
        self.last = torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x) + self.shift))


class Drawn(Shifted):
    """The same with a part that knows how its parameter is drawn."""

    def __init__(self, deviation=0.5):
        self.deviation = deviation
        super().__init__(torch.randn(1).expand(8) * deviation)

    def reset_parameters(self):
        self.shift.fill_(self.deviation * float(torch.randn(())))


class Cut(torch.nn.Module):
    """Matrices between which the graph is cut, or nowhere."""

    def __init__(self, where, bias=True):
        super().__init__()
        self.where = where
        self.layers = torch.nn.ModuleList(torch.nn.Linear(8, 8, bias=bias) for _ in range(4))

    def forward(self, x):
        for number, layer in enumerate(self.layers):
            x = torch.tanh(layer(x))
            x = x.detach() if number == self.where else x
        return x


class Rooted(torch.nn.Module):
    """The root of what may be negative: missing numbers after the last matrix."""

    def __init__(self, inside=False):
        super().__init__()
        self.first, self.last, self.inside = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8), inside

    def forward(self, x):
        return self.last(self.first(x).sqrt()) if self.inside else self.last(self.first(x)).sqrt()


def quiet(module, batch=BATCH, samples=3, **options):
    return own.report(module, batch, samples, progress=False, **options)


def test_a_bare_parameter_is_drawn_for_each_network():
    torch.manual_seed(0)
    module, before = Drawn(), torch.get_rng_state()
    found = quiet(module, torch.zeros(2, 8), 200)
    assert torch.equal(torch.get_rng_state(), before)
    draws, scale = np.random.default_rng(1), 24**-0.5
    inner = np.tanh(0.5 * draws.standard_normal((4000, 1, 1)))
    outputs = scale * inner * draws.standard_normal((4000, 3, 8)).sum(axis=2, keepdims=True)
    outputs = outputs[..., 0] + draws.uniform(-(8**-0.5), 8**-0.5, (4000, 3))
    sizes = np.log10(np.mean(outputs**2, axis=1)) / 2
    assert stats.ks_2samp(found.trace.norm[:, -1], sizes).pvalue > LEVEL
    shared = quiet(Shifted(torch.full((8,), 1.5)), torch.zeros(2, 8), 200)  # drawn once for all networks
    assert stats.ks_2samp(shared.trace.norm[:, -1], sizes).pvalue < LEVEL


def test_the_same_seed_is_the_same_report_whatever_the_module_holds():
    one, other = (quiet(Drawn()), quiet(Drawn()))
    assert np.array_equal(one.trace.norm, other.trace.norm)
    assert not np.array_equal(one.trace.norm, quiet(Drawn(0.1)).trace.norm)


def test_a_bare_parameter_that_looks_drawn_is_refused_and_a_constant_is_kept():
    with pytest.raises(ValueError, match=r"module must say how 'shift' is drawn.*reset_parameters"):
        quiet(Shifted(torch.randn(8)))
    constant, frozen = quiet(Shifted(torch.full((8,), 2.0))), quiet(Shifted(torch.arange(8.0), learns=False))
    assert np.isfinite(constant.trace.norm).all() and np.isfinite(frozen.trace.norm).all()


class Started(torch.nn.Module):
    """Two matrices with a norm between them, begun as somebody wants."""

    def __init__(self, begin, norm=None):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.last = torch.nn.Linear(8, 32), torch.nn.LayerNorm(32), torch.nn.Linear(32, 3)
        with torch.no_grad():
            for layer in (self.first, self.last):
                begin(layer)
            if norm is not None:
                self.norm.weight.copy_(norm)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))


def he(layer):
    torch.nn.init.kaiming_normal_(layer.weight)
    layer.bias.zero_()


def as_torch(layer):
    layer.reset_parameters()


#: What a module may hold that its default does not give, and what is said of it.
OTHERS = {
    "he": (lambda layer: he(layer), r"'first.weight' is 2.\d+ times that of its default, and near that of law='he'"),
    "a gain of 9": (lambda layer: layer.weight.mul_(9), r"'first.weight' is \d.\d+ times that of its default. Name"),
    "zeros": (lambda layer: layer.weight.zero_(), "'first.weight' is 0 times that of its default"),
    "biases of 1": (lambda layer: layer.bias.fill_(1), "'first.bias' is of another size"),
    "biases near 0": (lambda layer: layer.bias.mul_(0.1), "'first.bias' is of another size"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_weights_of_another_law_are_refused_by_name_with_the_way_out(other):
    begin, said = OTHERS[other]
    for call in (quiet, lambda module: lazily.weightless(module, 1)):
        with pytest.raises(ValueError, match=rf"law must say what it is: {said}.*'he', .*'own'") as caught:
            call(Started(begin))
        assert "\n" not in str(caught.value)
    assert quiet(Started(begin), law="own").design == "Started (law own)"


def test_a_module_as_its_parts_draw_it_is_taken():
    assert quiet(Started(as_torch)).design == "Started"
    with torch.device("meta"):
        unseen = torch.nn.Linear(8, 3)
    assert quiet(unseen).design == "Linear (on the meta device: the defaults of its layers)"


def test_sound_modules_are_not_refused_by_chance(monkeypatch):
    monkeypatch.setattr("deeplimits._torch_weights.REFUSED", 0.02)  # as often as that, and no more
    refused = 0
    for seed in range(400):
        torch.manual_seed(seed)
        module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
        try:
            lazily.weightless(module, 1)
        except ValueError:
            refused += 1
    assert stats.binom.sf(refused - 1, 400, 0.02) > LEVEL and refused > 0


def test_a_law_is_followed_to_the_outputs():
    def loss_of(seed):
        torch.manual_seed(seed)
        module = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))
        with torch.no_grad():
            he(module[0]), he(module[2])
            return float(module(BATCH)[0].square().mean().log10() / 2), module

    sizes = [loss_of(seed)[0] for seed in range(400)]
    module = loss_of(0)[1]
    for law, right in (("he", True), (lambda name, weight: (2 / weight.shape[-1]) ** 0.5, True), ("lecun", False)):
        found = quiet(module, samples=120, law=law)
        assert (stats.ks_2samp(found.trace.norm[:, -1], sizes).pvalue > LEVEL) == right


def test_a_function_is_believed_where_it_speaks_and_compared_where_it_is_silent():
    half = Started(he)
    with pytest.raises(ValueError, match="'last.weight' is"):
        quiet(half, law=lambda name, weight: 0.5 if name == "first.weight" else None)
    both = {"first.weight": 0.5, "last.weight": 0.25}
    assert np.isfinite(quiet(half, law=lambda name, weight: both.get(name)).trace.norm).all()


def test_biases_of_zeros_are_zero_in_every_network():
    module = torch.nn.Linear(8, 5)
    module.bias.data.zero_()
    silent = torch.zeros(2, 8)
    assert np.isneginf(quiet(module, silent).trace.norm).all()
    assert own.diagnose(module, silent, level=0.1, progress=False).sound
    assert np.isfinite(quiet(torch.nn.Linear(8, 5), silent).trace.norm).all()


def test_a_gain_of_one_number_stays_and_trained_ones_are_refused():
    sizes = [
        np.median(quiet(Started(as_torch, None if gain is None else torch.full((32,), gain))).trace.norm[:, 1])
        for gain in (None, 0.01)
    ]
    assert abs(sizes[1] - sizes[0] + 2) < 1e-3  # a hundredth
    trained = Started(as_torch, torch.linspace(0.5, 1.5, 32))
    with pytest.raises(ValueError, match="'norm.weight' is not what reset_parameters gives"):
        quiet(trained)
    assert np.isfinite(quiet(trained, law="own").trace.norm).all()


def test_what_parts_draw_is_compared_too():
    cells = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GRU(8, 8, batch_first=True))

    class Folded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = cells

        def forward(self, x):
            return self.inner(x[:, None])[0]

    assert np.isfinite(quiet(Folded()).trace.norm).all()
    with torch.no_grad():
        cells[1].weight_hh_l0.mul_(2)
    with pytest.raises(ValueError, match="'inner.1.weight_hh_l0' is not what reset_parameters gives"):
        quiet(Folded())


def test_a_law_is_of_modules_and_has_a_name():
    with pytest.raises(ValueError, match="did you mean 'he'"):
        quiet(Started(he), law="hee")
    with pytest.raises(ValueError, match="law must be a name, a function"):
        quiet(Started(he), law=3)
    with pytest.raises(ValueError, match="law must be None for a list of blocks"):
        own.report("gpt2", law="he", progress=False)


def test_layers_without_a_twin_are_drawn_by_their_own_rule():
    class Folded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.last = torch.nn.LSTM(8, 8, batch_first=True), torch.nn.Linear(8, 3)

        def forward(self, x):
            return self.last(self.cells(x[:, None])[0])

    found = quiet(Folded(), samples=200)
    norms = []
    for seed in range(200):
        torch.manual_seed(seed)
        with torch.no_grad():
            norms.append(float(Folded()(BATCH)[0].square().mean().log10() / 2))
    assert stats.ks_2samp(found.trace.norm[:, -1], norms).pvalue > LEVEL


def test_a_part_that_cannot_draw_all_it_holds_is_refused():
    class Forgetful(Drawn):
        def reset_parameters(self):
            pass

    class Failing(Drawn):
        def reset_parameters(self):
            self.first.reset_parameters()

    with pytest.raises(ValueError, match="module must draw 'shift' in Forgetful.reset_parameters"):
        quiet(Forgetful())
    with pytest.raises(ValueError, match="reset_parameters failed: 'LazyLinear'"):
        quiet(Failing())


@pytest.mark.parametrize("bias", [True, False])
def test_a_gradient_that_is_cut_off_is_missing_and_not_zero(bias):
    found = quiet(Cut(1, bias))
    assert np.isnan(found.trace.gradient[:, :2]).all() and np.isfinite(found.trace.gradient[:, 2:]).all()
    said = " ".join(found.sentences)
    assert "No gradient comes back to 'layers.0', 'layers.1'" in said and "none times" not in said
    assert found.beyond("float16", gradients=True).max() == 0, "what is missing has not vanished"
    whole = quiet(Cut(None, bias))
    assert np.isfinite(whole.trace.gradient).all() and "cut off" not in " ".join(whole.sentences)


def test_a_gradient_that_is_zero_is_zero():
    class Zero(Cut):
        def forward(self, x):
            return self.layers[1](0 * self.layers[0](x))

    assert np.isneginf(quiet(Zero(None)).trace.gradient[:, 0]).all()


def test_inputs_without_a_gradient_cut_nothing_off():
    module = torch.nn.Sequential(torch.nn.Linear(8, 8, bias=False), torch.nn.Linear(8, 3, bias=False))

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, tokens):
            return self.inner(torch.nn.functional.one_hot(tokens, 8).float())

    assert np.isfinite(quiet(Whole(), torch.tensor([1, 5])).trace.gradient).all()


@pytest.mark.parametrize("call", [quiet, lambda *given: own.diagnose(*given, level=0.5, progress=False)])
def test_outputs_that_are_cut_off_are_refused(call):
    with pytest.raises(ValueError, match=r"module must return outputs that a gradient goes back from"):
        call(Cut(3), BATCH)

    class Quiet(Cut):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)

    with pytest.raises(ValueError, match="no_grad"):
        call(Quiet(None), BATCH)


def test_a_report_needs_two_inputs_and_a_diagnosis_one():
    with pytest.raises(ValueError, match="initial must hold at least two inputs"):
        quiet(Cut(None), BATCH[:1])
    assert quiet(Cut(None), BATCH[:2]).trace.samples == 3
    assert own.diagnose(Cut(None), BATCH[:1], level=0.5, progress=False).samples == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value):
    module = Cut(None)
    module.layers[2].weight.data[0, 0] = value
    with pytest.raises(ValueError, match=r"module must have finite weights, 'layers.2.weight'"):
        quiet(module)


def test_a_buffer_may_be_infinite_and_not_missing():
    module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
    module.register_buffer("mask", torch.full((2, 2), float("-inf")).triu(1))
    assert quiet(module).trace.samples == 3
    module[1].running_mean[0] = float("nan")
    for call in (quiet, lambda one: own.diagnose(one, BATCH, level=0.5, progress=False)):
        with pytest.raises(ValueError, match="'1.running_mean' has"):
            call(module)


@pytest.mark.parametrize("inside", [True, False])
def test_numbers_that_go_missing_on_the_way_are_refused(inside):
    with pytest.raises(ValueError, match="module must (give|return) finite numbers|must be asked about finite"):
        quiet(Rooted(inside))


def test_what_a_module_may_not_do_is_one_sentence():
    class Tied(Cut):
        def forward(self, x):
            return torch.nn.functional.linear(self.layers[0](x), self.layers[0].weight.T)

    normed = torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(8, 8)))
    with pytest.raises(ValueError, match="module must call its layers"):
        quiet(Tied(None))
    with pytest.raises(ValueError, match="must hold its weight as a parameter"):
        quiet(normed)
    with pytest.raises(ValueError, match="a must be a list of blocks or a preset"):
        own.compare(Cut(None), Cut(None), progress=False)
