"""The rule of parity: when does a JAX value agree with a torch value? NumPy only.

The rule keeps two questions apart. Do both compute the same function? Then their float64 results agree to a few
roundings (`compare_meaning`). Do both compute it equally well? Then JAX's float32 result lies about as close to a
float64 result, the oracle, as torch's does: JAX may err at most twice as much as torch, plus 4 roundings
(`compare_accuracy`).

Errors are counted in roundings of the *condition scale*: the sum of the magnitudes that an operation combines,
such as `|x| |W| + |b|` for a linear layer. A result that cancels to nearly nothing may keep the error of what was
cancelled, but no more. So nobody picks a tolerance by hand.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Value = ArrayLike | float | int  # beartype finds no Python numbers in ArrayLike

Level = Literal["meaning", "accuracy", "claim", "distribution"]
"""What a row compares: "meaning" (float64 against float64), "accuracy" (float32 against a float64 oracle), "claim"
(something that is so or not) or "distribution" (random draws against random draws)."""

Verdict = Literal["bitwise", "within-oracle", "kink-flip", "known-difference", "precision-defect", "semantic-mismatch"]
"""The first four hold. "bitwise": equal bits. "within-oracle": within the bound. "kink-flip": rounding pushed a
number across a kink (of relu, say), and the gradient differs for that reason alone. "known-difference": the JAX library
itself is less accurate there than torch, which explains the whole. The other two do not hold.
"precision-defect": the right function, computed with too many digits lost. "semantic-mismatch": another function."""

SINGLE, DOUBLE = 2.0**-24, 2.0**-53
"""Unit roundoff: half the distance from 1 to the next number."""

ROUNDOFF = {"float32": SINGLE, "tf32": 2.0**-11, "bfloat16": 2.0**-8}
"""The unit roundoff of every precision in which both libraries can be compared with float64."""

ULP_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0, 4096.0, np.inf)
"""Edges of every histogram of errors, in condition-scaled ULPs; a bin holds its lower edge."""

MEANING_BOUND = 8.0
"""Roundings by which two float64 results of one function may differ."""

_HOLDING: frozenset[Verdict] = frozenset(("bitwise", "within-oracle", "kink-flip", "known-difference"))


class Row(NamedTuple):
    """One quantity, compared.

    quantity: what was compared, for example "gradient of the logits".
    level: which question the row answers, see `Level`.
    torch_error: largest error of torch in condition-scaled ULPs; 0 for "meaning", where torch is the measure.
    jax_error: largest error of JAX, likewise; inf if the two cannot be compared at all.
    bound: the largest `jax_error` that holds.
    ratio: `jax_error / torch_error`; 1 if both are 0, inf if only torch's is.
    histogram: number of JAX's elements in each bin of `ULP_EDGES`, by their error.
    worst_index: where JAX errs most; () for a scalar or an empty array.
    verdict: see `Verdict`.
    hint: the likely cause, if one is known.
    follows_from: quantities above whose failure explains this one; () if this is a cause of its own.
    precision: in what JAX computed it, "float64" or a key of `ROUNDOFF`.
    absolute: JAX's largest absolute error.
    relative: JAX's largest relative error, among the elements that are not 0; inf if torch has nothing but 0.
    """

    quantity: str
    level: Level
    torch_error: float
    jax_error: float
    bound: float
    ratio: float
    histogram: tuple[int, ...]
    worst_index: tuple[int, ...]
    verdict: Verdict
    hint: str = ""
    follows_from: tuple[str, ...] = ()
    precision: str = "float32"
    absolute: float = 0.0
    relative: float = 0.0


def holds(row: Row) -> bool:
    """Whether the row is one of agreement.

    >>> holds(compare_meaning("one", np.ones(3), np.ones(3), 1.0))
    True
    """
    return row.verdict in _HOLDING


def compare_accuracy(
    quantity: str, torch_value: Value, jax_value: Value, oracle: Value, scale: Value, precision: str = "float32"
) -> Row:
    """Judges two float32 results of one function by a float64 result of it.

    With u = 2^-24, or the roundoff of another precision, and `err(v) = max_i |v_i - oracle_i| / (u scale_i)`, they
    agree if and only if

        err(jax) <= 2 err(torch) + 4,

    and JAX has NaN exactly where torch has NaN, and inf where torch has inf of the same sign. Equal bits always agree.
    A JAX that fails but keeps half of its digits, `err(jax) < u^(-1/2)`, is called imprecise; one that loses more is
    taken for another function.

    Args:
      quantity: a name for the row.
      torch_value: float32.
      jax_value: float32, of the same shape.
      oracle: the float64 result; where it is not finite, torch's value is the measure.
      scale: condition scale, broadcastable to the values; not negative. Where it is 0, the value must be exact;
        where it is not finite, the oracle's magnitude is taken.
      precision: in what both computed, a key of `ROUNDOFF`; the results are given as float32.

    A unit is never smaller than the smallest normal number: XLA flushes subnormal results to zero on CPUs, which is
    a documented difference and no error. Integers and booleans must be equal.

    >>> one = np.float32(1.0)
    >>> row = compare_accuracy("one", one, one + np.float32(1e-5), oracle=1.0, scale=1.0)
    >>> row.verdict, round(row.jax_error)
    ('precision-defect', 168)
    """
    return _compare("accuracy", quantity, torch_value, jax_value, oracle, scale, precision)


def compare_meaning(quantity: str, torch_value: Value, jax_value: Value, scale: Value) -> Row:
    """Judges whether two float64 results come from the same function: `|jax - torch| <= 8 * 2^-53 * scale`.

    Arguments as for `compare_accuracy`, in float64.

    >>> compare_meaning("a third", np.array(1 / 3), np.array(0.3333), 1 / 3).verdict
    'semantic-mismatch'
    """
    return _compare("meaning", quantity, torch_value, jax_value, torch_value, scale, "float64")


def _compare(
    level: Level, quantity: str, torch_value: Value, jax_value: Value, oracle: Value, scale: Value, precision: str
) -> Row:
    theirs, ours, shape = np.asarray(torch_value), np.asarray(jax_value), np.shape(torch_value)
    if hint := _cannot_be_compared(level, theirs, ours, np.shape(oracle)):
        inf, empty = float("inf"), (0,) * (len(ULP_EDGES) - 1)
        row = Row(quantity, level, 0.0, inf, _bound(level, 0.0), inf, empty, (), "semantic-mismatch", hint)
        return row._replace(precision=precision, absolute=inf, relative=inf)
    is_bitwise = theirs.dtype == ours.dtype and np.array_equal(_bits(theirs), _bits(ours))
    theirs, ours, measure = (np.asarray(x, np.float64).ravel() for x in (theirs, ours, oracle))
    measure = np.where(np.isfinite(measure), measure, theirs)
    scale = np.broadcast_to(np.asarray(scale, np.float64), shape).ravel()
    if np.any(scale < 0):
        raise ValueError(f"{quantity}: a condition scale is a sum of magnitudes and cannot be negative")
    roundoff = DOUBLE if level == "meaning" else ROUNDOFF[precision]
    unit = _unit(level, roundoff, scale, measure)

    finite = np.isfinite(theirs)
    same_pattern = np.where(finite, np.isfinite(ours), (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
    torch_errors, jax_errors = (_errors(x, measure, unit, finite) for x in (theirs, ours))
    jax_errors = np.where(same_pattern, jax_errors, np.inf)
    torch_worst, jax_worst = (float(np.max(errors, initial=0.0)) for errors in (torch_errors, jax_errors))
    worst = int(np.argmax(jax_errors)) if ours.size else 0
    index = tuple(int(i) for i in np.unravel_index(worst, shape)) if ours.size else ()
    bound, hint, verdict = (
        _bound(level, torch_worst),
        "",
        _verdict(level, roundoff, jax_worst, _bound(level, torch_worst)),
    )
    if is_bitwise:
        verdict = "bitwise"
    elif not same_pattern.all():
        verdict, hint = "semantic-mismatch", f"torch has {theirs[worst]}, JAX {ours[worst]} at index {index}"
    ratio, histogram = _ratio(jax_worst, torch_worst), _histogram(jax_errors)
    row = Row(quantity, level, torch_worst, jax_worst, bound, ratio, histogram, index, verdict, hint)
    absolute, relative = _plain_errors(ours, measure, finite, same_pattern)
    return row._replace(precision=precision, absolute=absolute, relative=relative)


def _unit(level: Level, roundoff: float, scale: np.ndarray, measure: np.ndarray) -> np.ndarray:
    """One rounding of each element's condition scale."""
    scale = np.where(np.isfinite(scale), scale, np.abs(measure))
    dtype = np.float32 if level == "accuracy" else np.float64
    return np.maximum(roundoff * scale, float(np.finfo(dtype).smallest_normal))


def _verdict(level: Level, roundoff: float, error: float, bound: float) -> Verdict:
    if error <= bound:
        return "within-oracle"
    return "precision-defect" if level == "accuracy" and error < roundoff**-0.5 else "semantic-mismatch"


def _bound(level: Level, torch_error: float) -> float:
    return MEANING_BOUND if level == "meaning" else 2 * torch_error + 4


def _cannot_be_compared(level: Level, theirs: np.ndarray, ours: np.ndarray, oracle: tuple[int, ...]) -> str:
    """Why two arrays cannot be results of one function, whatever their values; empty if they can."""
    if theirs.shape != ours.shape or theirs.shape != oracle:
        return f"shapes differ: torch {theirs.shape}, JAX {ours.shape}, oracle {oracle}"
    kinds = {_kind(theirs), _kind(ours)}
    if len(kinds) > 1:
        return f"dtypes differ: torch {theirs.dtype}, JAX {ours.dtype}"
    expected = np.float32 if level == "accuracy" else np.float64
    if kinds == {"f"} and not theirs.dtype == ours.dtype == expected:
        return f"expected {np.dtype(expected)} from both: torch {theirs.dtype}, JAX {ours.dtype}"
    if kinds == {"i"} and not np.array_equal(theirs, ours):
        return f"integers differ in {np.sum(theirs != ours)} of {theirs.size} places"
    return ""


def _kind(x: np.ndarray) -> str:
    return "f" if np.issubdtype(x.dtype, np.floating) else "i"


def _bits(x: np.ndarray) -> np.ndarray:
    """Bit patterns, so that zeros of different sign differ; every NaN is the same NaN."""
    if _kind(x) == "i":
        return x
    return np.where(np.isnan(x), x.dtype.type(np.nan), x).view(f"u{x.dtype.itemsize}")


def _errors(values: np.ndarray, measure: np.ndarray, unit: np.ndarray, counted: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(counted, np.abs(values - measure) / unit, 0.0)


def _plain_errors(ours: np.ndarray, measure: np.ndarray, counted: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """The largest absolute and relative error, for those who know no condition scales."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        off = np.where(same, np.where(counted, np.abs(ours - measure), 0.0), np.inf)
        parts = np.where(off == 0, 0.0, off / np.abs(measure))
    nonzero = measure != 0
    relative = parts[nonzero] if nonzero.any() else parts
    return largest_magnitude(off), largest_magnitude(relative)


def _ratio(ours: float, theirs: float) -> float:
    if theirs:
        return ours / theirs
    return float("inf") if ours else 1.0


def _histogram(errors: np.ndarray) -> tuple[int, ...]:
    bins = np.searchsorted(ULP_EDGES[1:-1], errors.ravel(), side="right")
    return tuple(int(n) for n in np.bincount(bins, minlength=len(ULP_EDGES) - 1))


def largest_magnitude(x: Value) -> float:
    """The largest magnitude in an array; 0 if it is empty.

    >>> largest_magnitude(np.array([1.0, -2.0]))
    2.0
    """
    return float(np.max(np.abs(x), initial=0.0))


def require(rows: Iterable[Row]) -> None:
    """Raises an AssertionError that lists the rows which do not hold.

    >>> require([compare_meaning("one", np.ones(3), np.ones(3), 1.0)])
    """
    failures = [row for row in rows if not holds(row)]
    if failures:
        raise AssertionError("\n".join(["", *map(_sentence, failures)]))


def _sentence(row: Row) -> str:
    where = f" at {row.worst_index}" if row.worst_index else ""
    hint = f"; {row.hint}" if row.hint else ""
    return (
        f"{row.quantity} ({row.level}): {row.verdict}{where}; JAX errs by {row.jax_error:.4g} roundings (ULPs) of the "
        f"numbers combined, torch by {row.torch_error:.4g}, allowed {row.bound:.4g}{hint}"
    )
