"""Training on batches that come one by one: the next are read and copied to the device while it computes."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_whole
from jaxd2l.data import to_float
from jaxd2l.keys import noise_key
from jaxd2l.train._epoch import make_train_step
from jaxd2l.train._evaluation import Evaluation, measure
from jaxd2l.train._forward import forward
from jaxd2l.train._prepared import Prepared, Task
from jaxd2l.train._truth import truth
from jaxd2l.types import Batch, Dataset, Loss, Model, StatefulModel, Streamed, TrainState

_TOGETHER = 2**23
"""Bytes up to which batches are joined, to be copied at once and trained on by one call of a compiled program."""

_AHEAD = 2
"""How many such groups are read before they are needed."""


def first_of(stream: Streamed, batch_size: int) -> Dataset:
    """The first batch of the first epoch in place of the training set: what can be checked before training begins.

    Raises:
      ValueError: a source without batches, or a batch of another size.
    """
    require_whole(1, batch_size=batch_size)
    first = next(_batches(stream, 0, batch_size, lambda name, batch: None))
    return Dataset(first, stream.test, stream.class_names)


def on_stream(state: TrainState, task: Task, stream: Streamed) -> Prepared:
    """Training on the default device, which keeps the test set alone."""
    model, loss, tx, dataset, key, _, batch_size, *_ = task
    test, of_test = jax.device_put((Batch(*dataset.test), task.truth))
    first, outputs = dataset.train, partial(forward, model, state.params, state.model_state)
    logits = jax.eval_shape(lambda: outputs(to_float(jnp.asarray(first.inputs)))[0])

    def check(name: str, batch: Batch) -> None:
        _require_alike(name, batch, first)
        truth(
            jax.ShapeDtypeStruct((len(batch.labels), *logits.shape[1:]), logits.dtype), np.asarray(batch.labels), loss
        )

    def run_epoch(state: TrainState) -> tuple[TrainState, Array]:
        epoch = int(state.step) // task.steps
        losses: list[Array] = []
        for group in _ahead(_groups(_batches(stream, epoch, batch_size, check))):
            state, step_losses = compiled_steps(key, state, group, model=model, loss=loss, tx=tx)
            losses.append(step_losses)
            if len(losses) > _AHEAD:  # batches must not pile up on the device
                losses[-1 - _AHEAD].block_until_ready()
        return state, jnp.concatenate(losses)

    def measured(state: TrainState) -> Evaluation:
        return measure(model, loss, state.params, state.model_state, test, of_test)

    return Prepared(state, run_epoch, measured, bool)


@partial(jax.jit, static_argnames=("model", "loss", "tx"), donate_argnames="state")
def compiled_steps(
    key: PRNGKeyArray,
    state: TrainState,
    group: Batch,
    *,
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
) -> tuple[TrainState, Float[Array, " steps"]]:
    train_step = make_train_step(model, loss, tx)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Float[Array, ""]]:
        return train_step(state, Batch(to_float(batch.inputs), batch.labels), key=noise_key(key, state.step))

    return jax.lax.scan(step, state, Batch(*map(jnp.asarray, group)))


def _groups(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Neighbouring batches of one size, joined along a new first axis."""
    group: list[Batch] = []
    for batch in batches:
        bytes_of_group = (len(group) + 1) * sum(x.nbytes for x in batch)
        if group and (len(batch.labels) != len(group[0].labels) or bytes_of_group > _TOGETHER):
            yield Batch(*map(np.stack, zip(*group, strict=True)))
            group = []
        group.append(batch)
    yield Batch(*map(np.stack, zip(*group, strict=True)))


def _batches(stream: Streamed, epoch: int, batch_size: int, check: Callable[[str, Batch], None]) -> Iterator[Batch]:
    """The batches of an epoch as arrays, each in its place of the right size."""
    sizes = deque(min(batch_size, stream.num_examples - i) for i in range(0, stream.num_examples, batch_size))
    for number, given in enumerate(stream.batches(epoch)):
        name = f"batch {number} of epoch {epoch}"
        batch = runs.batch(name, given if isinstance(given, tuple) else tuple(given))
        if not sizes:
            raise ValueError(f"{name} is one too many: {stream.num_examples} examples are {number} of {batch_size}")
        if not len(batch.inputs) == len(batch.labels) == sizes.popleft():
            raise ValueError(
                f"{name} has {len(batch.inputs)} inputs and {len(batch.labels)} labels; batches have batch_size = "
                f"{batch_size} of each, but for a last one with the rest of the {stream.num_examples}"
            )
        check(name, batch)
        yield batch
    if sizes:
        raise ValueError(f"epoch {epoch} ended {len(sizes)} batches before its {stream.num_examples} examples")


def _require_alike(name: str, batch: Batch, first: Batch) -> None:
    """Numbers of the kind that were checked before training, and finite."""
    for what, values, wanted in zip(batch._fields, batch, first, strict=True):
        if values.shape[1:] != wanted.shape[1:] or values.dtype != wanted.dtype:
            raise ValueError(
                f"the {what} of {name} are {values.dtype} of shape {values.shape}; in the first batch they were "
                f"{wanted.dtype} of shape {wanted.shape}"
            )
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"the {what} of {name} hold NaN or infinity; remove or impute such values first")


def _ahead(groups: Iterator[Batch]) -> Iterator[Any]:
    """The same groups on the device; another thread reads the next ones in the meantime."""

    def read() -> Batch | None:
        group = next(groups, None)
        return None if group is None else jax.device_put(group)

    thread = ThreadPoolExecutor(1, "batches")
    try:
        waiting: deque[Future[Batch | None]] = deque(thread.submit(read) for _ in range(_AHEAD))
        while (group := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(read))
            yield group
    finally:
        thread.shutdown(cancel_futures=True)
