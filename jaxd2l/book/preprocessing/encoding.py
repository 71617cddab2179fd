"""Categories as numbers: one-hot."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxd2l._checks.numbers import require_whole
from jaxd2l.book.preprocessing.columns import MAX_CATEGORIES, kind_of, require_unique, select

if TYPE_CHECKING:
    import pandas

OTHER = "other"
"""The category of rare values."""


class Encoding(NamedTuple):
    """The categories of each column that is not numeric, in order, and whether all other values count as `OTHER`."""

    categories: dict[str, tuple[Any, ...]]
    has_other: bool


def fit_encoding(train: "pandas.DataFrame", *, min_count: int = 1) -> Encoding:
    """The categories of the columns that are not numeric, sorted. D2L 2.2.2.

    Args:
      train: the training rows.
      min_count: categories with fewer training rows form the group `OTHER`. With 1 there is no such group.

    Raises:
      TypeError: no data frame, or a `min_count` that is not a whole number.
      ValueError: text (with more than `MAX_CATEGORIES` categories left), dates, or a `min_count` below 1.

    >>> import pandas
    >>> fit_encoding(pandas.DataFrame({"roof": ["Tile", "Slate", "Tile", None]}), min_count=2)
    Encoding(categories={'roof': ('Tile',)}, has_other=True)
    """
    require_unique(train)
    require_whole(1, min_count=min_count)
    categories = {}
    for name, series in train.items():
        kind = kind_of(series)
        if kind == "numeric":
            continue
        counts = series.value_counts()
        kept = tuple(sorted(counts.index[counts >= min_count], key=str))
        if kind == "other" or len(kept) > MAX_CATEGORIES:
            raise ValueError(f"column {name!r} ({kind}, {series.dtype}, {len(counts)} values) has no categories")
        categories[name] = kept
    return Encoding(categories, min_count > 1)


def encode(encoding: Encoding, frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """One-hot: a column of 0 and 1 per category and one for missing values, for each column that is not numeric.

    The new columns come last. Their names are `column_category` and `column_nan`, as in
    `pandas.get_dummies(frame, dummy_na=True)`, but the categories are those of the training rows. D2L 2.2.2.

    Raises:
      KeyError: a column is missing.
      ValueError: a category unseen in training, unless there is a group for others; or two columns of the same name,
        such as those of the category "nan" and of missing values.

    >>> import pandas
    >>> roof = pandas.DataFrame({"roof": ["Slate", None]})
    >>> encode(fit_encoding(roof), roof).to_dict("list")
    {'roof_Slate': [1.0, 0.0], 'roof_nan': [0.0, 1.0]}
    """
    select(frame, tuple(encoding.categories))
    numbers = frame.drop(columns=list(encoding.categories))
    taken, indicators = [*map(str, numbers.columns)], {}
    for name, categories in encoding.categories.items():
        for category, values in _indicators(frame[name], categories, encoding.has_other):
            own = f"{name}_{category}"
            if own in taken:
                raise ValueError(f"two columns would be called {own!r}; rename the column {name!r} or its category")
            taken.append(own)
            indicators[own] = values.astype(np.float64)
    return numbers.assign(**indicators)


def _indicators(
    series: "pandas.Series", categories: tuple[Any, ...], has_other: bool
) -> list[tuple[Any, "pandas.Series"]]:
    """Each category with the rows that it covers; then `OTHER`, if there is such a group, and missing values."""
    found = [(category, series.isin([category])) for category in categories]
    is_other = series.notna() & ~series.isin(categories)
    if has_other and OTHER in categories:
        found = [(category, rows | is_other if category == OTHER else rows) for category, rows in found]
    elif has_other:
        found.append((OTHER, is_other))
    elif is_other.any():
        raise ValueError(
            f"column {series.name!r} has the category {series[is_other].iloc[0]!r}, unseen in training; "
            "fit with min_count=2 to have a group for such categories"
        )
    return [*found, ("nan", series.isna())]
