"""Checks of options that many functions share: sizes, numbers, flags, axes. Without JAX, which tables do without."""

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

_MOST = 2**31 - 1  # what an int32 index can count


def require_whole(least: int | None, **values: Any) -> None:
    """Sizes and counts: integers of Python or NumPy from `least` on; None if the caller looks at their range.

    >>> require_whole(1, batch_size=2.5)
    Traceback (most recent call last):
    TypeError: batch_size must be a whole number, got 2.5
    """
    for name, value in values.items():
        try:
            whole = operator.index(value)
        except TypeError:
            raise TypeError(f"{name} must be a whole number, got {value!r}") from None
        if least is not None and whole < least:
            raise ValueError(f"{name} must be at least {least}, got {whole}")
        if abs(whole) > _MOST:
            raise ValueError(f"{name} must be at most {_MOST}, got {whole}")


def require_real(**values: Any) -> None:
    """Real numbers: of Python, or arrays without axes, traced ones too. NaN is one; its range is the caller's to check.

    >>> require_real(momentum="0.9")
    Traceback (most recent call last):
    TypeError: momentum must be a real number, got '0.9'
    """
    for name, value in values.items():
        is_array = getattr(value, "ndim", None) == 0 and is_real(value.dtype)
        if not (is_array or isinstance(value, numbers.Real)):
            raise TypeError(f"{name} must be a real number, got {value!r}")


def require_positive(**values: Any) -> None:
    """Finite numbers above 0.

    >>> require_positive(gain=0.0)
    Traceback (most recent call last):
    ValueError: gain must be positive and finite, got 0.0
    """
    require_real(**values)
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")


def require_not_negative(**values: Any) -> None:
    """Finite numbers from 0 on.

    >>> require_not_negative(weight_decay=-0.1)
    Traceback (most recent call last):
    ValueError: weight_decay must be finite and not negative, got -0.1
    """
    require_real(**values)
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and not negative, got {value}")


def require_probability(**values: Any) -> None:
    """Numbers from 0 to 1, both included.

    >>> require_probability(rate=1.5)
    Traceback (most recent call last):
    ValueError: rate must be a probability, in [0, 1], got 1.5
    """
    require_real(**values)
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability, in [0, 1], got {value}")


def require_choice(options: Sequence[Any], **values: Any) -> None:
    """One of a few options; those of a `Literal` are its `typing.get_args`.

    >>> require_choice(("none", "mean", "sum"), reduction="max")
    Traceback (most recent call last):
    ValueError: reduction must be 'none', 'mean' or 'sum', got 'max'
    """
    for name, value in values.items():
        if not any(isinstance(value, type(option)) and value == option for option in options):
            *others, last = map(repr, options)
            expected = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"{name} must be {expected}, got {value!r}")


def require_flags(**values: Any) -> None:
    """True or False and nothing else: the text "no" would count as true.

    >>> require_flags(nesterov="no")
    Traceback (most recent call last):
    TypeError: nesterov must be True or False, got 'no'
    """
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def require_axis(axis: Any, num_axes: int) -> None:
    """An axis that is there, a tuple of such, or None for all.

    >>> require_axis(2, num_axes=2)
    Traceback (most recent call last):
    ValueError: there is no axis 2: the array has 2 axes
    """
    for each in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        try:
            is_there = -num_axes <= operator.index(each) < num_axes
        except TypeError:
            raise TypeError(f"an axis is an integer, got {each!r}") from None
        if not is_there:
            raise ValueError(f"there is no axis {each}: the array has {num_axes} axes")


def is_real(dtype: Any) -> bool:
    """Whether it is a dtype of real numbers, booleans and bfloat16 included."""
    return isinstance(dtype, np.dtype) and dtype.name.startswith(("bool", "int", "uint", "float", "bfloat"))
