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
from jaxd2l.cli.setups import Setup
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
    setup = setup._replace(settings=setup.settings._replace(lr=options.lr or setup.settings.lr))
    arguments = {
        "model": options.model,
        "dataset": setup.dataset_name,
        **setup.settings._asdict(),
        "hidden": options.hidden or (setups.HIDDEN if options.model in setups.WITH_HIDDEN_LAYERS else None),
        "precision": options.precision,
        "seed": options.seed,
        "data_dir": options.data_dir and options.data_dir.absolute(),
    }
    command = shlex.join(["jaxd2l", *_words(options, setup)])
    key, tx = jax.random.key(options.seed), optax.sgd(setup.settings.lr)
    return Task(setup, key, tx, arguments, command, mesh, started)


def first_state(task: Task) -> TrainState:
    """Where the run begins if it is not resumed."""
    return create_state(task.key, task.setup.model, task.tx)


def configuration(task: Task) -> dict[str, Any]:
    """What makes a checkpoint one of this run; it may be resumed with more epochs."""
    decisive = {n: v for n, v in task.arguments.items() if n not in ("epochs", "batch_size", "data_dir")}
    _, settings, dataset, _, loss = task.setup
    names = {"loss": loss.__name__, "optimizer": "sgd"}
    return describe(dataset, key=task.key, batch_size=settings.batch_size, **names, **decisive)


def _words(options: argparse.Namespace, setup: Setup) -> Iterator[str]:
    settings = setup.settings
    yield from ("train", options.model, "--dataset", setup.dataset_name, "--seed", str(options.seed))
    yield from ("--epochs", str(settings.epochs), "--batch-size", str(settings.batch_size), "--lr", str(settings.lr))
    if options.hidden:
        yield from ("--hidden", ",".join(map(str, options.hidden)))
    if options.precision != "float32":
        yield from ("--precision", options.precision)
    if options.data_dir:
        yield from ("--data-dir", str(options.data_dir.absolute()))
    for name in ("devices", "coordinator", "num_processes", "process_id"):
        if getattr(options, name) is not None:
            yield from ("--" + name.replace("_", "-"), str(getattr(options, name)))
