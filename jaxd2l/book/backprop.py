"""Forward and backward propagation written out by hand (D2L 5.3); `book.graphs` draws the graph of any function."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxd2l import losses
from jaxd2l._checks.arrays import classes, floating
from jaxd2l._checks.numbers import require_real, require_whole
from jaxd2l.activations import relu, sigmoid, softmax, tanh

__all__ = [
    "CROSS_ENTROPY",
    "RELU",
    "SIGMOID",
    "SQUARED",
    "TANH",
    "Activation",
    "Gradients",
    "Loss",
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


class Loss(NamedTuple):
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
    """dJ with respect to each value, in the order in which the backward pass finds them."""

    o: Float[Array, "n outputs"]
    W2: Float[Array, "outputs hiddens"]
    h: Float[Array, "n hiddens"]
    z: Float[Array, "n hiddens"]
    W1: Float[Array, "hiddens inputs"]


def _cross_entropy_gradient(o: Array, y: Array) -> Array:
    if np.shape(y) != o.shape[:1]:
        raise ValueError(f"y must have one class per output row, shape {o.shape[:1]}; got {np.shape(y)}")
    y = classes("y", y, o.shape[-1])
    every_class = jnp.arange(o.shape[-1], dtype=jnp.int32)
    return (softmax(o) - (y[:, None] == every_class).astype(o.dtype)) / o.shape[0]


def _squared_gradient(o: Array, y: Array) -> Array:
    if np.shape(y) != o.shape:
        raise ValueError(f"y must have the shape of the outputs, {o.shape}; got {np.shape(y)}")
    return (o - floating("y", y)) / o.size


RELU = Activation(relu, lambda z: (z > 0).astype(z.dtype))
"""max(z, 0), with derivative 0 at 0, as in torch."""

SIGMOID = Activation(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)))
"""1 / (1 + e^-z), with derivative s (1 - s)."""

TANH = Activation(tanh, lambda z: 1 - tanh(z) ** 2)
"""tanh z, with derivative 1 - tanh^2 z."""

SQUARED = Loss(losses.squared_loss, _squared_gradient)
"""Mean of (o - y)^2 / 2 over examples and outputs, for targets of the shape of o."""

CROSS_ENTROPY = Loss(losses.cross_entropy, _cross_entropy_gradient)
"""Mean of -log softmax(o)_y over the examples, for classes y; its gradient is (softmax(o) - one-hot y) / n."""


def forward(
    weights: Weights,
    x: Float[Array, "n inputs"],
    y: Float[Array, "n outputs"] | Integer[Array, " n"],
    *,
    activation: Activation = RELU,
    loss: Loss = CROSS_ENTROPY,
    weight_decay: float = 0.0,
) -> tuple[Float[Array, ""], Stored]:
    """The forward pass: the objective, and every intermediate value that the backward pass needs.

        z = W1 x,  h = phi(z),  o = W2 h,  L = l(o, y),  s = lambda/2 (||W1||^2 + ||W2||^2),  J = L + s

    with one example per row, so that `W1 x` reads `x W1^T`. D2L 5.3.1; what autograd records in torch.

    Args:
      weights: W1 and W2.
      x: a batch of n examples.
      y: targets or classes, as the loss wants them.
      activation: phi.
      loss: l.
      weight_decay: lambda, not negative.

    Returns:
      J, a scalar, and what to hand to `backward`.

    Raises:
      ValueError: shapes that do not fit, or a negative `weight_decay`.

    >>> weights = Weights(jnp.ones((2, 3)), jnp.ones((1, 2)))
    >>> J, stored = forward(weights, jnp.ones((1, 3)), jnp.ones((1, 1)), loss=SQUARED, weight_decay=0.5)
    >>> float(J), stored.o  # (6 - 1)^2 / 2 + 0.25 (6 + 2)
    (14.5, Array([[6.]], dtype=float32))
    """
    (W1, W2), x = _matrices(weights), floating("x", x)
    if not (W1.ndim == W2.ndim == x.ndim == 2 and W1.shape[1] == x.shape[1] and W2.shape[1] == W1.shape[0]):
        raise ValueError(
            "expected x (n, inputs), W1 (hiddens, inputs) and W2 (outputs, hiddens); "
            f"got {x.shape}, {W1.shape} and {W2.shape}"
        )
    _require_decay(weight_decay)
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
    loss: Loss = CROSS_ENTROPY,
    weight_decay: float = 0.0,
) -> Gradients:
    """The backward pass: the chain rule applied to each line of `forward`, from the last to the first.

        dJ/do  = dL/do
        dJ/dW2 = dJ/do h^T + lambda W2
        dJ/dh  = W2^T dJ/do
        dJ/dz  = dJ/dh * phi'(z)
        dJ/dW1 = dJ/dz x^T + lambda W1

    The products with h^T and x^T sum over the examples of the batch. D2L 5.3.3; torch's `J.backward()`.

    Args:
      weights: those of the forward pass.
      stored: what it returned.
      y: its targets.
      activation, loss, weight_decay: as there.

    Raises:
      ValueError: shapes that do not fit, a label that is no class, or a negative `weight_decay`.

    >>> weights = Weights(jnp.ones((2, 3)), jnp.ones((1, 2)))
    >>> J, stored = forward(weights, jnp.ones((1, 3)), jnp.ones((1, 1)), loss=SQUARED)
    >>> backward(weights, stored, jnp.ones((1, 1)), loss=SQUARED).W2
    Array([[15., 15.]], dtype=float32)
    """
    W1, W2 = _matrices(weights)
    if not isinstance(stored, Stored):
        raise TypeError(f"stored is what forward returned beside the objective, got {type(stored).__name__}")
    x, z, h, o = stored
    if W1.shape != (z.shape[-1], x.shape[-1]) or W2.shape != (o.shape[-1], h.shape[-1]):
        raise ValueError(f"weights of shapes {W1.shape} and {W2.shape} are not those of the forward pass")
    _require_decay(weight_decay)
    d_o = loss.gradient(o, y)
    d_W2 = d_o.T @ h + weight_decay * W2
    d_h = d_o @ W2
    d_z = d_h * activation.derivative(z)
    d_W1 = d_z.T @ x + weight_decay * W1
    return Gradients(d_o, d_W2, d_h, d_z, d_W1)


def _matrices(weights: Weights) -> tuple[Array, Array]:
    if not isinstance(weights, tuple) or len(weights) != 2:
        raise TypeError(f"weights are a pair (W1, W2), such as Weights(W1, W2); got {type(weights).__name__}")
    return floating("W1", weights[0]), floating("W2", weights[1])


def _require_decay(weight_decay: float) -> None:
    require_real(weight_decay=weight_decay)
    if not isinstance(weight_decay, jax.core.Tracer) and not weight_decay >= 0:
        raise ValueError(f"weight_decay must not be negative, got {weight_decay}")


def stored_bytes(num_inputs: int, num_hiddens: tuple[int, ...], num_outputs: int, batch_size: int) -> int:
    """Bytes of float32 that a hand-written pass stores for an MLP of any depth, its inputs included.

        4 n (inputs + sum of 2 hiddens + outputs)

    since each hidden layer stores z and h. It grows with the batch and with every layer: why training takes more
    memory than prediction. `graphs.graph(f, *args).kept_bytes` is what JAX's own backward pass keeps. D2L 5.3.4.

    >>> stored_bytes(784, (256,), 10, batch_size=256)
    1337344
    """
    require_whole(None, num_inputs=num_inputs, num_outputs=num_outputs, batch_size=batch_size)
    if not isinstance(num_hiddens, tuple | list):
        raise TypeError(f"num_hiddens is a tuple with the width of each hidden layer, got {num_hiddens!r}")
    for size in num_hiddens:
        require_whole(None, num_hiddens=size)
    sizes = (num_inputs, *num_hiddens, num_outputs, batch_size)
    if min(sizes) < 1:
        raise ValueError(f"every size must be at least 1, got {sizes}")
    return np.dtype(np.float32).itemsize * batch_size * (num_inputs + 2 * sum(num_hiddens) + num_outputs)
