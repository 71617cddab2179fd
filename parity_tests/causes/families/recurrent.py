"""Gates, biases, directions and states of recurrent layers."""

import jax
import jax.numpy as jnp
import torch
from torch import nn

from parity_tests.causes.settings import Setting, normal, plant

X, STATE = normal(3, 5, 4), normal(3, 6)


def gates(p, x, h, suffix="", order=None, second=1.0, first=1.0, n=4):
    def read(name):
        w = p[f"{name}{suffix}"]
        return w if order is None else jnp.concatenate([jnp.split(w, n)[i] for i in order])

    return x @ read("weight_ih").T + first * read("bias_ih"), h @ read("weight_hh").T + second * read("bias_hh")


def lstm_step(p, x, h, c, suffix="_l0", forget=0.0, squash=jnp.tanh, out=jnp.tanh, **options):
    a, b = gates(p, x, h, suffix, **options)
    i, f, g, o = jnp.split(a + b, 4, -1)
    c = jax.nn.sigmoid(f + forget) * c + jax.nn.sigmoid(i) * squash(g)
    return jax.nn.sigmoid(o) * out(c), c


def lstm(p, x, suffix="_l0", backwards=False, turn_back=True, time=1, **options):
    x = jnp.swapaxes(x, 0, 1) if time == 0 else x
    h = c = jnp.zeros((len(x), 6))
    made = []
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        h, c = lstm_step(p, x[:, t], h, c, suffix, **options)
        made.append(h)
    made = made[::-1] if backwards and turn_back else made
    return jnp.stack(made, 1)


class Outputs(nn.Module):
    """The outputs of a recurrent layer alone, and a linear layer."""

    def __init__(self, layer: nn.Module, width: int = 6) -> None:
        super().__init__()
        self.layer, self.out = layer, nn.Linear(width, 2)

    def forward(self, x):
        return self.out(self.layer(x)[0])


def outputs(function):
    def port(p, x, last=None, **options):
        inner = {name.removeprefix("layer."): value for name, value in p.items()}
        y = function(inner, x, **options)
        return y @ p["out.weight"].T + p["out.bias"]

    return port


def both(p, x, join=(0, 1), **options):
    parts = [lstm(p, x), lstm(p, x, "_l0_reverse", backwards=True, **options)]
    return jnp.concatenate([parts[i] for i in join], -1)


def gru(p, x, reset="after", keeps=True, order=None, second=1.0, suffix="_l0"):
    h, made = jnp.zeros((len(x), 6)), []
    for t in range(x.shape[1]):
        a, b = gates(p, x[:, t], h, suffix, order, second, n=3)
        (ra, za, na), (rb, zb, nb) = jnp.split(a, 3, -1), jnp.split(b, 3, -1)
        r, z = jax.nn.sigmoid(ra + rb), jax.nn.sigmoid(za + zb)
        if reset == "before":
            inner = (r * h) @ jnp.split(p["weight_hh" + suffix], 3)[2].T + jnp.split(p["bias_hh" + suffix], 3)[2]
        else:
            inner = r * nb
        new = jnp.tanh(na + inner)
        h = (1 - z) * new + z * h if keeps else z * new + (1 - z) * h
        made.append(h)
    return jnp.stack(made, 1)


def rnn(p, x, squash=jnp.tanh, **options):
    h, made = jnp.zeros((len(x), 6)), []
    for t in range(x.shape[1]):
        h = squash(sum(gates(p, x[:, t], h, "_l0", **options)))
        made.append(h)
    return jnp.stack(made, 1)


class HandLSTM(nn.LSTMCell):
    def forward(self, x, h):
        a = x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        i, f, g, o = a.chunk(4, -1)
        c = torch.sigmoid(f) * h + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c)


LSTM = Setting(lambda: Outputs(nn.LSTM(4, 6, batch_first=True)), outputs(lstm), X)
BOTH = Setting(lambda: Outputs(nn.LSTM(4, 6, batch_first=True, bidirectional=True), 12), outputs(both), X)
STACKED = Setting(lambda: Outputs(nn.LSTM(4, 6, 2, batch_first=True)), outputs(
    lambda p, x, **o: lstm(p, lstm(p, x, **o), "_l1", **o)
), X)  # fmt: skip
GRU = Setting(lambda: Outputs(nn.GRU(4, 6, batch_first=True)), outputs(gru), X)
RNN = Setting(lambda: Outputs(nn.RNN(4, 6, batch_first=True)), outputs(rnn), X)
CELL = Setting(
    lambda: nn.GRUCell(4, 6), lambda p, x, h, order=None, keeps=True: _cell(p, x, h, order, keeps), (X[:, 0], STATE)
)
HAND = Setting(lambda: HandLSTM(4, 6), lambda p, x, h, **o: lstm_step(p, x, h, h, "", **o)[0], (X[:, 0], STATE))


def _cell(p, x, h, order, keeps):
    a, b = gates(p, x, h, "", order, n=3)
    (ra, za, na), (rb, zb, nb) = jnp.split(a, 3, -1), jnp.split(b, 3, -1)
    r, z = jax.nn.sigmoid(ra + rb), jax.nn.sigmoid(za + zb)
    new = jnp.tanh(na + r * nb)
    return (1 - z) * new + z * h if keeps else z * new + (1 - z) * h


DEFECTS = [
    *plant("recurrent", LSTM, {
        "gates in the order i, g, f, o": ("gate order", {"order": (0, 2, 1, 3)}),
        "gates in Keras's old order": ("gate order", {"order": (0, 1, 3, 2)}),
        "second bias missing": ("second bias", {"second": 0.0}),
        "Haiku's forget bias": ("forget gate", {"forget": 1.0}),
        "relu for tanh": ("relu", {"squash": jax.nn.relu, "out": jax.nn.relu}),
        "the cell without tanh": ("output&tanh", {"out": lambda c: c}),
        "read backwards": ("direction&backwards", {"backwards": True}),
        "read backwards and not turned": ("direction&in that order", {"backwards": True, "turn_back": False}),
    }),
    *plant("recurrent", BOTH, {
        "backward outputs not turned": ("direction&turn", {"turn_back": False}),
        "backward before forward": ("directions", {"join": (1, 0)}),
    }),
    *plant("recurrent", STACKED, {
        "gate order in two layers": ("gate order", {"order": (0, 2, 1, 3)}),
        "second biases missing in two layers": ("second bias", {"second": 0.0}),
    }),
    *plant("recurrent", GRU, {
        "reset before the product": ("reset gate", {"reset": "before"}),
        "update gate inverted": ("update gate", {"keeps": False}),
        "gates in the order z, r, n": ("gate order", {"order": (1, 0, 2)}),
        "second bias missing in a GRU": ("second bias", {"second": 0.0}),
    }),
    *plant("recurrent", RNN, {
        "relu for tanh in a plain layer": ("activation&relu", {"squash": jax.nn.relu}),
        "second bias missing in a plain layer": ("second bias", {"second": 0.0}),
    }),
    *plant("recurrent", CELL, {
        "gates of a cell in the order z, r, n": ("gate order", {"order": (1, 0, 2)}),
        "update gate of a cell inverted": ("update gate", {"keeps": False}),
    }),
    *plant("recurrent", HAND, {"gate order by hand": ("gate order", {"order": (0, 2, 1, 3)})}),
]  # fmt: skip
