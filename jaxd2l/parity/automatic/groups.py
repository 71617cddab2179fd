"""The leaves of a JAX model, gathered into the modules that they belong to."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxd2l.parity.automatic.layers import Leaves, Shape

COLLECTIONS = ("params", "batch_stats", "state")


class Group(NamedTuple):
    """A module of the JAX side.

    path: its name, without the collection that its leaves stand in.
    leaves: full name and shape of each leaf, by its name within the module: "kernel", or "hf.kernel" of a cell.
    """

    path: str
    leaves: Leaves


def groups(leaves: Mapping[str, Shape], framework: str) -> list[Group]:
    """One group for each module that has leaves; cells of a recurrence, statistics and scales are part of theirs.

    Args:
      leaves: the shape of each leaf by its name.
      framework: `Port.framework`.

    >>> [(path, [*leaves]) for path, leaves in groups({"params.a.kernel": (2, 3), "params.a.bias": (3,)}, "Linen")]
    [('a', ['kernel', 'bias'])]
    """
    found: dict[str, dict[str, tuple[str, Shape]]] = {}
    has_collections = framework in ("Linen", "NNX") or {name.partition(".")[0] for name in leaves} <= {*COLLECTIONS}
    for name, shape in leaves.items():
        where = name.partition(".")[2] if has_collections else name
        path, _, last = where.rpartition(".")
        found.setdefault(path, {})[last] = (name, shape)
    for parent, inner in _belonging(found):
        if inner in found:
            into = found.setdefault(parent, {})
            for last, leaf in found.pop(inner).items():
                into[f"{inner.removeprefix(parent).strip('./~')}.{last}"] = leaf
    for path in [*found]:
        _give_scales(path, found)
    return [Group(path, group) for path, group in found.items() if group]


_Found = dict[str, dict[str, tuple[str, Shape]]]

_GATES = {"ii", "if", "if_", "ig", "io", "hi", "hf", "hg", "ho", "ir", "iz", "in", "hr", "hz", "hn"}

_STATE = r"(?:batch|ema)_state_index\.init|batch_counter|ema_first_time_index"

_PARTS: tuple[tuple[str, Callable[[set[str]], bool]], ...] = (
    (r"(?:(.*)\.)?(i[ifgorzn]|if_|h[ifgorzn])", lambda inner: len(inner & _GATES) >= 6),
    (r"(?:(.*)\.)?(dense_[ih])", lambda inner: len(inner) == 2),
    (r"(?:(.*)\.)?([ih])", lambda inner: len(inner) == 2),
    (r"(.*vanilla_rnn(?:_\d+)?)/(linear|linear_1)", lambda inner: len(inner) == 2),
    (r"(.*)/~/((?:mean|var)_ema)", lambda inner: len(inner) == 2),
    (rf"(?:(.*)\.)?({_STATE})", lambda inner: len(inner) == 2),
)
"""Modules that are part of another one (the first group of the pattern), and whether its parts are complete."""


def _belonging(found: _Found) -> list[tuple[str, str]]:
    """Pairs of a module and one that is part of it."""
    pairs = []
    for form, is_whole in _PARTS:
        matches = {path: match for path in found if (match := re.fullmatch(form, path))}
        for path, match in matches.items():
            parent = match.group(1)
            if is_whole({other.group(2) for other in matches.values() if other.group(1) == parent}):
                pairs.append((parent or "", path))
    return pairs


def _give_scales(path: str, found: _Found) -> None:
    """Gives the scales of a weight norm to the layer whose kernel they scale.

    Linen writes "wrapped/kernel/scale" in the WeightNorm's place, NNX scales.('kernel',), Equinox g beside layer.
    """
    for last, leaf in [*found.get(path, {}).items()]:
        target, parents = _scaled(path, last)
        for parent in parents:
            layer = found.get(f"{parent}.{target}".strip("."), {})
            if target and not {"kernel", "weight"}.isdisjoint(layer):
                layer["g"] = leaf
                del found[path][last]
                break


def _scaled(path: str, last: str) -> tuple[str, tuple[str, ...]]:
    """The layer that a leaf scales, and the places in which it may stand."""
    outside = path.rpartition(".")[0]
    if last.endswith("/kernel/scale"):
        return last.removesuffix("/kernel/scale").replace("/", "."), (path, outside)
    if path.rpartition(".")[2] == "scales" and last.endswith("'kernel',)"):
        within = re.findall(r"'(\w+)'", last)[:-1]
        return ".".join(["layer_instance", *within]), (outside,)
    return ("layer", (path,)) if last == "g" else ("", ())
