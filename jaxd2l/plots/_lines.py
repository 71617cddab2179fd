"""Lines over a common axis, and what all pictures with lines share: styles that grey tells apart, legends."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jaxd2l._checks.numbers import require_whole_between
from jaxd2l._checks.shapes import require_shapes

STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "linestyle": "-"},
    {"color": "#D55E00", "linestyle": "--"},
    {"color": "#009E73", "linestyle": "-.", "marker": "o", "markersize": 4},
    {"color": "#CC79A7", "linestyle": ":"},
    {"color": "#000000", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#E69F00", "linestyle": (0, (8, 3))},
)
"""Okabe and Ito's colours, which colour-blind readers can tell apart; dashes and markers distinguish them in grey."""


def lines(
    x: ArrayLike,
    ys: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
) -> Figure:
    """Up to six lines over a common axis, each with its own colour and dashes: the book's `d2l.plot`. D2L 2.4.2.

    Args:
      x: horizontal positions, (n,). For integers the axis shows whole numbers only.
      ys: the values of each line, (n,), by its name.
      xlabel, ylabel: what the axes show, with the unit if there is one.
      title: printed above.
      xscale, yscale: "linear" or "log".

    Raises:
      ValueError: no line, more than six, or a line with more or fewer values than `x`.

    >>> figure = lines(np.arange(3), {"x": [0, 1, 2], "x²": [0, 1, 4]}, xlabel="x", ylabel="f(x)")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['x', 'x²']
    """
    x = np.asarray(x)
    require_whole_between(1, len(STYLES), **{"the number of lines": len(ys)})
    for name, values in ys.items():
        require_shapes("n, n", x=x, **{f"ys[{name!r}]": values})
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), style in zip(ys.items(), STYLES, strict=False):
        axes.plot(x, np.asarray(values), label=name, **thinned(style, len(x)))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale=xscale, yscale=yscale)
    if xscale == "linear" and np.issubdtype(x.dtype, np.integer):  # no layer 2.5
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if len(ys) > 1:
        legend(figure)
    return figure


def thinned(style: dict[str, Any], num_points: int) -> dict[str, Any]:
    """The style, without its marker if markers would overlap."""
    return style | {"marker": None} if num_points > 30 else style


def legend(figure: Figure) -> None:
    """Below the axes, where it hides no line; matplotlib's search for the best place takes seconds with many steps."""
    labels = [label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]]
    rows = -(-sum(len(label) + 8 for label in labels) // 90)
    figure.legend(loc="outside lower center", ncols=-(-len(labels) // rows), frameon=False)
