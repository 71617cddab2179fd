"""Layers on both sides: what a torch module has to give, and how a group of JAX leaves may be read."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxd2l.parity.weights import Weight

Shape = tuple[int, ...]


class Part(NamedTuple):
    """An array of a torch layer: an expression in torch's weights, and its shape."""

    weight: Weight
    shape: Shape


class TorchLayer(NamedTuple):
    """A layer of torch's.

    path: its name in the module.
    kind: "linear", "conv", "norm", "lstm" and so on.
    shapes: what a reading must say to be this layer, by role, in torch's orientation.
    parts: its arrays by role.
    names: the parameters that it consists of.
    members: the layers that a stack of layers consists of.
    problem: why its arrays cannot be told, if they cannot.
    """

    path: str
    kind: str
    shapes: dict[str, Shape]
    parts: dict[str, Part]
    names: frozenset[str]
    members: "tuple[TorchLayer, ...]" = ()
    problem: str = ""


Variant = tuple[TorchLayer, ...]
"""Layers that a torch module may be taken for."""

Entity = tuple[Variant, ...]
"""All that one torch module may be taken for: an attention has one fused projection, or three."""


class Own(NamedTuple):
    """What a torch module has of its own, without its children.

    arrays: its parameters and buffers by role.
    trained: the names of the parameters among them.
    direction: the parts g and v of a weight g v / |v|.
    problem: why the weight is not known.
    """

    arrays: dict[str, Part]
    trained: frozenset[str]
    direction: tuple[Part, Part] | None = None
    problem: str = ""


Recipe = Callable[[TorchLayer], dict[str, Weight] | str]
"""`recipe(layer)`: each leaf as an expression in torch's weights; or a sentence why no weights make them equal."""


class Reading(NamedTuple):
    """What a group of JAX leaves may be: the layer of torch's that it fits, and how it is made of it."""

    kind: str
    shapes: dict[str, Shape]
    recipe: Recipe


class JaxLayer(NamedTuple):
    """A group of JAX leaves that belong together, and what they may be.

    path: the name of the module, without the collection ("params") it stands in.
    leaves: the names of its leaves.
    readings: everything it may be.
    """

    path: str
    leaves: tuple[str, ...]
    readings: tuple[Reading, ...]


Signature = tuple[str, tuple[tuple[str, Shape], ...]]
"""Equal for a torch layer and for the JAX leaves that may be its own."""


def signature(layer: TorchLayer | Reading) -> Signature:
    """What must be equal on both sides: the kind and the shapes."""
    return layer.kind, tuple(sorted(layer.shapes.items()))


def shaped(part: Part, shape: Shape) -> Weight:
    """A part in another shape with the numbers in the same order."""
    return part.weight if part.shape == shape else part.weight.reshape(*shape)


def turned(part: Part) -> Part:
    """A kernel as JAX has it: torch's (out, in, *window) as (*window, in, out)."""
    return Part(part.weight.T, (*part.shape[2:], part.shape[1], part.shape[0]))


Leaves = Mapping[str, tuple[str, Shape]]
"""The leaves of a group by their names within it: the full name and the shape."""


def magnitude_shape(shape: Shape) -> Shape:
    """The shape of a weight norm's g: one number for each output, however it is kept, or another shape."""
    return shape[:1] if all(n == 1 for n in shape[1:]) else shape


def is_certain(shape: Shape) -> bool:
    """Whether the order of the axes is known: with two of equal length they could be exchanged."""
    return len(set(shape)) == len(shape)


def array_shape(shape: Shape) -> Shape | None:
    """The shape without axes of length 1; None if nothing is left, or if two axes could be exchanged unnoticed."""
    squeezed = tuple(n for n in shape if n != 1)
    return squeezed if squeezed and is_certain(squeezed) else None


def is_bias(name: str) -> bool:
    """Whether a lone array is a bias."""
    return name.lower().startswith("b") or name.lower().endswith("bias")
