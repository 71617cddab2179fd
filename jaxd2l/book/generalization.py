"""How far training success carries over to new data (D2L 3.6, 3.7, 4.6, 5.5)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import is_real, require_real, require_whole
from jaxd2l.data.batching import shuffle
from jaxd2l.data.synthetic import synthetic_regression
from jaxd2l.optim import kernels
from jaxd2l.types import Dataset, Params


class Fold(NamedTuple):
    """Row numbers to train on, and row numbers to validate on; sorted, int32."""

    train: Int[np.ndarray, " m"]
    validation: Int[np.ndarray, " v"]


def k_fold(key: PRNGKeyArray, n: int, k: int) -> list[Fold]:
    """Splits n rows into k folds: each row validates in exactly one fold, and trains in the others.

    Fold sizes differ by at most one; no row is left out, where the book's `get_k_fold_data` validates only
    k floor(n / k) of them. D2L 3.6.3, 5.7.5; `sklearn.model_selection.KFold(shuffle=True)`.

    Args:
      key: decides which rows go together.
      n: number of rows.
      k: number of folds, from 2 to n.

    Raises:
      ValueError: k out of range.

    >>> [fold.validation.size for fold in k_fold(jax.random.key(0), 10, 3)]
    [4, 3, 3]
    """
    require_whole(None, k=k, n=n)
    if not 2 <= k <= n:
        raise ValueError(f"k folds of n rows need 2 <= k <= n; got k={k} and n={n}")
    parts = np.array_split(np.asarray(shuffle(key, n)), k)
    return [Fold(np.sort(np.concatenate(parts[:i] + parts[i + 1 :])), np.sort(parts[i])) for i in range(k)]


def polynomial_features(
    x: Float[Array | np.ndarray, " n"], degree: int, *, normalize: bool = False
) -> Float[Array, "n features"]:
    """The powers `x^0, x^1, ..., x^degree`, with `normalize` each divided by i!. D2L 3.6.2.

    A linear model of these features is a polynomial in x. The factorials keep high powers from exploding.
    `sklearn.preprocessing.PolynomialFeatures(degree)` for one feature.

    Raises:
      TypeError: x that is not floating point.
      ValueError: x is no vector, or a negative degree.

    >>> polynomial_features(jnp.array([2.0, 3.0]), 2)
    Array([[1., 2., 4.],
           [1., 3., 9.]], dtype=float32)
    """
    x = floating("x", x)  # powers of integers would overflow in silence
    require_whole(None, degree=degree)
    if x.ndim != 1 or degree < 0:
        raise ValueError(f"x must be a vector and the degree at least 0; got shape {x.shape} and degree {degree}")
    # A running product: exact for whole numbers, and right at 0^0 = 1, gradient included.
    powers = [jnp.ones_like(x)]
    for i in range(1, degree + 1):
        powers.append(powers[-1] * (x / i if normalize else x))
    return jnp.stack(powers, axis=-1)


def weight_decay_data(key: PRNGKeyArray, *, num_inputs: int = 200, n: int = 20, num_test: int = 100) -> Dataset:
    """The book's data for weight decay: far more features than examples, y = 0.05 + sum_i 0.01 x_i + e.

    e ~ N(0, 0.01^2). Without a penalty a model of 200 weights fits the 20 training examples and nothing else.
    D2L 3.7.3.

    Returns:
      Features float32 (n, num_inputs) and targets (n, 1), to train and to test.

    >>> weight_decay_data(jax.random.key(0)).train.inputs.shape
    (20, 200)
    """
    require_whole(1, num_inputs=num_inputs)
    w = np.full(num_inputs, 0.01, np.float32)
    return synthetic_regression(key, w, 0.05, noise=0.01, n=n, num_test=num_test)


def l2_penalty(params: Params) -> Float[Array, ""]:
    """Half the sum of the squared weights, `||w||^2 / 2`; biases are left alone.

    Training on `loss + lambda * l2_penalty(params)` takes the steps of
    `optim.sgd(lr, weight_decay=lambda, weight_decay_mask=optim.kernels)`. D2L 3.7.2, 3.7.3.1.

    Args:
      params: a pytree whose weight matrices are called "kernel", as in every model here and in Flax.

    >>> l2_penalty({"kernel": jnp.array([[3.0], [4.0]]), "bias": jnp.array([7.0])})
    Array(12.5, dtype=float32)
    """
    squares = jax.tree.map(
        lambda p, is_kernel: jnp.sum(floating("a kernel", p) ** 2) if is_kernel else None, params, kernels(params)
    )
    return sum(jax.tree.leaves(squares), start=jnp.zeros(())) / 2


def sample_size(half_width: float, num_deviations: float = 1.0) -> int:
    """Test examples after which the error rate is known to within `half_width`, by the central limit theorem.

        n = (num_deviations * sigma / half_width)^2,  sigma <= 1/2 for a right-or-wrong outcome

    One standard deviation holds in 68% of cases, two in 95%. D2L 4.6.1.

    Raises:
      ValueError: a half width outside (0, 1), or no deviation.

    >>> sample_size(0.01), sample_size(0.01, num_deviations=2.0)
    (2500, 10000)
    """
    _require_half_width(half_width)
    require_real(num_deviations=num_deviations)
    if not 0 < num_deviations < math.inf:
        raise ValueError(f"num_deviations must be positive and finite, got {num_deviations}")
    root = num_deviations / (2 * half_width)
    return _round_up(root * root)


def hoeffding_sample_size(half_width: float, confidence: float = 0.95) -> int:
    """Test examples after which the true error exceeds the measured one by `half_width` only with rare bad luck.

        n = log(1 / (1 - confidence)) / (2 half_width^2)

    Hoeffding's inequality, P(measured - true >= t) < exp(-2 n t^2), one-sided as in the book; it holds for every n,
    not only for large ones. For a bound on both sides, halve `1 - confidence`. D2L 4.6.1.

    Raises:
      ValueError: a number outside (0, 1).

    >>> hoeffding_sample_size(0.01)
    14979
    """
    _require_half_width(half_width)
    require_real(confidence=confidence)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    return _round_up(-math.log1p(-confidence) / half_width / half_width / 2)


def should_stop(losses: Float[np.ndarray, " epochs"], patience: int, min_improvement: float = 0.0) -> bool:
    """Early stopping: whether the last `patience` epochs brought no improvement on the best before them.

    As a stop rule for training, and with the best parameters kept by the caller:

        fit(..., on_epoch=lambda state, history: should_stop(history.test_loss, patience=3))

    D2L 5.5.3; `EarlyStopping` of torch's companions (Ignite, Lightning).

    Args:
      losses: validation loss after each epoch so far. NaN is no improvement.
      patience: how many epochs to wait for an improvement.
      min_improvement: how much lower a loss must be to count.

    Raises:
      ValueError: a patience below 1, or a negative `min_improvement`.

    >>> should_stop(np.array([3.0, 1.0, 2.0, 1.5]), patience=2), should_stop(np.array([3.0, 1.0, 2.0]), patience=2)
    (True, False)
    """
    require_whole(1, patience=patience)
    require_real(min_improvement=min_improvement)
    if not min_improvement >= 0:
        raise ValueError(f"min_improvement must be at least 0, got {min_improvement}")
    losses = np.asarray(losses)
    if losses.ndim != 1 or not is_real(losses.dtype):
        raise ValueError(f"losses must be numbers, one per epoch; got {losses.dtype} of shape {losses.shape}")
    best, waited = math.inf, 0
    for loss in losses.tolist():
        improves = loss < best - min_improvement
        best, waited = (loss, 0) if improves else (best, waited + 1)
    return waited >= patience


def _round_up(n: float) -> int:
    if math.isinf(n):
        raise OverflowError("no finite number of examples is enough; take a larger half_width")
    return math.ceil(n - 1e-9 * n)  # 2500.0000000000005 examples are 2500


def _require_half_width(half_width: float) -> None:
    require_real(half_width=half_width)
    if not 0 < half_width < 1:
        raise ValueError(f"half_width is a difference of error rates, in (0, 1); got {half_width}")
