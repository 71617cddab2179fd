"""The columns of a table: what they hold, and how they become arrays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxd2l._checks.numbers import require_real, require_sequence

if TYPE_CHECKING:
    import pandas

Kind = Literal["numeric", "categorical", "text", "other"]

MAX_CATEGORIES = 50
"""A column of strings with more distinct values than this is text, not a category."""


class Column(NamedTuple):
    """What a column holds.

    name: its header.
    kind: "numeric" (booleans too), "categorical", "text" (more than `MAX_CATEGORIES` strings), "other" (dates...).
    missing: fraction of rows without a value.
    distinct: number of distinct values.
    """

    name: str
    kind: Kind
    missing: float
    distinct: int


def summarize(frame: "pandas.DataFrame") -> list[Column]:
    """Kind, missing fraction and number of distinct values of each column. D2L 2.2.2.

    Raises:
      TypeError: no data frame.
      ValueError: two columns of the same name.

    >>> import pandas
    >>> summarize(pandas.DataFrame({"rooms": [2.0, None], "roof": ["Slate", "Tile"]}))[0]
    Column(name='rooms', kind='numeric', missing=0.5, distinct=1)
    """
    require_unique(frame)
    return [
        Column(name, kind_of(series), float(series.isna().mean()) if len(series) else 0.0, int(series.nunique()))
        for name, series in frame.items()
    ]


def select(frame: "pandas.DataFrame", columns: Sequence[str]) -> "pandas.DataFrame":
    """The named columns, in this order. D2L 2.2.2.

    Raises:
      KeyError: there is no such column; the message lists those that exist.
      TypeError: no data frame, or names that are not in a list or tuple.
      ValueError: two columns of the same name.

    >>> import pandas
    >>> select(pandas.DataFrame({"a": [1], "b": [2]}), ["b"]).columns.tolist()
    ['b']
    """
    require_unique(frame)
    require_columns(frame, columns)
    return frame[list(columns)]


def columns_present(train: "pandas.DataFrame", max_missing: float) -> tuple[str, ...]:
    """Deletion: the columns with at most a fraction `max_missing` of missing values; `select` them from any rows.

    To delete rows, use pandas' own `frame.dropna()`. D2L 2.2.2.

    >>> import pandas
    >>> columns_present(pandas.DataFrame({"a": [1.0, 2.0], "b": [None, 2.0]}), max_missing=0.2)
    ('a',)
    """
    require_real(max_missing=max_missing)
    return tuple(column.name for column in summarize(train) if column.missing <= max_missing)


def to_array(frame: "pandas.DataFrame | pandas.Series") -> Float[np.ndarray, "..."]:
    """Numbers as float32, the dtype of JAX; the book's torch tensors are float64. D2L 2.2.3.

    Raises:
      TypeError: no data frame and no series.
      ValueError: a column that holds anything but numbers, or that has missing values.
      OverflowError: a number that float32 cannot hold.

    >>> import pandas
    >>> to_array(pandas.Series([127500, 106000], name="Price"))
    array([127500., 106000.], dtype=float32)
    """
    import pandas

    if not isinstance(frame, pandas.Series):
        require_frame(frame)
    if frame.ndim == 1:
        values = numbers(frame)
        if np.isnan(values).any():
            raise ValueError(f"column {frame.name!r} lacks {np.isnan(values).sum()} of its {len(values)} values")
        if (too_large := np.abs(values) > np.finfo(np.float32).max).any():
            raise OverflowError(f"column {frame.name!r} holds {values[too_large][0]}, which does not fit into float32")
        return values.astype(np.float32)
    columns = [to_array(series) for _, series in frame.items()]
    return np.stack(columns, -1) if columns else np.empty((len(frame), 0), np.float32)


def kind_of(series: "pandas.Series") -> Kind:
    import pandas.api.types as dtypes

    if dtypes.is_numeric_dtype(series.dtype) and not dtypes.is_complex_dtype(series.dtype):
        return "numeric"
    # Strings have the dtype str in pandas 3, and object before.
    if not (isinstance(series.dtype, dtypes.CategoricalDtype) or series.dtype == object or series.dtype == "string"):
        return "other"
    return "categorical" if series.nunique() <= MAX_CATEGORIES else "text"


def numeric_columns(frame: "pandas.DataFrame") -> tuple[str, ...]:
    """The names of the columns that hold numbers."""
    require_unique(frame)
    return tuple(name for name, series in frame.items() if kind_of(series) == "numeric")


def numbers(series: "pandas.Series") -> Float[np.ndarray, " n"]:
    """The column in float64, NaN where a value is missing."""
    if kind_of(series) != "numeric" and not series.isna().all():
        raise ValueError(f"column {series.name!r} must hold numbers, got dtype {series.dtype}")
    values = series.to_numpy(np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise ValueError(f"column {series.name!r} holds an infinite number")
    return values


def require_frame(frame: "pandas.DataFrame") -> None:
    import pandas

    if not isinstance(frame, pandas.DataFrame):
        raise TypeError(f"expected a pandas.DataFrame, got {type(frame).__name__}")


def require_unique(frame: "pandas.DataFrame") -> None:
    require_frame(frame)
    if not frame.columns.is_unique:
        raise ValueError(f"several columns have the name {frame.columns[frame.columns.duplicated()][0]!r}")


def require_columns(frame: "pandas.DataFrame", columns: Sequence[str]) -> None:
    require_sequence(columns=columns)
    if unknown := [name for name in columns if name not in frame.columns]:
        raise KeyError(f"no column {', '.join(map(repr, unknown))}; there are {', '.join(map(repr, frame.columns))}")
