"""Training on the devices of a mesh: an epoch and an evaluation whose batches are spread over them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._process.environment import environment
from jaxd2l.data import epoch_indices, to_float
from jaxd2l.keys import noise_key
from jaxd2l.train import _exchange, _layout, processes
from jaxd2l.train._epoch import compiled_epoch, make_train_step
from jaxd2l.train._evaluation import Evaluation, score
from jaxd2l.train._forward import forward
from jaxd2l.train._prepared import Prepared, Task
from jaxd2l.types import Batch, Loss, Model, StatefulModel, TrainState

_TEST_BATCH = 1000


def on_mesh(mesh: Mesh, state: TrainState, task: Task) -> Prepared:
    """Training on every device of a mesh, by all processes that have one. They begin with the state of process 0.

    Raises:
      ValueError: a mesh that cannot be used, or processes with different tasks.
      processes.ProcessLostError: another process is gone.
    """
    _layout.require_usable(mesh)
    if jax.process_count() > 1:
        _require_same_run(state, task)
        state = _exchange.from_main(state)
    model, loss, tx, dataset, key, _, batch_size, truth, _ = task
    n, num_test = len(dataset.train.inputs), len(dataset.test.inputs)
    test_batches = np.split(np.arange(num_test), range(_TEST_BATCH, num_test, _TEST_BATCH))
    test = _layout.place(mesh, dataset.test, test_batches)
    static = {"model": model, "loss": loss, "tx": tx, "n": n, "batch_size": batch_size, "mesh": mesh}

    def run_epoch(state: TrainState) -> tuple[TrainState, Array]:
        epoch = int(state.step) // task.steps
        batches = _layout.place(mesh, dataset.train, epoch_indices(key, epoch, n, batch_size))
        # Awaited: on a CPU, programs with collectives that queue up can wait for each other for ever.
        with _exchange.loss_is_an_error():
            return jax.block_until_ready(_epoch(key, state, batches, **static))

    def measure(state: TrainState) -> Evaluation:
        with _exchange.loss_is_an_error():
            outputs = _predict(model, state, test.inputs, n=num_test, batch_size=_TEST_BATCH, mesh=mesh)
            return jax.block_until_ready(score(outputs, np.asarray(dataset.test.labels), truth, loss=loss))

    return Prepared(_layout.replicate(mesh, state), run_epoch, measure, _exchange.any_process)


@partial(jax.jit, static_argnames=("model", "loss", "tx", "n", "batch_size", "mesh"), donate_argnames="state")
def _epoch(
    key: PRNGKeyArray,
    state: TrainState,
    batches: Batch,
    *,
    model: Model | StatefulModel,
    loss: Loss,
    tx: optax.GradientTransformation,
    n: int,
    batch_size: int,
    mesh: Mesh,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """`train_epoch` over batches of n examples, laid out by `place` in their order."""
    num_full, rest = divmod(n, batch_size)
    step = make_train_step(model, loss, tx)

    def visit(state: TrainState, batch: Batch, size: int = batch_size) -> tuple[TrainState, Array]:
        inputs, labels = _layout.first_rows(mesh, batch, size)
        examples = Batch(to_float(inputs), labels)
        return _layout.everywhere(mesh, step(state, examples, key=noise_key(key, state.step)))

    state, step_loss = lax.scan(visit, state, jax.tree.map(lambda x: x[:num_full], batches))
    if rest:
        state, last_loss = visit(state, jax.tree.map(lambda x: x[-1], batches), rest)
        step_loss = jnp.append(step_loss, last_loss)
    return state, step_loss


@partial(jax.jit, static_argnames=("model", "n", "batch_size", "mesh"))
def _predict(
    model: Model | StatefulModel, state: TrainState, batches: Array, *, n: int, batch_size: int, mesh: Mesh
) -> Array:
    """`predict` for n examples laid out by `place`; every device gets all outputs."""

    def outputs(batch: Array, size: int = batch_size) -> Array:
        inputs = to_float(_layout.first_rows(mesh, batch, size))
        return _layout.everywhere(mesh, forward(model, state.params, state.model_state, inputs)[0])

    num_full, rest = divmod(n, batch_size)
    parts = [outputs(batches[-1], rest)] if rest else []
    if num_full:
        mapped = lax.map(outputs, batches[:num_full])
        parts = [mapped.reshape(n - rest, *mapped.shape[2:]), *parts]
    return jnp.concatenate(parts)


def _require_same_run(state: TrainState, task: Task) -> None:
    """Checks that every process is about to train the same; functions are compared by the program they make."""
    model, loss, tx, dataset, key, epochs, batch_size, *_ = task
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (state, Batch(*dataset.train)))
    program = compiled_epoch.lower(key, *shapes, model=model, loss=loss, tx=tx, batch_size=batch_size).as_text()
    facts = {"data": dataset[:2], "seed": jax.random.key_data(key), "number of epochs": epochs}
    facts |= {"number of processes": str(processes.asked_for()), "options of XLA and JAX": str(environment().options)}
    _exchange.require_agreement(facts | {"model, loss, optimiser or batch size": program})
