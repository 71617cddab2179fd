"""Arguments for the fuzz tests, good ones mixed with hostile ones, and the law that every call must keep.

A call may raise if the message helps a person, or return if the result is right. Anything else is a defect: an error
of the interpreter such as "'str' object has no attribute 'shape'", or a wrong number.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

EXAMPLES = 12
"""Calls per function. A longer hunt: raise it."""

CLEAR = (ValueError, TypeError, LookupError, OverflowError, OSError)
"""What a function may raise. LookupError: IndexError and KeyError too."""

OBSCURE = re.compile(
    "has no attribute|out of range$|not supported between|math domain|division by zero|not subscriptable|not iterable"
    "|truth value|cannot unpack|not enough values|too many values|must be real number,"
    "|has no len|unsized object|argument of type|Numerical result|infinity to integer"
    "|NaN to integer|cannot be interpreted as an integer|indices must be integers or slices|unhandled|internal"
    "|assert|zero-size array"
)
"""Messages of the interpreter or of NumPy: true, but they name neither the argument nor what was expected."""

SHAPES = ((), (0,), (1,), (3,), (3, 1), (2, 3), (0, 3), (3, 0), (2, 2), (2, 2, 3))
EXTREMES = (np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-40, 0.0, -0.0, 1.0, -1.0, 0.5, 200.0)
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool", "complex64")
JUNK = (None, "three", b"3", 1j, [], [[1.0], [2.0, 3.0]], {"a": 1}, np.array(["a", "b", "c"]), np.array([None, 1, {}]))


class Case(NamedTuple):
    """One public function, what to pass for each of its arguments, and how to judge the result.

    right: takes the result and the arguments, and raises AssertionError if the result is wrong.
    also: further exceptions that the function's docstring lists.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, st.SearchStrategy[Any]]
    optional: Mapping[str, st.SearchStrategy[Any]] = {}  # read only
    right: Callable[..., None] | None = None
    also: tuple[type[Exception], ...] = ()

    def calls(self) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries(dict(self.arguments), optional=dict(self.optional))


def keep_the_law(case: Case, arguments: dict[str, Any]) -> None:
    """Either a right result, or an error that says what was wrong."""
    try:
        with jax.numpy_dtype_promotion("standard"):  # as users have it: what strict mode refuses passes silently there
            result = jax.block_until_ready(case.function(**arguments))
    except (*CLEAR, *case.also) as error:
        require_clear(error)
        return
    if case.right is not None:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what NumPy says of the reference
            case.right(result, **arguments)


def hunt(case: Case) -> None:
    """Calls a function with many arguments, and raises if a call breaks the law."""

    @settings(max_examples=EXAMPLES)
    @given(case.calls())
    def call(arguments: dict[str, Any]) -> None:
        keep_the_law(case, arguments)

    call()


def require_clear(error: Exception) -> None:
    """A message of some words that comes neither from the interpreter nor from JAX's tracing."""
    message = str(error)
    assert len(message) > 15, repr(error)
    assert " " in message, repr(error)
    assert not OBSCURE.search(message), repr(error)
    assert not isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError), repr(error)


def is_close(result: Any, expected: Any, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """The shape and the numbers of a float64 reference. A number that float32 cannot hold may be anything."""
    result, expected = np.asarray(result, np.float64), np.asarray(expected, np.float64)
    assert result.shape == expected.shape, (result, expected)
    fits = ~(np.abs(expected) > 1e37)
    np.testing.assert_allclose(np.where(fits, result, 0), np.where(fits, expected, 0), rtol, atol)


def wide(x: Any) -> np.ndarray:
    """The argument as float64, rounded to float32 first, as JAX does. XLA flushes subnormal numbers to 0."""
    x = np.asarray(x)
    x = x.astype(np.float32 if x.dtype.itemsize > 4 else x.dtype).astype(np.float64)
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, 0.0 * x, x)


def mixed(good: st.SearchStrategy[Any], *hostile: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly good values, so that few calls with several arguments are refused for more than one of them."""
    return st.one_of(good, good, good, *hostile)


def on_device(strategy: st.SearchStrategy[np.ndarray]) -> st.SearchStrategy[Any]:
    """As NumPy, or as a JAX array."""
    return st.one_of(strategy, strategy.map(jnp.asarray))


def floats(
    shape: tuple[int, ...] | st.SearchStrategy[Any], low: float = -5.0, high: float = 5.0
) -> st.SearchStrategy[Any]:
    return on_device(arrays(np.float32, shape, elements=st.floats(low, high, width=32, allow_subnormal=False)))


def ints(shape: tuple[int, ...], low: int = 0, high: int = 2, dtype: str = "int32") -> st.SearchStrategy[Any]:
    return on_device(arrays(dtype, shape, elements=st.integers(low, high)))


def _extreme(shape: tuple[int, ...], dtype: str) -> st.SearchStrategy[np.ndarray]:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = [value for value in (0, 1, 2, -1, limits.max, limits.min, 2**32) if limits.min <= value <= limits.max]
    else:
        with np.errstate(over="ignore"):
            values = np.array(EXTREMES, complex if kind.kind == "c" else float).astype(kind).tolist()
    return arrays(kind, shape, elements=st.sampled_from(values))


junk = st.sampled_from(JUNK)
extremes = st.tuples(st.sampled_from(SHAPES), st.sampled_from(DTYPES)).flatmap(lambda pair: _extreme(*pair))
hostile_arrays = st.one_of(extremes, extremes, extremes, junk)
hostile_numbers = st.one_of(st.sampled_from(EXTREMES), st.sampled_from([-1, 10**30, True, 2**31]), junk, floats((3,)))
hostile_counts = st.one_of(st.sampled_from([0, -1, 2.5, np.nan, 10**30, -(10**30), np.int64(-3)]), junk, floats((3,)))


def array(*shapes: tuple[int, ...], low: float = -5.0, high: float = 5.0) -> st.SearchStrategy[Any]:
    """A float32 array of one of these shapes, or something hostile."""
    return mixed(floats(st.sampled_from(shapes), low, high), hostile_arrays)


def classes(*shape: int, high: int = 2) -> st.SearchStrategy[Any]:
    """Integer classes, or something hostile."""
    return mixed(ints(shape, high=high), ints(shape, -2, high + 2, "int64"), hostile_arrays)


def number(low: float, high: float) -> st.SearchStrategy[Any]:
    return mixed(st.floats(low, high, allow_subnormal=False), hostile_numbers)


def count(low: int, high: int) -> st.SearchStrategy[Any]:
    return mixed(st.integers(low, high), st.integers(low, high).map(np.int64), hostile_counts)


def choice(*values: Any) -> st.SearchStrategy[Any]:
    return mixed(st.sampled_from(values), st.sampled_from(JUNK[:7]))


axes = mixed(st.sampled_from([-1, 0, 1]), st.sampled_from([2, -5, None, (0, 1), 1.5, "rows", 10**30]))
flags = mixed(st.booleans(), st.sampled_from(["no", None, 2]))
# Made anew in every call, for no key may be used twice.
keys = mixed(
    st.integers(0, 9).map(jax.random.key),
    st.integers(0, 9).map(lambda seed: jax.random.split(jax.random.key(seed), 2)),
    st.sampled_from([None, 0, 1.5, "seed", 10**30]),
    extremes,
)
