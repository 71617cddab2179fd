"""What a benchmark measured, as pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from jaxd2l import plots
from jaxd2l.bench.cases import Family
from jaxd2l.bench.suite import Epoch, Grown, Result

_STYLES: dict[Family, dict[str, Any]] = {
    "JAX": {"color": "#0072B2", "hatch": ""},
    "torch": {"color": "#D55E00", "hatch": "//"},
    "the book": {"color": "#E69F00", "hatch": ".."},
}
"""The hatching tells the families apart in grey."""


def draw(result: Result) -> dict[str, bytes]:
    """PNGs by file name."""
    pictures = {"ways.png": plots.png(ways(result.ways))}
    if result.growth:
        pictures["growth.png"] = plots.png(growth(result.growth))
    return pictures


def ways(epochs: Sequence[Epoch]) -> Figure:
    """A bar per way and model: the median epoch on a logarithmic axis, with the quartiles."""
    models = list(dict.fromkeys(epoch.model for epoch in epochs))
    figure = Figure(figsize=(9, 0.5 + 0.26 * len(epochs) + 0.5 * len(models)), layout="constrained")
    sizes = [sum(epoch.model == model for epoch in epochs) for model in models]
    for axes, model in zip(np.atleast_1d(figure.subplots(len(models), 1, height_ratios=sizes)), models, strict=True):
        _bars(axes, [epoch for epoch in epochs if epoch.model == model])
        axes.set_title(model, fontsize=10, loc="left")
    axes.set_xlabel("one epoch, ms (median and quartiles, logarithmic)")
    return figure


def _bars(axes: Axes, epochs: Sequence[Epoch]) -> None:
    """The ways of one model, from top to bottom."""
    for i, epoch in enumerate(epochs):
        low, high = (1e3 * t for t in epoch.summary.quartiles_s)
        median = 1e3 * epoch.summary.median_s
        error = [[max(0, median - low)], [max(0, high - median)]]
        axes.barh(i, median, xerr=error, edgecolor="white", capsize=2, **_STYLES[epoch.family])
        text = f"{median:,.0f} ms" if median >= 1000 else f"{median:.3g} ms"
        axes.text(high * 1.08, i, text, va="center", fontsize=8)
    axes.set_yticks(range(len(epochs)), [epoch.way for epoch in epochs], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(e.summary.min_s for e in epochs) * 300, max(e.summary.median_s for e in epochs) * 5000)
    axes.grid(axis="x", alpha=0.3)


def growth(grown: Sequence[Grown]) -> Figure:
    """One panel per thing that grows, one line per way."""
    names = list(dict.fromkeys(row.axis for row in grown))
    figure = Figure(figsize=(8, 6), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for axes, name in zip(panels, names, strict=False):
        own = [row for row in grown if row.axis == name]
        for way, style in zip(dict.fromkeys(row.epoch.way for row in own), plots.STYLES, strict=False):
            line = [(row.value, 1e3 * row.epoch.summary.median_s) for row in own if row.epoch.way == way]
            axes.plot(*zip(*line, strict=True), label=way, **{**style, "marker": "o", "markersize": 4})
        axes.set(xlabel=name, ylabel="one epoch, ms", xscale="log", yscale="log")
        values = sorted({row.value for row in own})
        axes.set_xticks(values, [str(value) for value in values])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure
