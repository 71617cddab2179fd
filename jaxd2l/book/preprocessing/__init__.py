"""From a table to arrays (D2L 2.2): missing values, categories, scales. pandas and scikit-learn do the work.

`fit_*(train) -> fitted` learns a value, a NamedTuple, from the training rows; a function of `(fitted, frame)` applies
it to any rows. So test rows cannot influence it. No function changes a frame in place.

>>> import pandas
>>> houses = pandas.DataFrame({"NumRooms": [None, 2, 4, None], "RoofType": [None, None, "Slate", None]})
>>> apply(fit(houses), houses)  # NumRooms, RoofType_Slate, RoofType_nan
array([[3., 0., 1.],
       [2., 0., 1.],
       [4., 1., 0.],
       [3., 0., 1.]], dtype=float32)
"""

from jaxd2l.book.preprocessing.columns import MAX_CATEGORIES, Column, columns_present, select, summarize, to_array
from jaxd2l.book.preprocessing.encoding import OTHER, Encoding, encode, fit_encoding
from jaxd2l.book.preprocessing.imputation import Imputation, fit_imputation, impute
from jaxd2l.book.preprocessing.scaling import Pca, Standardization, fit_pca, fit_standardization, project, standardize
from jaxd2l.book.preprocessing.table import Preprocessing, apply, features, fit

__all__ = [
    "MAX_CATEGORIES",
    "OTHER",
    "Column",
    "Encoding",
    "Imputation",
    "Pca",
    "Preprocessing",
    "Standardization",
    "apply",
    "columns_present",
    "encode",
    "features",
    "fit",
    "fit_encoding",
    "fit_imputation",
    "fit_pca",
    "fit_standardization",
    "impute",
    "project",
    "select",
    "standardize",
    "summarize",
    "to_array",
]


def __dir__() -> list[str]:
    return __all__
