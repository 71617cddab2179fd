"""Fair timing: all ways of a case check that they compute the same, then run in turns in one process."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l.bench.cases import Case, Way

BAND, BFLOAT16_BAND = 1e-4, 2e-2
"""Largest difference of any step's loss in an epoch from the compiled epoch's, relative to the first loss."""

SLOW = 2.0
"""A way whose epoch takes more seconds than this is run in every fourth turn only."""

QUIET = 0.1
"""A turn is quiet if other processes took at most this share of the machine."""


class Ready(NamedTuple):
    """A way that has run one epoch. first: the seconds this took; compiling: how many of them JAX compiled."""

    way: Way
    first: float
    compiling: float


class Timing(NamedTuple):
    """Seconds of each epoch of a way, and which of them were in a quiet turn."""

    epochs: list[float]
    quiet: list[bool]


def prepare(case: Case, makers: Mapping[str, Callable[[Case], Way]], reference: str) -> dict[str, Ready]:
    """Makes the ways, and makes sure that they do the same: one epoch from the same weights on the same batches.

    Raises:
      RuntimeError: a way's loss differs by more than its band. Times would mean nothing, and none are taken.
    """
    ready, losses = {}, {}
    for name, make in makers.items():
        way = make(case)
        with compile_seconds() as compiling:
            begun = time.perf_counter()
            losses[name] = way.losses()
        ready[name] = Ready(way, time.perf_counter() - begun, sum(compiling))
    expected = losses[reference]
    for name, own in losses.items():
        difference = np.abs(own - expected) / expected[0]
        if not difference.max() <= (band := BFLOAT16_BAND if "bfloat16" in name else BAND):  # NaN, too
            step = int(np.argmax(~(difference <= band)))
            raise RuntimeError(
                f"{case.name}: {name} and {reference} differ from step {step} on, from the same weights and batches: "
                f"a loss of {own[step]:.7g} against {expected[step]:.7g}. Nothing was timed."
            )
    return ready


def in_turns(ready: Mapping[str, Ready], turns: int) -> dict[str, Timing]:
    """Runs an epoch of every way in each turn, forwards and backwards, so that what else goes on meets all alike.

    An epoch that is over in less than a twentieth of a second is run several times in a turn, and counts by the median.
    """
    warm = {name: seconds(r.way.epoch) for name, r in ready.items()}
    timings = {name: Timing([], []) for name in ready}
    for turn in range(turns):
        names = [name for name in ready if warm[name] <= SLOW or turn % 4 == 0][:: -1 if turn % 2 else 1]
        before, begun = machine_seconds(), time.perf_counter()
        for name in names:
            repeats = 1 + int(0.05 / warm[name])
            timings[name].epochs.append(statistics.median(seconds(ready[name].way.epoch) for _ in range(repeats)))
        every, own = (after - start for after, start in zip(machine_seconds(), before, strict=True))
        others = max(0.0, every - own) / (time.perf_counter() - begun) / (os.cpu_count() or 1)
        for name in names:
            timings[name].quiet.append(others <= QUIET)
    return timings


def summary(timing: Timing, baseline: Timing) -> dict[str, Any]:
    """Median, quartiles and minimum over the quiet turns (over all, if none was), and ratios to a baseline."""
    is_quiet = any(timing.quiet)
    epochs = [t for t, quiet in zip(timing.epochs, timing.quiet, strict=True) if quiet or not is_quiet]
    low, _, high = statistics.quantiles(epochs, n=4) if len(epochs) > 1 else epochs * 3
    base = [t for t, quiet in zip(baseline.epochs, baseline.quiet, strict=True) if quiet or not any(baseline.quiet)]
    return {
        "median_s": statistics.median(epochs),
        "quartiles_s": [low, high],
        "least_s": min(epochs),
        "turns": len(epochs),
        "quiet": is_quiet,
        "ratio_of_medians": statistics.median(epochs) / statistics.median(base),
        "ratio_of_least": min(epochs) / min(base),
    }


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


@contextmanager
def compile_seconds() -> Iterator[list[float]]:
    """Collects the seconds that JAX spends on tracing, lowering and compiling."""
    collected: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            collected.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield collected
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def machine_seconds() -> tuple[float, float]:
    """CPU seconds that all processes, and that this one and its finished children, have used so far.

    (0, 0) where the system does not tell.
    """
    if not Path("/proc/stat").exists():
        return 0.0, 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    every = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return every, sum(os.times()[:4])
