"""Numbers on a common scale, and in fewer dimensions."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxd2l._checks.numbers import is_real, require_whole_between
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l.book.preprocessing.columns import numbers, numeric_columns, select

if TYPE_CHECKING:
    import pandas

_LARGEST = 1e150
"""float64 cannot hold the square of a much larger number."""


class Standardization(NamedTuple):
    """Mean and standard deviation (n - 1) of each numeric column; 1 for a column that does not vary."""

    mean: dict[str, float]
    std: dict[str, float]


class Pca(NamedTuple):
    """Principal components.

    mean: of the training rows, (d,).
    components: orthonormal directions of largest variance, one per row, (k, d).
    explained: the share of the variance that each explains, (k,).
    """

    mean: Float[np.ndarray, " d"]
    components: Float[np.ndarray, "k d"]
    explained: Float[np.ndarray, " k"]


def fit_standardization(train: "pandas.DataFrame") -> Standardization:
    """Mean and standard deviation of the numeric columns, ignoring missing values. D2L 5.7.4.

    Raises:
      TypeError: no data frame.
      ValueError: a numeric column without any value.
      OverflowError: numbers whose squares overflow.

    >>> import pandas
    >>> fit_standardization(pandas.DataFrame({"a": [1.0, 2.0, 3.0, None]}))
    Standardization(mean={'a': 2.0}, std={'a': 1.0})
    """
    moments = {name: _mean_and_std(train[name]) for name in numeric_columns(train)}
    return Standardization({name: m for name, (m, _) in moments.items()}, {name: s for name, (_, s) in moments.items()})


def _mean_and_std(series: "pandas.Series") -> tuple[float, float]:
    values = numbers(series)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError(f"column {series.name!r} has no value in the training rows; leave it out")
    if np.abs(values).max() > _LARGEST:
        raise OverflowError(f"column {series.name!r} holds numbers beyond {_LARGEST:g}, whose squares overflow")
    # The mean of equal numbers may be rounded, and their deviation then not quite 0.
    return float(values.mean()), float(values.std(ddof=1)) if np.ptp(values) > 0 else 1.0


def standardize(standardization: Standardization, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """`(x - mean) / std` in the numeric columns of any rows; missing values stay missing. D2L 5.7.4.

    Raises:
      KeyError: a column is missing.
      ValueError: a column was numeric in training and is not now.

    >>> import pandas
    >>> a = pandas.DataFrame({"a": [1.0, 2.0, 3.0]})
    >>> standardize(fit_standardization(a), a)["a"].tolist()
    [-1.0, 0.0, 1.0]
    """
    mean, std = standardization
    select(frame, tuple(mean))
    return frame.assign(**{name: (numbers(frame[name]) - mean[name]) / std[name] for name in mean})


def fit_pca(train: Float[np.ndarray, "n d"], num_components: int) -> Pca:
    """The directions in which the training rows vary most; `sklearn.decomposition.PCA`. D2L 2.2.2.

    Args:
      train: numbers without gaps, as `apply` returns them.
      num_components: k, at most min(n, d).

    Raises:
      TypeError: entries that are not real numbers, or a number of components that is not whole.
      ValueError: too many components, NaN or infinity, or rows that do not differ.

    >>> fit_pca(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], np.float32), 1).explained
    array([1.])
    """
    from sklearn.decomposition import PCA

    train = _different(_rows("train", train))
    require_whole_between(1, min(train.shape), num_components=num_components)
    pca = PCA(num_components, svd_solver="full").fit(train)
    return Pca(pca.mean_, pca.components_, pca.explained_variance_ratio_)


def project(pca: Pca, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Coordinates of any rows along the components, `(x - mean) components^T`.

    Raises:
      TypeError: entries that are not real numbers.
      ValueError: another number of columns than in training, NaN or infinity.

    >>> pca = fit_pca(np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), 1)
    >>> np.abs(project(pca, np.array([[6.0, 8.0]], np.float32)))
    array([[7.5]], dtype=float32)
    """
    rows = _rows("rows", rows)
    require_shapes(f"n {len(pca.mean)}", rows=rows)
    return ((rows - pca.mean) @ pca.components.T).astype(np.float32)


def _rows(name: str, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """A matrix of finite numbers, in float64."""
    rows = np.asarray(rows)
    if not is_real(rows.dtype):
        raise TypeError(f"{name} must hold real numbers, got {rows.dtype}")
    require_shapes("n d", **{name: rows})
    require_not_empty(None, **{name: rows})
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} holds NaN or infinity; remove or impute such values first")
    return rows.astype(np.float64)


def _different(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    if not np.ptp(rows, axis=0).any():
        raise ValueError("the rows do not differ, so there is no direction in which they vary")
    return rows
