"""`jaxd2l train`: trains a model, shows progress, and saves everything needed to look at the run or to repeat it."""

import argparse
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from threading import Thread

import jax
from jax.sharding import Mesh

from jaxd2l._process.exit_codes import ExitCode
from jaxd2l._process.interrupts import ctrl_c, held_back
from jaxd2l._process.streams import complain
from jaxd2l.bench.measure import compile_seconds
from jaxd2l.book.generalization import should_stop
from jaxd2l.cli import checkpoints, devices, runs
from jaxd2l.cli.checkpoints import Best, Checkpoints
from jaxd2l.cli.divergence import best_epoch
from jaxd2l.cli.folders import new_folder
from jaxd2l.cli.outcome import Ending, Outcome, Progress, save_and_report
from jaxd2l.cli.progress import progress_bar
from jaxd2l.cli.task import Task, configuration, first_state, task
from jaxd2l.train import fit, processes
from jaxd2l.train.checkpoint import join_histories
from jaxd2l.types import History, TrainState


def run(options: argparse.Namespace) -> ExitCode:
    """Trains, saves and reports. After Ctrl-C it saves and reports the finished epochs.

    If a checkpoint cannot be saved, or another process is lost, everything else happens all the same. Of several
    processes only process 0 saves and reports.
    """
    with ctrl_c() as presses:
        try:
            mesh = devices.begin(options)
            with checkpoints.held(options) if processes.is_main() else nullcontext():
                return _run(options, mesh, presses)
        except processes.ProcessLostError as error:
            complain(f"error: {error}")
            return ExitCode.PROCESS_LOST


def _run(options: argparse.Namespace, mesh: Mesh | None, presses: list[int]) -> ExitCode:
    this = task(options, mesh)
    if not processes.is_main():
        return _follow(this, presses)
    kept = None
    if options.checkpoint_dir is not None:
        like, epochs = jax.eval_shape(lambda: first_state(this)), this.setup.settings.epochs
        kept = checkpoints.start(options, configuration(this), like, epochs)
    named = options.out, options.model, this.setup.dataset_name
    with new_folder(*named, lambda there: options.resume and runs.is_of_the_same_run(there, this.arguments)) as folder:
        outcome = _train(this, kept, presses)
        with held_back(f"jaxd2l: saving {folder}; Ctrl-C once more leaves without it"):
            return save_and_report(options, this, outcome, kept, folder)


def _train(this: Task, kept: Checkpoints | None, presses: list[int]) -> Outcome:
    """Trains to the end, or until Ctrl-C, a lost process, or numbers that are no longer finite.

    Raises:
      ProcessLostError: another process was lost before an epoch was finished.
    """
    settings, found = this.setup.settings, kept.found if kept else None
    start = Progress(found.state, found.history, checkpoints.epoch_seconds(found)) if found else None
    done = len(start.seconds) if start else 0
    progress: deque[Progress | None] = deque([start], maxlen=2)  # before the last epoch, and after it
    best: list[Best] = []
    if kept and found:
        best += filter(None, [checkpoints.found_best(kept, best_epoch(found.history))])
    lost = None
    try:
        with (
            compile_seconds() as compiling,
            progress_bar(settings.epochs, len(this.setup.dataset.train.inputs), done) as show,
            _in_the_background(import_module, "jaxd2l.plots"),  # half a second that compiling leaves to another core
        ):
            _fit(this, _after_each_epoch(this, progress, best, kept, show, presses), start and start.state)
    except KeyboardInterrupt:
        presses.append(signal.SIGINT)
    except processes.ProcessLostError as error:
        if progress[-1] is None:
            raise
        lost = error
    except Exception:
        if not presses:  # or else it is what a library made of Ctrl-C
            raise
    last, before = progress[-1], progress[0] if len(progress) > 1 else None
    return Outcome(_ending(last, lost, presses), last, before, sum(compiling), lost, best[0] if best else None)


@contextmanager
def _in_the_background(function: Callable[..., object], *arguments: object) -> Iterator[None]:
    thread = Thread(target=function, args=arguments)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _ending(last: Progress | None, lost: processes.ProcessLostError | None, presses: list[int]) -> Ending:
    if presses:
        return Ending.INTERRUPTED
    if lost:
        return Ending.PROCESS_LOST
    return Ending.FINISHED if last is None or last.is_finite else Ending.DIVERGED


def _fit(this: Task, on_epoch: Callable[[TrainState, History], bool], state: TrainState | None = None) -> None:
    """Trains, together with the other processes if there are any, and parts from them."""
    settings, dataset, model, loss = this.setup[1:5]
    sizes = {"epochs": settings.epochs, "batch_size": settings.batch_size}
    fit(model, loss, this.tx, dataset, key=this.key, **sizes, state=state, on_epoch=on_epoch, mesh=this.mesh)
    if jax.distributed.is_initialized():
        processes.stop()


def _after_each_epoch(
    this: Task,
    progress: deque[Progress | None],
    best: list[Best],
    kept: Checkpoints | None,
    show: Callable[[History, float], None],
    presses: list[int],
) -> Callable[[TrainState, History], bool]:
    """What `fit` calls after each epoch: records and shows progress, saves a checkpoint, and says whether to stop.

    Of `progress` it keeps the last two epochs, and of `best` the best one.
    """
    start, begun = progress[-1], time.perf_counter()

    def on_epoch(state: TrainState, new: History) -> bool:
        nonlocal begun
        earlier = progress[-1].seconds if progress[-1] else ()
        seconds = (*earlier, time.perf_counter() - begun)
        now = Progress(jax.device_get(state), join_histories(start and start.history, new), seconds)
        progress.append(now)
        show(now.history, seconds[-1])
        if now.is_finite and best_epoch(now.history) == len(seconds):
            best[:] = [Best(runs.variables(now.state.params, now.state.model_state), len(seconds))]
            if kept:
                checkpoints.keep_best(kept, best[0])
        if kept and now.is_finite:
            checkpoints.after_epoch(kept, *now)
        begun = time.perf_counter()
        patience = this.setup.settings.early_stopping
        waited = patience is not None and should_stop(now.history.test_loss, patience)
        return bool(presses) or not now.is_finite or waited

    return on_epoch


def _follow(this: Task, presses: list[int]) -> ExitCode:
    """Trains with process 0, which saves and reports."""
    try:
        _fit(this, lambda *_: bool(presses))
    except KeyboardInterrupt:
        presses.append(signal.SIGINT)
    return ExitCode.INTERRUPTED if presses else ExitCode.OK
