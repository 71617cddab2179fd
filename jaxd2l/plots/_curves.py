"""The course of a run: its losses and its accuracy, when it is over or while it goes on."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from jaxd2l._checks.numbers import require_whole
from jaxd2l._files import write_file
from jaxd2l.plots._figures import png
from jaxd2l.plots._lines import STYLES, legend, thinned
from jaxd2l.types import History, TrainState


def training_curves(history: History, *, title: str = "", measured: str = "test") -> Figure:
    """Training loss, test loss and, for a classifier, test accuracy over the epochs: the book's figure.

    The accuracy has a panel of its own below the losses, whose range is another. A thin grey line shows the loss of
    each step; the mean of an epoch is drawn in its middle. A loss that jumps far above all others leaves the picture,
    which says how high it went. D2L 3.4.5, 4.4.5, 5.2.1.

    Args:
      history: of at least one epoch.
      title: printed above.
      measured: what the set is called that was measured after every epoch.

    Raises:
      ValueError: no epoch was run.

    >>> zeros = np.zeros(2)
    >>> [axes.get_ylabel() for axes in training_curves(History(np.zeros((2, 5)), zeros, zeros, zeros)).axes]
    ['loss', 'accuracy']
    """
    num_epochs, num_steps = history.step_loss.shape
    require_whole(1, **{"the number of epochs": num_epochs})
    has_accuracy = not np.isnan(history.test_accuracy).all()
    figure = Figure(figsize=(6, 5 if has_accuracy else 3.6), layout="constrained")
    panels = figure.subplots(1 + has_accuracy, sharex=True, squeeze=False, height_ratios=(3, 2)[: 1 + has_accuracy])
    axes = panels[0, 0]
    epochs = np.arange(1, num_epochs + 1)
    steps = np.arange(1, num_epochs * num_steps + 1) / num_steps
    axes.plot(steps, history.step_loss.ravel(), color="0.8", linewidth=0.8, label="loss of each step")
    axes.plot(epochs - 0.5, history.train_loss, label="train loss", **thinned(STYLES[0], num_epochs))
    if not np.isnan(history.test_loss).all():
        axes.plot(epochs, history.test_loss, label=f"{measured} loss", **thinned(STYLES[1], num_epochs))
    axes.set_ylabel("loss")
    axes.set_title(title, fontsize=10, wrap=True)
    if has_accuracy:
        axes.set_ylim(bottom=0)
        _leave_out_spikes(axes, history)
        _draw_accuracy(panels[1, 0], epochs, history.test_accuracy, f"{measured} accuracy")
    else:
        _scale_to_logarithm(axes)
    for panel in panels[:, 0]:
        panel.grid(alpha=0.3)
    panels[-1, 0].set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure)
    return figure


def _draw_accuracy(axes: Axes, epochs: np.ndarray, accuracy: np.ndarray, label: str) -> None:
    """Its curve, on an axis as long as its range, but no shorter than 0.1: noise shall not look like progress."""
    axes.plot(epochs, accuracy, label=label, **thinned(STYLES[2], len(epochs)))
    axes.set_ylim(max(-0.02, np.nanmin(accuracy) - 0.05), min(1.02, np.nanmax(accuracy) + 0.05))
    axes.set_ylabel("accuracy")


def _scale_to_logarithm(axes: Axes) -> None:
    """With plain numbers, also between the powers of ten if there are few of these."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


_NOTE: dict[str, Any] = {"fontsize": 8, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}}


def _leave_out_spikes(axes: Axes, history: History) -> None:
    """Ends the axis of losses where nearly all of them are, if a few are many times higher, and says so."""
    losses = np.concatenate([history.step_loss.ravel(), history.train_loss, history.test_loss])
    losses = losses[np.isfinite(losses)]
    usual = max(1.0, *np.percentile(losses, [50, 90]), history.step_loss[0, 0]) if len(losses) else 1.0
    if not len(losses) or losses.max() <= 4 * usual:
        return
    axes.set_ylim(top=1.5 * usual)
    epoch = 1 + int(np.nanargmax(np.where(np.isfinite(history.step_loss), history.step_loss, -np.inf).max(axis=1)))
    note = f"The loss went up to {losses.max():.2g}, in epoch {epoch}; the axis leaves that out."
    axes.text(0.5, 0.97, note, transform=axes.transAxes, ha="center", va="top", **_NOTE)


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
