"""Training on up to eight devices is training on one. Run by sharding_test.py, where eight devices are."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import initializers, losses, models, optim, train
from jaxd2l.data import epoch_indices, synthetic_regression
from jaxd2l.keys import init_key
from jaxd2l.models import layers
from jaxd2l.parity.rule import compare_accuracy, holds
from jaxd2l.train import _evaluation, _layout, _mesh, sharding
from jaxd2l.types import Batch, Dataset, Model, TrainState

RNG = np.random.default_rng(0)
N, NUM_TEST = 22, 7


def images(n: int) -> Batch:
    return Batch(RNG.integers(0, 256, (n, 2, 2, 1)).astype(np.uint8), RNG.integers(0, 3, n).astype(np.int32))


DATA = Dataset(images(N), images(NUM_TEST), ("a", "b", "c"))
MODEL = models.mlp(4, 5, 3, dropout_rate=0.5, init=initializers.torch_linear())
TX = optim.sgd(0.3, momentum=0.9)
LOSS = losses.cross_entropy
KEY = jax.random.key(3)
fit = partial(train.fit, MODEL, LOSS, TX, DATA, key=KEY)


def assert_same_bits(one, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(one), jax.device_get(other))


@pytest.fixture(scope="module", autouse=True)
def _eight() -> None:
    assert jax.device_count() == 8


@pytest.mark.parametrize(
    ("batch_size", "devices"),
    [(8, 8), (5, 2), (5, 4), (5, 8), (3, 8), (30, 4)],
    ids=lambda value: str(value),
)
def test_losses_and_parameters_are_those_of_one_device(batch_size, devices) -> None:
    state, history = fit(epochs=2, batch_size=batch_size)
    sharded, sharded_history = fit(epochs=2, batch_size=batch_size, mesh=sharding.make_mesh(devices))
    assert history.step_loss.shape == sharded_history.step_loss.shape
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-6), sharded_history, history)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-6), jax.device_get(sharded), state)


@pytest.mark.parametrize(("batch_size", "devices"), [(8, 2), (5, 4)], ids=str)
def test_batch_statistics_are_those_of_the_whole_batch(batch_size, devices) -> None:
    init = initializers.torch_linear()
    norm = layers.batch_norm()
    net = layers.sequential(layers.flatten(), layers.dense(5, init=init), norm, layers.dense(3, init=init))
    run = partial(train.fit, layers.stateful_model(net, (2, 2, 1)), LOSS, optim.sgd(0.1), DATA, key=KEY)
    state, history = run(epochs=2, batch_size=batch_size)
    sharded, sharded_history = run(epochs=2, batch_size=batch_size, mesh=sharding.make_mesh(devices))
    assert not np.allclose(state.model_state[2]["var"], 1, atol=0.1)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-6), sharded_history, history)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5), jax.device_get(sharded), state)


def double(module: Model) -> Model:
    """The same in float64, to see the meaning and not the rounding."""
    return Model(
        lambda key: jax.tree.map(lambda p: p.astype(jnp.float64), module.init(key)),
        lambda params, x, *, key=None: module.apply(params, x.astype(jnp.float64), key=key),
    )


@pytest.mark.parametrize("devices", [2, 8])
def test_in_float64_they_agree_to_a_few_roundings_and_in_float32_the_parity_rule_holds(devices) -> None:
    plain = models.mlp(4, 5, 3, init=initializers.torch_linear())
    run = partial(train.fit, loss=LOSS, tx=optax.sgd(0.3), dataset=DATA, key=KEY, epochs=3, batch_size=5)
    mesh = sharding.make_mesh(devices)
    start = plain.init(init_key(KEY))

    def from_start(model, dtype=np.float32, **options):
        params = jax.tree.map(lambda p: jnp.asarray(p, dtype), start)
        state = TrainState(params, optax.sgd(0.3).init(params), jnp.zeros((), jnp.int32))
        epochs = []
        run(model, state=state, on_epoch=lambda s, h: epochs.append(jax.device_get(s.params)), **options)
        return [leaf for params in epochs for leaf in jax.tree.leaves(params)]

    single, sharded = from_start(plain), from_start(plain, mesh=mesh)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        exact, exact_sharded = from_start(double(plain), np.float64), from_start(double(plain), np.float64, mesh=mesh)
    for one, other in zip(exact, exact_sharded, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-13, atol=1e-14)
    for leaf in zip(single, sharded, exact, strict=True):
        row = compare_accuracy("parameters", *leaf, scale=np.abs(leaf[2]).max())
        assert holds(row), row


def test_same_seed_same_devices_same_bits_at_once_or_stopped_and_resumed() -> None:
    mesh = sharding.make_mesh()
    once, again = (fit(epochs=3, batch_size=5, mesh=mesh) for _ in range(2))
    assert_same_bits(once, again)
    half, _ = fit(epochs=1, batch_size=5, mesh=mesh)
    for state in (half, jax.device_get(half)):  # as it is, and as a checkpoint would bring it back
        resumed, _ = fit(epochs=3, batch_size=5, mesh=mesh, state=state)
        assert_same_bits(resumed, once[0])


@pytest.mark.parametrize("devices", [None, 2])
def test_a_run_goes_on_with_another_number_of_devices(devices) -> None:
    half, before = fit(epochs=1, batch_size=5, mesh=sharding.make_mesh(8))
    mesh = devices and sharding.make_mesh(devices)
    whole, history = fit(epochs=2, batch_size=5)
    resumed, after = fit(epochs=2, batch_size=5, mesh=mesh, state=half)
    assert int(resumed.step) == int(whole.step) == 10
    np.testing.assert_allclose([*before.step_loss, *after.step_loss], history.step_loss, rtol=2e-5)


def test_second_epoch_and_second_run_compile_nothing_new_and_parameters_stay_everywhere() -> None:
    mesh = sharding.make_mesh()
    state, _ = fit(epochs=1, batch_size=6, mesh=mesh)
    compiled = (_mesh._epoch, _mesh._predict, _evaluation.compiled_score)
    sizes = [function._cache_size() for function in compiled]
    state, _ = fit(epochs=3, batch_size=6, mesh=mesh, state=state)
    assert [function._cache_size() for function in compiled] == sizes
    for leaf in jax.tree.leaves(state):
        assert leaf.is_fully_replicated
        assert len(leaf.sharding.device_set) == 8


def test_each_device_gets_its_rows_of_every_batch_and_nothing_else() -> None:
    batches = epoch_indices(KEY, 0, N, 10)
    placed = _layout.place(sharding.make_mesh(4), DATA.train, batches)
    assert placed.inputs.shape == (3, 12, 2, 2, 1)
    assert placed.inputs.dtype == np.uint8
    for values, arrived in zip(DATA.train, placed, strict=True):
        assert [shard.data.shape[:2] for shard in arrived.addressable_shards] == [(3, 3)] * 4
        for batch, row in zip(batches, np.asarray(arrived), strict=True):
            np.testing.assert_array_equal(row[: len(batch)], values[batch])


@pytest.mark.parametrize("size", [1, 9, 13, 16])
def test_what_stands_beyond_the_rows_reaches_no_sum(size) -> None:
    mesh = sharding.make_mesh()
    x = RNG.random((16, 5), np.float32)
    poisoned = np.where(np.arange(16)[:, None] < size, x, np.nan)
    w = RNG.random((5, 3), np.float32)

    def loss(w, x):
        return jnp.mean(jnp.tanh(_layout.first_rows(mesh, x, size) @ w))

    spread = jax.device_put(poisoned, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    value, gradient = jax.jit(jax.value_and_grad(loss))(_layout.replicate(mesh, w), spread)
    slope = (1 - np.tanh(x[:size] @ w) ** 2) / (3 * size)
    np.testing.assert_allclose(value, np.tanh(x[:size] @ w).mean(), rtol=1e-6)
    np.testing.assert_allclose(gradient, x[:size].T @ slope, rtol=2e-6)


def test_a_model_that_mixes_the_rows_of_a_batch_sees_the_true_batch() -> None:
    def standardised(params, x, *, key=None):
        x = x.reshape(len(x), -1)
        return (x - x.mean(0)) / (x.std(0) + 1) @ params

    model = Model(lambda key: jax.random.normal(key, (4, 3)), standardised)
    (_, one), (_, many) = (
        train.fit(model, LOSS, optax.sgd(0.1), DATA, key=KEY, epochs=2, batch_size=5, mesh=mesh)
        for mesh in (None, sharding.make_mesh())
    )
    np.testing.assert_allclose(many.step_loss, one.step_loss, rtol=2e-5)
    np.testing.assert_allclose(many.test_loss, one.test_loss, rtol=2e-5)


def test_regression_trains_on_a_mesh_of_two_axes() -> None:
    data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2, n=40)
    mesh = jax.make_mesh((2, 4), ("hosts", "chips"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    (_, one), (_, many) = (
        train.fit(models.linear_regression(2), losses.squared_loss, optax.sgd(0.1), data,
                  key=KEY, epochs=2, batch_size=12, mesh=chosen)
        for chosen in (None, mesh)
    )  # fmt: skip
    np.testing.assert_allclose(many.step_loss, one.step_loss, rtol=2e-5)
    assert np.isnan(many.test_accuracy).all()
