"""PyTorch modules without their weights against the same modules with them."""

import numpy as np
import pytest
from samples import LEVEL
from scipy import stats

import deeplimits.torch as lazy

torch = pytest.importorskip("torch")
nn = torch.nn
SAMPLES = 500
CHOICE = torch.Generator().manual_seed(0)
ROWS = torch.randn(3, 12, generator=CHOICE)
SEQUENCES = torch.randn(2, 5, 16, generator=CHOICE)
IMAGES = torch.randn(2, 3, 6, 6, generator=CHOICE)
TOKENS = torch.randint(0, 11, (2, 6), generator=CHOICE)


def perceptron():
    return nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def encoder():
    return nn.TransformerEncoderLayer(16, 4, 64, dropout=0.0, batch_first=True, norm_first=True)


class Bottleneck(nn.Module):
    """A residual block of convolutions, as in a ResNet, with normalisation over the batch."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False))
        self.skip, self.head = nn.Conv2d(16, 16, 1, stride=2), nn.Linear(16, 3)

    def forward(self, x):
        x = self.stem(x)
        return self.head((self.skip(x) + self.body(x)).mean((2, 3)))


class Recurrent(nn.Module):
    """One layer used four times."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 12, bias=False)

    def forward(self, x):
        for _ in range(4):
            x = x + 2 * torch.tanh(self.layer(x))
        return x


def gaussian(module):
    """The module with Gaussian weights of the deviations that `weightless` takes."""
    from deeplimits._torch_laws import Laws

    laws = Laws(torch, module, None)
    for name, part in module.named_modules():
        for weight, _, _ in laws.shapes(part) if laws.kind(part) else ():
            if not name.endswith("out_proj"):
                nn.init.normal_(part.get_parameter(weight), 0, laws.deviation(weight, part, part.get_parameter(weight)))
    return module


CASES = {
    "perceptron": (perceptron, ROWS),
    "encoder": (encoder, SEQUENCES),
    "convolutions": (Bottleneck, IMAGES),
    "recurrent": (Recurrent, ROWS),
}


def looked(module, x):
    """Outputs and gradients of one module, reduced to a few numbers."""
    x = x.clone().requires_grad_()
    y = module(x)
    (g,) = torch.autograd.grad(y.square().sum() / 2, x)
    y, g = y.detach().double().reshape(len(x), -1), g.double()
    return [
        y[0].square().sum().log(),
        y[0] @ y[1],
        y[0, 0],
        g.square().sum().log(),
        (g * x).sum().detach(),
        g.flatten()[0],
    ]


def statistics(make, x):
    return np.array([[float(one) for one in looked(make(seed), x)] for seed in range(SAMPLES)])


def with_weights(make, seed):
    torch.manual_seed(seed)
    return make()


def smallest_p(a, b):
    return min(stats.ks_2samp(a[:, k].round(7), b[:, k].round(7)).pvalue for k in range(a.shape[1]))


@pytest.fixture(scope="module")
def weightless():
    known = {}

    def statistics_of(name):
        if name not in known:
            make, x = CASES[name]
            with torch.device("meta"):
                module = make()
            module = lazy.weightless(module, 0, method="lazy")
            known[name] = statistics(lambda seed: lazy.redraw(module, seed), x)
        return known[name]

    return statistics_of


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("weights", ["Gaussian", "as PyTorch draws them"])
def test_outputs_and_gradients_have_the_law_of_the_module(name, weights, weightless):
    make, x = CASES[name]
    if weights != "Gaussian" and name == "recurrent":
        pytest.skip("uniform weights of width 12 are not yet Gaussian")
    expected = statistics(
        lambda seed: gaussian(with_weights(make, seed)) if weights == "Gaussian" else with_weights(make, seed), x
    )
    assert smallest_p(weightless(name), expected) > LEVEL / 42


@pytest.mark.slow
def test_the_test_sees_layers_that_are_not_shared(weightless):
    def untied(seed):
        module = gaussian(with_weights(Recurrent, seed))
        layers = [gaussian(nn.Linear(12, 12, bias=False)) for _ in range(4)]
        module.forward = lambda x: [x := x + 2 * torch.tanh(layer(x)) for layer in layers][-1]
        return module

    assert smallest_p(weightless("recurrent"), statistics(untied, ROWS)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_models_of_transformers_keep_their_law_and_their_tied_read_out(name):
    hub = pytest.importorskip("transformers")
    sizes = {"vocab_size": 11, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
    if name == "gpt2":
        config, kind = (
            hub.GPT2Config(
                n_layer=2, n_embd=16, n_head=2, n_positions=8, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **sizes
            ),
            hub.GPT2LMHeadModel,
        )
    else:
        config, kind = (
            hub.LlamaConfig(
                num_hidden_layers=2,
                hidden_size=16,
                intermediate_size=24,
                num_attention_heads=4,
                num_key_value_heads=2,
                **sizes,
            ),
            hub.LlamaForCausalLM,
        )
    first = {"gpt2": "transformer.h.0.ln_1", "llama": "model.layers.0.input_layernorm"}[name]

    def seen(model):
        model.zero_grad()
        found = model(TOKENS, labels=TOKENS)
        found.loss.backward()
        gain = model.get_submodule(first).weight.grad
        logits = found.logits.detach()
        return [
            float(one)
            for one in (
                found.loss.detach(),
                logits.square().mean().log(),
                logits[0, 0] @ logits[1, -1],
                gain.square().sum().log(),
                logits.gather(-1, TOKENS[..., None]).mean(),
            )
        ]

    with torch.device("meta"):
        model = kind(config)
    model = lazy.weightless(model, 0, method="lazy")
    found = np.array([seen(lazy.redraw(model, seed)) for seed in range(200)])
    expected = np.array([seen(with_weights(lambda: kind(config), seed)) for seed in range(200)])
    assert smallest_p(found, expected) > LEVEL / 10
    if name == "gpt2":
        config.tie_word_embeddings = False
        untied = np.array([seen(with_weights(lambda: kind(config), seed)) for seed in range(200)])
        assert smallest_p(found, untied) < 1e-9


def test_a_million_neurons_cost_little():
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(784, 10**6), nn.ReLU(), nn.Linear(10**6, 10))
    module = lazy.weightless(module, 1)
    x = torch.ones(2, 784, requires_grad=True)
    module(x).square().sum().backward()
    assert x.grad.shape == (2, 784)
    assert torch.equal(module(x), lazy.redraw(module, 1)(x)) and not torch.equal(module(x), lazy.redraw(module, 2)(x))


def test_attention_takes_masks_as_the_module_does():
    attention = nn.MultiheadAttention(16, 4, batch_first=False)
    twin = lazy.weightless(nn.MultiheadAttention(16, 4, batch_first=False), 3, method="dense", precision="double")
    with torch.no_grad():
        for parameter, one in ((attention.in_proj_weight, twin.lazies[0]), (attention.out_proj.weight, twin.lazies[1])):
            parameter.copy_(torch.from_numpy(one.matrix.dense()[0]))
    x, other = SEQUENCES.transpose(0, 1), SEQUENCES.flip(0).transpose(0, 1)
    causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    for how in (
        {},
        {"attn_mask": causal},
        {"attn_mask": -0.5 * causal.float()},
        {"key_padding_mask": padding},
        {"attn_mask": causal, "is_causal": True},
        {"attn_mask": causal.expand(8, 5, 5)},
        {"average_attn_weights": False},
        {"need_weights": False},
    ):
        for parts in ((x, x, x), (x, other, other)):
            for a, b in zip(twin(*parts, **how), attention(*parts, **how), strict=True):
                assert a is None and b is None or torch.allclose(a, b, atol=1e-5)
    assert torch.allclose(twin(x[:, 0], x[:, 0], x[:, 0])[0], attention(x[:, 0], x[:, 0], x[:, 0])[0], atol=1e-5)


@pytest.mark.parametrize(
    "make, x",
    [
        (lambda: nn.Conv1d(4, 6, 3, stride=2, dilation=2, padding=3), torch.randn(2, 4, 15, generator=CHOICE)),
        (lambda: nn.Conv2d(3, 5, (2, 3), padding="same"), IMAGES),
        (lambda: nn.Conv2d(3, 5, 3, 2, 1), IMAGES[0]),
        (lambda: nn.Conv2d(3, 5, 3, padding=2, padding_mode="circular"), IMAGES),
    ],
)
def test_convolutions_see_what_the_module_sees(make, x):
    module = make()
    twin = lazy.weightless(make(), 3, method="dense")
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(twin.lazies[0].matrix.dense()[0]).reshape(module.weight.shape))
        module.bias.copy_(twin.bias)
    assert torch.allclose(twin(x), module(x), atol=1e-5)


def test_a_deviation_can_be_given():
    module = lazy.weightless(nn.Linear(50, 4000, bias=False), 1, law=lambda name, weight: 3.0)
    assert float(module(torch.eye(50)[0]).std()) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: lazy.weightless("model", 1), "module"),
        (lambda: lazy.weightless(nn.ReLU(), 1), "module must hold"),
        (lambda: lazy.weightless(nn.Conv2d(4, 4, 3, groups=2), 1), "groups"),
        (lambda: lazy.weightless(nn.Embedding(4, 4, max_norm=1.0), 1), "max_norm"),
        (lambda: lazy.weightless(nn.MultiheadAttention(4, 2, kdim=3), 1), "keys and values"),
        (lambda: lazy.weightless(nn.Linear(2, 2), -1), "seed"),
        (lambda: lazy.weightless(nn.Linear(2, 2), 1, law=2), "law"),
        (lambda: lazy.weightless(nn.Linear(2, 2), 1, law=lambda *_: -1), "law"),
        (lambda: lazy.weightless(nn.Linear(2, 2), 1, precision="half"), "precision"),
        (lambda: lazy.weightless(nn.Linear(2, 2), 1)(torch.tensor([1.0, float("nan")])), "finite"),
        (
            lambda: lazy.weightless(nn.Linear(2, 3), 1)(torch.ones(4, 5)),
            r"weight must be asked about rows of 2 numbers",
        ),
        (
            lambda: lazy.weightless(nn.Sequential(nn.Linear(2, 2), nn.Bilinear(2, 2, 2, device="meta")), 1),
            "without a lazy",
        ),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


class Bare(nn.Module):
    """Two products with parameters of its own, the first used twice."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(12, 12))
        self.other = nn.Parameter(torch.empty(4, 12))
        self.layer = nn.Linear(12, 12)

    def forward(self, x):
        h = torch.tanh(nn.functional.linear(x, self.weight))
        return torch.tanh(self.layer(h @ self.weight)) @ self.other.T


@pytest.mark.slow
def test_bare_parameters_are_lazy_where_a_deviation_is_given():
    def law(name, weight):
        return {"weight": 0.4, "other": 0.3, "layer.weight": 0.5}[name]

    def drawn(seed):
        torch.manual_seed(seed)
        module = Bare()
        for name, parameter in module.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, 0, law(name, parameter))
        return module

    with torch.device("meta"):
        module = Bare()
    module = lazy.weightless(module, 0, law=law, method="lazy")
    assert module.weight.shape == (12, 12) and module.other.T.shape == (12, 4)
    found = statistics(lambda seed: lazy.redraw(module, seed), ROWS)
    assert smallest_p(found, statistics(drawn, ROWS)) > LEVEL / 6
    x = ROWS[0]
    assert torch.allclose(module.other @ x, x @ module.other.T, atol=1e-6)
    with pytest.raises(ValueError, match="F.linear"):
        torch.relu(module.weight)
    with pytest.raises(ValueError, match="law="), torch.device("meta"):
        lazy.weightless(Bare(), 1)


def test_models_with_unknown_rules_ask_for_them():
    hub = pytest.importorskip("transformers")
    config = hub.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, vocab_size=11
    )
    with pytest.raises(ValueError, match="law must give .*'bert'"):
        lazy.weightless(hub.BertModel(config), 1)
