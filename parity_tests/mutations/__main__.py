"""Planted defects: which of them does the suite find, and which would `torch.testing.assert_close` find?

    python -m parity_tests.mutations                 # plants every defect, prints the table
    python -m parity_tests.mutations --sample 12     # a sample that is the same every time
    python -m parity_tests.mutations --seeds 20      # runs the unharmed package on 20 seeds: every alarm is false
    python -m parity_tests.mutations --record        # keeps what was measured for README.md

Both judges see the same outputs, those of the cases that a mutation names: ours judges by the rule of
`jaxd2l.parity.rule`, the other by `assert_close` with its default tolerances, NaN equal to NaN. What `assert_close`
already finds wrong in the unharmed package does not count as found.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from jaxd2l.parity import rule, suite
from jaxd2l.parity.rule import Row
from jaxd2l.parity.suite import Case
from parity_tests import measured
from parity_tests.mutations import cases as mutation_cases
from parity_tests.mutations.activations import ACTIVATIONS
from parity_tests.mutations.losses import LOSSES, METRICS
from parity_tests.mutations.models import INITIALISERS, MODELS
from parity_tests.mutations.planting import Mutation, planted
from parity_tests.mutations.tensors import TENSORS
from parity_tests.mutations.training import DATA, SGD, TRAINING_LOOP

MUTATIONS: tuple[Mutation, ...] = (
    *TENSORS,
    *ACTIVATIONS,
    *LOSSES,
    *METRICS,
    *MODELS,
    *INITIALISERS,
    *SGD,
    *TRAINING_LOOP,
    *DATA,
)
"""Every planted defect."""


class Verdict(NamedTuple):
    """Who found a defect.

    ours: by the rule.
    float32: `assert_close` on the float32 outputs, which is how ports are usually compared.
    float64: `assert_close` on all outputs, float64 included.
    has_outputs: whether there were outputs to compare at all, and not only claims and draws.
    """

    ours: bool
    float32: bool
    float64: bool
    has_outputs: bool


class _Look(NamedTuple):
    """One comparison as both judges saw it."""

    holds: bool
    is_close: bool
    is_float64: bool
    is_output: bool = True


def all_cases() -> tuple[Case, ...]:
    """The suite, and the cases made for what a suite of function pairs cannot see."""
    return (*suite.cases(), *mutation_cases.cases())


def judge(mutation: Mutation, seed: int = 0) -> Verdict:
    """Plants the defect and runs its cases until both judges have found it, or none is left."""
    chosen = [case for case in all_cases() if case.name.startswith(mutation.cases)]
    if not chosen:
        raise ValueError(f"{mutation.name}: no case begins with any of {mutation.cases}")
    verdict = Verdict(False, False, False, False)
    for case in chosen:
        with planted(mutation):
            looks = _look(case, seed)
        if looks is None:  # an error is seen by everyone
            return Verdict(True, True, True, True)
        usual = _usual(case.name, seed)
        far = [look for i, look in enumerate(looks) if not look.is_close and i not in usual]
        verdict = Verdict(
            verdict.ours or not all(look.holds for look in looks),
            verdict.float32 or not all(look.is_float64 for look in far),
            verdict.float64 or bool(far),
            verdict.has_outputs or any(look.is_output for look in looks),
        )
        if all(verdict):
            break
    return verdict


def false_alarms(seeds: Sequence[int]) -> tuple[int, list[str]]:
    """How many rows the unharmed package gives over these seeds, and the names of those that do not hold."""
    count, alarms = 0, []
    for case in all_cases():
        for seed in seeds:
            rows = case.run(seed)
            count += len(rows)
            alarms += [f"{row.quantity}, seed {seed}" for row in rows if not rule.holds(row)]
    return count, alarms


def sample(mutations: Sequence[Mutation], size: int) -> list[Mutation]:
    """Evenly spread over the list, so that every part of the package has its share."""
    return [mutations[i * len(mutations) // size] for i in range(size)]


@cache
def _usual(name: str, seed: int) -> frozenset[int]:
    """Which comparisons of a case `assert_close` finds wrong though nothing is."""
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

    originals = {name: getattr(rule, name) for name in ("compare_accuracy", "compare_meaning")}
    with mock.patch.multiple(rule, **{name: watched(compare) for name, compare in originals.items()}):
        replacements = {original: getattr(rule, name) for name, original in originals.items()}
        with _everywhere(replacements):
            try:
                rows = case.run(seed)
            except Exception:
                return None
    # Claims and distributions of draws are no pairs of outputs: only our judge has them.
    looks += [_Look(rule.holds(row), True, False, False) for row in rows if row.level not in ("accuracy", "meaning")]
    return looks


@contextmanager
def _everywhere(replacements: dict[Any, Any]) -> Iterator[None]:
    """Functions replaced in every module that has imported them by name."""
    places = [
        (module, name, value)
        for module in list(sys.modules.values())
        if module.__name__.startswith(("jaxd2l.parity", "parity_tests"))
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a defect is missed or an alarm is false."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="plant only so many, evenly spread")
    parser.add_argument("--only", default="", help="plant only those with this text in name or function")
    parser.add_argument("--seeds", type=int, default=0, help="run the unharmed package on so many seeds instead")
    parser.add_argument("--record", action="store_true", help="keep the result for README.md")
    options = parser.parse_args(arguments)
    if options.seeds:
        count, alarms = false_alarms(range(options.seeds))
        print(f"{len(alarms)} false alarms in {count} rows, {options.seeds} seeds", *alarms, sep="\n")
        if options.record:
            measured.write("false_alarms", {"seeds": options.seeds, "rows": count, "alarms": alarms})
        return bool(alarms)
    chosen = [m for m in MUTATIONS if options.only in f"{m.name} {m.function}"]
    chosen = sample(chosen, options.sample) if options.sample else chosen
    results = []
    for mutation in chosen:
        start = time.perf_counter()
        verdict = judge(mutation)
        results.append((mutation.function, mutation.name, *verdict))
        marks = "  ".join("found " if found else "MISSED" for found in verdict[:3])
        print(f"{marks}  {time.perf_counter() - start:5.1f} s  {mutation.function}: {mutation.name}", flush=True)
    found = [sum(column) for column in zip(*(row[2:] for row in results), strict=True)]
    print(
        f"of {len(results)}: ours {found[0]}, assert_close {found[1]}, with float64 {found[2]}; outputs in {found[3]}"
    )
    if options.record:  # what was not planted now keeps its record
        before = measured.read().get("mutations", {"result": []})["result"]
        known = {(function, name): found for function, name, *found in [*before, *results]}
        rows = [(m.function, m.name, *known[m.function, m.name]) for m in MUTATIONS if (m.function, m.name) in known]
        measured.write("mutations", rows)
    return found[0] < len(results)


if __name__ == "__main__":
    sys.exit(main())
