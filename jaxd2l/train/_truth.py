"""Which class each example truly has, and which examples count: what the accuracy of a set needs to know of it."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxd2l import losses
from jaxd2l.metrics import accuracy
from jaxd2l.types import Loss


class Truth(NamedTuple):
    """The classes of a set.

    classes: 0..C-1; of an example that does not count, any.
    counts: whether an example counts; None if all do.
    """

    classes: Int[Array | np.ndarray, "..."]
    counts: Bool[Array | np.ndarray, "..."] | None


def truth(outputs: jax.ShapeDtypeStruct, labels: np.ndarray, loss: Loss) -> Truth | None:
    """The classes that these labels name, or None if they name none: numbers, or probabilities other than 0 and 1.

    An example counts unless the loss ignores its label, as `cross_entropy` ignores -100.

    Raises:
      ValueError: a label that is neither a class nor ignored.
    """
    if _are_one_hot(outputs, labels):
        return Truth(labels.argmax(-1).astype(np.int32), None)
    is_classifier = len(outputs.shape) > 1 and outputs.shape[-1] > 1
    if not is_classifier or labels.dtype.kind not in "iu" or labels.shape != outputs.shape[:-1]:
        return None
    outside = (labels < 0) | (labels >= outputs.shape[-1])
    if loss is losses.cross_entropy and not outside.any():
        return Truth(labels, None)
    ignored = _ignored(outputs, labels, loss)
    counts = ~np.isin(labels, ignored)
    if (outside & counts).any():
        index = tuple(np.argwhere(outside & counts)[0].tolist())
        raise ValueError(
            f"labels{list(index)} is {labels[index]}, no class from 0 to {outputs.shape[-1] - 1}, and the loss "
            "does not ignore it"
        )
    return Truth(np.where(counts, labels, 0), None if counts.all() else counts)


def fraction_right(outputs: Float[Array, "*batch classes"], truth: Truth) -> Float[Array, ""]:
    """The accuracy of the examples that count; NaN if none does."""
    if truth.counts is None:
        return accuracy(outputs, truth.classes)
    return jnp.mean(accuracy(outputs, truth.classes, averaged=False), where=truth.counts)


def _are_one_hot(outputs: jax.ShapeDtypeStruct, labels: np.ndarray) -> bool:
    """Whether each label is a distribution that is certain of one class."""
    if labels.dtype.kind not in "fiub" or labels.shape != outputs.shape or labels.ndim < 2 or labels.shape[-1] < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(-1) == 1).all())


def _ignored(outputs: jax.ShapeDtypeStruct, labels: np.ndarray, loss: Loss) -> np.ndarray:
    """The labels that the loss ignores: no output of such an example has a gradient.

    Where all outputs are equal, any other label asks for a change. If no label does, the loss has no gradients at all.
    """
    found = np.union1d(labels, [0, 1]).astype(labels.dtype)  # not only ignored ones, whose mean would be 0/0
    rows = -(-len(found) // max(1, int(np.prod(labels.shape[1:]))))
    tried = np.resize(found, (rows, *labels.shape[1:]))
    equal = np.full((*tried.shape, outputs.shape[-1]), 1 / outputs.shape[-1], outputs.dtype)
    asks = np.asarray(_asks_for_a_change(equal, tried, loss=loss)).ravel()[: len(found)]
    return found[~asks] if asks.any() else found[:0]


@partial(jax.jit, static_argnames="loss")
def _asks_for_a_change(outputs: Array, labels: Array, *, loss: Loss) -> Array:
    return jnp.any(jax.grad(loss)(outputs, labels) != 0, -1)
