"""Forward and backward pass by hand against torch's autograd."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.book import backprop
from jaxd2l.parity.rule import compare_accuracy, compare_meaning, holds

ACTIVATIONS = {
    "relu": (backprop.RELU, torch.relu),
    "sigmoid": (backprop.SIGMOID, torch.sigmoid),
    "tanh": (backprop.TANH, torch.tanh),
}
LOSSES = {
    "squared": (backprop.SQUARED, lambda o, y: torch.nn.functional.mse_loss(o, y) / 2),
    "cross-entropy": (backprop.CROSS_ENTROPY, torch.nn.functional.cross_entropy),
}
WEIGHT_DECAY = 0.25
NAMES = ("J", "z", "h", "o", "dJ/do", "dJ/dW2", "dJ/dh", "dJ/dz", "dJ/dW1")


def example(loss):
    rng = np.random.default_rng(0)
    W1, W2, x = rng.normal(size=(16, 8)) / 3, rng.normal(size=(4, 16)) / 4, rng.normal(size=(32, 8))
    y = rng.integers(0, 4, 32) if loss == "cross-entropy" else rng.normal(size=(32, 4))
    # Numbers that float32 holds exactly: both precisions then start from the same.
    return [a if a.dtype.kind == "i" else a.astype(np.float32).astype(np.float64) for a in (W1, W2, x, y)]


def with_torch(W1, W2, x, y, activation, loss, dtype):
    W1, W2, x = (torch.tensor(a, dtype=dtype) for a in (W1, W2, x))
    y = torch.tensor(y) if y.dtype.kind == "i" else torch.tensor(y, dtype=dtype)
    W1.requires_grad_()
    W2.requires_grad_()
    z = x @ W1.T
    h = activation(z)
    o = h @ W2.T
    J = loss(o, y) + WEIGHT_DECAY / 2 * ((W1**2).sum() + (W2**2).sum())
    d_o, d_W2, d_h, d_z, d_W1 = torch.autograd.grad(J, (o, W2, h, z, W1))
    return [v.detach().numpy() for v in (J, z, h, o, d_o, d_W2, d_h, d_z, d_W1)]


def by_hand(W1, W2, x, y, activation, loss, dtype):
    weights, x = backprop.Weights(jnp.asarray(W1, dtype), jnp.asarray(W2, dtype)), jnp.asarray(x, dtype)
    y = jnp.asarray(y, jnp.int32) if y.dtype.kind == "i" else jnp.asarray(y, dtype)
    options = {"activation": activation, "loss": loss, "weight_decay": WEIGHT_DECAY}
    J, stored = backprop.forward(weights, x, y, **options)
    gradients = backprop.backward(weights, stored, y, **options)
    return [np.asarray(v) for v in (J, *stored[1:], *gradients)]


def scales(W1, W2, x, y, activation, values):
    """Condition scales: the same sums with every term made positive, and errors of z carried through phi."""
    J, _, h, _, d_o, *_ = (np.abs(v) for v in values)
    W1, W2, x = np.abs(W1), np.abs(W2), np.abs(x)
    one = 1.0 if y.dtype.kind == "i" else np.abs(y)
    s_z = x @ W1.T
    s_h = np.maximum(h, 0.5) + s_z  # a sigmoid is summed from 1 and e^-z
    s_o = s_h @ W2.T
    s_d_o = (s_o + one + d_o) / (len(x) if y.dtype.kind == "i" else y.size)
    s_d_h = s_d_o @ W2
    s_d_z = s_d_h * (1 + s_z)
    s_J = np.max(s_o) + J + np.max(s_o) ** 2 * (y.dtype.kind == "f")
    return [
        s_J,
        s_z,
        s_h,
        s_o,
        s_d_o,
        s_d_o.T @ s_h + WEIGHT_DECAY * W2,
        s_d_h,
        s_d_z,
        s_d_z.T @ x + WEIGHT_DECAY * W1,
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_by_hand_is_torch(activation, loss):
    (ours_phi, torch_phi), (ours_l, torch_l) = ACTIVATIONS[activation], LOSSES[loss]
    arrays = example(loss)
    oracle = with_torch(*arrays, torch_phi, torch_l, torch.float64)
    single = with_torch(*arrays, torch_phi, torch_l, torch.float32)
    with jax.enable_x64(True):
        double = by_hand(*arrays, ours_phi, ours_l, jnp.float64)
    ours = by_hand(*arrays, ours_phi, ours_l, jnp.float32)
    units = scales(*arrays, ours_phi, oracle)
    rows = [compare_meaning(*row) for row in zip(NAMES, oracle, double, units, strict=True)]
    rows += [compare_accuracy(*row) for row in zip(NAMES, single, ours, oracle, units, strict=True)]
    assert [row for row in rows if not holds(row)] == []


def test_a_wrong_gradient_does_not_pass():
    (ours_phi, torch_phi), (ours_l, torch_l) = ACTIVATIONS["tanh"], LOSSES["squared"]
    arrays = example("squared")
    oracle = with_torch(*arrays, torch_phi, torch_l, torch.float64)
    forgetful = backprop.Activation(ours_phi.value, lambda z: jnp.ones_like(z))
    with jax.enable_x64(True):
        double = by_hand(*arrays, forgetful, ours_l, jnp.float64)
    units = scales(*arrays, ours_phi, oracle)
    verdicts = {n: holds(compare_meaning(n, *row)) for n, *row in zip(NAMES, oracle, double, units, strict=True)}
    assert [name for name, verdict in verdicts.items() if not verdict] == ["dJ/dz", "dJ/dW1"]
