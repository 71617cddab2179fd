"""What `jaxd2l sweep` shows: a table of all points, a heat map, and what to know about the best."""

import jax
import numpy as np
from rich.table import Table

from jaxd2l.cli.setups import Setup
from jaxd2l.train import evaluate
from jaxd2l.train.sweep import Best, Outcome, Sweep

_SYMBOLS = {"learning_rate": "lr", "weight_decay": "weight decay", "optimizer": "optimiser"}
Labels = dict[str, list[str]]
"""By axis, what its values are called."""


def table(result: Sweep, labels: Labels, values: np.ndarray, chosen: Best | None, title: str) -> Table:
    """A line per point: the mean over the seeds and how far they lie apart."""
    shown_as = Table(title=title)
    for name in result.grid:
        shown_as.add_column(_SYMBOLS[name], justify="right")
    for heading in ("mean", "SD", "min", "max", ""):
        shown_as.add_column(heading, justify="right")
    for where in np.ndindex(values.shape[1:]):
        point = {name: float(axis[i]) for (name, axis), i in zip(result.grid.items(), where, strict=True)}
        shown = [labels[name][i] for name, i in zip(result.grid, where, strict=True)]
        of_seeds = np.moveaxis(values, 0, -1)[where]
        spread = f"{of_seeds.std(ddof=1):.4f}" if len(of_seeds) > 1 and np.isfinite(of_seeds).all() else ""
        numbers = (f"{of_seeds.mean():.4f}", spread, f"{of_seeds.min():.4f}", f"{of_seeds.max():.4f}")
        is_best = chosen is not None and point == chosen.point
        shown_as.add_row(*shown, *numbers, "best" if is_best else "")
    return shown_as


def picture(result: Sweep, labels: Labels, values: np.ndarray, chosen: Best | None, what: str, title: str) -> bytes:
    """A cell per point of two axes; of one axis, a cell per seed and one for their mean. The chosen one is framed."""
    from jaxd2l import plots  # matplotlib, for those who ask for a picture

    name, *others = result.grid
    mean = values.mean(axis=0)
    if others:
        [other] = others
        values = mean.T
        what += f", mean of {len(result.seeds)} seeds" if len(result.seeds) > 1 else ""
        rows, ylabel = labels[other], _SYMBOLS[other]
    else:
        values = np.vstack([values, mean])
        rows, ylabel = [*map(str, result.seeds), "mean"], "seed"
    framed = None
    if chosen is not None:
        at = _place(result, chosen)
        framed = (at[1] if others else len(rows) - 1, at[0])
        point = zip(result.grid, at, strict=True)
        title += f"; the best: {', '.join(f'{_SYMBOLS[k]} {labels[k][i]}' for k, i in point)}"
    figure = plots.heat_map(
        values, x=labels[name], y=rows, xlabel=_SYMBOLS[name], ylabel=ylabel, label=what, title=title, best=framed
    )
    return plots.png(figure)


def notes_on(setup: Setup, result: Sweep, chosen: Best | None, by: Outcome) -> list[str]:
    """The best point's result on the test set, and the axes at whose ends it lies."""
    if chosen is None:
        return []
    at, notes = _place(result, chosen), []
    if setup.settings.validation:
        each = []
        for i in range(len(result.seeds)):
            params, state = jax.tree.map(lambda leaf, i=i: leaf[(i, *at)], (result.params, result.model_state))
            each.append(evaluate(setup.model, setup.loss, params, setup.test, model_state=state))
        mean = np.mean([getattr(one, by.removeprefix("test_")) for one in each])
        notes.append(f"the best on the test set: {by.replace('_', ' ')} {mean:.4f}")
    for (name, axis), i in zip(result.grid.items(), at, strict=True):
        if name != "optimizer" and len(axis) > 1 and axis[i] in (axis.min(), axis.max()) and axis[i] != 0:
            side, beyond = ("smallest", "smaller") if axis[i] == axis.min() else ("largest", "larger")
            notes.append(f"the best {_SYMBOLS[name]}, {axis[i]:.4g}, is the {side} of the grid: try {beyond} ones, too")
    return notes


def measured(by: Outcome, setup: Setup) -> str:
    """What was measured, in words: the sweep calls the set after which it chooses the test set."""
    return by.replace("_", " ").replace("test", "validation" if setup.settings.validation else "test")


def _place(result: Sweep, chosen: Best) -> list[int]:
    """Where the chosen point lies on each axis."""
    return [int(np.argmin(abs(axis - chosen.point[name]))) for name, axis in result.grid.items()]
