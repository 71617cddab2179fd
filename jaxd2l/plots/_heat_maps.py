"""Tables of numbers as colours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxd2l._checks.numbers import require_whole_between
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._checks.values import require_none_negative


def heat_map(
    values: Shaped[np.ndarray, "rows columns"],
    *,
    x: Sequence[str],
    y: Sequence[str],
    xlabel: str,
    ylabel: str,
    label: str,
    title: str = "",
    best: tuple[int, int] | None = None,
) -> Figure:
    """A table of numbers as colours, with each number printed; brighter is larger, NaN is hatched. D2L 3.6, 3.7.

    The colours are logarithmic if all numbers are positive and the largest is over a hundred times the smallest.

    Args:
      values: one row per `y`, one column per `x`.
      x, y: names of the columns and of the rows.
      xlabel, ylabel: what the axes show.
      label: what the numbers are.
      title: printed above.
      best: row and column of a cell to frame, its number printed in bold.

    Raises:
      ValueError: more or fewer names than rows or columns, no number at all, or a best cell outside the table.

    >>> figure = heat_map(np.eye(2), x=["0.1", "1"], y=["0"] * 2, xlabel="lr", ylabel="seed", label="accuracy")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1.000', '0.000', '0.000', '1.000']
    """
    values = np.asarray(values, np.float64)
    require_shapes(f"{len(y)} {len(x)}", values=values)
    require_not_empty(None, values=values)
    for name, i, count in zip(("row", "column"), best or (), values.shape, strict=False):
        require_whole_between(0, count - 1, **{f"the {name} of best": i})
    finite = np.isfinite(values)
    height = max(3.0, 1.6 + 0.36 * len(y), 1.0 + 0.08 * len(label))  # the label stands along the bar of colours
    figure = Figure(figsize=(max(4.0, 2.2 + 0.62 * len(x)), height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("0.9")
    axes.patch.set_hatch("///")
    norm = _norm(values[finite])
    image = axes.imshow(np.ma.masked_array(values, ~finite), cmap="cividis", aspect="auto", norm=norm)
    for (row, column), value in np.ndenumerate(values):
        color = "white" if finite[row, column] and norm(value) <= 0.5 else "black"
        weight = "bold" if (row, column) == best else "normal"
        text = axes.text(column, row, _short(value), ha="center", va="center", fontsize=8, color=color, weight=weight)
        if not finite[row, column]:  # so that the hatching does not cross it out
            text.set_bbox({"facecolor": "0.9", "edgecolor": "none", "pad": 1})
    if best is not None:
        _frame(axes, *best)
    axes.set_xticks(range(len(x)), x)
    axes.set_yticks(range(len(y)), y)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, fontsize=10, wrap=True)
    if finite.any():
        figure.colorbar(image).set_label(label, fontsize=9)
    return figure


def _norm(values: np.ndarray) -> Normalize:
    """From values to the share of the colours' range."""
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    return LogNorm(low, high) if low > 0 and high > 100 * low else Normalize(low, high)


def _short(value: float) -> str:
    """A number in at most seven characters, so that it stays in its cell."""
    return f"{value:.3f}" if not np.isfinite(value) or value == 0 or 1e-3 <= abs(value) < 1e3 else f"{value:.1e}"


def _frame(axes: Axes, row: int, column: int) -> None:
    """Black around white, which shows on every colour and in grey."""
    for color, width in (("black", 4.0), ("white", 1.5)):
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=width, zorder=3)
        axes.add_patch(frame).set_clip_on(False)


def confusion_matrix(
    confusion: Shaped[np.ndarray, "classes classes"], *, class_names: Sequence[str], title: str = ""
) -> Figure:
    """How often each class was taken for each other one. D2L 4.3, 4.7.

    Colours are shares of a class's examples, on a scale by square roots, so that rare mistakes show beside what is
    right; the numbers are counts, none where it is 0.

    Args:
      confusion: counts as `metrics.confusion_matrix` gives them, one row per true class, one column per prediction.
      class_names: one per class.
      title: printed above.

    Raises:
      ValueError: more or fewer names than classes, no class, or a negative count.

    >>> figure = confusion_matrix(np.array([[9, 1], [0, 5]]), class_names=["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['9', '1', '5']
    """
    confusion, n = np.asarray(confusion), len(class_names)
    require_shapes(f"{n} {n}", confusion=confusion)
    require_not_empty(None, confusion=confusion)
    require_none_negative(confusion=confusion)
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    cell, names = min(0.5, max(0.14, 12 / n)), 0.07 * max(map(len, class_names))  # inches
    figure = Figure(figsize=(2.2 + cell * n + names, 1.0 + cell * n + 0.7 * names), layout="constrained")
    axes = figure.add_subplot()
    norm = PowerNorm(0.5, 0, 1)
    image = axes.imshow(shares, cmap="Blues", norm=norm)
    for row, column in np.argwhere(confusion) if cell > 0.35 else ():
        color = "white" if norm(shares[row, column]) > 0.6 else "black"
        axes.text(column, row, f"{confusion[row, column]}", ha="center", va="center", fontsize=8, color=color)
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if names > 0.25 else {}
    size = min(9, 50 * cell)
    axes.set_xticks(range(n), class_names, fontsize=size, **turned)
    axes.set_yticks(range(n), class_names, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title, fontsize=10, wrap=True)
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return figure
