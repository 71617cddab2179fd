"""Training: a run is its steps, one after the other, and nothing else."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import initializers, losses, models, optim, train
from jaxd2l.data import epoch_indices, synthetic_regression, to_float
from jaxd2l.keys import noise_key
from jaxd2l.train import _evaluation
from jaxd2l.train._epoch import compiled_epoch
from jaxd2l.types import Batch, Dataset, Model, TrainState

RNG = np.random.default_rng(0)
INIT = initializers.torch_linear()


def images(n: int) -> Batch:
    return Batch(RNG.integers(0, 256, (n, 2, 2, 1)).astype(np.uint8), RNG.integers(0, 3, n).astype(np.int32))


DATA = Dataset(images(22), images(7), ("a", "b", "c"))
MODEL = models.mlp(4, 5, 3, dropout_rate=0.5, init=INIT)
LOSS = losses.cross_entropy
TX = optim.sgd(0.3, momentum=0.9)
fit = partial(train.fit, MODEL, LOSS, TX, DATA)
# Compiled once for all tests, as fit compiles its epoch once for all runs.
STEP = jax.jit(train.make_train_step(MODEL, LOSS, TX))


def key(seed: int = 0) -> jax.Array:
    return jax.random.key(seed)


def assert_same_bits(one, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("batch_size", [11, 8, 30], ids=["whole", "short last batch", "larger than the set"])
def test_fit_is_the_train_step_over_the_batches_of_epoch_indices(batch_size) -> None:
    state, step_loss = train.create_state(key(), MODEL, TX), []
    for epoch in range(2):
        for i in epoch_indices(key(), epoch, 22, batch_size):
            batch = Batch(to_float(DATA.train.inputs[i]), jnp.array(DATA.train.labels[i]))
            state, loss = STEP(state, batch, key=noise_key(key(), state.step))
            step_loss.append(loss)
    fitted, history = fit(key=key(), epochs=2, batch_size=batch_size)
    assert int(fitted.step) == int(state.step) == len(step_loss)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-6), fitted, state)
    np.testing.assert_allclose(history.step_loss.ravel(), step_loss, rtol=2e-5)


def test_history_has_a_row_per_epoch_and_counts_each_example_once() -> None:
    state, history = fit(key=key(), epochs=3, batch_size=8)
    assert [row.shape for row in history] == [(3, 3), (3,), (3,), (3,)]
    assert all(isinstance(row, np.ndarray) and row.dtype == np.float32 for row in history)
    np.testing.assert_allclose(history.train_loss, history.step_loss @ np.array([8, 8, 6]) / 22, rtol=1e-6)
    test_loss, test_accuracy = train.evaluate(MODEL, LOSS, state.params, DATA.test)
    assert (history.test_loss[-1], history.test_accuracy[-1]) == (test_loss, test_accuracy)


def test_same_seed_same_bits_other_seed_other_bits() -> None:
    first, again, other = (fit(key=key(seed), epochs=2, batch_size=8) for seed in (0, 0, 1))
    assert_same_bits(first, again)
    assert (first[0].params[0]["kernel"] != other[0].params[0]["kernel"]).all()
    assert (first[1].step_loss != other[1].step_loss).all()


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_run_stopped_and_resumed_ends_as_one_never_stopped(stop) -> None:
    whole, history = fit(key=key(), epochs=3, batch_size=8)
    half, before = fit(key=key(), epochs=stop, batch_size=8)
    resumed, after = fit(key=key(), epochs=3, batch_size=8, state=half)
    assert_same_bits(resumed, whole)
    for rows in zip(history, before, after, strict=True):
        np.testing.assert_array_equal(rows[0], np.concatenate(rows[1:]))


def test_the_callers_state_stays_usable() -> None:
    start = train.create_state(key(), MODEL, TX)
    once = fit(key=key(), epochs=1, batch_size=8, state=start)
    # Not looked at before: a NumPy view of an array would keep its memory from being taken.
    assert_same_bits(start, train.create_state(key(), MODEL, TX))
    assert_same_bits(fit(key=key(), epochs=1, batch_size=8, state=start), once)
    assert_same_bits(fit(key=key(), epochs=1, batch_size=8), once)  # it is where fit starts by itself


def test_each_epoch_is_reported_with_the_history_so_far() -> None:
    seen = []
    state, history = fit(key=key(), epochs=3, batch_size=8, on_epoch=lambda s, h: seen.append((jax.device_get(s), h)))
    assert [(int(s.step), len(h.test_loss)) for s, h in seen] == [(3, 1), (6, 2), (9, 3)]
    assert_same_bits(seen[-1], (jax.device_get(state), history))
    assert_same_bits(seen[0], jax.device_get(fit(key=key(), epochs=1, batch_size=8)))


def test_second_epoch_second_run_and_resumption_compile_nothing_new() -> None:
    fit(key=key(), epochs=1, batch_size=9)
    compiled = (compiled_epoch, _evaluation.compiled_outputs, _evaluation.compiled_score)
    sizes = [function._cache_size() for function in compiled]
    state, _ = fit(key=key(1), epochs=2, batch_size=9)
    fit(key=key(1), epochs=4, batch_size=9, state=state)
    fit(key=key(1), epochs=4, batch_size=9, state=jax.device_get(state))
    assert [function._cache_size() for function in compiled] == sizes


def test_second_step_compiles_nothing_new() -> None:
    step = jax.jit(train.make_train_step(MODEL, LOSS, TX), donate_argnames="state")
    state = train.create_state(key(), MODEL, TX)
    with jax.checking_leaks():
        for i in epoch_indices(key(), 0, 22, 11):
            batch = Batch(to_float(DATA.train.inputs[i]), jnp.array(DATA.train.labels[i]))
            state, _ = step(state, batch, key=noise_key(key(), int(state.step)))
    assert step._cache_size() == 1


def test_many_seeds_train_at_once_under_vmap() -> None:
    batch = Batch(to_float(DATA.train.inputs), jnp.array(DATA.train.labels))

    def run(seed):
        return STEP(train.create_state(jax.random.key(seed), MODEL, TX), batch)

    states, together = jax.jit(jax.vmap(run))(jnp.arange(3))
    _, alone = run(2)
    assert states.step.shape == (3,)
    np.testing.assert_allclose(together[2], alone, rtol=1e-6)


def test_dropout_is_the_seeds_and_absent_from_evaluation() -> None:
    plain = models.mlp(4, 5, 3, init=INIT)
    params = MODEL.init(key())
    np.testing.assert_array_equal(
        train.predict(MODEL, params, DATA.test.inputs), plain.apply(params, to_float(DATA.test.inputs))
    )
    state = TrainState(params, TX.init(params), jnp.array(0))
    batch = Batch(to_float(DATA.train.inputs), jnp.array(DATA.train.labels))
    unmasked, masked, again, otherwise = (STEP(state, batch, key=k)[1] for k in (None, key(1), key(1), key(2)))
    assert masked == again
    assert len({float(unmasked), float(masked), float(otherwise)}) == 3


def test_first_step_is_the_gradient_of_the_mean_loss() -> None:
    model, tx = models.softmax_regression(4, 3, init=INIT), optax.sgd(0.5)
    state = train.create_state(key(), model, tx)
    x, y = to_float(DATA.train.inputs), DATA.train.labels
    after, loss = train.make_train_step(model, LOSS, tx)(state, Batch(x, y))
    logits = np.asarray(model.apply(state.params, x), np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = np.asarray(x).reshape(22, 4).T @ (p - np.eye(3)[y]) / 22
    np.testing.assert_allclose(loss, -np.log(p[np.arange(22), y]).mean(), rtol=1e-6)
    np.testing.assert_allclose(after.params["kernel"], state.params["kernel"] - 0.5 * gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_evaluation_in_pieces_is_one_big_apply(batch_size) -> None:
    params = MODEL.init(key())
    outputs = MODEL.apply(params, to_float(DATA.test.inputs))
    pieces = train.predict(MODEL, params, DATA.test.inputs, batch_size=batch_size)
    np.testing.assert_allclose(pieces, outputs, rtol=1e-6, atol=1e-7)
    loss, fraction = train.evaluate(MODEL, LOSS, params, DATA.test, batch_size=batch_size)
    np.testing.assert_allclose(loss, LOSS(outputs, DATA.test.labels), rtol=1e-6)
    np.testing.assert_allclose(fraction, (outputs.argmax(1) == DATA.test.labels).mean(), rtol=1e-6)


def test_a_weighted_loss_is_evaluated_over_the_set_and_not_averaged_over_its_pieces() -> None:
    params, weight = MODEL.init(key()), np.array([0.1, 5.0, 1.0], np.float32)
    weighted = partial(LOSS, weight=weight)
    loss, _ = train.evaluate(MODEL, weighted, params, DATA.test, batch_size=2)
    whole = weighted(MODEL.apply(params, to_float(DATA.test.inputs)), DATA.test.labels)
    np.testing.assert_allclose(loss, whole, rtol=1e-6)


@pytest.mark.parametrize("n", [4, 5, 8])
def test_outputs_of_any_shape_keep_it(n) -> None:
    inputs = np.ones((n, 2, 3), np.float32)
    for apply in (lambda p, x, *, key=None: x + p, lambda p, x, *, key=None: x[:, 0, 0] + p):
        model = Model(lambda key: jnp.zeros(()), apply)
        expected = apply(jnp.zeros(()), jnp.array(inputs))
        np.testing.assert_array_equal(train.predict(model, jnp.zeros(()), inputs, batch_size=4), expected)


def test_regression_has_no_accuracy() -> None:
    data = synthetic_regression(key(), np.array([2.0, -3.4]), 4.2, n=40)
    model = models.linear_regression(2)
    _, history = train.fit(model, losses.squared_loss, optax.sgd(0.1), data, key=key(), epochs=2, batch_size=16)
    assert np.isnan(history.test_accuracy).all()
    assert history.test_loss[1] < history.test_loss[0]


def test_whole_numbers_as_targets_have_no_accuracy_either() -> None:
    whole = Batch(np.ones((4, 2), np.float32), np.ones((4, 1), np.int32))
    model = models.linear_regression(2)
    _, fraction = train.evaluate(
        model, lambda outputs, y: losses.squared_loss(outputs, y.astype(outputs.dtype)), model.init(key()), whole
    )
    assert np.isnan(fraction)


def test_linear_regression_misses_the_line_by_what_96_steps_leave_over() -> None:
    w, b = np.array([2.0, -3.4]), 4.2
    model, tx, missed = models.linear_regression(2), optax.sgd(0.03), []
    for seed in range(64):
        data = synthetic_regression(key(1000 + seed), w, b, num_test=1)
        state, _ = train.fit(model, losses.squared_loss, tx, data, key=key(seed), epochs=3, batch_size=32)
        missed.append([*(w - np.ravel(state.params["kernel"])), b - state.params["bias"][0]])
    # Each step leaves 0.97 of the error, on average: 0.97^96 of the way from 0 to the line, 0.0537.
    np.testing.assert_allclose(np.mean(missed, 0), [0.109, -0.189, 0.230], atol=0.015)
    np.testing.assert_allclose(np.mean(missed, 0), np.array([*w, b]) * 0.97**96, atol=0.02)
    np.testing.assert_allclose(np.std(missed, 0), [0.031, 0.036, 0.022], rtol=0.35)


def test_an_optimiser_that_begins_with_the_parameters_themselves_can_be_used() -> None:
    tx = optax.GradientTransformation(
        lambda params: params, lambda grads, state, params=None: (jax.tree.map(lambda g: -0.1 * g, grads), state)
    )
    state, _ = train.fit(MODEL, LOSS, tx, DATA, key=key(), epochs=2, batch_size=11)
    assert_same_bits(state.opt_state, train.create_state(key(), MODEL, tx).params)


def replaced(part: str, **fields) -> Dataset:
    return DATA._replace(**{part: getattr(DATA, part)._replace(**fields)})


NAN = np.ones((22, 4), np.float32)
NAN[3, 1] = np.nan
INF = np.ones((7, 4), np.float32)
INF[0, 2] = np.inf
HUGE = np.ones((22, 4))
HUGE[1, 0] = 1e39  # finite only until it is a float32


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (replaced("train", labels=DATA.train.labels[:-1]), "training set must have as many labels.*got 21 and 22"),
        (replaced("test", inputs=DATA.test.inputs[:3]), "test set must have as many labels.*got 7 and 3"),
        (replaced("train", inputs=DATA.train.inputs[:0], labels=DATA.train.labels[:0]), "and some; got 0 and 0"),
        (replaced("train", inputs=NAN), r"training inputs hold nan at index \(3, 1\)"),
        (replaced("test", inputs=INF), r"test inputs hold inf at index \(0, 2\)"),
        (replaced("train", inputs=HUGE), r"training inputs hold 1e\+39 at index \(1, 0\)"),
        (replaced("train", labels=np.where(np.arange(22) == 5, 3, 0)), r"training set .*labels\[5\] is 3"),
        (replaced("test", labels=-np.ones(7, int)), r"test set .*labels\[0\] is -1"),
        (
            replaced("train", labels=DATA.train.labels[:, None]),
            r"training set .*logits and labels must have shapes .*got \(22, 3\) and \(22, 1\)",
        ),
        (replaced("train", inputs=np.ones((22, 5), np.float32)), r"takes 4 features .*got \(22, 5\)"),
    ],
)
def test_damaged_data_are_refused_before_any_step(dataset, message) -> None:
    with pytest.raises(ValueError, match=message):
        train.fit(MODEL, LOSS, TX, dataset, key=key(), epochs=1, batch_size=8)


@pytest.mark.bad_input
def test_targets_that_hold_nan_or_lack_their_axis_are_refused() -> None:
    data = synthetic_regression(key(), np.array([1.0]), 0.0, n=4)
    arguments = {"key": key(1), "epochs": 1, "batch_size": 2}
    flat = data._replace(test=data.test._replace(labels=data.test.labels[:, 0]))
    with pytest.raises(
        ValueError, match=r"test set .*predictions and targets must have the same shape .*got \(4, 1\) and \(4,\)"
    ):
        train.fit(models.linear_regression(1), losses.squared_loss, TX, flat, **arguments)
    data.train.labels[2] = np.nan
    with pytest.raises(ValueError, match=r"training labels hold nan at index \(2, 0\)"):
        train.fit(models.linear_regression(1), losses.squared_loss, TX, data, **arguments)


@pytest.mark.bad_input
def test_inputs_that_are_neither_pixels_nor_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="uint8 pixels or floating-point features, got int32"):
        train.fit(MODEL, LOSS, TX, replaced("train", inputs=np.ones((22, 4), int)), key=key(), epochs=1, batch_size=8)


def test_sizes_and_states_that_make_no_run_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs cannot be negative and batch_size must be at least 1; got -1 and 8"):
        fit(key=key(), epochs=-1, batch_size=8)
    with pytest.raises(ValueError, match="got 1 and 0"):
        fit(key=key(), epochs=1, batch_size=0)
    state = train.create_state(key(), MODEL, TX)._replace(step=jnp.array(4))
    with pytest.raises(ValueError, match=r"state has taken 4 steps, .* epochs of 3 steps"):
        fit(key=key(), epochs=2, batch_size=8, state=state)
    with pytest.raises(ValueError, match="at least one example"):
        train.predict(MODEL, state.params, DATA.test.inputs[:0])
    with pytest.raises(ValueError, match="batches of at least one"):
        train.predict(MODEL, state.params, DATA.test.inputs, batch_size=0)


def test_evaluation_refuses_what_training_refuses() -> None:
    wrong = DATA.test._replace(labels=np.array([0, 1, 2, 3, 0, 1, 2]))
    with pytest.raises(ValueError, match=r"given set .*labels\[3\] is 3"):
        train.evaluate(MODEL, LOSS, MODEL.init(key()), wrong)


@pytest.mark.bad_input
def test_what_is_no_set_of_numbers_is_refused() -> None:
    model = models.softmax_regression(2, 3)
    params = model.init(jax.random.key(0))
    with pytest.raises(TypeError, match="must be a Batch of inputs and labels, got NoneType"):
        train.evaluate(model, losses.cross_entropy, params, None)
    with pytest.raises(TypeError, match="the given inputs must be real numbers"):
        train.evaluate(model, losses.cross_entropy, params, Batch(np.ones((1, 2)) * 1j, np.zeros(1, np.int32)))
    with pytest.raises(TypeError, match="batch_size must be a whole number"):
        train.predict(model, params, jnp.ones((2, 2)), batch_size=2.5)
    with pytest.raises(ValueError, match="got a scalar"):
        train.predict(model, params, jnp.ones(()))
