"""A model with running averages trains like any other, and its averages are a value of the run."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import initializers, losses, models, optim, train
from jaxd2l.data import epoch_indices, to_float
from jaxd2l.keys import noise_key
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.train import checkpoint
from jaxd2l.train.divergence import first_nonfinite
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, Dataset, StatefulModel, TrainState

RNG = np.random.default_rng(0)
SHARE = 0.1


def images(n: int) -> Batch:
    return Batch(RNG.integers(0, 256, (n, 2, 2, 1)).astype(np.uint8), RNG.integers(0, 3, n).astype(np.int32))


def centred() -> Layer:
    """Inputs minus the mean of their batch, in evaluation minus a running average of such means."""

    def apply(params: Any, state: Any, x: Any, /, *, train: bool = False, key: Any = None) -> Any:
        mean = x.mean(0) if train else state["mean"]
        return x - mean, {"mean": (1 - SHARE) * state["mean"] + SHARE * jax.lax.stop_gradient(mean)} if train else state

    return Layer(lambda key, shape: ((), {"mean": jnp.zeros(shape)}), apply, "centred")


DATA = Dataset(images(22), images(7), ("a", "b", "c"))
MODEL = layers.stateful_model(
    layers.sequential(
        layers.flatten(),
        layers.dense(5, init=initializers.torch_linear()),
        centred(),
        layers.dropout(0.5),
        layers.dense(3, init=initializers.torch_linear()),
    ),
    (2, 2, 1),
)
TX = optim.sgd(0.3, momentum=0.9)
KEY = jax.random.key(0)
RUN = (MODEL, losses.cross_entropy, TX, DATA)
close = partial(jax.tree.map, partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-6))


def test_averages_follow_every_batch_the_short_last_one_included() -> None:
    state, history = train.fit(*RUN, key=KEY, epochs=2, batch_size=8)
    step, by_hand = jax.jit(train.make_train_step(*RUN[:3])), train.create_state(KEY, MODEL, TX)
    expected = np.zeros(5)
    for epoch in range(2):
        for i in epoch_indices(KEY, epoch, 22, 8):
            batch = Batch(to_float(DATA.train.inputs[i]), jnp.array(DATA.train.labels[i]))
            hidden = models.linear(by_hand.params[1], batch.inputs.reshape(len(i), -1))
            expected = (1 - SHARE) * expected + SHARE * hidden.mean(0)
            by_hand, _ = step(by_hand, batch, key=noise_key(KEY, by_hand.step))
    close(state, by_hand)
    np.testing.assert_allclose(state.model_state[2]["mean"], expected, rtol=1e-5)
    assert history.step_loss.shape == (2, 3)


def test_batch_normalisation_learns_its_averages_in_a_run_and_is_measured_with_them() -> None:
    init = initializers.torch_linear()
    net = layers.sequential(
        layers.flatten(), layers.dense(5, init=init), layers.batch_norm(), layers.dense(3, init=init)
    )
    model = layers.stateful_model(net, (2, 2, 1))
    state, history = train.fit(model, losses.cross_entropy, optim.sgd(0.0), DATA, key=KEY, epochs=50, batch_size=11)
    hidden = models.linear(state.params[1], to_float(DATA.train.inputs).reshape(22, 4))
    # The weights stand still, so the averages settle where those of its batches of 11 are.
    np.testing.assert_allclose(state.model_state[2]["mean"], hidden.mean(0), atol=0.05)
    np.testing.assert_allclose(state.model_state[2]["var"], hidden.var(0, ddof=1), rtol=0.25)
    outputs, _ = model.apply(state.params, state.model_state, to_float(DATA.test.inputs))
    np.testing.assert_allclose(history.test_loss[-1], losses.cross_entropy(outputs, DATA.test.labels), rtol=1e-5)


def test_evaluation_takes_the_averages_whatever_the_batch() -> None:
    state, history = train.fit(*RUN, key=KEY, epochs=2, batch_size=8)
    scored = partial(train.evaluate, *RUN[:2], state.params, DATA.test, model_state=state.model_state)
    found = scored()
    assert found.loss == history.test_loss[-1]
    np.testing.assert_allclose(scored(batch_size=1).loss, found.loss, rtol=1e-5)
    outputs = train.predict(MODEL, state.params, DATA.test.inputs[:1], model_state=state.model_state)
    expected, _ = MODEL.apply(state.params, state.model_state, to_float(DATA.test.inputs[:1]))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_a_run_continued_ends_as_one_that_never_stopped_also_from_a_checkpoint(tmp_path: Path) -> None:
    whole, _ = train.fit(*RUN, key=KEY, epochs=3, batch_size=8)
    configuration = checkpoint.describe(DATA, key=KEY, batch_size=8)

    def save(state: TrainState, history: Any) -> None:
        checkpoint.save(tmp_path, state, history, configuration=configuration)

    train.fit(*RUN, key=KEY, epochs=1, batch_size=8, on_epoch=save)
    found = checkpoint.restore(tmp_path, like=train.create_state(KEY, MODEL, TX), configuration=configuration)
    assert found is not None
    continued, _ = train.fit(*RUN, key=KEY, epochs=3, batch_size=8, state=found.state)
    jax.tree.map(np.testing.assert_array_equal, continued, whole)
    stateless = train.create_state(KEY, models.mlp(4, 5, 3), TX)
    with pytest.raises(ValueError, match=r"another run.*state\.model_state"):
        checkpoint.restore(tmp_path, like=stateless, configuration=configuration)


def test_a_checkpoint_of_a_stateless_run_holds_what_it_always_held(tmp_path: Path) -> None:
    model = models.mlp(4, 5, 3)
    state, history = train.fit(model, *RUN[1:], key=KEY, epochs=1, batch_size=8)
    folder = checkpoint.save(tmp_path, state, history, configuration={})
    assert "model_state" not in (folder / "manifest.json").read_text()


@pytest.mark.long
def test_each_lane_of_a_sweep_is_the_single_run() -> None:
    result = sweep(*RUN[:2], optim.sgd, DATA, seeds=[3, 0], grid={"learning_rate": [0.1, 0.5]}, epochs=2, batch_size=8)
    assert result.model_state[2]["mean"].shape == (2, 2, 5)
    state, history = train.fit(*RUN[:2], optim.sgd(0.5), DATA, key=jax.random.key(0), epochs=2, batch_size=8)
    close(jax.tree.map(lambda leaf: leaf[1, 1], (result.params, result.model_state)), (state.params, state.model_state))
    np.testing.assert_allclose(result.history.test_loss[1, 1], history.test_loss, rtol=2e-5)


def test_an_average_that_overflows_is_named() -> None:
    def apply(params: Any, state: Any, x: Any, /, *, train: bool = False, key: Any = None) -> Any:
        return x, state * 1e30 if train else state

    layer = Layer(lambda key, shape: ((), jnp.ones(2)), apply, "exploding")
    model = layers.stateful_model(layers.sequential(layer, layers.flatten(), layers.dense(3)), (2, 2, 1))
    start = train.create_state(KEY, model, TX)
    found = first_nonfinite(model, *RUN[1:3], DATA.train, key=KEY, state=start, batch_size=8)
    assert found == (1, "running average 0", np.inf)


@pytest.mark.long
def test_a_line_search_evaluates_the_model_in_training_mode() -> None:
    state, history = train.fit(*RUN[:2], optax.lbfgs(), DATA, key=KEY, epochs=1, batch_size=8)
    assert np.isfinite(history.step_loss).all()
    assert jnp.any(state.model_state[2]["mean"] != 0)


@pytest.mark.bad_input
def test_averages_that_are_missing_or_of_another_model_are_refused() -> None:
    params, own = MODEL.init(KEY)
    with pytest.raises(ValueError, match=r"keeps 1 array.* of running averages; got none: .*state\.model_state"):
        train.predict(MODEL, params, DATA.test.inputs)
    with pytest.raises(ValueError, match="keeps 1 array"):
        train.evaluate(*RUN[:2], params, DATA.test, model_state=jax.tree.map(lambda x: x[:3], own))
    mlp = models.mlp(4, 5, 3)
    with pytest.raises(ValueError, match="a Model keeps no running averages"):
        train.predict(mlp, mlp.init(KEY), DATA.test.inputs, model_state=own)
    with pytest.raises(ValueError, match="keeps 1 array"):
        train.fit(*RUN, key=KEY, epochs=1, batch_size=8, state=TrainState(params, TX.init(params), jnp.array(0)))
    with pytest.raises(TypeError, match="got a StatefulModel"):
        train.predict(MODEL, MODEL, DATA.test.inputs)


@pytest.mark.bad_input
def test_a_state_that_changes_its_shape_and_a_batch_too_small_are_refused_before_training() -> None:
    growing = StatefulModel(
        lambda key: ({"w": jnp.ones((4, 3))}, jnp.zeros(1)),
        lambda params, state, x, *, train=False, key=None: (x.reshape(len(x), 4) @ params["w"], jnp.append(state, 0)),
    )
    with pytest.raises(ValueError, match="return a state with the structure"):
        train.fit(growing, *RUN[1:], key=KEY, epochs=1, batch_size=8)

    def picky(params: Any, state: Any, x: Any, /, *, train: bool = False, key: Any = None) -> Any:
        if train and len(x) < 2:
            raise ValueError("two or more examples")
        return x, state

    layer = Layer(lambda key, shape: ((), jnp.zeros(1)), picky, "picky")
    model = layers.stateful_model(layers.sequential(layer, layers.flatten(), layers.dense(3)), (2, 2, 1))
    with pytest.raises(ValueError, match=r"cannot train on a batch of 1: .*two or more"):
        train.fit(model, *RUN[1:], key=KEY, epochs=1, batch_size=7)
    train.fit(model, *RUN[1:], key=KEY, epochs=1, batch_size=11)
    with pytest.raises(TypeError, match=r"model\.apply must be a function model\.apply\(params, state, inputs"):
        train.fit(StatefulModel(*models.mlp(4, 5, 3)), *RUN[1:], key=KEY, epochs=1, batch_size=8)  # type: ignore[arg-type]
