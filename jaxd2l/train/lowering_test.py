"""Every compiled program of ours lowers for devices that are not at hand: CUDA, ROCm and TPU."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import losses, models, optim, train
from jaxd2l.book import house_prices
from jaxd2l.book.distribution_shift import covariate
from jaxd2l.train import _epoch, _evaluation, _layout, _mesh, _stream, _truth, divergence, sharding, sweep
from jaxd2l.types import Batch, Loss, Model, StatefulModel

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
N, BATCH_SIZE, TX = 10, 4, optim.sgd(0.1, momentum=0.9)


class Task(NamedTuple):
    """What a program is about."""

    model: Model | StatefulModel
    inputs: tuple[int, ...]
    loss: Loss = losses.cross_entropy


def mlp(**options: Any) -> Task:
    return Task(models.mlp(6, 4, 3, **options), (6,))


def image(make: Callable[..., Model | StatefulModel], size: int, **options: Any) -> Task:
    return Task(make((size, size, 1), **options), (size, size, 1))


QUICK = "mlp with dropout"
TASKS: dict[str, Callable[[], Task]] = {
    "linear_regression": lambda: Task(models.linear_regression(6), (6,), losses.squared_loss),
    "softmax_regression": lambda: Task(models.softmax_regression(6, 3), (6,)),
    "mlp": mlp,
    QUICK: lambda: mlp(dropout_rate=0.5),
    "mlp in bfloat16": lambda: mlp(precision="bfloat16"),
    "flax_mlp": lambda: Task(models.flax_mlp(6, 4, 3), (6,)),
    "lenet": lambda: image(models.lenet, 28),
    "flax_lenet": lambda: image(models.flax_lenet, 28),
    "alexnet": lambda: image(models.alexnet, 96),
    "vgg": lambda: image(models.vgg, 32),
    "nin": lambda: image(models.nin, 96),
    "googlenet": lambda: image(models.googlenet, 32),
    "batch_norm_lenet": lambda: image(models.batch_norm_lenet, 28),
    "resnet18": lambda: image(models.resnet18, 32),
    "densenet": lambda: image(models.densenet, 32),
    "regnet_x32": lambda: image(models.regnet_x32, 32),
}


def make_tx(learning_rate: Any) -> Any:
    return optim.sgd(learning_rate, momentum=0.9)


def training_set(task: Task, dtype: Any = np.uint8) -> Batch:
    of_regression = task.loss is losses.squared_loss
    labels = np.zeros((N, 1), np.float32) if of_regression else np.zeros(N, np.int32)
    return Batch(np.ones((N, *task.inputs), dtype), labels)


def state_of(task: Task) -> Any:
    """The shapes alone: nothing is drawn."""
    return jax.eval_shape(lambda: train.create_state(jax.random.key(0), task.model, TX))


def epoch(task: Task) -> Any:
    given = jax.random.key(1), state_of(task), training_set(task)
    return _epoch.compiled_epoch.trace(*given, model=task.model, loss=task.loss, tx=TX, batch_size=BATCH_SIZE)


def steps_of_a_stream(task: Task) -> Any:
    group = Batch(*(jnp.asarray(x)[None] for x in training_set(task)))
    given = jax.random.key(1), state_of(task), group
    return _stream.compiled_steps.trace(*given, model=task.model, loss=task.loss, tx=TX)


def outputs(task: Task) -> Any:
    state, batch = state_of(task), training_set(task)
    given = task.model, state.params, state.model_state, batch.inputs
    return _evaluation.compiled_outputs.trace(*given, batch_size=BATCH_SIZE)


def scores(task: Task) -> Any:
    labels = training_set(task).labels
    logits, truth = jnp.ones((N, 3)), _truth.Truth(labels, labels >= 0)
    return _evaluation.compiled_score.trace(logits, labels, truth, loss=task.loss)


def epoch_on_a_mesh(task: Task) -> Any:
    mesh = sharding.make_mesh()
    batches = _layout.place(mesh, training_set(task), np.split(np.arange(N), [4, 8]))
    static = {"model": task.model, "loss": task.loss, "tx": TX, "n": N, "batch_size": BATCH_SIZE, "mesh": mesh}
    state = train.create_state(jax.random.key(0), task.model, TX)
    return _mesh._epoch.trace(jax.random.key(1), _layout.replicate(mesh, state), batches, **static)


def outputs_on_a_mesh(task: Task) -> Any:
    mesh = sharding.make_mesh()
    batches = _layout.place(mesh, training_set(task), np.split(np.arange(N), [4, 8]))
    state = _layout.replicate(mesh, train.create_state(jax.random.key(0), task.model, TX))
    return _mesh._predict.trace(task.model, state, batches.inputs, n=N, batch_size=BATCH_SIZE, mesh=mesh)


def step_that_is_watched(task: Task) -> Any:
    given = state_of(task), training_set(task, np.float32), jax.random.key(1)
    return divergence._watched_step.trace(*given, model=task.model, loss=task.loss, tx=TX)


def states_of_a_sweep(task: Task) -> Any:
    keys, points = jax.random.split(jax.random.key(0), 2), {"learning_rate": jnp.ones(3)}
    return sweep._create_states.trace(keys, points, model=task.model, make_tx=make_tx)


def epoch_of_a_sweep(task: Task) -> Any:
    given = states_of_a_sweep(task).out_info, training_set(task), jax.random.split(jax.random.key(0), 2)
    static = {"model": task.model, "loss": task.loss, "make_tx": make_tx, "batch_size": BATCH_SIZE}
    return sweep._epoch.trace(*given, {"learning_rate": jnp.ones(3)}, **static)


def scores_of_a_sweep(task: Task) -> Any:
    states, test = states_of_a_sweep(task).out_info, training_set(task)
    given = states.params, states.model_state, test, _truth.Truth(test.labels, None)
    return sweep._scores.trace(*given, model=task.model, loss=task.loss)


def labels_that_are_ignored(task: Task) -> Any:
    return _truth._asks_for_a_change.trace(jnp.ones((4, 3)), jnp.zeros(4, jnp.int32), loss=task.loss)


def folds_of_house_prices(_: Task) -> Any:
    model, examples = models.linear_regression(6), Batch(jnp.ones((2, N, 6)), jnp.ones((2, N, 1)))
    run = jax.jit(jax.vmap(house_prices._trainer(model, TX, epochs=2, batch_size=BATCH_SIZE)))
    return run.trace(jax.random.split(jax.random.key(0), 2), examples, examples, jnp.ones((2, N)))


def classifier_of_domains(_: Task) -> Any:
    return covariate._logistic_newton.trace(jnp.ones((N, 3)), jnp.ones(N), jnp.ones(()))


def assert_lowers(traced: Any, loop: bool) -> None:
    """In one module for all platforms: an operation that has no rule for one of them is an error."""
    program = traced.lower(lowering_platforms=PLATFORMS).as_text()
    assert ("stablehlo.while" in program) >= loop  # an epoch is one loop on the device


@pytest.mark.parametrize("name", [n if n == QUICK else pytest.param(n, marks=pytest.mark.long) for n in TASKS])
def test_an_epoch_and_an_evaluation_lower_for_every_platform(name: str) -> None:
    task = TASKS[name]()
    assert_lowers(epoch(task), loop=True)
    assert_lowers(outputs(task), loop=True)


LOOPS = (epoch_of_a_sweep, epoch_on_a_mesh, outputs_on_a_mesh, folds_of_house_prices, classifier_of_domains)
STEPS = (steps_of_a_stream, scores, scores_of_a_sweep, step_that_is_watched, states_of_a_sweep, labels_that_are_ignored)


@pytest.mark.parametrize("program", [*LOOPS, *STEPS], ids=lambda program: program.__name__)
def test_every_other_program_lowers_for_every_platform(program: Callable[[Task], Any]) -> None:
    assert_lowers(program(TASKS[QUICK]()), loop=program in LOOPS)


def test_no_compiled_program_of_training_is_left_out() -> None:
    compiled, here = type(_epoch.compiled_epoch), Path(__file__).read_text(encoding="utf-8")
    modules = [m for name, m in sorted(sys.modules.items()) if name.startswith("jaxd2l.train.")]
    names = {n for m in modules for n, f in vars(m).items() if isinstance(f, compiled) and f.__module__ == m.__name__}
    assert {"compiled_epoch", "compiled_outputs", "_scores"} <= names
    assert [name for name in sorted(names) if f".{name}.trace(" not in here] == []


def test_what_a_platform_lacks_is_noticed() -> None:
    def of_a_cpu(x: jax.Array) -> jax.Array:
        return jax.lax.linalg.eig(x)[0]

    with pytest.raises(NotImplementedError, match="tpu"):
        assert_lowers(jax.jit(of_a_cpu).trace(jnp.eye(3)), loop=False)
