"""Changes as lines to paste: the same change in PyTorch and in JAX."""

from __future__ import annotations

from ..activations import Activation

#: Activations by name in PyTorch and JAX.
FUNCTIONS = {
    "relu": ("torch.relu", "jax.nn.relu"),
    "ReLU": ("torch.relu", "jax.nn.relu"),
    "tanh": ("torch.tanh", "jnp.tanh"),
    "sigmoid": ("torch.sigmoid", "jax.nn.sigmoid"),
    "gelu": ("torch.nn.functional.gelu", "lambda x: jax.nn.gelu(x, approximate=False)"),
    "silu": ("torch.nn.functional.silu", "jax.nn.silu"),
    "swish": ("torch.nn.functional.silu", "jax.nn.silu"),
    "softplus": ("torch.nn.functional.softplus", "jax.nn.softplus"),
    "mish": ("torch.nn.functional.mish", "jax.nn.mish"),
    "sin": ("torch.sin", "jnp.sin"),
    "erf": ("torch.erf", "jax.scipy.special.erf"),
}


def gain_lines(gain: float, bias: float | None) -> tuple[str, str]:
    """Gaussian weights of a gain, for every linear layer but the last."""
    start = "" if bias is None else "\n        "
    start += {None: "", 0.0: "torch.nn.init.zeros_(layer.bias)"}.get(
        bias, f"torch.nn.init.normal_(layer.bias, 0.0, {bias!r})"
    )
    torch = f"""\
def initialise(model):
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    for layer in layers[:-1]:
        torch.nn.init.normal_(layer.weight, 0.0, {gain:.6g} / layer.in_features**0.5){start}"""
    jax = f"""\
def weight(key, inputs, outputs):
    return {gain:.6g} / inputs**0.5 * jax.random.normal(key, (inputs, outputs))"""
    return torch, jax


def scale_lines(scales: list[float]) -> tuple[str, str]:
    """Residual branches with a scale of their own."""
    alike = len({f"{scale:.6g}" for scale in scales}) == 1
    body = f"    return x + {scales[0]:.6g} * branch(x)" if alike else None
    listed = ", ".join(f"{scale:.6g}" for scale in scales)
    text = (
        f"def residual(x, branch):\n{body}"
        if body
        else f"SCALES = [{listed}]  # of the branches of a block, in their order\n\n\n"
        "def residual(x, branch, number):\n    return x + SCALES[number] * branch(x)"
    )
    return text, text


def shaping_lines(phi: Activation, name: str, gain: float, width: int) -> tuple[str, str] | None:
    """The shaped activation and its gain; None for an activation that the frameworks do not name."""
    if phi.rectifier is not None:
        plus, minus = phi.rectifier.slopes(width)
        body = [f"where(x > 0, {plus:.6g} * x, {minus:.6g} * x)"]
        torch, jax = (f"    return {library}.{body[0]}" for library in ("torch", "jnp"))
    elif name in FUNCTIONS:
        scale, centre = phi._scale_at(width), phi.centre  # type: ignore[attr-defined]
        value, slope = phi._derivatives[:2]  # type: ignore[attr-defined]
        torch, jax = (
            f"    phi, s = {function}, {scale:.6g}\n    return s * (phi(x / s + {centre!r}) - {value!r}) / {slope!r}"
            for function in FUNCTIONS[name]
        )
    else:
        return None
    initialise, weight = gain_lines(gain, None)
    return f"def shaped(x):\n{torch}\n\n\n{initialise}", f"def shaped(x):\n{jax}\n\n\n{weight}"
