"""Numerical stability (D2L 5.4): signals that vanish or explode with depth, and units that stay alike."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import activations
from jaxd2l._checks.arrays import require_layer
from jaxd2l._checks.numbers import require_all_whole, require_real, require_whole
from jaxd2l.initializers import Linear, LinearInit
from jaxd2l.models import init_layers, linear

__all__ = ["Variances", "constant_init", "distinct_units", "random_product", "variances_through_depth"]


def __dir__() -> list[str]:
    return __all__


class Variances(NamedTuple):
    """Mean squares through the depth of a network, one entry per layer, first layer first.

    activations: of each layer's outputs.
    gradients: of the gradient with respect to each layer's outputs, for a random gradient of variance 1 at the top.
    """

    activations: Float[np.ndarray, " layers"]
    gradients: Float[np.ndarray, " layers"]


def random_product(key: PRNGKeyArray, *, num_matrices: int = 100, size: int = 4) -> Float[Array, "matrices"]:
    """log10 of the largest entry of a product of N(0, 1) matrices, after each factor: it explodes.

    The product is rescaled after each factor, so that it never overflows. The book multiplies 100 matrices of 4 x 4 and
    prints entries of about 1e24. D2L 5.4.1.2.

    Args:
      key: decides the matrices.
      num_matrices: number of factors.
      size: number of rows and columns of each.

    Raises:
      TypeError, ValueError: a number that is not whole, or below 1.

    >>> bool(random_product(jax.random.key(0))[-1] > 15)
    True
    """
    require_whole(1, num_matrices=num_matrices, size=size)

    def multiply(product: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        product = product @ jax.random.normal(key, (size, size))
        largest = jnp.max(jnp.abs(product))
        return product / largest, jnp.log10(largest)

    _, growth = lax.scan(multiply, jnp.eye(size), jax.random.split(key, num_matrices))
    return jnp.cumsum(growth)


def variances_through_depth(
    key: PRNGKeyArray,
    sizes: Sequence[int],
    *,
    init: LinearInit,
    activation: Callable[[Array], Array] = activations.relu,
    num_examples: int = 256,
) -> Variances:
    """How a signal of variance 1 changes on its way up, and a gradient of variance 1 on its way down.

    Xavier's initialisation keeps both near 1 for tanh, Kaiming's for relu. N(0, 0.01^2) loses both, and a sigmoid
    divides the gradient's mean square by at least 16 in each layer. D2L 5.4.1.1, 5.4.2.2.

    Args:
      key: decides the weights, the inputs and the gradient at the top.
      sizes: width of each layer, inputs first; at least two.
      init: initialiser of each layer.
      activation: after each layer.
      num_examples: number of random inputs to average over.

    Raises:
      TypeError: sizes that are not a list or tuple of whole numbers.
      ValueError: fewer than two sizes, a size below 1, or no examples.

    >>> from jaxd2l import initializers
    >>> widths = (128,) * 10
    >>> variances = variances_through_depth(jax.random.key(0), widths, init=initializers.kaiming_normal())
    >>> bool(0.2 < variances.activations[-1] < 5)
    True
    """
    require_all_whole(1, sizes=sizes)
    require_whole(2, **{"the number of sizes": len(sizes)})
    require_whole(1, num_examples=num_examples)
    params_key, inputs_key, gradient_key = jax.random.split(key, 3)
    layers = init_layers(params_key, sizes, init)
    x = jax.random.normal(inputs_key, (num_examples, sizes[0]))

    def outputs(nudges: list[Array]) -> tuple[Array, list[Array]]:
        # The gradient with respect to a nudge of 0 is the gradient with respect to the value it is added to.
        h, values = x, []
        for layer, nudge in zip(layers, nudges, strict=True):
            h = activation(linear(layer, h)) + nudge
            values.append(h)
        return h, values

    nudges = [jnp.zeros((num_examples, size)) for size in sizes[1:]]
    top, pull_back, values = jax.vjp(outputs, nudges, has_aux=True)
    (gradients,) = pull_back(jax.random.normal(gradient_key, top.shape))
    return Variances(*(np.array([jnp.mean(v**2) for v in signal]) for signal in (values, gradients)))


def constant_init(value: float) -> LinearInit:
    """Kernel of one constant, bias 0. An example of what not to do: units that begin equal stay equal. D2L 5.4.1.3.

    >>> constant_init(0.5)(jax.random.key(0), 2, 1)["kernel"].tolist()
    [[0.5], [0.5]]
    """
    require_real(value=value)

    def init(key: PRNGKeyArray, num_inputs: int, num_outputs: int) -> Linear:
        del key  # draws nothing
        return {"kernel": jnp.full((num_inputs, num_outputs), value), "bias": jnp.zeros(num_outputs)}

    return init


def distinct_units(layer: Linear) -> int:
    """How many different units a layer has, by weights and bias: 1 if gradient descent has not broken their symmetry.

    Dropout breaks it, because it drops units one by one. D2L 5.4.1.3.

    Raises:
      TypeError, ValueError: what is not a layer of kernel (inputs, outputs) and bias (outputs,).

    >>> distinct_units({"kernel": jnp.array([[1.0, 1.0, 2.0]]), "bias": jnp.zeros(3)})
    2
    """
    require_layer(layer)
    rows = np.concatenate([np.asarray(layer["kernel"]), np.asarray(layer["bias"])[None]])
    return int(np.unique(rows, axis=1).shape[1])
