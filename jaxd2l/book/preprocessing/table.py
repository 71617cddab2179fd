"""A whole table to one array."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxd2l.book.preprocessing.columns import select, to_array
from jaxd2l.book.preprocessing.encoding import Encoding, encode, fit_encoding
from jaxd2l.book.preprocessing.imputation import Imputation, Method, fit_imputation, impute
from jaxd2l.book.preprocessing.scaling import Standardization, fit_standardization, standardize

if TYPE_CHECKING:
    import pandas


class Preprocessing(NamedTuple):
    """The training columns, and everything learnt from them."""

    columns: tuple[str, ...]
    imputation: Imputation
    standardization: Standardization | None
    encoding: Encoding


def fit(
    train: "pandas.DataFrame", *, method: Method = "mean", standardized: bool = False, min_count: int = 1
) -> Preprocessing:
    """Learns everything that `apply` needs from the training rows. D2L 2.2.2, 5.7.4.

    Args:
      train: the input columns of the training rows, without the target.
      method: of `fit_imputation`: "mean", "median", "mode", "constant" (0) or "knn". In columns that are not numeric,
        missing values are a category of their own, unless the method is "mode".
      standardized: whether to standardise numbers. "knn" then measures distances in standard deviations.
      min_count: of `fit_encoding`.

    Raises:
      TypeError, ValueError, OverflowError: as for `fit_imputation`, `fit_standardization` and `fit_encoding`.

    >>> import pandas
    >>> fit(pandas.DataFrame({"rooms": [2.0, None], "roof": [None, "Slate"]})).imputation.fill
    {'rooms': 2.0}
    """
    encoding = fit_encoding(train, min_count=min_count)
    standardization = fit_standardization(train) if standardized else None
    scaled = standardize(standardization, train) if standardization else train
    return Preprocessing(tuple(train.columns), fit_imputation(scaled, method=method), standardization, encoding)


def features(preprocessing: Preprocessing, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """Any rows as numbers: standardised, filled in, one-hot, each column under its name. Other columns are ignored.

    Raises:
      KeyError: a column is missing.
      ValueError: a category unseen in training, or a column that was numeric in training and is not now.

    >>> import pandas
    >>> frame = pandas.DataFrame({"rooms": [2.0, None], "roof": [None, "Slate"]})
    >>> features(fit(frame), frame).columns.tolist()
    ['rooms', 'roof_Slate', 'roof_nan']
    """
    frame = select(frame, preprocessing.columns)
    if preprocessing.standardization:
        frame = standardize(preprocessing.standardization, frame)
    return encode(preprocessing.encoding, impute(preprocessing.imputation, frame))


def apply(preprocessing: Preprocessing, frame: "pandas.DataFrame") -> Float[np.ndarray, "n d"]:
    """The `features` of any rows as a float32 array. D2L 2.2.3.

    Raises:
      KeyError, ValueError: as for `features`.

    >>> import pandas
    >>> frame = pandas.DataFrame({"rooms": [2.0, None, 4.0], "roof": [None, None, "Slate"]})
    >>> apply(fit(frame), frame)
    array([[2., 0., 1.],
           [3., 0., 1.],
           [4., 1., 0.]], dtype=float32)
    """
    return to_array(features(preprocessing, frame))
