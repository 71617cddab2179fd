"""The names of the layers on both sides, ready to be compared."""

from collections import defaultdict
from typing import NamedTuple

from jaxd2l.parity.automatic.layers import JaxLayer, Reading, TorchLayer
from jaxd2l.parity.automatic.names import Tokens, pattern, tokens, words


class Layers(NamedTuple):
    """Both sides, by position, with the reading of each JAX layer that torch has a layer for."""

    theirs: list[TorchLayer]
    ours: list[JaxLayer]
    readings: dict[int, Reading]
    their_names: dict[int, Tokens]
    our_names: dict[int, Tokens]


def named(theirs: list[TorchLayer], ours: list[JaxLayer], readings: dict[int, Reading], framework: str) -> Layers:
    """With the names; torch's directions are numbers, forward and then backward, where no name of JAX's says which.

    Args:
      theirs: torch's layers.
      ours: JAX's.
      readings: what is known of JAX's, by position.
      framework: `Port.framework`.
    """
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
    return Layers(theirs, ours, readings, their_names, our_names)


def _siblings(paths: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        found[_parent(path)].add(path.replace("/", ".").rpartition(".")[2])
    return found


def _parent(path: str) -> str:
    return path.replace("/", ".").rpartition(".")[0]
