"""The table of D2L 2.2, statistics that never see a test row, and tables that cannot be prepared."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxd2l.book import preprocessing as pp

CSV = "NumRooms,RoofType,Price\nNA,NA,127500\n2,NA,106000\n4,Slate,178100\nNA,NA,140000\n"
HOUSES = pd.read_csv(io.StringIO(CSV))
INPUTS = pp.select(HOUSES, ["NumRooms", "RoofType"])
MIXED = pd.DataFrame(
    {
        "area": [50, 60, 70, 80],
        "rooms": pd.array([1, None, 3, 3], dtype="Int64"),
        "garden": [True, False, True, True],
        "roof": ["Tile", "Slate", "Tile", None],
        "kind": pd.Categorical(["a", "b", None, "a"], categories=["b", "a", "never"]),
    }
)


def test_house_tiny() -> None:
    X, y = pp.apply(pp.fit(INPUTS), HOUSES), pp.to_array(HOUSES["Price"])
    np.testing.assert_array_equal(X, np.float32([[3, 0, 1], [2, 0, 1], [4, 1, 0], [3, 0, 1]]), strict=True)
    np.testing.assert_array_equal(y, np.float32([127500, 106000, 178100, 140000]), strict=True)


def test_the_nan_column_is_1_where_the_value_is_missing() -> None:
    features = pp.features(pp.fit(INPUTS), HOUSES)
    assert features.columns.tolist() == ["NumRooms", "RoofType_Slate", "RoofType_nan"]
    np.testing.assert_array_equal(features["RoofType_nan"] == 1, HOUSES["RoofType"].isna())
    np.testing.assert_array_equal(features["RoofType_Slate"] == 1, HOUSES["RoofType"] == "Slate")
    dummies = pd.get_dummies(INPUTS, dummy_na=True)
    np.testing.assert_array_equal(features, dummies.fillna(dummies.mean()).astype(float))


def test_arrays_on_disk(tmp_path) -> None:
    X = pp.apply(pp.fit(INPUTS), HOUSES)
    np.savez(tmp_path / "houses.npz", X=X, y=pp.to_array(HOUSES["Price"]))
    with np.load(tmp_path / "houses.npz") as saved:
        np.testing.assert_array_equal(saved["X"], X, strict=True)


def test_summary() -> None:
    words = pd.DataFrame({"text": [f"house {i}" for i in range(51)], "day": pd.date_range("2024-01-01", periods=51)})
    assert [(c.kind, c.distinct) for c in pp.summarize(words)] == [("text", 51), ("other", 51)]
    assert pp.summarize(HOUSES) == [
        pp.Column("NumRooms", "numeric", 0.5, 2),
        pp.Column("RoofType", "categorical", 0.75, 1),
        pp.Column("Price", "numeric", 0.0, 4),
    ]
    assert [c.kind for c in pp.summarize(MIXED)] == ["numeric"] * 3 + ["categorical"] * 2
    assert pp.summarize(MIXED.iloc[:0])[0].missing == 0


@pytest.mark.parametrize("dtype", ["str", "object", "string", "category"])
def test_strings_of_every_dtype_are_categories(dtype) -> None:
    frame = pd.DataFrame({"roof": pd.Series(["Tile", "Slate", None], dtype=dtype)})
    fitted = pp.fit(frame)
    assert fitted.encoding.categories == {"roof": ("Slate", "Tile")}
    np.testing.assert_array_equal(pp.apply(fitted, frame), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_deletion() -> None:
    assert pp.columns_present(HOUSES, 0.5) == ("NumRooms", "Price")
    assert pp.columns_present(HOUSES, 0.4) == ("Price",)


# Imputation


@pytest.mark.parametrize(("method", "rooms"), [("mean", 2.25), ("median", 2.0), ("mode", 1.0), ("constant", -1.0)])
def test_imputation(method, rooms) -> None:
    frame = pd.DataFrame({"rooms": [1.0, 1, 3, 4, None], "roof": ["Tile", None, "Tile", "Slate", None]})
    filled = pp.impute(pp.fit_imputation(frame, method=method, constant=-1.0), frame)
    assert filled["rooms"].tolist() == [1, 1, 3, 4, rooms]
    assert filled["roof"].iloc[-1] == "Tile" if method == "mode" else filled["roof"].isna().sum() == 2
    assert np.isnan(frame["rooms"].iloc[-1])  # the original frame has not changed


def test_imputation_of_words_by_a_word_and_of_numbers_by_a_number() -> None:
    word = pp.fit_imputation(HOUSES, method="constant", constant="none")
    assert pp.impute(word, HOUSES)["RoofType"].tolist() == ["none", "none", "Slate", "none"]
    assert pp.impute(word, HOUSES)["NumRooms"].isna().sum() == 2
    assert pp.impute(pp.fit_imputation(HOUSES, method="constant", constant=7), HOUSES)["NumRooms"].tolist() == [
        7,
        2,
        4,
        7,
    ]


def test_the_nearest_rows_of_the_training_set_give_their_mean() -> None:
    train = pd.DataFrame({"area": [10.0, 11, 50, 51], "rooms": [1.0, 2, 7, 8]})
    rows = pd.DataFrame({"rooms": [np.nan, np.nan, 6.0], "area": [12.0, 49.0, np.nan]})
    filled = pp.impute(pp.fit_imputation(train, method="knn", neighbors=2), rows)
    assert filled["rooms"].tolist() == [1.5, 7.5, 6.0]
    assert filled["area"].tolist()[2] == (50 + 51) / 2
    assert filled.columns.tolist() == ["rooms", "area"]
    assert len(pp.impute(pp.fit_imputation(train, method="knn"), rows.iloc[:0])) == 0


@pytest.mark.parametrize("method", ["mean", "median", "knn", "mode"])
def test_a_column_without_a_value_is_an_error(method) -> None:
    frame = HOUSES.assign(Garage=np.nan)
    with pytest.raises(ValueError, match="'Garage' has no value"):
        pp.fit_imputation(frame, method=method)
    assert pp.impute(pp.fit_imputation(frame, method="constant"), frame)["Garage"].tolist() == [0] * 4


def test_a_column_without_a_value_in_the_test_rows_is_filled() -> None:
    rows = pd.DataFrame({"NumRooms": [None, None], "RoofType": [np.nan, np.nan]})  # objects and numbers
    np.testing.assert_array_equal(pp.apply(pp.fit(INPUTS), rows), [[3, 0, 1], [3, 0, 1]])


@pytest.mark.bad_input
def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(ValueError, match="method must be 'mean', 'median', 'mode', 'constant' or 'knn', got 'guess'"):
        pp.fit_imputation(HOUSES, method="guess")


# Encoding


def test_an_unseen_category_is_an_error_unless_there_is_a_group_for_it() -> None:
    train = pd.DataFrame({"roof": ["Tile", "Tile", "Slate", None]})
    rows = pd.DataFrame({"roof": ["Straw", "Slate", "Tile", None]})
    with pytest.raises(ValueError, match="'roof' has the category 'Straw', unseen in training"):
        pp.apply(pp.fit(train), rows)
    fitted = pp.fit(train, min_count=2)
    assert pp.features(fitted, rows).columns.tolist() == ["roof_Tile", "roof_other", "roof_nan"]
    np.testing.assert_array_equal(pp.apply(fitted, rows), [[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_a_category_that_is_called_other_joins_the_others() -> None:
    frame = pd.DataFrame({"roof": ["other", "other", "Straw"]})
    np.testing.assert_array_equal(pp.apply(pp.fit(frame, min_count=2), frame), [[1, 0], [1, 0], [1, 0]])


def test_text_and_dates_have_no_categories() -> None:
    text = pd.DataFrame({"remarks": [f"house {i}" for i in range(51)]})
    with pytest.raises(ValueError, match=r"'remarks' \(text, .*51 values\)"):
        pp.fit(text)
    assert pp.fit(text, min_count=2).encoding.categories == {"remarks": ()}
    with pytest.raises(ValueError, match="'day' \\(other, datetime64"):
        pp.fit(pd.DataFrame({"day": pd.date_range("2024-01-01", periods=2)}))
    with pytest.raises(ValueError, match="min_count must be at least 1"):
        pp.fit(INPUTS, min_count=0)


# Scales and components


def test_standardised_numbers_have_mean_0_and_deviation_1() -> None:
    X = pp.apply(pp.fit(MIXED, standardized=True), MIXED)[:, :3]
    np.testing.assert_allclose(X.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(X[:, 0].std(ddof=1), 1, rtol=1e-6)
    # Book 5.7: missing numbers become 0 after the others have been standardised.
    book = ((MIXED["rooms"] - MIXED["rooms"].mean()) / MIXED["rooms"].std()).fillna(0)
    np.testing.assert_allclose(X[:, 1], book.astype(float), rtol=1e-6, atol=1e-7)


def test_a_constant_column_becomes_0() -> None:
    frame = pd.DataFrame({"a": [0.1, 0.1, 0.1, None], "b": [None, None, None, 5]})
    np.testing.assert_allclose(pp.apply(pp.fit(frame, standardized=True), frame), 0, atol=1e-6)
    with pytest.raises(ValueError, match="'a' has no value"):
        pp.fit_standardization(pd.DataFrame({"a": [np.nan]}))


def test_principal_components() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(50, 3)) * [5, 1, 0.1]).astype(np.float32) + np.float32(7)
    pca = pp.fit_pca(rows, 3)
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(3), atol=1e-12)
    assert (np.diff(pca.explained) < 0).all()
    np.testing.assert_allclose(pca.explained.sum(), 1)
    projected = pp.project(pca, rows)
    assert projected.dtype == np.float32
    np.testing.assert_allclose(projected @ pca.components + pca.mean, rows, atol=1e-5)
    np.testing.assert_allclose(projected.std(0, ddof=1) ** 2, np.linalg.eigvalsh(np.cov(rows.T))[::-1], rtol=1e-4)
    with pytest.raises(ValueError, match="num_components must be a whole number from 1 to 3, got 4"):
        pp.fit_pca(rows, 4)
    with pytest.raises(ValueError, match=r"rows must have shape \(n, 3\); got \(50, 2\)"):
        pp.project(pca, rows[:, :2])


# Nothing is learnt from test rows

rooms = st.none() | st.floats(-1e3, 1e3, width=32)
tables = st.lists(st.tuples(rooms, st.sampled_from(["Tile", "Slate", "Straw", None])), min_size=1, max_size=6).map(
    lambda rows: pd.DataFrame(rows, columns=["rooms", "roof"]).astype({"rooms": float})
)


@pytest.mark.parametrize("method", ["mean", "mode", "knn"])
@settings(max_examples=15)
@given(rows=tables)
def test_a_row_is_prepared_the_same_way_whatever_rows_are_beside_it(method, rows) -> None:
    train = pd.DataFrame({"rooms": [1.0, 2.0, 2.0, None], "roof": ["Tile", "Slate", "Straw", "Tile"]})
    fitted = pp.fit(train, method=method, standardized=True, min_count=2)
    before = repr(fitted)
    together = pp.apply(fitted, rows)
    alone = [pp.apply(fitted, rows.iloc[[i]]) for i in range(len(rows))]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert repr(fitted) == before
    assert repr(pp.fit(train, method=method, standardized=True, min_count=2)) == before


@given(tables)
def test_categories_are_one_hot(rows) -> None:
    X = pp.apply(pp.fit(rows, method="constant"), rows)
    np.testing.assert_array_equal(X[:, 1:].sum(1), 1)
    assert np.isfinite(X).all()


# Tables that cannot be prepared


def test_missing_and_duplicate_columns_are_refused() -> None:
    fitted = pp.fit(INPUTS)
    with pytest.raises(KeyError, match=r"no column 'RoofType'; there are 'NumRooms', 'Price'"):
        pp.apply(fitted, HOUSES.drop(columns="RoofType"))
    with pytest.raises(KeyError, match="no column 'Rooms'"):
        pp.select(HOUSES, ["Rooms"])
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    for function in (pp.fit, pp.summarize, pp.fit_imputation, lambda frame: pp.select(frame, ["a"])):
        with pytest.raises(ValueError, match="several columns have the name 'a'"):
            function(twice)


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="'NumRooms' must hold numbers"):
        pp.apply(pp.fit(INPUTS), INPUTS.assign(NumRooms=["2", "3", "x", None]))
    with pytest.raises(ValueError, match="'NumRooms' holds an infinite number"):
        pp.fit(INPUTS.assign(NumRooms=[1, 2, np.inf, 3]))
    with pytest.raises(ValueError, match="'NumRooms' lacks 2 of its 4 values"):
        pp.to_array(HOUSES["NumRooms"])
    with pytest.raises(ValueError, match="'RoofType' must hold numbers"):
        pp.to_array(HOUSES[["RoofType"]])


def test_every_dtype_of_numbers_becomes_float32() -> None:
    X = pp.apply(pp.fit(MIXED), MIXED)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X[:, :3], [[50, 1, 1], [60, 7 / 3, 0], [70, 3, 1], [80, 3, 1]], rtol=1e-6)
    np.testing.assert_array_equal(
        X[:, 3:], [[0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0]]
    )
    assert pp.apply(pp.fit(MIXED, method="mode"), MIXED.iloc[:0]).shape == (0, 9)


def test_importing_the_package_does_not_import_pandas() -> None:
    code = "import sys, jaxd2l.book.preprocessing; assert not {'pandas', 'sklearn', 'torch', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.bad_input
def test_columns_of_the_same_name_are_refused_and_not_overwritten():
    for frame in (
        pd.DataFrame({"a": ["nan", None]}),
        pd.DataFrame({"a": ["b_c", "d"], "a_b": ["c", "d"]}),
        pd.DataFrame({"a": [1, "1"]}),
        pd.DataFrame({"a": ["b", "c"], "a_b": [1.0, 2.0]}),
    ):
        with pytest.raises(ValueError, match="two columns would be called"):
            pp.encode(pp.fit_encoding(frame), frame)


@pytest.mark.bad_input
def test_numbers_that_overflow_and_wrong_arguments_are_refused():
    large = pd.DataFrame({"a": [1e308, 1e308, -1e308]})
    with pytest.raises(OverflowError, match="does not fit into float32"):
        pp.to_array(large)
    with pytest.raises(OverflowError, match="squares overflow"):
        pp.fit_standardization(large)
    with pytest.raises(OverflowError, match="sum overflows"):
        pp.fit_imputation(large[:2])
    with pytest.raises(TypeError, match=r"expected a pandas\.DataFrame, got list"):
        pp.summarize([])
    with pytest.raises(TypeError, match="columns must be a list or a tuple, got 'ab'"):
        pp.select(large, "ab")
    with pytest.raises(ValueError, match="rows do not differ"):
        pp.fit_pca(np.ones((3, 2), np.float32), 1)
    with pytest.raises(TypeError, match="num_components must be a whole number"):
        pp.fit_pca(np.eye(3, dtype=np.float32), 0.5)  # scikit-learn would take a share of the variance
