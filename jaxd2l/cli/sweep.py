"""`jaxd2l sweep`: many seeds and hyperparameters in one compiled program, the best of them, and a heat map."""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jaxd2l import optim
from jaxd2l._exit_codes import ExitCode
from jaxd2l._files import write_file
from jaxd2l.cli import runs, setups
from jaxd2l.cli.setups import Setup
from jaxd2l.train.sweep import Best, Outcome, Sweep, best, outcome, sweep

_SYMBOLS = {"learning_rate": "lr", "weight_decay": "weight decay"}


def run(options: argparse.Namespace) -> ExitCode:
    """Trains all models, prints the mean and the spread of every point, and marks the best."""
    setup = setups.chosen(options)
    grid = {"learning_rate": options.lr} | ({"weight_decay": options.weight_decay} if options.weight_decay else {})
    count = options.seeds * math.prod(len(values) for values in grid.values())
    begun = time.perf_counter()
    result = _train(setup, grid, options.seeds, count)
    seconds = time.perf_counter() - begun
    by: Outcome = "test_accuracy" if setup.dataset.class_names else "test_loss"
    values, epochs = outcome(result, of=by), setup.settings.epochs
    trained = f"{options.model} on {setup.dataset_name}"
    if options.plot is not None:
        write_file(options.plot, _picture(result, values, by, f"{trained}, {epochs} epochs"))
    chosen, problem = _best(result, by)
    if options.json:
        print(runs.to_json(_record(_arguments(options, setup), result, chosen, seconds)))
    else:
        what = f"{trained}: {by.replace('_', ' ')} after {epochs} epochs"
        Console().print(_table(result, values, chosen, f"{what}, {count} models in {seconds:.1f} s"))
        if options.plot is not None:
            print(f"the heat map: {options.plot}")
    if problem:
        print(f"jaxd2l: error: {problem}", file=sys.stderr)
        return ExitCode.ERROR
    return ExitCode.OK


def _train(setup: Setup, grid: dict[str, Sequence[float]], num_seeds: int, count: int) -> Sweep:
    columns = (TextColumn(f"{count} models"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=setup.settings.epochs)
        return sweep(
            setup.model,
            setup.loss,
            _sgd,
            setup.dataset,
            seeds=range(num_seeds),
            grid=grid,
            epochs=setup.settings.epochs,
            batch_size=setup.settings.batch_size,
            on_epoch=lambda history: progress.advance(bar),
        )


def _best(result: Sweep, by: Outcome) -> tuple[Best | None, str]:
    """The best point, or why there is none."""
    try:
        return best(result, by=by), ""
    except ValueError as error:
        return None, str(error)


def _sgd(learning_rate: Any, weight_decay: Any = 0.0) -> Any:
    """Decays only weights, as the book does."""
    return optim.sgd(learning_rate, weight_decay=weight_decay, weight_decay_mask=optim.kernels)


def _table(result: Sweep, values: np.ndarray, chosen: Best | None, title: str) -> Table:
    table = Table(title=title)
    for name in result.grid:
        table.add_column(_SYMBOLS[name], justify="right")
    for heading in ("mean", "SD", "min", "max", ""):
        table.add_column(heading, justify="right")
    for where in np.ndindex(values.shape[1:]):
        point = {name: float(axis[i]) for (name, axis), i in zip(result.grid.items(), where, strict=True)}
        of_seeds = np.moveaxis(values, 0, -1)[where]
        spread = f"{of_seeds.std(ddof=1):.4f}" if len(of_seeds) > 1 and np.isfinite(of_seeds).all() else ""
        numbers = (f"{of_seeds.mean():.4f}", spread, f"{of_seeds.min():.4f}", f"{of_seeds.max():.4f}")
        is_best = chosen is not None and point == chosen.point
        table.add_row(*(f"{v:.4g}" for v in point.values()), *numbers, "best" if is_best else "")
    return table


def _picture(result: Sweep, values: np.ndarray, by: Outcome, title: str) -> bytes:
    from jaxd2l import plots  # matplotlib, for those who ask for a picture

    what = by.replace("_", " ")
    (name, axis), *others = result.grid.items()
    rows, ylabel = [str(seed) for seed in result.seeds], "seed"
    if others:
        [(other, other_axis)] = others
        values, what = values.mean(axis=0).T, f"{what}, mean of {len(rows)} seeds"
        rows, ylabel = [f"{v:.3g}" for v in other_axis], _SYMBOLS[other]
    figure = plots.heat_map(
        values, x=[f"{v:.3g}" for v in axis], y=rows, xlabel=_SYMBOLS[name], ylabel=ylabel, label=what, title=title
    )
    return plots.png(figure)


def _arguments(options: argparse.Namespace, setup: Setup) -> dict[str, Any]:
    given = {k: v for k, v in vars(options).items() if k not in ("module", "json", "plot")}
    sizes = {"epochs": setup.settings.epochs, "batch_size": setup.settings.batch_size}
    return given | {"dataset": setup.dataset_name, **sizes}


def _record(arguments: dict[str, Any], result: Sweep, chosen: Best | None, seconds: float) -> dict[str, Any]:
    return {
        "arguments": arguments,
        **runs.made_with(),
        "seconds": seconds,
        "axes": ["seed", *result.grid],
        "seeds": result.seeds,
        "grid": result.grid,
        "best": chosen and chosen._asdict(),
        "outcomes": {name: outcome(result, of=name) for name in get_args(Outcome)},
    }
