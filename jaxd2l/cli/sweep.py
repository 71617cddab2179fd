"""`jaxd2l sweep`: many seeds and hyperparameters in one compiled program, the best of them, and a heat map."""

import argparse
import math
import time
from collections.abc import Sequence
from typing import Any, get_args

import jax
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l._process.streams import complain
from jaxd2l.cli import runs, setups
from jaxd2l.cli.optimizers import make_any, make_tx, steps_per_epoch
from jaxd2l.cli.output import console, say
from jaxd2l.cli.setups import Setup
from jaxd2l.cli.sweep_report import measured, notes_on, picture, table
from jaxd2l.train import fit
from jaxd2l.train.sweep import Best, MakeTx, Outcome, Sweep, best, outcome, sweep

_VALIDATION = 0.1
"""The share of the training set on which the best is chosen, unless the options say otherwise."""


def run(options: argparse.Namespace) -> ExitCode:
    """Trains all models, prints the mean and the spread of every point, and marks the best.

    The best is chosen on a validation set, and its accuracy on the test set, or loss, is measured once.
    """
    if options.plot is not None and not options.plot.parent.is_dir():  # before minutes are spent
        raise FileNotFoundError(f"there is no folder {options.plot.parent} to write {options.plot} to")
    options.validation = _VALIDATION if options.validation is None else options.validation
    compared = options.optimizer if len(options.optimizer or ()) > 1 else ()
    options.optimizer = None if compared or not options.optimizer else options.optimizer[0]
    setup = setups.chosen(options)
    grid: dict[str, Sequence[float]] = {"learning_rate": options.lr}
    grid |= {"weight_decay": options.weight_decay} if options.weight_decay else {}
    grid |= {"optimizer": range(len(compared))} if compared else {}
    if options.plot is not None and len(grid) > 2:
        raise ValueError("--plot draws two axes: of --lr, --weight-decay and several optimisers, leave one out")
    steps = steps_per_epoch(setup)
    make = make_any(compared, setup.settings, steps) if compared else make_tx(setup.settings, steps)
    count = options.seeds * math.prod(len(values) for values in grid.values())
    begun = time.perf_counter()
    result = _train(setup, make, grid, options.seeds, count)
    seconds = time.perf_counter() - begun
    labels = {
        name: list(compared) if name == "optimizer" else [f"{v:.3g}" for v in axis] for name, axis in grid.items()
    }
    by: Outcome = "test_accuracy" if setup.dataset.class_names else "test_loss"
    values, epochs, what = outcome(result, of=by), setup.settings.epochs, measured(by, setup)
    trained = f"{options.model} on {setup.dataset_name}"
    chosen, problem = _best(result, by)
    if options.plot is not None:
        write_file(options.plot, picture(result, labels, values, chosen, what, f"{trained}, {epochs} epochs"))
    alone = _seconds_one_by_one(setup, result)
    notes = notes_on(setup, result, chosen, by)
    if options.json:
        arguments = _arguments(options, setup)
        arguments |= {"optimizer": compared} if compared else {}
        timed = {"seconds": seconds, "one_by_one": alone}
        print(runs.to_json(_record(arguments, setup, result, compared, chosen, notes, timed)))
    else:
        title = f"{trained}: {what} after {epochs} epochs, {count} models in {seconds:.1f} s"
        console().print(table(result, labels, values, chosen, title))
        print(f"one program for {count} models: {seconds:.1f} s; one after the other: about {alone:.1f} s")
        for note in notes:
            say(note)
        if options.plot is not None:
            say(f"the heat map: {options.plot}")
    if problem:
        complain(f"error: {problem}")
        return ExitCode.ERROR
    return ExitCode.OK


def _train(setup: Setup, make: MakeTx, grid: dict[str, Sequence[float]], num_seeds: int, count: int) -> Sweep:
    columns = (TextColumn(f"{count} models"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeRemainingColumn(), console=console(stderr=True)) as progress:
        bar = progress.add_task("", total=setup.settings.epochs)
        return sweep(
            setup.model,
            setup.loss,
            make,
            setup.dataset,
            seeds=range(num_seeds),
            grid=grid,
            epochs=setup.settings.epochs,
            batch_size=setup.settings.batch_size,
            on_epoch=lambda history: progress.advance(bar),
        )


def _seconds_one_by_one(setup: Setup, result: Sweep) -> float:
    """How long the models would take one after the other: two epochs of one are run, and the rest reckoned.

    Each point of the grid is another optimiser, and so another program to compile; its seeds share it.
    """
    settings = setup.settings
    point = {name: float(axis[0]) for name, axis in result.grid.items() if name != "optimizer"}
    tx = make_tx(settings, steps_per_epoch(setup))(**point)
    ends = [time.perf_counter()]
    fit(
        setup.model,
        setup.loss,
        tx,
        setup.dataset,
        key=jax.random.key(0),
        epochs=2,
        batch_size=settings.batch_size,
        on_epoch=lambda *_: ends.append(time.perf_counter()),
    )
    first, epoch = ends[1] - ends[0], ends[2] - ends[1]
    points = math.prod(len(axis) for axis in result.grid.values())
    return points * (first - epoch) + points * len(result.seeds) * settings.epochs * epoch


def _best(result: Sweep, by: Outcome) -> tuple[Best | None, str]:
    """The best point, or why there is none."""
    try:
        return best(result, by=by), ""
    except ValueError as error:
        return None, str(error)


def _arguments(options: argparse.Namespace, setup: Setup) -> dict[str, Any]:
    given = {k: v for k, v in vars(options).items() if k not in ("module", "json", "plot")}
    swept = ("lr", "weight_decay")
    settings = {name: value for name, value in setup.settings._asdict().items() if name not in swept}
    return given | {"dataset": setup.dataset_name, **settings}


def _record(
    arguments: dict[str, Any],
    setup: Setup,
    result: Sweep,
    compared: Sequence[str],
    chosen: Best | None,
    notes: list[str],
    seconds: dict[str, float],
) -> dict[str, Any]:
    best_point = chosen and chosen._asdict()
    if best_point and compared:
        best_point["point"] = {**best_point["point"], "optimizer": compared[int(best_point["point"]["optimizer"])]}
    return {
        "arguments": arguments,
        **runs.made_with(),
        **seconds,
        "axes": ["seed", *result.grid],
        "seeds": result.seeds,
        "grid": result.grid | ({"optimizer": compared} if compared else {}),
        "best": best_point,
        "notes": notes,
        "outcomes": {measured(name, setup).replace(" ", "_"): outcome(result, of=name) for name in get_args(Outcome)},
    }
