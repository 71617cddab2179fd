"""Changes to torch's program, each tried on a batch: which of them give what JAX gives?"""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxd2l.parity.quantities import Values
from jaxd2l.parity.rule import DOUBLE, largest_magnitude
from jaxd2l.parity.torch_side import TorchSide

SECONDS = 20.0
"""How long a cause is looked for, in seconds of this thread: a busy machine must not decide what is found."""

UNFIT = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)
"""What a module raises whose calls are changed so that they no longer fit together: its author's code then gets what
it was not written for, such as a tensor for a tuple."""


class Trial(NamedTuple):
    """A change that JAX may have made, and what torch gives with it.

    rank: 0 for a change with a meaning of its own; the larger, the more it may stand for.
    where: the calls that are changed. Of two changes to the same calls that nothing tells apart, one says it all.
    """

    hint: str
    compute: Callable[[TorchSide], Values]
    rank: int = 0
    where: tuple[int, ...] = ()


class Target(NamedTuple):
    """What JAX gives, and how far from it another computation of the same may be.

    size: the largest magnitude of torch's own value, which differs.
    scale: the largest condition scale.
    """

    value: np.ndarray
    size: float
    scale: float


def target(value: Any, original: Any, scale: Any) -> Target:
    """JAX's value of a quantity, of which torch's original differs."""
    return Target(np.asarray(value, np.float64), largest_magnitude(original), largest_magnitude(scale))


def hits(found: Any, wanted: Target) -> bool:
    """Whether a value is JAX's, to rounding."""
    other, value = np.asarray(found, np.float64), wanted.value
    if other.shape != value.shape or not np.array_equal(np.isfinite(other), np.isfinite(value)):
        return False
    other, value = other[np.isfinite(value)], value[np.isfinite(value)]
    if not value.size:
        return False
    growth = max(1.0, largest_magnitude(other) / wanted.size) if wanted.size else 1.0
    # Twice the bound of the rule: the change may round once more than what was measured.
    bound = 16 * DOUBLE * growth * max(wanted.scale, wanted.size)
    return largest_magnitude(other - value) <= bound


def matching(trials: Iterable[Trial], side: TorchSide, wanted: Mapping[str, Target], first: str) -> list[Trial]:
    """The trials that give JAX's value of `first`; of these, those that give most of the other quantities, too.

    The search ends after `SECONDS`, and earlier once something is found.
    """
    start = time.thread_time()
    end = start + SECONDS
    found: list[tuple[int, Trial]] = []
    for trial in trials:
        now = time.thread_time()
        if now > end:
            break
        values = computed(trial, side)
        if first in values and hits(values[first], wanted[first]):
            found.append((sum(hits(values[name], x) for name, x in wanted.items() if name in values), trial))
            end = min(end, now + max(1.0, now - start))
    most = max((score for score, _ in found), default=0)
    return [trial for score, trial in found if score == most]


def computed(trial: Trial, side: TorchSide) -> Values:
    """What torch gives with the change; nothing where the change makes no sense."""
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of what a change does and the module does not
            return trial.compute(side)
    except UNFIT:
        return {}


def decided(found: Sequence[Trial], probes: Iterable[Callable[[], tuple[TorchSide, Mapping[str, Target]]]]) -> str:
    """The hint of the one that is left; all hints, joined by "or", if nothing tells them apart.

    Args:
      found: what matches on the batch.
      probes: other inputs and weights, and what JAX gives with them; asked only if several match.
    """
    lowest = min((trial.rank for trial in found), default=0)
    left = list({trial.hint: trial for trial in found if trial.rank == lowest}.values())
    for probe in probes if len(left) > 1 else ():
        side, wanted = probe()
        survivors = [
            t for t in left if (v := computed(t, side)) and all(hits(v[n], x) for n, x in wanted.items() if n in v)
        ]
        left = survivors or left
        if len(left) == 1:
            break
    ways = {trial.where or trial.hint: trial.hint for trial in reversed(left)}
    return ", or ".join(list(reversed(ways.values()))[:3])
