"""Linear regression (D2L 3.1, 3.4), and the fully connected layer that every model here is made of."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import initializers
from jaxd2l._checks.arrays import examples, finite, require_layer
from jaxd2l._checks.numbers import (
    require_all_whole,
    require_choice,
    require_form,
    require_not_negative,
    require_whole,
)
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.values import random_key
from jaxd2l.initializers import Linear, LinearInit
from jaxd2l.models._products import Precision, matmul
from jaxd2l.types import Model


def linear_regression(num_inputs: int, *, init: LinearInit = initializers.normal(0.01)) -> Model:
    """Predicts a number, `y = X w + b`: one fully connected layer with one output.

    Parameters: `{"kernel": (num_inputs, 1), "bias": (1,)}`. Outputs: (n, 1), the shape of the targets in the book and
    of what `torch.nn.Linear(num_inputs, 1)` returns. D2L 3.4.1, 3.5.1.

    Args:
      num_inputs: features per example.
      init: initialiser of the layer; by default the book's N(0, 0.01^2) with bias 0.

    Raises:
      ValueError: a size below 1; when applied, inputs with another number of features.
      TypeError: when applied, inputs that are not floating point.

    >>> model = linear_regression(2)
    >>> params = model.init(jax.random.key(0))
    >>> model.apply(params, jnp.ones((5, 2))).shape
    (5, 1)
    """
    return affine(num_inputs, 1, init)


def least_squares(
    inputs: Float[Array | np.ndarray, "n d"], targets: Float[Array | np.ndarray, "n 1"], *, weight_decay: float = 0.0
) -> Linear:
    """The parameters of `linear_regression` that fit best, without any training: the closed-form solution.

        argmin over w, b of  1/(2n) sum (x w + b - y)^2 + weight_decay/2 ||w||^2

    The normal equations `w = (X^T X)^-1 X^T y` square the condition number; a singular value decomposition does not,
    and if there are several best solutions (more features than examples) it takes the smallest. The bias is not
    penalised. D2L 3.1.1.3; `torch.linalg.lstsq(X, y, driver="gelsd")`.

    Args:
      inputs: features.
      targets: (n, 1).
      weight_decay: factor of the penalty, not negative.

    Raises:
      TypeError: inputs or targets that are not floating point.
      ValueError: shapes that do not fit, no examples, NaN or infinity, or a negative `weight_decay`.

    >>> params = least_squares(jnp.array([[0.0], [1.0], [2.0]]), jnp.array([[1.0], [3.0], [5.0]]))
    >>> params["kernel"].round(4), params["bias"].round(4)
    (Array([[2.]], dtype=float32), Array([1.], dtype=float32))
    """
    X, y = finite("inputs", inputs), finite("targets", targets)
    require_shapes("n d, n 1", inputs=X, targets=y)
    require_not_negative(weight_decay=weight_decay)
    n, d = X.shape
    # With centred data the bias drops out. The penalty amounts to d more examples that ask for w = 0.
    mean_x, mean_y = jnp.mean(X, 0), jnp.mean(y, 0)
    penalty = math.sqrt(n * weight_decay) * jnp.eye(d, dtype=X.dtype)
    A = jnp.concatenate([X - mean_x, penalty])
    w = jnp.linalg.lstsq(A, jnp.concatenate([y - mean_y, jnp.zeros((d, 1), y.dtype)]))[0]
    return {"kernel": w, "bias": mean_y - mean_x @ w}


def affine(num_inputs: int, num_outputs: int, init: LinearInit, precision: Precision = "float32") -> Model:
    """A model of a single fully connected layer, which is what linear and softmax regression are."""
    require_whole(1, num_inputs=num_inputs, num_outputs=num_outputs)
    require_choice(Precision, precision=precision)
    require_form("init(key, num_inputs, num_outputs)", init)

    def init_params(key: PRNGKeyArray) -> Linear:
        return init_layers(key, (num_inputs, num_outputs), init)[0]

    def apply(params: Linear, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        del key  # nothing here is random
        return linear(params, flatten(inputs, num_inputs), precision=precision)

    return Model(init_params, apply)


def linear(
    layer: Linear, x: Float[Array, "n inputs"], *, precision: Precision = "float32"
) -> Float[Array, "n outputs"]:
    """Fully connected layer, `x W + b`. D2L 3.1, 3.4; `torch.nn.functional.linear(x, W.T, b)`.

    Args:
      layer: `{"kernel": W, "bias": b}` with W of shape (inputs, outputs), the transpose of torch's weight.
      x: one example per row.
      precision: "bfloat16" rounds what is multiplied to that type; the sums are float32.

    Raises:
      TypeError: a layer that is not a dictionary with a kernel and a bias, or numbers that are not floating point.
      ValueError: shapes that do not fit, or an unknown precision.

    >>> linear({"kernel": jnp.array([[2.0], [-3.0]]), "bias": jnp.array([4.0])}, jnp.array([[1.0, 1.0]]))
    Array([[3.]], dtype=float32)
    """
    require_layer(layer)
    return matmul(x, layer["kernel"], precision) + layer["bias"]


def flatten(inputs: Array, num_inputs: int) -> Float[Array, "n inputs"]:
    """Makes each example one row of `num_inputs` features."""
    inputs = examples(inputs, num_inputs)
    return inputs.reshape(inputs.shape[0], num_inputs)


def init_layers(key: PRNGKeyArray, sizes: Sequence[int], init: LinearInit) -> tuple[Linear, ...]:
    """Fully connected layers between neighbouring sizes, each drawn from a key of its own. D2L 5.2.1.

    >>> layers = init_layers(jax.random.key(0), (784, 256, 10), initializers.normal(0.01))
    >>> [layer["kernel"].shape for layer in layers]
    [(784, 256), (256, 10)]
    """
    key = random_key("key", key)
    require_all_whole(1, sizes=sizes)
    require_whole(2, **{"the number of sizes": len(sizes)})
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(init(k, num_in, num_out) for k, num_in, num_out in zip(keys, sizes[:-1], sizes[1:], strict=True))
