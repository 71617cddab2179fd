"""Training runs (D2L 3.2, 3.4.5, 4.4.5, 5.2): `fit` runs epochs, measures, and reports."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_callable, require_whole
from jaxd2l._checks.values import random_key
from jaxd2l.train._epoch import create_state
from jaxd2l.train._forward import init
from jaxd2l.train._history import join_histories, no_epochs, one_epoch
from jaxd2l.train._mesh import on_mesh
from jaxd2l.train._prepared import Prepared, Task, on_one_device
from jaxd2l.train._stream import first_of, on_stream
from jaxd2l.train._trainable import require_lasting_state, require_trainable
from jaxd2l.types import Dataset, History, Loss, Model, StatefulModel, Streamed, TrainState

__all__ = ["fit"]

OnEpoch = Callable[[TrainState, History], bool | None]


def fit(
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
    dataset: Dataset | Streamed,
    *,
    key: PRNGKeyArray,
    epochs: int,
    batch_size: int,
    state: TrainState | None = None,
    on_epoch: OnEpoch | None = None,
    mesh: Mesh | None = None,
) -> tuple[TrainState, History]:
    """Trains by minibatch SGD and measures the test set after every epoch. D2L 3.2.4, 3.4.5; the book's `Trainer.fit`.

    An epoch is one compiled program: the device holds the examples, uint8 images included, shuffles them and walks the
    batches in a scan. The last short batch is a step like the others, on fewer examples (torch's `drop_last=False`).
    Batches are those of `data.epoch_indices(key, epoch, n, batch_size)`. Same arguments, same machine, same bits.
    Returns the last state, and the history of these epochs.

    Args:
      model: the model to train, or a pair of functions (init, apply). Its outputs and the labels must suit `loss`.
        The running averages of a `StatefulModel` move with every step, and the test set is measured with them.
      loss: `loss(outputs, labels)`, the mean over a batch.
      tx: an optax transformation. Its `update` also gets what some need: `value`, the loss, `grad`, and `value_fn`.
      dataset: training and test set: arrays, lists, tables or tensors of torch. uint8 inputs become `x / 255`. What
        does not fit into memory comes in batches, see `data.stream`: then a step is a compiled program, and the next
        batches are read and copied to the device while it computes.
      key: decides the first parameters, the order of the examples, and dropout.
      epochs: passes over the training set, counted from the very first step.
      batch_size: examples per step.
      state: where to continue, for example after an earlier `fit`, whose epochs are not repeated. With the same key
        the run ends as if it had never stopped. The state stays usable.
      on_epoch: called as `on_epoch(state, history)` after each epoch; training ends if it returns True. The state is
        a copy that can be kept. A rule for stopping: `book.generalization.should_stop`.
      mesh: the devices that share each batch, such as `sharding.make_mesh()`; by default one device. Losses differ
        only by rounding. Several processes (see `processes.start`) call `fit` with the same arguments; all begin with
        the state of process 0, and end if `on_epoch` returns True in any of them.

    Raises:
      TypeError: an argument of the wrong kind.
      ValueError: an empty or damaged dataset (different lengths, NaN, a label that is not a class), sizes below 1, a
        `state` in the middle of an epoch or of another optimiser, an unusable mesh, or processes with different
        arguments.
      processes.ProcessLostError: another process of this run is gone.

    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> run = (models.linear_regression(2), losses.squared_loss, optax.sgd(0.03), data)
    >>> state, history = fit(*run, key=jax.random.key(1), epochs=3, batch_size=32)
    >>> history.step_loss.shape, bool(history.test_loss[-1] < history.test_loss[0])
    ((3, 32), True)
    """
    if isinstance(dataset, Streamed):
        task = Task(model, loss, tx, first_of(dataset, batch_size), key, epochs, batch_size, stream=dataset)
    else:
        task = Task(model, loss, tx, dataset, key, epochs, batch_size)
    task = _checked(task, state)
    require_callable(**{} if on_epoch is None else {"on_epoch": on_epoch})
    # Each epoch takes over the memory of its state, so the caller's is copied, and no array may stand in it twice.
    state = jax.tree.map(jnp.copy, create_state(key, task.model, task.tx) if state is None else state)
    run = _prepared(state, task, mesh)
    state, history = run.state, no_epochs(task.steps)
    for _ in range(_epochs_done(state, task.steps), epochs):
        state, step_loss = run.run_epoch(state)
        epoch = one_epoch(step_loss, run.measure(state), task.num_examples, batch_size)
        history = join_histories(history, epoch)
        if run.in_any_process(_asks_to_stop(on_epoch, state, history)):
            break
    return state, history


def _prepared(state: TrainState, task: Task, mesh: Mesh | None) -> Prepared:
    if task.stream is None:
        return on_one_device(state, task) if mesh is None else on_mesh(mesh, state, task)
    if mesh is not None:
        raise ValueError("a stream of batches trains on one device: leave out mesh, or give arrays")
    return on_stream(state, task, task.stream)


def _checked(task: Task, state: TrainState | None) -> Task:
    """The same task, with every argument in the form that training needs."""
    require_whole(None, epochs=task.epochs, batch_size=task.batch_size)
    if task.epochs < 0 or task.batch_size < 1:
        raise ValueError(
            f"epochs cannot be negative and batch_size must be at least 1; got {task.epochs} and {task.batch_size}"
        )
    if not isinstance(state, TrainState | None):
        raise TypeError(f"state must be a TrainState, such as an earlier fit returned; got {type(state).__name__}")
    runs.require_loss(task.loss)
    model, tx, dataset = runs.model(task.model), runs.transformation(task.tx), runs.dataset(task.dataset)
    own = jax.eval_shape(partial(init, model), random_key("key", task.key))
    params, model_state = own if state is None else (state.params, state.model_state)
    runs.require_update(tx, params)
    require_trainable("training", dataset.train, model, task.loss, params, model_state)
    truth = require_trainable("test", dataset.test, model, task.loss, params, model_state)
    require_lasting_state(model, dataset.train, task.batch_size, params, model_state)
    if state is not None:
        runs.require_optimizer_state(tx, state)
    return task._replace(model=model, tx=tx, dataset=dataset, truth=truth)


def _asks_to_stop(on_epoch: OnEpoch | None, state: TrainState, history: History) -> bool:
    """Calls `on_epoch` with a state of its own: the next epoch takes over the memory of ours."""
    return on_epoch is not None and bool(on_epoch(jax.tree.map(jnp.copy, state), history))


def _epochs_done(state: TrainState, steps: int) -> int:
    done, rest = divmod(int(state.step), steps)
    if rest:
        raise ValueError(f"state has taken {state.step} steps, which is not a whole number of epochs of {steps} steps")
    return done
