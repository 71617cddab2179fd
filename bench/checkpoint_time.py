"""How much longer an epoch takes with a checkpoint after it.

    python -m bench.checkpoint_time [--epochs 20] [--markdown PATH]

Times an epoch with its evaluation, and the saving of a checkpoint after it, for the MLPs on digits and Fashion-MNIST.
Other processes slow both down: on a busy machine trust only the minima.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import optax

from bench.page import publish
from jaxd2l import data, losses, models, train
from jaxd2l._tables import markdown_table
from jaxd2l.train import checkpoint
from jaxd2l.types import Dataset, History, TrainState


def measure(dataset: Dataset, hidden: int, batch_size: int, epochs: int) -> tuple[list[float], list[float], int]:
    """Seconds of each epoch but the first, seconds of the saving after it, and the bytes of a checkpoint."""
    num_inputs = dataset.train.inputs[0].size
    model, tx, key = models.mlp(num_inputs, hidden, 10), optax.sgd(0.1), jax.random.key(0)
    configuration = checkpoint.describe(dataset, key=key, batch_size=batch_size, hidden=hidden)
    of_epochs: list[float] = []
    of_saving: list[float] = []
    clock = time.perf_counter()

    with tempfile.TemporaryDirectory() as directory, checkpoint.locked(directory):

        def on_epoch(state: TrainState, history: History) -> None:
            nonlocal clock
            host = jax.device_get(state)
            of_epochs.append(time.perf_counter() - clock)
            clock = time.perf_counter()
            checkpoint.save(directory, host, history, configuration=configuration)
            of_saving.append(time.perf_counter() - clock)
            clock = time.perf_counter()

        args = (model, losses.cross_entropy, tx, dataset)
        train.fit(*args, key=key, epochs=epochs + 1, batch_size=batch_size, on_epoch=on_epoch)
        newest = max(Path(directory).glob("step-*"))
        size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    return of_epochs[1:], of_saving[1:], size  # the first ones compile and import


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args()
    rows = []
    for name, dataset, batch_size in (
        ("MLP 64-256-10 on digits, 1500 examples", data.digits(), 32),
        ("MLP 784-256-10 on Fashion-MNIST, 60000 examples", data.fashion_mnist(), 256),
    ):
        epochs, saving, size = measure(dataset, 256, batch_size, options.epochs)
        times = (f"{statistics.median(t) * 1e3:.1f} ({min(t) * 1e3:.1f})" for t in (epochs, saving))
        rows.append([name, *times, f"{size / 1e3:.0f} kB"])
    page = (
        "# Time of a checkpoint\n\n"
        f"Made by `python -m bench.checkpoint_time --epochs {options.epochs}` on {platform.machine()}, "
        f"{jax.devices()[0].platform}, jax {jax.__version__}; ms: median (minimum).\n\n"
        + markdown_table(["model", "epoch with evaluation", "saving after it", "a checkpoint's size"], rows)
        + "\n"
    )
    publish(page, options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
