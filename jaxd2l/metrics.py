"""What a classifier gets right (D2L 4.3): accuracy, and the rates that a confusion matrix holds."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from jaxd2l._checks.arrays import classes, counts, real
from jaxd2l._checks.numbers import require_choice, require_whole
from jaxd2l._checks.shapes import require_shapes

__all__ = [
    "Average",
    "accuracy",
    "confusion_matrix",
    "error_rate",
    "f1_score",
    "fall_out",
    "precision",
    "recall",
    "specificity",
]

Average = Literal["macro", "micro", None]
"""The mean of the classes' rates, one rate over all decisions, or (None) one rate per class."""


def __dir__() -> list[str]:
    return __all__


def accuracy(
    logits: Float[Array, "*batch classes"],
    labels: Integer[Array | np.ndarray, "*batch"],
    *,
    averaged: bool = True,
) -> Float[Array, "..."]:
    """Fraction of examples whose largest logit is the label's; of equal logits, the first counts. D2L 4.3.3.

    Args:
      logits: scores, or probabilities; only their order matters.
      labels: classes 0..C-1.
      averaged: if False, 1.0 or 0.0 for each example instead of their mean.

    Raises:
      TypeError: complex logits, or labels that are not integers.
      ValueError: shapes that do not fit, or a label outside 0..C-1. Under `jit`, where labels have no values to
        check, such a label makes the accuracy NaN.

    >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
    Array(0.5, dtype=float32)
    """
    logits = real("logits", logits)
    require_shapes("*batch classes>=1, *batch", logits=logits, labels=labels)
    labels = classes("labels", labels, logits.shape[-1])
    correct = (jnp.argmax(logits, -1).astype(jnp.int32) == labels).astype(jnp.float32)
    correct = jnp.where((labels >= 0) & (labels < logits.shape[-1]), correct, jnp.nan)
    return jnp.mean(correct) if averaged else correct


def error_rate(
    logits: Float[Array, "*batch classes"], labels: Integer[Array | np.ndarray, "*batch"]
) -> Float[Array, ""]:
    """Fraction of examples classified wrongly, `1 - accuracy`. D2L 4.3.3, 4.6.

    >>> error_rate(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
    Array(0.5, dtype=float32)
    """
    return 1.0 - accuracy(logits, labels)


def confusion_matrix(
    predictions: Integer[Array | np.ndarray, " n"],
    labels: Integer[Array | np.ndarray, " n"],
    num_classes: int,
) -> Int[Array, "classes classes"]:
    """How often each true class (row) was predicted as each class (column). D2L 4.7.3.2.

    The same as `sklearn.metrics.confusion_matrix`.

    Args:
      predictions: predicted classes, for example `logits.argmax(-1)`.
      labels: true classes.
      num_classes: C.

    Raises:
      TypeError: predictions or labels that are not integers.
      ValueError: shapes that differ, or a class outside 0..C-1. Under `jit`, where classes have no values to
        check, such an example is not counted.

    >>> confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), num_classes=2)
    Array([[1, 1],
           [0, 1]], dtype=int32)
    """
    require_shapes("n, n", predictions=predictions, labels=labels)
    require_whole(1, num_classes=num_classes)
    predictions, labels = classes("predictions", predictions, num_classes), classes("labels", labels, num_classes)
    is_prediction, is_label = (jax.nn.one_hot(y, num_classes, dtype=jnp.int32) for y in (predictions, labels))
    return is_label.T @ is_prediction


def precision(confusion: Int[Array, "c c"], *, average: Average = "macro") -> Float[Array, "..."]:
    """Positive predictive value, TP / (TP + FP): the share of positive predictions that are right. D2L 4.3.3.

    Each class in turn is the positive one, and all others are negative.

    Args:
      confusion: a confusion matrix whose rows are the true classes.
      average: "macro" for the mean over classes, "micro" for the rate over all decisions, None for one per class.

    Returns:
      The rate; 0 where it is 0/0 (a class never predicted), as with scikit-learn's `zero_division=0`.

    Raises:
      TypeError: fractions instead of counts.
      ValueError: a matrix that is not square, a negative count, or 2^31 examples or more.

    >>> precision(jnp.array([[1, 1], [0, 1]]), average=None)
    Array([1. , 0.5], dtype=float32)
    """
    tp, fp, _, _ = _counts(confusion, average)
    return _rate(tp, tp + fp, average)


def recall(confusion: Int[Array, "c c"], *, average: Average = "macro") -> Float[Array, "..."]:
    """Sensitivity or true positive rate, TP / (TP + FN): the share of positives that are found. See `precision`.

    >>> recall(jnp.array([[1, 1], [0, 1]]), average=None)
    Array([0.5, 1. ], dtype=float32)
    """
    tp, _, fn, _ = _counts(confusion, average)
    return _rate(tp, tp + fn, average)


def f1_score(confusion: Int[Array, "c c"], *, average: Average = "macro") -> Float[Array, "..."]:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN). See `precision`.

    >>> f1_score(jnp.array([[1, 1], [0, 1]])).round(4)
    Array(0.6667, dtype=float32)
    """
    tp, fp, fn, _ = _counts(confusion, average)
    return _rate(2 * tp, 2 * tp + fp + fn, average)


def specificity(confusion: Int[Array, "c c"], *, average: Average = "macro") -> Float[Array, "..."]:
    """True negative rate, TN / (TN + FP): the share of negatives not called positive. See `precision`.

    >>> specificity(jnp.array([[1, 1], [0, 1]]), average=None)
    Array([1. , 0.5], dtype=float32)
    """
    _, fp, _, tn = _counts(confusion, average)
    return _rate(tn, tn + fp, average)


def fall_out(confusion: Int[Array, "c c"], *, average: Average = "macro") -> Float[Array, "..."]:
    """False positive rate, FP / (FP + TN) = 1 - specificity: the share of negatives called positive. See `precision`.

    >>> fall_out(jnp.array([[1, 1], [0, 1]]), average=None)
    Array([0. , 0.5], dtype=float32)
    """
    _, fp, _, tn = _counts(confusion, average)
    return _rate(fp, fp + tn, average)


def _counts(confusion: Array, average: Average) -> tuple[Array, Array, Array, Array]:
    """True positives, false positives, false negatives, true negatives: per class, or summed for "micro"."""
    require_shapes("classes classes", confusion=confusion)
    require_choice(Average, average=average)
    confusion = counts("confusion", confusion)
    tp = jnp.diagonal(confusion)
    fp = jnp.sum(confusion, 0) - tp
    fn = jnp.sum(confusion, 1) - tp
    tn = jnp.sum(confusion) - tp - fp - fn
    rates = jnp.stack([tp, fp, fn, tn]).astype(jnp.float32)  # sums of them over classes could overflow an int32
    tp, fp, fn, tn = jnp.sum(rates, -1) if average == "micro" else rates
    return tp, fp, fn, tn


def _rate(numerator: Array, denominator: Array, average: str | None) -> Array:
    rate = jnp.where(denominator > 0, numerator / jnp.maximum(denominator, 1.0), 0.0)
    return jnp.mean(rate) if average == "macro" else rate
