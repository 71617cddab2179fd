"""How well a model does on new data (D2L 3.6, 3.7, 4.6, 5.5): folds, penalties, sample sizes, early stopping."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxd2l._checks.arrays import floating, real
from jaxd2l._checks.numbers import (
    require_inside,
    require_not_negative,
    require_positive,
    require_whole,
    require_whole_between,
)
from jaxd2l._checks.shapes import require_shapes
from jaxd2l.data import shuffle, synthetic_regression
from jaxd2l.optim import kernels
from jaxd2l.types import Dataset, Params

__all__ = [
    "Fold",
    "hoeffding_sample_size",
    "k_fold",
    "l2_penalty",
    "polynomial_features",
    "sample_size",
    "should_stop",
    "weight_decay_data",
]


def __dir__() -> list[str]:
    return __all__


class Fold(NamedTuple):
    """Numbers of the rows to train on and of the rows to validate on; sorted, int32."""

    train: Int[np.ndarray, " m"]
    validation: Int[np.ndarray, " v"]


def k_fold(key: PRNGKeyArray, n: int, k: int) -> list[Fold]:
    """Splits n rows into k folds: each row serves for validation in one fold, and for training in all others.

    Fold sizes differ by at most one. No row is left out, while the book's `get_k_fold_data` validates only
    k floor(n / k) of them. D2L 3.6.3, 5.7.5; `sklearn.model_selection.KFold(shuffle=True)`.

    Args:
      key: decides which rows go together.
      n: number of rows, at least 2.
      k: number of folds, from 2 to n.

    Raises:
      TypeError, ValueError: a number that is not whole, or out of range.

    >>> [fold.validation.size for fold in k_fold(jax.random.key(0), 10, 3)]
    [4, 3, 3]
    """
    require_whole(2, n=n)
    require_whole_between(2, n, k=k)
    parts = np.array_split(np.asarray(shuffle(key, n)), k)
    return [Fold(np.sort(np.concatenate(parts[:i] + parts[i + 1 :])), np.sort(parts[i])) for i in range(k)]


def polynomial_features(
    x: Float[Array | np.ndarray, " n"], degree: int, *, normalize: bool = False
) -> Float[Array, "n features"]:
    """The powers `x^0, x^1, ..., x^degree`; with `normalize` each is divided by i!. D2L 3.6.2.

    A linear model of these features is a polynomial in x. The factorials keep high powers from exploding.
    `sklearn.preprocessing.PolynomialFeatures(degree)` for one feature.

    Args:
      x: floating point.
      degree: the highest power, at least 0.
      normalize: divide the power i by i!.

    Raises:
      TypeError: `x` is not floating point, or the degree not a whole number.
      ValueError: `x` is not a vector, or the degree is negative.

    >>> polynomial_features(jnp.array([2.0, 3.0]), 2)
    Array([[1., 2., 4.],
           [1., 3., 9.]], dtype=float32)
    """
    x = floating("x", x)  # powers of integers would overflow silently
    require_shapes("n", x=x)
    require_whole(0, degree=degree)
    # A running product is exact for whole numbers, and right at 0^0 = 1, gradient included.
    powers = [jnp.ones_like(x)]
    for i in range(1, degree + 1):
        powers.append(powers[-1] * (x / i if normalize else x))
    return jnp.stack(powers, axis=-1)


def weight_decay_data(key: PRNGKeyArray, *, num_inputs: int = 200, n: int = 20, num_test: int = 100) -> Dataset:
    """The book's data for weight decay: far more features than examples, y = 0.05 + sum_i 0.01 x_i + e.

    e ~ N(0, 0.01^2). Without a penalty, a model of 200 weights fits the 20 training examples and nothing else.
    D2L 3.7.3.

    Args:
      key: decides the features and the noise.
      num_inputs: features per example.
      n, num_test: number of examples to train and to test on.

    Returns:
      Training and test sets of float32 features (n, num_inputs) and targets (n, 1).

    Raises:
      TypeError, ValueError: a number that is not whole, or below 1.

    >>> weight_decay_data(jax.random.key(0)).train.inputs.shape
    (20, 200)
    """
    require_whole(1, num_inputs=num_inputs)
    w = np.full(num_inputs, 0.01, np.float32)
    return synthetic_regression(key, w, 0.05, noise=0.01, n=n, num_test=num_test)


def l2_penalty(params: Params) -> Float[Array, ""]:
    """Half the sum of the squared weights, `||w||^2 / 2`, without the biases.

    Training on `loss + lambda * l2_penalty(params)` takes the same steps as
    `optim.sgd(lr, weight_decay=lambda, weight_decay_mask=optim.kernels)`. D2L 3.7.2, 3.7.3.1.

    Args:
      params: a pytree whose weight matrices are called "kernel", as in every model here and in Flax.

    Raises:
      TypeError: a kernel that is not floating point.

    >>> l2_penalty({"kernel": jnp.array([[3.0], [4.0]]), "bias": jnp.array([7.0])})
    Array(12.5, dtype=float32)
    """
    squares = jax.tree.map(
        lambda p, is_kernel: jnp.sum(floating("a kernel", p) ** 2) if is_kernel else None, params, kernels(params)
    )
    return sum(jax.tree.leaves(squares), start=jnp.zeros(())) / 2


def sample_size(half_width: float, *, num_deviations: float = 1.0) -> int:
    """How many test examples determine the error rate to within `half_width`, by the central limit theorem.

        n = (num_deviations * sigma / half_width)^2,  sigma <= 1/2 for a right-or-wrong outcome

    One standard deviation holds in 68% of cases, two in 95%. D2L 4.6.1.

    Args:
      half_width: of the confidence interval, between 0 and 1.
      num_deviations: how many standard deviations this is; positive.

    Raises:
      ValueError: a number out of range.
      OverflowError: the number of examples is not finite.

    >>> sample_size(0.01), sample_size(0.01, num_deviations=2.0)
    (2500, 10000)
    """
    require_inside(0, 1, half_width=half_width)
    require_positive(num_deviations=num_deviations)
    root = num_deviations / (2 * half_width)
    return _round_up(root * root)


def hoeffding_sample_size(half_width: float, *, confidence: float = 0.95) -> int:
    """How many test examples guarantee, with this confidence, a true error below the measured one plus `half_width`.

        n = log(1 / (1 - confidence)) / (2 half_width^2)

    From Hoeffding's inequality, P(measured - true >= t) < exp(-2 n t^2), one-sided as in the book. It holds for every
    n, not only for large ones. For a two-sided bound, halve `1 - confidence`. D2L 4.6.1.

    Args:
      half_width: between 0 and 1.
      confidence: between 0 and 1.

    Raises:
      ValueError: a number out of range.
      OverflowError: the number of examples is not finite.

    >>> hoeffding_sample_size(0.01)
    14979
    """
    require_inside(0, 1, half_width=half_width, confidence=confidence)
    return _round_up(-math.log1p(-confidence) / half_width / half_width / 2)


def should_stop(losses: Float[np.ndarray, " epochs"], patience: int, *, min_improvement: float = 0.0) -> bool:
    """Early stopping: whether the last `patience` epochs brought no improvement on the best epoch before them.

    As a stopping rule for training; the caller keeps the best parameters::

        fit(..., on_epoch=lambda state, history: should_stop(history.test_loss, patience=3))

    D2L 5.5.3; `EarlyStopping` of torch's companions (Ignite, Lightning).

    Args:
      losses: validation loss after each epoch so far. NaN is no improvement.
      patience: how many epochs to wait for an improvement.
      min_improvement: how much lower a loss must be to count as an improvement.

    Raises:
      TypeError: losses that are not real numbers.
      ValueError: losses that are not a vector, a patience below 1, or a negative `min_improvement`.

    >>> should_stop(np.array([3.0, 1.0, 2.0, 1.5]), patience=2), should_stop(np.array([3.0, 1.0, 2.0]), patience=2)
    (True, False)
    """
    require_whole(1, patience=patience)
    require_not_negative(min_improvement=min_improvement)
    require_shapes("epochs", losses=real("losses", losses))
    best, waited = math.inf, 0
    for loss in np.asarray(losses).tolist():
        improves = loss < best - min_improvement
        best, waited = (loss, 0) if improves else (best, waited + 1)
    return waited >= patience


def _round_up(n: float) -> int:
    if math.isinf(n):
        raise OverflowError("no finite number of examples is enough; choose a larger half_width")
    return math.ceil(n - 1e-9 * n)  # 2500.0000000000005 examples are 2500
