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
from jaxd2l._checks.numbers import is_real, require_whole
from jaxd2l.book import preprocessing
from jaxd2l.book.generalization import Fold, k_fold
from jaxd2l.book.preprocessing import Preprocessing
from jaxd2l.losses import squared_loss
from jaxd2l.train import create_state, train_epoch
from jaxd2l.types import Batch, Model, Params, TrainState

if TYPE_CHECKING:
    import pandas


class CrossValidation(NamedTuple):
    """What training on k folds gave.

    model: the model of every fold; its outputs are logarithms of prices.
    params: the folds' own parameters, each array with a first axis of k.
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
    """Root mean squared error of the logarithms, so that errors count in per cent: the competition's measure.

        sqrt(mean((log prediction - log price)^2))

    D2L 5.7.4.

    Raises:
      ValueError: shapes that differ, or a price that is not positive.

    >>> log_rmse(jnp.array([110.0, 220.0]), jnp.array([100.0, 200.0])).round(4)  # log 1.1
    Array(0.0953, dtype=float32)
    """
    predictions, prices = real("predictions", predictions), real("prices", prices)
    if predictions.shape != prices.shape:
        raise ValueError(f"predictions and prices differ in shape: {predictions.shape} and {prices.shape}")
    for name, values in (("prediction", predictions), ("price", prices)):
        if not isinstance(values, jax.core.Tracer) and not (np.asarray(values) > 0).all():
            raise ValueError(f"every {name} must be positive; the least is {np.min(np.asarray(values))}")
    return jnp.sqrt(jnp.mean((jnp.log(jnp.asarray(predictions)) - jnp.log(jnp.asarray(prices))) ** 2))


def cross_validate(
    train: "pandas.DataFrame",
    tx: optax.GradientTransformation,
    *,
    key: PRNGKeyArray,
    k: int = 5,
    epochs: int = 10,
    batch_size: int = 64,
    make_model: Callable[[int], Model] = models.linear_regression,
    target: str = "SalePrice",
    ignored: tuple[str, ...] = ("Id",),
    min_count: int = 1,
) -> CrossValidation:
    """Trains one model per fold on the logarithm of the price, all folds at once as one compiled program.

    Means, deviations and fill values of a fold come from its own training rows, so its validation rows stay unseen;
    only the list of categories is that of all rows, so that every fold has the same columns. If k does not divide
    the number of rows, the folds that could train on one row more than the others leave one out. D2L 5.7.4, 5.7.5.

    Args:
      train: a table with a row per house.
      tx: an optax transformation; the book's is `optim.sgd(0.01)`.
      key: decides the folds, the first parameters and the order of the examples.
      k: number of folds.
      epochs: passes over each fold's training rows.
      batch_size: examples per step.
      make_model: `make_model(num_inputs) -> Model` with one output.
      target: the column to predict; positive numbers.
      ignored: columns that are no features.
      min_count: categories with fewer rows count as one, "other".

    Raises:
      KeyError: no column `target`.
      ValueError: a price that is not positive, sizes below 1, k out of range, or what preprocessing refuses.
    """
    require_whole(None, epochs=epochs, batch_size=batch_size, k=k)
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1; got {epochs} and {batch_size}")
    prices = preprocessing.to_array(preprocessing.select(train, [target])[target])
    if not (prices > 0).all():
        raise ValueError(f"every {target} must be positive; the least is {prices.min()}")
    rows = train.drop(columns=[target, *(name for name in ignored if name in train.columns)])
    split_key, run_key = jax.random.split(key)
    folds = tuple(k_fold(split_key, len(rows), k))

    encoding = preprocessing.fit_encoding(rows, min_count)
    fitted = tuple(
        preprocessing.fit(rows.iloc[fold.train], standardized=True, min_count=min_count)._replace(encoding=encoding)
        for fold in folds
    )
    num_train = min(fold.train.size for fold in folds)
    num_validation = max(fold.validation.size for fold in folds)
    train_sets, validation_sets, weights = [], [], []
    for fold, fit in zip(folds, fitted, strict=True):
        features, targets = preprocessing.apply(fit, rows), np.log(prices)[:, None]
        # Padded with its first row, which then weighs nothing, to the length of the longest.
        padded = np.resize(fold.validation, num_validation)
        padded[fold.validation.size :] = fold.validation[0]
        train_sets.append(Batch(features[fold.train[:num_train]], targets[fold.train[:num_train]]))
        validation_sets.append(Batch(features[padded], targets[padded]))
        weights.append((np.arange(num_validation) < fold.validation.size).astype(np.float32))

    model = make_model(train_sets[0].inputs.shape[1])
    run = jax.jit(jax.vmap(_trainer(model, tx, epochs, batch_size)))
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *zip(train_sets, validation_sets, weights, strict=True))
    params, train_errors, validation_errors = run(jax.random.split(run_key, k), *stacked)
    return CrossValidation(model, params, fitted, folds, np.asarray(train_errors), np.asarray(validation_errors))


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
            everyone = jnp.ones(len(train.inputs))
            return state, (error(state.params, train, everyone), error(state.params, validation, weights))

        state, (train_errors, validation_errors) = lax.scan(epoch, create_state(key, model, tx), length=epochs)
        return state.params, train_errors, validation_errors

    return run


def ensemble(result: CrossValidation, rows: "pandas.DataFrame") -> Float[np.ndarray, " n"]:
    """Predicted prices: the mean over the folds, each predicting with its own parameters and preprocessing. D2L 5.7.6.

    The book's JAX tab asks the last fold's model five times instead.

    Args:
      result: of `cross_validate`.
      rows: a table with the features' columns; others are left out.

    Raises:
      KeyError, ValueError: what preprocessing refuses: a missing column, an unseen category.
    """
    return fold_predictions(result, rows).mean(0)


def fold_predictions(result: CrossValidation, rows: "pandas.DataFrame") -> Float[np.ndarray, "k n"]:
    """Predicted prices, a row for each fold's model."""
    features = np.stack([preprocessing.apply(fitted, rows) for fitted in result.preprocessing])
    outputs = jax.vmap(result.model.apply)(result.params, jnp.asarray(features))
    return np.exp(np.asarray(outputs)[..., 0])


def write_submission(
    path: str | os.PathLike[str], ids: "pandas.Series | np.ndarray", prices: Float[np.ndarray, " n"]
) -> None:
    """Writes the CSV file that the competition takes: `Id,SalePrice`, a line per house. D2L 5.7.6.

    Raises:
      ValueError: as many ids as prices are needed, and finite positive prices.
    """
    import pandas

    prices = np.asarray(prices)
    if not is_real(prices.dtype):
        raise TypeError(f"prices must be real numbers, got {prices.dtype}")
    if prices.shape != np.shape(ids) or prices.ndim != 1:
        raise ValueError(f"one price per id is needed; got {np.shape(ids)} ids and {prices.shape} prices")
    if not (np.isfinite(prices) & (prices > 0)).all():
        raise ValueError("every price must be positive and finite")
    pandas.DataFrame({"Id": np.asarray(ids), "SalePrice": prices}).to_csv(path, index=False)
