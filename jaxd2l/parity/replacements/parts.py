"""Parts split, joined, shuffled and picked in another order."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import torch

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead

_GATES = frozenset(("sigmoid", "sigmoid_"))
_IN_BETWEEN = frozenset("add sub mul add_ mul_ getitem".split())  # noqa: SIM905


def parts(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on what splits, joins and picks."""
    if site.name in ("chunk", "split", "unbind", "tensor_split"):
        yield from _split(site, program)
    elif site.name in ("cat", "stack", "hstack", "vstack"):
        yield from _joined(site)
    elif site.name in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"):
        yield from _shuffled(site)
    elif site.name == "getitem":
        yield from _indexed(site)
    elif site.name == "unfold":
        yield from _unfolded(site)


def _split(site: Site, program: Program) -> Iterator[Candidate]:
    pieces = list(site.output)
    n, x = len(pieces), site.args[0]
    if not 1 < n <= 4 or len({p.shape for p in pieces}) > 1:
        return
    is_gates = program.follows(site, _GATES, _IN_BETWEEN) is not None
    what = "gate order" if is_gates else "order of query, key and value" if n == 3 else "order of the pieces of a split"
    for order in permutations(range(n)):
        if order != tuple(range(n)):
            hint = f"{what}: JAX takes the pieces as {order}, torch as {tuple(range(n))}"
            yield instead(
                site, hint, lambda *args, _o=order, **kwargs: tuple(site.function(*args, **kwargs)[i] for i in _o)
            )
    axis = next((i for i in range(x.dim()) if pieces[0].dim() == x.dim() and x.shape[i] != pieces[0].shape[i]), None)
    if axis is not None:
        for order in permutations(range(n)) if n < 4 else [tuple(range(n))]:
            words = what if n < 3 else "head layout"
            also = "" if order == tuple(range(n)) else f", in the order {order}"
            hint = f"{words}: JAX takes every {n}th feature, torch blocks of them (interleaved{also})"
            yield instead(
                site,
                hint,
                lambda x, *args, _o=order, **kw: tuple(x.unflatten(axis, (-1, n)).select(axis + 1, i) for i in _o),
            )


def _joined(site: Site) -> Iterator[Candidate]:
    parts = list(site.args[0]) if site.args else list(site.kwargs.get("tensors", ()))
    n = len(parts)
    if not 1 < n <= 4 or not all(isinstance(p, torch.Tensor) for p in parts):
        return
    for order in permutations(range(n)):
        if order != tuple(range(n)):
            hint = f"order of concatenation: JAX joins the parts as {order}, torch as {tuple(range(n))}"
            yield instead(
                site, hint, lambda parts, *args, _o=order, **kw: site.function([parts[i] for i in _o], *args, **kw)
            )
    for axis in range(parts[0].dim()):
        hint = f"axis of concatenation: JAX joins along axis {axis}"
        yield instead(
            site, hint, lambda parts, *args, _a=axis, **kw: site.function(list(parts), _a).reshape(site.output.shape)
        )
    if len({p.shape for p in parts}) == 1 and site.name == "cat":
        hint = "order of concatenation: JAX interleaves the parts"
        yield instead(site, hint, lambda parts, *args, **kw: torch.stack(list(parts), -1).reshape(site.output.shape))


def _shuffled(site: Site) -> Iterator[Candidate]:
    x, shape = site.args[0], site.output.shape
    factor = int(
        site.args[1] if len(site.args) > 1 else next(iter(v for v in site.kwargs.values() if isinstance(v, int)))
    )
    _batch, (channels, height, width) = x.shape[:-3], x.shape[-3:]
    if site.name == "channel_shuffle":
        yield instead(site, "channel shuffle is missing", lambda x, *args, **kwargs: x)
        hint = "order of channels: JAX shuffles the other way round"
        yield instead(site, hint, lambda x, *a, **k: x.unflatten(1, (-1, factor)).transpose(1, 2).flatten(1, 2))
        return
    small = (channels // factor**2, factor, factor) if site.name == "pixel_shuffle" else None
    for order in permutations(range(3)):
        for flipped in (False, True):
            if order == (0, 1, 2) and not flipped:
                continue
            words = ", and flips the width" if flipped else ""
            if small is not None:
                parts = [small[i] for i in order]
                back = [order.index(i) for i in range(3)]
                names = " x ".join(("channel", "row", "column")[i] for i in order)

                def change(
                    x: torch.Tensor, *args: Any, _p: Any = parts, _b: Any = back, _f: bool = flipped, **kw: Any
                ) -> Any:
                    y = x.reshape(-1, *_p, height, width)
                    y = y.permute(0, *(1 + i for i in _b), 4, 5)  # channel, row, column, height, width
                    y = y.permute(0, 1, 4, 2, 5, 3).reshape(shape)
                    return y.flip(-1) if _f else y

                hint = f"pixel_shuffle, order of channels: JAX reads {names}{words}, torch channel x row x column"
            else:
                names = " x ".join(("channel", "row", "column")[i] for i in order)

                def change(x: torch.Tensor, *args: Any, _o: Any = order, _f: bool = flipped, **kw: Any) -> Any:
                    y = x.reshape(-1, channels, height // factor, factor, width // factor, factor)
                    y = y.permute(0, 1, 3, 5, 2, 4)
                    y = y.permute(0, *(1 + i for i in _o), 4, 5).reshape(shape)
                    return y.flip(-1) if _f else y

                hint = f"pixel_unshuffle, order of channels: JAX writes {names}{words}, torch channel x row x column"
            yield instead(site, hint, change)


def _indexed(site: Site) -> Iterator[Candidate]:
    """The first place for the last one, and every other feature for the first half."""
    x, index = site.args[0], site.args[1]
    parts = index if isinstance(index, tuple) else (index,)
    for i, part in enumerate(parts):
        if isinstance(part, int) and not isinstance(part, bool):
            others = {part + 1: "next", part - 1: "one before", 0: "first", -1: "last"}
            for other, name in others.items():
                if other != part:
                    hint = f"index {part}: JAX takes {other}, the {name}"
                    yield instead(site, hint, lambda x, *a, _i=i, _o=other: x[(*parts[:_i], _o, *parts[_i + 1 :])])
            if Ellipsis not in parts[:i] and i + 1 < x.dim():
                hint = f"pooling: JAX takes the mean, torch index {part}"
                yield instead(site, hint, lambda x, *args, _i=i: x.mean(_i))
                yield instead(site, hint.replace("mean", "max"), lambda x, *args, _i=i: x.amax(_i))
        if isinstance(part, slice) and part.step is None and (part.start or part.stop):
            for shift in (-1, 1):
                moved = slice((part.start or 0) + shift, None if part.stop is None else part.stop + shift)
                hint = f"off by one: JAX takes places from {moved.start} on, torch from {part.start or 0}"
                yield instead(site, hint, lambda x, *a, _i=i, _m=moved: x[(*parts[:_i], _m, *parts[_i + 1 :])], 1)
        if isinstance(part, slice) and part.step == 2:
            half = x.shape[i if Ellipsis not in parts[:i] else i - len(parts)] // 2
            start = part.start or 0
            block = slice(0, half) if start == 0 else slice(half, None)
            hint = "interleaved: JAX takes halves, torch every second feature"
            yield instead(site, hint, lambda x, *a, _i=i, _b=block: x[(*parts[:_i], _b, *parts[_i + 1 :])])


def _unfolded(site: Site) -> Iterator[Candidate]:
    y = site.output
    if y.dim() == 3:
        kernel = site.args[1] if len(site.args) > 1 else site.kwargs.get("kernel_size")
        count = kernel[0] * kernel[1] if isinstance(kernel, tuple | list) else int(kernel or 1) ** 2
        hint = "order of patches: JAX writes a patch as (place, channel), torch as (channel, place)"
        yield instead(
            site, hint, lambda *a, **k: site.function(*a, **k).unflatten(1, (-1, count)).transpose(1, 2).flatten(1, 2)
        )
