"""Reports of modules: what stands outside their matrices, graphs that are cut, and batches that cannot be compared."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

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
