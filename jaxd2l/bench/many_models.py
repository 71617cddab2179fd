"""What `sweep` buys: seconds per model when one compiled program trains many."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import optax

from jaxd2l import data, losses, models
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, History


class ManyModels(NamedTuple):
    """The shortest epoch of so many models trained at once, in seconds per model."""

    models: int
    per_model_s: float


def many_models(counts: Sequence[int], n: int = 6000) -> tuple[ManyModels, ...]:
    """Trains so many MLPs at once on n images, for each count."""
    whole = data.fashion_mnist()
    dataset = whole._replace(train=Batch(*(x[:n] for x in whole.train)), test=Batch(*(x[:100] for x in whole.test)))
    model, rows = models.mlp(784, 256, 10), []
    for count in counts:
        rates = [0.1 + 0.01 * i for i in range(count)]
        ends: list[float] = []

        def on_epoch(_: History, ends: list[float] = ends) -> None:
            ends.append(time.perf_counter())

        sweep(
            model, losses.cross_entropy, optax.sgd, dataset, seeds=[0], grid={"learning_rate": rates},
            epochs=4, batch_size=256, on_epoch=on_epoch,
        )  # fmt: skip
        shortest = min(after - before for before, after in pairwise(ends))
        rows.append(ManyModels(count, shortest / count))
    return tuple(rows)
