"""GPT-2 of `transformers`, in Flax NNX: a decoder whose last layer shares its weights with the first."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from jax import Array
from transformers import GPT2Config, GPT2LMHeadModel

from parity_tests.ports.port import Bug, Port

TINY = {"vocab_size": 99, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4}
LARGE = {"vocab_size": 10_000, "n_positions": 64, "n_embd": 512, "n_layer": 8, "n_head": 8}  # 30 million parameters


class Attention(nnx.Module):
    """Every position looks at itself and at those before; query, key and value come from one layer."""

    def __init__(self, hidden: int, num_heads: int, shift: int, rngs: nnx.Rngs):
        self.c_attn = nnx.Linear(hidden, 3 * hidden, rngs=rngs)
        self.c_proj = nnx.Linear(hidden, hidden, rngs=rngs)
        self.num_heads, self.shift = num_heads, shift

    def __call__(self, x: Array) -> Array:
        n, length, hidden = x.shape
        heads = [part.reshape(n, length, self.num_heads, -1) for part in jnp.split(self.c_attn(x), 3, -1)]
        query, key, value = heads
        scores = jnp.einsum("nqhd,nkhd->nhqk", query, key) / np.sqrt(hidden // self.num_heads)
        before = jnp.tril(jnp.ones((length, length), bool), self.shift)
        weights = jax.nn.softmax(jnp.where(before, scores, jnp.finfo(scores.dtype).min))
        return self.c_proj(jnp.einsum("nhqk,nkhd->nqhd", weights, value).reshape(n, length, hidden))


class Block(nnx.Module):
    """Attention and a wide layer, each of normalised inputs and added to them."""

    def __init__(self, hidden: int, num_heads: int, eps: float, approximate: bool, shift: int, rngs: nnx.Rngs):
        self.ln_1, self.ln_2 = (nnx.LayerNorm(hidden, epsilon=eps, rngs=rngs) for _ in range(2))
        self.attn = Attention(hidden, num_heads, shift, rngs)
        self.c_fc = nnx.Linear(hidden, 4 * hidden, rngs=rngs)
        self.c_proj = nnx.Linear(4 * hidden, hidden, rngs=rngs)
        self.approximate = approximate

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(jax.nn.gelu(self.c_fc(self.ln_2(x)), approximate=self.approximate))


class GPT2(nnx.Module):
    """Tokens and places, the blocks, and a score for every token."""

    def __init__(
        self, sizes: dict[str, int], rngs: nnx.Rngs, eps: float = 1e-5, approximate: bool = True, shift: int = 0
    ):
        hidden, num_heads = sizes["n_embd"], sizes["n_head"]
        self.wte = nnx.Embed(sizes["vocab_size"], hidden, rngs=rngs)
        self.wpe = nnx.Embed(sizes["n_positions"], hidden, rngs=rngs)
        self.h = nnx.List([Block(hidden, num_heads, eps, approximate, shift, rngs) for _ in range(sizes["n_layer"])])
        self.ln_f = nnx.LayerNorm(hidden, epsilon=eps, rngs=rngs)

    def __call__(self, input_ids: Array) -> dict[str, Array]:
        x = self.wte(input_ids) + self.wpe(jnp.arange(input_ids.shape[1]))
        for block in self.h:
            x = block(x)
        return {"logits": self.wte.attend(self.ln_f(x))}


def torch_gpt2(sizes: dict[str, int], deviation: float) -> torch.nn.Module:
    """With random weights of this standard deviation."""
    config = GPT2Config(**sizes, initializer_range=deviation, use_cache=False, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config)


def port(sizes: dict[str, int], length: int, deviation: float, bugs: dict[str, Bug]) -> Port:
    """GPT-2 of these sizes, on two texts of this length."""
    return Port(
        lambda: torch_gpt2(sizes, deviation),
        "NNX",
        lambda **options: lambda rngs: GPT2(sizes, rngs, **options),
        lambda: {"input_ids": np.random.default_rng(0).integers(0, sizes["vocab_size"], (2, length))},
        bugs,
    )


PORT = port(
    TINY,
    9,
    0.3,
    {
        "another eps": Bug({"eps": 1e-6}, ("eps=1e-06",)),
        "exact gelu": Bug({"approximate": False}, ("gelu",)),
        "mask off by one": Bug({"shift": 1}, ("mask", "off by one")),
    },
)
PORT_LARGE = port(LARGE, 64, 0.02, {})
