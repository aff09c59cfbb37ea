"""A transformer of the shape of GPT-2 with all its weights, in PyTorch."""

from __future__ import annotations

from numpy.typing import NDArray

from deeplimits._parallel import cores


def gpt2_with_torch(depth: int, width: int, heads: int, vocabulary: int, tokens: NDArray, seed: int) -> NDArray:
    """The mean square of the residual stream after the last block, for each token; single precision, on all cores.

    Weights have the law of `architectures.gpt2` and are drawn as they are used, the embedding whole.

    Shapes: tokens (length,) -> (length,).
    """
    import torch
    from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    last = 0.02 / (2 * depth) ** 0.5

    def drawn(outputs: int, inputs: int, std: float = 0.02) -> torch.Tensor:
        return torch.empty(outputs, inputs).normal_(0, std)

    with torch.inference_mode():
        x = drawn(vocabulary, width)[torch.from_numpy(tokens)] + drawn(1024, width, 0.01)[: len(tokens)]
        for _ in range(depth):
            q, k, v = (
                part.view(len(tokens), heads, -1).transpose(0, 1)
                for part in (layer_norm(x, (width,)) @ drawn(3 * width, width).T).chunk(3, dim=1)
            )
            mixed = scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
            x = x + mixed.transpose(0, 1).reshape(len(tokens), width) @ drawn(width, width, last).T
            inner = gelu(layer_norm(x, (width,)) @ drawn(4 * width, width).T, approximate="tanh")
            x = x + inner @ drawn(width, 4 * width, last).T
    return x.square().mean(1).numpy()
