"""Readings of recurrent cells. Torch has w_ih and w_hh with the gates below each other, and two biases that it adds.

LSTM: gates i, f, g, o in torch, Flax and Equinox, and i, g, f, o in Haiku, which adds 1 to the forget gate's bias.
GRU: gates r, z, n; the second bias of n stands inside the product with r.
"""

from collections.abc import Iterator, Mapping

from jaxd2l.parity.automatic.layers import Leaves, Part, Reading, Recipe, TorchLayer
from jaxd2l.parity.weights import Weight, concatenate, constant


def recurrent(path: str, leaves: Leaves) -> Iterator[Reading]:
    """The cell that the leaves make up, if they do."""
    names = set(leaves)
    if any(len(shape) != (1 if _is_bias(name) else 2) for name, (_, shape) in leaves.items()):
        return
    for wanted, make in (
        (_LINEN_LSTM, _linen_lstm),
        (_LINEN_GRU, _linen_gru),
        (_DENSE, _fused_flax),
        (_SIMPLE, _simple),
        ({"weight_ih", "weight_hh"}, _equinox),
        ({"w_i", "w_h", "b"}, _haiku_gru),
        ({"linear.w", "linear_1.w", "linear.b"}, _haiku_vanilla),
    ):
        if wanted <= {name.replace("if_.", "if.") for name in names}:
            yield from make(leaves)
    if path.rpartition("/")[2] == "linear" and _is_lstm(path) and names == {"w", "b"}:
        yield from _haiku_lstm(leaves)


_LINEN_LSTM = {f"{side}{gate}.kernel" for side in "ih" for gate in "ifgo"}
_LINEN_GRU = {f"{side}{gate}.kernel" for side in "ih" for gate in "rzn"}
_DENSE = {"dense_i.kernel", "dense_h.kernel"}
_SIMPLE = {"i.kernel", "h.kernel"}


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2] in ("bias", "bias_n", "b")


def _is_lstm(path: str) -> bool:
    cell = path.split("/")[-2:-1]
    return bool(cell) and cell[0].rstrip("0123456789").rstrip("_") == "lstm"


def _cell(kind: str, inputs: int, hidden: int, recipe: Recipe) -> Reading:
    return Reading(kind, {"in": (inputs,), "hidden": (hidden,)}, recipe)


def _bias(parts: Mapping[str, Part]) -> Weight:
    """The sum of torch's two biases; zeros if it has none, for the cells that always have a bias."""
    if "b_ih" not in parts:
        return constant(0.0, parts["w_ih"].shape[:1])
    return parts["b_ih"].weight + parts["b_hh"].weight


def _linen_lstm(leaves: Leaves) -> Iterator[Reading]:
    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        return _by_gate(leaves, layer.parts, "ifgo", {"h": _bias(layer.parts).split(4)})

    inputs, hidden = leaves["ii.kernel"][1]
    yield _cell("lstm", inputs, hidden, recipe)


def _linen_gru(leaves: Leaves) -> Iterator[Reading]:
    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        both, (of_n, inside) = _bias(layer.parts).split(3), _of_n(layer.parts)
        return _by_gate(leaves, layer.parts, "rzn", {"i": (*both[:2], of_n), "h": (*both[:2], inside)})

    inputs, hidden = leaves["ir.kernel"][1]
    yield _cell("gru", inputs, hidden, recipe)


def _by_gate(
    leaves: Leaves, parts: Mapping[str, Part], gates: str, biases: Mapping[str, tuple[Weight, ...]]
) -> dict[str, Weight]:
    """Flax's cells with a module for each gate, "if.kernel" or "if_.kernel" of side i and gate f."""
    kernels = {"i": parts["w_ih"].weight.split(len(gates)), "h": parts["w_hh"].weight.split(len(gates))}
    found = {}
    for name, (full, _) in leaves.items():
        cell, role = name.replace("_", "").split(".")
        side, gate = cell[0], cell[1:]
        number = gates.index(gate)
        found[full] = kernels[side][number].T if role == "kernel" else biases[side][number]
    return found


def _of_n(parts: Mapping[str, Part]) -> tuple[Weight, Weight]:
    """The two biases of a GRU's gate n, which stand outside and inside the product with r."""
    if "b_ih" not in parts:
        zeros = constant(0.0, parts["w_hh"].shape[1:])
        return zeros, zeros
    return parts["b_ih"].weight.split(3)[2], parts["b_hh"].weight.split(3)[2]


def _fused_flax(leaves: Leaves) -> Iterator[Reading]:
    """NNX's OptimizedLSTMCell, whose bias is the hidden side's, and its GRUCell and SimpleCell."""
    (inputs, wide), (hidden, _) = leaves["dense_i.kernel"][1], leaves["dense_h.kernel"][1]
    kind = {4: "lstm", 3: "gru", 1: "rnn"}.get(wide // hidden)
    biases = [name for name in leaves if name.endswith(".bias")]

    def recipe(layer: TorchLayer) -> dict[str, Weight] | str:
        if kind == "gru" and "b_hh" in layer.parts:
            return "NNX's GRUCell lacks the bias b_hn, which torch has: no weights make them equal; use bias=False"
        found = {
            leaves[name][0]: layer.parts[w].weight.T for name, w in zip(sorted(_DENSE), ("w_hh", "w_ih"), strict=True)
        }
        return found | {leaves[name][0]: _bias(layer.parts) for name in biases}

    if kind and len(biases) == 1:
        yield _cell(kind, inputs, hidden, recipe)


def _simple(leaves: Leaves) -> Iterator[Reading]:
    """Linen's SimpleCell."""
    inputs, hidden = leaves["i.kernel"][1]

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        parts = layer.parts
        found = {"i.kernel": parts["w_ih"].weight.T, "h.kernel": parts["w_hh"].weight.T, "i.bias": _bias(parts)}
        return {full: found[name] for name, (full, _) in leaves.items()}

    if set(leaves) <= {"i.kernel", "h.kernel", "i.bias"}:
        yield _cell("rnn", inputs, hidden, recipe)


def _equinox(leaves: Leaves) -> Iterator[Reading]:
    """LSTMCell and GRUCell, whose bias of gate n inside the product is called bias_n."""
    (wide, inputs), hidden = leaves["weight_ih"][1], leaves["weight_hh"][1][1]
    kind = {4: "lstm", 3: "gru"}.get(wide // hidden)

    def recipe(layer: TorchLayer) -> dict[str, Weight] | str:
        parts = layer.parts
        if ("b_ih" in parts) != ("bias" in leaves):
            return f"torch's layer has {'a' if 'b_ih' in parts else 'no'} bias, and the Equinox cell is otherwise"
        found = {"weight_ih": parts["w_ih"].weight, "weight_hh": parts["w_hh"].weight}
        if "bias" in leaves:
            found["bias"] = _bias(parts)
        if "bias_n" in leaves:
            of_n, inside = _of_n(parts)
            found |= {"bias": concatenate([*_bias(parts).split(3)[:2], of_n]), "bias_n": inside}
        return {full: found[name] for name, (full, _) in leaves.items()}

    if (
        kind
        and set(leaves) <= {"weight_ih", "weight_hh", "bias", "bias_n"}
        and (kind == "gru" or "bias_n" not in leaves)
    ):
        yield _cell(kind, inputs, hidden, recipe)


def _haiku_lstm(leaves: Leaves) -> Iterator[Reading]:
    (both, wide), hidden = leaves["w"][1], leaves["w"][1][1] // 4

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        w = concatenate([layer.parts["w_ih"].weight.T, layer.parts["w_hh"].weight.T])
        i, f, g, o = w.split(4, 1)
        of_i, of_f, of_g, of_o = _bias(layer.parts).split(4)
        return {
            leaves["w"][0]: concatenate([i, g, f, o], 1),
            leaves["b"][0]: concatenate([of_i, of_g, of_f + -1.0, of_o]),
        }

    if wide == 4 * hidden and both > hidden:
        yield _cell("lstm", both - hidden, hidden, recipe)


def _haiku_gru(leaves: Leaves) -> Iterator[Reading]:
    inputs, wide = leaves["w_i"][1]
    reason = "Haiku's GRU resets the state before the product with w_h, torch after it: no weights make them equal"
    yield _cell("gru", inputs, wide // 3, lambda layer: reason)


def _haiku_vanilla(leaves: Leaves) -> Iterator[Reading]:
    inputs, hidden = leaves["linear.w"][1]

    def recipe(layer: TorchLayer) -> dict[str, Weight]:
        parts = layer.parts
        found = {"linear.w": parts["w_ih"].weight.T, "linear_1.w": parts["w_hh"].weight.T, "linear.b": _bias(parts)}
        if "linear_1.b" in leaves and "b_ih" in parts:
            found |= {"linear.b": parts["b_ih"].weight, "linear_1.b": parts["b_hh"].weight}
        elif "linear_1.b" in leaves:
            found["linear_1.b"] = _bias(parts)
        return {full: found[name] for name, (full, _) in leaves.items()}

    yield _cell("rnn", inputs, hidden, recipe)
