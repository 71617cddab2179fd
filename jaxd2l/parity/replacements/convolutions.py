"""Another padding, kernel, dilation, stride or order of channels in a convolution."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, bound, instead, pair, place

_MODES = {"circular": "circular (wrap around)", "reflect": "reflect", "replicate": "replicate (edge)"}


def convolutions(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on a convolution, transposed or not."""
    if site.name in ("conv1d", "conv2d", "conv3d"):
        yield from _paddings(site)
        yield from _kernels(site)
        yield from _dilations(site)
        yield from _channels(site)
        yield from _strides(site, program)
    elif site.name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
        yield from _transposed(site)
        yield from _kernels(site)


def _n(site: Site) -> int:
    return int(site.name[-2])


def _with(site: Site, **options: Any) -> Change:
    def change(*args: Any, **kwargs: Any) -> Any:
        given = bound(site.function, site.name, args, kwargs)
        given |= {name: option(given) if callable(option) else option for name, option in options.items()}
        return site.function(*given.values())

    return change


def padded(x: torch.Tensor, widths: list[tuple[int, int]], mode: str = "constant") -> torch.Tensor:
    """An array with so many more places before and after each of its last axes."""
    flat = [w for both in reversed(widths) for w in both]
    return F.pad(x, flat, mode=mode) if any(flat) else x


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """XLA's "SAME": as many outputs as `size / stride`, the odd place at the end."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _paddings(site: Site) -> Iterator[Candidate]:
    given, n = site.named, _n(site)
    x, weight = given["input"], given["weight"]
    sizes, kernel = x.shape[-n:], weight.shape[2:]
    stride, dilation = (pair(given[name], n) for name in ("stride", "dilation"))
    if isinstance(given["padding"], str):
        padding = tuple(
            d * (k - 1) // 2 if given["padding"] == "same" else 0 for d, k in zip(dilation, kernel, strict=True)
        )
    else:
        padding = pair(given["padding"], n)
    same = [same_padding(*sizes_) for sizes_ in zip(sizes, kernel, stride, dilation, strict=True)]
    words = f"torch padding={padding}"
    yield _padding(site, f"padding: JAX has SAME, {words}", same)
    lower = [both[::-1] for both in same]
    yield _padding(site, f"padding: JAX has SAME_LOWER, the odd place at the start; {words}", lower)
    yield _padding(site, f"padding: JAX has VALID, none; {words}", [(0, 0)] * n)
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    yield _padding(site, f"padding: JAX's is causal, all before; {words}", [(t, 0) for t in total])
    yield _padding(site, f"padding: JAX's is all after; {words}", [(0, t) for t in total])
    for mode, described in _MODES.items():
        yield _padding(site, f"padding: JAX's mode is {described}, torch's zeros", [(p, p) for p in padding], mode)
    for low in range(2 * max(padding) + 1):
        if low != max(padding):
            moved = [(min(low, 2 * p), 2 * p - min(low, 2 * p)) for p in padding]
            yield _padding(site, f"padding: JAX has {moved}, {words}", moved)
    for value in range(max(k for k in kernel) + 1):
        yield _padding(site, f"padding: JAX has {value}, {words}", [(value, value)] * n)


def _padding(site: Site, hint: str, widths: list[tuple[int, int]], mode: str = "constant") -> Candidate:
    if mode == "constant" and all(low == high for low, high in widths):
        return instead(site, hint, _with(site, padding=tuple(low for low, _ in widths)))
    return instead(site, hint, _with(site, input=lambda given: padded(given["input"], widths, mode), padding=0))


def _kernels(site: Site) -> Iterator[Candidate]:
    weight = site.named["weight"]
    axes = tuple(range(2, weight.dim()))
    if max(weight.shape[2:]) > 1:
        hint = f"kernel flipped: JAX's kernel runs backwards along its {'axes' if len(axes) > 1 else 'axis'}"
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].flip(axes)))
        for axis, name in zip(axes, ("height", "width") if len(axes) == 2 else map(str, axes), strict=True):
            if len(axes) > 1:
                hint = f"kernel flipped: JAX's kernel runs backwards along its {name}"
                yield instead(site, hint, _with(site, weight=lambda given, _a=axis: given["weight"].flip(_a)))
    if len(axes) == 2 and weight.shape[2] == weight.shape[3] > 1:
        hint = "kernel transposed: its height and width are swapped in JAX"
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].mT))
        hint = "kernel transposed and flipped: rotated by a quarter in JAX"
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].rot90(1, (2, 3))))
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].rot90(-1, (2, 3))))
    if weight.shape[0] == weight.shape[1] > 1:
        hint = "kernel transposed: its input and output channels are swapped in JAX"
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].transpose(0, 1)))
        hint = "kernel flipped, and its input and output channels swapped, in JAX"
        yield instead(site, hint, _with(site, weight=lambda given: given["weight"].transpose(0, 1).flip(axes)))


def _dilations(site: Site) -> Iterator[Candidate]:
    given, n = site.named, _n(site)
    kernel, stride = given["weight"].shape[2:], pair(given["stride"], n)
    theirs = pair(given["dilation"], n)
    for dilation in (1, 2, 3, 4):
        if theirs == (dilation,) * n or max(kernel) == 1:
            continue
        words = "dilation is missing in JAX" if dilation == 1 else f"dilation: JAX has {dilation}"
        hint = f"{words}, torch has {theirs}"
        wanted = site.output.shape[-n:]
        widths = []
        for size, out, k, s in zip(given["input"].shape[-n:], wanted, kernel, stride, strict=True):
            total = max((out - 1) * s + dilation * (k - 1) + 1 - size, 0)
            widths.append((total // 2, total - total // 2))
        change = _with(site, input=lambda g, _w=widths: padded(g["input"], _w), padding=0, dilation=dilation)
        yield instead(site, hint, change)


def _channels(site: Site) -> Iterator[Candidate]:
    given = site.named
    groups = given["groups"]
    if groups > 1:
        hint = "order of channels: JAX's groups interleave the input channels"
        yield instead(site, hint, _with(site, input=lambda g: _interleaved(g["input"], groups)))
        for number in {groups, given["weight"].shape[0] // groups}:
            hint = "order of output channels: JAX has the groups' outputs interleaved"

            def change(*args: Any, _n: Any = number, **kwargs: Any) -> Any:
                return _interleaved(site.function(*args, **kwargs), _n)

            yield instead(site, hint, change)
            hint = "order of the kernels in a group: JAX reads (channel, multiplier) the other way round"
            change = _with(
                site, weight=lambda g, _n=number: _interleaved(g["weight"].transpose(0, 1), _n).transpose(0, 1)
            )
            yield instead(site, hint, change)


def _interleaved(x: torch.Tensor, groups: int) -> torch.Tensor:
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def _strides(site: Site, program: Program) -> Iterator[Candidate]:
    """The stride on a neighbour, as between the two versions of ResNet's bottleneck; and where it starts."""
    given, n = site.named, _n(site)
    stride = pair(given["stride"], n)
    for other in program.sites.values():
        if other.name == site.name and other.number > site.number and other.module != site.module:
            theirs = pair(other.named["stride"], n)
            if theirs != stride:
                hint = f"stride on another convolution: JAX has {theirs} {place(site)} and {stride} {place(other)}"
                yield Candidate(
                    hint, {site.number: _with(site, stride=theirs), other.number: _with(other, stride=stride)}
                )
                break
    if max(stride) > 1:
        hint = "order: JAX convolves with stride 1 and takes every second place later, from the second on"
        slices = (..., *(slice(s - 1, None, s) for s in stride))
        yield instead(site, hint, lambda *args, **kwargs: _with(site, stride=1)(*args, **kwargs)[slices])


def _transposed(site: Site) -> Iterator[Candidate]:
    given, n = site.named, _n(site)
    sizes, kernel = site.output.shape[-n:], given["weight"].shape[2:]
    padding = pair(given["padding"], n)
    options = {"padding": 0, "output_padding": 0}
    whole = _with(site, **options)

    def cut(starts: tuple[int, ...]) -> Change:
        def change(*args: Any, **kwargs: Any) -> Any:
            full = whole(*args, **kwargs)
            full = F.pad(full, [0, max(sizes)] * n)
            places: tuple[Any, ...] = (..., *(slice(a, a + size) for a, size in zip(starts, sizes, strict=True)))
            return full[places]

        return change

    for starts in product(range(max(kernel)), repeat=1):
        moved = tuple(min(starts[0], k - 1) for k in kernel)
        if moved != padding:
            hint = f"padding of the transposed convolution: JAX cuts {moved} places at the start, torch {padding}"
            yield instead(site, hint, cut(moved))
    axes = tuple(range(2, 2 + n))
    for start in range(max(kernel)):
        moved = tuple(min(start, k - 1) for k in kernel)
        if moved == padding:
            continue
        change = cut(moved)

        def flipped(*args: Any, _c: Change = change, **kwargs: Any) -> Any:
            given = bound(site.function, site.name, args, kwargs)
            return _c(*(given | {"weight": given["weight"].flip(axes)}).values())

        hint = f"kernel flipped (transpose_kernel=False), and padding {moved} for {padding}"
        yield instead(site, hint, flipped)
