"""Readings of kernels: linear layers, convolutions, transposed convolutions, with or without a weight norm.

Flax calls it `kernel` (*window, in, out), Haiku `w` in the same order, Equinox `weight` in torch's order, except that
the transposed convolution of Haiku is (*window, out, in) and flipped, and that of Equinox (out, in, *window) and
flipped; Flax has (*window, in, out) and flipped, or with transpose_kernel=True (*window, out, in) and not flipped.
"""

from collections.abc import Iterator
from math import prod

from jaxd2l.parity.automatic.layers import Leaves, Reading, Recipe, Shape, TorchLayer, magnitude_shape, shaped, turned
from jaxd2l.parity.weights import Weight


def dense(leaves: Leaves, *, joins_heads: bool) -> Iterator[Reading]:
    """All that a kernel and its bias may be.

    Args:
      leaves: by their names within the group.
      joins_heads: the kernel is (heads, width of a head, out), as that of an attention's output.
    """
    for weight, bias in (("kernel", "bias"), ("w", "b"), ("weight", "bias")):
        if weight in leaves and set(leaves) <= {weight, bias, "g"} and len(leaves[weight][1]) > 1:
            shape = leaves[weight][1]
            if weight == "weight":
                yield from _as_torch(leaves, shape)
            else:
                yield from _linear(leaves, weight, bias, joins_heads=joins_heads)
                yield from _convolutions(leaves, weight, bias, is_haiku=weight == "w")


def _reading(kind: str, shape: Shape, leaves: Leaves, bias: str, recipe: Recipe) -> Reading:
    """With the bias that there is; with g and v in place of the weight if there is a g."""
    shapes = {"v" if "g" in leaves else "weight": shape}
    if bias in leaves:
        shapes["bias"] = (prod(leaves[bias][1]),)
    if "g" in leaves:
        shapes["g"] = magnitude_shape(leaves["g"][1])
    return Reading(kind, shapes, recipe)


def _rest(layer: TorchLayer, leaves: Leaves, bias: str) -> dict[str, Weight]:
    """The bias and g."""
    found = {}
    for role, name in (("bias", bias), ("g", "g")):
        if name in leaves:
            full, shape = leaves[name]
            found[full] = shaped(layer.parts[role], shape)
    return found


def _linear(leaves: Leaves, weight: str, bias: str, *, joins_heads: bool) -> Iterator[Reading]:
    """`Dense` and `DenseGeneral`: the heads of an attention stand in axes of their own, in torch's order."""
    full, shape = leaves[weight]

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        part = layer.parts["v" if "g" in leaves else "weight"]
        kernel = layer.parts.get("kernel") or turned(part)
        return {full: shaped(kernel, shape), **_rest(layer, leaves, bias)}

    outs = {shape[1:]} | ({shape[-1:]} if joins_heads or all(n == 1 for n in shape[:-2]) else set())
    for out in outs:
        if bias not in leaves or leaves[bias][1] == out:
            size = prod(out)
            yield _reading("linear", (size, prod(shape) // size), leaves, bias, recipe)


def _convolutions(leaves: Leaves, weight: str, bias: str, *, is_haiku: bool) -> Iterator[Reading]:
    full, shape = leaves[weight]
    window, before, last = shape[:-2], shape[-2], shape[-1]
    axes = tuple(range(len(window)))

    def as_it_is(layer: TorchLayer) -> dict[str, Weight]:
        part = layer.parts["v" if "g" in leaves else "weight"]
        return {full: turned(part).weight, **_rest(layer, leaves, bias)}

    def flipped(layer: TorchLayer) -> dict[str, Weight]:
        part = layer.parts["weight"].weight
        moved = part.T if is_haiku else part.transpose(*(i + 2 for i in axes), 0, 1)
        return {full: moved.flip(*axes), **_rest(layer, leaves, bias)}

    def fits(out: int) -> bool:
        return bias not in leaves or leaves[bias][1] == (out,)

    if window and fits(last):
        yield _reading("conv", (last, before, *window), leaves, bias, as_it_is)
    if window and "g" not in leaves:
        transposed = []
        if fits(before):
            recipe = flipped if is_haiku else as_it_is
            transposed.append(_reading("conv_transpose", (last, before, *window), leaves, bias, recipe))
        if fits(last) and not is_haiku:
            transposed.append(_reading("conv_transpose", (before, last, *window), leaves, bias, flipped))
        yield from (r._replace(shapes={**r.shapes, "groups": (1,)}) for r in transposed)


def _as_torch(leaves: Leaves, shape: Shape) -> Iterator[Reading]:
    """Equinox: as in torch, but for the transposed convolution."""
    full = leaves["weight"][0]
    axes = tuple(range(2, len(shape)))

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        part = layer.parts["v" if "g" in leaves else "weight"]
        return {full: shaped(part, shape), **_rest(layer, leaves, "bias")}

    def flipped(groups: int) -> Recipe:
        def of(layer: TorchLayer) -> dict[str, Weight]:
            split = layer.parts["weight"].weight.reshape(groups, shape[1], shape[0] // groups, *shape[2:])
            order = (0, 2, 1, *(i + 1 for i in axes))
            return {full: split.transpose(*order).reshape(*shape).flip(*axes), **_rest(layer, leaves, "bias")}

        return of

    yield _reading(
        "linear" if all(n == 1 for n in shape[2:]) else "conv", _without_point(shape), leaves, "bias", recipe
    )
    if axes and "g" not in leaves:
        for groups in (n for n in range(1, shape[0] + 1) if shape[0] % n == 0):
            theirs = (shape[1] * groups, shape[0] // groups, *shape[2:])
            found = _reading("conv_transpose", theirs, leaves, "bias", flipped(groups))
            yield found._replace(shapes={**found.shapes, "groups": (groups,)})


def _without_point(shape: Shape) -> Shape:
    return shape[:2] if all(n == 1 for n in shape[2:]) else shape
