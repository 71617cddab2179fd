"""Convolution by slices and as a matrix, a kernel that is learnt, what a unit sees (D2L 7.1 to 7.4)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import finite, real
from jaxd2l._checks.numbers import require_positive, require_sequence, require_whole
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._checks.windows import Padding, Pair, pair, require_window_fits, sides

__all__ = ["Field", "Learnt", "conv_cost", "corr2d", "corr2d_matrix", "learn_kernel", "receptive_field"]


def __dir__() -> list[str]:
    return __all__


class Learnt(NamedTuple):
    """A kernel after some steps of gradient descent, and the loss before each of them."""

    kernel: Float[Array, "rows columns"]
    losses: Float[Array, " steps"]


class Field(NamedTuple):
    """The part of an image that one unit sees.

    size: its rows and columns.
    step: how far the field moves from one unit to the next.
    """

    size: int
    step: int


def corr2d(X: Float[Array, "height width"], K: Float[Array, "rows columns"]) -> Float[Array, "new_height new_width"]:
    """The two-dimensional cross-correlation, as one sum of shifted images. D2L 7.2.1.

        Y[i, j] = sum over a, b of  X[i + a, j + b] K[a, b]

    The shape is (height - rows + 1, width - columns + 1).

    Raises:
      TypeError: what does not hold real numbers.
      ValueError: arrays with other than two axes, or a kernel larger than the image.

    >>> corr2d(jnp.arange(9.0).reshape(3, 3), jnp.arange(4.0).reshape(2, 2))
    Array([[19., 25.],
           [37., 43.]], dtype=float32)
    """
    X, K = _image_and_kernel(X, K)
    height, width = (n - k + 1 for n, k in zip(X.shape, K.shape, strict=True))
    shifted = (X[a : a + height, b : b + width] * K[a, b] for a, b in np.ndindex(*K.shape))
    return sum(shifted, start=jnp.zeros((height, width), X.dtype))


def corr2d_matrix(K: Float[Array, "rows columns"], shape: Pair) -> Float[Array, "outputs pixels"]:
    """The matrix M with which `M @ X.ravel()` is `corr2d(X, K).ravel()` for images of this shape. D2L 7.2, exercise 4.

    A convolution is linear, so it is a matrix: a sparse one, in which the same few weights stand in each row.

    Raises:
      TypeError, ValueError: as `corr2d`.

    >>> corr2d_matrix(jnp.array([[1.0, -1.0]]), (1, 3))
    Array([[ 1., -1.,  0.],
           [ 0.,  1., -1.]], dtype=float32)
    """
    height, width = pair("shape", shape)
    K = real("K", K)
    pixels = jnp.eye(height * width, dtype=K.dtype).reshape(-1, height, width)
    return jax.vmap(lambda pixel: corr2d(pixel, K).ravel())(pixels).T


def learn_kernel(
    X: Float[Array, "height width"],
    Y: Float[Array, "new_height new_width"],
    kernel: Float[Array, "rows columns"],
    *,
    learning_rate: float = 0.03,
    steps: int = 10,
) -> Learnt:
    """Gradient descent on `sum((corr2d(X, kernel) - Y)^2)`: finds a kernel from what it does. D2L 7.2.4.

    Args:
      X, Y: an image, and what the kernel in question makes of it.
      kernel: where to begin.
      learning_rate: size of a step.
      steps: how many.

    Raises:
      TypeError, ValueError: as `corr2d`; NaN or infinity; a Y of another shape than the outputs.

    >>> X = jnp.ones((6, 8)).at[:, 2:6].set(0.0)
    >>> learnt = learn_kernel(X, corr2d(X, jnp.array([[1.0, -1.0]])), jnp.zeros((1, 2)))
    >>> [round(float(weight), 2) for weight in learnt.kernel[0]]
    [0.99, -0.99]
    """
    require_positive(learning_rate=learning_rate)
    require_whole(0, steps=steps)
    X, kernel, Y = _example(X, kernel, Y)

    def step(kernel: Array, _: None) -> tuple[Array, Array]:
        loss, gradient = jax.value_and_grad(lambda K: jnp.sum((corr2d(X, K) - Y) ** 2))(kernel)
        return kernel - learning_rate * gradient, loss

    return Learnt(*jax.lax.scan(step, kernel, length=steps))


def receptive_field(layers: Sequence[tuple[int, int]]) -> Field:
    """What one unit sees after layers of (window, stride), along one axis. D2L 7.2.6, 8.2.1.

    Each layer adds `(window - 1)` times the distance of its inputs on the image, and multiplies that distance by its
    stride.

    Raises:
      TypeError, ValueError: what is no pair of whole numbers, each at least 1.

    >>> receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)])  # LeNet's convolutions and pools
    Field(size=16, step=4)
    """
    require_sequence(layers=layers)
    size, step = 1, 1
    for i, layer in enumerate(layers):
        window, stride = pair(f"layer {i}", layer)
        size, step = size + (window - 1) * step, step * stride
    return Field(size, step)


def conv_cost(
    shape: int | Pair,
    window: int | Pair,
    inputs: int,
    outputs: int,
    *,
    padding: Padding = 0,
) -> int:
    """Multiplications and additions of a convolution: two for each weight, at each place. D2L 7.4.3, exercises.

    Args:
      shape: height and width of the image.
      window: of the kernel.
      inputs, outputs: channels.
      padding: around the image, as for `models.conv2d`.

    >>> conv_cost(256, 5, 128, 128, padding=2)
    53687091200
    """
    require_whole(1, inputs=inputs, outputs=outputs)
    size, kernel, around = pair("shape", shape), pair("window", window), sides(padding)
    require_window_fits(kernel, size, around)
    places = [n + sum(around[axis]) - kernel[axis] + 1 for axis, n in enumerate(size)]
    return 2 * places[0] * places[1] * kernel[0] * kernel[1] * int(inputs) * int(outputs)


def _example(X: Array, K: Array, Y: Array) -> tuple[Array, Array, Array]:
    X, K = _image_and_kernel(finite("X", X), finite("kernel", K))
    Y = finite("Y", Y)
    require_shapes("rows columns, rows columns", Y=Y, **{"the outputs": jax.eval_shape(corr2d, X, K)})
    return X, K, Y


def _image_and_kernel(X: Array, K: Array) -> tuple[Array, Array]:
    X, K = (x.astype(jnp.int32) if x.dtype == bool else x for x in (real("X", X), real("K", K)))
    require_shapes("height width, rows columns", X=X, K=K)
    require_not_empty(None, K=K)
    height, width = X.shape
    rows, columns = K.shape
    require_window_fits((rows, columns), (height, width), ((0, 0), (0, 0)))
    return X, K
