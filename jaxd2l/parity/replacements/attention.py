"""Another scale, mask or axis in torch's fused attention."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.formulas import additive
from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, bound, instead

FILLS = (-1e9, -1e4, -1e10, -1e30, 0.0, -100.0, -1e5, -1e6, -1e8)
"""What masked scores may be filled with."""


def attention(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on fused attention."""
    if site.name == "scaled_dot_product_attention":
        yield from _fused(site)


def scales(d: int, heads: int) -> dict[str, float]:
    """What the scores may be multiplied with, by its name."""
    return {
        "attention scale is missing in JAX: scores are not divided by sqrt(d)": 1.0,
        f"attention scale: JAX divides by d = {d}, not by its root": 1 / d,
        f"attention scale: JAX divides by sqrt({d * heads}), of all heads together, not of one": (d * heads) ** -0.5,
        f"attention scale: JAX divides by sqrt(sqrt({d}))": d**-0.25,
        "attention scale: JAX multiplies by sqrt(d), torch divides by it": d**0.5,
        f"attention scale: JAX divides by sqrt({heads}), the number of heads": heads**-0.5,
    }


def _fused(site: Site) -> Iterator[Candidate]:
    given = site.named
    q, k = given["query"], given["key"]
    d = q.shape[-1]
    scale = given["scale"] or d**-0.5
    for hint, other in scales(d, q.shape[1] if q.dim() > 3 else 1).items():
        if other != scale:
            yield instead(site, f"{hint}", _by_formula(site, scale=other))
    hint = f"attention scale: JAX divides by sqrt({k.shape[-2]}), the number of tokens"
    yield instead(site, hint, _by_formula(site, scale=k.shape[-2] ** -0.5))
    if given["scale"]:
        yield instead(site, f"attention scale: JAX has 1/sqrt(d), torch {scale:g}", _by_formula(site, scale=d**-0.5))
    for hint, change in (
        ("softmax axis: JAX normalises over the queries, torch over the keys", {"axis": -2}),
        ("softmax axis: JAX normalises over the heads", {"axis": 1}),
        ("key and value are swapped in JAX", {"order": (0, 2, 1)}),
        ("query and key are swapped in JAX", {"order": (1, 0, 2)}),
        ("query and value are swapped in JAX", {"order": (2, 1, 0)}),
        ("softmax is missing: JAX multiplies the scores with the values", {"axis": None}),
    ):
        yield instead(site, f"{hint}", _by_formula(site, **change))
    if given["is_causal"]:
        yield from _causal(site)
    elif given["attn_mask"] is None:
        yield instead(site, "mask: JAX's attention is causal, torch's is not", _by_formula(site, causal=0))
    if given["attn_mask"] is not None:
        yield from _given_mask(site)


def _causal(site: Site) -> Iterator[Candidate]:
    for hint, options in (
        ("mask is missing: JAX's attention is not causal", {"causal": None}),
        ("mask off by one: JAX does not look at the token itself, torch does", {"causal": -1}),
        ("mask off by one: JAX looks one token ahead", {"causal": 1}),
        ("mask inverted: JAX looks at what comes after, torch at what came before", {"causal": 0, "inverted": True}),
        ("mask inverted: JAX looks at itself and what comes after", {"causal": -1, "inverted": True}),
        ("mask: JAX aligns its triangle with the last token, torch with the first", {"causal": "end"}),
    ):
        yield instead(site, f"{hint}", _by_formula(site, **options))
    for fill in FILLS:
        hint = f"mask: JAX fills with {fill:g}, torch with minus infinity"
        yield instead(site, hint, _by_formula(site, fill=fill))


def _given_mask(site: Site) -> Iterator[Candidate]:
    mask = site.named["attn_mask"]
    yield instead(site, "mask is missing in JAX's attention", _by_formula(site, mask=lambda m: None))
    ways: dict[str, Any] = {"mask off by one in JAX: shifted to the right": lambda m: m.roll(1, -1)}
    ways["mask off by one in JAX: shifted to the left"] = lambda m: m.roll(-1, -1)
    if mask.dim() > 1 and mask.shape[-1] == mask.shape[-2]:
        ways["mask transposed: JAX exchanges queries and keys"] = lambda m: m.mT
    if mask.dtype == torch.bool:
        ways["mask inverted: JAX looks where torch does not"] = lambda m: ~m
        ways["mask is added as a number in JAX: True counts as 1"] = lambda m: m.double()
    else:
        ways["mask with the other sign in JAX"] = lambda m: -m
        ways["mask inverted: JAX looks where torch does not"] = lambda m: torch.where(m < -1e3, 0.0, -math.inf)
        ways["mask is multiplied with the scores in JAX"] = None
    for hint, way in ways.items():
        if way is not None:
            yield instead(site, f"{hint}", _by_formula(site, mask=way))
    for fill in FILLS:
        hint = f"mask: JAX fills with {fill:g}, torch with minus infinity"
        yield instead(site, hint, _by_formula(site, fill=fill))


def _by_formula(
    site: Site, scale: Any = None, axis: int | None = -1, order: tuple[int, ...] = (0, 1, 2), causal: Any = "theirs",
    inverted: bool = False, mask: Any = None, fill: float = -math.inf,
) -> Change:  # fmt: skip
    def change(*args: Any, **kwargs: Any) -> torch.Tensor:
        given = bound(site.function, site.name, args, kwargs)
        q, k, v = ((given["query"], given["key"], given["value"])[i] for i in order)
        k, v = (x if x.shape[1] == q.shape[1] else x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
        scores = q @ k.mT * (scale or given["scale"] or q.shape[-1] ** -0.5)
        rows, columns = scores.shape[-2:]
        start = (0 if given["is_causal"] else None) if causal == "theirs" else causal
        if start is not None:
            start = columns - rows if start == "end" else start
            seen = torch.ones(rows, columns, dtype=torch.bool).tril(start)
            scores = scores.masked_fill(seen if inverted else ~seen, fill)
        if (m := given["attn_mask"]) is not None and (m := mask(m) if mask else m) is not None:
            low = additive(~m if m.dtype == torch.bool else m, scores)
            scores = scores + low.clamp_min(fill) if fill else scores.masked_fill(low < -1e3, 0.0)
        weights = scores if axis is None else F.softmax(scores, axis)
        return F.dropout(weights, given["dropout_p"], given["dropout_p"] > 0) @ v

    return change
