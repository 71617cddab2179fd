"""The names of the layers on both sides, ready to be compared."""

from typing import NamedTuple

from jaxd2l.parity.automatic.conventions import conventional
from jaxd2l.parity.automatic.layers import JaxLayer, Reading, TorchLayer, signature
from jaxd2l.parity.automatic.names import Tokens, pattern, tokens, words


class Layers(NamedTuple):
    """Both sides, by position.

    readings: of each JAX layer that torch has a layer for.
    their_names, our_names: what they are called.
    other_names: what they are called by convention, where there is one; torch's, and JAX's.
    """

    theirs: list[TorchLayer]
    ours: list[JaxLayer]
    readings: dict[int, Reading]
    their_names: dict[int, Tokens]
    our_names: dict[int, Tokens]
    other_names: tuple[dict[int, Tokens], dict[int, Tokens]]


def named(theirs: list[TorchLayer], ours: list[JaxLayer], readings: dict[int, Reading], framework: str) -> Layers:
    """With the names; torch's directions are numbers, forward and then backward, where no name of JAX's says which.

    Args:
      theirs: torch's layers.
      ours: JAX's.
      readings: what is known of JAX's, by position.
      framework: `Port.framework`.
    """
    numbered = framework == "Haiku"
    our_names = {j: tokens(ours[j].path, numbered=numbered) for j in readings}
    their_names = {t: tokens(layer.path) for t, layer in enumerate(theirs)}
    if not any("backward" in words(pattern(name)) for name in our_names.values()):
        directions: dict[str | int, int] = {"forward": 0, "backward": 1}
        for t, layer in enumerate(theirs):
            if "w_hh" in layer.parts:
                their_names[t] = tuple(directions.get(token, token) for token in their_names[t])
    other_names = (
        conventional({t: (layer.path, signature(layer)) for t, layer in enumerate(theirs)}, numbered=False),
        conventional({j: (ours[j].path, signature(reading)) for j, reading in readings.items()}, numbered=numbered),
    )
    return Layers(theirs, ours, readings, their_names, our_names, other_names)
