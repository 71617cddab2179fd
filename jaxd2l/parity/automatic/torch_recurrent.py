"""Torch's LSTM, GRU and RNN: one layer for each layer and direction, and the cells."""

import re
from typing import Any

from jaxd2l.parity.automatic.layers import Entity, Own, Part, TorchLayer

_ROLES = {"weight_ih": "w_ih", "weight_hh": "w_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def recurrent(path: str, module: Any, own: Own) -> Entity:
    """The layers `path.layer_0`, `path.layer_1.backward` and so on; a cell is one layer, `path`."""
    name = "".join([str(getattr(module, "original_name", "")), *(kind.__name__ for kind in type(module).__mro__)])
    kind = next(kind for kind in ("LSTM", "GRU", "RNN") if kind in name).lower()
    by_layer: dict[tuple[str, str], dict[str, Part]] = {}
    for name, part in own.arrays.items():
        role, number, backward = re.fullmatch(r"(.*?)(?:_l(\d+))?(_reverse)?", name).groups()  # type: ignore[union-attr]
        by_layer.setdefault((number or "", backward or ""), {})[_ROLES.get(role, role)] = part
    both = any(backward for _, backward in by_layer)
    return (tuple(_layer(path, kind, *key, parts, both=both) for key, parts in by_layer.items()),)


def _layer(path: str, kind: str, number: str, backward: str, parts: dict[str, Part], *, both: bool) -> TorchLayer:
    direction = [("backward" if backward else "forward")] if both else []
    where = ".".join([*([path] if path else []), *([f"layer_{number}"] if number else []), *direction])
    shapes = {"in": parts["w_ih"].shape[1:], "hidden": (parts["w_ih"].shape[0] // _GATES[kind],)}
    names = frozenset(source for part in parts.values() for source in part.weight.sources)
    problem = "torch's LSTM has a projection (proj_size), which has no counterpart" if "weight_hr" in parts else ""
    return TorchLayer(where, kind, shapes, parts, names, problem=problem)
