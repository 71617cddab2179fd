"""A training step, and an epoch that is one compiled program (D2L 3.4.4, 3.4.5, 4.4.5, 5.2)."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l.data import shuffle, to_float
from jaxd2l.keys import init_key, noise_key, order_key
from jaxd2l.train._forward import forward, init
from jaxd2l.types import Batch, Loss, Model, ModelState, Params, StatefulModel, TrainState

__all__ = ["TrainStep", "create_state", "make_train_step", "train_epoch"]


@runtime_checkable
class TrainStep(Protocol):
    """`step(state, batch, *, key=None)`: the next state, and the loss before the update."""

    def __call__(
        self, state: TrainState, batch: Batch, *, key: PRNGKeyArray | None = None
    ) -> tuple[TrainState, Float[Array, ""]]: ...


def create_state(key: PRNGKeyArray, model: Model | StatefulModel, tx: optax.GradientTransformation) -> TrainState:
    """The state from which `fit(model, ..., tx, key=key)` starts: parameters just drawn, no step taken.

    To start from parameters of your own: `TrainState(params, tx.init(params), jnp.array(0))`, and for a `StatefulModel`
    its running averages after that.

    >>> state = create_state(jax.random.key(0), models.mlp(784, 256, 10), optax.sgd(0.1))
    >>> int(state.step)
    0
    """
    model, tx = runs.model(model), runs.transformation(tx)
    params, model_state = init(model, init_key(key))
    return TrainState(params, tx.init(params), jnp.zeros((), jnp.int32), model_state)


def make_train_step(model: Model | StatefulModel, loss: Loss, tx: optax.GradientTransformation) -> TrainStep:
    """One step of minibatch SGD as a pure function, `step(state, batch, *, key=None) -> (state, loss)`.

    The step is not compiled: wrap it in `jax.jit`, scan it, or run it operation by operation to see what compiling
    gains. D2L 3.4.5; in torch the body of the loop: `optimizer.zero_grad(); loss.backward(); optimizer.step()`.

    Args:
      model: the model to train. One that keeps running averages normalises each batch by the batch's own statistics,
        and its next state comes with the next parameters.
      loss: `loss(outputs, labels)`, a scalar.
      tx: an optax transformation, for example `optax.sgd(0.1)`. One that needs the loss, its gradient or the function
        itself, as `optax.contrib.reduce_on_plateau` and line searches do, gets them.

    Returns:
      The step. Its batch holds floating-point inputs (`data.to_float` converts images); its key, if there is one,
      is for dropout.

    >>> model, tx = models.softmax_regression(4, 3), optax.sgd(0.1)
    >>> step = jax.jit(make_train_step(model, losses.cross_entropy, tx), donate_argnames="state")
    >>> state = create_state(jax.random.key(0), model, tx)
    >>> state, loss = step(state, Batch(jnp.ones((2, 4)), jnp.array([0, 2])))
    >>> int(state.step), bool(loss > 1)
    (1, True)
    """

    model, tx = runs.model(model), runs.transformation(tx)
    runs.require_loss(loss)
    update = optax.with_extra_args_support(tx).update

    def step(state: TrainState, batch: Batch, *, key: PRNGKeyArray | None = None) -> tuple[TrainState, Array]:
        def batch_loss(params: Params) -> tuple[Array, ModelState]:
            inputs = jnp.asarray(batch.inputs)
            outputs, model_state = forward(model, params, state.model_state, inputs, train=True, key=key)
            return loss(outputs, batch.labels), model_state

        (value, model_state), grads = jax.value_and_grad(batch_loss, has_aux=True)(state.params)
        extra = {"value": value, "grad": grads, "value_fn": lambda params: batch_loss(params)[0]}
        updates, opt_state = update(grads, state.opt_state, state.params, **extra)
        return TrainState(optax.apply_updates(state.params, updates), opt_state, state.step + 1, model_state), value

    return step


def train_epoch(
    key: PRNGKeyArray,
    state: TrainState,
    train: Batch,
    *,
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
    batch_size: int,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """One pass over the training set; this is what `fit` compiles. D2L 3.4.4; the book's `Trainer.fit_epoch`.

    The examples are shuffled, and a scan takes a step on each full batch. The rest, if any, is one more step on fewer
    examples. Returns the next state and the loss of every step.
    """
    n = len(train.inputs)
    num_full, rest = divmod(n, batch_size)
    epoch = state.step // (num_full + (rest > 0))
    order = shuffle(order_key(key, epoch), n)
    step = make_train_step(model, loss, tx)

    # Flat while they are gathered and become numbers: XLA's CPU compiler takes rows faster than images.
    rows = jnp.asarray(train.inputs).reshape(n, -1), jnp.asarray(train.labels)

    def visit(state: TrainState, indices: Array) -> tuple[TrainState, Array]:
        inputs, labels = (x.at[indices].get(mode="promise_in_bounds") for x in rows)
        examples = to_float(inputs).reshape(-1, *train.inputs.shape[1:])
        return step(state, Batch(examples, labels), key=noise_key(key, state.step))

    state, step_loss = lax.scan(visit, state, order[: n - rest].reshape(num_full, batch_size))
    if rest:
        state, last_loss = visit(state, order[n - rest :])
        step_loss = jnp.append(step_loss, last_loss)
    return state, step_loss


compiled_epoch = jax.jit(train_epoch, static_argnames=("model", "loss", "tx", "batch_size"), donate_argnames="state")
