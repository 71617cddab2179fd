"""ViT of `transformers`, in Haiku: patches of an image as words, and a class word in front."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import Array
from transformers import ViTConfig, ViTModel

from parity_tests.ports.port import Bug, Port

HIDDEN, HEADS, LAYERS, WIDE, SIZE, PATCH = 32, 4, 2, 48, 16, 4


def attention(x: Array, is_scaled: bool) -> Array:
    """Every word looks at all."""
    n, length, hidden = x.shape
    query, key, value = (
        hk.Linear(hidden, name=name)(x).reshape(n, length, HEADS, -1) for name in ("query", "key", "value")
    )
    scale = (hidden // HEADS) ** -0.5 if is_scaled else 1.0
    weights = jax.nn.softmax(scale * jnp.einsum("nqhd,nkhd->nhqk", query, key))
    return hk.Linear(hidden, name="attention_output")(jnp.einsum("nhqk,nkhd->nqhd", weights, value).reshape(x.shape))


def norm(x: Array, eps: float, name: str) -> Array:
    """Each word with mean 0 and variance 1."""
    return hk.LayerNorm(-1, create_scale=True, create_offset=True, eps=eps, name=name)(x)


def layer(x: Array, i: int, eps: float, approximate: bool, is_scaled: bool) -> Array:
    """Attention and a wide layer, each of normalised inputs and added to them."""
    with hk.name_scope(f"layer_{i}"):
        x = x + attention(norm(x, eps, "layernorm_before"), is_scaled)
        wide = jax.nn.gelu(hk.Linear(WIDE, name="intermediate")(norm(x, eps, "layernorm_after")), approximate)
        return x + hk.Linear(x.shape[-1], name="output")(wide)


def vit(images: Array, eps: float = 1e-12, approximate: bool = False, is_scaled: bool = True) -> dict[str, Array]:
    """Images with channels last: patches, the layers, and the class word pooled."""
    patches = hk.Conv2D(HIDDEN, PATCH, PATCH, padding="VALID", name="patch_embeddings")(images)
    words = patches.reshape(len(images), -1, HIDDEN)
    first = hk.get_parameter("cls_token", (1, 1, HIDDEN), init=jnp.zeros)
    x = jnp.concatenate([jnp.broadcast_to(first, (len(images), 1, HIDDEN)), words], 1)
    x = x + hk.get_parameter("position_embeddings", (1, x.shape[1], HIDDEN), init=jnp.zeros)
    for i in range(LAYERS):
        x = layer(x, i, eps, approximate, is_scaled)
    x = norm(x, eps, "layernorm")
    return {"last_hidden_state": x, "pooler_output": jnp.tanh(hk.Linear(HIDDEN, name="pooler")(x[:, 0]))}


def torch_vit() -> torch.nn.Module:
    """A small one, with random weights."""
    config = ViTConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=WIDE,
        image_size=SIZE,
        patch_size=PATCH,
        num_channels=3,
        initializer_range=0.3,
    )
    return ViTModel(config)


PORT = Port(
    torch_vit,
    "Haiku",
    lambda **options: hk.without_apply_rng(hk.transform(lambda images: vit(images, **options))),
    lambda: np.random.default_rng(0).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32),
    {
        "another eps": Bug({"eps": 1e-5}, ("eps=1e-05",)),
        "tanh-gelu": Bug({"approximate": True}, ("gelu",)),
        "no scale": Bug({"is_scaled": False}, ("scale",)),
    },
    {"to_jax": "NCHW->NHWC", "outputs": (dict, dict)},
)
