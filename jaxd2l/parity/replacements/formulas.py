"""torch's fused functions by their formulas, so that their parts can be replaced."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812


def multi_head_attention(
    query: Any, key: Any, value: Any, embed_dim: int, num_heads: int, *rest: Any, **kw: Any
) -> Any:
    """`F.multi_head_attention_forward`."""
    in_weight, in_bias, bias_k, bias_v, zero_attn, dropout, out_weight, out_bias = rest[:8]
    is_batched = query.dim() == 3
    if not is_batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
    biases = in_bias.chunk(3) if in_bias is not None else (None,) * 3
    weights = [kw[f"{n}_proj_weight"] for n in "qkv"] if kw.get("use_separate_proj_weight") else in_weight.chunk(3)
    q, k, v = (
        F.linear(x, w, b).unflatten(-1, (num_heads, embed_dim // num_heads)).permute(1, 2, 0, 3)
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    k, v = (
        x if kw.get(given) is None else kw[given].unflatten(0, (-1, num_heads))
        for x, given in ((k, "static_k"), (v, "static_v"))
    )
    mask = _mask(kw.get("attn_mask"), kw.get("key_padding_mask"), num_heads, q)
    for more_k, more_v in _more_keys(bias_k, bias_v, bool(zero_attn), k, v):
        k, v = (torch.cat((x, more.expand(len(x), -1, -1, -1)), 2) for x, more in ((k, more_k), (v, more_v)))
        mask = mask if mask is None else F.pad(mask, (0, 1))
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


def _more_keys(
    bias_k: Any, bias_v: Any, zero_attn: bool, k: torch.Tensor, v: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values behind the others, (heads, 1, depth): learned ones, and zeros."""
    if bias_k is not None:
        yield bias_k.reshape(k.shape[1], 1, -1), bias_v.reshape(v.shape[1], 1, -1)
    if zero_attn:
        yield torch.zeros_like(k[0, :, :1]), torch.zeros_like(v[0, :, :1])


def _mask(mask: Any, padding: Any, heads: int, q: torch.Tensor) -> Any:
    """Both masks as numbers that are added to the scores; None if there is none."""
    parts = []
    if mask is not None:
        parts.append(additive(mask.reshape(-1, heads, *mask.shape[1:]) if mask.dim() == 3 else mask, q))
    if padding is not None:
        parts.append(additive(padding.reshape(-1, 1, 1, padding.shape[-1]), q))
    return sum(parts) if parts else None


def additive(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A mask that is True where nothing is looked at, as 0 and minus infinity."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf) if mask.dtype == torch.bool else mask


FORMULAS: dict[str, Callable[..., Any]] = {"multi_head_attention_forward": multi_head_attention}
