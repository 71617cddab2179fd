"""Training (D2L 3.2, 3.4.5, 4.4.5, 5.2): a step, an epoch that is one compiled program, a run.

Only this file and `evaluation`, whose functions can be had from here too, say what is compiled.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._checks.numbers import require_whole
from jaxd2l.data import epoch_indices, shuffle, to_float
from jaxd2l.keys import init_key, noise_key, order_key
from jaxd2l.train import processes, sharding
from jaxd2l.train.evaluation import (
    Evaluation,
    evaluate,
    loss_and_accuracy,
    predict,
    predict_on_mesh,
    require_trainable,
    score,
)
from jaxd2l.types import Batch, Dataset, History, Loss, Model, Params, TrainState

__all__ = [
    "TrainStep",
    "create_state",
    "evaluate",
    "fit",
    "make_train_step",
    "predict",
    "require_trainable",
    "score",
    "train_epoch",
    "train_epoch_on_mesh",
]


@runtime_checkable
class TrainStep(Protocol):
    """`step(state, batch, *, key=None)`: the next state, and the loss before the update."""

    def __call__(
        self, state: TrainState, batch: Batch, *, key: PRNGKeyArray | None = None
    ) -> tuple[TrainState, Float[Array, ""]]: ...


def create_state(key: PRNGKeyArray, model: Model, tx: optax.GradientTransformation) -> TrainState:
    """The state from which `fit(model, ..., tx, key=key)` starts: drawn parameters, no step taken.

    To start from parameters of your own: `TrainState(params, tx.init(params), jnp.array(0))`.

    >>> state = create_state(jax.random.key(0), models.mlp(784, 256, 10), optax.sgd(0.1))
    >>> int(state.step)
    0
    """
    params = model.init(init_key(key))
    return TrainState(params, tx.init(params), jnp.zeros((), jnp.int32))


def make_train_step(model: Model, loss: Loss, tx: optax.GradientTransformation) -> TrainStep:
    """One step of minibatch SGD as a pure function, `step(state, batch, *, key=None) -> (state, loss)`.

    Not compiled: wrap it in `jax.jit`, scan it, or run it op by op to see what compiling buys. D2L 3.4.5; the
    body of torch's `optimizer.zero_grad(); loss.backward(); optimizer.step()`.

    Args:
      model: what to train.
      loss: `loss(outputs, labels)`, a scalar.
      tx: an optax transformation, for example `optax.sgd(0.1)`.

    Returns:
      The step. Its batch holds floating-point inputs (`data.to_float` makes them of images); its key, if any,
      is the one for dropout.

    >>> model, tx = models.softmax_regression(4, 3), optax.sgd(0.1)
    >>> step = jax.jit(make_train_step(model, losses.cross_entropy, tx), donate_argnames="state")
    >>> state = create_state(jax.random.key(0), model, tx)
    >>> state, loss = step(state, Batch(jnp.ones((2, 4)), jnp.array([0, 2])))
    >>> int(state.step), bool(loss > 1)
    (1, True)
    """

    def step(state: TrainState, batch: Batch, *, key: PRNGKeyArray | None = None) -> tuple[TrainState, Array]:
        def batch_loss(params: Params) -> Array:
            return loss(model.apply(params, jnp.asarray(batch.inputs), key=key), batch.labels)

        value, grads = jax.value_and_grad(batch_loss)(state.params)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        return TrainState(optax.apply_updates(state.params, updates), opt_state, state.step + 1), value

    return step


def fit(
    model: Model,
    loss: Loss,
    tx: optax.GradientTransformation,
    dataset: Dataset,
    *,
    key: PRNGKeyArray,
    epochs: int,
    batch_size: int,
    state: TrainState | None = None,
    on_epoch: Callable[[TrainState, History], bool | None] | None = None,
    mesh: Mesh | None = None,
) -> tuple[TrainState, History]:
    """Trains by minibatch SGD, and measures the test set after every epoch. D2L 3.2.4, 3.4.5; the book's `Trainer.fit`.

    Each epoch is one compiled program: the examples, uint8 images included, stay on the device; the program
    shuffles them, walks the batches in a scan, and only then comes back with the losses. The last short batch
    is a step like the others, on fewer examples (torch's `drop_last=False`). Batches are those of
    `data.epoch_indices(key, epoch, n, batch_size)`. Same arguments on the same machine, same bits.

    Args:
      model: what to train. Its outputs and the labels must suit `loss`.
      loss: `loss(outputs, labels)`, the mean over a batch.
      tx: an optax transformation.
      dataset: training and test set. uint8 inputs become `x / 255`.
      key: decides the first parameters, the order of the examples, and dropout.
      epochs: passes over the training set, counted from the very first step.
      batch_size: examples per step.
      state: where to go on, for example the result of an earlier `fit`; epochs that it has behind it are not
        run again, so a run stopped and resumed with the same key ends as one never stopped. It stays usable.
      on_epoch: called as `on_epoch(state, history)` after each epoch. The next epoch reuses the memory of this
        `state`: `jax.device_get` what you want to keep. Training ends early if it returns True; for a rule, see
        `generalization.should_stop`.
      mesh: the devices to train on together, for example `sharding.make_mesh()`; without it, the default device.
        Batches are the same and each is shared out, so losses differ by rounding alone. Several processes (see
        `processes.start`) all call this with the same arguments, and all have the same state, from process 0's
        first one on. Training ends if `on_epoch` returns True in any of them.

    Returns:
      The last state, and the history of the epochs run.

    Raises:
      ValueError: an empty or damaged dataset (differing lengths, NaN, a label that is no class), sizes below 1,
        a `state` that stands in the middle of an epoch, a mesh that cannot be used, or processes that were given
        different arguments.
      processes.ProcessLostError: another process of this run is gone.

    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> state, history = fit(
    ...     models.linear_regression(2), losses.squared_loss, optax.sgd(0.03), data,
    ...     key=jax.random.key(1), epochs=3, batch_size=32,
    ... )
    >>> history.step_loss.shape, bool(history.test_loss[-1] < history.test_loss[0])
    ((3, 32), True)
    """
    require_whole(None, epochs=epochs, batch_size=batch_size)
    if epochs < 0 or batch_size < 1:
        raise ValueError(f"epochs cannot be negative and batch_size must be at least 1; got {epochs} and {batch_size}")
    for name, batch in (("training", dataset.train), ("test", dataset.test)):
        require_trainable(name, batch, model, loss)
    if not isinstance(state, TrainState | None):
        raise TypeError(f"state must be a TrainState, such as an earlier fit returned; got {type(state).__name__}")
    # Copied, because each epoch takes over the memory of its state: the caller's stays whole, and no array of ours
    # may stand in it twice (some optimisers begin with the parameters themselves).
    state = jax.tree.map(jnp.copy, create_state(key, model, tx) if state is None else state)
    if mesh is not None:
        sharding.require_usable(mesh)
    if mesh is not None and jax.process_count() > 1:
        _require_same_run(state, model, loss, tx, dataset, key, epochs, batch_size)
        state = processes.from_main(state)
    steps = -(-len(dataset.train.inputs) // batch_size)
    done, rest = divmod(int(state.step), steps)
    if rest:
        raise ValueError(f"state has taken {state.step} steps, which is not a whole number of epochs of {steps} steps")

    if mesh is not None:
        state, run_epoch, measure = _on_mesh(mesh, state, model, loss, tx, dataset, key, batch_size)
    else:
        train, test = jax.device_put((Batch(*dataset.train), Batch(*dataset.test)))

        def run_epoch(state: TrainState) -> tuple[TrainState, Array]:
            return _jitted_epoch(key, state, train, model=model, loss=loss, tx=tx, batch_size=batch_size)

        def measure(params: Params) -> Evaluation:
            return loss_and_accuracy(model, loss, params, test)

    history = History(np.empty((0, steps), np.float32), *(np.empty(0, np.float32) for _ in range(3)))
    sizes = np.minimum(batch_size, len(dataset.train.inputs) - batch_size * np.arange(steps))
    for _ in range(done, epochs):
        state, step_loss = run_epoch(state)
        test_loss, test_accuracy = measure(state.params)
        losses = np.asarray(step_loss)
        row = (losses, np.average(losses, weights=sizes), test_loss, test_accuracy)
        history = History(
            *(np.append(old, np.asarray(new, np.float32)[None], axis=0) for old, new in zip(history, row, strict=True))
        )
        stop = on_epoch is not None and bool(on_epoch(state, history))
        if stop if mesh is None else processes.any_process(stop):
            break
    return state, history


def train_epoch(
    key: PRNGKeyArray,
    state: TrainState,
    train: Batch,
    *,
    model: Model,
    loss: Loss,
    tx: optax.GradientTransformation,
    batch_size: int,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """One pass over the training set; what `fit` compiles. Returns the loss of every step."""
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


_jitted_epoch = jax.jit(train_epoch, static_argnames=("model", "loss", "tx", "batch_size"), donate_argnames="state")


def train_epoch_on_mesh(
    state: TrainState,
    batches: Batch,
    key: PRNGKeyArray,
    *,
    model: Model,
    loss: Loss,
    tx: optax.GradientTransformation,
    n: int,
    batch_size: int,
    mesh: Mesh,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """`train_epoch` over batches of n examples that `sharding.place` has laid out, in their order."""
    num_full, rest = divmod(n, batch_size)
    step = make_train_step(model, loss, tx)

    def visit(state: TrainState, batch: Batch, size: int = batch_size) -> tuple[TrainState, Array]:
        inputs, labels = sharding.first_rows(mesh, batch, size)
        return sharding.everywhere(mesh, step(state, Batch(to_float(inputs), labels), key=noise_key(key, state.step)))

    state, step_loss = lax.scan(visit, state, jax.tree.map(lambda x: x[:num_full], batches))
    if rest:
        state, last_loss = visit(state, jax.tree.map(lambda x: x[-1], batches), rest)
        step_loss = jnp.append(step_loss, last_loss)
    return state, step_loss


_jitted_epoch_on_mesh = jax.jit(
    train_epoch_on_mesh, static_argnames=("model", "loss", "tx", "n", "batch_size", "mesh"), donate_argnames="state"
)


def _on_mesh(
    mesh: Mesh,
    state: TrainState,
    model: Model,
    loss: Loss,
    tx: optax.GradientTransformation,
    dataset: Dataset,
    key: PRNGKeyArray,
    batch_size: int,
) -> tuple[TrainState, Callable[[TrainState], tuple[TrainState, Array]], Callable[[Params], Evaluation]]:
    """The state on every device of a mesh, and what `fit` does with it: run an epoch, measure the test set."""
    n, num_test, test_batch = len(dataset.train.inputs), len(dataset.test.inputs), 1000
    test_batches = np.split(np.arange(num_test), range(test_batch, num_test, test_batch))
    test = sharding.place(mesh, dataset.test, test_batches)
    static = {"model": model, "loss": loss, "tx": tx, "n": n, "batch_size": batch_size, "mesh": mesh}

    def run_epoch(state: TrainState) -> tuple[TrainState, Array]:
        epoch = int(state.step) // -(-n // batch_size)
        batches = sharding.place(mesh, dataset.train, epoch_indices(key, epoch, n, batch_size))
        # Awaited: programs with collectives that queue up on a CPU can wait for each other for ever.
        with processes.loss_is_an_error():
            return jax.block_until_ready(_jitted_epoch_on_mesh(state, batches, key, **static))

    def measure(params: Params) -> Evaluation:
        with processes.loss_is_an_error():
            outputs = predict_on_mesh(model, params, test.inputs, n=num_test, batch_size=test_batch, mesh=mesh)
            return jax.block_until_ready(score(outputs, np.asarray(dataset.test.labels), loss=loss))

    return sharding.replicate(mesh, state), run_epoch, measure


def _require_same_run(
    state: TrainState,
    model: Model,
    loss: Loss,
    tx: optax.GradientTransformation,
    dataset: Dataset,
    key: PRNGKeyArray,
    epochs: int,
    batch_size: int,
) -> None:
    """Every process must be about to train the same; functions are compared by the program they make."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (state, Batch(*dataset.train)))
    program = _jitted_epoch.lower(key, *shapes, model=model, loss=loss, tx=tx, batch_size=batch_size).as_text()
    facts = {"data": dataset[:2], "seed": jax.random.key_data(key), "number of epochs": epochs}
    processes.require_agreement(facts | {"model, loss, optimiser or batch size": program})
