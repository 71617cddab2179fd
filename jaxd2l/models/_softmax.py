"""Softmax regression (D2L 4.1, 4.4)."""

from jaxd2l import initializers
from jaxd2l.initializers import LinearInit
from jaxd2l.models._linear import affine
from jaxd2l.models._products import Precision
from jaxd2l.types import Model


def softmax_regression(
    num_inputs: int,
    num_outputs: int,
    *,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """Scores classes linearly, `o = X W + b`; `softmax(o)` are their probabilities.

    The model returns the logits `o`: the softmax is part of the loss, where it can be computed without overflow
    (4.5.2). Parameters: `{"kernel": (num_inputs, num_outputs), "bias": (num_outputs,)}`. Outputs: (n, num_outputs).
    D2L 4.4.2, 4.5.1; `nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, num_outputs))`.

    Args:
      num_inputs: features per example; images are flattened.
      num_outputs: classes.
      init: initialiser of the layer; by default the book's N(0, 0.01^2) with bias 0.
      precision: "bfloat16" rounds what is multiplied to that type; parameters, sums and loss stay float32.

    Raises:
      ValueError: a size below 1, or an unknown precision; when applied, inputs with another number of features.
      TypeError: when applied, inputs that are not floating point.

    >>> model = softmax_regression(784, 10)
    >>> params = model.init(jax.random.key(0))
    >>> model.apply(params, jnp.zeros((256, 28, 28, 1))).shape
    (256, 10)
    """
    return affine(num_inputs, num_outputs, init, precision)
