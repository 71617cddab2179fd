"""Another table row, scale or encoding of positions."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, bound, instead, tensor_of

Way = Callable[[torch.Tensor], torch.Tensor]
_BASES = (10000.0, 1000.0, 500000.0, 100000.0, 1e6)


def embeddings(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on embeddings, one-hot vectors and tables of positions."""
    if site.name == "embedding":
        yield from _looked_up(site, program)
    elif site.name == "embedding_bag":
        given = site.named
        for mode in ("sum", "mean", "max"):
            if mode != given["mode"]:
                hint = f"embedding_bag: JAX takes the {mode}, torch the {given['mode']}"
                yield instead(
                    site,
                    hint,
                    lambda *a, _m=mode, **k: site.function(**bound(site.function, site.name, a, k) | {"mode": _m}),
                )
    elif site.name == "mul" and (theirs := site.scalar) is not None:
        if program.comes_from(site, frozenset(("embedding",)), frozenset()) is not None:
            hint = f"embedding scale is missing: torch multiplies by {site.scalar:g}, sqrt(d)"
            yield instead(site, hint, lambda *a, **k: tensor_of(a))
            hint = f"embedding scale: JAX divides by {site.scalar:g}, torch multiplies"
            yield instead(site, hint, partial(_divided, theirs))
    elif site.name == "add":
        yield from _positions(site, program)
    elif site.name in ("sin", "cos"):
        other = "cos" if site.name == "sin" else "sin"
        hint = f"positional encoding: JAX has {other} where torch has {site.name}"
        yield instead(site, hint, lambda x: getattr(torch, other)(x))
    elif site.name == "arange":
        for shift in (1, -1):
            hint = f"off by one: JAX counts from {shift:+d} on"
            yield instead(site, hint, lambda *a, _s=shift, **k: site.function(*a, **k) + _s)
        hint = "order: JAX counts backwards"
        yield instead(site, hint, lambda *a, **k: site.function(*a, **k).flip(0))
    elif site.name in ("pow", "rpow") and site.scalar in _BASES:
        for base in _BASES:
            hint = f"positional encoding: JAX's base is {base:g}, torch's {site.scalar:g}"
            yield instead(
                site,
                hint,
                lambda *a, _b=base, **k: site.function(*[_b if isinstance(x, int | float) else x for x in a], **k),
            )
    elif site.name == "mul" and (theirs := site.scalar) is not None:
        return


def _divided(by: float, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor_of(args) / by


def _looked_up(site: Site, program: Program) -> Iterator[Candidate]:
    given = site.named
    rows, d = given["weight"].shape
    padding = given["padding_idx"]

    def taken(way: Any) -> Any:
        def change(*args: Any, **kwargs: Any) -> torch.Tensor:
            g = bound(site.function, site.name, args, kwargs)
            return F.embedding(way(g["input"]), g["weight"])

        return change

    is_scaled = any(other.name == "mul" and other.scalar is not None for other in program.after(site))
    for words, factor in () if is_scaled else (("multiplies", math.sqrt(d)), ("divides", 1 / math.sqrt(d))):
        hint = f"embedding scale: JAX {words} by sqrt(d) = sqrt({d}), torch does not"
        yield instead(site, hint, lambda *a, _f=factor, **k: site.function(*a, **k) * _f)
    for index in dict.fromkeys((padding, 0, 1, rows - 1)):
        if index is not None:
            also = "padding_idx" if index == padding else "no padding_idx in torch"
            hint = f"padding_idx: JAX gives zeros for token {index}, {also}"

            def zeroed(*a: Any, _i: Any = index, **k: Any) -> Any:
                return site.function(*a, **k) * (bound(site.function, site.name, a, k)["input"] != _i)[..., None]

            yield instead(site, hint, zeroed)
    for shift in (1, -1):
        hint = f"off by one: JAX looks up row token {shift:+d} in the embedding"
        yield instead(site, hint, taken(lambda ids, _s=shift: (ids + _s) % rows))
        yield instead(site, hint, taken(lambda ids, _s=shift: (ids + _s).clamp(0, rows - 1)))
    if given["max_norm"] is not None:
        yield instead(site, "max_norm is missing in JAX's embedding", taken(lambda ids: ids))
    first = given["input"]
    if first.dim() == 2:
        hint = "positions: JAX reads the tokens backwards"
        yield instead(site, hint, taken(lambda ids: ids.flip(-1)))


def _positions(site: Site, program: Program) -> Iterator[Candidate]:
    """A table of positions added to what depends on the inputs: shifted, or its sines and cosines in another order."""
    if len(site.args) < 2 or not all(isinstance(x, torch.Tensor) and x.dim() > 1 for x in site.args[:2]):
        return
    for position, table in enumerate(site.args[:2]):
        other = site.args[1 - position]
        if program.is_own(table, site) and not program.is_own(other, site):
            maker = next((program.sites[n] for n in site.sources if program.sites[n].output is table), None)
            for hint, way in _other_tables(table.shape[-1], maker):
                yield instead(site, f"positional encoding{hint}", _with_argument(site, position, way))


def _with_argument(site: Site, position: int, way: Way) -> Change:
    return lambda *args, **kw: site.function(*[way(x) if i == position else x for i, x in enumerate(args)], **kw)


def _other_tables(d: int, maker: Site | None) -> Iterator[tuple[str, Way]]:
    yield " is missing in JAX", torch.zeros_like
    for shift in (1, -1):
        yield f" off by one: JAX's positions are shifted by {shift:+d}", partial(_moved, maker=maker, shift=shift)
    if d % 2 == 0:
        yield from _SINES.items()
    yield ": JAX counts backwards", lambda t: t.flip(-2)
    yield ": JAX subtracts it, torch adds it", torch.neg
    yield ": JAX multiplies it by sqrt(d)", lambda t: t * math.sqrt(d)
    yield ": JAX multiplies it by 1/sqrt(d)", lambda t: t / math.sqrt(d)


_SINES: dict[str, Way] = {
    ": interleaved in torch, sines before cosines (concatenated) in JAX": lambda t: torch.cat(
        [t[..., ::2], t[..., 1::2]], -1
    ),
    ": interleaved in JAX, concatenated in torch": lambda t: torch.stack(t.chunk(2, -1), -1).flatten(-2),
    ": sine and cosine are swapped in JAX (interleaved)": lambda t: t.unflatten(-1, (-1, 2)).flip(-1).flatten(-2),
    ": sine and cosine are swapped in JAX (halves)": lambda t: torch.cat(t.chunk(2, -1)[::-1], -1),
    ": cosines before sines (concatenated) in JAX, interleaved in torch": lambda t: torch.cat(
        [t[..., 1::2], t[..., ::2]], -1
    ),
}


def _moved(table: torch.Tensor, *, maker: Site | None, shift: int) -> torch.Tensor:
    """The rows of the table from the next or the one before, where the whole table is known."""
    if maker is not None and maker.name == "embedding":
        ids = maker.args[0] if maker.args else maker.kwargs["input"]
        weight = maker.args[1] if len(maker.args) > 1 else maker.kwargs["weight"]
        return F.embedding((ids + shift) % len(weight), weight)
    if maker is not None and maker.name == "getitem":
        whole = maker.args[0]
        axis = next(
            (i for i, (a, b) in enumerate(zip(whole.shape, table.shape, strict=False)) if a != b), table.dim() - 2
        )
        if whole.dim() == table.dim():
            return whole.roll(-shift, axis).narrow(axis, 0, table.shape[axis])
    return table.roll(-shift, -2)
