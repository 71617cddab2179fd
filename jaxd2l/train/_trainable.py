"""Whether a model can be trained or evaluated on a set: on a device each of these mistakes would pass in silence."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_whole
from jaxd2l.data import to_float
from jaxd2l.train._truth import Truth, truth
from jaxd2l.types import Batch, Loss, Model, Params, TrainState


def require_trainable(name: str, batch: Batch, model: Model, loss: Loss, params: Params | None = None) -> Truth | None:
    """Looks at a whole set once, on the host. Returns the true class of each example, if the labels are classes.

    Args:
      params: those that the model will get; by default what it draws itself.

    Raises:
      TypeError: not a Batch of real numbers, or a loss that gives no number.
      ValueError: no examples, fewer labels than inputs, NaN or infinity, labels that do not suit model and loss, or a
        loss that gives more than one number.
    """
    batch = runs.batch(name, batch)
    runs.require_loss(loss)
    inputs, labels = np.asarray(batch.inputs), np.asarray(batch.labels)
    runs.require_real_numbers(f"{name} inputs", inputs)
    runs.require_real_numbers(f"{name} labels", labels)
    if len(inputs) != len(labels) or not len(inputs):
        raise ValueError(
            f"the {name} set must have as many labels as inputs, and some; got {len(labels)} and {len(inputs)}"
        )
    _require_finite(f"{name} inputs", inputs)
    _require_finite(f"{name} labels", labels)
    outputs = _outputs(name, inputs, model, params)
    _require_suitable(name, outputs, labels, loss)
    return truth(outputs, labels, loss)


def examples(inputs: Any, batch_size: int) -> Any:
    """An array of at least one example, and batches of at least one."""
    require_whole(None, batch_size=batch_size)
    if isinstance(inputs, Batch):
        raise TypeError("inputs must be an array, got a Batch; give its inputs alone: batch.inputs")
    inputs = runs.array("inputs", inputs)
    if inputs.ndim == 0:
        raise ValueError("the first axis of inputs counts examples; got a scalar")
    runs.require_real_numbers("inputs", inputs)
    if not len(inputs) or batch_size < 1:
        raise ValueError(f"at least one example, and batches of at least one; got {len(inputs)} and {batch_size}")
    return inputs


def require_params(params: Params) -> None:
    """The parameters of a model, and not all that a run carries."""
    if isinstance(params, TrainState | Model):
        advice = "state.params" if isinstance(params, TrainState) else "model.init(key)"
        raise TypeError(f"params must be the parameters of the model, got a {type(params).__name__}; give {advice}")


def _require_finite(what: str, values: np.ndarray) -> None:
    with np.errstate(over="ignore"):  # 1e39 is finite until it becomes a float32
        wrong = np.issubdtype(values.dtype, np.floating) and ~np.isfinite(values.astype(jnp.zeros(0).dtype))
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"the {what} hold {values[where]} at index {where}; remove or impute such values first")


def _outputs(name: str, inputs: np.ndarray, model: Model, params: Params | None) -> Any:
    """The shape of the model's outputs for these inputs."""
    own = jax.eval_shape(model.init, jax.random.key(0))
    params = own if params is None else params
    spec = jax.ShapeDtypeStruct(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))
    try:
        return jax.eval_shape(lambda params, inputs: model.apply(params, to_float(inputs)), params, spec)
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        these = "" if params is own else " and the parameters given"
        raise kind(f"the {name} inputs{these} do not suit the model: {error}") from error


def _require_suitable(name: str, outputs: Any, labels: np.ndarray, loss: Loss) -> None:
    """Traces the loss with known labels, so that it checks every one of them without any arithmetic."""
    try:
        value = jax.eval_shape(lambda outputs: loss(outputs, labels), outputs)
    except (ValueError, TypeError, AssertionError) as error:  # the last one is how optax refuses
        kind = TypeError if isinstance(error, TypeError) else ValueError
        advice = _advice(getattr(outputs, "shape", ()), labels)
        raise kind(f"the {name} set does not suit the model and the loss: {error}{advice}") from error
    if not hasattr(value, "dtype") or not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"loss must give one floating-point number for a batch, got {value}")
    if value.shape != ():
        raise ValueError(
            f"loss must give one number for a batch, but gives {value.shape[0]} for the {name} set: take the mean, "
            "as in lambda outputs, labels: loss(outputs, labels).mean()"
        )


def _advice(outputs: tuple[int, ...], labels: np.ndarray) -> str:
    """What to do about labels of a form in which they often come."""
    if labels.dtype.kind == "f" and labels.shape == outputs[:-1] and not (labels % 1).any():
        return "; if these are classes, make them integers: labels.astype('int32')"
    if labels.dtype.kind in "iub" and labels.shape == outputs:
        return "; if these are one-hot, make them classes: labels.argmax(-1), or labels.astype('float32')"
    if labels.shape == (*outputs[:-1], 1):
        return "; if each row holds one class, drop the axis: labels[..., 0]"
    if (*labels.shape, 1) == outputs:
        return "; if these are targets of a regression, give them a second axis: labels[:, None]"
    return ""
