"""The figures of a report, drawn by matplotlib as SVG for a page. The same report gives the same bytes."""

import re
from collections.abc import Sequence
from html import escape

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jaxd2l import plots
from jaxd2l.parity.findings import Curve, CurveQuantity
from jaxd2l.parity.rule import ULP_EDGES, Row, holds

_LONGEST_NAME = 48


def distances(curves: Sequence[Curve], marks: Sequence[int]) -> str:
    """How far each run's parameters are from the oracle's, over the steps; a tick at the top marks a step."""
    figure = _curves(curves, "distance", "relative L2 distance")
    axes = figure.axes[0]
    axes.plot(marks, np.ones(len(marks)), "|k", transform=axes.get_xaxis_transform(), markersize=14)
    return svg(figure, "Distance of each run's parameters from torch's in float64, over the training steps")


def losses(curves: Sequence[Curve]) -> str:
    """The loss of each run over the steps."""
    return svg(_curves(curves, "loss", "loss"), "Loss of each run over the training steps")


def histograms(rows: Sequence[Row]) -> str:
    """One line of bars per row: the share of elements in each bin of errors, with their number beside it."""
    counts = np.array([row.histogram for row in rows]).reshape(len(rows), len(ULP_EDGES) - 1)
    figure = Figure(figsize=(13, 0.9 + 0.26 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places, bins = np.nonzero(counts)
    shares = counts[places, bins] / counts.sum(1)[places]
    axes.vlines(bins - 0.4, places + 0.4, places + 0.4 - 0.8 * shares, color="0.25", linewidth=7)
    for place, bin_, count in zip(places.tolist(), bins.tolist(), counts[places, bins].tolist(), strict=True):
        axes.text(bin_ - 0.28, place, _short_count(count), fontsize=8, verticalalignment="center_baseline")
    axes.set_xticks(np.arange(len(ULP_EDGES) - 1), [_bin_name(i) for i in range(len(ULP_EDGES) - 1)])
    axes.set_yticks(np.arange(len(rows)), [_row_name(row) for row in rows], fontsize=9)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if holds(row) else "bold")
    axes.set(xlim=(-0.6, len(ULP_EDGES) - 1.4), ylim=(len(rows) - 0.5, -1), ylabel="quantity")
    meaning = "error of JAX, in roundings (ULPs); bars: share of elements, numbers: elements"
    axes.set_xlabel(meaning, labelpad=8)
    axes.xaxis.set_label_position("top")
    axes.tick_params(axis="x", labeltop=True, labelbottom=False, length=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[:].set_visible(False)
    return svg(figure, "Errors of JAX, element by element, for each quantity")


def svg(figure: Figure, title: str) -> str:
    """A figure as an `<svg>` element to put into a page; `title` describes it to those who cannot see it."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # text stays text
        file = plots.svg(figure)
    element = file[file.index("<svg") :].rstrip()
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'<g id="[^"]*">', "<g>", element)  # names that every figure of the page would repeat
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element)  # not needed inside of a page
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def _curves(curves: Sequence[Curve], quantity: CurveQuantity, label: str) -> Figure:
    shown = {curve.run: curve.values for curve in curves if curve.quantity == quantity}
    steps = np.arange(1, len(next(iter(shown.values()))) + 1)
    has_positive = any(value > 0 for values in shown.values() for value in values)
    scale = "log" if quantity == "distance" and has_positive else "linear"
    figure = plots.lines(steps, shown, xlabel="step", ylabel=label, yscale=scale)
    figure.set_size_inches(9, 3.8)
    return figure


def _bin_name(i: int) -> str:
    low, high = ULP_EDGES[i : i + 2]
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"≥ {low:g}"


def _row_name(row: Row) -> str:
    name = f"{row.quantity}, {row.precision}"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _short_count(count: int) -> str:
    return str(count) if count < 10000 else f"{count / 1000:.0f}k"
