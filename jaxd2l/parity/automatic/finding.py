"""From a torch module and the leaves of a JAX model to the weights of every leaf that leaves no doubt."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import torch

from jaxd2l.parity.automatic.choosing import choose_reading, choose_variants, with_stacks
from jaxd2l.parity.automatic.jax_layers import jax_layers
from jaxd2l.parity.automatic.layers import JaxLayer, Reading, Shape, TorchLayer, signature
from jaxd2l.parity.automatic.matching import Pairing, match
from jaxd2l.parity.automatic.names import Tokens, pattern, tokens, words
from jaxd2l.parity.automatic.torch_layers import entities
from jaxd2l.parity.automatic.trust import crossed, misnamed
from jaxd2l.parity.weights import Weight


class Found(NamedTuple):
    """What is known of the leaves.

    weights: the leaves that are certain.
    impossible: why others, of layers that are known, cannot be made of torch's weights, or not by their shapes alone.
    ambiguous: leaves that may belong to several of torch's layers, and these layers.
    guesses: the weights of ambiguous leaves if the layers had the same order on both sides.
    """

    weights: dict[str, Weight]
    impossible: dict[str, str]
    ambiguous: dict[str, tuple[str, ...]]
    guesses: dict[str, Weight]


class _Layers(NamedTuple):
    """Both sides, by position, with the reading of each JAX layer that torch has a layer for."""

    theirs: list[TorchLayer]
    ours: list[JaxLayer]
    readings: dict[int, Reading]
    their_names: dict[int, Tokens]
    our_names: dict[int, Tokens]


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
    sides = _named(theirs, ours, readings, framework)
    given = _given(sides, known)
    pairings = [*given, *_matched(sides, given, known)]
    distrusted = crossed(pairings, sides.their_names, sides.our_names)
    distrusted |= misnamed(pairings, sides.their_names, sides.our_names, {j: r.kind for j, r in readings.items()})
    trusted = [p for p in pairings if p in given or p.theirs not in distrusted]
    weights: dict[str, Weight] = {}
    for pairing in trusted:
        made = _made(theirs[pairing.theirs], readings[pairing.ours])
        if isinstance(made, str):
            impossible |= dict.fromkeys(ours[pairing.ours].leaves, made)
        else:
            weights |= made
    ambiguous, guesses = _open(sides, trusted)
    told = {leaf for layer in ours if known.keys() & set(layer.leaves) for leaf in layer.leaves}
    return Found(
        weights,
        {leaf: why for leaf, why in impossible.items() if leaf not in told},
        {leaf: which for leaf, which in ambiguous.items() if leaf not in told},
        guesses,
    )


_FLIPPED_OR_NOT = (
    "with as many inputs as outputs, the shape does not say whether a transposed convolution's kernel is flipped "
    "(Flax's transpose_kernel=False) or not (transpose_kernel=True)"
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
            impossible |= dict.fromkeys(layer.leaves, _FLIPPED_OR_NOT)
        elif fitting:
            kinds = ", ".join(sorted({reading.kind for reading in fitting}))
            impossible |= dict.fromkeys(layer.leaves, f"it may be any of: {kinds}")
    return found, impossible


def _named(theirs: list[TorchLayer], ours: list[JaxLayer], readings: dict[int, Reading], framework: str) -> _Layers:
    norms = {j: ours[j].path for j, reading in readings.items() if reading.kind.endswith("norm")}
    of_norms = _siblings(list(norms.values()))
    our_names = {
        j: tokens(ours[j].path, of_norms.get(_parent(ours[j].path), ()), numbered=framework == "Haiku")
        for j in readings
    }
    their_norms = _siblings([layer.path for layer in theirs if layer.kind.endswith("norm")])
    their_names = {t: tokens(x.path, their_norms.get(_parent(x.path), ())) for t, x in enumerate(theirs)}
    if not any("backward" in words(pattern(name)) for name in our_names.values()):
        directions: dict[str | int, int] = {"forward": 0, "backward": 1}
        for t, layer in enumerate(theirs):
            if "w_hh" in layer.parts:
                their_names[t] = tuple(directions.get(token, token) for token in their_names[t])
    return _Layers(theirs, ours, readings, their_names, our_names)


def _siblings(paths: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        found[_parent(path)].add(path.replace("/", ".").rpartition(".")[2])
    return found


def _parent(path: str) -> str:
    return path.replace("/", ".").rpartition(".")[0]


def _given(sides: _Layers, known: Mapping[str, tuple[str, ...]]) -> list[Pairing]:
    """Layers that belong together because a leaf of the one has weights of the other."""
    found = []
    for j, reading in sides.readings.items():
        sources = {source for leaf in sides.ours[j].leaves for source in known.get(leaf, ())}
        fitting = [t for t, x in enumerate(sides.theirs) if x.names & sources and signature(x) == signature(reading)]
        if len(fitting) == 1:
            patterns = pattern(sides.their_names[fitting[0]]), pattern(sides.our_names[j])
            found.append(Pairing(fitting[0], j, patterns, False))
    return found


def _matched(sides: _Layers, given: list[Pairing], known: Mapping[str, tuple[str, ...]]) -> list[Pairing]:
    """The pairs among layers of equal kind and shapes."""
    used = {source for sources in known.values() for source in sources}
    closed = {pairing.ours for pairing in given}
    by_signature: dict[object, tuple[dict[int, Tokens], dict[int, Tokens]]] = defaultdict(lambda: ({}, {}))
    for t, layer in enumerate(sides.theirs):
        if not layer.names & used:
            by_signature[signature(layer)][0][t] = sides.their_names[t]
    for j, reading in sides.readings.items():
        if j not in closed and not known.keys() & set(sides.ours[j].leaves):
            by_signature[signature(reading)][1][j] = sides.our_names[j]
    found = []
    for theirs, ours in by_signature.values():
        found += match(_without_shared(theirs, sides.theirs) if len(theirs) > len(ours) else theirs, ours)
    return found


def _without_shared(theirs: dict[int, Tokens], layers: list[TorchLayer]) -> dict[int, Tokens]:
    """Without layers whose parameters are all those of an earlier one."""
    first = {layers[t].names: t for t in reversed(theirs)}
    return {t: name for t, name in theirs.items() if first[layers[t].names] == t}


def _made(layer: TorchLayer, reading: Reading) -> dict[str, Weight] | str:
    """The leaves, or why they cannot be made of the layer."""
    made = layer.problem or reading.recipe(layer)
    if isinstance(made, str):
        return made
    left = sorted(layer.names - {source for weight in made.values() for source in weight.sources})
    return f"it has no place for {', '.join(left)}" if left else made


def _open(sides: _Layers, trusted: list[Pairing]) -> tuple[dict[str, tuple[str, ...]], dict[str, Weight]]:
    """The open layers of torch's that each open leaf fits; and what the leaves are if both sides have one order."""
    their_closed, our_closed = ({p[side] for p in trusted} for side in (0, 1))
    fitting: dict[str, tuple[str, ...]] = {}
    guesses: dict[str, Weight] = {}
    guessed: set[int] = set()
    for j, reading in sides.readings.items():
        alike = [t for t, x in enumerate(sides.theirs) if signature(x) == signature(reading) and t not in their_closed]
        if j not in our_closed and alike:
            fitting |= dict.fromkeys(sides.ours[j].leaves, tuple(sides.theirs[t].path for t in alike))
            first = next((t for t in alike if t not in guessed), alike[0])
            made = _made(sides.theirs[first], reading)
            guesses |= made if isinstance(made, dict) else {}
            guessed.add(first)
    return fitting, guesses
