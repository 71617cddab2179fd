"""When training and test data differ (D2L 4.7): how to detect it, and how to correct it by weighting examples."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from jaxd2l._checks.arrays import (
    floating,
    require_classes,
    require_finite,
    require_integers,
    require_none_negative,
)
from jaxd2l._checks.numbers import require_positive, require_whole
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l.models.linear import linear

__all__ = [
    "ShiftTest",
    "covariate_shift_weights",
    "fit_domain_classifier",
    "label_shift_weights",
    "shift_test",
    "target_label_distribution",
    "weighted_risk",
]


def __dir__() -> list[str]:
    return __all__


class ShiftTest(NamedTuple):
    """What a two-sample test found.

    accuracy: of a classifier that tells the two samples apart, on rows that it never saw; 0.5 if it cannot.
    p_value: how often samples without a shift would look as different as these. A small value means a shift.
    """

    accuracy: Float[Array, ""]
    p_value: Float[Array, ""]


def fit_domain_classifier(
    source: Float[Array | np.ndarray, "n d"], target: Float[Array | np.ndarray, "m d"], *, l2: float = 1e-3
) -> dict[str, Array]:
    """Logistic regression that tells target rows (1) from source rows (0). D2L 4.7.3.1, step 2.

    Minimises the mean of log(1 + exp(-z h(x))), z = +1 or -1, plus `l2 / 2 ||w||^2`, on standardised features, by
    Newton's method. The penalty keeps the weights finite if the samples can be told apart perfectly.
    `sklearn.linear_model.LogisticRegression`.

    Args:
      source, target: rows of features.
      l2: factor of the penalty; positive.

    Returns:
      `{"kernel": (d, 1), "bias": (1,)}`; `models.linear.linear(params, x)` is h, the log-odds of "target".

    Raises:
      TypeError: features that are not floating point, or of less than float32.
      ValueError: an empty sample, different numbers of features, NaN or infinity, or an `l2` that is not positive.
    """
    source, target = _samples(source, target)
    require_positive(l2=l2)
    X = jnp.concatenate([source, target])
    mean, std = jnp.mean(X, 0), jnp.std(X, 0)
    std = jnp.where(std > 0, std, 1.0).astype(X.dtype)
    Z = jnp.concatenate([(X - mean) / std, jnp.ones((len(X), 1), X.dtype)], axis=1)
    sign = jnp.concatenate([-jnp.ones(len(source), X.dtype), jnp.ones(len(target), X.dtype)])
    w = _logistic_newton(Z, sign, jnp.asarray(l2, X.dtype))
    kernel = w[:-1] / std
    return {"kernel": kernel[:, None], "bias": (w[-1] - mean @ kernel)[None]}


def _samples(source: Array | np.ndarray, target: Array | np.ndarray) -> tuple[Array, Array]:
    source, target = floating("source", source), floating("target", target)
    require_shapes("n d, m d", source=source, target=target)
    require_not_empty(None, source=source, target=target)
    require_finite(source=source, target=target)
    if min(source.dtype.itemsize, target.dtype.itemsize) < 4:
        raise TypeError(f"source and target must be float32 or more precise; got {source.dtype} and {target.dtype}")
    return source, target


@jax.jit
def _logistic_newton(Z: Array, sign: Array, l2: Array) -> Array:
    """The weights of a logistic regression; the last one is the bias, without a penalty."""
    penalty = l2 * jnp.ones(Z.shape[1], Z.dtype).at[-1].set(0.0)
    # A full step may overshoot: take the best of these halvings.
    lengths = 2.0 ** -jnp.arange(0, 12, dtype=Z.dtype)

    def objective(w: Array) -> Array:
        return jnp.mean(jnp.logaddexp(0.0, -sign * (Z @ w))) + jnp.sum(penalty * w**2) / 2

    def newton(w: Array, _: None) -> tuple[Array, None]:
        p = jax.nn.sigmoid(Z @ w)
        gradient = Z.T @ (p - (sign + 1) / 2) / len(Z) + penalty * w
        # Far from the boundary p (1 - p) rounds to 0, which would leave the bias without curvature.
        hessian = Z.T @ (Z * (p * (1 - p))[:, None]) / len(Z) + jnp.diag(penalty + 1e-6)
        candidates = w - lengths[:, None] * jnp.linalg.solve(hessian, gradient)
        values = jax.vmap(objective)(candidates)
        return jnp.where(jnp.min(values) < objective(w), candidates[jnp.argmin(values)], w), None

    return lax.scan(newton, jnp.zeros(Z.shape[1], Z.dtype), length=30)[0]


def covariate_shift_weights(
    source: Float[Array | np.ndarray, "n d"],
    target: Float[Array | np.ndarray, "m d"],
    *,
    clip: float | None = None,
    l2: float = 1e-3,
) -> Float[Array, " n"]:
    """How much each source row must count for the source to represent the target: `p(x) / q(x)`.

        beta_i = min(n/m exp(h(x_i)), clip),  h the log-odds of "target" against "source"

    n/m is 1 for samples of equal size, as in the book; without it, more unlabelled rows would mean larger weights.
    Every kind of target row must occur in the source. D2L 4.7.3.1.

    Args:
      source: rows that have labels, drawn from q.
      target: rows that have none, drawn from p.
      clip: the largest weight, positive, so that a few rows cannot dominate; None for no limit.
      l2: of `fit_domain_classifier`.

    Raises:
      TypeError, ValueError: as for `fit_domain_classifier`, or a `clip` that is not positive and finite.

    >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> covariate_shift_weights(x, x).round(3)
    Array([1., 1., 1., 1.], dtype=float32)
    """
    if clip is not None:
        require_positive(clip=clip)
    log_odds = linear(fit_domain_classifier(source, target, l2=l2), jnp.asarray(source))[:, 0]
    weights = jnp.exp(log_odds) * (len(source) / len(target))
    return weights if clip is None else jnp.minimum(weights, clip)


def weighted_risk(losses: Float[Array, " n"], weights: Float[Array | np.ndarray, " n"]) -> Float[Array, ""]:
    """Weighted empirical risk, `1/n sum_i beta_i l(f(x_i), y_i)`. D2L 4.7.3.1.

    It does not divide by the sum of the weights: with the true ratios it is an unbiased estimate of the target's risk.

    Args:
      losses: one per example, such as `losses.cross_entropy(..., reduction="none")`.
      weights: one per example, not negative.

    Raises:
      TypeError: losses or weights that are not floating point.
      ValueError: shapes that differ, or a negative weight.

    >>> weighted_risk(jnp.array([1.0, 2.0]), jnp.array([0.5, 1.5]))
    Array(1.75, dtype=float32)
    """
    losses, _ = floating("losses", losses), floating("weights", weights)
    require_shapes("n, n", losses=losses, weights=weights)
    require_none_negative(weights=weights)
    return jnp.mean(jnp.asarray(weights, losses.dtype) * losses)


def target_label_distribution(
    confusion: Int[Array | np.ndarray, "c c"], target_predictions: Integer[Array | np.ndarray, " m"]
) -> Float[np.ndarray, " c"]:
    """How frequent each label is in the target, from predictions alone: solves `C q = mu`. D2L 4.7.3.2.

    C[i, j] is the share of examples of class j that the classifier calls i, measured on source data held out from its
    training; mu[i] is the share of target examples that it calls i. The book defines C as shares of all examples;
    then the solution would be the weights `q / p`, not q. Negative solutions, which noise can cause, become 0.

    Args:
      confusion: counts, rows true and columns predicted, as from `metrics.confusion_matrix`.
      target_predictions: predicted classes of the target examples.

    Raises:
      TypeError: counts or predictions that are not integers.
      ValueError: a matrix that is not square, a negative count, a class without an example, a classifier that confuses
        classes completely, so that C has no inverse, no predictions, or one that is not a class.

    >>> confusion = np.array([[8, 2], [1, 9]])  # right for 80% of class 0 and 90% of class 1
    >>> target_label_distribution(confusion, np.array([0] * 31 + [1] * 69)).round(4)  # 0.8 q + 0.1 (1 - q) = 0.31
    array([0.3, 0.7])
    """
    counts = _confusion_counts(confusion)
    predictions = _classes("target_predictions", target_predictions, len(counts))
    C = (counts / counts.sum(1, keepdims=True)).T
    mu = np.bincount(predictions, minlength=len(C)) / predictions.size
    q = np.maximum(_solution(C, mu), 0.0)
    return q / q.sum()


def _confusion_counts(confusion: Array | np.ndarray) -> np.ndarray:
    counts = np.asarray(confusion)
    require_integers(confusion=counts)
    require_shapes("classes classes", confusion=counts)
    require_not_empty(None, confusion=counts)
    require_none_negative(confusion=counts)
    if (empty := np.flatnonzero(counts.sum(1) == 0)).size:
        raise ValueError(f"class {empty[0]} has no example in the confusion matrix")
    return counts.astype(np.float64)


def _classes(name: str, labels: Array | np.ndarray, num_classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    require_shapes("n", **{name: labels})
    require_not_empty(None, **{name: labels})
    require_classes(num_classes, **{name: labels})
    return labels


def _solution(C: np.ndarray, mu: np.ndarray) -> np.ndarray:
    if np.linalg.cond(C) > 1e6:
        raise ValueError("the classifier confuses some classes completely: C q = mu has no unique solution")
    return np.linalg.solve(C, mu)


def label_shift_weights(
    confusion: Int[Array | np.ndarray, "c c"],
    target_predictions: Integer[Array | np.ndarray, " m"],
    source_labels: Integer[Array | np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """How much each source example must count if only the frequencies of the labels shifted: `q(y_i) / p(y_i)`.

    p is the source's own distribution of labels, q the `target_label_distribution`. D2L 4.7.3.2.

    Args:
      confusion, target_predictions: of `target_label_distribution`.
      source_labels: the classes of the source examples.

    Raises:
      TypeError, ValueError: as for `target_label_distribution`, or a source label that is not a class.

    >>> confusion, predictions = np.array([[8, 2], [1, 9]]), np.array([0] * 31 + [1] * 69)
    >>> label_shift_weights(confusion, predictions, np.array([0, 1])).round(4)
    array([0.6, 1.4])
    """
    q = target_label_distribution(confusion, target_predictions)
    labels = _classes("source_labels", source_labels, len(q))
    p = np.bincount(labels, minlength=len(q)) / labels.size
    return q[labels] / p[labels]


def shift_test(
    key: PRNGKeyArray,
    source: Float[Array | np.ndarray, "n d"],
    target: Float[Array | np.ndarray, "m d"],
    *,
    num_permutations: int = 999,
    l2: float = 1e-3,
) -> ShiftTest:
    """Detects covariate shift: can a classifier tell the two samples apart on rows that it never saw?

    It trains on half of each sample. On the other half, the statistic is the mean log-odds of target rows minus that of
    source rows. Shuffled labels show how large it gets by chance: `p = (1 + #{as large}) / (1 + permutations)`, which
    is valid for samples of any size. The test detects linear differences only; pass features in which a shift would be
    linear. D2L 4.7.1, 4.7.3.1; Lopez-Paz and Oquab, Revisiting classifier two-sample tests.

    Args:
      key: decides the halves and the shuffles.
      source, target: at least 4 rows each.
      num_permutations: number of shuffles; the smallest possible p-value is 1 / (1 + this).
      l2: of `fit_domain_classifier`.

    Raises:
      TypeError, ValueError: as for `fit_domain_classifier`, too few rows, or no permutation.
    """
    source, target = _samples(source, target)
    require_whole(4, **{"rows of source": len(source), "rows of target": len(target)})
    require_whole(1, num_permutations=num_permutations)
    source_key, target_key, shuffle_key = jax.random.split(key, 3)
    source, target = jax.random.permutation(source_key, source), jax.random.permutation(target_key, target)
    params = fit_domain_classifier(source[::2], target[::2], l2=l2)
    scores = linear(params, jnp.concatenate([source[1::2], target[1::2]]))[:, 0]
    is_target = jnp.arange(len(scores)) >= len(source[1::2])
    # Both samples count equally, so that 0.5 means no better than chance, whatever their sizes.
    prior = jnp.log(jnp.float32(len(target[::2]) / len(source[::2])))
    right = jnp.where(is_target, scores > prior, scores <= prior).astype(scores.dtype)
    accuracy = (_mean_where(right, is_target) + _mean_where(right, ~is_target)) / 2

    @partial(jax.vmap, in_axes=(0, None, None))
    def shuffled_difference(key: PRNGKeyArray, scores: Array, is_target: Array) -> Array:
        return _difference(scores, jax.random.permutation(key, is_target))

    differences = shuffled_difference(jax.random.split(shuffle_key, num_permutations), scores, is_target)
    as_large = (differences >= _difference(scores, is_target) - 1e-6).astype(scores.dtype)
    return ShiftTest(accuracy, (1 + jnp.sum(as_large)) / (1 + num_permutations))


def _difference(scores: Array, is_target: Array) -> Array:
    return _mean_where(scores, is_target) - _mean_where(scores, ~is_target)


def _mean_where(values: Array, chosen: Array) -> Array:
    return jnp.mean(values, where=chosen)
