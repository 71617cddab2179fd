"""What is left over: layers that may be several, and layers that lack a bias or have one too many."""

from collections.abc import Iterator

from jaxd2l.parity.automatic.layers import Reading, Shape, TorchLayer, signature
from jaxd2l.parity.automatic.naming import Layers
from jaxd2l.parity.weights import Weight


def made(layer: TorchLayer, reading: Reading) -> dict[str, Weight] | str:
    """The leaves, or why they cannot be made of the layer."""
    made = layer.problem or reading.recipe(layer)
    if isinstance(made, str):
        return made
    left = sorted(layer.names - {source for weight in made.values() for source in weight.sources})
    return f"it has no place for {', '.join(left)}" if left else made


def open_leaves(
    sides: Layers, their_closed: set[int], our_closed: set[int]
) -> tuple[dict[str, tuple[str, ...]], dict[str, Weight]]:
    """The open layers of torch's that each open leaf fits; and what the leaves are if both sides have one order."""
    fitting: dict[str, tuple[str, ...]] = {}
    guesses: dict[str, Weight] = {}
    guessed: set[int] = set()
    for j, reading in sides.readings.items():
        alike = [t for t, x in enumerate(sides.theirs) if signature(x) == signature(reading) and t not in their_closed]
        if j not in our_closed and alike:
            fitting |= dict.fromkeys(sides.ours[j].leaves, tuple(sides.theirs[t].path for t in alike))
            first = next((t for t in alike if t not in guessed), alike[0])
            guess = made(sides.theirs[first], reading)
            guesses |= guess if isinstance(guess, dict) else {}
            guessed.add(first)
    return fitting, guesses


def misses(sides: Layers, their_closed: set[int]) -> Iterator[str]:
    """A sentence on each JAX layer that torch has no layer for, but for a bias that is missing or too much."""
    open_theirs = [layer for t, layer in enumerate(sides.theirs) if t not in their_closed]
    for layer in (layer for j, layer in enumerate(sides.ours) if j not in sides.readings):
        for reading in layer.readings:
            alike = [x for x in open_theirs if x.kind == reading.kind and _but_bias(x) == _but_bias(reading)]
            if alike and reading.kind in ("linear", "conv", "conv_transpose", "norm"):
                has, they = ("a bias", "none") if "bias" in reading.shapes else ("no bias", "one")
                names = ", ".join(repr(x.path) if x.path else "the module" for x in alike)
                ours = repr(layer.path) if layer.path else "module"
                yield f"JAX's {ours} has {has}, and torch's layers of this size have {they}: {names}"
                break


def _but_bias(layer: TorchLayer | Reading) -> dict[str, Shape]:
    return {role: shape for role, shape in layer.shapes.items() if role != "bias"}
