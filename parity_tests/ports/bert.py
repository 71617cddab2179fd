"""BERT of `transformers`, in Flax Linen: an encoder with normalisation after each block."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import torch
from jax import Array
from transformers import BertConfig, BertModel

from parity_tests.ports.port import Bug, Port

HIDDEN, HEADS, LAYERS, WIDE, VOCABULARY, LENGTH = 32, 4, 2, 48, 99, 16


class Attention(nn.Module):
    """Every position looks at all that are not padding."""

    is_scaled: bool

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        n, length, hidden = x.shape

        def heads(name: str) -> Array:
            return nn.Dense(hidden, name=name)(x).reshape(n, length, HEADS, hidden // HEADS)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = jnp.einsum("nqhd,nkhd->nhqk", query, key)
        if self.is_scaled:
            scores = scores / np.sqrt(hidden // HEADS)
        weights = nn.softmax(jnp.where(mask[:, None, None, :], scores, -jnp.inf))
        mixed = jnp.einsum("nhqk,nkhd->nqhd", weights, value)
        return mixed.reshape(n, length, hidden)


class Layer(nn.Module):
    """Attention, then a wide layer; each added to its input and normalised."""

    eps: float
    approximate: bool
    is_scaled: bool

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        mixed = nn.Dense(x.shape[-1], name="attention_output")(Attention(self.is_scaled, name="attention")(x, mask))
        x = nn.LayerNorm(self.eps, name="attention_norm")(x + mixed)
        wide = nn.gelu(nn.Dense(WIDE, name="intermediate")(x), approximate=self.approximate)
        return nn.LayerNorm(self.eps, name="output_norm")(x + nn.Dense(x.shape[-1], name="output")(wide))


class Bert(nn.Module):
    """Words, places and kinds added up, the layers, and the first position pooled."""

    eps: float = 1e-12
    approximate: bool = False
    is_scaled: bool = True

    @nn.compact
    def __call__(self, input_ids: Array, attention_mask: Array, token_type_ids: Array) -> dict[str, Array]:
        words = nn.Embed(VOCABULARY, HIDDEN, name="word_embeddings")(input_ids)
        places = nn.Embed(LENGTH, HIDDEN, name="position_embeddings")(jnp.arange(input_ids.shape[1]))
        kinds = nn.Embed(2, HIDDEN, name="token_type_embeddings")(token_type_ids)
        x = nn.LayerNorm(self.eps, name="norm")(words + places + kinds)
        for i in range(LAYERS):
            x = Layer(self.eps, self.approximate, self.is_scaled, name=f"layer_{i}")(x, attention_mask != 0)
        return {"last_hidden_state": x, "pooler_output": jnp.tanh(nn.Dense(HIDDEN, name="pooler")(x[:, 0]))}


def torch_bert() -> torch.nn.Module:
    """A small one, with random weights."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=WIDE,
        max_position_embeddings=LENGTH,
        initializer_range=0.3,
    )
    return BertModel(config)


def inputs() -> dict[str, np.ndarray]:
    """Two sentences; the second is shorter."""
    random = np.random.default_rng(0)
    mask = np.ones((2, 9), np.int32)
    mask[1, 6:] = 0
    kinds = (np.arange(9) > 4).astype(np.int32)[None].repeat(2, 0)
    return {"input_ids": random.integers(1, VOCABULARY, (2, 9)), "attention_mask": mask, "token_type_ids": kinds}


PORT = Port(
    torch_bert,
    "Linen",
    Bert,
    inputs,
    {
        "another eps": Bug({"eps": 1e-6}, ("eps=1e-06",)),
        "tanh-gelu": Bug({"approximate": True}, ("gelu",)),
        "no scale": Bug({"is_scaled": False}, ("scale",)),
    },
)
