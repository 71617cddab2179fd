"""Checks of shapes, in the language of the annotations. Without JAX."""

from typing import Any

import numpy as np

_Sizes = dict[str, int | tuple[int, ...]]


def require_shapes(pattern: str, **arrays: Any) -> None:
    """The arrays have the shapes of the pattern, in which one name stands for one size everywhere.

    `n`, `classes`, ...: any size. `n>=1`: at least 1. `1`, `2`, ...: that size. `*batch`, only as the first of its
    shape: any number of axes.

    >>> X, y = np.zeros((5, 3)), np.zeros(5)
    >>> require_shapes("n d, n", inputs=X, targets=y)
    >>> require_shapes("n d, n 1", inputs=X, targets=y)
    Traceback (most recent call last):
    ValueError: inputs and targets must have shapes (n, d) and (n, 1); got (5, 3) and (5,)
    >>> require_shapes("*batch classes, *batch", logits=X, labels=np.zeros((5, 1)))
    Traceback (most recent call last):
    ValueError: logits and labels must have shapes (*batch, classes) and (*batch,); got (5, 3) and (5, 1)
    """
    specs = [spec.split() for spec in pattern.split(",")]
    shapes = [np.shape(array) for array in arrays.values()]
    sizes: _Sizes = {}
    if not all(_fits(spec, shape, sizes) for spec, shape in zip(specs, shapes, strict=True)):
        expected = [f"({', '.join(spec)}{',' * (len(spec) == 1)})" for spec in specs]
        rule = f"shapes {_listed(expected)}"
        if len(set(expected)) == 1:
            rule = f"{'the same ' * (len(arrays) > 1)}shape {expected[0]}"
        raise ValueError(f"{_listed(arrays)} must have {rule}; got {_listed(map(str, shapes))}")


def require_not_empty(axis: int | None, **arrays: Any) -> None:
    """At least one element along this axis, or along every axis with None.

    >>> require_not_empty(None, source=np.zeros((0, 3)))
    Traceback (most recent call last):
    ValueError: source must not be empty, got shape (0, 3)
    """
    for name, array in arrays.items():
        shape = np.shape(array)
        if 0 in (shape if axis is None else (shape[axis],)):
            raise ValueError(f"{name} must not be empty, got shape {shape}")


def _fits(spec: list[str], shape: tuple[int, ...], sizes: _Sizes) -> bool:
    """Whether the shape follows its part of the pattern; the sizes of new names are noted."""
    if spec and spec[0].startswith("*"):
        split = len(shape) - len(spec) + 1
        if split < 0 or sizes.setdefault(spec[0], shape[:split]) != shape[:split]:
            return False
        spec, shape = spec[1:], shape[split:]
    return len(spec) == len(shape) and all(_has_size(*axis, sizes) for axis in zip(spec, shape, strict=True))


def _has_size(axis: str, size: int, sizes: _Sizes) -> bool:
    name, _, minimum = axis.partition(">=")
    expected = int(name) if name.isdecimal() else sizes.setdefault(name, size)
    return size == expected and size >= int(minimum or 0)


def _listed(words: Any) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
