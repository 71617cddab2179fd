"""What each group of JAX leaves may be: all readings that its names and shapes allow."""

import re
from collections.abc import Iterator, Mapping

from jaxd2l.parity.automatic.groups import Group, groups
from jaxd2l.parity.automatic.jax_dense import dense
from jaxd2l.parity.automatic.jax_norms import array, embedding, norm, prelu
from jaxd2l.parity.automatic.jax_recurrent import recurrent
from jaxd2l.parity.automatic.layers import JaxLayer, Leaves, Reading, Recipe, Shape, TorchLayer
from jaxd2l.parity.weights import Weight, stack

_KERNELS = {"Linen": "kernel", "NNX": "kernel", "Haiku": "w", "Equinox": "weight"}
"""The leaf that is a layer's kernel, (in, out), or (out, in) in Equinox. Elsewhere a name says nothing of that."""


def jax_layers(leaves: Mapping[str, Shape], framework: str) -> list[JaxLayer]:
    """The groups of leaves with what they may be; leaves that make up nothing known stand alone.

    Args:
      leaves: the shape of each leaf by its name.
      framework: `Port.framework`.
    """
    found = []
    gathered = groups(leaves, framework)
    for group in gathered:
        readings = tuple(_readings(group, gathered, framework))
        if readings:
            found.append(JaxLayer(group.path, tuple(full for full, _ in group.leaves.values()), readings))
        else:
            found += list(_arrays(group))
    return found


def _readings(group: Group, gathered: list[Group], framework: str) -> Iterator[Reading]:
    """As one layer; then, if all leaves have the same first axis, as a stack of layers that a scan walks."""
    leaves = group.leaves
    yield from _single(group, leaves, gathered, framework)
    lengths = {shape[0] if shape else 0 for _, shape in leaves.values()}
    if len(lengths) == 1 and (n := lengths.pop()) > 1:
        inner = {name: (full, shape[1:]) for name, (full, shape) in leaves.items()}
        for reading in _single(group, inner, gathered, framework):
            yield reading._replace(kind=f"{n} x {reading.kind}", recipe=_stacked(reading.recipe))


def _single(group: Group, leaves: Leaves, gathered: list[Group], framework: str) -> Iterator[Reading]:
    yield from recurrent(group.path, leaves)
    if not _may_be_transposed(group.path, leaves, framework):
        yield from dense(leaves, joins_heads=_joins_heads(group, leaves, gathered))
        yield from embedding(leaves)
    yield from norm(leaves)
    yield from prelu(leaves)


def _may_be_transposed(path: str, leaves: Leaves, framework: str) -> bool:
    """Whether a kernel stands in a place of the user's own making, and neither its shape nor a bias orients it."""
    name = _KERNELS.get(framework, "")
    if re.search(r"(?:^|\.)(?:Dense|DenseGeneral|Conv|Embed)_\d+$", path):
        name = "kernel"  # Linen names its own modules so
    known = {name, "embedding", "embeddings", "bias", "b"}
    lacks_bias = not {"bias", "b"} & set(leaves)
    return any(len(s) == 2 and (s[0] == s[1] or lacks_bias) for last, (_, s) in leaves.items() if last not in known)


def _joins_heads(group: Group, leaves: Leaves, gathered: list[Group]) -> bool:
    """Whether a kernel (heads, width, out) follows on one that makes these heads, (in, heads, width), beside it."""
    shape = leaves["kernel"][1] if "kernel" in leaves else ()
    if len(shape) != 3:
        return False
    extra = len(group.leaves["kernel"][1]) - 3  # the axis of a stack
    parent = group.path.rpartition(".")[0]
    beside = [g.leaves["kernel"][1][extra:] for g in gathered if _is_beside(g, parent) and "kernel" in g.leaves]
    return any(len(other) == 3 and other[1:] == shape[:2] for other in beside)


def _is_beside(group: Group, parent: str) -> bool:
    return group.path.rpartition(".")[0] == parent


def _stacked(recipe: Recipe) -> Recipe:
    def of(layer: TorchLayer) -> dict[str, Weight] | str:
        found = []
        for member in layer.members:
            made = recipe(member)
            if isinstance(made, str):
                return made
            found.append(made)
        return {full: stack([made[full] for made in found]) for full in found[0]}

    return of


def _arrays(group: Group) -> Iterator[JaxLayer]:
    for name, (full, shape) in group.leaves.items():
        readings = tuple(array(name, full, shape))
        if readings:
            yield JaxLayer(f"{group.path}.{name}".strip("."), (full,), readings)
