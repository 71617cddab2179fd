"""torch's fused functions by their formulas, so that their parts can be replaced."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812


def multi_head_attention(
    query: Any, key: Any, value: Any, embed_dim: int, num_heads: int, *rest: Any, **kw: Any
) -> Any:
    """`F.multi_head_attention_forward`, as far as `nn.MultiheadAttention` uses it.

    Raises:
      ValueError: for options that are not spelled out here.
    """
    in_weight, in_bias, bias_k, bias_v, zero_attn, dropout, out_weight, out_bias = rest[:8]
    if bias_k is not None or bias_v is not None or zero_attn:
        raise ValueError("biases of keys and values are not spelled out")
    is_batched = query.dim() == 3
    if not is_batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
    biases = in_bias.chunk(3) if in_bias is not None else (None,) * 3
    weights = [kw[f"{n}_proj_weight"] for n in "qkv"] if kw.get("use_separate_proj_weight") else in_weight.chunk(3)
    q, k, v = (
        F.linear(x, w, b).unflatten(-1, (num_heads, embed_dim // num_heads)).permute(1, 2, 0, 3)
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    mask = _mask(kw.get("attn_mask"), kw.get("key_padding_mask"), num_heads, q)
    rate = dropout if kw.get("training") else 0.0
    if kw.get("need_weights", True):
        scores = torch.matmul(q / math.sqrt(q.shape[-1]), k.mT)
        attention = F.dropout(F.softmax(scores if mask is None else scores + mask, dim=-1), rate, rate > 0)
        mixed = torch.matmul(attention, v)
    else:
        attention, mixed = None, F.scaled_dot_product_attention(q, k, v, mask, rate)
    out = F.linear(mixed.permute(2, 0, 1, 3).flatten(2), out_weight, out_bias)
    if attention is not None and kw.get("average_attn_weights", True):
        attention = attention.mean(1)
    return (out, attention) if is_batched else (out.squeeze(1), attention if attention is None else attention[0])


def _mask(mask: Any, padding: Any, heads: int, q: torch.Tensor) -> Any:
    """Both masks as numbers that are added to the scores; None if there is none."""
    parts = []
    if mask is not None:
        parts.append(additive(mask.reshape(-1, heads, *mask.shape[1:]) if mask.dim() == 3 else mask, q))
    if padding is not None:
        parts.append(additive(padding[:, None, None, :], q))
    return sum(parts) if parts else None


def additive(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A mask that is True where nothing is looked at, as 0 and minus infinity."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf) if mask.dtype == torch.bool else mask


FORMULAS: dict[str, Callable[..., Any]] = {"multi_head_attention_forward": multi_head_attention}
