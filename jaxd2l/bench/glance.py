"""A benchmark at a glance: a narrow table, a sentence to remember, and a warning if the machine was busy."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxd2l.bench import ways
from jaxd2l.bench.measure import QUIET
from jaxd2l.bench.suite import Epoch


class Table(NamedTuple):
    """A table with its title."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def table(epochs: Sequence[Epoch]) -> Table:
    """The ways of each model, the fastest first; a model's name stands in its first row only. It fits 80 columns."""
    rows = []
    for model, ranked in fastest_first(epochs).items():
        for i, epoch in enumerate(ranked):
            cells = [epoch.way, milliseconds(epoch.summary.median_s), times(slower(epoch, ranked[0]))]
            rows.append(["" if i else model, *cells])
    return Table(
        "One epoch: its median, and how many times as long as the fastest", ["model", "way", "ms", "times"], rows
    )


def conclusion(epochs: Sequence[Epoch]) -> str:
    """How a compiled epoch compares with no compilation, and with torch; empty if with neither.

    It is about the last model that was compared with the most ways.
    """
    ranked = max(reversed(fastest_first(epochs).values()), key=len)
    timed = {epoch.way: epoch.summary for epoch in ranked}
    compiled = timed[ways.REFERENCE.name]
    names = {ways.JAX_OPS.name: "op by op", ways.TORCH_EAGER.name: "torch eager"}
    others = {name: timed[way] for way, name in names.items() if way in timed}
    if not others:
        return ""
    compared = (f"{_relation(other.median_s / compiled.median_s)} {name}" for name, other in others.items())
    is_quiet = all(summary.quiet for summary in (compiled, *others.values()))
    end = "" if is_quiet else ", on a busy machine"
    return f"{ranked[0].model}, a compiled epoch: {', '.join(compared)}{end}."


def busy(epochs: Sequence[Epoch]) -> str:
    """A warning if some of them were never timed while the machine was quiet, else nothing."""
    noisy = sum(not epoch.summary.quiet for epoch in epochs)
    if not noisy:
        return ""
    return (
        f"The machine was busy: in every turn of {noisy} of {len(epochs)} timings other processes took more than "
        f"{QUIET:.0%} of it. Times are too long and comparisons unsure; measure again when it is quiet."
    )


def fastest_first(epochs: Sequence[Epoch]) -> dict[str, list[Epoch]]:
    """The epochs of each model, by their medians."""
    models = dict.fromkeys(epoch.model for epoch in epochs)
    return {m: sorted((e for e in epochs if e.model == m), key=lambda e: e.summary.median_s) for m in models}


def slower(epoch: Epoch, fastest: Epoch) -> float:
    """How many times as long it takes."""
    return epoch.summary.median_s / fastest.summary.median_s


def times(ratio: float) -> str:
    """A ratio with two digits, or all those before the point."""
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def milliseconds(seconds: float) -> str:
    """With three digits, or all those before the point."""
    return f"{1e3 * seconds:.3g}" if seconds < 0.9995 else f"{1e3 * seconds:.0f}"


def _relation(ratio: float) -> str:
    if 0.95 <= ratio < 1.05:
        return "as fast as"
    return f"{times(ratio)} times faster than" if ratio > 1 else f"{times(1 / ratio)} times slower than"
