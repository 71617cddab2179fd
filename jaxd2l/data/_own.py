"""Your own data as a Dataset: arrays, or a table in a CSV file (D2L 2.2)."""

import os
from typing import Any, Literal

import numpy as np
from jaxtyping import PRNGKeyArray

from jaxd2l._checks.numbers import require_between, require_choice, require_inside
from jaxd2l._checks.runs import array, require_real_numbers
from jaxd2l._checks.values import require_finite
from jaxd2l.data._batching import shuffle
from jaxd2l.types import Batch, Dataset

Target = Literal["classes", "numbers", None]
"""What labels are: classes, numbers (a regression), or (None) whatever they look like, if there is no doubt."""

_MAX_CATEGORIES = 50


def from_arrays(
    inputs: Any,
    labels: Any,
    *,
    key: PRNGKeyArray,
    test: float = 0.2,
    validation: float = 0.0,
    target: Target = None,
) -> Dataset:
    """A training, a test and perhaps a validation set, drawn at random from your own examples. D2L 2.2, 3.6.3.

    Args:
      inputs: features (n, ...), which become float32, or images (n, height, width[, channels]), which stay uint8.
        Lists, tables of pandas and tensors of torch will do.
      labels: text or whole numbers for classes, which become 0..C-1 in their order, with their names in
        `class_names`; or floating-point numbers for targets, which become float32 (n, 1).
      key: decides which examples are in which set.
      test, validation: the fraction of the examples in these sets.
      target: "classes" or "numbers", where the labels could be either.

    Returns:
      The sets. To choose among settings without a look at the test set:
      `Dataset(dataset.train, dataset.validation, dataset.class_names)`.

    Raises:
      TypeError: inputs that are not real numbers, or a `key` that is none.
      ValueError: different numbers of inputs and labels, NaN, fractions that leave a set empty, or labels that could
        be classes as well as numbers.

    >>> X, y = np.arange(20.0).reshape(10, 2), ["cat", "dog"] * 5
    >>> dataset = from_arrays(X, y, key=jax.random.key(0), test=0.2, validation=0.1)
    >>> len(dataset.train.labels), len(dataset.test.labels), len(dataset.validation.labels), dataset.class_names
    (7, 2, 1, ('cat', 'dog'))
    """
    X, (y, names) = _features(array("inputs", inputs)), _labels(array("labels", labels), target)
    if len(X) != len(y):
        raise ValueError(f"there must be as many labels as inputs; got {len(y)} and {len(X)}")
    parts = np.split(np.asarray(shuffle(key, len(X))), np.cumsum(_sizes(len(X), test, validation)))
    tested, validated, trained = (Batch(X[part], y[part]) for part in parts)
    return Dataset(trained, tested, names, validated if validation else None)


def from_csv(
    path: str | os.PathLike[str],
    *,
    target: str,
    key: PRNGKeyArray,
    test: float = 0.2,
    validation: float = 0.0,
    kind: Target = None,
) -> Dataset:
    """A table with a line of names as `from_arrays` would make it of its columns. D2L 2.2, 5.7.

    Numbers are standardised with the mean and the standard deviation of the training set, and a column of text becomes
    a column of 0 and 1 for each of its values.

    Args:
      path: the CSV file.
      target: the name of the column to predict.
      key, test, validation: as for `from_arrays`.
      kind: "classes" or "numbers", where the target could be either.

    Raises:
      OSError: a file that cannot be read.
      ValueError: no such column, a cell without a value, text with more than 50 different values, or what
        `from_arrays` refuses.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "flowers.csv")
    ...     _ = path.write_text("length,colour,kind\\n1.5,red,a\\n2.5,blue,b\\n3.5,red,a\\n4.0,red,b\\n5.0,blue,a\\n")
    ...     dataset = from_csv(path, target="kind", key=jax.random.key(0))
    >>> dataset.train.inputs.shape, dataset.class_names
    ((4, 3), ('a', 'b'))
    """
    table = _read(path, target)
    X = np.concatenate([_encoded(str(name), table[name]) for name in table.columns if name != target], axis=1)
    dataset = from_arrays(X, table[target].to_numpy(), key=key, test=test, validation=validation, target=kind)
    mean, deviation = dataset.train.inputs.mean(axis=0), dataset.train.inputs.std(axis=0)

    def standardized(batch: Batch) -> Batch:
        return Batch((batch.inputs - mean) / np.where(deviation > 0, deviation, 1), batch.labels)

    held_out = None if dataset.validation is None else standardized(dataset.validation)
    return Dataset(standardized(dataset.train), standardized(dataset.test), dataset.class_names, held_out)


def _sizes(n: int, test: float, validation: float) -> tuple[int, int]:
    """How many of n examples are in the test and the validation set."""
    require_inside(0, 1, test=test)
    require_between(0, 1, validation=validation)
    sizes = max(1, round(test * n)), max(1, round(validation * n)) if validation else 0
    if sum(sizes) >= n:
        raise ValueError(f"test={test:g} and validation={validation:g} leave nothing to train on of {n} examples")
    return sizes


def _read(path: str | os.PathLike[str], target: str) -> Any:
    """The table as pandas reads it, without a gap, and with a column to predict and another to predict it from."""
    import pandas

    table = pandas.read_csv(path)
    if target not in table.columns:
        raise ValueError(f"{path} has no column {target!r}; its columns are {', '.join(map(str, table.columns))}")
    if len(table.columns) < 2:
        raise ValueError(f"{path} has no column besides {target!r} to predict it from")
    for name in table.columns[table.isna().any()]:
        line = int(np.flatnonzero(table[name].isna())[0]) + 2
        raise ValueError(f"{path} has no value in line {line}, column {name!r}; fill it in, or leave out the line")
    return table


def _encoded(name: str, column: Any) -> np.ndarray:
    """A column of numbers as it is, or one of text as a column of 0 and 1 for each of its values."""
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values.astype(np.float32)[:, None]
    categories = np.unique(values.astype(str))
    if len(categories) > _MAX_CATEGORIES:
        raise ValueError(
            f"the column {name!r} holds text with {len(categories)} different values; leave it out, or give it numbers"
        )
    return (values.astype(str)[:, None] == categories).astype(np.float32)


def _features(X: Any) -> np.ndarray:
    X = np.asarray(X)
    require_real_numbers("inputs", X)
    require_finite(inputs=X)
    if X.dtype == np.uint8 and X.ndim >= 3:
        return X[..., None] if X.ndim == 3 else X
    return X.astype(np.float32).reshape(len(X), -1) if X.ndim < 3 else X.astype(np.float32)


def _labels(y: Any, target: Target) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes from 0 with their names, or targets (n, 1) without."""
    require_choice(Target, target=target)
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise ValueError(f"labels must hold one class or number per example; got shape {y.shape}")
    if y.dtype.kind not in "biuf":
        if target == "numbers":
            raise ValueError(f"the labels are text, such as {str(y[0])!r}, and no numbers")
        names, classes = np.unique(y.astype(str), return_inverse=True)
        return classes.astype(np.int32), tuple(names.tolist())
    require_finite(labels=y)
    values, classes = np.unique(y, return_inverse=True)
    whole = not (y.astype(np.float64) % 1).any()
    if target is None and whole and (y.dtype.kind == "f" or (len(y) > 20 and 2 * len(values) > len(y))):
        raise ValueError(
            f"the labels are {len(values)} different whole numbers: say whether they are classes or numbers, with "
            "target='classes' or target='numbers' (from_csv: kind; in the shell: --kind)"
        )
    if target == "classes" and not whole:
        raise ValueError(f"the labels are no classes: one is {y[y % 1 != 0][0]}; use target='numbers' for a regression")
    if target == "numbers" or not whole:
        return y.astype(np.float32)[:, None], ()
    return classes.astype(np.int32), tuple(f"{value:g}" if y.dtype.kind == "f" else str(value) for value in values)
