"""One operation, replayed: its right counterpart for every seed, and planted defects."""

import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l.parity.rule import Row
from parity_tests.operations import judging
from parity_tests.operations.counterpart import InexpressibleError
from parity_tests.operations.defects import Defect, changes, defects
from parity_tests.operations.families import FAMILIES, MODULES_OF_FLAX, family_of
from parity_tests.operations.modules import module_cases
from parity_tests.operations.precision import INEXACT
from parity_tests.operations.samples import Case, cases


class Replay(NamedTuple):
    """What came of an operation.

    name, family: of the operation.
    samples: how many were replayed.
    right, accepted: samples times seeds, and how many of them `check` accepts.
    inexact: of the right ones those that it does not accept because a library's own result is known to be off.
    planted, found: defects.
    alarms, missed: sentences about what was neither, and about defects that were not found.
    left_out: how many samples for which reason.
    seconds: for all of it.
    seeds: how many.
    """

    name: str
    family: str
    samples: int
    right: int
    accepted: int
    inexact: int
    planted: int
    found: int
    alarms: list[str]
    missed: list[str]
    left_out: dict[str, int]
    seconds: float
    seeds: int = 1


def replay(name: str, seeds: Sequence[int], limit: int, planted: int) -> Replay:
    """Replays at most `limit` samples of an operation or module, each with so many planted defects."""
    start, family = time.perf_counter(), family_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what it means to remove
        if family == MODULES_OF_FLAX:
            found, left_out = module_cases(name, seeds, limit)
        else:
            found, left_out = cases(name, FAMILIES[family][name], seeds, limit)
        total = Replay(name, family, len(found), 0, 0, 0, 0, 0, [], [], dict(left_out), 0.0, len(seeds))
        for case in found:
            total = _with_case(total, case, planted)
    jax.clear_caches()
    return total._replace(seconds=time.perf_counter() - start)


def _with_case(total: Replay, case: Case, planted: int) -> Replay:
    try:
        ready = judging.ready(case)
    except (RuntimeError, ValueError, TypeError) as error:
        alarm = f"{case.name}: {type(error).__name__}: {str(error).splitlines()[0]}"
        return total._replace(right=total.right + len(case.seeds), alarms=[*total.alarms, alarm])
    for number, seed in enumerate(case.seeds):
        failed = judging.failures(ready, number, seed)
        inexact = bool(failed) and total.name in INEXACT
        alarms = [_sentence(case, seed, failed)] if failed and not inexact else []
        total = total._replace(
            right=total.right + 1,
            accepted=total.accepted + (not failed),
            inexact=total.inexact + inexact,
            alarms=total.alarms + alarms,
        )
    for defect, number, found in _planted(ready, case, planted):
        total = total._replace(
            planted=total.planted + 1,
            found=total.found + found,
            missed=total.missed + [f"{case.name}, seed {case.seeds[number]}: {defect.name}"] * (not found),
        )
    return total


_ALOUD = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, NotImplementedError, InexpressibleError
)  # fmt: skip
"""How a planted defect may break: a counterpart gets what it was not written for, such as a step of 0."""


def _planted(ready: judging.Ready, case: Case, wanted: int) -> list[tuple[Defect, int, bool]]:
    """So many defects that change something, each with one of the seeds in turn, and whether it is found."""
    name = case.name.rpartition(" ")[0]
    others = _neighbours(name)
    results: list[tuple[Defect, int, bool]] = []
    right = {}
    for defect in defects(case.name, case.options, others)[: 4 * wanted]:
        number = len(results) % len(case.seeds)
        try:
            # What breaks aloud, or gives other shapes, needs no judge.
            changed = judging.with_defect(ready, defect)
            after = judging.values(changed, number)[0]
        except _ALOUD:
            continue
        if number not in right:
            right[number] = judging.values(ready, number)[0]
        if not changes(right[number], after):
            continue
        results.append((defect, number, judging.is_found(changed, number, case.seeds[number])))
        if len(results) == wanted:
            break
    return results


def _neighbours(name: str) -> list[tuple[str, Any]]:
    """The next functions in the same table, which a hand may slip to."""
    family = family_of(name)
    if family == MODULES_OF_FLAX:
        return []
    table = FAMILIES[family]
    names = list(table)
    at = names.index(name)
    chosen = [names[(at + i) % len(names)] for i in (1, 2, len(names) - 1)]
    return [(other, getattr(table[other], "jax", table[other])) for other in chosen]


def _sentence(case: Case, seed: int, rows: list[Row]) -> str:
    row = rows[0]
    shapes = ", ".join(str(np.shape(x)) for x in case.batches[0])
    return (
        f"{case.name}, seed {seed}, {shapes}: {row.quantity} ({row.level}) {row.verdict}, {row.jax_error:.3g} "
        f"roundings of {row.bound:.3g} allowed; {row.hint}"
    )
