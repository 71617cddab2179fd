"""Pictures: lines, training curves, grids of images, heat maps. Each function returns a matplotlib Figure.

Only `live_curves` displays anything: it draws a run while it goes on. `png` and `svg` turn a figure into a file.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Shaped
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jaxd2l._checks.numbers import require_whole, require_whole_between
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._files import write_file
from jaxd2l.types import History, TrainState

__all__ = ["STYLES", "heat_map", "image_grid", "lines", "live_curves", "png", "svg", "training_curves"]


def __dir__() -> list[str]:
    return __all__


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
        axes.plot(x, np.asarray(values), label=name, **_thinned(style, len(x)))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale=xscale, yscale=yscale)
    if xscale == "linear" and np.issubdtype(x.dtype, np.integer):  # no layer 2.5
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if len(ys) > 1:
        _legend(figure)
    return figure


def training_curves(history: History, *, title: str = "", measured: str = "test") -> Figure:
    """Training loss, test loss and, for a classifier, test accuracy over the epochs: the book's figure.

    A thin grey line shows the loss of each step; the mean of an epoch is drawn in its middle. A loss that jumps far
    above all others leaves the picture, which says how high it went. D2L 3.4.5, 4.4.5, 5.2.1.

    Args:
      history: of at least one epoch.
      title: printed above.
      measured: what the set is called that was measured after every epoch.

    Raises:
      ValueError: no epoch was run.

    >>> zeros = np.zeros(2)
    >>> training_curves(History(np.zeros((2, 5)), zeros, zeros, zeros)).axes[0].get_xlabel()
    'epoch'
    """
    num_epochs, num_steps = history.step_loss.shape
    require_whole(1, **{"the number of epochs": num_epochs})
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, num_epochs + 1)
    steps = np.arange(1, num_epochs * num_steps + 1) / num_steps
    axes.plot(steps, history.step_loss.ravel(), color="0.8", linewidth=0.8, label="loss of each step")
    curves = {"train loss": history.train_loss, f"{measured} loss": history.test_loss}
    curves |= {f"{measured} accuracy": history.test_accuracy}
    shown = {name: values for name, values in curves.items() if not np.isnan(values).all()}
    for (name, values), style in zip(shown.items(), STYLES, strict=False):
        where = epochs - 0.5 if name == "train loss" else epochs
        axes.plot(where, values, label=name, **_thinned(style, num_epochs))
    has_accuracy = f"{measured} accuracy" in shown
    axes.set(xlabel="epoch", ylabel="loss, accuracy" if has_accuracy else "loss", title=title)
    if has_accuracy:
        axes.set_ylim(bottom=0)
        _leave_out_spikes(figure, history)
    else:
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    _legend(figure)
    return figure


_NOTE: dict[str, Any] = {"fontsize": 8, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}}


def _leave_out_spikes(figure: Figure, history: History) -> None:
    """Ends the axis of losses where nearly all of them are, if a few are many times higher, and says so."""
    losses = np.concatenate([history.step_loss.ravel(), history.train_loss, history.test_loss])
    losses = losses[np.isfinite(losses)]
    usual = max(1.0, *np.percentile(losses, [50, 90]), history.step_loss[0, 0]) if len(losses) else 1.0
    if not len(losses) or losses.max() <= 4 * usual:
        return
    figure.axes[0].set_ylim(top=1.5 * usual)
    epoch = 1 + int(np.nanargmax(np.where(np.isfinite(history.step_loss), history.step_loss, -np.inf).max(axis=1)))
    note = f"The loss went up to {losses.max():.2g}, in epoch {epoch}; the axis leaves that out."
    figure.axes[0].text(0.5, 0.97, note, transform=figure.axes[0].transAxes, ha="center", va="top", **_NOTE)


def _thinned(style: dict[str, Any], num_points: int) -> dict[str, Any]:
    """The style, without its marker if markers would overlap."""
    return style | {"marker": None} if num_points > 30 else style


def _legend(figure: Figure) -> None:
    """Below the axes, where it hides no line; matplotlib's search for the best place takes seconds with many steps."""
    labels = figure.axes[0].get_legend_handles_labels()[1]
    rows = -(-sum(len(label) + 8 for label in labels) // 90)
    figure.legend(loc="outside lower center", ncols=-(-len(labels) // rows), frameon=False)


def live_curves(
    epochs: int,
    *,
    title: str = "",
    path: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[TrainState, History], bool | None] | None = None,
) -> Callable[[TrainState, History], bool]:
    """An `on_epoch` for `train.fit` that draws `training_curves` in a notebook while the run goes on. D2L 3.2.1.

    The book's `ProgressBoard`. It runs between epochs and reads only what `fit` has already brought to the host. It
    replaces the picture in place and spends at most a fifth of the time on drawing: short epochs share a picture. It
    always draws the last one.

    Args:
      epochs: how many epochs there will be; the horizontal axis has this length from the start.
      title: printed above.
      path: a PNG file to write each picture to as well, or instead outside a notebook; it is complete at any time.
      on_epoch: called first; if it returns True, training ends and this picture is the last one.

    >>> from jaxd2l.train import fit
    >>> data = synthetic_regression(jax.random.key(0), np.array([2.0, -3.4]), 4.2)
    >>> state, history = fit(
    ...     models.linear_regression(2), losses.squared_loss, optax.sgd(0.03), data,
    ...     key=jax.random.key(1), epochs=3, batch_size=32, on_epoch=live_curves(3),
    ... )
    """
    ipython = sys.modules.get("IPython")  # a notebook has loaded it
    is_notebook = ipython is not None and ipython.get_ipython() is not None
    handle: Any = None
    last_drawn, cost = -np.inf, 0.0

    def draw(state: TrainState, history: History) -> bool:
        nonlocal handle, last_drawn, cost
        ends = on_epoch is not None and bool(on_epoch(state, history))
        begun = time.perf_counter()
        if ends or len(history.train_loss) >= epochs or begun - last_drawn > 4 * cost:
            figure = training_curves(history, title=title)
            figure.axes[0].set_xlim(0, epochs)
            if handle is not None:
                handle.update(figure)
            elif ipython is not None and is_notebook:
                handle = ipython.display.display(figure, display_id=True)
            if path is not None:
                write_file(path, png(figure))
            last_drawn = time.perf_counter()
            cost = last_drawn - begun
        return ends

    return draw


def image_grid(
    images: Shaped[np.ndarray, "n height width channels"], *, titles: Sequence[str] = (), columns: int = 8
) -> Figure:
    """Images in rows, each under its title: the book's `show_images`. D2L 4.2.3.

    Args:
      images: uint8 or floating point in [0, 1]; one channel (grey) or three (colour).
      titles: one per image, or none at all.
      columns: images per row.

    Raises:
      ValueError: no images, another shape, or more or fewer titles than images.

    >>> len(image_grid(np.zeros((3, 8, 8, 1)), titles=["a", "b", "c"]).axes)
    3
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images) or images.shape[-1] not in (1, 3):
        raise ValueError(f"images must have shape (n, height, width, 1 or 3) with n > 0; got {images.shape}")
    if titles and len(titles) != len(images):
        raise ValueError(f"got {len(titles)} titles for {len(images)} images")
    white = 255 if images.dtype == np.uint8 else 1
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    figure = Figure(figsize=(1.2 * columns, (1.15 + 0.16 * lines) * rows), layout="constrained")
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=white)
        axes.set_axis_off()
        if titles:
            axes.set_title(titles[i], fontsize=8)
    return figure


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


def png(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as the content of an SVG file; the same figure gives the same text.

    >>> svg(lines(np.arange(3), {"x": [0, 1, 2]}, xlabel="x", ylabel="f(x)")).startswith("<?xml")
    True
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "jaxd2l"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
