"""`jaxd2l train`: fit a model, show how far it is, and keep everything needed to look at it or repeat it."""

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from rich.console import Console

from jaxd2l import metrics
from jaxd2l._files import write_file
from jaxd2l.bench.measure import compile_seconds
from jaxd2l.cli import CHECKPOINT_FAILED, INTERRUPTED, checkpoints, devices, divergence, runs, setups
from jaxd2l.cli.progress import ctrl_c, progress_bar
from jaxd2l.cli.report import curves_picture, mistakes_picture, summary_table
from jaxd2l.train import create_state, fit, predict, processes
from jaxd2l.train.checkpoint import describe, join_histories, save_params
from jaxd2l.train.divergence import first_nonfinite, is_finite
from jaxd2l.types import Dataset, History, Loss, Model, Params, TrainState


class _Progress(NamedTuple):
    """What is finished after an epoch, on the host, where the next epoch cannot touch it."""

    state: TrainState
    history: History
    seconds: tuple[float, ...]


def run(options: argparse.Namespace) -> int:
    """Trains, saves, reports. After Ctrl-C the finished epochs are saved and reported, and the exit code is 130.

    If a checkpoint could not be saved the run is finished all the same, and the exit code is 3; if another process is
    lost, what is finished is saved, and it is 4. Of several processes only process 0 saves and reports.
    """
    with ctrl_c() as presses:
        try:
            mesh = devices.begin(options)
            with checkpoints.held(options) if processes.is_main() else nullcontext():
                return _run(options, presses, mesh)
        except processes.ProcessLostError as error:
            print(f"jaxd2l: error: {error}", file=sys.stderr)
            return processes.LOST


def _run(options: argparse.Namespace, presses: list[int], mesh: Mesh | None) -> int:
    dataset_name = options.dataset or ("synthetic" if options.model == "linear" else "digits")
    defaults = setups.SETTINGS[dataset_name]
    settings = setups.Settings(*(getattr(options, n) or getattr(defaults, n) for n in defaults._fields))
    started = datetime.now(UTC)
    dataset = setups.load(dataset_name, options.data_dir)
    model, loss = setups.build(options.model, options.hidden, dataset, options.precision)
    key, tx = jax.random.key(options.seed), optax.sgd(settings.lr)
    arguments = {
        "model": options.model,
        "dataset": dataset_name,
        **settings._asdict(),
        "hidden": options.hidden or ((256,) if "mlp" in options.model else None),
        "precision": options.precision,
        "seed": options.seed,
        "data_dir": options.data_dir and options.data_dir.absolute(),
    }
    if not processes.is_main():
        return _follow(options, presses, mesh, settings, dataset, model, loss)
    kept = None
    if options.checkpoint_dir is not None:
        decisive = {n: value for n, value in arguments.items() if n not in ("epochs", "batch_size", "data_dir")}
        configuration = describe(
            dataset, key=key, batch_size=settings.batch_size, loss=loss.__name__, optimizer="sgd", **decisive
        )
        like = jax.eval_shape(lambda: create_state(jax.random.key(0), model, tx))
        kept = checkpoints.start(options, configuration, like, settings.epochs)
    found = kept.found if kept else None
    folder = runs.create_folder(options.out, options.model, dataset_name, arguments if options.resume else None)

    lost, diverged = None, False
    before = (found.state if found else create_state(key, model, tx)) if options.debug_nans else None
    finished = [_Progress(found.state, found.history, checkpoints.epoch_seconds(found))] if found else []
    interrupted = False
    try:
        done = len(found.history.train_loss) if found else 0
        with compile_seconds() as compiling, progress_bar(settings.epochs, len(dataset.train.inputs), done) as show:
            clock = time.perf_counter()

            def on_epoch(state: TrainState, new: History) -> bool:
                nonlocal clock, before, diverged
                seconds = (*(finished[-1].seconds if finished else ()), time.perf_counter() - clock)
                history = join_histories(found.history if found else None, new)
                finished[:] = [_Progress(jax.device_get(state), history, seconds)]
                show(history, seconds[-1])
                if kept:
                    checkpoints.after_epoch(kept, *finished[-1])
                if not is_finite((state, new.step_loss[-1])):
                    diverged = True
                elif options.debug_nans:
                    before = finished[-1].state
                clock = time.perf_counter()
                return bool(presses) or diverged

            fit(
                model,
                loss,
                tx,
                dataset,
                key=key,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                state=found.state if found else None,
                on_epoch=on_epoch,
                mesh=mesh,
            )
            if options.coordinator is not None:
                processes.stop()
    except KeyboardInterrupt:
        interrupted = True
    except processes.ProcessLostError as error:
        lost = error
        if not finished:
            raise
    finally:
        if not finished:
            folder.rmdir()
    interrupted |= bool(presses)
    if not finished:
        print("jaxd2l: interrupted before the first epoch was finished; nothing to save", file=sys.stderr)
        return INTERRUPTED

    [(state, history, seconds)] = finished
    first = None
    if diverged and before is not None:
        batch_size = settings.batch_size
        first = first_nonfinite(model, loss, tx, dataset.train, key=key, state=before, batch_size=batch_size)
    params = state.params
    outputs = np.asarray(predict(model, params, dataset.test.inputs))
    record = {
        "command": shlex.join(["jaxd2l", *_arguments(options, dataset_name, settings)]),
        "arguments": arguments,
        "started": started.isoformat(timespec="seconds"),
        "interrupted": interrupted or lost is not None,
        "diverged": divergence.record(history, first) if diverged else None,
        **runs.made_with(),
        "seconds": {"compile": sum(compiling), "epochs": seconds},
        "results": _results(outputs, params, history, dataset),
        "history": history._asdict(),
        **({"checkpoints": checkpoints.record(kept)} if kept else {}),
        **({"mesh": {"devices": mesh.size, "processes": jax.process_count()}} if mesh else {}),
    }
    _save(folder, record, outputs, params, history, dataset)
    if options.json:
        print(runs.to_json(record))
    else:
        Console().print(summary_table(record, folder))
    if interrupted:
        print(f"jaxd2l: interrupted; the {len(seconds)} finished epochs are saved in {folder}", file=sys.stderr)
        return INTERRUPTED
    if lost:
        raise processes.ProcessLostError(f"{lost}; the {len(seconds)} finished epochs are saved in {folder}")
    if diverged:
        print(
            f"jaxd2l: error: {divergence.message(history, settings.lr, first, options.debug_nans, kept)}",
            file=sys.stderr,
        )
        return 1
    if worse := divergence.warning(history, settings.lr):
        print(f"jaxd2l: warning: {worse}", file=sys.stderr)
    return CHECKPOINT_FAILED if kept and kept.failed else 0


def _follow(
    options: argparse.Namespace,
    presses: list[int],
    mesh: Mesh | None,
    settings: setups.Settings,
    dataset: Dataset,
    model: Model,
    loss: Loss,
) -> int:
    """Trains with process 0, which saves and reports."""
    try:
        fit(
            model,
            loss,
            optax.sgd(settings.lr),
            dataset,
            key=jax.random.key(options.seed),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            on_epoch=lambda *_: bool(presses),
            mesh=mesh,
        )
        processes.stop()
    except KeyboardInterrupt:
        presses.append(signal.SIGINT)
    return INTERRUPTED if presses else 0


def _results(outputs: np.ndarray, params: Params, history: History, dataset: Dataset) -> dict[str, Any]:
    results: dict[str, Any] = {"test_loss": history.test_loss[-1], "train_loss": history.train_loss[-1]}
    if dataset.class_names:
        confusion = metrics.confusion_matrix(outputs.argmax(-1), dataset.test.labels, len(dataset.class_names))
        return results | {"test_accuracy": history.test_accuracy[-1], "macro_f1": metrics.f1_score(confusion)}
    error_of_w = setups.TRUE_W - np.asarray(params["kernel"])[:, 0]
    return results | {"error_of_w": error_of_w, "error_of_b": setups.TRUE_B - params["bias"].item()}


def _save(
    folder: Path, record: dict[str, Any], outputs: np.ndarray, params: Params, history: History, dataset: Dataset
) -> None:
    runs.unfinish(folder)
    save_params(folder / runs.PARAMS, params)
    write_file(folder / "curves.png", curves_picture(record, history))
    if dataset.class_names:
        write_file(folder / "mistakes.png", mistakes_picture(outputs, dataset))
    runs.save_record(folder, record)


def _arguments(options: argparse.Namespace, dataset: str, settings: setups.Settings) -> Iterator[str]:
    """The command that repeats the run, with every default spelled out."""
    yield from ("train", options.model, "--dataset", dataset, "--seed", str(options.seed))
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
