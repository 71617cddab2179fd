"""An epoch whose batches come one by one, beside one whose examples are on the device: the MLP on Fashion-MNIST.

    python -m bench.streaming [--turns 9] [--markdown PATH]

The batches are read from files that are mapped into memory. Both ways compute the same losses before they are timed.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import optax

from bench.page import measured_on, publish
from jaxd2l import data
from jaxd2l._tables import markdown_table
from jaxd2l.bench import ways
from jaxd2l.bench.cases import ORDER_SEED, WEIGHTS_SEED, Case, Loop, Way, books_models, loss, model
from jaxd2l.bench.measure import in_turns, prepare, summary
from jaxd2l.bench.suite import environment
from jaxd2l.train import create_state
from jaxd2l.train._prepared import Task
from jaxd2l.train._stream import first_of, on_stream
from jaxd2l.types import Batch


def from_files(case: Case) -> Loop:
    """What `train.fit` does with `data.shuffled` of mapped files, without its measuring of the test set."""
    folder = Path(tempfile.mkdtemp(prefix="jaxd2l-streaming-"))
    train = case.dataset.train
    for name, values in train._asdict().items():
        np.save(folder / f"{name}.npy", values)
    mapped = Batch(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in train._fields))
    key, tx = jax.random.key(ORDER_SEED), optax.sgd(case.lr)
    stream = data.shuffled(key, mapped, case.dataset.test, batch_size=case.batch_size)
    sets = first_of(stream, case.batch_size)
    task = Task(model(case), loss(case), tx, sets, key, 1, case.batch_size, stream=stream)
    run = on_stream(create_state(jax.random.key(WEIGHTS_SEED), model(case), tx), task, stream).run_epoch
    state = create_state(jax.random.key(WEIGHTS_SEED), model(case), tx)

    def first_losses() -> np.ndarray:
        return np.asarray(run(create_state(jax.random.key(WEIGHTS_SEED), model(case), tx))[1])

    def epoch() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(run(state))

    return Loop(first_losses, epoch)


STREAM = Way("batches from files", "JAX", "float32", from_files)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    [case] = books_models(["mlp"])
    timings = in_turns(prepare(case, [ways.JAX_EPOCH, STREAM], ways.JAX_EPOCH), options.turns)
    found = {way: summary(timing, timings[ways.JAX_EPOCH]) for way, timing in timings.items()}
    rows = [
        [way.name, f"{1e3 * s.median_s:.0f}", f"{1e3 * s.min_s:.0f}", f"{s.ratio_of_medians:.2f}"]
        for way, s in found.items()
    ]
    busy = "" if all(s.quiet for s in found.values()) else " The machine was busy: the times are too long."
    page = (
        "# Batches that come one by one\n\n"
        f"<!-- Written by `python -m bench.streaming --turns {options.turns} --markdown ...`. -->\n\n"
        f"One epoch of the {case.name} on 60000 images of Fashion-MNIST, batch {case.batch_size}: the examples on the\n"
        "device, or read batch by batch from mapped files, in the same order and with the same losses. In turns in\n"
        f"one process on {measured_on(environment())}.{busy}\n\n"
        + markdown_table(["", "median, ms", "minimum, ms", "times the first"], rows, "lrrr")
        + "\n"
    )
    publish(page, options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
