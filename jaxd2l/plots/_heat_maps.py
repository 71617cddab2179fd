"""Tables of numbers as colours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped
from matplotlib.figure import Figure

from jaxd2l._checks.shapes import require_not_empty, require_shapes


def heat_map(
    values: Shaped[np.ndarray, "rows columns"],
    *,
    x: Sequence[str],
    y: Sequence[str],
    xlabel: str,
    ylabel: str,
    label: str,
    title: str = "",
) -> Figure:
    """A table of numbers as colours, with each number printed; brighter is larger, NaN is hatched. D2L 3.6, 3.7.

    Args:
      values: one row per `y`, one column per `x`.
      x, y: names of the columns and of the rows.
      xlabel, ylabel: what the axes show.
      label: what the numbers are.
      title: printed above.

    Raises:
      ValueError: more or fewer names than rows or columns, or no number at all.

    >>> figure = heat_map(np.eye(2), x=["0.1", "1"], y=["0"] * 2, xlabel="lr", ylabel="seed", label="accuracy")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1.000', '0.000', '0.000', '1.000']
    """
    values = np.asarray(values, np.float64)
    require_shapes(f"{len(y)} {len(x)}", values=values)
    require_not_empty(None, values=values)
    finite = np.isfinite(values)
    figure = Figure(figsize=(2.2 + 0.62 * len(x), max(3.0, 1.6 + 0.36 * len(y))), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("0.9")
    axes.patch.set_hatch("///")
    image = axes.imshow(np.ma.masked_array(values, ~finite), cmap="cividis", aspect="auto")
    middle = np.mean([values[finite].min(), values[finite].max()]) if finite.any() else 0.0
    for (row, column), value in np.ndenumerate(values):
        color = "white" if finite[row, column] and value <= middle else "black"
        axes.text(column, row, f"{value:.3f}", ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(x)), x)
    axes.set_yticks(range(len(y)), y)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if finite.any():
        figure.colorbar(image, label=label)
    return figure
