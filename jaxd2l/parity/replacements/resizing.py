"""Another way to resize, or to sample a grid."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Program, Site, instead, with_options

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_PADS = ("constant", "reflect", "replicate", "circular")
_PAD_WORDS = {"constant": "zeros", "replicate": "replicate (edge)", "circular": "circular (wrap)"}


def resizing(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on interpolation, grids and borders."""
    if site.name in ("interpolate", "upsample"):
        yield from _interpolated(site)
    elif site.name in ("grid_sample", "affine_grid"):
        yield from _grids(site)
    elif site.name == "pad":
        yield from _padded(site)


def _interpolated(site: Site) -> Iterator[Candidate]:
    given, x = site.named, site.args[0]
    n = x.dim() - 2
    size, theirs = tuple(site.output.shape[2:]), given["mode"]
    fixed: dict[str, Any] = {"size": size}

    def resized(**options: Any) -> Any:
        return lambda x, *args, **kwargs: F.interpolate(x, **fixed | options)

    smooth = theirs in (*_LINEAR.values(), "bicubic")
    if smooth:
        corners = bool(given["align_corners"])
        hint = f"interpolation: matches with align_corners={not corners}, torch has {corners}"
        yield instead(site, hint, resized(mode=theirs, align_corners=not corners))
        if n == 2:
            flag = not given["antialias"]
            hint = f"interpolation: matches with antialias={flag}, torch has antialias={not flag}"
            if theirs == "bicubic" and size >= tuple(x.shape[2:]):
                hint = "cubic: JAX's kernel has a=-0.5 (Keys), torch's bicubic a=-0.75"
            yield instead(site, hint, resized(mode=theirs, align_corners=False, antialias=flag))
    for mode in ("nearest", "nearest-exact", "area", _LINEAR[n], *(("bicubic",) if n == 2 else ())):
        for corners, antialias in ((False, False), (True, False), (False, True)):
            if (
                mode == theirs
                or ((corners or antialias) and mode not in (_LINEAR[n], "bicubic"))
                or (antialias and n != 2)
            ):
                continue
            options = {"mode": mode} | ({"align_corners": corners} if mode in (_LINEAR[n], "bicubic") else {})
            words = {"nearest-exact": "nearest with half-pixel centres"}.get(mode, mode)
            also = " with align_corners=True" if corners else " with antialias" if antialias else ""
            hint = f"interpolation: JAX resizes by {words}{also}, torch by {theirs}"
            yield instead(site, hint, resized(**options | ({"antialias": True} if antialias else {})))
    if theirs.startswith("nearest"):
        for axes, words in ((tuple(range(2, 2 + n)), ""), ((2,), " of the height"), ((x.dim() - 1,), " of the width")):
            hint = f"interpolation: nearest rounds up{words} in JAX, torch takes the place below"
            yield instead(site, hint, lambda x, *a, _x=axes, **k: F.interpolate(x.flip(_x), size, mode=theirs).flip(_x))
        hint = "interpolation: JAX tiles the whole image, torch repeats each place"
        yield instead(
            site, hint, lambda x, *a, **k: x.tile([1, 1, *(s // o for s, o in zip(size, x.shape[2:], strict=True))])
        )
        hint = "interpolation: JAX puts zeros between the places, torch repeats them"

        def spread(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            out = x.new_zeros(*x.shape[:2], *size)
            steps: list[Any] = [slice(None, None, s // o) for s, o in zip(size, x.shape[2:], strict=True)]
            out[(..., *steps)] = x
            return out

        yield instead(site, hint, spread)


def _grids(site: Site) -> Iterator[Candidate]:
    given = site.named
    corners = bool(given["align_corners"])
    hint = f"{site.name}: matches with align_corners={not corners}, torch has {corners}"
    yield instead(site, hint, with_options(site, align_corners=not corners))
    if site.name == "grid_sample":
        for padding in ("zeros", "border", "reflection"):
            if padding != given["padding_mode"]:
                hint = (
                    f"grid_sample: padding outside of the image is {padding} in JAX, torch has {given['padding_mode']}"
                )
                yield instead(site, hint, with_options(site, padding_mode=padding))
        for mode in ("nearest", "bilinear", "bicubic"):
            if mode != given["mode"]:
                hint = f"grid_sample: JAX's mode is {mode}, torch's {given['mode']}"
                yield instead(site, hint, with_options(site, mode=mode))
        hint = "grid_sample: x and y of the grid are swapped in JAX"
        yield instead(site, hint, with_options(site, grid=given["grid"].flip(-1)))


def _padded(site: Site) -> Iterator[Candidate]:
    given = site.named
    _x, widths, theirs = given["input"], list(given["pad"]), given["mode"]
    for mode in _PADS:
        if mode != theirs:
            hint = f"padding: JAX's mode is {_PAD_WORDS.get(mode, mode)}, torch's {_PAD_WORDS.get(theirs, theirs)}"
            yield instead(site, hint, lambda x, *a, _m=mode, **k: F.pad(x, widths, mode=_m))
    hint = f"padding: JAX's mode is symmetric (the edge twice), torch's {_PAD_WORDS.get(theirs, theirs)}"
    yield instead(site, hint, lambda x, *args, **kwargs: symmetric(x, widths))
    if theirs == "constant":
        for value in (-float("inf"), -1.0, 1.0, -1e9):
            yield instead(site, f"padding: JAX fills with {value:g}", with_options(site, value=value))
    swapped = [w for i in range(0, len(widths), 2) for w in (widths[i + 1], widths[i])]
    turned = [w for i in range(len(widths) - 2, -1, -2) for w in widths[i : i + 2]]
    for other, words in ((swapped, "before and after are swapped"), (turned, "the axes are in the other order")):
        if other != widths:
            hint = f"padding: {words} in JAX: {other} for {widths}"
            yield instead(site, hint, with_options(site, pad=other))
            both = f"padding: {words} in JAX, and its mode is symmetric"
            yield instead(site, both, lambda x, *args, _o=other, **kwargs: symmetric(x, _o))


def symmetric(x: torch.Tensor, widths: list[int]) -> torch.Tensor:
    """Padding by reflection in which the edge counts twice."""
    for i in range(0, len(widths), 2):
        axis = x.dim() - 1 - i // 2
        before = x.narrow(axis, 0, widths[i]).flip(axis)
        after = x.narrow(axis, x.shape[axis] - widths[i + 1], widths[i + 1]).flip(axis)
        x = torch.cat([before, x, after], axis)
    return x
