"""Folds that never see their validation rows, and an ensemble of their models, on made-up houses. D2L 5.7."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import pytest

from jaxd2l import losses, models
from jaxd2l.book import preprocessing
from jaxd2l.book.house_prices import cross_validate, ensemble, fold_predictions, log_rmse, write_submission
from jaxd2l.optim import sgd
from jaxd2l.train import fit
from jaxd2l.types import Batch, Dataset


def houses(n, seed=0):
    """Rows with columns as in the book's files: numbers with gaps, categories with gaps."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(500, 4000, n).round()
    zone = rng.choice(["RL", "RM", "FV"], n)
    price = 30_000 * np.exp(area / 2000 + 0.3 * (zone == "FV") + 0.05 * rng.normal(size=n))
    return pandas.DataFrame(
        {
            "Id": np.arange(1, n + 1),
            "MSZoning": np.where(rng.random(n) < 0.1, None, zone),
            "LotFrontage": np.where(rng.random(n) < 0.3, np.nan, rng.normal(70, 20, n)),
            "GrLivArea": area,
            "SalePrice": price.round(),
        }
    )


HOUSES, UNSOLD = houses(103), houses(20, seed=1).drop(columns="SalePrice")
TX = sgd(0.1)
RESULT = cross_validate(jax.random.key(0), HOUSES, TX, k=5, epochs=40, batch_size=16)


def test_every_fold_learns():
    assert RESULT.validation_log_rmse.shape == RESULT.train_log_rmse.shape == (5, 40)
    assert RESULT.validation_log_rmse[:, -1].mean() < 0.2
    assert (RESULT.validation_log_rmse[:, 0] > 10 * RESULT.validation_log_rmse[:, -1]).all()


def test_training_all_folds_at_once_equals_training_each_alone():
    folds_key, run_key = jax.random.split(jax.random.key(0))
    del folds_key
    key = jax.random.split(run_key, 5)[3]
    fold, fitted = RESULT.folds[3], RESULT.preprocessing[3]
    features = preprocessing.apply(fitted, HOUSES)
    targets = np.log(HOUSES["SalePrice"].to_numpy(np.float32))[:, None]
    rows = fold.train[: min(f.train.size for f in RESULT.folds)]
    data = Dataset(Batch(features[rows], targets[rows]), Batch(features[fold.validation], targets[fold.validation]))
    model = models.linear_regression(features.shape[1])
    state, history = fit(model, losses.squared_loss, TX, data, key=key, epochs=40, batch_size=16)
    jax.tree.map(
        lambda ours, alone: np.testing.assert_allclose(ours[3], alone, rtol=1e-4, atol=1e-5),
        RESULT.params,
        state.params,
    )
    np.testing.assert_allclose(RESULT.validation_log_rmse[3], np.sqrt(2 * history.test_loss), rtol=1e-3)


def test_the_ensemble_uses_the_model_of_each_fold():
    """The book's JAX tab uses the last fold's model five times."""
    each = fold_predictions(RESULT, UNSOLD)
    assert each.shape == (5, 20)
    assert len(np.unique(each[:, 0])) == 5
    np.testing.assert_allclose(ensemble(RESULT, UNSOLD), each.mean(0), rtol=1e-6)
    for i, fitted in enumerate(RESULT.preprocessing):
        own = jax.tree.map(operator.itemgetter(i), RESULT.params)
        alone = RESULT.model.apply(own, jnp.asarray(preprocessing.apply(fitted, UNSOLD)))
        np.testing.assert_allclose(each[i], np.exp(alone[:, 0]), rtol=1e-5)


def test_validation_rows_do_not_influence_the_training_of_their_fold():
    fold = RESULT.folds[1]
    spoiled = HOUSES.copy()
    spoiled.loc[fold.validation, "GrLivArea"] *= 50
    spoiled.loc[fold.validation, "SalePrice"] = 1.0
    again = cross_validate(jax.random.key(0), spoiled, TX, k=5, epochs=40, batch_size=16)
    assert again.preprocessing[1] is not RESULT.preprocessing[1]
    assert again.preprocessing[1].standardization == RESULT.preprocessing[1].standardization
    jax.tree.map(lambda ours, spoiled: np.testing.assert_array_equal(ours[1], spoiled[1]), RESULT.params, again.params)
    assert not np.allclose(jax.tree.leaves(RESULT.params)[1][0], jax.tree.leaves(again.params)[1][0])


def test_the_validation_error_counts_each_row_once():
    for i, fold in enumerate(RESULT.folds):
        rows = HOUSES.iloc[fold.validation]
        error = log_rmse(fold_predictions(RESULT, rows)[i], rows["SalePrice"].to_numpy(np.float32))
        np.testing.assert_allclose(RESULT.validation_log_rmse[i, -1], error, rtol=1e-3)
    assert {fold.validation.size for fold in RESULT.folds} == {20, 21}


def test_ids_are_not_features_and_any_model_can_be_trained():
    assert RESULT.preprocessing[0].columns == ("MSZoning", "LotFrontage", "GrLivArea")
    result = cross_validate(
        jax.random.key(0), HOUSES, sgd(0.01), k=2, epochs=1, make_model=lambda d: models.mlp(d, 4, 1)
    )
    assert len(result.params) == 2


def test_log_rmse_measures_per_cent():
    np.testing.assert_allclose(log_rmse(jnp.array([110.0, 1.0]), jnp.array([100.0, 1.1])), np.log(1.1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"predictions\[0\] is -1.0, but must be positive"):
        log_rmse(jnp.array([-1.0]), jnp.array([1.0]))


@pytest.mark.bad_input
def test_log_rmse_refuses_other_shapes():
    with pytest.raises(ValueError, match="predictions and prices must have the same shape"):
        log_rmse(jnp.ones((3, 1)), jnp.ones(3))


@pytest.mark.bad_input
def test_bad_tables_are_refused():
    key = jax.random.key(0)
    with pytest.raises(KeyError, match="SalePrice"):
        cross_validate(key, UNSOLD, TX)
    with pytest.raises(ValueError, match=r"SalePrice\[0\] is 0.0, but must be positive"):
        cross_validate(key, HOUSES.assign(SalePrice=0), TX)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        cross_validate(key, HOUSES, TX, epochs=0)
    with pytest.raises(ValueError, match="LotFrontage"):
        cross_validate(key, HOUSES.assign(LotFrontage=np.nan), TX)
    with pytest.raises(ValueError, match="unseen in training"):
        ensemble(RESULT, UNSOLD.assign(MSZoning="somewhere"))
    with pytest.raises(KeyError, match="GrLivArea"):
        ensemble(RESULT, UNSOLD.drop(columns="GrLivArea"))


def test_a_submission_reads_back(tmp_path):
    prices = ensemble(RESULT, UNSOLD)
    write_submission(tmp_path / "submission.csv", UNSOLD["Id"], prices)
    assert (tmp_path / "submission.csv").read_text().startswith("Id,SalePrice\n1,")
    back = pandas.read_csv(tmp_path / "submission.csv")
    assert back["Id"].tolist() == UNSOLD["Id"].tolist()
    np.testing.assert_allclose(back["SalePrice"], prices, rtol=1e-6)


@pytest.mark.bad_input
def test_a_submission_with_gaps_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ids and prices must have the same shape"):
        write_submission(tmp_path / "s.csv", UNSOLD["Id"], np.ones(3))
    with pytest.raises(ValueError, match=r"prices\[1\] is nan, but must be finite"):
        write_submission(tmp_path / "s.csv", np.arange(2), np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"prices\[1\] is 0.0, but must be positive"):
        write_submission(tmp_path / "s.csv", np.arange(2), np.array([1.0, 0.0]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.bad_input
def test_complex_and_overflowing_prices_are_refused(tmp_path) -> None:
    with pytest.raises(OverflowError, match="3000000000 does not fit into int32"):
        log_rmse(np.array([3 * 10**9]), np.array([3 * 10**9]))  # would become negative
    with pytest.raises(TypeError, match="prices must hold real numbers"):
        log_rmse(np.ones(2, np.float32), np.ones(2) * 1j)
    with pytest.raises(TypeError, match="prices must hold real numbers"):
        write_submission(tmp_path / "s.csv", np.arange(2), np.ones(2) * 1j)
