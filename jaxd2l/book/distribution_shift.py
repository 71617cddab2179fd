"""When training and test data differ (D2L 4.7): seeing it, and weighting examples so that it does no harm."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from jaxd2l._checks.arrays import floating, require_finite
from jaxd2l._checks.numbers import require_real, require_whole
from jaxd2l.models.linear import linear


class ShiftTest(NamedTuple):
    """What a two-sample test found.

    accuracy: of a classifier that tells the two samples apart, on rows it never saw; 0.5 if it cannot.
    p_value: how often samples without any difference would look as different. Small means shift.
    """

    accuracy: Float[Array, ""]
    p_value: Float[Array, ""]


def fit_domain_classifier(
    source: Float[Array | np.ndarray, "n d"], target: Float[Array | np.ndarray, "m d"], *, l2: float = 1e-3
) -> dict[str, Array]:
    """Logistic regression that tells target rows (1) from source rows (0). D2L 4.7.3.1, step 2.

    Minimises the mean of log(1 + exp(-z h(x))), z = +1 or -1, plus `l2 / 2 ||w||^2` on standardised features, by
    Newton's method. The penalty keeps weights finite if the samples can be told apart for certain.
    `sklearn.linear_model.LogisticRegression`.

    Args:
      source, target: rows of features.
      l2: factor of the penalty, positive.

    Returns:
      `{"kernel": (d, 1), "bias": (1,)}`; `models.linear.linear(params, x)` is h, the log-odds of "target".

    Raises:
      TypeError: features that are not floating point.
      ValueError: an empty sample, differing numbers of features, NaN or infinity, or no penalty.
    """
    source, target = floating("source", source), floating("target", target)
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1] or not (source.size and target.size):
        raise ValueError(f"source and target must have shapes (n, d) and (m, d); got {source.shape} and {target.shape}")
    require_real(l2=l2)
    if not 0 < l2 < np.inf:
        raise ValueError(f"l2 must be positive and finite, got {l2}")
    require_finite(source=source, target=target)
    if min(source.dtype.itemsize, target.dtype.itemsize) < 4:
        raise TypeError(f"the equations need float32 or more; got {source.dtype} and {target.dtype}")
    X = jnp.concatenate([source, target])
    mean, std = jnp.mean(X, 0), jnp.std(X, 0)
    std = jnp.where(std > 0, std, 1.0).astype(X.dtype)
    Z = jnp.concatenate([(X - mean) / std, jnp.ones((len(X), 1), X.dtype)], axis=1)
    sign = jnp.concatenate([-jnp.ones(len(source), X.dtype), jnp.ones(len(target), X.dtype)])
    w = _logistic_newton(Z, sign, jnp.asarray(l2, X.dtype))
    kernel = w[:-1] / std
    return {"kernel": kernel[:, None], "bias": (w[-1] - mean @ kernel)[None]}


@jax.jit
def _logistic_newton(Z: Array, sign: Array, l2: Array) -> Array:
    """The weights of a logistic regression; the last, that of the bias, bears no penalty."""
    penalty = l2 * jnp.ones(Z.shape[1], Z.dtype).at[-1].set(0.0)
    # A full step may overshoot: the best of these halvings is taken.
    lengths = 2.0 ** -jnp.arange(0, 12, dtype=Z.dtype)

    def objective(w: Array) -> Array:
        return jnp.mean(jnp.logaddexp(0.0, -sign * (Z @ w))) + jnp.sum(penalty * w**2) / 2

    def newton(w: Array, _: None) -> tuple[Array, None]:
        p = jax.nn.sigmoid(Z @ w)
        gradient = Z.T @ (p - (sign + 1) / 2) / len(Z) + penalty * w
        # Far out p (1 - p) rounds to 0, and the bias would have no curvature left.
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
    """How much each source row should count so that the source stands for the target: `p(x) / q(x)`.

        beta_i = min(n/m exp(h(x_i)), clip),  h the log-odds of "target" against "source"

    n/m is 1 for samples of one size, as in the book; without it, more unlabelled rows would mean larger weights.
    Every kind of target row must occur in the source. D2L 4.7.3.1.

    Args:
      source: rows that have labels, drawn from q.
      target: rows that have none, drawn from p.
      clip: the largest weight, positive, against a few rows that decide everything; None for no limit.
      l2: of `fit_domain_classifier`.

    Raises:
      ValueError: shapes that do not fit, or a `clip` that is not positive.

    >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> covariate_shift_weights(x, x).round(3)
    Array([1., 1., 1., 1.], dtype=float32)
    """
    if clip is not None:
        require_real(clip=clip)
        if not clip > 0:
            raise ValueError(f"clip must be positive, got {clip}")
    log_odds = linear(fit_domain_classifier(source, target, l2=l2), jnp.asarray(source))[:, 0]
    weights = jnp.exp(log_odds) * (len(source) / len(target))
    return weights if clip is None else jnp.minimum(weights, clip)


def weighted_risk(losses: Float[Array, " n"], weights: Float[Array | np.ndarray, " n"]) -> Float[Array, ""]:
    """Weighted empirical risk, `1/n sum_i beta_i l(f(x_i), y_i)`. D2L 4.7.3.1.

    Not divided by the sum of the weights: with the true ratios it is unbiased for the target's risk.

    Args:
      losses: one per example, for example `losses.cross_entropy(..., reduction="none")`.
      weights: one per example, not negative.

    Raises:
      TypeError: losses or weights that are not floating point.
      ValueError: shapes that differ, or a negative weight.

    >>> weighted_risk(jnp.array([1.0, 2.0]), jnp.array([0.5, 1.5]))
    Array(1.75, dtype=float32)
    """
    losses = floating("losses", losses)  # weights would lose their fractions beside integers
    floating("weights", weights)
    if losses.ndim != 1 or np.shape(weights) != losses.shape:
        raise ValueError(f"losses and weights must both have shape (n,); got {losses.shape} and {np.shape(weights)}")
    if not isinstance(weights, jax.core.Tracer) and not (np.asarray(weights) >= 0).all():
        raise ValueError(f"weights must not be negative; the least is {np.min(np.asarray(weights))}")
    return jnp.mean(jnp.asarray(weights, losses.dtype) * losses)


def target_label_distribution(
    confusion: Int[Array | np.ndarray, "c c"], target_predictions: Integer[Array | np.ndarray, " m"]
) -> Float[np.ndarray, " c"]:
    """How frequent each label is in the target, from predictions alone: solves `C q = mu`. D2L 4.7.3.2.

    C[i, j] is the share of examples of class j that the classifier calls i, from source data held out of its
    training; mu[i] is the share of target examples that it calls i. The book defines C as shares of all examples;
    then the solution would be the weights `q / p`, not q. Negative solutions, which noise can make, become 0.

    Args:
      confusion: counts, rows true and columns predicted, as `metrics.confusion_matrix` gives.
      target_predictions: predicted classes of the target examples.

    Raises:
      ValueError: a matrix that is not square, a class without an example, a classifier that confuses classes so
        that C cannot be inverted, no predictions, or one that is no class.

    >>> confusion = np.array([[8, 2], [1, 9]])  # right for 80% of class 0 and 90% of class 1
    >>> target_label_distribution(confusion, np.array([0] * 31 + [1] * 69)).round(4)  # 0.8 q + 0.1 (1 - q) = 0.31
    array([0.3, 0.7])
    """
    counts, predictions = np.asarray(confusion), _classes("target_predictions", target_predictions)
    if not np.issubdtype(counts.dtype, np.integer):
        raise TypeError(f"a confusion matrix holds counts, integers; got {counts.dtype}")
    counts = counts.astype(np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a confusion matrix is square, (classes, classes); got shape {counts.shape}")
    num_classes = len(counts)
    if not num_classes or counts.min() < 0:
        raise ValueError(f"a confusion matrix has at least one class and no negative counts; got {counts.tolist()}")
    if (empty := np.flatnonzero(counts.sum(1) == 0)).size:
        raise ValueError(f"class {empty[0]} has no example in the confusion matrix")
    if not predictions.size or predictions.min() < 0 or predictions.max() >= num_classes:
        raise ValueError(f"target_predictions must be classes 0 to {num_classes - 1}, at least one")
    C = (counts / counts.sum(1, keepdims=True)).T
    if np.linalg.cond(C) > 1e6:
        raise ValueError("the classifier confuses some classes completely: C q = mu has no unique solution")
    mu = np.bincount(predictions, minlength=num_classes) / predictions.size
    q = np.maximum(np.linalg.solve(C, mu), 0.0)
    return q / q.sum()


def label_shift_weights(
    confusion: Int[Array | np.ndarray, "c c"],
    target_predictions: Integer[Array | np.ndarray, " m"],
    source_labels: Integer[Array | np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """How much each source example should count if only the labels' frequencies shifted: `q(y_i) / p(y_i)`.

    p is the source's own distribution of labels, q that of `target_label_distribution`. D2L 4.7.3.2.

    Raises:
      ValueError: as `target_label_distribution`, or a source label that is no class.

    >>> confusion, predictions = np.array([[8, 2], [1, 9]]), np.array([0] * 31 + [1] * 69)
    >>> label_shift_weights(confusion, predictions, np.array([0, 1])).round(4)
    array([0.6, 1.4])
    """
    q, labels = target_label_distribution(confusion, target_predictions), _classes("source_labels", source_labels)
    if not labels.size or labels.min() < 0 or labels.max() >= len(q):
        raise ValueError(f"source_labels must be classes 0 to {len(q) - 1}, at least one")
    p = np.bincount(labels, minlength=len(q)) / labels.size
    return q[labels] / p[labels]


def _classes(name: str, labels: Integer[Array | np.ndarray, " n"]) -> np.ndarray:
    classes = np.asarray(labels)
    if classes.ndim != 1 or not np.issubdtype(classes.dtype, np.integer):
        raise TypeError(f"{name} must be integers of shape (n,), got {classes.dtype} of shape {classes.shape}")
    return classes


def shift_test(
    key: PRNGKeyArray,
    source: Float[Array | np.ndarray, "n d"],
    target: Float[Array | np.ndarray, "m d"],
    *,
    num_permutations: int = 999,
    l2: float = 1e-3,
) -> ShiftTest:
    """Detects covariate shift: can a classifier tell the two samples apart on rows that it never saw?

    It trains on half of each sample. On the other half, its mean log-odds of target and of source rows are compared,
    and the difference is set against those of shuffled labels: `p = (1 + #{as large}) / (1 + permutations)`, valid
    for samples of any size. Only linear differences are seen; hand over features in which a shift would be linear.
    D2L 4.7.1, 4.7.3.1; Lopez-Paz and Oquab, Revisiting classifier two-sample tests.

    Args:
      key: decides the halves and the shuffles.
      source, target: at least 4 rows each.
      num_permutations: how many shuffles; 1 / (1 + this) is the smallest p-value.
      l2: of `fit_domain_classifier`.

    Raises:
      ValueError: too few rows, differing numbers of features, or no permutation.
    """
    source, target = floating("source", source), floating("target", target)
    if source.ndim != 2 or target.ndim != 2 or min(len(source), len(target)) < 4:
        raise ValueError(f"source and target must have at least 4 rows each; got shapes {source.shape}, {target.shape}")
    require_whole(1, num_permutations=num_permutations)
    require_finite(source=source, target=target)
    source_key, target_key, shuffle_key = jax.random.split(key, 3)
    source, target = jax.random.permutation(source_key, source), jax.random.permutation(target_key, target)
    params = fit_domain_classifier(source[::2], target[::2], l2=l2)
    scores = linear(params, jnp.concatenate([source[1::2], target[1::2]]))[:, 0]
    is_target = jnp.arange(len(scores)) >= len(source[1::2])
    # Both kinds weigh alike, so that 0.5 means blind whatever the sizes.
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
