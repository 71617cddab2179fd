"""What a benchmark measured, as pictures."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from jaxd2l import plots
from jaxd2l.bench import glance
from jaxd2l.bench.cases import Family
from jaxd2l.bench.suite import Epoch, Grown, Result

_COLORS: dict[Family, str] = {"JAX": "#0072B2", "torch": "#D55E00", "the book": "#000000"}
_MARKERS: dict[Family, str] = {"JAX": "o", "torch": "s", "the book": "^"}
"""They tell the families apart in grey."""

_DASHES = ("-", "--", "-.", ":")


def draw(result: Result) -> dict[str, bytes]:
    """PNGs by file name."""
    env = result.environment
    machine = f"{env.cpu}, {env.cores} cores, JAX on {env.kind}"
    pictures = {"ways.png": plots.png(ways(result.ways, machine=machine))}
    if result.growth:
        pictures["growth.png"] = plots.png(growth(result.growth, machine=machine))
    return pictures


def ways(epochs: Sequence[Epoch], *, machine: str = "") -> Figure:
    """A dot per way, the fastest of each model first: how many times slower the others are, by their medians.

    The axis is logarithmic, so there are no bars: their lengths would mean nothing. A thin line joins the quartiles.
    """
    models = glance.fastest_first(epochs)
    slowest = max(glance.slower(ranked[-1], ranked[0]) for ranked in models.values())
    left, right = 0.8, max(2.0, 1.25 * slowest)
    figure = Figure(figsize=(7, 1.8 + 0.23 * len(epochs) + 0.42 * len(models)), layout="constrained")
    sizes = [len(ranked) + 0.6 for ranked in models.values()]
    panels = figure.subplots(len(models), 1, height_ratios=sizes, sharex=True, squeeze=False)[:, 0]
    for axes, (model, ranked) in zip(panels, models.items(), strict=True):
        _dots(axes, ranked, middle=math.sqrt(left * right))
        axes.set_title(model, fontsize=10, loc="left")
    panels[-1].set(xscale="log", xlim=(left, right))
    panels[-1].set_xlabel("times slower (median and quartiles; logarithmic)", fontsize=9)
    panels[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[-1].xaxis.set_minor_locator(NullLocator())
    panels[-1].xaxis.set_major_formatter("{x:g}")
    _explain(figure, "One epoch in every way: times slower than the fastest", machine, epochs)
    return figure


def _dots(axes: Axes, ranked: Sequence[Epoch], *, middle: float) -> None:
    """The ways of one model, from top to bottom. The text stands on the side where there is room."""
    fastest = ranked[0].summary.median_s
    for i, epoch in enumerate(ranked):
        low, high = (t / fastest for t in epoch.summary.quartiles_s)
        ratio = glance.slower(epoch, ranked[0])
        color, marker = _COLORS[epoch.family], _MARKERS[epoch.family]
        axes.plot([min(low, ratio), max(high, ratio)], [i, i], color=color, linewidth=1.5)
        axes.plot(ratio, i, marker, color=color, markersize=6, label=epoch.family)
        told = f"{glance.times(ratio)} times slower" if ratio >= 1.05 else "about as fast" if i else "the fastest"
        text = f"{glance.milliseconds(epoch.summary.median_s)} ms, {told}"
        if ratio < middle:
            axes.annotate(text, (max(high, ratio), i), (7, 0), textcoords="offset points", va="center", fontsize=9)
        else:
            place = (min(low, ratio), i)
            axes.annotate(text, place, (-7, 0), textcoords="offset points", va="center", ha="right", fontsize=9)
    axes.set_yticks(range(len(ranked)), [epoch.way for epoch in ranked], fontsize=9)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.tick_params(axis="both", length=0, labelsize=9)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)


def growth(grown: Sequence[Grown], *, machine: str = "") -> Figure:
    """One panel per thing that grows, one line per way."""
    names = list(dict.fromkeys(row.axis for row in grown))
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True).ravel()
    way_names = dict.fromkeys(row.epoch.way for row in grown)
    for axes, name in zip(panels, names, strict=False):
        own = [row for row in grown if row.axis == name]
        for way, dashes in zip(way_names, _DASHES, strict=False):
            line = [(row.value, 1e3 * row.epoch.summary.median_s) for row in own if row.epoch.way == way]
            axes.plot(*zip(*line, strict=True), label=way, linestyle=dashes, **_style(own, way))
        axes.set(xscale="log", yscale="log")
        axes.set_xlabel(name, fontsize=9)
        values = sorted({row.value for row in own})
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.margins(x=0.08)
        axes.grid(alpha=0.3)
    for axes in panels[::2]:
        axes.set_ylabel("one epoch, ms", fontsize=9)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    _explain(figure, "How the time of an epoch of the MLP grows", machine, [row.epoch for row in grown])
    return figure


def _style(rows: Sequence[Grown], way: str) -> dict[str, Any]:
    [family] = {row.epoch.family for row in rows if row.epoch.way == way}
    return {"color": _COLORS[family], "marker": _MARKERS[family], "markersize": 4}


def _explain(figure: Figure, title: str, machine: str, epochs: Sequence[Epoch]) -> None:
    """Title, machine, a warning if it was busy, and a legend."""
    lines = [title, *textwrap.wrap(machine, 80), *textwrap.wrap(glance.busy(epochs), 80)]
    figure.suptitle("\n".join(lines), fontsize=10)
    entries = {label: h for a in figure.axes for h, label in zip(*a.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
