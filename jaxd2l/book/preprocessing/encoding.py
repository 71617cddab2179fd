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
    """The categories of each column that is not numeric, in order, and whether all others count as `OTHER`."""

    categories: dict[str, tuple[Any, ...]]
    has_other: bool


def fit_encoding(train: "pandas.DataFrame", min_count: int = 1) -> Encoding:
    """The categories of the columns that are not numeric, sorted. D2L 2.2.2.

    Args:
      train: the training rows.
      min_count: categories seen in fewer training rows are grouped as `OTHER`. If it is 1, there is no such group.

    Raises:
      ValueError: text (more than `MAX_CATEGORIES` categories would be left), dates, or `min_count` below 1.

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
    """One-hot: a column that is not numeric becomes one of 0 and 1 per category, and one that is 1 where it is missing.

    These come last and are called `column_category` and `column_nan`; `pandas.get_dummies(frame, dummy_na=True)`, with
    the categories of the training rows. D2L 2.2.2.

    Raises:
      KeyError: a column that is missing.
      ValueError: a category unseen in training, unless there is a group for others; or two columns of one name, such as
        those of the category "nan" and of what is missing.

    >>> import pandas
    >>> roof = pandas.DataFrame({"roof": ["Slate", None]})
    >>> encode(fit_encoding(roof), roof).to_dict("list")
    {'roof_Slate': [1.0, 0.0], 'roof_nan': [0.0, 1.0]}
    """
    select(frame, tuple(encoding.categories))
    numbers = frame.drop(columns=list(encoding.categories))
    indicators: dict[str, Any] = {}
    for name, categories in encoding.categories.items():
        series = frame[name]
        taken = [*map(str, numbers.columns), *indicators]
        other = (OTHER,) if encoding.has_other and OTHER not in categories else ()
        for own in (f"{name}_{category}" for category in (*categories, *other, "nan")):
            if own in taken:
                raise ValueError(f"two columns would be called {own!r}; rename the column {name!r} or its category")
            taken.append(own)
        indicators.update({f"{name}_{category}": series.isin([category]) for category in categories})
        is_other = series.notna() & ~series.isin(categories)
        if encoding.has_other:
            indicators[f"{name}_{OTHER}"] = is_other | indicators.get(f"{name}_{OTHER}", False)
        elif is_other.any():
            raise ValueError(
                f"column {name!r} has the category {series[is_other].iloc[0]!r}, unseen in training; "
                "fit with min_count=2 to group such as 'other'"
            )
        indicators[f"{name}_nan"] = series.isna()
    return numbers.assign(**{name: values.astype(np.float64) for name, values in indicators.items()})
