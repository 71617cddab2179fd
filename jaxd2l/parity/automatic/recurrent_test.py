"""LSTM, GRU and RNN in each framework, against torch in values and gradients."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

SEQUENCES = np.random.default_rng(0).normal(size=(2, 4, 3))
LAST = np.random.default_rng(0).normal(size=(4, 3))


def key():
    return jax.random.key(0)


def sequence(module, x):
    return module(x)[0]


def flax(cell):
    return nn.RNN(cell)


class Unrolled(eqx.Module):
    """An Equinox cell over a sequence."""

    cell: eqx.Module

    def __call__(self, x):
        hidden = jnp.zeros(self.cell.hidden_size, x.dtype)
        state = (hidden, hidden) if isinstance(self.cell, eqx.nn.LSTMCell) else hidden

        def step(state, x):
            state = self.cell(x, state)
            return state, state[0] if isinstance(state, tuple) else state

        return jax.lax.scan(step, state, x)[1]


def haiku(core):
    def unroll(x):
        cell = core(5)
        start = jax.tree.map(lambda s: s.astype(x.dtype), cell.initial_state(len(x)))
        return hk.dynamic_unroll(cell, x, start, time_major=False)[0]

    return hk.transform(unroll)


LSTMS = {
    "Linen": nn.RNN(nn.LSTMCell(5)),
    "Linen optimised": nn.RNN(nn.OptimizedLSTMCell(5)),
    "NNX": lambda rngs: nnx.RNN(nnx.LSTMCell(3, 5, rngs=rngs), rngs=rngs),
    "NNX optimised": lambda rngs: nnx.RNN(nnx.OptimizedLSTMCell(3, 5, rngs=rngs), rngs=rngs),
    "Equinox": Unrolled(eqx.nn.LSTMCell(3, 5, key=key())),
    "Haiku": haiku(hk.LSTM),
}


@pytest.mark.parametrize("framework", LSTMS)
def test_an_lstm(framework, agrees) -> None:
    agrees(torch.nn.LSTM(3, 5, batch_first=True), LSTMS[framework], SEQUENCES, forward=sequence)


@pytest.mark.parametrize("framework", ["Linen", "NNX optimised", "Haiku"])
def test_an_lstm_without_a_bias_where_jax_always_has_one(framework, agrees) -> None:
    agrees(torch.nn.LSTM(3, 5, batch_first=True, bias=False), LSTMS[framework], SEQUENCES, forward=sequence)


GRUS = {"Linen": nn.RNN(nn.GRUCell(5)), "Equinox": Unrolled(eqx.nn.GRUCell(3, 5, key=key()))}


@pytest.mark.parametrize("framework", GRUS)
def test_a_gru_keeps_its_second_bias_inside_the_product(framework, agrees) -> None:
    agrees(torch.nn.GRU(3, 5, batch_first=True), GRUS[framework], SEQUENCES, forward=sequence)


def test_a_gru_of_nnx_has_no_second_bias(agrees, weights_of) -> None:
    def model(rngs):
        return nnx.RNN(nnx.GRUCell(3, 5, rngs=rngs), rngs=rngs)

    agrees(torch.nn.GRU(3, 5, batch_first=True, bias=False), model, SEQUENCES, forward=sequence)
    with pytest.raises(ValueError, match="b_hn"):
        weights_of(torch.nn.GRU(3, 5, batch_first=True), model, SEQUENCES)


def test_a_gru_of_haiku_is_another_function(weights_of) -> None:
    with pytest.raises(ValueError, match="before the product"):
        weights_of(torch.nn.GRU(3, 5, batch_first=True), haiku(hk.GRU), SEQUENCES.astype(np.float32))


RNNS = {
    "Linen": nn.RNN(nn.SimpleCell(5)),
    "NNX": lambda rngs: nnx.RNN(nnx.SimpleCell(3, 5, rngs=rngs), rngs=rngs),
    "Haiku": haiku(hk.VanillaRNN),
}


@pytest.mark.parametrize("framework", RNNS)
def test_a_plain_rnn(framework, agrees) -> None:
    act = "relu" if framework == "Haiku" else "tanh"
    agrees(torch.nn.RNN(3, 5, batch_first=True, nonlinearity=act), RNNS[framework], SEQUENCES, forward=sequence)


def test_a_cell(agrees) -> None:
    class Step(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.LSTMCell(5)((jnp.zeros((len(x), 5), x.dtype),) * 2, x)[1]

    agrees(torch.nn.LSTMCell(3, 5), Step(), LAST, forward=sequence)


class Stacked(nn.Module):
    """Two directions, each layer on both outputs of the one below; cells named by Linen."""

    layers: int

    @nn.compact
    def __call__(self, x):
        for _ in range(self.layers):
            x = nn.Bidirectional(nn.RNN(nn.OptimizedLSTMCell(5)), nn.RNN(nn.OptimizedLSTMCell(5)))(x)
        return x


def test_layers_and_directions_in_the_order_of_linens_numbers(agrees) -> None:
    module = torch.nn.LSTM(3, 5, num_layers=3, bidirectional=True, batch_first=True)
    agrees(module, Stacked(3), SEQUENCES, forward=sequence)


def test_directions_by_their_names(agrees) -> None:
    def model(rngs):
        # made in the other order on purpose: the names decide
        backward = nnx.RNN(nnx.LSTMCell(3, 5, rngs=rngs), rngs=rngs)
        return nnx.Bidirectional(nnx.RNN(nnx.LSTMCell(3, 5, rngs=rngs), rngs=rngs), backward, rngs=rngs)

    module = torch.nn.LSTM(3, 5, bidirectional=True, batch_first=True)
    agrees(module, model, SEQUENCES, forward=sequence)


def test_a_stack_of_equinox_cells(agrees) -> None:
    class Two(eqx.Module):
        layers: list

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Two([Unrolled(eqx.nn.GRUCell(n, 5, key=key())) for n in (3, 5, 5)])
    agrees(torch.nn.GRU(3, 5, num_layers=3, batch_first=True), model, SEQUENCES, forward=sequence)


def test_a_projection_is_refused(weights_of) -> None:
    with pytest.raises(ValueError, match="proj_size"):
        weights_of(torch.nn.LSTM(3, 5, proj_size=2, batch_first=True), LSTMS["Linen"], SEQUENCES)
