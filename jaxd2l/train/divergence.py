"""Which number went wrong first? A diverged run, replayed and watched step by step (D2L 5.4)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_whole
from jaxd2l._checks.values import host_or_device
from jaxd2l._files import named_leaves
from jaxd2l.data import epoch_indices, to_float
from jaxd2l.keys import noise_key
from jaxd2l.train._epoch import make_train_step
from jaxd2l.train._forward import forward
from jaxd2l.types import Batch, Loss, Model, Params, StatefulModel, TrainState

__all__ = ["NonFinite", "first_nonfinite", "is_finite"]


def __dir__() -> list[str]:
    return __all__


class NonFinite(NamedTuple):
    """The first number of a run that was not finite.

    step: in which step, counted from 0 at the start of the run.
    quantity: "outputs", "running average NAME", "loss", "gradient of NAME" or "parameter NAME", NAME as in the file of
      parameters.
    value: inf, -inf or NaN.
    """

    step: int
    quantity: str
    value: float


def first_nonfinite(
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
    train: Batch,
    *,
    key: PRNGKeyArray,
    state: TrainState,
    batch_size: int,
) -> NonFinite | None:
    """Repeats the steps of one epoch one by one until a number is not finite, and names that number. D2L 5.4.1.

    Each step checks the outputs first, then running averages, the loss, the gradients and the updated parameters: the
    result is where the trouble began, not where it showed. The steps are those of `train.fit` with the same key; but
    each is a program of its own, so the last bits may differ from those of an epoch in one program. torch's
    `torch.autograd.set_detect_anomaly(True)` looks at gradients alone.

    Args:
      model, loss, tx, key, batch_size: as for `fit`.
      train: the training set.
      state: the state at the beginning of the epoch.

    Returns:
      The first number that is not finite; None if all are.

    Raises:
      ValueError: an empty training set, a batch size below 1, or a `state` in the middle of an epoch.

    >>> from jaxd2l.train import create_state
    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> model, tx, key = models.linear_regression(2), optax.sgd(1e38), jax.random.key(1)
    >>> state = create_state(key, model, tx)
    >>> first_nonfinite(model, losses.squared_loss, tx, data.train, key=key, state=state, batch_size=32)
    NonFinite(step=1, quantity='outputs', value=inf)
    """
    model, tx, train = runs.model(model), runs.transformation(tx), runs.batch("training", train)
    if not isinstance(state, TrainState):
        raise TypeError(f"state must be a TrainState, as fit returns it; got {type(state).__name__}")
    n, begun = len(train.inputs), int(state.step)
    require_whole(1, n=n, batch_size=batch_size)
    epoch, rest = divmod(begun, -(-n // batch_size))
    if rest:
        raise ValueError(
            f"state has taken {begun} steps, in the middle of epoch {epoch}: give the one from its beginning"
        )
    for step, indices in enumerate(epoch_indices(key, epoch, n, batch_size), begun):
        batch = Batch(to_float(np.asarray(train.inputs)[indices]), jnp.asarray(np.asarray(train.labels)[indices]))
        state, watched = _watched_step(state, batch, noise_key(key, step), model=model, loss=loss, tx=tx)
        for quantity, value in _in_order(jax.device_get(watched)):
            if not np.isfinite(value):
                return NonFinite(step, quantity, float(value))
    return None


def is_finite(params: Params) -> bool:
    """Whether every number in a tree of arrays is finite.

    >>> is_finite({"kernel": jnp.ones(2), "bias": jnp.array(jnp.inf)})
    False
    """
    return all(map(_all_finite, jax.tree.leaves(params)))


def _all_finite(leaf: Any) -> bool:
    # NumPy's arrays stay with NumPy, which compiles nothing for the shape of a history that grows with each epoch.
    x = host_or_device(leaf)
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return bool(jnp.isfinite(x).all() if isinstance(x, jax.Array) else np.isfinite(x).all())
    if not (jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool or jnp.issubdtype(x.dtype, jax.dtypes.prng_key)):
        raise TypeError(f"params must be a tree of arrays of numbers; it holds {leaf!r}")
    return True


class _Watched(NamedTuple):
    """One number of each array of a step: the first that is not finite, if any. In the order of computation."""

    outputs: Any
    averages: Any
    loss: Any
    gradients: Any
    parameters: Any


@partial(jax.jit, static_argnames=("model", "loss", "tx"))
def _watched_step(
    state: TrainState,
    batch: Batch,
    key: PRNGKeyArray,
    *,
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
) -> tuple[TrainState, _Watched]:
    def batch_loss(params: Params) -> tuple[Array, Array]:
        outputs, _ = forward(model, params, state.model_state, jnp.asarray(batch.inputs), train=True, key=key)
        return loss(outputs, batch.labels), outputs

    (value, outputs), grads = jax.value_and_grad(batch_loss, has_aux=True)(state.params)
    after, _ = make_train_step(model, loss, tx)(state, batch, key=key)
    return after, jax.tree.map(_worst, _Watched(outputs, after.model_state, value, grads, after.params))


def _worst(x: Array) -> Array:
    flat = x.ravel()
    return flat[jnp.argmax(~jnp.isfinite(flat))]


def _in_order(watched: _Watched) -> Iterator[tuple[str, Any]]:
    yield "outputs", watched.outputs
    yield from ((f"running average {name}", value) for name, value in named_leaves(watched.averages).items())
    yield "loss", watched.loss
    yield from ((f"gradient of {name}", value) for name, value in named_leaves(watched.gradients).items())
    yield from ((f"parameter {name}", value) for name, value in named_leaves(watched.parameters).items())
