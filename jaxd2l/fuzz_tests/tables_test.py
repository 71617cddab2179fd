"""Hostile arguments to the functions that take tables: preprocessing and house prices."""

import math
import tempfile
from pathlib import Path

import jax
import numpy as np
import optax
import pandas
import pytest
from hypothesis import strategies as st

from jaxd2l.book import house_prices, preprocessing
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    choice,
    count,
    flags,
    hostile_arrays,
    hunt,
    is_close,
    junk,
    mixed,
    number,
    wide,
)
from jaxd2l.fuzz_tests.arguments import keys as some_keys


def rmse_is_right(result, predictions, prices) -> None:
    is_close(result, np.sqrt(np.mean((np.log(wide(predictions)) - np.log(wide(prices))) ** 2)), 1e-3, 1e-3)


def written(ids, prices):
    with tempfile.TemporaryDirectory() as folder:
        house_prices.write_submission(Path(folder, "submission.csv"), ids, prices)
        return pandas.read_csv(Path(folder, "submission.csv"))


def submission_is_right(result, ids, prices) -> None:
    assert result["SalePrice"].tolist() == pytest.approx(np.asarray(prices, np.float64).tolist(), rel=1e-5)


def numbers_are_right(result, frame) -> None:
    is_close(result, np.asarray(frame, np.float64))


def standardized_is_right(result, frame, train_frame=None) -> None:
    train_frame = frame if train_frame is None else train_frame
    for name in train_frame:
        if preprocessing.columns.kind_of(train_frame[name]) == "numeric":
            values = train_frame[name].astype(float)
            std = values.std(ddof=1) if values.nunique() > 1 else 1.0
            expected = (frame[name].astype(float) - values.mean()) / std
            np.testing.assert_allclose(result[name].astype(float), expected, rtol=1e-6, atol=1e-9)


def has_only_numbers(result, **arguments) -> None:
    assert np.isfinite(result).all()
    assert len(result) == len(arguments["frame"])


def fitted_and_applied(fit, apply):
    """Fitted to one table and applied to another, or to the same."""

    def both(frame, train_frame=None, **options):
        return apply(fit(frame if train_frame is None else train_frame, **options), frame)

    return both


def indicators_are_right(result, frame, train_frame=None, **options) -> None:
    """As many columns as there are numbers, categories and one for what is missing: none has hidden another."""
    encoding = preprocessing.fit_encoding(frame if train_frame is None else train_frame, **options)
    expected = len(frame.columns) - len(encoding.categories)
    for categories in encoding.categories.values():
        expected += len(categories) + 1 + (encoding.has_other and preprocessing.OTHER not in categories)
    assert len(result.columns) == expected


def pca_is_right(result, train, num_components) -> None:
    assert len(result.components) == num_components
    assert np.isfinite(result.components).all()


def prices_are_positive(prices, /, **arguments) -> None:
    assert (prices > 0).all()


TX = optax.sgd(0.1)
cells = st.one_of(
    st.none(), st.sampled_from([0, 1, 2.5, -3.0, math.inf, 1e39, 1e308, -1e308, "a", "b", "nan", "other", True, 1j])
)
numeric = st.lists(
    st.sampled_from([0.0, 1.0, 2.5, None, math.nan, math.inf, 1e39, 1e308, -1e308]), min_size=3, max_size=3
)
text = st.lists(st.sampled_from(["a", "b", "nan", "other", "b_c", None]), min_size=3, max_size=3)
columns = mixed(numeric, text, st.lists(cells, min_size=3, max_size=3))
names = st.sampled_from(["a", "a_b", "b", "a_nan", 0])
frames = mixed(
    st.dictionaries(names, columns, max_size=3).map(pandas.DataFrame),
    st.just(pandas.DataFrame({"a": [1.0, 2.0, None], "b": ["x", None, "y"]})),
    st.just(pandas.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "a"])),
    st.just(pandas.DataFrame({"a": []})),
    junk,
)
methods = choice("mean", "median", "mode", "constant", "knn")
HOUSES = pandas.DataFrame({"Id": range(6), "rooms": [1, 2, 3, 4, 5, 6.0], "SalePrice": [1.0, 2, 3, 4, 5, 6]})
FOLDS = house_prices.cross_validate(jax.random.key(0), HOUSES, TX, k=2, epochs=1, batch_size=2)
CASES = {
    "book.house_prices.cross_validate": Case(
        house_prices.cross_validate,
        {
            "train": mixed(st.just(HOUSES), frames),
            "tx": st.just(TX),
            "key": some_keys,
            "k": mixed(st.just(2), st.sampled_from([0, 1, 7, 2.5, "2", None])),
            "epochs": mixed(st.just(1), st.sampled_from([0, 2.5, "1", None])),
            "batch_size": mixed(st.just(2), st.sampled_from([0, 2.5, "1", None])),
        },
        {"target": choice("SalePrice", "a"), "min_count": mixed(st.just(1), st.sampled_from([0, 2.5]))},
    ),
    "book.house_prices.ensemble": Case(
        house_prices.ensemble,
        {"result": st.just(FOLDS), "rows": mixed(st.just(HOUSES), frames)},
        {},
        prices_are_positive,
    ),
    "book.house_prices.fold_predictions": Case(
        house_prices.fold_predictions,
        {"result": st.just(FOLDS), "rows": mixed(st.just(HOUSES), frames)},
        {},
        prices_are_positive,
    ),
    "book.house_prices.log_rmse": Case(
        house_prices.log_rmse,
        {"predictions": array((3,), low=0.5), "prices": array((3,), (3, 1), low=0.5)},
        {},
        rmse_is_right,
    ),
    "book.house_prices.write_submission": Case(
        written,
        {"ids": mixed(st.just(np.arange(3)), hostile_arrays), "prices": array((3,), low=0.5)},
        {},
        submission_is_right,
    ),
    "book.preprocessing.summarize": Case(preprocessing.summarize, {"frame": frames}),
    "book.preprocessing.select": Case(
        preprocessing.select,
        {
            "frame": frames,
            "columns": mixed(st.sampled_from([["a"], [], ["b", "a"]]), st.sampled_from(["a", None, [[]], 3])),
        },
    ),
    "book.preprocessing.columns_present": Case(
        preprocessing.columns_present, {"train": frames, "max_missing": number(0.0, 1.0)}
    ),
    "book.preprocessing.to_array": Case(
        preprocessing.to_array, {"frame": mixed(frames, numeric.map(pandas.Series))}, {}, numbers_are_right
    ),
    "book.preprocessing.standardize": Case(
        fitted_and_applied(preprocessing.fit_standardization, preprocessing.standardize),
        {"frame": frames},
        {"train_frame": frames},
        standardized_is_right,
    ),
    "book.preprocessing.impute": Case(
        fitted_and_applied(preprocessing.fit_imputation, preprocessing.impute),
        {"frame": frames},
        {
            "train_frame": frames,
            "method": methods,
            "neighbors": count(1, 3),
            "constant": mixed(number(0.0, 1.0), st.just("none")),
        },
    ),
    "book.preprocessing.encode": Case(
        fitted_and_applied(preprocessing.fit_encoding, preprocessing.encode),
        {"frame": frames},
        {"train_frame": frames, "min_count": count(1, 2)},
        indicators_are_right,
    ),
    "book.preprocessing.apply": Case(
        fitted_and_applied(preprocessing.fit, preprocessing.apply),
        {"frame": frames},
        {"train_frame": frames, "method": methods, "standardized": flags, "min_count": count(1, 2)},
        has_only_numbers,
    ),
    "book.preprocessing.project": Case(
        lambda train, num_components, rows: preprocessing.project(preprocessing.fit_pca(train, num_components), rows),
        {"train": array((4, 2)), "num_components": count(1, 2), "rows": array((3, 2))},
    ),
    "book.preprocessing.fit_pca": Case(
        preprocessing.fit_pca, {"train": array((4, 2)), "num_components": count(1, 2)}, {}, pca_is_right
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
