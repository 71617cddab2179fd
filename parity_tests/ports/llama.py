"""Llama of `transformers`, in Equinox: rotary positions, shared keys and values, a gated wide layer."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import Array
from transformers import LlamaConfig, LlamaModel

from parity_tests.ports.port import Bug, Port

HIDDEN, HEADS, SHARED, LAYERS, WIDE, VOCABULARY = 32, 4, 2, 2, 48, 99
DEPTH = HIDDEN // HEADS


def linear(num_inputs: int, num_outputs: int) -> eqx.nn.Linear:
    """Without a bias. Torch's weights take the place of these."""
    return eqx.nn.Linear(num_inputs, num_outputs, use_bias=False, key=jax.random.key(0))


def each(layer: eqx.nn.Linear, x: Array) -> Array:
    """A layer of one vector, applied to all."""
    return x @ layer.weight.T


class RMSNorm(eqx.Module):
    """x / sqrt(mean(x^2) + eps), times a weight."""

    weight: Array
    eps: float = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return self.weight * x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + self.eps)


def rotated(x: Array, is_interleaved: bool) -> Array:
    """Pairs of numbers turned by an angle that grows with the position, (n, length, heads, depth)."""
    frequencies = 10000.0 ** (-jnp.arange(0, DEPTH, 2) / DEPTH)
    angles = (jnp.arange(x.shape[1])[:, None] * frequencies)[:, None]
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    first, second = (x[..., ::2], x[..., 1::2]) if is_interleaved else jnp.split(x, 2, -1)
    turned = first * cos - second * sin, second * cos + first * sin
    return jnp.stack(turned, -1).reshape(x.shape) if is_interleaved else jnp.concatenate(turned, -1)


class Attention(eqx.Module):
    """Every position looks at those before it; two heads share one key and one value."""

    q_proj: eqx.nn.Linear
    k_proj: eqx.nn.Linear
    v_proj: eqx.nn.Linear
    o_proj: eqx.nn.Linear
    is_interleaved: bool = eqx.field(static=True)

    def __init__(self, is_interleaved: bool):
        self.q_proj, self.o_proj = linear(HIDDEN, HIDDEN), linear(HIDDEN, HIDDEN)
        self.k_proj, self.v_proj = linear(HIDDEN, SHARED * DEPTH), linear(HIDDEN, SHARED * DEPTH)
        self.is_interleaved = is_interleaved

    def __call__(self, x: Array) -> Array:
        n, length, _ = x.shape
        query, key, value = (
            each(layer, x).reshape(n, length, -1, DEPTH) for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotated(query, self.is_interleaved), rotated(key, self.is_interleaved)
        key, value = (jnp.repeat(a, HEADS // SHARED, axis=2) for a in (key, value))
        scores = jnp.einsum("nqhd,nkhd->nhqk", query, key) / np.sqrt(DEPTH)
        before = jnp.tril(jnp.ones((length, length), bool))
        weights = jax.nn.softmax(jnp.where(before, scores, -jnp.inf))
        return each(self.o_proj, jnp.einsum("nhqk,nkhd->nqhd", weights, value).reshape(x.shape))


class Layer(eqx.Module):
    """Attention and a gated wide layer, each of normalised inputs and added to them."""

    input_layernorm: RMSNorm
    self_attn: Attention
    post_attention_layernorm: RMSNorm
    gate_proj: eqx.nn.Linear
    up_proj: eqx.nn.Linear
    down_proj: eqx.nn.Linear
    activation: str = eqx.field(static=True)

    def __init__(self, eps: float, is_interleaved: bool, activation: str):
        self.input_layernorm = RMSNorm(jnp.ones(HIDDEN), eps)
        self.post_attention_layernorm = RMSNorm(jnp.ones(HIDDEN), eps)
        self.self_attn = Attention(is_interleaved)
        self.gate_proj, self.up_proj, self.down_proj = linear(HIDDEN, WIDE), linear(HIDDEN, WIDE), linear(WIDE, HIDDEN)
        self.activation = activation

    def __call__(self, x: Array) -> Array:
        x = x + self.self_attn(self.input_layernorm(x))
        y = self.post_attention_layernorm(x)
        gated = getattr(jax.nn, self.activation)(each(self.gate_proj, y)) * each(self.up_proj, y)
        return x + each(self.down_proj, gated)


class Llama(eqx.Module):
    """Words, the layers, and a last normalisation."""

    embed_tokens: eqx.nn.Embedding
    layers: list[Layer]
    norm: RMSNorm

    def __init__(self, eps: float = 1e-5, is_interleaved: bool = False, activation: str = "silu"):
        self.embed_tokens = eqx.nn.Embedding(VOCABULARY, HIDDEN, key=jax.random.key(0))
        self.layers = [Layer(eps, is_interleaved, activation) for _ in range(LAYERS)]
        self.norm = RMSNorm(jnp.ones(HIDDEN), eps)

    def __call__(self, input_ids: Array) -> dict[str, Array]:
        x = self.embed_tokens.weight[input_ids]
        for layer in self.layers:
            x = layer(x)
        return {"last_hidden_state": self.norm(x)}


def torch_llama() -> torch.nn.Module:
    """A small one, with random weights."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=SHARED,
        intermediate_size=WIDE,
        max_position_embeddings=16,
        rms_norm_eps=1e-5,
        initializer_range=0.3,
        use_cache=False,
    )
    return LlamaModel(config)


PORT = Port(
    torch_llama,
    "Equinox",
    Llama,
    lambda: {"input_ids": np.random.default_rng(0).integers(0, VOCABULARY, (2, 9))},
    {
        "another eps": Bug({"eps": 1e-6}, ("eps=1e-06",)),
        "interleaved rotation": Bug({"is_interleaved": True}, ("interleaved",)),
        "gelu": Bug({"activation": "gelu"}, ("gelu", "silu")),
    },
)
