"""Whether a model can be trained or evaluated on a set: on a device each of these mistakes would pass in silence."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._checks.numbers import is_real, require_whole
from jaxd2l.data import to_float
from jaxd2l.types import Batch, Loss, Model


def require_trainable(name: str, batch: Batch, model: Model, loss: Loss) -> None:
    """Looks at a whole set once, on the host.

    Raises:
      TypeError: not a Batch of real numbers.
      ValueError: no examples, fewer labels than inputs, NaN or infinity, or labels that do not suit model and loss.
    """
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
    _require_finite(f"{name} inputs", inputs)
    _require_finite(f"{name} labels", labels)
    _require_suitable(name, inputs, labels, model, loss)


def require_examples(inputs: Any, batch_size: int) -> None:
    """An array of at least one example, and batches of at least one."""
    require_whole(None, batch_size=batch_size)
    if not hasattr(inputs, "ndim"):
        raise TypeError(f"inputs must be an array, got {type(inputs).__name__}")
    if inputs.ndim == 0:
        raise ValueError("the first axis of inputs counts examples; got a scalar")
    if not len(inputs) or batch_size < 1:
        raise ValueError(f"at least one example, and batches of at least one; got {len(inputs)} and {batch_size}")


def _require_finite(what: str, values: np.ndarray) -> None:
    with np.errstate(over="ignore"):  # 1e39 is finite until it becomes a float32
        wrong = np.issubdtype(values.dtype, np.floating) and ~np.isfinite(values.astype(jnp.zeros(0).dtype))
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"the {what} hold {values[where]} at index {where}; remove or impute such values first")


def _require_suitable(name: str, inputs: np.ndarray, labels: np.ndarray, model: Model, loss: Loss) -> None:
    """Traces the loss with known labels, so that it checks every one of them without any arithmetic."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    spec = jax.ShapeDtypeStruct(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))
    outputs = jax.eval_shape(lambda params, inputs: model.apply(params, to_float(inputs)), params, spec)
    try:
        jax.eval_shape(lambda outputs: loss(outputs, labels), outputs)
    except ValueError as error:
        raise ValueError(f"the {name} set does not suit the model and the loss: {error}") from error
