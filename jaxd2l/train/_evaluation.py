"""Evaluation (D2L 4.3): a model's outputs, loss and accuracy over a whole set."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxd2l._checks import runs
from jaxd2l.data import to_float
from jaxd2l.train._forward import forward
from jaxd2l.train._trainable import examples, require_params, require_state, require_trainable
from jaxd2l.train._truth import Truth, fraction_right
from jaxd2l.types import Batch, Loss, Model, ModelState, Params, StatefulModel

__all__ = ["Evaluation", "evaluate", "predict"]


class Evaluation(NamedTuple):
    """How good a model is on a whole set.

    loss: over the set.
    accuracy: the fraction of examples classified correctly, without those that the loss ignores; NaN if the labels are
      not classes.
    """

    loss: Float[Array, ""]
    accuracy: Float[Array | np.ndarray, ""]


def evaluate(
    model: Model | StatefulModel,
    loss: Loss,
    params: Params,
    batch: Batch,
    *,
    model_state: ModelState = (),
    batch_size: int = 1000,
) -> Evaluation:
    """Loss and accuracy over a whole set, without dropout. D2L 4.3.1, 4.3.3; the book's `validation_step`.

    Args:
      model: the model that `params` belong to.
      loss: `loss(outputs, labels)`.
      params: the parameters.
      batch: a set of any size; uint8 inputs become `x / 255`. Lists, tables and tensors of torch will do.
      model_state: the running averages of a `StatefulModel`: `state.model_state`.
      batch_size: how many examples go through the model at once.

    Returns:
      Loss and accuracy, as a pair with names.

    Raises:
      TypeError, ValueError: what `fit` refuses, running averages of another model, or a `batch_size` below 1.

    >>> model = models.softmax_regression(64, 10)
    >>> params = model.init(jax.random.key(0))
    >>> loss, accuracy = evaluate(model, losses.cross_entropy, params, digits().test)
    >>> bool(2.2 < loss < 2.5), bool(0 <= accuracy < 0.3)
    (True, True)
    """
    model, batch = runs.model(model), runs.batch("given", batch)
    require_params(params)
    truth = require_trainable("given", batch, model, loss, params, model_state)
    return measure(model, loss, params, model_state, batch, truth, batch_size)


def measure(
    model: Model | StatefulModel,
    loss: Loss,
    params: Params,
    model_state: ModelState,
    batch: Batch,
    truth: Truth | None,
    batch_size: int = 1000,
) -> Evaluation:
    """`evaluate` without its checks, which `fit` makes once for all epochs."""
    outputs = compiled_outputs(model, params, model_state, batch.inputs, batch_size=batch_size)
    return score(outputs, jnp.asarray(batch.labels), truth, loss=loss)


def predict(
    model: Model | StatefulModel,
    params: Params,
    inputs: np.ndarray | Array,
    *,
    model_state: ModelState = (),
    batch_size: int = 1000,
) -> Array:
    """The model's outputs for a whole set, `batch_size` examples at a time, without dropout.

    A `StatefulModel` normalises by its running averages, `model_state`, whatever the batch.

    Raises:
      TypeError: inputs or parameters that are none.
      ValueError: no examples, running averages of another model, or a `batch_size` below 1.

    >>> model = models.softmax_regression(64, 10)
    >>> predict(model, model.init(jax.random.key(0)), digits().test.inputs).shape
    (297, 10)
    """
    require_params(params)
    model, inputs = runs.model(model), examples(inputs, batch_size)
    require_state(model, model_state)
    return compiled_outputs(model, params, model_state, inputs, batch_size=batch_size)


@partial(jax.jit, static_argnames=("model", "batch_size"))
def compiled_outputs(
    model: Model | StatefulModel,
    params: Params,
    model_state: ModelState,
    inputs: np.ndarray | Array,
    *,
    batch_size: int,
) -> Array:
    """One compiled program: a map over whole batches, and the rest."""

    def outputs(chunk: np.ndarray | Array) -> Array:
        return forward(model, params, model_state, to_float(chunk))[0]

    num_full, rest = divmod(len(inputs), batch_size)
    whole = len(inputs) - rest
    parts = [outputs(inputs[whole:])] if rest else []
    if num_full:
        chunks = inputs[:whole].reshape(num_full, batch_size, *inputs.shape[1:])
        mapped = lax.map(outputs, chunks)
        parts = [mapped.reshape(whole, *mapped.shape[2:]), *parts]
    return jnp.concatenate(parts)


def score(outputs: Array, labels: Array | np.ndarray, truth: Truth | None, *, loss: Loss) -> Evaluation:
    """Loss and accuracy of outputs. Without a truth the accuracy is NaN, which never was on a device.

    There `jax_debug_nans` would take it for a mistake.
    """
    value, fraction = compiled_score(outputs, labels, truth, loss=loss)
    return Evaluation(value, np.full(np.shape(value), np.nan, np.float32) if fraction is None else fraction)


@partial(jax.jit, static_argnames="loss")
def compiled_score(
    outputs: Array, labels: Array | np.ndarray, truth: Truth | None, *, loss: Loss
) -> tuple[Array, Array | None]:
    """The loss and, if there is a truth, the accuracy."""
    return loss(outputs, labels), None if truth is None else fraction_right(outputs, truth)
