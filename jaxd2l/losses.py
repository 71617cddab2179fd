"""Losses (D2L 3.1, 4.1, 4.4, 4.5) with PyTorch's options and meaning. Classes stand on the last axis."""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxd2l._checks.arrays import floating, host_or_device, real, require_classes
from jaxd2l._checks.numbers import require_real, require_whole
from jaxd2l.activations import log_softmax

Reduction = Literal["none", "mean", "sum"]


def cross_entropy(
    logits: Float[Array, "*batch classes"],
    labels: Integer[Array | np.ndarray, "*batch"] | Float[Array | np.ndarray, "*batch classes"],
    *,
    weight: Float[Array | np.ndarray, " classes"] | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Float[Array, "..."]:
    """Negative log-likelihood of the labels under softmax(logits), in nats.

    For integer labels `y` and smoothing `e` over C classes, one example costs

        (1 - e) w_y (-log p_y) + e/C sum_c w_c (-log p_c),    p = softmax(logits),

    and "mean" divides by the sum of `w_y` over the examples that are not ignored. For soft labels `q` it costs
    `sum_c w_c q'_c (-log p_c)` with `q' = (1 - e) q + e/C`, and "mean" divides by the number of examples.
    The logarithms come from log_softmax, so logits of 1e6 lose no digits. If every example is ignored the
    mean is NaN (0/0). D2L 4.1.2, 4.5.2; `torch.nn.functional.cross_entropy`, which has the classes on axis 1.

    Args:
      logits: unnormalised scores.
      labels: classes 0..C-1 (integers), or class probabilities of the logits' shape (floating point).
      weight: one non-negative factor per class.
      ignore_index: integer labels of this value cost nothing and get no gradient.
      label_smoothing: in [0, 1]; the share of the label spread evenly over all classes.
      reduction: "mean", "sum", or "none" for one loss per example.

    Raises:
      ValueError: shapes that do not fit, an option out of range, or a label that is neither a class nor
        `ignore_index`. Under `jit` a label's value cannot be seen; there the loss and its gradient are NaN.
      TypeError: logits that are not floating point.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> cross_entropy(logits, jnp.array([0, 2]), reduction="none").round(4)
    Array([0.2395, 1.0986], dtype=float32)
    """
    logits, labels = jnp.asarray(logits), host_or_device(labels)
    if logits.ndim == 0:
        raise ValueError("logits need at least one axis, that of the classes; got a scalar")
    if not logits.shape[-1]:
        raise ValueError(f"logits need at least one class; got shape {logits.shape}")
    require_real(label_smoothing=label_smoothing)
    require_whole(None, ignore_index=ignore_index)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}")
    num_classes = logits.shape[-1]
    if weight is not None and np.shape(weight) != (num_classes,):
        raise ValueError(f"weight must have shape ({num_classes},), got {np.shape(weight)}")
    if weight is not None:
        real("weight", weight)
    costs = -log_softmax(logits)
    if weight is not None:
        costs = costs * jnp.asarray(weight, costs.dtype)

    if jnp.issubdtype(labels.dtype, jnp.floating):
        _require_shape(labels, logits.shape, "soft labels must have the shape of the logits")
        if ignore_index != -100:
            raise ValueError("ignore_index is for integer labels; to ignore an example give it soft labels of zeros")
        targets = (1.0 - label_smoothing) * jnp.asarray(labels, costs.dtype) + label_smoothing / num_classes
        return _reduce(_expected_cost(targets, costs), None, reduction)

    _require_shape(labels, logits.shape[:-1], "labels must have the logits' shape without the last axis")
    require_classes(num_classes, ignore_index=ignore_index, labels=labels)
    kept = jnp.asarray(labels).astype(jnp.int32) != ignore_index
    classes = jnp.where(kept, jnp.asarray(labels).astype(jnp.int32), 0)
    loss = (1.0 - label_smoothing) * _pick(costs, classes)
    if label_smoothing:
        loss = loss + label_smoothing / num_classes * jnp.sum(costs, -1)
    loss = jnp.where(kept, loss, 0.0)
    if weight is None:
        return _reduce(loss, kept.astype(loss.dtype), reduction)
    label_weights = _pick(jnp.asarray(weight, loss.dtype), classes)
    return _reduce(loss, jnp.where(kept, label_weights, 0.0), reduction)


def cross_entropy_from_probabilities(
    probabilities: Float[Array, "n classes"], labels: Integer[Array | np.ndarray, " n"]
) -> Float[Array, ""]:
    """Mean of `-log p_y` for probabilities that are given, the book's from-scratch form.

    Prefer `cross_entropy` on logits: here a probability that has rounded to 0 costs infinity. D2L 4.4.3;
    `torch.nn.functional.nll_loss(probabilities.log(), labels)`.

    Args:
      probabilities: one distribution per row.
      labels: classes 0..C-1.

    Raises:
      ValueError: shapes that do not fit, or a label out of range. Under `jit` such a label gives NaN, and its
        row of the gradient too.

    >>> p = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    >>> cross_entropy_from_probabilities(p, jnp.array([0, 2])).round(4)
    Array(1.4979, dtype=float32)
    """
    probabilities, labels = floating("probabilities", probabilities), host_or_device(labels)
    if probabilities.ndim == 0:
        raise ValueError("probabilities need at least one axis, that of the classes; got a scalar")
    _require_shape(
        labels,
        probabilities.shape[:-1],
        "labels must have the probabilities' shape without the last axis",
    )
    require_classes(probabilities.shape[-1], labels=labels)
    return jnp.mean(-jnp.log(_pick(probabilities, jnp.asarray(labels).astype(jnp.int32))))


def squared_loss(
    predictions: Float[Array, "*shape"],
    targets: Float[Array | np.ndarray, "*shape"],
    reduction: Reduction = "mean",
) -> Float[Array, "..."]:
    """Half the squared error, `(predictions - targets)^2 / 2`.

    The half makes the gradient the plain error, as the book derives it; `torch.nn.functional.mse_loss` is twice
    this, so the same learning rate takes twice the step there. D2L 3.1.1.2, 3.4.2.

    Args:
      predictions: any shape.
      targets: exactly the same shape; (n, 1) against (n,) would broadcast to (n, n) and is refused.
      reduction: "mean", "sum", or "none" for one loss per element.

    Raises:
      ValueError: if the shapes differ.
      TypeError: predictions or targets that are not floating point.

    >>> squared_loss(jnp.array([1.0, 2.0]), jnp.array([0.0, 5.0]))
    Array(2.5, dtype=float32)
    """
    for name, values in (("predictions", predictions), ("targets", targets)):
        floating(name, values)  # differences of unsigned integers would wrap around
    predictions = jnp.asarray(predictions)
    _require_shape(targets, predictions.shape, "targets must have the shape of the predictions")
    return _reduce(jnp.square(predictions - jnp.asarray(targets)) / 2, None, reduction)


def _pick(values: Array, classes: Array) -> Array:
    """The value of each example's class; NaN, gradient included, where there is no such class."""
    is_own = classes[..., None] == jnp.arange(values.shape[-1], dtype=jnp.int32)
    is_class = jnp.any(is_own, -1, keepdims=True)
    # NaN has to be a factor of what is summed: a value that is merely not selected has gradient 0.
    values = values * jnp.where(is_class, 1.0, jnp.nan).astype(values.dtype)
    return jnp.sum(jnp.where(is_own | ~is_class, values, 0.0), -1)


def _expected_cost(targets: Array, costs: Array) -> Array:
    # An impossible class that nobody asks for costs nothing: 0 log 0 = 0.
    costs = jnp.where((targets == 0) & jnp.isinf(costs), 0.0, costs)
    return jnp.sum(targets * costs, -1)


def _reduce(loss: Array, denominators: Array | None, reduction: str) -> Array:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return jnp.sum(loss)
    if reduction == "mean":
        return jnp.mean(loss) if denominators is None else jnp.sum(loss) / jnp.sum(denominators)
    raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def _require_shape(array: Array | np.ndarray, expected: tuple[int, ...], rule: str) -> None:
    if np.shape(array) != expected:
        raise ValueError(f"{rule}: expected {expected}, got {np.shape(array)}")
