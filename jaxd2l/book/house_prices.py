"""Predicting house prices (D2L 5.7): k folds trained in one vmapped run, an ensemble of their models, a submission."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import models
from jaxd2l._checks.arrays import real
from jaxd2l._checks.numbers import require_whole
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.values import require_all_positive, require_finite
from jaxd2l.book import preprocessing
from jaxd2l.book.generalization import Fold, k_fold
from jaxd2l.book.preprocessing import Preprocessing
from jaxd2l.losses import squared_loss
from jaxd2l.train import create_state, train_epoch
from jaxd2l.types import Batch, Model, Params, TrainState

if TYPE_CHECKING:
    import pandas

__all__ = ["CrossValidation", "cross_validate", "ensemble", "fold_predictions", "log_rmse", "write_submission"]


def __dir__() -> list[str]:
    return __all__


class CrossValidation(NamedTuple):
    """The result of training on k folds.

    model: the model, the same for all folds; its outputs are logarithms of prices.
    params: the parameters of each fold; every array has a first axis of k.
    preprocessing: what each fold learnt from its training rows.
    folds: row numbers of each fold.
    train_log_rmse, validation_log_rmse: (k, epochs), after each epoch.
    """

    model: Model
    params: Params
    preprocessing: tuple[Preprocessing, ...]
    folds: tuple[Fold, ...]
    train_log_rmse: Float[np.ndarray, "k epochs"]
    validation_log_rmse: Float[np.ndarray, "k epochs"]


def log_rmse(predictions: Float[Array | np.ndarray, " n"], prices: Float[Array | np.ndarray, " n"]) -> Float[Array, ""]:
    """Root mean squared error of the logarithms, which measures errors in per cent, as the competition does.

        sqrt(mean((log prediction - log price)^2))

    D2L 5.7.4.

    Raises:
      TypeError: predictions or prices that are not real numbers.
      ValueError: shapes that differ, or a number that is not positive.
      OverflowError: an integer that does not fit into 32 bits.

    >>> log_rmse(jnp.array([110.0, 220.0]), jnp.array([100.0, 200.0])).round(4)  # log 1.1
    Array(0.0953, dtype=float32)
    """
    predictions, prices = real("predictions", predictions), real("prices", prices)
    require_shapes("*shape, *shape", predictions=predictions, prices=prices)
    require_all_positive(predictions=predictions, prices=prices)
    return jnp.sqrt(jnp.mean((jnp.log(predictions) - jnp.log(prices)) ** 2))


def cross_validate(
    key: PRNGKeyArray,
    train: "pandas.DataFrame",
    tx: optax.GradientTransformation,
    *,
    k: int = 5,
    epochs: int = 10,
    batch_size: int = 64,
    make_model: Callable[[int], Model] = models.linear_regression,
    target: str = "SalePrice",
    ignored: tuple[str, ...] = ("Id",),
    min_count: int = 1,
) -> CrossValidation:
    """Trains one model per fold on the logarithm of the price, all folds at once in one compiled program.

    Means, deviations and fill values of a fold come from its own training rows, so its validation rows stay unseen;
    only the list of categories comes from all rows, so that every fold has the same columns. If k does not divide
    the number of rows, folds that could train on one row more than the others leave one out. D2L 5.7.4, 5.7.5.

    Args:
      key: decides the folds, the initial parameters and the order of the examples.
      train: a table with a row per house.
      tx: an optax transformation; the book's is `optim.sgd(0.01)`.
      k: number of folds.
      epochs: passes over each fold's training rows.
      batch_size: examples per step.
      make_model: `make_model(num_inputs) -> Model` with one output.
      target: the column to predict; positive numbers.
      ignored: columns that are not features.
      min_count: categories with fewer rows count as one, "other".

    Raises:
      KeyError: there is no column `target`.
      TypeError, ValueError: a price that is not positive, sizes below 1, k out of range, or anything that
        preprocessing refuses.
    """
    require_whole(1, epochs=epochs, batch_size=batch_size)
    prices = preprocessing.to_array(preprocessing.select(train, [target])[target])
    require_all_positive(**{target: prices})
    rows = train.drop(columns=[target, *(name for name in ignored if name in train.columns)])
    split_key, run_key = jax.random.split(key)
    folds = tuple(k_fold(split_key, len(rows), k))
    encoding = preprocessing.fit_encoding(rows, min_count=min_count)
    fitted = tuple(
        preprocessing.fit(rows.iloc[fold.train], standardized=True, min_count=min_count)._replace(encoding=encoding)
        for fold in folds
    )
    features = np.stack([preprocessing.apply(fit, rows) for fit in fitted])
    model = make_model(features.shape[-1])
    run = jax.jit(jax.vmap(_trainer(model, tx, epochs, batch_size)))
    data = _stacked(folds, features, np.log(prices)[:, None])
    params, train_errors, validation_errors = run(jax.random.split(run_key, k), *data)
    return CrossValidation(model, params, fitted, folds, np.asarray(train_errors), np.asarray(validation_errors))


def _stacked(
    folds: tuple[Fold, ...], features: Float[np.ndarray, "k n d"], targets: Float[np.ndarray, "n 1"]
) -> tuple[Batch, Batch, Float[np.ndarray, "k v"]]:
    """The training rows of each fold, its validation rows and their weights, all of the same size."""
    num_train = min(fold.train.size for fold in folds)
    num_validation = max(fold.validation.size for fold in folds)
    sets = []
    for fold, inputs in zip(folds, features, strict=True):
        train, size = fold.train[:num_train], fold.validation.size
        # Padding repeats the first row with weight 0.
        padded = np.pad(fold.validation, (0, num_validation - size), constant_values=fold.validation[0])
        weights = (np.arange(num_validation) < size).astype(np.float32)
        sets.append((Batch(inputs[train], targets[train]), Batch(inputs[padded], targets[padded]), weights))
    return jax.tree.map(lambda *parts: np.stack(parts), *sets)


def _trainer(
    model: Model, tx: optax.GradientTransformation, epochs: int, batch_size: int
) -> Callable[[PRNGKeyArray, Batch, Batch, Array], tuple[Params, Array, Array]]:
    """The whole training of one fold as a pure function."""

    def error(params: Params, batch: Batch, weights: Array) -> Array:
        squares = (model.apply(params, jnp.asarray(batch.inputs)) - batch.labels)[:, 0] ** 2
        return jnp.sqrt(jnp.sum(weights * squares) / jnp.sum(weights))

    def run(key: PRNGKeyArray, train: Batch, validation: Batch, weights: Array) -> tuple[Params, Array, Array]:
        def epoch(state: TrainState, _: None) -> tuple[TrainState, tuple[Array, Array]]:
            state, _losses = train_epoch(
                key, state, train, model=model, loss=squared_loss, tx=tx, batch_size=batch_size
            )
            equal = jnp.ones(len(train.inputs))
            return state, (error(state.params, train, equal), error(state.params, validation, weights))

        state, (train_errors, validation_errors) = lax.scan(epoch, create_state(key, model, tx), length=epochs)
        return state.params, train_errors, validation_errors

    return run


def ensemble(result: CrossValidation, rows: "pandas.DataFrame") -> Float[np.ndarray, " n"]:
    """Predicted prices: the mean over the folds, each with its own parameters and preprocessing. D2L 5.7.6.

    The book's JAX tab uses the last fold's model five times instead.

    Args:
      result: from `cross_validate`.
      rows: a table with the columns of the features; other columns are ignored.

    Raises:
      KeyError, ValueError: anything that preprocessing refuses: a missing column, an unseen category.
    """
    return fold_predictions(result, rows).mean(0)


def fold_predictions(result: CrossValidation, rows: "pandas.DataFrame") -> Float[np.ndarray, "k n"]:
    """Predicted prices, one row per fold; arguments and errors as for `ensemble`."""
    features = np.stack([preprocessing.apply(fitted, rows) for fitted in result.preprocessing])
    outputs = jax.vmap(result.model.apply)(result.params, jnp.asarray(features))
    return np.exp(np.asarray(outputs)[..., 0])


def write_submission(
    path: str | os.PathLike[str], ids: "pandas.Series | np.ndarray", prices: Float[np.ndarray, " n"]
) -> None:
    """Writes the CSV file that the competition takes: `Id,SalePrice`, one line per house. D2L 5.7.6.

    Raises:
      TypeError: prices that are not real numbers.
      ValueError: more or fewer ids than prices, or a price that is not positive and finite.
    """
    import pandas

    require_shapes("n, n", ids=ids, prices=prices)
    require_finite(prices=prices)
    require_all_positive(prices=prices)
    pandas.DataFrame({"Id": np.asarray(ids), "SalePrice": prices}).to_csv(path, index=False)
