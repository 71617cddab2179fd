"""A sweep is its runs, trained side by side and not one by one."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxd2l import initializers, losses, models, optim, train
from jaxd2l.train.sweep import Sweep, best, outcome, sweep
from jaxd2l.types import Batch, Dataset, History

RNG = np.random.default_rng(0)


def images(n: int) -> Batch:
    return Batch(RNG.integers(0, 256, (n, 2, 2, 1)).astype(np.uint8), RNG.integers(0, 3, n).astype(np.int32))


DATA = Dataset(images(22), images(7), ("a", "b", "c"))
MODEL = models.mlp(4, 5, 3, dropout_rate=0.5, init=initializers.torch_linear())
SEEDS, RATES, DECAYS = [3, 0], [0.1, 0.5, 0.02], [0.0, 0.1]
GRID = {"learning_rate": RATES, "weight_decay": DECAYS}
run = partial(sweep, MODEL, losses.cross_entropy, optim.sgd, DATA, epochs=2, batch_size=8)


@pytest.mark.long
def test_each_lane_is_the_single_run() -> None:
    result = run(seeds=SEEDS, grid=GRID)
    assert result.history.step_loss.shape == (2, 3, 2, 2, 3)
    assert all(np.asarray(row).dtype == np.float32 for row in result.history)
    # One optimiser for both seeds, so that each point is compiled once.
    optimisers = {(i, j): optim.sgd(RATES[i], weight_decay=DECAYS[j]) for i, j in np.ndindex(3, 2)}
    for where in np.ndindex(2, 3, 2):
        seed, *point = where
        state, history = train.fit(
            MODEL, losses.cross_entropy, optimisers[tuple(point)], DATA,
            key=jax.random.key(SEEDS[seed]), epochs=2, batch_size=8,
        )  # fmt: skip
        lane = jax.tree.map(lambda leaf, where=where: leaf[where], (result.params, result.history))
        jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-6), lane, (state.params, history))


def test_lanes_differ_by_seed_and_by_hyperparameter() -> None:
    losses_of_first_step = run(seeds=SEEDS, grid=GRID).history.step_loss[..., 0, 0]
    assert len(np.unique(losses_of_first_step)) == 2  # the seeds start apart, and no step has been taken
    last = run(seeds=SEEDS, grid=GRID).history.step_loss[..., -1, -1]
    assert len(np.unique(last)) == last.size


def test_the_second_sweep_compiles_nothing() -> None:
    jitted = [getattr(sys.modules["jaxd2l.train.sweep"], name) for name in ("_create_states", "_epoch", "_scores")]
    run(seeds=SEEDS, grid=GRID)
    before = [function._cache_size() for function in jitted]
    run(seeds=[5, 6], grid={"learning_rate": [1.0, 0.3, 0.2], "weight_decay": [0.5, 0.7]})
    assert [function._cache_size() for function in jitted] == before


@pytest.mark.long
def test_a_diverged_run_never_wins_and_is_shown_as_such() -> None:
    result = run(seeds=[0], grid={"learning_rate": [0.1, 1e38]})
    assert np.isnan(outcome(result)[0]).tolist() == [False, True]
    assert best(result).point == {"learning_rate": 0.1}
    with pytest.raises(ValueError, match="smaller learning rates"):
        best(run(seeds=[0], grid={"learning_rate": [1e38]}))


def made_up(accuracy, loss) -> Sweep:
    accuracy, loss = (np.asarray(v, np.float32)[..., None] for v in (accuracy, loss))
    seeds, points = accuracy.shape[:2]
    return Sweep(np.arange(seeds), {"a": np.arange(points) / 4}, (), History(loss[..., None], loss, loss, accuracy))


def test_best_is_the_best_mean_with_its_spread() -> None:
    result = made_up([[0.7, 0.9, 0.8], [0.9, 0.9, 0.0]], [[3, 2, 1], [3, 2, 1]])
    point, mean, spread = best(result)
    assert (point, mean, spread) == ({"a": 0.25}, pytest.approx(0.9), pytest.approx(0, abs=1e-6))
    assert best(result, by="test_loss").point == {"a": 0.5}
    point, mean, spread = best(made_up([[0.5], [0.7]], [[1], [1]]))
    assert (mean, spread) == (pytest.approx(0.6), pytest.approx(np.std([0.5, 0.7], ddof=1)))
    assert np.isnan(best(made_up([[0.5]], [[1]])).spread)


@pytest.mark.bad_input
@pytest.mark.parametrize("judge", [partial(best, by="f1"), partial(outcome, of="f1")])
def test_another_measure_is_refused(judge) -> None:
    with pytest.raises(ValueError, match="must be 'test_accuracy', 'test_loss' or 'train_loss', got 'f1'"):
        judge(made_up([[0.5]], [[1]]))


def test_progress_is_told_after_each_epoch() -> None:
    seen: list[int] = []
    run(seeds=[0], grid={"learning_rate": [0.1]}, on_epoch=lambda history: seen.append(history.test_loss.shape[-1]))
    assert seen == [1, 2]


def test_a_regression_is_judged_by_its_loss() -> None:
    x = RNG.normal(size=(20, 2)).astype(np.float32)
    data = Dataset(Batch(x, x[:, :1]), Batch(x, x[:, :1]))
    result = sweep(
        models.linear_regression(2), losses.squared_loss, optax.sgd, data,
        seeds=[0], grid={"learning_rate": [0.001, 0.3]}, epochs=3, batch_size=10,
    )  # fmt: skip
    assert best(result, by="test_loss").point["learning_rate"] == pytest.approx(0.3)
    with pytest.raises(ValueError, match="test_accuracy"):
        best(result)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "at least one seed"),
        ({"seeds": [1, 1]}, "none twice"),
        ({"grid": {}}, "empty"),
        ({"grid": {"learning_rate": []}}, "learning_rate needs"),
        ({"grid": {"learning_rate": [0.1, float("nan")]}}, "finite"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"grid": {"momentun": [0.1]}}, "momentun"),
    ],
)
def test_bad_input_is_told(change, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        run(**({"seeds": [0], "grid": {"learning_rate": [0.1]}} | change))


def test_bad_data_is_refused_as_fit_refuses_it() -> None:
    bad = DATA._replace(train=Batch(DATA.train.inputs, np.full(22, 7, np.int32)))
    with pytest.raises(ValueError, match="training set"):
        sweep(
            MODEL, losses.cross_entropy, optax.sgd, bad,
            seeds=[0], grid={"learning_rate": [0.1]}, epochs=1, batch_size=8,
        )  # fmt: skip


@pytest.mark.long
def test_in_float64_lanes_and_single_runs_agree_to_rounding() -> None:
    with jax.enable_x64(True):
        x, y = jnp.asarray(RNG.normal(size=(22, 4))), jnp.asarray(DATA.train.labels)
        data = Dataset(Batch(np.asarray(x), np.asarray(y)), Batch(np.asarray(x), np.asarray(y)), ("a", "b", "c"))
        model = models.mlp(4, 5, 3, init=initializers.torch_linear())
        one, _ = train.fit(
            model, losses.cross_entropy, optax.sgd(0.5), data, key=jax.random.key(1), epochs=3, batch_size=8
        )
        many = sweep(
            model, losses.cross_entropy, optax.sgd, data,
            seeds=[1, 2], grid={"learning_rate": [0.25, 0.5]}, epochs=3, batch_size=8,
        )  # fmt: skip
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[0, 1], b, rtol=1e-6), many.params, one.params)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": [2**32, 0]}, "seed must be at most"),  # would be one seed twice
        ({"seeds": [1.5]}, "seed must be a whole number"),
        ({"grid": {"learning_rate": 0.1}}, "learning_rate must be a list"),
        ({"grid": {"learning_rate": [1e39]}}, "finite ones"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
    ],
)
def test_what_is_no_grid_or_seed_is_refused_by_name(change, message) -> None:
    data = Dataset(*(Batch(np.ones((2, 2), np.float32), np.ones((2, 1), np.float32)) for _ in range(2)))
    arguments = {"seeds": [0], "grid": {"learning_rate": [0.1]}, "epochs": 1, "batch_size": 2} | change
    with pytest.raises((TypeError, ValueError), match=message):
        sweep(models.linear_regression(2), losses.squared_loss, optax.sgd, data, **arguments)
