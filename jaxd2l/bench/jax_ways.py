"""An epoch in JAX: step by step in a Python loop, or compiled whole."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Loop, loss, model
from jaxd2l.data import epoch_indices, to_float
from jaxd2l.models import Precision
from jaxd2l.train import create_state, make_train_step, train_epoch
from jaxd2l.types import Batch, TrainState


def _start(case: Case, tx: optax.GradientTransformation) -> TrainState:
    return create_state(jax.random.key(WEIGHTS_SEED), model(case), tx)


def by_steps(case: Case, *, compiled: bool) -> Loop:
    """A Python loop over the batches; each step gathers its examples from the device's copy, as an epoch does."""
    tx = optax.sgd(case.lr)
    train_step = make_train_step(model(case), loss(case), tx)
    train = jax.device_put(Batch(*case.dataset.train))

    def take(state: TrainState, indices: jax.Array) -> Any:
        inputs, labels = (jnp.asarray(x)[indices] for x in train)
        return train_step(state, Batch(to_float(inputs), labels))

    step: Callable[[TrainState, jax.Array], Any] = jax.jit(take, donate_argnums=0) if compiled else take
    n = len(train.labels)
    generator = np.random.default_rng(0)

    def run(state: TrainState, batches: list[np.ndarray]) -> tuple[TrainState, list[jax.Array]]:
        step_losses = []
        for indices in batches:
            state, step_loss = step(state, jnp.asarray(indices))
            step_losses.append(step_loss)
        return jax.block_until_ready((state, step_losses))

    state = jax.tree.map(jnp.copy, _start(case, tx))

    def epoch() -> None:
        nonlocal state
        order = generator.permutation(n).astype(np.int32)
        state, _ = run(state, np.split(order, range(case.batch_size, n, case.batch_size)))

    def first_losses() -> np.ndarray:
        start = jax.tree.map(jnp.copy, _start(case, tx))
        return np.array(run(start, epoch_indices(jax.random.key(ORDER_SEED), 0, n, case.batch_size))[1])

    return Loop(first_losses, epoch)


def by_epochs(case: Case, *, precision: Precision) -> Loop:
    """`train.train_epoch`, compiled as `train.fit` compiles it."""
    tx = optax.sgd(case.lr)
    run = jax.jit(
        partial(train_epoch, model=model(case, precision), loss=loss(case), tx=tx, batch_size=case.batch_size),
        donate_argnames="state",
    )
    train = jax.device_put(Batch(*case.dataset.train))
    state, key = _start(case, tx), jax.random.key(ORDER_SEED)

    def epoch() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(run(key, state, train))

    return Loop(lambda: np.asarray(run(key, _start(case, tx), train)[1]), epoch)
