"""Training runs (D2L 3.2, 3.4.5, 4.4.5, 5.2): `fit` runs epochs, measures, and reports."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from jaxd2l._checks.numbers import require_whole
from jaxd2l.train._epoch import create_state
from jaxd2l.train._history import join_histories, no_epochs, one_epoch
from jaxd2l.train._mesh import on_mesh
from jaxd2l.train._prepared import Task, on_one_device
from jaxd2l.train._trainable import require_trainable
from jaxd2l.types import Dataset, History, Loss, Model, TrainState

__all__ = ["fit"]


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
    task = Task(model, loss, tx, dataset, key, epochs, batch_size)
    _require_sane(task, state)
    # Copied, because each epoch takes over the memory of its state: the caller's stays whole, and no array of ours
    # may stand in it twice (some optimisers begin with the parameters themselves).
    state = jax.tree.map(jnp.copy, create_state(key, model, tx) if state is None else state)
    run = on_one_device(state, task) if mesh is None else on_mesh(mesh, state, task)
    state, done, history = run.state, _epochs_done(run.state, task.steps), no_epochs(task.steps)
    for _ in range(done, epochs):
        state, step_loss = run.run_epoch(state)
        epoch = one_epoch(step_loss, run.measure(state.params), len(dataset.train.inputs), batch_size)
        history = join_histories(history, epoch)
        stop = on_epoch is not None and bool(on_epoch(state, history))
        if run.in_any_process(stop):
            break
    return state, history


def _require_sane(task: Task, state: TrainState | None) -> None:
    require_whole(None, epochs=task.epochs, batch_size=task.batch_size)
    if task.epochs < 0 or task.batch_size < 1:
        raise ValueError(
            f"epochs cannot be negative and batch_size must be at least 1; got {task.epochs} and {task.batch_size}"
        )
    require_trainable("training", task.dataset.train, task.model, task.loss)
    require_trainable("test", task.dataset.test, task.model, task.loss)
    if not isinstance(state, TrainState | None):
        raise TypeError(f"state must be a TrainState, such as an earlier fit returned; got {type(state).__name__}")


def _epochs_done(state: TrainState, steps: int) -> int:
    done, rest = divmod(int(state.step), steps)
    if rest:
        raise ValueError(f"state has taken {state.step} steps, which is not a whole number of epochs of {steps} steps")
    return done
