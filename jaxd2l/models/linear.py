"""Linear regression (D2L 3.1, 3.4, 3.5), and the fully connected layer that every model here is made of."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import initializers
from jaxd2l._checks.arrays import floating, require_finite
from jaxd2l._checks.numbers import require_real, require_whole
from jaxd2l.initializers import Linear, LinearInit
from jaxd2l.models.products import Precision, matmul, require_precision
from jaxd2l.types import Model


def linear_regression(num_inputs: int, *, init: LinearInit = initializers.normal(0.01)) -> Model:
    """Predicts a number, `y = X w + b`: one fully connected layer with one output.

    Parameters: `{"kernel": (num_inputs, 1), "bias": (1,)}`. Outputs: (n, 1), the shape of the targets in the
    book and of `torch.nn.Linear(num_inputs, 1)`. D2L 3.4.1, 3.5.1.

    Args:
      num_inputs: features per example.
      init: initialiser of the layer; the book's N(0, 0.01^2) with bias 0.

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

    The normal equations `w = (X^T X)^-1 X^T y` square the condition number; a singular value decomposition does
    not, and of several best solutions (more features than examples) it takes the smallest. The bias bears no
    penalty. D2L 3.1.1.3; `torch.linalg.lstsq(X, y, driver="gelsd")`.

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
    X, y = floating("inputs", inputs), floating("targets", targets)
    if X.ndim != 2 or y.shape != (X.shape[0], 1) or not X.size:
        raise ValueError(f"inputs must have shape (n, d) and targets (n, 1); got {X.shape} and {y.shape}")
    require_real(weight_decay=weight_decay)
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must not be negative, nor infinite; got {weight_decay}")
    require_finite(inputs=X, targets=y)
    n, d = X.shape
    # Centred, the bias drops out. The penalty is d more examples that ask for w = 0.
    mean_x, mean_y = jnp.mean(X, 0), jnp.mean(y, 0)
    penalty = math.sqrt(n * weight_decay) * jnp.eye(d, dtype=X.dtype)
    A = jnp.concatenate([X - mean_x, penalty])
    w = jnp.linalg.lstsq(A, jnp.concatenate([y - mean_y, jnp.zeros((d, 1), y.dtype)]))[0]
    return {"kernel": w, "bias": mean_y - mean_x @ w}


def affine(num_inputs: int, num_outputs: int, init: LinearInit, precision: Precision = "float32") -> Model:
    """A model that is a single fully connected layer: linear and softmax regression are this."""
    require_sizes(num_inputs=num_inputs, num_outputs=num_outputs)
    require_precision(precision)

    def init_params(key: PRNGKeyArray) -> Linear:
        return init_layers(key, (num_inputs, num_outputs), init)[0]

    def apply(params: Linear, inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        del key  # nothing here is random
        return linear(params, flatten(inputs, num_inputs), precision)

    return Model(init_params, apply)


def linear(layer: Linear, x: Float[Array, "n inputs"], precision: Precision = "float32") -> Float[Array, "n outputs"]:
    """Fully connected layer, `x W + b`, with W of shape (inputs, outputs): torch's weight, transposed."""
    require_layer(layer)
    return matmul(x, layer["kernel"], precision) + layer["bias"]


def flatten(inputs: Array, num_inputs: int) -> Float[Array, "n inputs"]:
    """Makes each example one row of `num_inputs` features, or says why it cannot."""
    inputs = jnp.asarray(inputs)
    if not jnp.issubdtype(inputs.dtype, jnp.floating):
        raise TypeError(
            f"a model takes floating-point inputs, got {inputs.dtype}; images become numbers in [0, 1] by data.to_float"
        )
    if inputs.ndim < 2 or math.prod(inputs.shape[1:]) != num_inputs:
        raise ValueError(
            f"the model takes {num_inputs} features per example, so inputs of shape (n, {num_inputs}) or images of "
            f"as many pixels; got shape {inputs.shape}"
        )
    return inputs.reshape(inputs.shape[0], num_inputs)


def init_layers(key: PRNGKeyArray, sizes: Sequence[int], init: LinearInit) -> tuple[Linear, ...]:
    """One layer between each two neighbouring widths, each from a key of its own."""
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(init(k, num_in, num_out) for k, num_in, num_out in zip(keys, sizes[:-1], sizes[1:], strict=True))


def require_sizes(**sizes: int) -> None:
    """Refuses a layer without units."""
    require_whole(1, **sizes)


def require_layer(layer: Linear) -> None:
    """Refuses parameters that are no layer's; a bias of another shape would be broadcast."""
    if not isinstance(layer, Mapping) or not {"kernel", "bias"} <= set(layer):
        raise TypeError("a layer is a dictionary with a kernel and a bias")
    kernel, bias = np.shape(layer["kernel"]), np.shape(layer["bias"])
    if len(kernel) != 2 or bias != kernel[1:]:
        raise ValueError(f"a layer has a kernel (inputs, outputs) and a bias (outputs,); got {kernel} and {bias}")
