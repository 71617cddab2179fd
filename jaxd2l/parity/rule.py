"""The rule of parity: what it takes for a JAX value to agree with a torch value. NumPy only.

Two questions are kept apart. Do both compute the same function? In float64 they must then agree to a few roundings
(`compare_meaning`). Do both compute it equally well? In float32 each is measured against a float64 oracle, and JAX
may err at most twice as much as torch does, plus 4 roundings (`compare_accuracy`).

Errors are counted in roundings of the *condition scale*: the sum of the magnitudes that an operation combines,
such as `|x| |W| + |b|` for a linear layer. A result that cancels to nearly nothing may keep the error of what was
cancelled, but no more. So no tolerance is picked by hand.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Value = ArrayLike | float | int  # beartype finds no Python numbers in ArrayLike

SINGLE, DOUBLE = 2.0**-24, 2.0**-53
"""Unit roundoff: half the distance from 1 to the next number."""

ULP_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0, 4096.0, np.inf)
"""Edges of every histogram of errors, in condition-scaled ULPs; a bin holds its lower edge."""

MEANING_BOUND = 8.0
"""Roundings by which two float64 results of the same function may differ."""

_HOLDS = ("bitwise", "within-oracle", "kink-flip")


class Row(NamedTuple):
    """One quantity, compared.

    quantity: what was compared, for example "gradient of the logits".
    level: "meaning" (float64 against float64) or "accuracy" (float32 against an oracle).
    torch_error: largest error of torch in condition-scaled ULPs; 0 at the level of meaning, where torch is the measure.
    jax_error: largest error of JAX, likewise; inf if the two cannot be compared at all.
    bound: what `jax_error` may be.
    ratio: `jax_error / torch_error`; 1 if both are 0, inf if torch's alone is.
    histogram: how many of JAX's elements err by how much, over `ULP_EDGES`.
    worst_index: where JAX errs most; () for a scalar or nothing.
    verdict: "bitwise", "within-oracle" and "kink-flip" hold; "precision-defect" (the right function, too many digits
      lost) and "semantic-mismatch" (another function) do not.
    hint: what may be wrong, if anything is known.
    """

    quantity: str
    level: str
    torch_error: float
    jax_error: float
    bound: float
    ratio: float
    histogram: tuple[int, ...]
    worst_index: tuple[int, ...]
    verdict: str
    hint: str = ""


def holds(row: Row) -> bool:
    """Whether the row is one of agreement.

    >>> holds(compare_meaning("one", np.ones(3), np.ones(3), 1.0))
    True
    """
    return row.verdict in _HOLDS


def compare_accuracy(quantity: str, torch_value: Value, jax_value: Value, oracle: Value, scale: Value) -> Row:
    """Judges two float32 results of one function by a float64 result of it.

    With u = 2^-24 and `err(v) = max_i |v_i - oracle_i| / (u scale_i)`, they agree if and only if

        err(jax) <= 2 err(torch) + 4,

    NaN stands where torch has NaN, and inf where torch has inf of the same sign.
    Otherwise a JAX that keeps half of its digits, `err(jax) < u^(-1/2)`, is called imprecise, and one that does not is
    taken for another function.

    Args:
      quantity: a name for the row.
      torch_value: float32.
      jax_value: float32, of the same shape.
      oracle: the float64 result; where it is not finite, torch's value is the measure.
      scale: condition scale, broadcastable to the values; not negative. Where it is 0, the value must be exact;
        where it is not finite, the oracle's magnitude is taken.

    A unit is never smaller than the smallest normal number: XLA flushes subnormal results to zero on CPUs, which is
    a documented difference and no error. Integers and booleans must be equal.

    >>> one = np.float32(1.0)
    >>> row = compare_accuracy("one", one, one + np.float32(1e-5), oracle=1.0, scale=1.0)
    >>> row.verdict, round(row.jax_error)
    ('precision-defect', 168)
    """
    row, worst = _compare("accuracy", quantity, torch_value, jax_value, oracle, scale, SINGLE)
    if row.verdict:
        return row
    imprecise = "precision-defect" if worst < SINGLE**-0.5 else "semantic-mismatch"
    return row._replace(verdict="within-oracle" if worst <= row.bound else imprecise)


def compare_meaning(quantity: str, torch_value: Value, jax_value: Value, scale: Value) -> Row:
    """Judges whether two float64 results come from the same function: `|jax - torch| <= 8 * 2^-53 * scale`.

    Arguments as for `compare_accuracy`, in float64.

    >>> compare_meaning("a third", np.array(1 / 3), np.array(0.3333), 1 / 3).verdict
    'semantic-mismatch'
    """
    row, worst = _compare("meaning", quantity, torch_value, jax_value, torch_value, scale, DOUBLE)
    if row.verdict:
        return row
    return row._replace(verdict="within-oracle" if worst <= row.bound else "semantic-mismatch")


def _compare(
    level: str,
    quantity: str,
    torch_value: Value,
    jax_value: Value,
    oracle: Value,
    scale: Value,
    roundoff: float,
) -> tuple[Row, float]:
    """A row without a verdict, unless that is plain, and JAX's worst error."""
    theirs, ours = np.asarray(torch_value), np.asarray(jax_value)
    row = Row(quantity, level, 0.0, 0.0, _bound(level, 0.0), 1.0, (0,) * (len(ULP_EDGES) - 1), (), "")
    if hint := _cannot_be_compared(theirs, ours, np.shape(oracle), SINGLE if level == "accuracy" else DOUBLE):
        return _mismatch(row, hint), np.inf
    if np.array_equal(_bits(theirs), _bits(ours)) and theirs.dtype == ours.dtype:
        row = row._replace(verdict="bitwise")

    shape = theirs.shape
    scale = np.broadcast_to(np.asarray(scale, np.float64), shape).ravel()
    theirs, ours, measure = (np.asarray(x, np.float64).ravel() for x in (theirs, ours, oracle))
    measure = np.where(np.isfinite(measure), measure, theirs)
    if np.any(scale < 0):
        raise ValueError(f"{quantity}: a condition scale is a sum of magnitudes and cannot be negative")
    scale = np.where(np.isfinite(scale), scale, np.abs(measure))
    smallest = float(np.finfo(np.float32 if level == "accuracy" else np.float64).smallest_normal)
    unit = np.maximum(roundoff * scale, smallest)

    finite = np.isfinite(theirs)
    same_pattern = np.where(finite, np.isfinite(ours), (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
    torch_errors, jax_errors = (_errors(x, measure, unit, finite) for x in (theirs, ours))
    jax_errors = np.where(same_pattern, jax_errors, np.inf)
    torch_worst, jax_worst = (float(np.max(errors, initial=0.0)) for errors in (torch_errors, jax_errors))
    worst = int(np.argmax(jax_errors)) if ours.size else 0
    row = row._replace(
        torch_error=torch_worst,
        jax_error=jax_worst,
        bound=_bound(level, torch_worst),
        ratio=_ratio(jax_worst, torch_worst),
        histogram=_histogram(jax_errors),
        worst_index=tuple(int(i) for i in np.unravel_index(worst, shape)) if ours.size else (),
    )
    if not same_pattern.all():
        row = _mismatch(row, f"torch has {theirs[worst]}, JAX {ours[worst]} at index {row.worst_index}")
    return row, jax_worst


def _bound(level: str, torch_error: float) -> float:
    return MEANING_BOUND if level == "meaning" else 2 * torch_error + 4


def _cannot_be_compared(theirs: np.ndarray, ours: np.ndarray, oracle: tuple[int, ...], roundoff: float) -> str:
    """Why two arrays are no results of one function whatever their values; empty if they may be."""
    if theirs.shape != ours.shape or theirs.shape != oracle:
        return f"shapes differ: torch {theirs.shape}, JAX {ours.shape}, oracle {oracle}"
    kinds = {_kind(theirs), _kind(ours)}
    if len(kinds) > 1:
        return f"dtypes differ: torch {theirs.dtype}, JAX {ours.dtype}"
    expected = np.float32 if roundoff == SINGLE else np.float64
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


def _ratio(ours: float, theirs: float) -> float:
    if theirs:
        return ours / theirs
    return float("inf") if ours else 1.0


def _histogram(errors: np.ndarray) -> tuple[int, ...]:
    bins = np.searchsorted(ULP_EDGES[1:-1], errors.ravel(), side="right")
    return tuple(int(n) for n in np.bincount(bins, minlength=len(ULP_EDGES) - 1))


def _mismatch(row: Row, hint: str) -> Row:
    return row._replace(verdict="semantic-mismatch", jax_error=float("inf"), ratio=float("inf"), hint=hint)


def require(rows: Iterable[Row]) -> None:
    """Raises an AssertionError that lists the rows which do not hold.

    >>> require([compare_meaning("one", np.ones(3), np.ones(3), 1.0)])
    """
    failures = [row for row in rows if not holds(row)]
    if failures:
        raise AssertionError("\n".join(["", *map(_sentence, failures)]))


def _sentence(row: Row) -> str:
    where = f" at {row.worst_index}" if row.worst_index else ""
    return (
        f"{row.quantity} ({row.level}): {row.verdict}{where}; JAX errs by {row.jax_error:.4g} condition-scaled ULPs, "
        f"torch by {row.torch_error:.4g}, allowed {row.bound:.4g}" + (f"; {row.hint}" if row.hint else "")
    )
