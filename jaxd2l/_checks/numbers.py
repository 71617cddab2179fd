"""Checks of single values: numbers, flags, choices, axes. Without JAX, which tables do not need."""

import inspect
import math
import numbers
import operator
import re
import sys
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

_MAX_INT32 = 2**31 - 1


def require_whole(minimum: int | None, **values: Any) -> None:
    """Sizes and counts: integers of Python or NumPy, at least `minimum`; None if the caller checks the range.

    >>> require_whole(1, batch_size=2.5)
    Traceback (most recent call last):
    TypeError: batch_size must be a whole number, got 2.5
    """
    for name, value in values.items():
        try:
            whole = operator.index(value)
        except TypeError:
            whole = None
        if whole is None or isinstance(value, bool):  # NumPy's booleans are no index either
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if minimum is not None and whole < minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {whole}")
        if abs(whole) > _MAX_INT32:
            raise ValueError(f"{name} must be at most {_MAX_INT32}, got {whole}")


def require_whole_between(low: int, high: int, **values: Any) -> None:
    """Whole numbers from `low` to `high`, both included.

    >>> require_whole_between(2, 10, k=11)
    Traceback (most recent call last):
    ValueError: k must be a whole number from 2 to 10, got 11
    """
    require_whole(None, **values)
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value}")


def require_all_whole(minimum: int | None, **sequences: Any) -> None:
    """Lists or tuples of whole numbers, each at least `minimum`.

    >>> require_all_whole(1, num_hiddens=(256, 0))
    Traceback (most recent call last):
    ValueError: num_hiddens[1] must be at least 1, got 0
    """
    require_sequence(**sequences)
    for name, values in sequences.items():
        require_whole(minimum, **{f"{name}[{i}]": value for i, value in enumerate(values)})


def require_sequence(**values: Any) -> None:
    """Lists, tuples and other sequences, but no text, whose elements would be its letters.

    >>> require_sequence(seeds=3)
    Traceback (most recent call last):
    TypeError: seeds must be a list or a tuple, got 3
    """
    for name, value in values.items():
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise TypeError(f"{name} must be a list or a tuple, got {value!r}")


def require_real(**values: Any) -> None:
    """Real numbers: Python's, or arrays without axes, traced ones too. NaN counts; the caller checks the range.

    >>> require_real(momentum="0.9")
    Traceback (most recent call last):
    TypeError: momentum must be a real number, got '0.9'
    """
    for name, value in values.items():
        is_array = getattr(value, "ndim", None) == 0 and is_real(value.dtype)
        if not (is_array or isinstance(value, numbers.Real)):
            raise TypeError(f"{name} must be a real number, got {value!r}")


def finite_number(name: str, value: Any) -> Any:
    """A real number as it is, neither infinite nor NaN.

    >>> finite_number("b", math.nan)
    Traceback (most recent call last):
    ValueError: b must be finite, got nan
    """
    require_real(**{name: value})
    if not is_traced(value) and not -math.inf < value < math.inf:
        raise ValueError(f"{name} must be finite, got {value}")
    return value


def require_between(low: float | int, high: float | int, **values: Any) -> None:
    """Real numbers from `low` to `high`, both included. A traced number has no value to check, and passes.

    >>> require_between(0, 1, rate=1.5)
    Traceback (most recent call last):
    ValueError: rate must lie in [0, 1], got 1.5
    >>> require_between(1, math.inf, p=0.5)
    Traceback (most recent call last):
    ValueError: p must be at least 1, got 0.5
    """
    require_real(**values)
    for name, value in values.items():
        if not is_traced(value) and not low <= value <= high:
            limits = f"be at least {low}" if high == math.inf else f"lie in [{low}, {high}]"
            raise ValueError(f"{name} must {limits}, got {value}")


def require_inside(low: float | int, high: float | int, **values: Any) -> None:
    """Real numbers between `low` and `high`, neither included.

    >>> require_inside(0, 1, confidence=1.0)
    Traceback (most recent call last):
    ValueError: confidence must lie in (0, 1), got 1.0
    """
    require_real(**values)
    for name, value in values.items():
        if not is_traced(value) and not low < value < high:
            raise ValueError(f"{name} must lie in ({low}, {high}), got {value}")


def require_positive(**values: Any) -> None:
    """Positive finite numbers.

    >>> require_positive(gain=0)
    Traceback (most recent call last):
    ValueError: gain must be positive and finite, got 0
    """
    require_real(**values)
    for name, value in values.items():
        if not is_traced(value) and not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")


def require_not_negative(**values: Any) -> None:
    """Finite numbers from 0 on.

    >>> require_not_negative(noise=-0.1)
    Traceback (most recent call last):
    ValueError: noise must not be negative, infinite or NaN, got -0.1
    """
    require_real(**values)
    for name, value in values.items():
        if not is_traced(value) and not 0 <= value < math.inf:
            raise ValueError(f"{name} must not be negative, infinite or NaN, got {value}")


def require_flags(**values: Any) -> None:
    """True or False and nothing else: the text "no" would count as true.

    >>> require_flags(nesterov="no")
    Traceback (most recent call last):
    TypeError: nesterov must be True or False, got 'no'
    """
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def require_choice(options: Any, **values: Any) -> None:
    """One of a few texts (or None); `options` is a `Literal`, or a list of them.

    >>> require_choice(("none", "mean", "sum"), reduction="max")
    Traceback (most recent call last):
    ValueError: reduction must be 'none', 'mean' or 'sum', got 'max'
    """
    *others, last = get_args(options) or options
    for name, value in values.items():
        if not isinstance(value, str | None) or value not in (*others, last):
            expected = f"{', '.join(map(repr, others))} or {last!r}" if others else repr(last)
            raise ValueError(f"{name} must be {expected}, got {value!r}")


def require_callable(**values: Any) -> None:
    """Functions, or what can be called like one, as JAX needs them: as keys of its cache of compiled programs.

    >>> require_callable(activation="tanh")
    Traceback (most recent call last):
    TypeError: activation must be a function, got 'tanh'
    """
    for name, value in values.items():
        if not callable(value):
            raise TypeError(f"{name} must be a function, got {value!r}")
        if library(value) == "torch":
            raise TypeError(f"{name} must be a function of JAX arrays, got torch's {value!r}")
        if value.__hash__ is None:
            raise TypeError(f"{name} must be hashable, so that JAX can remember what it compiled; got {value!r}")


def require_form(form: str, function: Any) -> None:
    """A function that can be called as the form says; after a star, with arguments of these names.

    >>> require_form("loss(outputs, labels)", lambda x: x)
    Traceback (most recent call last):
    TypeError: loss must be a function loss(outputs, labels); got one with the arguments (x)
    """
    name, _, rest = form.partition("(")
    operands, _, options = rest.rstrip(")").partition("*")
    require_callable(**{name: function})
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none
        return
    try:
        signature.bind(*re.findall(r"\w+", operands), **dict.fromkeys(re.findall(r"\w+", options)))
    except TypeError:
        arguments = ", ".join(signature.parameters)
        raise TypeError(f"{name} must be a function {form}; got one with the arguments ({arguments})") from None


def require_kind(kind: type, **values: Any) -> None:
    """Instances of a class.

    >>> require_kind(dict, grid=[0.1])
    Traceback (most recent call last):
    TypeError: grid must be a dict, got list
    """
    for name, value in values.items():
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def require_axis(axis: Any, num_axes: int) -> None:
    """An axis that exists, a tuple of such, or None for all.

    >>> require_axis(2, num_axes=2)
    Traceback (most recent call last):
    ValueError: there is no axis 2: the array has 2 axes
    """
    for each in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        try:
            exists = -num_axes <= operator.index(each) < num_axes
        except TypeError:
            raise TypeError(f"an axis must be an integer, got {each!r}") from None
        if not exists:
            raise ValueError(f"there is no axis {each}: the array has {num_axes} axes")


def is_real(dtype: Any) -> bool:
    """Whether this is a dtype of real numbers; booleans and bfloat16 count."""
    return isinstance(dtype, np.dtype) and dtype.name.startswith(("bool", "int", "uint", "float", "bfloat"))


def is_traced(value: Any) -> bool:
    """Whether JAX is tracing the value, so that there is nothing to look at yet."""
    return "jax" in sys.modules and isinstance(value, sys.modules["jax"].core.Tracer)


def library(value: Any) -> str:
    """The package that a value, or a class or function, comes from. It need not be imported to be recognised."""
    names = (getattr(value, "__module__", None), type(value).__module__, str(getattr(value, "__qualname__", "")))
    if names[2].startswith("_VariableFunctions"):  # torch.tanh, which names no module
        return "torch"
    return next((name.split(".")[0] for name in names[:2] if isinstance(name, str) and name != "builtins"), "")
