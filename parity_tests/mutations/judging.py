"""Two judges of a planted defect: the rule of parity, and `torch.testing.assert_close` with its default tolerances.

Both see the same outputs, those of the cases that a mutation names. NaN counts as equal to NaN. What `assert_close`
finds wrong even in the package without the defect does not count as found.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch

from jaxd2l.parity import rule
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite import Case
from parity_tests.mutations.cases import all_cases
from parity_tests.mutations.planting import Mutation, planted


class Found(NamedTuple):
    """Who found a defect.

    ours: the rule.
    float32: `assert_close` on the float32 outputs, which is how ports are usually compared.
    float64: `assert_close` on all outputs, float64 included.
    has_outputs: whether there were outputs to compare at all, and not only claims and draws.
    """

    ours: bool = False
    float32: bool = False
    float64: bool = False
    has_outputs: bool = False


class FalseAlarms(NamedTuple):
    """How many rows the package without any defect gave, and which of them do not hold."""

    rows: int
    alarms: list[str]


class _Look(NamedTuple):
    """One comparison as both judges saw it."""

    holds: bool
    is_close: bool
    is_float64: bool
    is_output: bool = True


def judge(mutation: Mutation, seed: int = 0) -> Found:
    """Plants the defect and runs its cases until both judges have found it, or none is left."""
    found = Found()
    for case in cases_of(mutation):
        with planted(mutation):
            looks = _look(case, seed)
        if looks is None:  # everybody notices an error
            return Found(True, True, True, True)
        usual = _usual(case.name, seed)
        far = [look for i, look in enumerate(looks) if not look.is_close and i not in usual]
        found = Found(
            found.ours or not all(look.holds for look in looks),
            found.float32 or not all(look.is_float64 for look in far),
            found.float64 or bool(far),
            found.has_outputs or any(look.is_output for look in looks),
        )
        if all(found):
            break
    return found


def cases_of(mutation: Mutation) -> list[Case]:
    """The cases that judge a defect.

    Raises:
      ValueError: if there is none.
    """
    chosen = [case for case in all_cases() if case.name.startswith(mutation.cases)]
    if not chosen:
        raise ValueError(f"{mutation.name}: no case begins with any of {mutation.cases}")
    return chosen


def false_alarms(seeds: Sequence[int]) -> FalseAlarms:
    """Runs every case on the package as it is, over these seeds."""
    count, alarms = 0, []
    for case in all_cases():
        for seed in seeds:
            rows = case.run(seed)
            count += len(rows)
            alarms += [f"{row.quantity}, seed {seed}" for row in rows if not rule.holds(row)]
    return FalseAlarms(count, alarms)


@cache
def _usual(name: str, seed: int) -> frozenset[int]:
    """Which comparisons of a case `assert_close` finds wrong although there is no defect."""
    (case,) = (case for case in all_cases() if case.name == name)
    looks = _look(case, seed)
    assert looks is not None, f"{name} ends in an error without any defect"
    return frozenset(i for i, look in enumerate(looks) if not look.is_close)


def _look(case: Case, seed: int) -> list[_Look] | None:
    """Runs a case with both judges watching; None if it ends in an error."""
    looks: list[_Look] = []

    def watched(compare: Callable[..., Row]) -> Callable[..., Row]:
        def compare_and_note(quantity: str, theirs: Any, ours: Any, *rest: Any, **options: Any) -> Row:
            row = compare(quantity, theirs, ours, *rest, **options)
            theirs, ours = np.asarray(theirs), np.asarray(ours)
            looks.append(_Look(rule.holds(row), _is_close(theirs, ours), theirs.dtype == np.float64))
            return row

        return compare_and_note

    with _replaced({compare: watched(compare) for compare in (rule.compare_accuracy, rule.compare_meaning)}):
        try:
            rows = case.run(seed)
        except Exception:
            return None
    # Claims and distributions of draws are not pairs of outputs: only our judge has them.
    looks += [_Look(rule.holds(row), True, False, False) for row in rows if row.level in ("claim", "distribution")]
    return looks


@contextmanager
def _replaced(replacements: dict[Any, Any]) -> Iterator[None]:
    """Functions replaced in every module that has imported them by name."""
    places = [
        (module, name, value)
        for path, module in list(sys.modules.items())
        if path.split(".")[0] in ("jaxd2l", "parity_tests")
        for name, value in list(vars(module).items())
        if isinstance(value, FunctionType) and value in replacements
    ]
    for module, name, value in places:
        setattr(module, name, replacements[value])
    try:
        yield
    finally:
        for module, name, value in places:
            setattr(module, name, value)


def _is_close(theirs: np.ndarray, ours: np.ndarray) -> bool:
    try:
        torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), equal_nan=True, check_dtype=False)
    except AssertionError:
        return False
    return True
