"""One run of `bench.growth`: `python -m bench.one_run AXIS VALUE` prints its seconds and its memory as JSON."""

import itertools
import json
import sys
import tempfile
import time
from typing import NamedTuple

import jax
import numpy as np
import optax

from jaxd2l import losses, models, train
from jaxd2l.bench.fresh_process import peak_of_process
from jaxd2l.train import checkpoint
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, Dataset, History, TrainState

EXAMPLES, EPOCHS, CHECKPOINTED = 12000, 4, 256
SPARE = 300_000_000
"""Bytes that a run may hold beside its dataset and six times its parameters."""


class Point(NamedTuple):
    """One run.

    seconds: of the shortest epoch; for epochs, models and checkpoints of the whole call, compilation included.
    peak: bytes that the process held at most.
    allowed: the dataset, six times the parameters, and SPARE.
    """

    seconds: float
    peak: int
    allowed: int


def point(axis: str, value: int) -> Point:
    """Runs in this process. Everything but the axis is small."""
    n = {"examples": value, "epochs": 1000, "models": 1000, "checkpoints": 1000}.get(axis, EXAMPLES)
    width, depth = (value if axis == name else usual for name, usual in (("width", 256), ("depth", 1)))
    batch_size = value if axis == "batch size" else 256
    epochs = {"epochs": value, "models": EPOCHS, "checkpoints": CHECKPOINTED}.get(axis, EPOCHS)
    dataset = Dataset(noise(n), noise(100), tuple("0123456789"))
    model, tx, key = models.mlp(784, (width,) * depth, 10), optax.sgd(0.01), jax.random.key(0)
    ends = [time.perf_counter()]

    with tempfile.TemporaryDirectory() as folder, checkpoint.locked(folder):
        configuration = checkpoint.describe(dataset, key=key, batch_size=batch_size)

        def on_epoch(state: TrainState, history: History) -> None:
            if axis == "checkpoints" and len(history.test_accuracy) * value % epochs == 0:
                checkpoint.save(folder, jax.device_get(state), history, configuration=configuration)
            ends.append(time.perf_counter())

        if axis == "models":
            sweep(
                model, losses.cross_entropy, optax.sgd, dataset, seeds=[0], epochs=epochs, batch_size=batch_size,
                grid={"learning_rate": np.linspace(0.001, 0.1, value).tolist()},
            )  # fmt: skip
        else:
            given = (model, losses.cross_entropy, tx, dataset)
            train.fit(*given, key=key, epochs=epochs, batch_size=batch_size, on_epoch=on_epoch)
    took = time.perf_counter() - ends[0]
    if axis not in ("epochs", "models", "checkpoints"):
        took = min(after - before for before, after in itertools.pairwise(ends[1:]))
    params = sum(x.size * 4 for x in jax.tree.leaves(jax.eval_shape(model.init, key)))
    copies = value if axis == "models" else 1
    size = sum(x.nbytes for part in (dataset.train, dataset.test) for x in part)
    return Point(took, peak_of_process(), size + 6 * params * copies + SPARE)


def noise(n: int) -> Batch:
    """So many images of the size of Fashion-MNIST's."""
    rng = np.random.default_rng(0)
    return Batch(rng.integers(0, 256, (n, 28, 28, 1), np.uint8), rng.integers(0, 10, n, np.int32))


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], int(sys.argv[2]))))
