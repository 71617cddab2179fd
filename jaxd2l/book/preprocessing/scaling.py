"""Numbers on a common scale, and in fewer dimensions."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxd2l._checks.numbers import is_real, require_whole
from jaxd2l.book.preprocessing.columns import kind_of, numbers, require_unique, select

if TYPE_CHECKING:
    import pandas


_LARGEST = 1e150
"""The square of a larger number is no float64."""


class Standardization(NamedTuple):
    """Mean and standard deviation (n - 1) of each numeric column; 1 for a column that does not vary."""

    mean: dict[str, float]
    std: dict[str, float]


class Pca(NamedTuple):
    """Principal components.

    mean: of the training rows, (d,).
    components: orthonormal directions of largest variance, in rows, (k, d).
    explained: the share of the variance that each explains, (k,).
    """

    mean: Float[np.ndarray, " d"]
    components: Float[np.ndarray, "k d"]
    explained: Float[np.ndarray, " k"]


def fit_standardization(train: "pandas.DataFrame") -> Standardization:
    """Mean and standard deviation of the numeric columns, of the values that are there. D2L 5.7.4.

    Raises:
      ValueError: a numeric column without any value.
      OverflowError: numbers whose squares overflow.

    >>> import pandas
    >>> fit_standardization(pandas.DataFrame({"a": [1.0, 2.0, 3.0, None]}))
    Standardization(mean={'a': 2.0}, std={'a': 1.0})
    """
    require_unique(train)
    mean, std = {}, {}
    for name, series in train.items():
        if kind_of(series) == "numeric":
            values = numbers(series)
            values = values[~np.isnan(values)]
            if not len(values):
                raise ValueError(f"column {name!r} has no value in the training rows; leave it out")
            if np.abs(values).max() > _LARGEST:
                raise OverflowError(f"column {name!r} holds numbers beyond {_LARGEST:g}, whose squares overflow")
            mean[name] = float(values.mean())
            # Equal numbers can have a mean that is rounded, and then a deviation that is not quite 0.
            std[name] = float(values.std(ddof=1)) if np.ptp(values) > 0 else 1.0
    return Standardization(mean, std)


def standardize(standardization: Standardization, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """`(x - mean) / std` in the numeric columns of any rows; what is missing stays missing. D2L 5.7.4.

    Raises:
      KeyError: a column that is missing.
      ValueError: a column that was numeric in training and is not.

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
      train: numbers without gaps, as `apply` gives them.
      num_components: k, at most min(n, d).

    Raises:
      ValueError: more components than that, NaN or infinity, or rows that do not differ.

    >>> fit_pca(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], np.float32), 1).explained
    array([1.])
    """
    from sklearn.decomposition import PCA

    train = _rows("train", train)
    require_whole(1, num_components=num_components)
    if num_components > min(train.shape):
        raise ValueError(f"there are at most {min(train.shape)} components, got num_components={num_components}")
    if not np.ptp(train, axis=0).any():
        raise ValueError("the rows do not differ, so there is no direction in which they vary")
    pca = PCA(num_components, svd_solver="full").fit(train)
    return Pca(pca.mean_, pca.components_, pca.explained_variance_ratio_)


def project(pca: Pca, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Coordinates of any rows along the components, `(x - mean) components^T`.

    >>> pca = fit_pca(np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), 1)
    >>> np.abs(project(pca, np.array([[6.0, 8.0]], np.float32)))
    array([[7.5]], dtype=float32)
    """
    rows = _rows("rows", rows)
    if rows.shape[1] != len(pca.mean):
        raise ValueError(f"rows must have the {len(pca.mean)} columns of the training rows; got shape {rows.shape}")
    return ((rows - pca.mean) @ pca.components.T).astype(np.float32)


def _rows(name: str, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """In float64, or refused: what is no matrix of finite numbers."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.size or not is_real(rows.dtype):
        raise ValueError(f"{name} must be numbers of shape (n, d); got {rows.dtype} of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} holds NaN or infinity; remove or impute such values first")
    return rows.astype(np.float64)
