"""How PyTorch and transformers initialise what they make: the deviation of each matrix and the range of each bias."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ._checks import choice, real, shown

#: Models of transformers whose rules are known: all N(0, initializer_range^2), but for what ends a branch of GPT-2.
KNOWN_MODELS = ("gpt2", "llama")
#: Deviations of weights by name, of (inputs, outputs).
LAWS: dict[str, Callable[[int, int], float]] = {
    "he": lambda inputs, outputs: (2 / inputs) ** 0.5,
    "xavier": lambda inputs, outputs: (2 / (inputs + outputs)) ** 0.5,
    "lecun": lambda inputs, outputs: (1 / inputs) ** 0.5,
    "torch": lambda inputs, outputs: (1 / (3 * inputs)) ** 0.5,
}
#: The name of the law of each layer's own default.
OWN = "own"
#: A law as it is given: by name, or as a function of (name of a parameter, parameter).
Law = str | Callable[[str, Any], float | None]


def unknown(name: str, why: str) -> ValueError:
    """The error for a matrix without a law, with the way out."""
    return ValueError(
        f"module has a matrix {name!r} that {why}; replace that layer by Linear, Embedding, Conv1d, "
        "Conv2d or MultiheadAttention, give the deviation of a bare parameter by law=, or keep it off the meta device"
    )


class Laws:
    """The rules of one module: those of its model in transformers, or of PyTorch, or given by `law`.

    Raises: ValueError for an unknown name, with the one that is closest, and for what is neither name nor function.
    """

    def __init__(self, torch: ModuleType, module: Any, law: Law | None) -> None:
        hub = hasattr(module, "_init_weights") and hasattr(module, "config")
        self.torch, self.by_name = torch, isinstance(law, str)
        self.model: Any = module if hub else None
        if isinstance(law, str):
            self.law = self._named(module, choice("law", law, (*LAWS, OWN)))
        elif law is None or callable(law):
            self.law = law
        else:
            raise ValueError(f"law must be a name, a function of (name, parameter) or None, got {shown(law)}")

    def _named(self, module: Any, law: str) -> Callable[[str, Any], float | None] | None:
        """A law by name as a function, of linear and convolutional layers."""
        if law == OWN:
            return None
        chosen = {
            f"{layer}.{weight}".lstrip("."): LAWS[law](inputs, outputs)
            for layer, part in module.named_modules()
            if self.kind(part) in ("linear", "convolution")
            for weight, outputs, inputs in self.shapes(part)
        }
        return lambda name, weight: chosen.get(name)

    def kind(self, part: Any) -> str | None:
        """What a module is: linear, embedding, convolution, attention, or None."""
        nn = self.torch.nn
        if type(part).__name__ == "Conv1D" and hasattr(part, "nf"):
            return "linear"
        kinds = {
            nn.Linear: "linear",
            nn.Embedding: "embedding",
            nn.Conv1d: "convolution",
            nn.Conv2d: "convolution",
            nn.MultiheadAttention: "attention",
        }
        return next((kind for known, kind in kinds.items() if isinstance(part, known)), None)

    def shapes(self, part: Any) -> list[tuple[str, int, int]]:
        """The matrices of a module: name, outputs, inputs."""
        if type(part).__name__ == "Conv1D":
            return [("weight", part.nf, part.weight.shape[0])]
        if self.kind(part) == "attention":
            width = part.embed_dim
            return [("in_proj_weight", 3 * width, width), ("out_proj.weight", width, width)]
        return [("weight", part.weight.shape[0], part.weight[0].numel())]

    def biases(self, part: Any) -> dict[str, Any]:
        """The biases of a module, by the names that its twin gives them."""
        if self.kind(part) == "attention":
            found = {"in_proj_bias": part.in_proj_bias, "out_proj_bias": part.out_proj.bias}
        else:
            found = {"bias": getattr(part, "bias", None)}
        return {name: bias for name, bias in found.items() if bias is not None}

    def deviation(self, name: str, part: Any, weight: Any) -> float:
        """The standard deviation of the entries of a matrix.

        Raises: ValueError for a model whose rules are not known.
        """
        given = self.given(name, weight)
        if given is not None:
            return given
        if self.model is not None:
            return self._of_model(name)
        if type(part).__name__ == "Conv1D":
            return 0.02
        kind = self.kind(part)
        if kind == "embedding":
            return 1.0
        if name.endswith("in_proj_weight"):  # Xavier's uniform law, with three times as many outputs as inputs
            return (2 / (weight.shape[0] + weight.shape[1])) ** 0.5
        return (3 * weight[0].numel()) ** -0.5  # Kaiming's uniform law with a = sqrt(5)

    def given(self, name: str, weight: Any) -> float | None:
        """The deviation that `law` gives for a parameter, or None."""
        given = None if self.law is None else self.law(name, weight)
        return None if given is None else real("law", given, least=0)

    def is_gaussian(self, name: str, part: Any, weight: Any) -> bool:
        """Whether a matrix is Gaussian; else it is uniform."""
        given = self.given(name, weight) is not None
        return given or self.model is not None or self.kind(part) == "embedding" or hasattr(part, "nf")

    def _of_model(self, name: str) -> float:
        config = self.model.config
        if config.model_type not in KNOWN_MODELS:
            raise ValueError(
                f"law must give the deviation of {name!r}: the rules of {config.model_type!r} are not "
                f"known, only those of {', '.join(KNOWN_MODELS)}"
            )
        std = config.initializer_range
        if config.model_type == "gpt2" and name.endswith("c_proj.weight"):
            return std / (2 * config.n_layer) ** 0.5
        return std

    def bias_range(self, name: str, part: Any, bias_name: str) -> float:
        """The end of the interval in which a bias is uniform; 0 for one that starts at zero, or holds zeros alone."""
        kind, bias = self.kind(part), self.biases(part)[bias_name]
        if not bias.is_meta and not bool(bias.any()):
            return 0.0
        if self.model is not None or kind == "attention" or type(part).__name__ == "Conv1D":
            return 0.0
        return part.weight[0].numel() ** -0.5

    def initialise(self, name: str, part: Any) -> None:
        """Give a module without matrices its own initial values.

        Raises: ValueError for one that does not know them.
        """
        if self.model is not None:
            self.model._init_weights(part)
        elif hasattr(part, "reset_parameters"):
            part.reset_parameters()
        else:
            raise ValueError(
                f"module {name!r} ({type(part).__name__}) is on the meta device and has no "
                "reset_parameters: build that part on the CPU"
            )


def matrices_of(torch: ModuleType, module: Any, laws: Laws) -> list[tuple[str, Any]]:
    """The modules that get a twin, by name.

    Raises: ValueError for those that cannot have one.
    """
    found: list[tuple[str, Any]] = []
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer, of in found if laws.kind(of) == "attention")
        kind = laws.kind(part)
        if kind is None or inside:
            continue
        if kind != "attention" and part._parameters.get("weight") is None:
            raise ValueError(
                f"module {name!r} must hold its weight as a parameter, it computes it from others: "
                "take weight_norm, spectral_norm or other parametrizations off"
            )
        if kind == "convolution" and part.groups != 1:
            raise ValueError(f"module {name!r} must have groups=1, got {part.groups}: split it into one layer a group")
        if kind == "attention" and not (part._qkv_same_embed_dim and part.bias_k is None and not part.add_zero_attn):
            raise ValueError(
                f"module {name!r} must have keys and values of its own width, no bias_kv and no zero attention"
            )
        if kind == "embedding" and (part.max_norm is not None or part.scale_grad_by_freq or part.sparse):
            raise ValueError(f"module {name!r} must be an Embedding without max_norm, scale_grad_by_freq and sparse")
        found.append((name, part))
    if not found and (laws.law is None or not bare_matrices(module, [])):
        raise ValueError(f"module must hold a Linear, Embedding, convolution or attention layer, got {module!r}")
    return found


def bare_matrices(module: Any, plan: list[tuple[str, Any]]) -> list[tuple[str, Any, str]]:
    """Parameters with two axes of modules that have no twin: full name, module, name."""
    taken = {id(inner) for _, part in plan for inner in part.modules()}
    return [
        (f"{name}.{key}".lstrip("."), part, key)
        for name, part in module.named_modules()
        if id(part) not in taken
        for key, parameter in list(part.named_parameters(recurse=False))
        if parameter.dim() == 2
    ]
