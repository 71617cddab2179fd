"""From a torch module and the leaves of a JAX model to the weights of every leaf that leaves no doubt."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import torch

from jaxd2l.parity.automatic.choosing import choose_reading, choose_variants, with_stacks
from jaxd2l.parity.automatic.companions import companions
from jaxd2l.parity.automatic.jax_layers import jax_layers
from jaxd2l.parity.automatic.layers import JaxLayer, Reading, Shape, TorchLayer, signature
from jaxd2l.parity.automatic.leftovers import made, misses, open_leaves
from jaxd2l.parity.automatic.matching import Pairing, match
from jaxd2l.parity.automatic.names import Tokens
from jaxd2l.parity.automatic.naming import Layers, named
from jaxd2l.parity.automatic.torch_layers import entities
from jaxd2l.parity.automatic.trust import crossed, misnamed
from jaxd2l.parity.weights import Weight


class Found(NamedTuple):
    """What is known of the leaves.

    weights: the leaves that are certain.
    impossible: why others, of layers that are known, cannot be made of torch's weights, or not by their shapes alone.
    ambiguous: leaves that may belong to several of torch's layers, and these layers.
    guesses: the weights of ambiguous leaves if the layers had the same order on both sides.
    misses: sentences on layers that would be equal, had they a bias or had they none.
    """

    weights: dict[str, Weight]
    impossible: dict[str, str]
    ambiguous: dict[str, tuple[str, ...]]
    guesses: dict[str, Weight]
    misses: tuple[str, ...]


def find(
    module: torch.nn.Module,
    leaves: Mapping[str, Shape],
    framework: str = "",
    known: Mapping[str, tuple[str, ...]] = {},
) -> Found:
    """As `structured`, and why the rest is uncertain.

    Args:
      module: torch's.
      leaves: the shape of each leaf, by its name.
      framework: `Port.framework`.
      known: the weights of torch's that are in some leaves, by the user's own word.
    """
    ours = jax_layers(leaves, framework)
    theirs = with_stacks(choose_variants(entities(module), ours), ours)
    readings, impossible = _readings(theirs, ours)
    sides = named(theirs, ours, readings, framework)
    given = _given(sides, known)
    pairings = [*given, *_matched(sides, given, known)]
    distrusted = crossed(pairings)
    distrusted |= misnamed(pairings, sides.their_names, sides.our_names, {j: r.kind for j, r in readings.items()})
    trusted = [p for p in pairings if p in given or p.theirs not in distrusted]
    trusted += companions(sides, trusted)
    weights: dict[str, Weight] = {}
    for pairing in trusted:
        of_layer = made(theirs[pairing.theirs], readings[pairing.ours])
        if isinstance(of_layer, str):
            impossible |= dict.fromkeys(ours[pairing.ours].leaves, of_layer)
        else:
            weights |= of_layer
    their_closed = {pairing.theirs for pairing in trusted}
    ambiguous, guesses = open_leaves(sides, their_closed, {pairing.ours for pairing in trusted})
    told = {leaf for layer in ours if known.keys() & set(layer.leaves) for leaf in layer.leaves}
    return Found(
        weights,
        {leaf: why for leaf, why in impossible.items() if leaf not in told},
        {leaf: which for leaf, which in ambiguous.items() if leaf not in told},
        guesses,
        tuple(misses(sides, their_closed)),
    )


def _readings(theirs: list[TorchLayer], ours: list[JaxLayer]) -> tuple[dict[int, Reading], dict[str, str]]:
    """The reading of each JAX layer that torch has a layer for; and those of which there are several."""
    signatures = {signature(layer) for layer in theirs}
    found: dict[int, Reading] = {}
    impossible: dict[str, str] = {}
    for j, layer in enumerate(ours):
        fitting = choose_reading(layer, signatures)
        if len(fitting) == 1:
            found[j] = fitting[0]
        elif fitting and fitting[0].kind == "conv_transpose":
            alike = next(x for x in theirs if signature(x) == signature(fitting[0]))
            impossible |= _flipped_or_not(fitting, alike)
        elif fitting:
            kinds = ", ".join(sorted({reading.kind for reading in fitting}))
            impossible |= dict.fromkeys(layer.leaves, f"it may be any of: {kinds}")
    return found, impossible


def _flipped_or_not(readings: tuple[Reading, ...], layer: TorchLayer) -> dict[str, str]:
    """What is said of a kernel of Flax's ConvTranspose with as many inputs as outputs."""
    unturned, flipped = (made(layer, reading) for reading in readings)
    if isinstance(unturned, str) or isinstance(flipped, str):
        return {}
    return {
        leaf: f"with as many inputs as outputs its shape does not say whether it is {flipped[leaf]} (Flax's "
        f"transpose_kernel=False) or {weight} (transpose_kernel=True); pass the one that it is: "
        f"weights={{{leaf!r}: parity.{flipped[leaf]}}}"
        for leaf, weight in unturned.items()
        if repr(weight) != repr(flipped[leaf])
    }


def _given(sides: Layers, known: Mapping[str, tuple[str, ...]]) -> list[Pairing]:
    """Layers that belong together because a leaf of the one has weights of the other."""
    found = []
    for j, reading in sides.readings.items():
        sources = {source for leaf in sides.ours[j].leaves for source in known.get(leaf, ())}
        fitting = [t for t, x in enumerate(sides.theirs) if x.names & sources and signature(x) == signature(reading)]
        if len(fitting) == 1:
            names = sides.their_names[fitting[0]], sides.our_names[j]
            found.append(Pairing(fitting[0], j, names, False))
    return found


def _matched(sides: Layers, given: list[Pairing], known: Mapping[str, tuple[str, ...]]) -> list[Pairing]:
    """The pairs among layers of equal kind and shapes: by their own names, and then by conventional ones."""
    used = {source for sources in known.values() for source in sources}
    told = {j for j in sides.readings if known.keys() & set(sides.ours[j].leaves)}
    found: list[Pairing] = []
    for other_names in (({}, {}), sides.other_names):
        names = {**sides.their_names, **other_names[0]}, {**sides.our_names, **other_names[1]}
        closed = {p.theirs for p in found}, {p.ours for p in (*given, *found)} | told
        by_signature: dict[object, tuple[dict[int, Tokens], dict[int, Tokens]]] = defaultdict(lambda: ({}, {}))
        for t, layer in enumerate(sides.theirs):
            if t not in closed[0] and not layer.names & used:
                by_signature[signature(layer)][0][t] = names[0][t]
        for j, reading in sides.readings.items():
            if j not in closed[1]:
                by_signature[signature(reading)][1][j] = names[1][j]
        for theirs, ours in by_signature.values():
            found += match(_without_shared(theirs, sides.theirs) if len(theirs) > len(ours) else theirs, ours)
    return found


def _without_shared(theirs: dict[int, Tokens], layers: list[TorchLayer]) -> dict[int, Tokens]:
    """Without layers whose parameters are all those of an earlier one."""
    first = {layers[t].names: t for t in reversed(theirs)}
    return {t: name for t, name in theirs.items() if first[layers[t].names] == t}
