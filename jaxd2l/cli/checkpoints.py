"""`jaxd2l train --checkpoint-dir`: where a resumed run starts, and what is saved after its epochs."""

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from jaxd2l._process.streams import complain
from jaxd2l.cli import runs
from jaxd2l.train.checkpoint import Checkpoint, load_params, locked, restore, save, save_params
from jaxd2l.types import History, Params, TrainState


class Best(NamedTuple):
    """The parameters after the best epoch of a run, counted from 1."""

    params: Params
    epoch: int


class Checkpoints(NamedTuple):
    """The checkpoints of one run. Its lists grow with each epoch.

    directory: the folder that holds them.
    every: how many epochs lie between two of them; the last epoch always has one.
    epochs: how many epochs the whole run has.
    configuration: what makes it this run.
    found: the checkpoint that the run started from, if any.
    good: the folders to resume from, newest last.
    seconds: how long it took to save each.
    failed: epochs after which saving failed.
    """

    directory: Path
    every: int
    epochs: int
    configuration: Mapping[str, Any]
    found: Checkpoint | None
    good: list[Path]
    seconds: list[float]
    failed: list[int]


@contextmanager
def held(options: argparse.Namespace) -> Iterator[None]:
    """Keeps other runs out of the checkpoint folder, if there is one.

    Raises:
      ValueError: an option for a checkpoint folder, without the folder.
      RuntimeError: another run uses it.
      OSError: it cannot be used.
    """
    if options.checkpoint_dir is None:
        for name, value in (("--resume", options.resume), ("--checkpoint-every", options.checkpoint_every)):
            if value:
                raise ValueError(f"{name} needs --checkpoint-dir DIR: the folder with the run's checkpoints")
        yield
        return
    with locked(options.checkpoint_dir):
        yield


def start(options: argparse.Namespace, configuration: Mapping[str, Any], like: TrainState, epochs: int) -> Checkpoints:
    """With --resume, finds where to continue and says so; without it, makes sure that nothing is overwritten.

    Raises:
      ValueError: checkpoints of an earlier run without --resume, or of another run with it, or a checkpoint with more
        epochs than the run shall have.
    """
    directory: Path = options.checkpoint_dir
    if not options.resume and any(directory.glob("step-*")):
        raise ValueError(
            f"{directory} holds checkpoints of an earlier run; continue from the newest with --resume, or choose a new "
            "folder"
        )
    found = _resumed(directory, configuration, like, epochs) if options.resume else None
    good = [found.folder] if found else []
    return Checkpoints(directory, options.checkpoint_every or 1, epochs, configuration, found, good, [], [])


def _resumed(directory: Path, configuration: Mapping[str, Any], like: TrainState, epochs: int) -> Checkpoint | None:
    found = restore(directory, like=like, configuration=configuration)
    if found is None:
        complain(f"no checkpoint to resume from in {directory}; starting from the beginning")
        return None
    done = len(found.history.train_loss)
    if done > epochs:
        raise ValueError(f"{found.folder} is {done} epochs long; ask for as many or more with --epochs, not {epochs}")
    complain(f"resuming from {found.folder}: {done} of {epochs} epochs are done")
    return found


def after_epoch(checkpoints: Checkpoints, state: TrainState, history: History, seconds: tuple[float, ...]) -> None:
    """Saves a checkpoint of a finite state if it is time for one. If that fails, warns and lets the run continue."""
    epoch = len(history.train_loss)
    if epoch % checkpoints.every and epoch != checkpoints.epochs:
        return
    clock = time.perf_counter()
    try:
        folder = save(
            checkpoints.directory,
            state,
            history,
            configuration=checkpoints.configuration,
            notes={"seconds": seconds},
        )
    except Exception as error:  # Orbax and TensorStore raise every kind, and none is worth the run
        checkpoints.failed.append(epoch)
        last = f"the last good one is {checkpoints.good[-1]}" if checkpoints.good else "there is no earlier one"
        complain(f"warning: {error or type(error).__name__}; the run continues without this checkpoint; {last}")
    else:
        checkpoints.good.append(folder)
        checkpoints.seconds.append(time.perf_counter() - clock)


def keep_best(checkpoints: Checkpoints, best: Best) -> None:
    """Keeps the parameters of the best epoch so far beside the checkpoints, for a run that is resumed."""
    # `after_epoch` says it of the checkpoint, and without it only best.safetensors is missing.
    with suppress(OSError, MemoryError):
        save_params(_best(checkpoints, best.epoch), best.params)
        for path in checkpoints.directory.glob("best-*.safetensors"):
            if path != _best(checkpoints, best.epoch):
                path.unlink(missing_ok=True)


def found_best(checkpoints: Checkpoints, epoch: int) -> Best | None:
    """The parameters of the best epoch before a run was resumed, if they were kept."""
    assert checkpoints.found is not None
    try:
        state = checkpoints.found.state
        like = runs.variables(state.params, state.model_state)
        return Best(load_params(_best(checkpoints, epoch), like=like), epoch)
    except (OSError, ValueError):
        return None


def _best(checkpoints: Checkpoints, epoch: int) -> Path:
    return checkpoints.directory / f"best-{epoch:06d}.safetensors"


def epoch_seconds(found: Checkpoint) -> tuple[float, ...]:
    """How long each epoch took before the run was resumed; NaN if the checkpoint does not say."""
    noted, epochs = found.notes.get("seconds"), len(found.history.train_loss)
    if isinstance(noted, list) and len(noted) == epochs and all(isinstance(value, float) for value in noted):
        return tuple(noted)
    return (math.nan,) * epochs


def record(checkpoints: Checkpoints) -> dict[str, Any]:
    """What run.json says about checkpoints."""
    return {
        "folder": checkpoints.directory.absolute(),
        "every": checkpoints.every,
        "resumed_after_epoch": len(checkpoints.found.history.train_loss) if checkpoints.found else None,
        "seconds": checkpoints.seconds,
        "failed_after_epoch": checkpoints.failed,
    }
