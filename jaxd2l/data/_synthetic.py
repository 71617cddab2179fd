"""Data made from a known line (D2L 3.3)."""

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._checks.arrays import vector
from jaxd2l._checks.numbers import finite_number, require_not_negative, require_whole
from jaxd2l._checks.values import random_key
from jaxd2l.types import Batch, Dataset


def synthetic_regression(
    key: PRNGKeyArray,
    w: Float[Array | np.ndarray, " d"],
    b: float,
    *,
    noise: float = 0.01,
    n: int = 1000,
    num_test: int | None = None,
) -> Dataset:
    """Examples of `y = X w + b + e` with X ~ N(0, 1) and e ~ N(0, noise^2). D2L 3.3.1.

    Args:
      key: decides features and noise.
      w: true weights, (d,).
      b: true bias.
      noise: standard deviation of the noise, at least 0.
      n: number of training examples.
      num_test: number of test (the book: validation) examples; `n` by default.

    Returns:
      Features float32 (n, d) and targets float32 (n, 1), to train and to test.

    Raises:
      TypeError: weights that are not floating point.
      ValueError: weights that are not a vector, NaN or infinity, negative noise, or no examples.

    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> data.train.inputs.shape, data.train.labels.shape
    ((1000, 2), (1000, 1))
    """
    num_test = n if num_test is None else num_test
    w, b = np.asarray(vector("w", w), np.float32), finite_number("b", b)
    require_not_negative(noise=noise)
    require_whole(1, n=n, num_test=num_test)
    inputs_key, noise_key = jax.random.split(random_key("key", key))
    inputs = np.array(jax.random.normal(inputs_key, (n + num_test, w.size)))
    errors = np.array(jax.random.normal(noise_key, (n + num_test, 1)))
    targets = inputs @ w[:, None] + np.float32(b) + np.float32(noise) * errors
    return Dataset(Batch(inputs[:n], targets[:n]), Batch(inputs[n:], targets[n:]))
