"""Attention that is written out: its scale, its mask and its axis, known by what they feed."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.attention import FILLS, scales
from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, instead, tensor_of

_SOFTMAX = frozenset(("softmax", "log_softmax"))
_PRODUCTS = frozenset(("matmul", "einsum", "baddbmm"))
_TO_SOFTMAX = frozenset("add sub mul div masked_fill where reshape float getitem tanh".split())  # noqa: SIM905
_TO_PRODUCT = _TO_SOFTMAX | {"transpose", "permute"}


def written_attention(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on a softmax, and on what goes into one."""
    if site.name in _SOFTMAX:
        yield from _softmax(site, program)
    elif site.name in ("mul", "div", "rdiv") and site.scalar is not None:
        yield from _scaled(site, program)
    elif site.name in _PRODUCTS:
        yield from _unscaled(site, program)
    elif site.name in ("masked_fill", "masked_fill_", "where") and len(site.args) == 3:
        yield from _masked(site, program)
    elif site.name in ("triu", "tril"):
        yield from _triangles(site)


def _softmax(site: Site, program: Program) -> Iterator[Candidate]:
    x = site.x
    dim = site.args[1] if len(site.args) > 1 else site.kwargs.get("dim", -1)
    function = F.softmax if site.name == "softmax" else F.log_softmax
    for axis in range(x.dim()):
        if axis != (dim if dim is not None else -1) % x.dim():
            hint = f"{site.name} axis: JAX normalises over axis {axis}, torch over {dim}"
            yield instead(site, hint, lambda x, *a, _a=axis, **k: function(x, _a))
    other = "log_softmax" if site.name == "softmax" else "softmax"
    hint = f"{other} in place of {site.name} in JAX"
    yield instead(site, hint, lambda x, *a, **k: getattr(F, other)(x, dim))
    yield instead(site, "sigmoid in place of softmax in JAX", lambda x, *a, **k: torch.sigmoid(x))
    yield instead(site, f"{site.name} is missing", lambda x, *a, **k: x)
    yield instead(site, f"{site.name} twice in JAX", lambda x, *a, **k: function(function(x, dim), dim))
    hint = f"{site.name}: JAX has the temperature in the other sign"
    yield instead(site, hint, lambda x, *a, **k: function(-x, dim))
    if program.comes_from(site, _PRODUCTS, _TO_PRODUCT) is not None and x.shape[-1] == x.shape[-2]:
        low = torch.full(x.shape[-2:], -math.inf, dtype=torch.float64).triu(1)
        if bool(torch.isfinite(x).all()):
            hint = "mask: JAX's attention is causal, torch's is not"
            yield instead(site, hint, lambda x, *a, **k: function(x + low, dim))


def _scaled(site: Site, program: Program) -> Iterator[Candidate]:
    """A factor between a product and its softmax, or before the product, is attention's scale."""
    softmax = program.follows(site, _SOFTMAX, _TO_SOFTMAX | _PRODUCTS | {"transpose", "permute", "mT"})
    if softmax is None:
        return
    products = [s for s in program.before(softmax, 6) if s.name in _PRODUCTS]
    if not products or len(products[0].args) < 2 or not isinstance(products[0].args[0], torch.Tensor):
        return
    q = products[0].args[0]
    d, heads = q.shape[-1], q.shape[1] if q.dim() > 3 else 1
    theirs = site.scalar or 1.0
    for hint, other in scales(d, heads).items():
        if abs(other - (1 / theirs if site.name == "div" else theirs)) > 1e-9:
            yield instead(site, f"{hint}", lambda *a, _o=other, **k: tensor_of(a) * _o)
    hint = f"attention scale: JAX divides by sqrt({q.shape[-2]}), the number of tokens"
    yield instead(site, hint, lambda *a, **k: tensor_of(a) * q.shape[-2] ** -0.5)


def _unscaled(site: Site, program: Program) -> Iterator[Candidate]:
    """A product that goes into a softmax: scaled in JAX, or with its arguments exchanged."""
    q = site.args[0] if isinstance(site.args[0], torch.Tensor) else site.args[1] if len(site.args) > 1 else None
    if not isinstance(q, torch.Tensor) or not isinstance(site.output, torch.Tensor):
        return
    y = site.output
    if program.follows(site, _SOFTMAX, _TO_SOFTMAX) is not None:
        for factor, words in ((q.shape[-1] ** -0.5, "sqrt(d)"), (1 / q.shape[-1], "d")):
            hint = f"attention scale: JAX divides the scores by {words} once more than torch"
            yield instead(site, hint, lambda *a, _f=factor, **k: site.function(*a, **k) * _f)
        if y.shape[-1] == y.shape[-2]:
            hint = "query and key are swapped in JAX: its scores are transposed"
            yield instead(site, hint, lambda *a, **k: site.function(*a, **k).mT)
    elif program.comes_from(site, _SOFTMAX, frozenset(("dropout", "getitem", "masked_fill"))) is not None:
        weights = site.args[0]
        if isinstance(weights, torch.Tensor) and weights.shape[-1] == weights.shape[-2] and site.name == "matmul":
            hint = "attention weights are transposed in JAX"
            yield instead(site, hint, lambda w, v: w.mT @ v)


def _masked(site: Site, program: Program) -> Iterator[Candidate]:
    is_where = site.name == "where"
    mask = site.args[0 if is_where else 1]
    if not isinstance(mask, torch.Tensor):
        return

    def other(way: Any) -> Change:
        if is_where:
            return lambda m, *args: torch.where(way(m), *args)
        return lambda x, m, value: x.masked_fill(way(m), value)

    yield instead(site, "mask inverted in JAX", other(lambda m: ~m))
    yield instead(
        site,
        "mask is missing in JAX",
        (lambda m, a, b: b if isinstance(b, torch.Tensor) and b.dim() == site.output.dim() else a)
        if is_where
        else lambda x, m, value: x,
    )
    if is_where and isinstance(site.args[1], torch.Tensor) and site.args[1].dim() == site.output.dim():
        yield instead(site, "mask is missing in JAX", lambda m, a, b: a)
    yield instead(site, "mask off by one in JAX: shifted to the right", other(lambda m: m.roll(1, -1)))
    yield instead(site, "mask off by one in JAX: shifted to the left", other(lambda m: m.roll(-1, -1)))
    if mask.dim() > 1:
        yield instead(site, "mask off by one in JAX: shifted down", other(lambda m: m.roll(1, -2)))
        if mask.shape[-1] == mask.shape[-2]:
            yield instead(site, "mask transposed: JAX exchanges queries and keys", other(lambda m: m.mT))
            for shift in (-1, 1):
                moved = torch.ones(mask.shape[-2:], dtype=torch.bool)
                for triangle in (moved.triu(1 + shift), moved.tril(shift)):
                    hint = f"mask off by one in JAX: its diagonal is moved by {shift:+d}"
                    if _is_triangle(mask):
                        yield instead(site, hint, other(lambda m, _t=triangle: _t.expand_as(m)))
    for fill in FILLS:
        hint = f"mask: JAX fills with {fill:g}"
        yield instead(site, hint, partial(_where_with if is_where else _filled_with, fill))


def _where_with(fill: float, mask: Any, a: Any, b: Any) -> torch.Tensor:
    is_filled_by_second = not isinstance(b, torch.Tensor) or b.dim() == 0
    return torch.where(mask, a, fill) if is_filled_by_second else torch.where(mask, fill, b)


def _filled_with(fill: float, x: torch.Tensor, mask: torch.Tensor, value: Any) -> torch.Tensor:
    return x.masked_fill(mask, fill)


def _is_triangle(mask: torch.Tensor) -> bool:
    if not mask.numel():
        return False
    flat = mask.reshape(-1, *mask.shape[-2:])[0]
    ones = torch.ones_like(flat)
    return bool((flat == ones.triu(1)).all() or (flat == ones.tril(0)).all())


def _triangles(site: Site) -> Iterator[Candidate]:
    diagonal = site.args[1] if len(site.args) > 1 else site.kwargs.get("diagonal", 0)
    function, other = (torch.triu, torch.tril) if site.name == "triu" else (torch.tril, torch.triu)
    for shift in (-1, 1):
        hint = f"mask off by one in JAX: its diagonal is {diagonal + shift}, torch's {diagonal}"
        yield instead(site, hint, lambda x, *a, _s=shift, **k: function(x, diagonal + _s))
    for k in (0, 1, -1):
        hint = f"mask inverted in JAX: {other.__name__} with diagonal {k}, torch {site.name} with {diagonal}"
        yield instead(site, hint, lambda x, *a, _k=k, **kw: other(x, _k))
    yield instead(site, f"mask is missing in JAX: {site.name} leaves all", lambda x, *a, **k: x)
    yield instead(site, f"mask is missing in JAX: {site.name} leaves nothing", lambda x, *a, **k: x * 0)
