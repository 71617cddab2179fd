"""From a table to arrays (D2L 2.2): missing values, categories, scales. pandas and scikit-learn do the work.

What is learnt from the training rows is a value, a NamedTuple, and is applied to any rows: `fit_*(train) -> fitted`,
then a function of `(fitted, frame)`. So test rows cannot influence it. Frames are never changed in place.

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
