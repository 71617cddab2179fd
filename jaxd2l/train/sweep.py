"""Many models at once: seeds and hyperparameters tried in one compiled program (D2L 3.2, 3.7, 4.6)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.numbers import require_callable, require_choice, require_real, require_whole
from jaxd2l.train._epoch import create_state, train_epoch
from jaxd2l.train._evaluation import Evaluation, compiled_outputs, compiled_score
from jaxd2l.train._forward import init
from jaxd2l.train._history import join_histories, no_epochs, one_epoch
from jaxd2l.train._trainable import require_lasting_state, require_trainable
from jaxd2l.train._truth import Truth
from jaxd2l.types import Batch, Dataset, History, Loss, Model, ModelState, Params, StatefulModel, TrainState

__all__ = ["Best", "MakeTx", "Outcome", "Sweep", "best", "outcome", "sweep"]

MakeTx = Callable[..., optax.GradientTransformation]
"""Makes an optimiser of hyperparameters given by name, as `optax.sgd` and `optim.sgd` do."""

Outcome = Literal["test_accuracy", "test_loss", "train_loss"]
"""By what the runs of a sweep are compared, each taken after the last epoch."""


def __dir__() -> list[str]:
    return __all__


class Sweep(NamedTuple):
    """The result of every seed at every point of the grid.

    seeds: (seeds,).
    grid: the values tried, by name; each name is an axis, in this order. They are used as float32.
    params: the last parameters; every leaf begins with the axes (seeds, *grid).
    history: as `train.fit` returns it; every array begins with the axes (seeds, *grid).
    model_state: the last running averages of a `StatefulModel`, with the same axes.
    """

    seeds: Int[np.ndarray, " seeds"]
    grid: dict[str, Float[np.ndarray, " values"]]
    params: Params
    history: History
    model_state: ModelState = ()


class Best(NamedTuple):
    """The best point of a grid.

    point: its value of each hyperparameter.
    mean, spread: mean and standard deviation (n - 1; NaN for one seed) of the result over the seeds.
    """

    point: dict[str, float]
    mean: float
    spread: float


def sweep(
    model: Model | StatefulModel,
    loss: Loss,
    make_tx: MakeTx,
    dataset: Dataset,
    *,
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[float]],
    epochs: int,
    batch_size: int,
    on_epoch: Callable[[History], object] | None = None,
) -> Sweep:
    """Trains a model from every seed at every point of a grid of hyperparameters, all at once. D2L 3.2, 3.7, 4.6.

    The lane of seed s and point p is what `train.fit(model, loss, make_tx(**p), dataset, key=jax.random.key(s), ...)`
    gives, to the rounding of float32: the same pure epoch, under `jax.vmap`. The points of a seed share their
    batches, so one gather and one wide matrix product serve them all. In torch: as many runs.

    Args:
      model, loss, dataset, epochs, batch_size: as for `train.fit`; at least one epoch.
      make_tx: `make_tx(**point)`, an optimiser whose hyperparameters may be traced numbers: `optax.sgd`, `optim.sgd`.
      seeds: each is the `jax.random.key(seed)` of a run.
      grid: the values to try, by the names that `make_tx` has for them: `{"learning_rate": [0.01, 0.1]}`.
      on_epoch: called as `on_epoch(history)` after each epoch, for example to show progress.

    Raises:
      ValueError: no seed or value, a seed twice, a value that is not finite, sizes below 1, or what `fit` refuses.

    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> grid = {"learning_rate": [0.001, 0.03, 10.0]}
    >>> run = models.linear_regression(2), losses.squared_loss, optax.sgd, data
    >>> result = sweep(*run, seeds=[0, 1], grid=grid, epochs=3, batch_size=32)
    >>> result.history.test_loss.shape, result.params["kernel"].shape
    ((2, 3, 3), (2, 3, 2, 1))
    >>> f"{best(result, by='test_loss').point['learning_rate']:.2f}"  # a rate of 10 diverges
    '0.03'
    """
    require_whole(1, epochs=epochs, batch_size=batch_size)
    _require_seeds_and_grid(seeds, grid)
    runs.require_make_tx(make_tx, grid)
    require_callable(**{} if on_epoch is None else {"on_epoch": on_epoch})
    model, dataset = runs.model(model), runs.dataset(dataset)
    own = jax.eval_shape(partial(init, model), jax.random.key(0))
    require_trainable("training", dataset.train, model, loss, *own)
    truth = require_trainable("test", dataset.test, model, loss, *own)
    require_lasting_state(model, dataset.train, batch_size, *own)
    axes, points = _points(grid)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    static: dict[str, Any] = {"model": model, "loss": loss, "make_tx": make_tx}
    states = _create_states(keys, points, model=model, make_tx=make_tx)
    train, test = jax.device_put((Batch(*dataset.train), Batch(*dataset.test)))
    n, shape = len(dataset.train.inputs), (len(seeds), *map(len, axes.values()))

    def on_the_grid(leaf: Any) -> Any:
        return leaf.reshape(*shape, *leaf.shape[2:])

    history = no_epochs(-(-n // batch_size), shape)
    for _ in range(epochs):
        states, step_loss = _epoch(states, train, keys, points, batch_size=batch_size, **static)
        results = step_loss, _evaluate(states, test, truth, model, loss)
        losses, measured = jax.tree.map(lambda x: on_the_grid(np.asarray(x)), results)
        history = join_histories(history, one_epoch(losses, measured, n, batch_size))
        if on_epoch is not None:
            on_epoch(history)
    params, model_state = jax.tree.map(on_the_grid, (states.params, states.model_state))
    return Sweep(np.asarray(seeds), axes, params, history, model_state)


def outcome(result: Sweep, *, of: Outcome = "test_accuracy") -> Float[np.ndarray, "..."]:
    """The result of each run after its last epoch, (seeds, *grid); NaN for a run that diverged.

    Even a model of NaNs names a class, the first, and so has an accuracy; comparing it would mean nothing.

    Args:
      result: of `sweep`.
      of: "test_accuracy", "test_loss" or "train_loss".

    Raises:
      ValueError: another name.
    """
    require_choice(Outcome, of=of)
    diverged = ~np.isfinite(result.history.test_loss[..., -1])
    return np.where(diverged, np.nan, getattr(result.history, of)[..., -1])


def best(result: Sweep, *, by: Outcome = "test_accuracy") -> Best:
    """The point of the grid with the best mean outcome over the seeds.

    A point where any seed diverged is never the best.

    Args:
      result: of `sweep`.
      by: "test_accuracy", of which more is better, or "test_loss" or "train_loss", of which less is.

    Raises:
      ValueError: another name, or no point where all seeds gave a finite outcome.
    """
    require_choice(Outcome, by=by)
    values = outcome(result, of=by)
    means = values.mean(axis=0)
    if not np.isfinite(means).any():
        raise ValueError(f"no point of the grid has a finite {by} for every seed; try smaller learning rates")
    winner = int(np.nanargmax(means if by == "test_accuracy" else -means))
    where = tuple(int(i) for i in np.unravel_index(winner, means.shape))
    point = {name: float(axis[i]) for (name, axis), i in zip(result.grid.items(), where, strict=True)}
    of_seeds = np.moveaxis(values, 0, -1)[where]
    spread = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else float("nan")
    return Best(point, float(means[where]), spread)


# Where the lanes are: parameters, averages and optimiser state have the axes (seeds, points). The step is the same in
# all lanes and has none, so the order of the examples, which follows from key and step, is drawn once per seed.
_OF_POINTS: Any = TrainState(0, 0, step=None, model_state=0)  # type: ignore[arg-type]  # axes, not arrays


@partial(jax.jit, static_argnames=("model", "make_tx"))
def _create_states(
    keys: Key[Array, " seeds"], points: dict[str, Array], *, model: Model | StatefulModel, make_tx: MakeTx
) -> TrainState:
    def lane(key: PRNGKeyArray, point: dict[str, Array]) -> TrainState:
        return create_state(key, model, make_tx(**point))

    over_points = jax.vmap(lane, (None, 0), _OF_POINTS)
    return jax.vmap(over_points, (0, None), _OF_POINTS)(keys, points)


@partial(jax.jit, static_argnames=("model", "loss", "make_tx", "batch_size"), donate_argnames="states")
def _epoch(
    states: TrainState,
    train: Batch,
    keys: Key[Array, " seeds"],
    points: dict[str, Array],
    *,
    model: Model | StatefulModel,
    loss: Loss,
    make_tx: MakeTx,
    batch_size: int,
) -> tuple[TrainState, Float[Array, "seeds points steps"]]:
    def lane(state: TrainState, key: PRNGKeyArray, point: dict[str, Array]) -> tuple[TrainState, Array]:
        return train_epoch(key, state, train, model=model, loss=loss, tx=make_tx(**point), batch_size=batch_size)

    over_points = jax.vmap(lane, (_OF_POINTS, None, 0), (_OF_POINTS, 0))
    return jax.vmap(over_points, (_OF_POINTS, 0, None), (_OF_POINTS, 0))(states, keys, points)


def _evaluate(
    states: TrainState, test: Batch, truth: Truth | None, model: Model | StatefulModel, loss: Loss
) -> Evaluation:
    losses, fractions = _scores(states.params, states.model_state, test, truth, model=model, loss=loss)
    return Evaluation(losses, np.full(losses.shape, np.nan, np.float32) if fractions is None else fractions)


@partial(jax.jit, static_argnames=("model", "loss"))
def _scores(
    params: Params,
    model_state: ModelState,
    test: Batch,
    truth: Truth | None,
    *,
    model: Model | StatefulModel,
    loss: Loss,
) -> tuple[Array, Array | None]:
    def lane(params: Params, model_state: ModelState) -> tuple[Array, Array | None]:
        outputs = compiled_outputs(model, params, model_state, test.inputs, batch_size=1000)
        return compiled_score(outputs, test.labels, truth, loss=loss)

    return jax.vmap(jax.vmap(lane))(params, model_state)


def _points(grid: Mapping[str, Sequence[float]]) -> tuple[dict[str, np.ndarray], dict[str, Array]]:
    """The values along each axis of the grid, and at each of its points."""
    axes = {name: np.asarray(values, np.float64) for name, values in grid.items()}
    each = np.meshgrid(*axes.values(), indexing="ij")
    return axes, {name: jnp.asarray(values.ravel()) for name, values in zip(axes, each, strict=True)}


def _require_seeds_and_grid(seeds: Sequence[int], grid: Mapping[str, Sequence[float]]) -> None:
    _require_list("seeds", seeds)
    for seed in seeds:
        require_whole(None, seed=seed)
    if not len(seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must hold at least one seed, and none twice; got {list(seeds)}")
    if not isinstance(grid, Mapping):
        raise TypeError(f"grid must be a dictionary of lists, as {{'learning_rate': [0.1]}}; got {grid!r}")
    if not grid:
        raise ValueError("the grid is empty: name at least one hyperparameter, as {'learning_rate': [0.1]}")
    for name, values in grid.items():
        _require_list(name, values)
        for value in values:
            require_real(**{str(name): value})
        with np.errstate(over="ignore"):  # 1e39 is finite until it becomes a float32
            are_finite = np.isfinite(np.asarray(values, np.float64).astype(np.float32)).all()
        if not len(values) or not are_finite:
            raise ValueError(f"{name} needs at least one value, and finite ones; got {list(values)}")


def _require_list(name: str, values: Any) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray) or np.ndim(values) != 1:
        raise TypeError(f"{name} must be a list of numbers, got {values!r}")
