"""Readings of what is not a kernel: scales and statistics of a norm, embeddings, the slope of a PReLU, lone arrays."""

from collections.abc import Iterator
from math import prod

import numpy as np

from jaxd2l.parity.automatic.layers import Leaves, Reading, Shape, TorchLayer, array_shape, is_bias, is_certain, shaped
from jaxd2l.parity.weights import Weight, constant

_ROLES = {
    "scale": "weight",
    "weight": "weight",
    "bias": "bias",
    "offset": "bias",
    "mean": "mean",
    "var": "var",
    "mean_ema.average": "mean",
    "var_ema.average": "var",
    "mean_ema.hidden": "mean",
    "var_ema.hidden": "var",
    "batch_state_index.init.0": "mean",
    "batch_state_index.init.1": "var",
    "ema_state_index.init.0": "mean",
    "ema_state_index.init.1": "var",
}
"""What the leaves of a norm are called: Flax, Equinox and Haiku, whose averages are kept twice."""

_MANY = np.int32(1_000_000)

_CONSTANTS = {
    "mean_ema.counter": constant(_MANY, ()),
    "var_ema.counter": constant(_MANY, ()),
    "batch_counter.init": constant(_MANY, ()),
    "ema_first_time_index.init": constant(np.bool_(False), ()),
}
"""Counters by which Haiku and Equinox correct young averages; after so many batches nothing is left to correct."""


def norm(leaves: Leaves) -> Iterator[Reading]:
    """A normalisation over the channels, whose arrays may have axes of length 1 besides; or over several axes."""
    if not set(leaves) <= set(_ROLES) | set(_CONSTANTS):
        return
    shapes: dict[str, set[Shape]] = {}
    for name, (_, shape) in leaves.items():
        if name in _ROLES:
            shapes.setdefault(_ROLES[name], set()).add(_of_channels(shape))
    if not shapes or any(len(found) > 1 or not is_certain(*found) for found in shapes.values()):
        return

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        known = {full: shaped(layer.parts[_ROLES[n]], s) for n, (full, s) in leaves.items() if n in _ROLES}
        return known | {full: _CONSTANTS[n] for n, (full, _) in leaves.items() if n in _CONSTANTS}

    yield Reading("norm", {role: next(iter(found)) for role, found in shapes.items()}, recipe)


def _of_channels(shape: Shape) -> Shape:
    """(1, 1, 1, channels) as Haiku has it is (channels,)."""
    return (prod(shape),) if sum(n != 1 for n in shape) <= 1 else shape


def embedding(leaves: Leaves) -> Iterator[Reading]:
    """A table of vectors, (number, features) everywhere."""
    for name in {"embedding", "embeddings", "weight"} & set(leaves):
        full, shape = leaves[name]
        if len(leaves) == 1 and len(shape) == 2:
            yield _plain("embedding", "weight", full, shape, shape)


def prelu(leaves: Leaves) -> Iterator[Reading]:
    """The slopes of a PReLU: one number, () in JAX and (1,) in torch, or one for each channel."""
    if set(leaves) == {"negative_slope"}:
        full, shape = leaves["negative_slope"]
        yield _plain("prelu", "weight", full, shape, (prod(shape),))


def array(name: str, full: str, shape: Shape) -> Iterator[Reading]:
    """An array that stands alone, such as a table of positions: as it is, up to axes of length 1."""
    squeezed = array_shape(shape)
    if squeezed is not None:
        yield _plain("array", "bias" if is_bias(name) else "array", full, shape, squeezed, "array")


def _plain(kind: str, role: str, full: str, shape: Shape, theirs: Shape, part: str = "") -> Reading:
    return Reading(kind, {role: theirs}, lambda layer: {full: shaped(layer.parts[part or role], shape)})
