"""What a training run is given. Other forms of the same become ours; the rest is refused with what to do instead."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l._checks.numbers import is_real, library, require_form
from jaxd2l.types import Batch, Dataset, Model, StatefulModel, Streamed, TrainState

_FROM_ELSEWHERE = {
    "flax.linen": "models.from_flax(module, example_input=inputs[:1]) makes a Model of a Linen module",
    "flax.nnx": "models.from_flax(module) makes a Model of an NNX module",
    "haiku": "Model(lambda key: f.init(key, inputs[:1]), lambda params, x, *, key=None: f.apply(params, key, x)) "
    "makes a Model of what Haiku transformed",
    "equinox": "Model(lambda key: params, lambda params, x, *, key=None: jax.vmap(eqx.combine(params, static))(x)) "
    "makes a Model of an Equinox module, with params, static = eqx.partition(module, eqx.is_array)",
    "torch": "port a torch module to JAX, for example with models.mlp, and let parity.check compare the two",
}
"""How a model of another library becomes a Model."""


def model(value: Any) -> Model | StatefulModel:
    """A Model or a StatefulModel; a plain pair (init, apply) is a Model.

    >>> model("mlp")
    Traceback (most recent call last):
    TypeError: model must be a Model, a pair of functions (init, apply), such as models.mlp(784, 256, 10); got 'mlp'
    """
    origins = [_defined_in(value), *(kind.__module__ for kind in _kinds(value))]
    for origin, advice in _FROM_ELSEWHERE.items():
        if any(f"{name}.".startswith(f"{origin}.") for name in origins):
            raise TypeError(f"model must be a Model, got {_described(value)}; {advice}")
    if isinstance(value, StatefulModel):
        require_form("model.init(key)", value.init)
        require_form("model.apply(params, state, inputs, *, train, key)", value.apply)
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(map(callable, value)):
        value = Model(*value)
    if not isinstance(value, Model):
        raise TypeError(
            "model must be a Model, a pair of functions (init, apply), such as models.mlp(784, 256, 10); got "
            f"{_described(value)}"
        )
    require_form("model.init(key)", value.init)
    require_form("model.apply(params, inputs, *, key)", value.apply)
    return value


def require_loss(loss: Any) -> None:
    """A function of outputs and labels.

    >>> require_loss("cross_entropy")
    Traceback (most recent call last):
    TypeError: loss must be a function loss(outputs, labels), such as losses.cross_entropy; got 'cross_entropy'
    """
    if library(loss) == "torch":
        raise TypeError(f"loss must be a function of JAX arrays, such as losses.cross_entropy; got torch's {loss!r}")
    if not callable(loss) or isinstance(loss, optax.GradientTransformation | Model | StatefulModel):
        raise TypeError(
            f"loss must be a function loss(outputs, labels), such as losses.cross_entropy; got {_described(loss)}"
        )
    require_form("loss(outputs, labels)", loss)


def transformation(value: Any) -> Any:
    """An optax transformation, or a pair (init, update) as one.

    >>> transformation(optax.sgd)
    Traceback (most recent call last):
    TypeError: tx must be an optax transformation, such as optax.sgd(0.1); got the function sgd: call it
    """
    example = "tx must be an optax transformation, such as optax.sgd(0.1)"
    if type(value) is tuple and len(value) == 2 and all(map(callable, value)):
        return optax.GradientTransformation(*value)
    if all(callable(getattr(value, name, None)) for name in ("init", "update")) and not isinstance(value, type):
        return value
    if inspect.isfunction(value) and "GradientTransformation" in str(inspect.signature(value).return_annotation):
        raise TypeError(f"{example}; got the function {value.__name__}: call it")
    raise TypeError(f"{example}; got {_described(value)}")


def require_make_tx(make_tx: Any, grid: Mapping[str, Any]) -> None:
    """A function that makes an optax transformation of the hyperparameters of a grid.

    >>> require_make_tx("sgd", {"learning_rate": [0.1]})
    Traceback (most recent call last):
    TypeError: make_tx must be a function that makes an optimiser, such as optax.sgd, not called; got 'sgd'
    """
    if not callable(make_tx):
        raise TypeError(
            "make_tx must be a function that makes an optimiser, such as optax.sgd, not called; got "
            f"{_described(make_tx)}"
        )
    require_form(f"make_tx(*, {', '.join(map(str, grid))})", make_tx)


def require_update(tx: Any, params: Any) -> None:
    """An optax transformation that needs no more than a training step can give it."""

    def update(params: Any) -> Any:
        extra = {"value": jnp.zeros(()), "grad": params, "value_fn": lambda params: jnp.zeros(())}
        return optax.with_extra_args_support(tx).update(params, tx.init(params), params, **extra)

    try:
        jax.eval_shape(update, params)
    except TypeError as error:
        raise TypeError(
            "tx.update cannot be called as training does, with the gradients, its state, the parameters, value, grad "
            f"and value_fn: {error}"
        ) from error


def require_optimizer_state(tx: Any, state: TrainState) -> None:
    """An optimiser's state that this one could have made for these parameters."""
    made, given = jax.eval_shape(tx.init, state.params), state.opt_state
    if kinds_of_leaves(made) != kinds_of_leaves(given):
        raise ValueError(
            "state.opt_state belongs to another optimiser or other parameters than tx and state.params; to continue "
            "with a new optimiser, begin its state anew: state._replace(opt_state=tx.init(state.params))"
        )


def dataset(value: Any) -> Dataset:
    """A Dataset of arrays, or a pair of pairs as one: ((inputs, labels), (inputs, labels)).

    >>> dataset(Batch(np.ones((2, 1)), np.ones((2, 1))))
    Traceback (most recent call last):
    TypeError: dataset must be a Dataset(train, test), got a Batch; data.from_arrays(inputs, labels) makes one
    """
    if isinstance(value, Streamed):
        raise TypeError("train.fit takes a stream of batches; here the training set must be arrays, in a Dataset")
    if isinstance(value, tuple) and not isinstance(value, Batch) and len(value) in (2, 3, 4):
        value = Dataset(*value)
    if not isinstance(value, Dataset):
        raise TypeError(
            f"dataset must be a Dataset(train, test), got {_described(value)}; "
            "data.from_arrays(inputs, labels) makes one"
        )
    return value._replace(train=batch("training", value.train), test=batch("test", value.test))


def batch(name: str, value: Any) -> Batch:
    """A Batch of arrays, or a pair (inputs, labels) as one.

    >>> batch("test", ([[0.5, 1.0]], [1])).inputs.shape
    (1, 2)
    """
    if not isinstance(value, tuple) or len(value) != 2 or isinstance(value, Dataset | Model | StatefulModel):
        kind = type(value).__name__
        raise TypeError(f"the {name} set must be a Batch of inputs and labels, got {kind}")
    return Batch(array(f"{name} inputs", value[0]), array(f"{name} labels", value[1]))


def array(name: str, value: Any) -> Any:
    """An array of NumPy or JAX as it is; lists, tables of pandas and tensors of torch as NumPy's.

    >>> array("inputs", [[1.0, 2.0], [3.0]])
    Traceback (most recent call last):
    ValueError: the inputs must be an array; got a list with rows of different lengths
    """
    if isinstance(value, np.ndarray | jax.Array):
        return value
    if library(value) == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value  # which NumPy lacks
    if isinstance(value, str | None):
        raise TypeError(f"the {name} must be an array, got {value!r}")
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(
            f"the {name} must be an array; got a {type(value).__name__} with rows of different lengths"
        ) from None


def require_real_numbers(name: str, values: Any) -> None:
    """Numbers, at least one per example."""
    if values.ndim == 0 or not is_real(values.dtype):
        advice = "; give text and missing values numbers first" if values.dtype.kind in "OUS" else ""
        raise TypeError(
            f"the {name} must be real numbers, one or more per example; got {values.dtype} of shape "
            f"{values.shape}{advice}"
        )


def kinds_of_leaves(tree: Any) -> Any:
    """Structure, shapes and dtypes of a tree, to compare with another's."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(np.shape(leaf), jax.dtypes.result_type(leaf)) for leaf in leaves]


def _kinds(value: Any) -> tuple[type, ...]:
    return (value if isinstance(value, type) else type(value)).__mro__


def _defined_in(value: Any) -> str:
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


def _described(value: Any) -> str:
    """How a message calls a value that is none of ours."""
    if isinstance(value, str | int | float | None):
        return repr(value)
    if isinstance(value, type) or inspect.isroutine(value):
        return f"the {'class' if isinstance(value, type) else 'function'} {value.__name__}"
    name = type(value).__name__
    return f"a{'n' if name[0] in 'AEIOU' else ''} {name}"
