"""How a run of `jaxd2l train` ended, what of it is saved, and what is said about it."""

import argparse
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l import metrics
from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l._process.streams import complain
from jaxd2l.cli import checkpoints, divergence, folders, runs, setups
from jaxd2l.cli.checkpoints import Best, Checkpoints
from jaxd2l.cli.output import console
from jaxd2l.cli.report import curves_picture, mistakes_picture, summary_table
from jaxd2l.cli.task import Task, first_state
from jaxd2l.train import evaluate, predict
from jaxd2l.train.checkpoint import save_params
from jaxd2l.train.divergence import NonFinite, first_nonfinite, is_finite
from jaxd2l.train.processes import ProcessLostError
from jaxd2l.types import Dataset, History, TrainState


class Ending(Enum):
    """Why training ended. If there are several reasons, the first of these counts."""

    INTERRUPTED = auto()
    PROCESS_LOST = auto()
    DIVERGED = auto()
    FINISHED = auto()


class Progress(NamedTuple):
    """A run after an epoch, on the host, where the next epoch cannot touch it.

    state, history: as `fit` gives them; the history holds all epochs since the first step.
    seconds: how long each epoch took.
    """

    state: TrainState
    history: History
    seconds: tuple[float, ...]

    @property
    def is_finite(self) -> bool:
        """Whether the last epoch left nothing but finite numbers."""
        return is_finite((self.state, self.history.step_loss[-1]))


class Outcome(NamedTuple):
    """What training came to.

    ending: why it ended.
    last: the run after its last epoch; None if it was interrupted in the first one.
    before: the run one epoch earlier, if there was one.
    compiling: how many seconds JAX compiled.
    lost: the error, if another process was lost.
    best: the parameters of the best epoch, if they are known.
    """

    ending: Ending
    last: Progress | None
    before: Progress | None
    compiling: float
    lost: ProcessLostError | None = None
    best: Best | None = None


def save_and_report(
    options: argparse.Namespace, task: Task, outcome: Outcome, kept: Checkpoints | None, folder: Path
) -> ExitCode:
    """Saves what is finished, prints it, and says why training ended, if not by itself.

    Raises:
      ProcessLostError: another process was lost; the message says where the finished epochs are.
      OSError: the results cannot be written.
    """
    last, dataset = outcome.last, task.setup.dataset._replace(test=task.setup.test)
    if last is None:
        complain("interrupted before the first epoch was finished; nothing to save")
        return ExitCode.INTERRUPTED
    first = _first_nonfinite(task, outcome) if options.debug_nans and not last.is_finite else None
    averages = {"model_state": last.state.model_state}
    outputs = np.asarray(predict(task.setup.model, last.state.params, dataset.test.inputs, **averages))
    record = _record(task, outcome, last, outputs, first, kept)
    _save(folder, record, outputs, last, outcome.best, dataset)
    if options.json:
        print(runs.to_json(record))
    else:
        console().print(summary_table(record, folder))
    saved = f"the {len(last.seconds)} finished epochs are saved in {folder}"
    match outcome.ending:
        case Ending.INTERRUPTED:
            complain(f"interrupted; {saved}")
            return ExitCode.INTERRUPTED
        case Ending.PROCESS_LOST:
            raise ProcessLostError(f"{outcome.lost}; {saved}")
        case Ending.DIVERGED:
            why = divergence.message(last.history, task.setup.settings.lr, first, options.debug_nans, kept)
            complain(f"error: {why}")
            return ExitCode.ERROR
        case Ending.FINISHED:
            sizes = len(task.arguments["hidden"] or ()), len(dataset.class_names)
            if worse := divergence.trouble(last.history, task.setup.settings, *sizes):
                complain(f"{'error' if worse.is_lost else 'warning'}: {worse.text}")
            if worse and worse.is_lost:
                return ExitCode.ERROR
            return ExitCode.CHECKPOINT_FAILED if kept and kept.failed else ExitCode.OK


def _first_nonfinite(task: Task, outcome: Outcome) -> NonFinite | None:
    """Repeats the last epoch step by step, from where it began."""
    settings, dataset, model, loss = task.setup[1:5]
    state = outcome.before.state if outcome.before else first_state(task)
    run = (model, loss, task.tx, dataset.train)
    return first_nonfinite(*run, key=task.key, state=state, batch_size=settings.batch_size)


def _record(
    task: Task,
    outcome: Outcome,
    last: Progress,
    outputs: np.ndarray,
    first: NonFinite | None,
    kept: Checkpoints | None,
) -> dict[str, Any]:
    """The content of run.json."""
    history = last.history
    return {
        "command": task.command,
        "arguments": task.arguments,
        "started": task.started.isoformat(timespec="seconds"),
        "interrupted": outcome.ending is Ending.INTERRUPTED or outcome.lost is not None,
        "diverged": None if last.is_finite else divergence.record(history, first),
        **runs.made_with(),
        "seconds": {"compile": outcome.compiling, "epochs": last.seconds},
        "results": _results(outputs, last.state, history, task),
        "best": None if outcome.best is None else _best(outcome.best, history, task),
        "history": history._asdict(),
        **({"checkpoints": checkpoints.record(kept)} if kept else {}),
        **({"mesh": {"devices": task.mesh.size, "processes": jax.process_count()}} if task.mesh else {}),
    }


def _results(outputs: np.ndarray, state: TrainState, history: History, task: Task) -> dict[str, Any]:
    setup, params = task.setup, state.params
    loss, accuracy = history.test_loss[-1], history.test_accuracy[-1]
    results: dict[str, Any] = {}
    if setup.settings.validation:  # what was measured each epoch; the test set is looked at here for the first time
        results = {"validation_loss": loss} | ({"validation_accuracy": accuracy} if setup.dataset.class_names else {})
        loss, accuracy = evaluate(setup.model, setup.loss, params, setup.test, model_state=state.model_state)
    results |= {"test_loss": loss, "train_loss": history.train_loss[-1]}
    if setup.dataset.class_names:
        macro_f1 = _macro_f1(outputs.argmax(-1), setup.test.labels, num_classes=len(setup.dataset.class_names))
        return results | {"test_accuracy": accuracy, "macro_f1": macro_f1}
    if setup.dataset_name != "synthetic":
        return results
    error_of_w = setups.TRUE_W - np.asarray(params["kernel"])[:, 0]
    return results | {"error_of_w": error_of_w, "error_of_b": setups.TRUE_B - params["bias"].item()}


@partial(jax.jit, static_argnames="num_classes")
def _macro_f1(predictions: np.ndarray, labels: np.ndarray, *, num_classes: int) -> jax.Array:
    """One program: operation by operation it would take half a second to compile."""
    return metrics.f1_score(metrics.confusion_matrix(predictions, labels, num_classes))


def _best(best: Best, history: History, task: Task) -> dict[str, Any]:
    """What run.json says about the best epoch."""
    of = "validation" if task.setup.settings.validation else "test"
    loss, accuracy = history.test_loss[best.epoch - 1], history.test_accuracy[best.epoch - 1]
    is_classifier = bool(task.setup.dataset.class_names)
    return {"after_epoch": best.epoch, f"{of}_loss": loss} | ({f"{of}_accuracy": accuracy} if is_classifier else {})


def _save(
    folder: Path,
    record: dict[str, Any],
    outputs: np.ndarray,
    last: Progress,
    best: Best | None,
    dataset: Dataset,
) -> None:
    with folders.whole(folder) as new:
        save_params(new / folders.PARAMS, runs.variables(last.state.params, last.state.model_state))
        write_file(new / "curves.png", curves_picture(record, last.history))
        if dataset.class_names and np.ndim(dataset.test.inputs) == 4:
            write_file(new / "mistakes.png", mistakes_picture(outputs, dataset))
        if best is not None:
            save_params(new / folders.BEST, best.params)
        runs.save_record(new, record)
