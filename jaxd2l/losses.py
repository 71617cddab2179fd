"""Losses (D2L 3.1, 4.1, 4.4, 4.5) with PyTorch's options and meaning. The last axis holds the classes."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from jaxd2l._checks.arrays import classes, floating, real
from jaxd2l._checks.numbers import require_between, require_choice, require_whole
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.values import host_or_device
from jaxd2l.activations import log_softmax

__all__ = ["Reduction", "cross_entropy", "cross_entropy_from_probabilities", "squared_loss"]

Reduction = Literal["none", "mean", "sum"]
"""Whether a loss returns one value per example ("none"), their mean or their sum."""


def __dir__() -> list[str]:
    return __all__


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
        `ignore_index`. Under `jit`, where labels have no values to check, such a label makes the loss and its
        gradient NaN.
      TypeError: logits that are not floating point, or labels that are neither integers nor floating point.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> cross_entropy(logits, jnp.array([0, 2]), reduction="none").round(4)
    Array([0.2395, 1.0986], dtype=float32)
    """
    logits, labels = floating("logits", logits), host_or_device(labels)
    _require_fitting(logits, labels, weight, ignore_index, label_smoothing)
    costs = -log_softmax(logits)
    if weight is not None:
        costs = costs * jnp.asarray(weight, costs.dtype)
    if jnp.issubdtype(labels.dtype, jnp.floating):
        loss, denominators = _loss_of_probabilities(costs, labels, label_smoothing), None
    else:
        loss, denominators = _loss_of_classes(costs, labels, weight, ignore_index, label_smoothing)
    return _reduce(loss, denominators, reduction)


def cross_entropy_from_probabilities(
    probabilities: Float[Array, "n classes"], labels: Integer[Array | np.ndarray, " n"]
) -> Float[Array, ""]:
    """Mean of `-log p_y`, given the probabilities: the book's from-scratch form.

    Prefer `cross_entropy` on logits: here a probability rounded to 0 costs infinity. D2L 4.4.3;
    `torch.nn.functional.nll_loss(probabilities.log(), labels)`.

    Args:
      probabilities: one distribution per row.
      labels: classes 0..C-1.

    Raises:
      ValueError: shapes that do not fit, or a label out of range. Under `jit` such a label makes the loss and its
        row of the gradient NaN.
      TypeError: probabilities that are not floating point, or labels that are not integers.

    >>> p = jnp.array([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    >>> cross_entropy_from_probabilities(p, jnp.array([0, 2])).round(4)
    Array(1.4979, dtype=float32)
    """
    probabilities = floating("probabilities", probabilities)
    require_shapes("*batch classes, *batch", probabilities=probabilities, labels=labels)
    labels = classes("labels", labels, probabilities.shape[-1])
    return jnp.mean(-jnp.log(_pick(probabilities, labels)))


def squared_loss(
    predictions: Float[Array, "*shape"],
    targets: Float[Array | np.ndarray, "*shape"],
    *,
    reduction: Reduction = "mean",
) -> Float[Array, "..."]:
    """Half the squared error, `(predictions - targets)^2 / 2`.

    Half, so that the gradient is the plain error, as the book derives it. `torch.nn.functional.mse_loss` is twice
    this: with the same learning rate it takes twice the step. D2L 3.1.1.2, 3.4.2.

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
    predictions, targets = floating("predictions", predictions), floating("targets", targets)
    require_shapes("*shape, *shape", predictions=predictions, targets=targets)
    return _reduce(jnp.square(predictions - targets) / 2, None, reduction)


def _loss_of_classes(
    costs: Array, labels: Array | np.ndarray, weight: Array | np.ndarray | None, ignore_index: int, smoothing: float
) -> tuple[Array, Array]:
    """`(1 - e) cost_y + e/C sum_c cost_c`, and the share `w_y` of each example in the mean; 0 where it is ignored."""
    labels = classes("labels", labels, costs.shape[-1], ignore_index=ignore_index)
    kept = labels != ignore_index
    labels = jnp.where(kept, labels, 0)
    loss = (1.0 - smoothing) * _pick(costs, labels)
    if smoothing:
        loss = loss + smoothing / costs.shape[-1] * jnp.sum(costs, -1)
    loss = jnp.where(kept, loss, 0.0)
    if weight is None:
        return loss, kept.astype(loss.dtype)
    return loss, jnp.where(kept, _pick(jnp.asarray(weight, loss.dtype), labels), 0.0)


def _loss_of_probabilities(costs: Array, labels: Array | np.ndarray, smoothing: float) -> Array:
    """`sum_c q'_c cost_c` with `q' = (1 - e) q + e/C`."""
    targets = (1.0 - smoothing) * jnp.asarray(labels, costs.dtype) + smoothing / costs.shape[-1]
    # An impossible class that no label asks for costs nothing: 0 log 0 = 0.
    costs = jnp.where((targets == 0) & jnp.isinf(costs), 0.0, costs)
    return jnp.sum(targets * costs, -1)


def _pick(values: Array, labels: Array) -> Array:
    """The value of each example's class; NaN, gradient included, where there is no such class."""
    is_own = jax.nn.one_hot(labels, values.shape[-1], dtype=bool)
    is_class = jnp.any(is_own, -1, keepdims=True)
    # NaN must be a factor: the gradient of a value that `where` merely leaves out is 0.
    values = values * jnp.where(is_class, 1.0, jnp.nan).astype(values.dtype)
    return jnp.sum(jnp.where(is_own | ~is_class, values, 0.0), -1)


def _reduce(loss: Array, denominators: Array | None, reduction: Reduction) -> Array:
    require_choice(Reduction, reduction=reduction)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return jnp.sum(loss)
    return jnp.mean(loss) if denominators is None else jnp.sum(loss) / jnp.sum(denominators)


def _require_fitting(
    logits: Array,
    labels: Array | np.ndarray,
    weight: Array | np.ndarray | None,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """Refuses shapes and options of `cross_entropy` that do not fit each other."""
    is_soft = jnp.issubdtype(labels.dtype, jnp.floating)
    name, shape = ("soft labels", "*batch classes") if is_soft else ("labels", "*batch")
    require_shapes(f"*batch classes>=1, {shape}", **{"logits": logits, name: labels})
    require_between(0, 1, label_smoothing=label_smoothing)
    require_whole(None, ignore_index=ignore_index)
    if weight is not None:
        require_shapes("*batch classes, classes", logits=logits, weight=real("weight", weight))
    if is_soft and ignore_index != -100:
        raise ValueError("ignore_index is for integer labels; to ignore an example give it soft labels of zeros")
