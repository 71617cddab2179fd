"""Another gate order, bias, reset gate, direction or state in a recurrent layer."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements.sites import Candidate, Change, Program, Site, instead

_LAYERS = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
_CELLS = {"lstm_cell": 4, "gru_cell": 3, "rnn_tanh_cell": 1, "rnn_relu_cell": 1}
_SQUASHES = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda x: x}
_GATES = {4: ("input", "forget", "cell", "output"), 3: ("reset", "update", "new"), 1: ("only",)}


class Way(NamedTuple):
    """How a recurrent layer may be computed; the defaults are torch's."""

    order: tuple[int, ...] | None = None
    second_bias: bool = True
    first_bias: bool = True
    forget_bias: float = 0.0
    reset: str = "after"
    keeps: bool = True  # GRU: h = (1 - z) n + z h
    squash: str = ""  # "" is the layer's own
    gate: str = "sigmoid"
    backwards: bool = False
    no_start: bool = False
    no_flip: bool = False
    output_squash: bool = True
    swapped_axes: bool = False
    exchanged_weights: bool = False
    directions: str = "both"


def recurrent(site: Site, program: Program) -> Iterator[Candidate]:
    """Everything that is tried on an LSTM, a GRU, a plain recurrent layer and their cells."""
    gates = _LAYERS.get(site.name) or _CELLS.get(site.name)
    if not gates:
        return
    for hint, way in _ways(site, gates):
        yield instead(site, f"{hint}", _computed(site, way))


def _ways(site: Site, gates: int) -> Iterator[tuple[str, Way]]:
    names = _GATES[gates]
    for order in permutations(range(gates)):
        if order != tuple(range(gates)):
            read = ", ".join(names[order.index(i)] for i in range(gates))
            yield f"gate order: JAX reads the gates as {read}; torch's order is {', '.join(names)}", Way(order=order)
    yield "missing second bias: JAX has no bias_hh, the bias of the hidden state", Way(second_bias=False)
    yield "missing first bias: JAX has no bias_ih, the bias of the inputs", Way(first_bias=False)
    yield "both biases are missing in JAX", Way(first_bias=False, second_bias=False)
    yield "weights of inputs and hidden state are exchanged in JAX", Way(exchanged_weights=True)
    if gates == 4:
        yield "forget gate: JAX adds 1 to its bias, torch does not", Way(forget_bias=1.0)
        yield "output: JAX's output gate multiplies the cell, without tanh", Way(output_squash=False)
    if gates == 3:
        yield "reset gate before the product: JAX computes W (r h), torch r (W h + b)", Way(reset="before")
        yield "reset gate: JAX multiplies W h without its bias, torch with it", Way(reset="without bias")
        yield "reset gate is missing in JAX", Way(reset="none")
        yield "update gate inverted: JAX computes z n + (1 - z) h, torch (1 - z) n + z h", Way(keeps=False)
        both = "reset gate before the product, and update gate inverted: JAX computes z n + (1 - z) h"
        yield both, Way(keeps=False, reset="before")
    for squash in ("relu", "sigmoid", "identity") if "relu" not in site.name else ("tanh", "sigmoid", "identity"):
        yield f"activation of the recurrent layer: JAX has {squash}", Way(squash=squash)
    yield "gates: JAX has hard sigmoid (0.2 x + 0.5), torch sigmoid", Way(gate="hard_sigmoid")
    yield "initial state is ignored in JAX: it starts from zeros", Way(no_start=True)
    if site.name in _LAYERS:
        yield "direction: JAX reads the sequence backwards", Way(backwards=True)
        unturned = "direction: JAX reads the sequence backwards, and gives the outputs in that order"
        yield unturned, Way(backwards=True, no_flip=True)
        yield "batch and time are swapped in JAX (batch_first)", Way(swapped_axes=True)
        yield "direction: JAX does not turn the backward outputs round again", Way(no_flip=True)
        yield "direction: JAX reads forwards in both directions", Way(directions="forwards")
        yield "order of directions: JAX joins backward before forward", Way(directions="exchanged")


def _computed(site: Site, way: Way) -> Change:
    if site.name in _CELLS:

        def cell(x: Any, state: Any, *weights: Any) -> Any:
            return _step(site.name.removesuffix("_cell"), way, x, _start(way, state), weights)

        return cell

    def layers(x: Any, state: Any, weights: Any, has_biases: bool, n: int, *rest: Any) -> Any:
        _, _, bidirectional, batch_first = rest
        return _layers(site.name, way, x, state, list(weights), has_biases, n, bidirectional, batch_first)

    return layers


def _start(way: Way, state: Any) -> Any:
    if not way.no_start:
        return state
    return tuple(map(torch.zeros_like, state)) if isinstance(state, tuple | list) else torch.zeros_like(state)


def _layers(
    name: str, way: Way, x: Any, state: Any, weights: list[Any], has_biases: bool, n: int, both: bool, batch_first: bool
) -> Any:
    time = 1 if batch_first != way.swapped_axes else 0
    states = state if name == "lstm" else (state,)
    states = tuple(s.transpose(0, 1) for s in states) if isinstance(states, list) else tuple(states)
    count = 4 if has_biases else 2
    if len(weights) != n * (2 if both else 1) * count or (way.swapped_axes and x.shape[0] != x.shape[1]):
        raise ValueError("a projection, or axes that cannot be swapped")
    ends: list[Any] = []
    for layer in range(n):
        outputs = []
        for direction in range(2 if both else 1):
            number = layer * (2 if both else 1) + direction
            group = weights[count * number : count * (number + 1)]
            start = tuple(s[number] for s in states)
            start = _start(way, start if name == "lstm" else start[0])
            turned = (direction == 1 and way.directions != "forwards") != (way.backwards and direction == 0)
            sequence = x.flip(time) if turned else x
            made = []
            for t in range(x.shape[time]):
                start = _step(name, way, sequence.select(time, t), start, group)
                made.append(start[0] if name == "lstm" else start)
            out = torch.stack(made, time)
            outputs.append(out.flip(time) if turned and not way.no_flip else out)
            ends.append(start)
        outputs = outputs[::-1] if way.directions == "exchanged" else outputs
        x = torch.cat(outputs, -1)
    if name == "lstm":
        return x, torch.stack([e[0] for e in ends]), torch.stack([e[1] for e in ends])
    return x, torch.stack(ends)


def _step(name: str, way: Way, x: Any, state: Any, weights: Any) -> Any:
    gates = (_LAYERS | _CELLS)[name]
    w_in, w_state, *biases = (_ordered(w, way.order, gates) for w in weights if w is not None)
    if way.exchanged_weights:
        w_in, w_state = w_state, w_in
    b_in, b_state = biases or (w_in.new_zeros(len(w_in)),) * 2
    b_in, b_state = b_in * way.first_bias, b_state * way.second_bias
    squash = _SQUASHES[way.squash or ("relu" if name == "rnn_relu" else "tanh")]
    gate = torch.sigmoid if way.gate == "sigmoid" else lambda x: (0.2 * x + 0.5).clamp(0, 1)
    if name == "lstm":
        h, c = state
        i, f, g, o = (F.linear(x, w_in, b_in) + F.linear(h, w_state, b_state)).chunk(4, -1)
        c = gate(f + way.forget_bias) * c + gate(i) * squash(g)
        return gate(o) * (squash(c) if way.output_squash else c), c
    if name == "gru":
        r_x, z_x, n_x = F.linear(x, w_in, b_in).chunk(3, -1)
        r_h, z_h, n_h = F.linear(state, w_state, b_state).chunk(3, -1)
        r, z = gate(r_x + r_h), gate(z_x + z_h)
        w_n, b_n = w_state.chunk(3)[2], b_state.chunk(3)[2]
        inner = {
            "after": lambda: r * n_h,
            "before": lambda: F.linear(r * state, w_n, b_n),
            "without bias": lambda: r * F.linear(state, w_n) + b_n,
            "none": lambda: n_h,
        }[way.reset]()
        new = squash(n_x + inner)
        return (1 - z) * new + z * state if way.keeps else z * new + (1 - z) * state
    return squash(F.linear(x, w_in, b_in) + F.linear(state, w_state, b_state))


def _ordered(weight: torch.Tensor, order: tuple[int, ...] | None, gates: int) -> torch.Tensor:
    return weight if order is None else torch.cat([weight.chunk(gates)[i] for i in order])
