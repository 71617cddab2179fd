"""Evaluation (D2L 4.3): a model's outputs, loss and accuracy over a whole set, and whether a set can be used at all."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from jaxd2l._checks.numbers import is_real, require_whole
from jaxd2l.data import to_float
from jaxd2l.metrics import accuracy
from jaxd2l.train import sharding
from jaxd2l.types import Batch, Loss, Model, Params


class Evaluation(NamedTuple):
    """How good a model is on a whole set.

    loss: over the set.
    accuracy: the fraction of examples classified rightly; NaN if the labels are no classes.
    """

    loss: Float[Array, ""]
    accuracy: Float[Array, ""]


def evaluate(model: Model, loss: Loss, params: Params, batch: Batch, *, batch_size: int = 1000) -> Evaluation:
    """Loss and accuracy over a whole set, without dropout. D2L 4.3.1, 4.3.3; the book's `validation_step`.

    Args:
      model: what made `params`.
      loss: `loss(outputs, labels)`.
      params: the parameters.
      batch: a set of any size; uint8 inputs become `x / 255`.
      batch_size: how many examples go through the model at once.

    Returns:
      Loss and accuracy.

    Raises:
      ValueError: an empty or damaged set, as for `fit`, or a `batch_size` below 1.

    >>> model = models.softmax_regression(64, 10)
    >>> params = model.init(jax.random.key(0))
    >>> loss, fraction_right = evaluate(model, losses.cross_entropy, params, digits().test)
    >>> bool(2.2 < loss < 2.5), bool(0 <= fraction_right < 0.3)
    (True, True)
    """
    require_trainable("given", batch, model, loss)
    return loss_and_accuracy(model, loss, params, batch, batch_size)


def loss_and_accuracy(model: Model, loss: Loss, params: Params, batch: Batch, batch_size: int = 1000) -> Evaluation:
    """`evaluate` of a set that has been looked at before, as `fit` does once for all epochs."""
    outputs = predict(model, params, batch.inputs, batch_size=batch_size)
    return score(outputs, jnp.asarray(batch.labels), loss=loss)


@partial(jax.jit, static_argnames=("model", "batch_size"))
def predict(model: Model, params: Params, inputs: np.ndarray | Array, *, batch_size: int = 1000) -> Array:
    """The model's outputs for a whole set, `batch_size` examples at a time, without dropout.

    Raises:
      ValueError: no examples, or a `batch_size` below 1.

    >>> model = models.softmax_regression(64, 10)
    >>> predict(model, model.init(jax.random.key(0)), digits().test.inputs).shape
    (297, 10)
    """

    def outputs(chunk: np.ndarray | Array) -> Array:
        return model.apply(params, to_float(chunk))

    require_whole(None, batch_size=batch_size)
    if not hasattr(inputs, "ndim"):
        raise TypeError(f"inputs must be an array, got {type(inputs).__name__}")
    if inputs.ndim == 0:
        raise ValueError("the first axis of inputs counts examples; got a scalar")
    if not len(inputs) or batch_size < 1:
        raise ValueError(f"at least one example, and batches of at least one; got {len(inputs)} and {batch_size}")
    num_full, rest = divmod(len(inputs), batch_size)
    whole = len(inputs) - rest
    parts = [outputs(inputs[whole:])] if rest else []
    if num_full:
        chunks = inputs[:whole].reshape(num_full, batch_size, *inputs.shape[1:])
        mapped = lax.map(outputs, chunks)
        parts = [mapped.reshape(whole, *mapped.shape[2:]), *parts]
    return jnp.concatenate(parts)


@partial(jax.jit, static_argnames=("model", "n", "batch_size", "mesh"))
def predict_on_mesh(model: Model, params: Params, batches: Array, *, n: int, batch_size: int, mesh: Mesh) -> Array:
    """`predict` for n examples that `sharding.place` has laid out; every device gets all outputs."""

    def outputs(batch: Array, size: int = batch_size) -> Array:
        return sharding.everywhere(mesh, model.apply(params, to_float(sharding.first_rows(mesh, batch, size))))

    num_full, rest = divmod(n, batch_size)
    parts = [outputs(batches[-1], rest)] if rest else []
    if num_full:
        mapped = lax.map(outputs, batches[:num_full])
        parts = [mapped.reshape(n - rest, *mapped.shape[2:]), *parts]
    return jnp.concatenate(parts)


@partial(jax.jit, static_argnames="loss")
def score(outputs: Array, labels: Array, *, loss: Loss) -> Evaluation:
    """Loss and accuracy of outputs; the accuracy is NaN if the labels are no classes."""
    are_classes = jnp.issubdtype(labels.dtype, jnp.integer) and labels.shape == outputs.shape[:-1]
    return Evaluation(loss(outputs, labels), accuracy(outputs, labels) if are_classes else jnp.array(jnp.nan))


def require_trainable(name: str, batch: Batch, model: Model, loss: Loss) -> None:
    """Looks at a set on the host, once: on the device every one of these mistakes would pass in silence."""
    if not isinstance(batch, Batch):
        raise TypeError(f"the {name} set must be a Batch of inputs and labels, got {type(batch).__name__}")
    inputs, labels = np.asarray(batch.inputs), np.asarray(batch.labels)
    for what, values in (("inputs", inputs), ("labels", labels)):
        if values.ndim == 0 or not is_real(values.dtype):
            raise TypeError(
                f"the {name} {what} must be real numbers, one or more per example; got {values.dtype} of shape "
                f"{values.shape}"
            )
    if len(inputs) != len(labels) or not len(inputs):
        raise ValueError(
            f"the {name} set must have as many labels as inputs, and some; got {len(labels)} and {len(inputs)}"
        )
    for what, values in (("inputs", inputs), ("labels", labels)):
        with np.errstate(over="ignore"):  # 1e39 is finite until it becomes a float32
            wrong = np.issubdtype(values.dtype, np.floating) and ~np.isfinite(values.astype(jnp.zeros(0).dtype))
        if np.any(wrong):
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"the {name} {what} hold {values[where]} at index {where}; remove or impute such values first"
            )
    # Tracing the loss with labels that are known lets it check every one of them, at the price of no arithmetic.
    params = jax.eval_shape(model.init, jax.random.key(0))
    spec = jax.ShapeDtypeStruct(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))
    outputs = jax.eval_shape(lambda params, inputs: model.apply(params, to_float(inputs)), params, spec)
    try:
        jax.eval_shape(lambda outputs: loss(outputs, labels), outputs)
    except ValueError as error:
        raise ValueError(f"the {name} set does not suit the model and the loss: {error}") from error
