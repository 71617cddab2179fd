"""`jaxd2l sweep`: many seeds and hyperparameters in one compiled program; the best of them, and a heat map."""

import argparse
import sys
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jaxd2l import optim
from jaxd2l._files import write_file
from jaxd2l.cli import runs, setups
from jaxd2l.train.sweep import Best, Sweep, best, outcome, sweep
from jaxd2l.types import History

_SYMBOLS = {"learning_rate": "lr", "weight_decay": "weight decay"}


def run(options: argparse.Namespace) -> int:
    """Trains all, prints the mean and the spread of every point, and the best of them."""
    dataset_name = options.dataset or ("synthetic" if options.model == "linear" else "digits")
    defaults = setups.SETTINGS[dataset_name]
    epochs, batch_size = options.epochs or defaults.epochs, options.batch_size or defaults.batch_size
    dataset = setups.load(dataset_name, options.data_dir)
    model, loss = setups.build(options.model, options.hidden, dataset, options.precision)
    grid = {"learning_rate": options.lr} | ({"weight_decay": options.weight_decay} if options.weight_decay else {})
    seeds = range(options.seeds)
    by = "test_accuracy" if dataset.class_names else "test_loss"
    count = len(seeds) * int(np.prod([len(values) for values in grid.values()]))
    begun = time.perf_counter()
    columns = (TextColumn(f"{count} models"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=epochs)

        def on_epoch(history: History) -> None:
            progress.advance(task)

        result = sweep(
            model,
            loss,
            _sgd,
            dataset,
            seeds=seeds,
            grid=grid,
            epochs=epochs,
            batch_size=batch_size,
            on_epoch=on_epoch,
        )
    seconds = time.perf_counter() - begun
    values = outcome(result, by)
    if options.plot is not None:
        write_file(options.plot, _picture(result, values, by, f"{options.model} on {dataset_name}, {epochs} epochs"))
    try:
        chosen = best(result, by)
    except ValueError as error:
        chosen, problem = None, str(error)
    if options.json:
        arguments = {k: v for k, v in vars(options).items() if k not in ("module", "json", "plot")}
        arguments |= {"dataset": dataset_name, "epochs": epochs, "batch_size": batch_size}
        print(runs.to_json(_record(arguments, result, chosen, seconds)))
    else:
        title = f"{options.model} on {dataset_name}: {by.replace('_', ' ')} after {epochs} epochs, {count} models"
        Console().print(_table(result, values, chosen, f"{title} in {seconds:.1f} s"))
        if options.plot is not None:
            print(f"the heat map: {options.plot}")
    if chosen is None:
        print(f"jaxd2l: error: {problem}", file=sys.stderr)
        return 1
    return 0


def _sgd(learning_rate: Any, weight_decay: Any = 0.0) -> Any:
    """Decays weights alone, as the book does."""
    return optim.sgd(learning_rate, weight_decay=weight_decay, weight_decay_mask=optim.kernels)


def _table(result: Sweep, values: np.ndarray, chosen: Best | None, title: str) -> Table:
    table = Table(title=title)
    for name in result.grid:
        table.add_column(_SYMBOLS[name], justify="right")
    for heading in ("mean", "SD", "least", "most", ""):
        table.add_column(heading, justify="right")
    for where in np.ndindex(values.shape[1:]):
        point = {name: float(axis[i]) for (name, axis), i in zip(result.grid.items(), where, strict=True)}
        of_seeds = np.moveaxis(values, 0, -1)[where]
        spread = f"{of_seeds.std(ddof=1):.4f}" if len(of_seeds) > 1 and np.isfinite(of_seeds).all() else ""
        numbers = (f"{of_seeds.mean():.4f}", spread, f"{of_seeds.min():.4f}", f"{of_seeds.max():.4f}")
        is_best = chosen is not None and point == chosen.point
        table.add_row(*(f"{v:.4g}" for v in point.values()), *numbers, "best" if is_best else "")
    return table


def _picture(result: Sweep, values: np.ndarray, by: str, title: str) -> bytes:
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


def _record(arguments: dict[str, Any], result: Sweep, chosen: Best | None, seconds: float) -> dict[str, Any]:
    return {
        "arguments": arguments,
        **runs.made_with(),
        "seconds": seconds,
        "axes": ["seed", *result.grid],
        "seeds": result.seeds,
        "grid": result.grid,
        "best": chosen and chosen._asdict(),
        "outcomes": {name: outcome(result, name) for name in ("test_accuracy", "test_loss", "train_loss")},
    }
