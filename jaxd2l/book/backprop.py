"""Forward and backward propagation written out by hand (D2L 5.3); `book.graphs` draws the graph of any function."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxd2l import losses
from jaxd2l._checks.arrays import classes, floating
from jaxd2l._checks.numbers import require_all_whole, require_kind, require_not_negative, require_whole
from jaxd2l._checks.shapes import require_shapes
from jaxd2l.activations import relu, sigmoid, softmax, tanh

__all__ = [
    "CROSS_ENTROPY",
    "RELU",
    "SIGMOID",
    "SQUARED",
    "TANH",
    "Activation",
    "Gradients",
    "LossWithGradient",
    "Stored",
    "Weights",
    "backward",
    "forward",
    "stored_bytes",
]


def __dir__() -> list[str]:
    return __all__


class Activation(NamedTuple):
    """A nonlinearity phi(z) and its derivative phi'(z), both elementwise."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


class LossWithGradient(NamedTuple):
    """The mean loss of a batch, l(o, y), and its gradient with respect to the outputs o."""

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


class Weights(NamedTuple):
    """The book's one hidden layer, without biases: W1 of shape (hiddens, inputs), W2 of shape (outputs, hiddens)."""

    W1: Float[Array, "hiddens inputs"]
    W2: Float[Array, "outputs hiddens"]


class Stored(NamedTuple):
    """What the forward pass keeps for the backward pass: inputs x, z = W1 x, h = phi(z), o = W2 h; one row each."""

    x: Float[Array, "n inputs"]
    z: Float[Array, "n hiddens"]
    h: Float[Array, "n hiddens"]
    o: Float[Array, "n outputs"]


class Gradients(NamedTuple):
    """The gradient of J with respect to each value, in the order in which the backward pass computes them."""

    o: Float[Array, "n outputs"]
    W2: Float[Array, "outputs hiddens"]
    h: Float[Array, "n hiddens"]
    z: Float[Array, "n hiddens"]
    W1: Float[Array, "hiddens inputs"]


def _cross_entropy_gradient(o: Array, y: Array) -> Array:
    y = classes("y", y, o.shape[-1])
    require_shapes("n classes, n", o=o, y=y)
    one_hot = (y[:, None] == jnp.arange(o.shape[-1], dtype=jnp.int32)).astype(o.dtype)
    return (softmax(o) - one_hot) / o.shape[0]


def _squared_gradient(o: Array, y: Array) -> Array:
    y = floating("y", y)
    require_shapes("n outputs, n outputs", o=o, y=y)  # other shapes would broadcast
    return (o - y) / o.size


RELU = Activation(relu, lambda z: (z > 0).astype(z.dtype))
"""max(z, 0), with derivative 0 at 0, as in torch."""

SIGMOID = Activation(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)))
"""1 / (1 + e^-z), with derivative s (1 - s)."""

TANH = Activation(tanh, lambda z: 1 - tanh(z) ** 2)
"""tanh z, with derivative 1 - tanh^2 z."""

SQUARED = LossWithGradient(losses.squared_loss, _squared_gradient)
"""Mean of (o - y)^2 / 2 over examples and outputs, for targets of the shape of o."""

CROSS_ENTROPY = LossWithGradient(losses.cross_entropy, _cross_entropy_gradient)
"""Mean of -log softmax(o)_y over the examples, for classes y; its gradient is (softmax(o) - one-hot y) / n."""


def forward(
    weights: Weights,
    x: Float[Array, "n inputs"],
    y: Float[Array, "n outputs"] | Integer[Array, " n"],
    *,
    activation: Activation = RELU,
    loss: LossWithGradient = CROSS_ENTROPY,
    weight_decay: float = 0.0,
) -> tuple[Float[Array, ""], Stored]:
    """The forward pass: the objective, and each intermediate value that the backward pass needs.

        z = W1 x,  h = phi(z),  o = W2 h,  L = l(o, y),  s = lambda/2 (||W1||^2 + ||W2||^2),  J = L + s

    with one example per row, so that the code computes `x W1^T` for `W1 x`. D2L 5.3.1; what autograd records in torch.

    Args:
      weights: W1 and W2.
      x: a batch of n examples.
      y: targets or classes, as the loss takes them.
      activation: phi.
      loss: l.
      weight_decay: lambda, not negative.

    Returns:
      J, a scalar, and what `backward` takes.

    Raises:
      ValueError: shapes that do not fit, or a negative `weight_decay`.

    >>> weights = Weights(jnp.ones((2, 3)), jnp.ones((1, 2)))
    >>> J, stored = forward(weights, jnp.ones((1, 3)), jnp.ones((1, 1)), loss=SQUARED, weight_decay=0.5)
    >>> float(J), stored.o  # (6 - 1)^2 / 2 + 0.25 (6 + 2)
    (14.5, Array([[6.]], dtype=float32))
    """
    (W1, W2), x = _matrices(weights), floating("x", x)
    require_shapes("n inputs, hiddens inputs, outputs hiddens", x=x, W1=W1, W2=W2)
    require_not_negative(weight_decay=weight_decay)
    z = x @ W1.T
    h = activation.value(z)
    o = h @ W2.T
    L = loss.value(o, y)
    s = weight_decay / 2 * (jnp.sum(W1**2) + jnp.sum(W2**2))
    return L + s, Stored(x, z, h, o)


def backward(
    weights: Weights,
    stored: Stored,
    y: Float[Array, "n outputs"] | Integer[Array, " n"],
    *,
    activation: Activation = RELU,
    loss: LossWithGradient = CROSS_ENTROPY,
    weight_decay: float = 0.0,
) -> Gradients:
    """The backward pass: applies the chain rule to each line of `forward`, from the last to the first.

        dJ/do  = dL/do
        dJ/dW2 = dJ/do h^T + lambda W2
        dJ/dh  = W2^T dJ/do
        dJ/dz  = dJ/dh * phi'(z)
        dJ/dW1 = dJ/dz x^T + lambda W1

    The products with h^T and x^T sum over the examples of the batch. D2L 5.3.3; torch's `J.backward()`.

    Args:
      weights, y, activation, loss, weight_decay: the same as in the forward pass.
      stored: what it returned beside J.

    Raises:
      TypeError: `stored` does not come from `forward`.
      ValueError: shapes that do not fit, a label that is not a class, or a negative `weight_decay`.

    >>> weights = Weights(jnp.ones((2, 3)), jnp.ones((1, 2)))
    >>> J, stored = forward(weights, jnp.ones((1, 3)), jnp.ones((1, 1)), loss=SQUARED)
    >>> backward(weights, stored, jnp.ones((1, 1)), loss=SQUARED).W2
    Array([[15., 15.]], dtype=float32)
    """
    (W1, W2), (x, z, h, o) = _matrices(weights), _values(stored)
    require_shapes("n inputs, n hiddens, n outputs, hiddens inputs, outputs hiddens", x=x, z=z, o=o, W1=W1, W2=W2)
    require_not_negative(weight_decay=weight_decay)
    d_o = loss.gradient(o, y)
    d_W2 = d_o.T @ h + weight_decay * W2
    d_h = d_o @ W2
    d_z = d_h * activation.derivative(z)
    d_W1 = d_z.T @ x + weight_decay * W1
    return Gradients(d_o, d_W2, d_h, d_z, d_W1)


def _matrices(weights: Weights) -> tuple[Array, Array]:
    if not isinstance(weights, tuple) or len(weights) != 2:
        raise TypeError(f"weights must be a pair (W1, W2), such as Weights(W1, W2); got {type(weights).__name__}")
    return floating("W1", weights[0]), floating("W2", weights[1])


def _values(stored: Stored) -> Stored:
    require_kind(Stored, stored=stored)
    return stored


def stored_bytes(num_inputs: int, num_hiddens: tuple[int, ...], num_outputs: int, batch_size: int) -> int:
    """Bytes of float32 that a hand-written forward pass of an MLP of any depth stores, its inputs included.

        4 n (inputs + sum of 2 hiddens + outputs)

    because each hidden layer stores z and h. It grows with the batch and with each layer, so training takes more memory
    than prediction. `graphs.graph(f, *args).kept_bytes` is what JAX's own backward pass keeps. D2L 5.3.4.

    Args:
      num_inputs, num_outputs: width of the first and the last layer.
      num_hiddens: width of each hidden layer.
      batch_size: n.

    Raises:
      TypeError, ValueError: a size that is not a whole number, or below 1.

    >>> stored_bytes(784, (256,), 10, batch_size=256)
    1337344
    """
    require_whole(1, num_inputs=num_inputs, num_outputs=num_outputs, batch_size=batch_size)
    require_all_whole(1, num_hiddens=num_hiddens)
    return np.dtype(np.float32).itemsize * batch_size * (num_inputs + 2 * sum(num_hiddens) + num_outputs)
