"""Whether a model can be trained or evaluated on a set: on a device each of these mistakes would pass in silence."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_whole
from jaxd2l.data import to_float
from jaxd2l.train._forward import forward, init
from jaxd2l.train._truth import Truth, truth
from jaxd2l.types import Batch, Loss, Model, ModelState, Params, StatefulModel, TrainState


def require_trainable(
    name: str, batch: Batch, model: Model | StatefulModel, loss: Loss, params: Params, model_state: ModelState
) -> Truth | None:
    """Looks at a whole set once, on the host. Returns the true class of each example, if the labels are classes.

    Args:
      params, model_state: those that the model will get, or their shapes.

    Raises:
      TypeError: not a Batch of real numbers, or a loss that gives no number.
      ValueError: no examples, fewer labels than inputs, NaN or infinity, labels that do not suit model and loss, or a
        loss that gives more than one number.
    """
    batch = runs.batch(name, batch)
    runs.require_loss(loss)
    require_state(model, model_state)
    inputs, labels = np.asarray(batch.inputs), np.asarray(batch.labels)
    runs.require_real_numbers(f"{name} inputs", inputs)
    runs.require_real_numbers(f"{name} labels", labels)
    if len(inputs) != len(labels) or not len(inputs):
        raise ValueError(
            f"the {name} set must have as many labels as inputs, and some; got {len(labels)} and {len(inputs)}"
        )
    _require_finite(f"{name} inputs", inputs)
    _require_finite(f"{name} labels", labels)
    outputs = _outputs(name, inputs, model, params, model_state)
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
    if isinstance(params, TrainState | Model | StatefulModel):
        advice = "state.params" if isinstance(params, TrainState) else "model.init(key)"
        raise TypeError(f"params must be the parameters of the model, got a {type(params).__name__}; give {advice}")


def require_state(model: Model | StatefulModel, model_state: ModelState) -> None:
    """Running averages that this model could have made."""
    if isinstance(model, Model):
        if jax.tree.leaves(model_state):
            raise ValueError("a Model keeps no running averages; leave model_state out")
        return
    own = jax.eval_shape(partial(init, model), jax.random.key(0))[1]
    if _shapes(model_state) == _shapes(own):
        return
    given = f"{len(jax.tree.leaves(model_state))} arrays of other shapes" if jax.tree.leaves(model_state) else "none"
    raise ValueError(
        f"the model keeps {len(jax.tree.leaves(own))} arrays of running averages; got {given}: give those of the run, "
        "model_state=state.model_state, or those that it begins with, the second value of model.init(key)"
    )


def require_lasting_state(
    model: Model | StatefulModel, train: Batch, batch_size: int, params: Params, model_state: ModelState
) -> None:
    """A model whose training steps can follow each other, down to the last, short batch."""
    n = len(train.inputs)
    for size in {min(batch_size, n), n % batch_size or n} if isinstance(model, StatefulModel) else ():
        dtype = jax.dtypes.canonicalize_dtype(train.inputs.dtype)
        inputs = jax.ShapeDtypeStruct((size, *train.inputs.shape[1:]), dtype)

        def step(params: Params, model_state: ModelState, inputs: Any) -> Any:
            return forward(model, params, model_state, to_float(inputs), train=True, key=jax.random.key(0))

        try:
            _, after = jax.eval_shape(step, params, model_state, inputs)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"the model cannot train on a batch of {size}: {error}") from error
        if runs.kinds_of_leaves(after) != runs.kinds_of_leaves(model_state):
            raise ValueError(
                "model.apply must return a state with the structure, shapes and dtypes of the one that it gets"
            )


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [np.shape(leaf) for leaf in leaves]


def _require_finite(what: str, values: np.ndarray) -> None:
    with np.errstate(over="ignore"):  # 1e39 is finite until it becomes a float32
        wrong = np.issubdtype(values.dtype, np.floating) and ~np.isfinite(values.astype(jnp.zeros(0).dtype))
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"the {what} hold {values[where]} at index {where}; remove or impute such values first")


def _outputs(
    name: str, inputs: np.ndarray, model: Model | StatefulModel, params: Params, model_state: ModelState
) -> Any:
    """The shape of the model's outputs for these inputs."""
    spec = jax.ShapeDtypeStruct(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))

    def outputs(params: Params, model_state: ModelState, inputs: Any) -> Any:
        return forward(model, params, model_state, to_float(inputs))[0]

    try:
        return jax.eval_shape(outputs, params, model_state, spec)
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        these = "" if _are_shapes(params) else " and the parameters given"
        raise kind(f"the {name} inputs{these} do not suit the model: {error}") from error


def _are_shapes(tree: Any) -> bool:
    """Whether these are the model's own parameters, traced, and nobody gave them."""
    return all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(tree))


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
