"""Another kind of pooling, or other windows."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.convolutions import padded, same_padding
from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, instead, pair, with_options

_KINDS = ("max_pool", "avg_pool")


def pooling(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on a pooling: of windows, adaptive, or of all places."""
    kind = site.name[:-2]
    if kind in _KINDS:
        yield from _windows(site, kind)
    elif kind in ("adaptive_avg_pool", "adaptive_max_pool"):
        yield from _adaptive(site, kind)
    elif site.name in ("mean", "amax", "max", "sum", "logsumexp"):
        yield from _of_all(site)


def _windows(site: Site, kind: str) -> Iterator[Candidate]:
    given, n = site.named, int(site.name[-2])
    kernel, padding = pair(given["kernel_size"], n), pair(given["padding"], n)
    stride = pair(given["stride"] or kernel, n)
    if kind == "avg_pool":
        flag = not given["count_include_pad"]
        hint = f"pooling: matches with count_include_pad={flag}, torch has {not flag}"
        yield instead(site, hint, with_options(site, count_include_pad=flag))
    hint = f"pooling: matches with ceil_mode={not given['ceil_mode']}, torch has {given['ceil_mode']}"
    yield instead(site, hint, with_options(site, ceil_mode=not given["ceil_mode"]))
    sizes = given["input"].shape[-n:]
    same = [same_padding(*z) for z in zip(sizes, kernel, stride, strict=True)]
    for other in _KINDS[:: 1 if kind == "max_pool" else -1]:
        exchanged = "" if other == kind else f"pooling: JAX takes the {other[:3]} of a window, torch the {kind[:3]}"
        ways = {"": [(p, p) for p in padding], "its padding is SAME": same, "its padding is VALID, none": [(0, 0)] * n}
        ways["the odd place of its padding is at the start"] = [both[::-1] for both in same]
        for way, widths in ways.items():
            for counted in (False, True) if any(map(any, widths)) else (False,):
                what = "padding counts, as zeros" if other == "max_pool" else "padding is counted"
                words = [f"padding: {way} in JAX" if way else "", exchanged, f"pooling: {what}" if counted else ""]
                if way or exchanged or counted:
                    hint = f"{'; '.join(filter(None, words))}, torch has padding={padding}"
                    yield instead(site, hint, _pool(other, n, kernel, stride, widths, counted))
    if stride != kernel:
        hint = f"pooling: JAX's stride is the window's size {kernel}, torch's {stride}"
        yield instead(site, hint, with_options(site, stride=kernel))
    hint = f"pooling: JAX takes the sum of a window, torch the {kind[:3]}"
    yield instead(
        site,
        hint,
        lambda x, *a, **k: _pool("avg_pool", n, kernel, stride, [(p, p) for p in padding], True)(x) * math.prod(kernel),
    )
    hint = f"pooling is missing: JAX takes every {stride[0]}th place"
    yield instead(site, hint, lambda x, *a, **k: x[(..., *(slice(None, None, s) for s in stride))])


def _pool(kind: str, n: int, kernel: Any, stride: Any, widths: list[tuple[int, int]], counted: bool) -> Change:
    def change(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if kind == "max_pool":
            full = F.pad(x, [w for both in reversed(widths) for w in both], value=0.0 if counted else -math.inf)
            return getattr(F, f"max_pool{n}d")(full, kernel, stride)
        average = getattr(F, f"avg_pool{n}d")
        summed = average(padded(x, widths), kernel, stride)
        return summed if counted else summed / average(padded(torch.ones_like(x), widths), kernel, stride)

    return change


def _adaptive(site: Site, kind: str) -> Iterator[Candidate]:
    n = int(site.name[-2])
    x, out = site.args[0], site.output.shape[-n:]
    other = "adaptive_max_pool" if kind == "adaptive_avg_pool" else "adaptive_avg_pool"
    names = {"adaptive_avg_pool": "average", "adaptive_max_pool": "max"}
    hint = f"pooling: JAX takes the {names[other]}, torch the {names[kind]}"
    yield instead(site, hint, lambda x, size, *args, **kwargs: getattr(F, f"{other}{n}d")(x, size))
    sizes = x.shape[-n:]
    for pool in ("avg_pool", "max_pool"):
        function = getattr(F, f"{pool}{n}d")
        for stride, kernel in (
            (
                tuple(s // o for s, o in zip(sizes, out, strict=True)),
                tuple(s // o for s, o in zip(sizes, out, strict=True)),
            ),
            (
                tuple(s // o for s, o in zip(sizes, out, strict=True)),
                tuple(s - (o - 1) * (s // o) for s, o in zip(sizes, out, strict=True)),
            ),
            (tuple(-(-s // o) for s, o in zip(sizes, out, strict=True)),) * 2,
        ):
            if min(stride) < 1:
                continue
            what = "" if pool in kind else f" and takes the {pool[:3]}"
            hint = f"adaptive pooling: JAX has windows of {kernel} with stride {stride}{what}, torch's overlap"
            yield instead(
                site, hint, lambda x, *args, _f=function, _k=kernel, _s=stride, **kw: _f(x, _k, _s, ceil_mode=False)
            )
    if set(out) == {1}:
        axes = tuple(range(-n, 0))
        for hint, change in (
            ("pooling: JAX takes the sum of all places, torch the mean", lambda x, *a, **k: x.sum(axes, keepdim=True)),
            ("pooling: JAX takes the first place alone", lambda x, *a, **k: x[(..., *(slice(0, 1),) * n)]),
        ):
            yield instead(site, f"{hint}", change)


def _of_all(site: Site) -> Iterator[Candidate]:
    """A mean or a maximum over one axis or more, such as that of all tokens."""
    x, y = site.args[0], site.output
    if not isinstance(x, torch.Tensor) or not isinstance(y, torch.Tensor) or x.dim() < 2:
        return
    dim, keep = site.args[1] if len(site.args) > 1 else site.kwargs.get("dim"), site.kwargs.get("keepdim", False)
    if dim is None or site.name == "max":
        return
    axes = tuple(d % x.dim() for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    ways: dict[str, Change] = {
        "mean": lambda x: x.mean(axes, keepdim=keep),
        "max": lambda x: x.amax(axes, keepdim=keep),
        "sum": lambda x: x.sum(axes, keepdim=keep),
    }
    if len(axes) == 1:
        ways |= {
            "first": lambda x: x.select(axes[0], 0) if not keep else x.narrow(axes[0], 0, 1),
            "last": lambda x: x.select(axes[0], -1) if not keep else x.narrow(axes[0], x.shape[axes[0]] - 1, 1),
        }
    theirs = {"amax": "max"}.get(site.name, site.name)
    for way, change in ways.items():
        if way != theirs:
            hint = f"pooling over axis {axes if len(axes) > 1 else axes[0]}: JAX takes the {way}, torch the {theirs}"
            if {way, theirs} == {"mean", "sum"}:
                hint = (
                    "missing mean: matches with sum in place of mean"
                    if way == "sum"
                    else "mean too many: matches with mean in place of sum"
                )
            yield instead(site, hint, lambda x, *args, _c=change, **kwargs: _c(x))
