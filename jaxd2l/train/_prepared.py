"""A run made ready for the device it trains on: what `fit` needs to know of it, and nothing of devices."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l.train._epoch import compiled_epoch
from jaxd2l.train._evaluation import Evaluation, measure
from jaxd2l.train._truth import Truth
from jaxd2l.types import Batch, Dataset, Loss, Model, StatefulModel, Streamed, TrainState


class Task(NamedTuple):
    """What `fit` is asked to do, with the meaning of its arguments."""

    model: Model | StatefulModel
    loss: Loss
    tx: optax.GradientTransformation
    dataset: Dataset
    key: PRNGKeyArray
    epochs: int
    batch_size: int
    truth: Truth | None = None
    """The true classes of the test set, if it has any."""
    stream: Streamed | None = None
    """Where the batches come from, one by one; the training set then is the first of them."""

    @property
    def num_examples(self) -> int:
        """How many an epoch has."""
        return self.stream.num_examples if self.stream else len(self.dataset.train.inputs)

    @property
    def steps(self) -> int:
        """How many steps an epoch has, the last short batch included."""
        return -(-self.num_examples // self.batch_size)


class Prepared(NamedTuple):
    """A run that is ready to begin.

    state: where the first epoch starts. Each epoch takes over the memory of its state.
    run_epoch: `run_epoch(state) -> (state, loss of every step)`.
    measure: `measure(state)`: loss and accuracy on the test set.
    in_any_process: `in_any_process(stop)`: whether any process of the run asks to stop.
    """

    state: TrainState
    run_epoch: Callable[[TrainState], tuple[TrainState, Float[Array, " steps"]]]
    measure: Callable[[TrainState], Evaluation]
    in_any_process: Callable[[bool], bool]


def on_one_device(state: TrainState, task: Task) -> Prepared:
    """Training on the default device, which keeps both sets."""
    model, loss, tx, dataset, key, _, batch_size, *_ = task
    train, test, truth = jax.device_put((Batch(*dataset.train), Batch(*dataset.test), task.truth))

    def run_epoch(state: TrainState) -> tuple[TrainState, Array]:
        return compiled_epoch(key, state, train, model=model, loss=loss, tx=tx, batch_size=batch_size)

    def measured(state: TrainState) -> Evaluation:
        return measure(model, loss, state.params, state.model_state, test, truth)

    return Prepared(state, run_epoch, measured, bool)
