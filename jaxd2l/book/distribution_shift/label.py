"""Label shift: the labels' frequencies in the target, and the weights that follow from them (D2L 4.7.3.2)."""

from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int, Integer

from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._checks.values import require_classes, require_integers, require_none_negative


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
    named: dict[str, Any] = {name: np.asarray(labels)}
    require_shapes("n", **named)
    require_not_empty(None, **named)
    require_classes(num_classes, **named)
    return named[name]


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
