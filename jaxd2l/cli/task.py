"""What `jaxd2l train` is to train: the options, with every default filled in."""

import argparse
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jax
import optax
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from jaxd2l.cli import setups
from jaxd2l.cli.optimizers import make_tx, steps_per_epoch
from jaxd2l.cli.setups import Settings, Setup
from jaxd2l.train import create_state
from jaxd2l.train.checkpoint import describe
from jaxd2l.types import TrainState


class Task(NamedTuple):
    """One run.

    setup: dataset, model, loss, epochs, batch size and learning rate.
    key, tx: as for `fit`.
    arguments: everything that decides the run, by name, for run.json.
    command: what repeats the run, with every default spelled out.
    mesh: the devices that train together; None for the default device alone.
    started: when the command started.
    """

    setup: Setup
    key: PRNGKeyArray
    tx: optax.GradientTransformation
    arguments: dict[str, Any]
    command: str
    mesh: Mesh | None
    started: datetime


def task(options: argparse.Namespace, mesh: Mesh | None) -> Task:
    """The run that the options describe.

    Raises:
      ValueError: options that contradict each other, or data that cannot be loaded.
    """
    started = datetime.now(UTC)
    setup = setups.chosen(options)
    make = make_tx(setup.settings, steps_per_epoch(setup))
    arguments = {
        "model": options.model,
        "dataset": setup.dataset_name,
        **setup.settings._asdict(),
        "hidden": options.hidden or (setups.HIDDEN if options.model in setups.WITH_HIDDEN_LAYERS else None),
        "precision": options.precision,
        "seed": options.seed,
        "data_dir": options.data_dir and options.data_dir.absolute(),
        "data": options.data and options.data.absolute(),
        "target": options.target,
        "kind": options.kind,
    }
    command = shlex.join(["jaxd2l", *_words(options, setup)])
    return Task(setup, jax.random.key(options.seed), make(), arguments, command, mesh, started)


def first_state(task: Task) -> TrainState:
    """Where the run begins if it is not resumed."""
    return create_state(task.key, task.setup.model, task.tx)


def configuration(task: Task) -> dict[str, Any]:
    """What makes a checkpoint one of this run; it may be resumed with more epochs, unless its schedule counts them.

    Defaults of options that came later are left out, so that older checkpoints stay checkpoints of the same run.
    """
    setup = task.setup
    decisive = {n: v for n, v in task.arguments.items() if n not in ("epochs", "batch_size", "data_dir", "data")}
    later = {"target": None, "kind": None} | {n: v for n, v in Settings._field_defaults.items() if n != "optimizer"}
    decisive = {n: v for n, v in decisive.items() if n not in later or v != later[n]}
    if setup.settings.schedule != "constant":
        decisive["epochs_of_the_schedule"] = setup.settings.epochs
    names = {"loss": setup.loss.__name__}
    return describe(setup.dataset, key=task.key, batch_size=setup.settings.batch_size, **names, **decisive)


def _words(options: argparse.Namespace, setup: Setup) -> Iterator[str]:
    settings = setup.settings
    where = ("--data", str(options.data.absolute()), "--target", options.target) if options.data else None
    kind = ("--kind", options.kind) if options.kind else ()
    yield from ("train", options.model, *(where or ("--dataset", setup.dataset_name)), *kind)
    yield from ("--seed", str(options.seed))
    yield from ("--epochs", str(settings.epochs), "--batch-size", str(settings.batch_size), "--lr", str(settings.lr))
    for name in (name for name in Settings._field_defaults if getattr(options, name) is not None):
        yield "--" + name.replace("_", "-")
        yield from () if name == "nesterov" else (str(getattr(options, name)),)
    if options.init is None and settings.init != "normal":
        yield from ("--init", settings.init)
    if options.hidden:
        yield from ("--hidden", ",".join(map(str, options.hidden)))
    if options.precision != "float32":
        yield from ("--precision", options.precision)
    if options.data_dir:
        yield from ("--data-dir", str(options.data_dir.absolute()))
    for name in ("devices", "coordinator", "num_processes", "process_id"):
        if getattr(options, name) is not None:
            yield from ("--" + name.replace("_", "-"), str(getattr(options, name)))
