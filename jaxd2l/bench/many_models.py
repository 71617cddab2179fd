"""What `sweep` buys: seconds per model when one compiled program trains many, beside torch's `vmap`."""

import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import NamedTuple

import optax

from jaxd2l import data, losses, models
from jaxd2l.bench.measure import seconds
from jaxd2l.train.sweep import sweep
from jaxd2l.types import Batch, History


class ManyModels(NamedTuple):
    """The shortest epoch of so many models trained at once, in seconds per model.

    torch_per_model_s: by `torch.func.vmap`; None without torch.
    """

    models: int
    per_model_s: float
    torch_per_model_s: float | None = None


_EPOCHS, _BATCH_SIZE = 4, 256


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
            epochs=_EPOCHS, batch_size=_BATCH_SIZE, on_epoch=on_epoch,
        )  # fmt: skip
        shortest = min(after - before for before, after in pairwise(ends))
        in_torch = _in_torch(rates, dataset.train) / count if find_spec("torch") else None
        rows.append(ManyModels(count, shortest / count, in_torch))
    return tuple(rows)


def _in_torch(rates: Sequence[float], train: Batch) -> float:
    """Seconds of the shortest epoch."""
    from jaxd2l.bench.torch_many import epoch_of_many

    epoch = epoch_of_many(rates, train, _BATCH_SIZE)
    return min(seconds(lambda: epoch(None)) for _ in range(_EPOCHS))
