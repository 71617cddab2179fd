"""Fair timing: the ways of a case first prove that they compute the same, then run in turns in one process."""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxd2l.bench.cases import Case, Loop, Way
from jaxd2l.models import Precision

BANDS: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 2e-2}
"""How far any step's loss in an epoch may be from the reference's, relative to the first loss."""

MEAN_BAND = 2e-2
"""How far the mean over the epoch may be where the steps are not alike to its end."""

SLOW = 2.0
"""A way whose epoch takes more seconds than this is run in every fourth turn only."""

QUIET = 0.1
"""A turn is quiet if other processes took at most this share of the machine."""


class Ready(NamedTuple):
    """A loop that has run one epoch, the seconds this took, and how many of them JAX spent compiling."""

    loop: Loop
    first_s: float
    compiling_s: float


class Timing(NamedTuple):
    """Seconds of each epoch of a way, and which of them were in a quiet turn."""

    epochs: list[float]
    quiet: list[bool]


class Summary(NamedTuple):
    """Seconds of an epoch over the turns that count, and ratios to the reference's. quiet: only quiet turns count."""

    median_s: float
    quartiles_s: tuple[float, float]
    min_s: float
    turns: int
    quiet: bool
    ratio_of_medians: float
    ratio_of_minima: float


def prepare(case: Case, ways: Iterable[Way], reference: Way) -> dict[Way, Ready]:
    """Prepares the ways and makes sure that they do the same: one epoch from the same weights on the same batches.

    Raises:
      RuntimeError: a way's loss is further from the reference's than its band allows. Times would mean nothing.
    """
    ready, losses = {}, {}
    for way in ways:
        loop = way.prepare(case)
        with compile_seconds() as compiling:
            begun = time.perf_counter()
            losses[way] = loop.first_losses()
        ready[way] = Ready(loop, time.perf_counter() - begun, sum(compiling))
    expected = losses[reference]
    for way, own in losses.items():
        within = (np.abs(own - expected) / expected[0] <= BANDS[way.precision])[: case.alike]
        close = np.abs(np.mean(own - expected)) / expected[0] <= MEAN_BAND
        if not (within.all() and close):  # a NaN is neither
            step = int(np.argmin(within)) if not within.all() else len(within)
            raise RuntimeError(
                f"{case.name}: {way.name} and {reference.name} differ from step {step} on, from the same weights and "
                f"batches: a loss of {own[step]:.7g} against {expected[step]:.7g}. Nothing was timed."
            )
    return ready


def in_turns(ready: Mapping[Way, Ready], turns: int) -> dict[Way, Timing]:
    """Runs an epoch of every way in each turn, forwards and backwards, so that other processes disturb all alike.

    An epoch that is over in less than a twentieth of a second is run several times in a turn, and counts by the median.
    """
    warm = {way: seconds(r.loop.epoch) for way, r in ready.items()}
    timings = {way: Timing([], []) for way in ready}
    for turn in range(turns):
        ways = [way for way in ready if warm[way] <= SLOW or turn % 4 == 0][:: -1 if turn % 2 else 1]
        before, begun = machine_seconds(), time.perf_counter()
        for way in ways:
            repeats = 1 + int(0.05 / warm[way])
            timings[way].epochs.append(statistics.median(seconds(ready[way].loop.epoch) for _ in range(repeats)))
        every, own = (after - start for after, start in zip(machine_seconds(), before, strict=True))
        others = max(0.0, every - own) / (time.perf_counter() - begun) / (os.cpu_count() or 1)
        for way in ways:
            timings[way].quiet.append(others <= QUIET)
    return timings


def summary(timing: Timing, reference: Timing) -> Summary:
    """Median, quartiles and minimum over the quiet turns (over all, if none was), and ratios to the reference."""
    epochs, base = _counted(timing), _counted(reference)
    low, _, high = statistics.quantiles(epochs, n=4) if len(epochs) > 1 else epochs * 3
    median = statistics.median(epochs)
    return Summary(
        median_s=median,
        quartiles_s=(low, high),
        min_s=min(epochs),
        turns=len(epochs),
        quiet=any(timing.quiet),
        ratio_of_medians=median / statistics.median(base),
        ratio_of_minima=min(epochs) / min(base),
    )


def _counted(timing: Timing) -> list[float]:
    """The epochs in quiet turns, or all if no turn was quiet."""
    return [t for t, quiet in zip(*timing, strict=True) if quiet or not any(timing.quiet)]


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
    """CPU seconds used so far by all processes, and by this one with its finished children.

    (0, 0) where the system does not count them in /proc/stat.
    """
    if not Path("/proc/stat").exists():
        return 0.0, 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    every = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return every, sum(os.times()[:4])
