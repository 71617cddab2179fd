"""The step and the quantity that are named, against runs whose first bad number is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import losses, models
from jaxd2l.data import epoch_indices, synthetic_regression
from jaxd2l.train import create_state, fit
from jaxd2l.train.divergence import NonFinite, _watched_step, first_nonfinite, is_finite
from jaxd2l.types import Batch, Model, TrainState

KEY = jax.random.key(3)
DATA = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4], np.float32), 4.2)
LINE = models.linear_regression(2)


def test_a_sane_epoch_has_nothing_to_name():
    state = create_state(KEY, LINE, optax.sgd(0.03))
    arguments = (LINE, losses.squared_loss, optax.sgd(0.03), DATA.train)
    assert first_nonfinite(*arguments, key=KEY, state=state, batch_size=300) is None


def test_bad_numbers_are_named_where_they_begin():
    """A model that gives infinity for one example: its step is the one of that example's batch."""
    marked = 123
    row = jnp.asarray(DATA.train.inputs[marked])

    def apply(params, x, *, key=None, **_):
        return LINE.apply(params, x) + jnp.where((x == row).all(-1, keepdims=True), jnp.inf, 0.0)

    batches = epoch_indices(KEY, 0, len(DATA.train.inputs), 64)
    [step] = [i for i, indices in enumerate(batches) if marked in indices]
    state = create_state(KEY, LINE, optax.sgd(0.03))
    run = (Model(LINE.init, apply), losses.squared_loss, optax.sgd(0.03), DATA.train)
    assert first_nonfinite(*run, key=KEY, state=state, batch_size=64) == NonFinite(step, "outputs", np.inf)


def test_each_quantity_is_told_from_those_that_it_spoils():
    def nan_loss(outputs, labels):
        return losses.squared_loss(outputs, labels) * jnp.nan

    def steep_loss(outputs, labels):  # a root at zero: nothing forward, infinitely steep backward
        return losses.squared_loss(outputs, labels) + jnp.sqrt(jnp.abs(outputs * 0)).sum()

    def named(loss, lr):
        tx = optax.sgd(lr)
        state = create_state(KEY, LINE, tx)
        return first_nonfinite(LINE, loss, tx, DATA.train, key=KEY, state=state, batch_size=1000)

    assert named(nan_loss, 0.03)[:2] == (0, "loss")
    assert named(steep_loss, 0.03)[:2] == (0, "gradient of bias")
    assert named(losses.squared_loss, 3e38)[:2] == (0, "parameter bias")


def test_it_goes_on_where_an_epoch_began():
    """The second epoch of a run that diverges there, from the state that `fit` had after the first."""
    steps, tx = 4, optax.sgd(lambda step: jnp.where(step == 6, 1e38, 0.03))
    state, _ = fit(LINE, losses.squared_loss, tx, DATA, key=KEY, epochs=1, batch_size=250)
    assert int(state.step) == steps
    named = first_nonfinite(LINE, losses.squared_loss, tx, DATA.train, key=KEY, state=state, batch_size=250)
    assert named is not None
    assert (named.step, named.quantity) == (6, "parameter bias")


def test_nothing_is_compiled_twice():
    model, tx = models.softmax_regression(2, 3), optax.sgd(0.1)
    train = Batch(np.ones((64, 2), np.float32), np.zeros(64, np.int32))
    run = (model, losses.cross_entropy, tx, train)
    state = create_state(KEY, model, tx)
    first_nonfinite(*run, key=KEY, state=state, batch_size=16)
    programs = _watched_step._cache_size()
    first_nonfinite(*run, key=KEY, state=state, batch_size=16)
    assert _watched_step._cache_size() == programs


@pytest.mark.bad_input
@pytest.mark.parametrize(("n", "batch_size"), [(0, 4), (8, 0), (8, -1)])
def test_sizes_below_one_are_refused(n, batch_size):
    train = Batch(np.ones((n, 2), np.float32), np.zeros((n, 1), np.float32))
    state = create_state(KEY, LINE, optax.sgd(0.1))
    with pytest.raises(ValueError, match="must be at least 1"):
        first_nonfinite(LINE, losses.squared_loss, optax.sgd(0.1), train, key=KEY, state=state, batch_size=batch_size)


def test_finite_trees_and_others():
    assert is_finite({"a": jnp.ones(3), "b": [np.array(1)]})
    assert is_finite({})
    assert not is_finite([np.array([0.0, np.nan])])
    assert not is_finite(TrainState({"w": jnp.array(-jnp.inf)}, (), jnp.array(0)))
