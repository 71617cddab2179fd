"""A convolution and the norm that belongs to it: where the one is known, the other is."""

from collections import Counter
from collections.abc import Mapping

from jaxd2l.parity.automatic.layers import Reading, TorchLayer, signature
from jaxd2l.parity.automatic.matching import Pairing
from jaxd2l.parity.automatic.names import Tokens
from jaxd2l.parity.automatic.naming import Layers


def companions(sides: Layers, trusted: list[Pairing]) -> list[Pairing]:
    """The norms that are still open, and belong to convolutions that are paired.

    Norm and convolution belong together if their names differ by these words alone, as conv1 and bn1 do, Conv_2 and
    BatchNorm_2, or conv_block.conv and conv_block.norm, or if the one stands next to the other in a Sequential; and if
    every convolution of their block has a norm of its own, with as many channels.
    """
    of_theirs = _norms({t: (sides.their_names[t], layer) for t, layer in enumerate(sides.theirs)})
    of_ours = _norms({j: (sides.our_names[j], reading) for j, reading in sides.readings.items()})
    closed = {p.theirs for p in trusted}, {p.ours for p in trusted}
    found = []
    for pairing in trusted:
        theirs, ours = of_theirs.get(pairing.theirs), of_ours.get(pairing.ours)
        if theirs is None or ours is None or theirs in closed[0] or ours in closed[1]:
            continue
        if signature(sides.theirs[theirs]) == signature(sides.readings[ours]):
            found.append(Pairing(theirs, ours, (sides.their_names[theirs], sides.our_names[ours]), False))
    return found


Named = Mapping[int, tuple[Tokens, TorchLayer | Reading]]


def _norms(layers: Named) -> dict[int, int]:
    """The norm of each convolution, in blocks where all have one."""
    norms = {name: i for i, (name, layer) in layers.items() if layer.kind == "norm"}
    convolutions = {i: name for i, (name, layer) in layers.items() if _channels(layer)}
    found = {}
    for i, name in convolutions.items():
        last = len(name) - (2 if name and isinstance(name[-1], int) else 1)
        names = {_renamed(name), (*name[:last], *_renamed(name[last:])), _next(name)}
        beside = [norms[other] for other in names if other in norms]
        if len(beside) == 1 and next(iter(layers[beside[0]][1].shapes.values())) == _channels(layers[i][1]):
            found[i] = beside[0]
    times = Counter(found.values())
    proper = {i: name for i, name in convolutions.items() if i in found or layers[i][1].kind == "conv"}
    incomplete = {_block(name) for i, name in proper.items() if times[found.get(i, -1)] != 1}
    incomplete |= {_block(name) for name, i in norms.items() if times[i] != 1}
    return {i: norm for i, norm in found.items() if _block(convolutions[i]) not in incomplete}


def _channels(layer: TorchLayer | Reading) -> tuple[int, ...]:
    """The number of outputs of a convolution, one of points included; () of any other layer."""
    return layer.shapes["weight"][:1] if layer.kind in ("conv", "linear") and "weight" in layer.shapes else ()


def _renamed(name: Tokens) -> Tokens:
    return tuple("_".join(map(_norm, token.split("_"))) if isinstance(token, str) else token for token in name)


def _norm(word: str) -> str:
    return "norm" if word == "conv" else word


def _next(name: Tokens) -> Tokens:
    """The name of what follows in a Sequential."""
    return (*name[:-1], name[-1] + 1) if name and isinstance(name[-1], int) else ("",)


def _block(name: Tokens) -> Tokens:
    """The names without the last word and number."""
    return name[:-2] if name and isinstance(name[-1], int) else name[:-1]
