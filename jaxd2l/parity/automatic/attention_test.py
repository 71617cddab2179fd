"""Attention in each framework, transformers made of it, scanned and tied layers, against torch."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

SEQUENCES = np.random.default_rng(0).normal(size=(2, 4, 6))


def key():
    return jax.random.key(0)


def itself(module, x):
    return module(x, x, x, need_weights=False)[0]


class OfEquinox(eqx.Module):
    attention: eqx.nn.MultiheadAttention

    def __call__(self, x):
        return self.attention(x, x, x)


BIASES = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
ATTENTIONS = {
    "Linen": nn.MultiHeadDotProductAttention(2),
    "NNX": lambda rngs: nnx.MultiHeadAttention(2, 6, decode=False, rngs=rngs),
    "Equinox": OfEquinox(eqx.nn.MultiheadAttention(2, 6, key=key(), **BIASES)),
    "Haiku": hk.transform(lambda x: hk.MultiHeadAttention(2, 3, w_init=jnp.zeros)(x, x, x)),
}


@pytest.mark.parametrize("framework", ATTENTIONS)
def test_an_attention_with_a_fused_projection(framework, agrees) -> None:
    agrees(torch.nn.MultiheadAttention(6, 2, batch_first=True), ATTENTIONS[framework], SEQUENCES, forward=itself)


def test_an_attention_without_biases_in_equinox_is_not_paired_with_one_that_has_some(weights_of) -> None:
    model = OfEquinox(eqx.nn.MultiheadAttention(2, 6, key=key()))
    with pytest.raises(ValueError, match="query_proj' has no bias"):
        weights_of(torch.nn.MultiheadAttention(6, 2, batch_first=True), model, SEQUENCES.astype(np.float32))


class Fused(nn.Module):
    """The projection fused in JAX as well, as people write it."""

    @nn.compact
    def __call__(self, x):
        q, k, v = jnp.moveaxis(nn.DenseGeneral((3, 2, 3), name="qkv")(x), 2, 0)
        return nn.Dense(6, name="proj")(nn.dot_product_attention(q, k, v).reshape(x.shape))


def test_a_projection_that_is_fused_on_both_sides(agrees) -> None:
    agrees(torch.nn.MultiheadAttention(6, 2, batch_first=True), Fused(), SEQUENCES, forward=itself)


class Block(nn.Module):
    """A layer as torch's TransformerEncoderLayer, norms after the sums."""

    @nn.compact
    def __call__(self, x, _=None):
        x = nn.LayerNorm(epsilon=1e-5, name="norm1")(x + nn.MultiHeadDotProductAttention(2, name="self_attention")(x))
        hidden = nn.Dense(8, name="linear1")(x)
        x = nn.LayerNorm(epsilon=1e-5, name="norm2")(x + nn.Dense(6, name="linear2")(nn.relu(hidden)))
        return x, None


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x):
        for i in range(3):
            x, _ = Block(name=f"layers_{i}")(x)
        return x


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        layers = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return layers(name="layers")(x, None)[0]


def encoder():
    layer = torch.nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)


@pytest.mark.parametrize("model", [Encoder(), Scanned()])
def test_a_transformer_whose_layers_are_named_or_scanned(model, agrees) -> None:
    agrees(encoder(), model, SEQUENCES)


def test_layers_of_nnx_and_haiku_that_are_stacked(agrees) -> None:
    class Stack(nnx.Module):
        def __init__(self, rngs) -> None:
            keys = jax.random.split(rngs.params(), 3)
            self.layers = nnx.vmap(lambda key: nnx.Linear(6, 6, rngs=nnx.Rngs(key)))(keys)

        def __call__(self, x):
            return nnx.scan(lambda x, layer: layer(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, self.layers)

    module = torch.nn.Sequential(*(torch.nn.Linear(6, 6) for _ in range(3)))
    agrees(module, Stack, SEQUENCES)
    stacked = hk.experimental.layer_stack(3)
    agrees(module, hk.transform(lambda x: stacked(lambda x: hk.Linear(6)(x))(x)), SEQUENCES)


class Tied(torch.nn.Module):
    """A table of vectors that is the last layer's weight too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = torch.nn.Embedding(7, 6), torch.nn.Linear(6, 7, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, ids):
        return self.out(self.embedding(ids))


class TiedLinen(nn.Module):
    tied: bool

    @nn.compact
    def __call__(self, ids):
        table = nn.Embed(7, 6)
        x = table(ids)
        return table.attend(x) if self.tied else nn.Dense(7, use_bias=False)(x)


@pytest.mark.parametrize("tied", [True, False])
def test_a_weight_that_torch_shares_and_jax_shares_or_not(tied, agrees) -> None:
    agrees(Tied(), TiedLinen(tied), np.array([[0, 3, 6]], np.int32))


def test_a_module_that_torch_calls_by_two_names(agrees) -> None:
    shared = torch.nn.Linear(6, 6)
    module = torch.nn.Sequential(shared, torch.nn.Linear(6, 6), shared)
    agrees(module, nn.Sequential([nn.Dense(6), nn.Dense(6), nn.Dense(6)]), SEQUENCES)


class Conv1D(torch.nn.Module):
    """As in transformers."""

    def __init__(self, nf, nx) -> None:
        super().__init__()
        self.nf, self.weight, self.bias = nf, torch.nn.Parameter(torch.ones(nx, nf)), torch.nn.Parameter(torch.ones(nf))

    def forward(self, x):
        return x @ self.weight + self.bias


class GPT2Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(18, 6), Conv1D(6, 6)

    def forward(self, x):
        q, k, v = (part.view(2, 4, 2, 3).transpose(1, 2) for part in self.c_attn(x).split(6, dim=2))
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return self.c_proj(mixed.transpose(1, 2).reshape(2, 4, 6))


@pytest.mark.parametrize("model", [nn.MultiHeadDotProductAttention(2), Fused()])
def test_the_attention_of_gpt2(model, agrees) -> None:
    agrees(GPT2Attention(), model, SEQUENCES)
