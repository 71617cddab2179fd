"""Backpropagation by hand agrees with jax.grad to 1e-12 in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxd2l import models, plots
from jaxd2l.book import backprop, graphs
from jaxd2l.book.backprop import CROSS_ENTROPY, RELU, SIGMOID, SQUARED, TANH, Stored, Weights, backward, forward

ACTIVATIONS = {"relu": RELU, "sigmoid": SIGMOID, "tanh": TANH}
LOSSES = {"squared": SQUARED, "cross-entropy": CROSS_ENTROPY}


def example(n, inputs, hiddens, outputs, loss, seed=0):
    rng = np.random.default_rng(seed)
    weights = Weights(jnp.asarray(rng.normal(size=(hiddens, inputs))), jnp.asarray(rng.normal(size=(outputs, hiddens))))
    x = jnp.asarray(rng.normal(size=(n, inputs)))
    classes, targets = jnp.asarray(rng.integers(0, outputs, n)), jnp.asarray(rng.normal(size=(n, outputs)))
    return weights, x, classes if loss is CROSS_ENTROPY else targets


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_backpropagation_by_hand_agrees_with_jax_grad_in_float64(activation, loss, weight_decay):
    with jax.enable_x64(True):
        weights, x, y = example(5, 4, 6, 3, loss)
        options = {"activation": activation, "loss": loss, "weight_decay": weight_decay}
        J, stored = forward(weights, x, y, **options)
        ours = backward(weights, stored, y, **options)
        assert ours.W1.dtype == jnp.float64

        def objective(weights, x):
            return forward(weights, x, y, **options)[0]

        theirs = jax.grad(objective)(weights, x)
        np.testing.assert_allclose(ours.W1, theirs.W1, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.W2, theirs.W2, rtol=1e-12, atol=1e-12)

        # The gradients in between: those of what follows each value.
        def from_z(z):
            h = activation.value(z)
            return loss.value(h @ weights.W2.T, y), h

        np.testing.assert_allclose(ours.o, jax.grad(lambda o: loss.value(o, y))(stored.o), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.z, jax.grad(lambda z: from_z(z)[0])(stored.z), rtol=1e-12, atol=1e-12)
        h_gradient = jax.grad(lambda h: loss.value(h @ weights.W2.T, y))(stored.h)
        np.testing.assert_allclose(ours.h, h_gradient, rtol=1e-12, atol=1e-12)
        penalty = weight_decay / 2 * (np.sum(np.square(weights.W1)) + np.sum(np.square(weights.W2)))
        np.testing.assert_allclose(J, loss.value(stored.o, y) + penalty, rtol=1e-14)


def test_a_single_example_feature_and_unit():
    with jax.enable_x64(True):
        weights, x, y = example(1, 1, 1, 1, SQUARED)
        ours = backward(weights, forward(weights, x, y, loss=SQUARED)[1], y, loss=SQUARED)
        theirs = jax.jit(jax.grad(lambda weights: forward(weights, x, y, loss=SQUARED)[0]))(weights)
        np.testing.assert_allclose(ours.W1, theirs.W1, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.W2, theirs.W2, rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 1000))
def test_a_vjp_is_a_row_of_the_jacobian(seed):
    rng = np.random.default_rng(seed)
    W, x, v = (jnp.asarray(rng.normal(size=shape).astype(np.float32)) for shape in ((3, 4), (4,), (3,)))

    def f(x):
        return TANH.value(W @ x)

    (product,) = jax.vjp(f, x)[1](v)
    np.testing.assert_allclose(product, v @ jax.jacobian(f)(x), rtol=1e-4, atol=1e-5)
    by_hand = (v * TANH.derivative(W @ x)) @ W
    np.testing.assert_allclose(product, by_hand, rtol=1e-4, atol=1e-5)


def test_the_forward_pass_stores_what_the_backward_pass_needs_and_nothing_else():
    weights = Weights(jnp.array([[1.0, -1.0], [2.0, 0.0]]), jnp.array([[1.0, 3.0]]))
    J, stored = forward(weights, jnp.array([[1.0, 2.0]]), jnp.array([[5.0]]), loss=SQUARED, weight_decay=2.0)
    assert jax.tree.map(np.ndarray.tolist, jax.device_get(stored)) == Stored(
        x=[[1.0, 2.0]], z=[[-1.0, 2.0]], h=[[0.0, 2.0]], o=[[6.0]]
    )
    assert float(J) == 0.5 + 6.0 + 10.0


def test_relu_has_derivative_0_at_0():
    assert RELU.derivative(jnp.array([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]


def test_stored_bytes_counts_what_forward_stores():
    weights, x, y = example(7, 4, 6, 3, SQUARED)
    _, stored = forward(weights, x, y, loss=SQUARED)
    assert sum(v.astype(jnp.float32).nbytes for v in stored) == backprop.stored_bytes(4, (6,), 3, batch_size=7)


def test_stored_bytes_doubles_with_the_batch_and_grows_with_each_layer():
    one = backprop.stored_bytes(784, (256,), 10, batch_size=64)
    assert backprop.stored_bytes(784, (256,), 10, batch_size=128) == 2 * one
    assert backprop.stored_bytes(784, (256, 256), 10, batch_size=64) == one + 4 * 64 * 2 * 256
    with pytest.raises(ValueError, match=r"num_hiddens\[0\] must be at least 1"):
        backprop.stored_bytes(784, (0,), 10, batch_size=64)


def test_the_graph_of_a_model_shows_what_jax_keeps():
    model = models.mlp(4, 5, 3)
    params = model.init(jax.random.key(0))
    found = graphs.graph(lambda params: jnp.sum(model.apply(params, jnp.ones((2, 4)))), params)
    assert "relu" in [op.name for op in found.operations]
    assert plots.png(graphs.figure(found)).startswith(b"\x89PNG")


@pytest.mark.bad_input
def test_wrong_shapes_and_decay_are_refused():
    weights, x, y = example(5, 4, 6, 3, SQUARED)
    with pytest.raises(ValueError, match=r"x, W1 and W2 must have shapes .*; got \(5, 3\)"):
        forward(weights, x[:, :3], y, loss=SQUARED)
    with pytest.raises(ValueError, match="weight_decay must not be negative"):
        forward(weights, x, y, loss=SQUARED, weight_decay=-0.1)
    with pytest.raises(ValueError, match="predictions and targets must have the same shape"):
        forward(weights, x, y[:, :2], loss=SQUARED)


@pytest.mark.bad_input
def test_the_backward_pass_checks_its_targets() -> None:
    weights, x = backprop.Weights(jnp.ones((2, 2)), jnp.ones((2, 2))), jnp.ones((2, 2))
    _, stored = backprop.forward(weights, x, jnp.array([0, 1]))
    with pytest.raises(ValueError, match=r"y\[1\] is 2, but must be a class from"):
        backprop.backward(weights, stored, jnp.array([0, 2]))
    with pytest.raises(TypeError, match="y must be integers"):
        backprop.backward(weights, stored, jnp.array([0.0, 1.5]))
    with pytest.raises(ValueError, match=r"o and y must have the same shape .*; got \(2, 2\) and \(2,\)"):
        backprop.backward(weights, stored, jnp.ones(2), loss=backprop.SQUARED)  # would broadcast
    with pytest.raises(ValueError, match=r"x, z, o, W1 and W2 must have shapes"):
        backprop.backward(backprop.Weights(jnp.ones((3, 2)), jnp.ones((2, 3))), stored, jnp.array([0, 1]))
    with pytest.raises(TypeError, match="stored must be a Stored, got tuple"):
        backprop.backward(weights, tuple(stored), jnp.array([0, 1]))
    with pytest.raises(TypeError, match="pair"):
        backprop.forward(jnp.ones(2), x, jnp.array([0, 1]))
