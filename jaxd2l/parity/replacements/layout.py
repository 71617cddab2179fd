"""The same numbers in another order: flattened, transposed, turned round."""

from collections.abc import Iterator
from functools import partial
from itertools import permutations
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, instead, of_earlier, together


def layout(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on what moves all numbers of an array."""
    if site.name in ("flatten", "reshape", "unflatten", "squeeze") and isinstance(site.output, torch.Tensor):
        yield from _reshaped(site)
    elif site.name in ("transpose", "permute", "mT", "T", "movedim", "t"):
        yield from _transposed(site, program)
    elif site.name in ("flip", "roll", "rot90", "flipud", "fliplr"):
        yield instead(site, f"{site.name} is missing", lambda x, *args, **kwargs: x)
        if site.name == "roll":
            hint = "roll: JAX shifts the other way"
            yield instead(site, hint, lambda x, shifts, *args, **kw: torch.roll(x, _negative(shifts), *args, **kw))
        if site.name == "flip":
            for axis in range(site.args[0].dim()):
                hint = f"flip: JAX flips axis {axis}"
                yield instead(site, hint, lambda x, *args, _a=axis, **kwargs: x.flip(_a))


def _reshaped(site: Site) -> Iterator[Candidate]:
    x, shape = site.args[0], site.output.shape
    if (x.dim() > 2 and x.shape != shape and x.dim() != len(shape)) or x.dim() > 3:
        names = {4: "NHWC (channels last)", 3: "(place, channel)", 5: "NDHWC (channels last)"}
        rest = range(1, x.dim())
        orders = {
            (0, *rest[1:], 1): f"JAX flattens {names.get(x.dim(), 'channels last')}, torch channels first",
            (0, *rest[:-2], rest[-1], rest[-2]): "JAX has the last two axes (height and width) swapped",
            (0, *reversed(rest)): "JAX flattens the axes in reverse order",
            (0, rest[-1], *rest[:-1]): "JAX flattens channels first, torch channels last",
        }
        for order, hint in orders.items():
            yield instead(site, f"flatten order: {hint}", lambda x, *args, _o=order, **kw: x.permute(_o).reshape(shape))
        if x.dim() > 3:
            yield instead(
                site, "flatten order: JAX flattens NHWC with height and width swapped",
                lambda x, *args, **kwargs: x.permute(0, 3, 2, 1).reshape(shape) if x.dim() == 4 else x,
            )  # fmt: skip
    if len(shape) > x.dim():  # one axis became two or more
        axis = next((i for i, (a, b) in enumerate(zip(x.shape, shape, strict=False)) if a != b), None)
        if axis is not None and axis + 1 < len(shape) and shape[axis] * shape[axis + 1] == x.shape[axis]:
            a, b = shape[axis], shape[axis + 1]
            is_heads = "head layout" if axis >= 2 or axis == x.dim() - 1 else "order of an axis that becomes two"
            hint = f"{is_heads}: JAX reads the axis as {b} x {a}, torch as {a} x {b}"
            swapped = [*shape[:axis], b, a, *shape[axis + 2 :]]
            yield instead(site, hint, lambda x, *args, **kw: x.reshape(swapped).transpose(axis, axis + 1))


def _transposed(site: Site, program: Program) -> Iterator[Candidate]:
    x, shape = site.args[0], site.output.shape
    hint = "head layout: JAX reshapes where torch transposes"
    is_heads = x.dim() >= 4
    words = hint if is_heads else "reshape in place of a transpose"
    yield instead(site, words, lambda x, *args, **kwargs: x.reshape(shape))
    yield instead(site, "a transpose is missing in JAX", lambda x, *args, **kwargs: x)
    if x.dim() <= 4:
        for order in permutations(range(x.dim())):
            if tuple(x.shape[i] for i in order) == tuple(shape):
                hint = f"order of axes: JAX transposes to {order}"
                yield instead(site, hint, lambda x, *args, _o=order, **kwargs: x.permute(_o))
    yield from _of_heads(site, program)


def _of_heads(site: Site, program: Program) -> Iterator[Candidate]:
    """Heads split from the features, or joined again, in another order."""
    x, shape = site.args[0], tuple(site.output.shape)
    if x.dim() != 4:
        return
    for merged in program.after(site):
        if merged.name in ("reshape", "flatten") and merged.output.dim() == 3:
            for order, what in (((0, 2, 3, 1), "(feature, head)"), ((0, 1, 2, 3), "without transposing back")):
                joined = partial(_permuted, order=order, shape=merged.output.shape)
                yield together(site, f"head layout: JAX joins the heads as {what}", of_earlier(merged, site, 0, joined))
    b, t, h, d = x.shape
    ways: dict[str, Change] = {
        "JAX reads the features as (feature, head)": lambda y: y.reshape(b, t, d, h).permute(0, 3, 1, 2),
        "JAX reshapes to (head, token) at once": lambda y: y.reshape(b, h, t, d),
    }
    for taken in program.before(site, 1):
        if taken.name in ("reshape", "unflatten") and taken.args[0].dim() == 3 and shape == (b, h, t, d):
            for hint, change in ways.items():
                yield together(site, f"head layout: {hint}", of_earlier(site, taken, 0, change))


def _permuted(x: torch.Tensor, order: tuple[int, ...], shape: tuple[int, ...]) -> torch.Tensor:
    return x.permute(order).reshape(shape)


def _negative(shifts: Any) -> Any:
    return tuple(-s for s in shifts) if isinstance(shifts, tuple | list) else -shifts


def inputs_turned(site: Site, program: Program) -> Iterator[Candidate]:
    """An image that comes in with height and width swapped, at the first call."""
    first = next(iter(program.sites.values()))
    images = [x for x in tree_leaves((site.args, site.kwargs)) if isinstance(x, torch.Tensor) and x.dim() == 4]
    if site.number == first.number and images and images[0].shape[-1] == images[0].shape[-2] and images[0] is site.x:

        def change(x: Any, *args: Any, **kwargs: Any) -> Any:
            return site.function(x.mT, *args, **kwargs)

        yield instead(site, "the images' height and width are swapped in JAX", change)
