"""Filling in missing values."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxd2l._checks.numbers import require_choice, require_whole
from jaxd2l.book.preprocessing.columns import numbers, numeric_columns, select

if TYPE_CHECKING:
    import pandas

Method = Literal["mean", "median", "mode", "constant", "knn"]


class Imputation(NamedTuple):
    """What to fill in for missing values.

    method: how it was chosen.
    fill: one value per column; empty for "knn".
    columns: for "knn", the columns to compare and to fill.
    donors: for "knn", these columns of the training rows (n, columns); otherwise (0, 0).
    neighbors: for "knn", how many donors to average over.
    """

    method: Method
    fill: dict[str, Any]
    columns: tuple[str, ...]
    donors: Float[np.ndarray, "n columns"]
    neighbors: int


def fit_imputation(
    train: "pandas.DataFrame", *, method: Method = "mean", constant: Any = 0.0, neighbors: int = 5
) -> Imputation:
    """Learns from the training rows what to fill in for missing values. D2L 2.2.2.

    Args:
      train: the training rows.
      method: for numeric columns "mean", "median" or "knn", the mean over the rows whose other numbers are nearest
        (`sklearn.impute.KNNImputer`; standardise the columns first). For all columns "mode", the most frequent value.
        "constant" fills the numeric columns if the constant is a number, and the others if it is not.
      constant: for "constant".
      neighbors: for "knn".

    Raises:
      TypeError: no data frame, or a number of neighbours that is not whole.
      ValueError: a column without any value, unless it gets a constant; or an unknown method.
      OverflowError: numbers whose sum overflows.

    >>> import pandas
    >>> fit_imputation(pandas.DataFrame({"rooms": [None, 2.0, 4.0, None]})).fill
    {'rooms': 3.0}
    """
    require_choice(Method, method=method)
    require_whole(1, neighbors=neighbors)
    numeric = numeric_columns(train)
    if method == "constant":
        is_number = isinstance(constant, (int, float))
        return _filling(method, {name: constant for name in train if (name in numeric) == is_number})
    _require_values(train[list(train if method == "mode" else numeric)])
    if method == "mode":
        modes = {name: series.mode().iloc[0] for name, series in train.items()}  # the smallest of equally frequent ones
        return _filling(method, {name: float(mode) if name in numeric else mode for name, mode in modes.items()})
    if method == "knn":
        donors = np.stack([numbers(train[name]) for name in numeric], -1) if numeric else np.empty((len(train), 0))
        return Imputation(method, {}, numeric, donors, neighbors)
    return _filling(method, {name: _average(train[name], method) for name in numeric})


def _require_values(train: "pandas.DataFrame") -> None:
    for name, series in train.items():
        if series.isna().all():
            raise ValueError(f"column {name!r} has no value in the training rows; leave it out or fill in a constant")


def _average(series: "pandas.Series", method: Method) -> float:
    with np.errstate(over="ignore"):
        average = float((np.nanmean if method == "mean" else np.nanmedian)(numbers(series)))
    if np.isinf(average):
        raise OverflowError(f"column {series.name!r} holds numbers whose sum overflows")
    return average


def impute(imputation: Imputation, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """Fills in the missing values of any rows. Numeric columns become float64; others keep their dtype.

    Raises:
      KeyError: a column is missing.
      ValueError: a column was numeric in training and is not now.

    >>> import pandas
    >>> rooms = pandas.DataFrame({"rooms": [None, 2.0, 4.0, None]})
    >>> impute(fit_imputation(rooms), rooms)["rooms"].tolist()
    [3.0, 2.0, 4.0, 3.0]
    """
    names = (*imputation.columns, *imputation.fill)
    select(frame, names)
    filled = {name: _filled(frame[name], value) for name, value in imputation.fill.items()}
    if imputation.columns and len(frame):
        from sklearn.impute import KNNImputer

        rows = np.stack([numbers(frame[name]) for name in imputation.columns], -1)
        knn = KNNImputer(n_neighbors=imputation.neighbors).fit(imputation.donors)
        filled = dict(zip(imputation.columns, knn.transform(rows).T, strict=True))
    return frame.assign(**filled)


def _filling(method: Method, fill: dict[str, Any]) -> Imputation:
    return Imputation(method, fill, (), np.empty((0, 0)), 0)


def _filled(series: "pandas.Series", value: Any) -> Any:
    if isinstance(value, (int, float)):
        values = numbers(series)
        return np.where(np.isnan(values), value, values)
    return series.astype(object).where(series.notna(), value)
