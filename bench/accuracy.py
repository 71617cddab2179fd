"""What accuracy the book's settings reach, in jaxd2l and in torch, and which settings do better.

    python -m bench.accuracy [--markdown PATH]

Fashion-MNIST, batches of 256, accuracy over the 10000 test images after the last epoch. D2L 4.4, 4.5, 5.2; and the
error of linear regression over 64 seeds, D2L 3.4.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from rich.console import Console

from jaxd2l import data, initializers, losses, models, optim, train
from jaxd2l.types import Dataset, Model

try:
    import torch

    from jaxd2l.bench import book_torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    torch = None

BATCH_SIZE = 256
STEPS = -(-60000 // BATCH_SIZE)


class Setting(NamedTuple):
    """A model and how to train it."""

    name: str
    model: Model
    tx: optax.GradientTransformation
    epochs: int = 10
    seeds: int = 5


BOOK = [
    Setting("softmax", models.softmax_regression(784, 10), optax.sgd(0.1)),
    Setting("mlp", models.mlp(784, 256, 10), optax.sgd(0.1)),
    Setting("flax-mlp", models.flax_mlp(784, 256, 10), optax.sgd(0.1)),
    Setting("softmax, bfloat16", models.softmax_regression(784, 10, precision="bfloat16"), optax.sgd(0.1)),
    Setting("mlp, bfloat16", models.mlp(784, 256, 10, precision="bfloat16"), optax.sgd(0.1)),
]


def cosine(epochs: int) -> optax.Schedule:
    """From 0.1 down to 0 over the whole run."""
    return optax.cosine_decay_schedule(0.1, epochs * STEPS)


BETTER = [  # those of seven settings tried that reached 0.88, on seeds 0 and 1
    Setting(
        "mlp, momentum 0.9, cosine schedule",
        models.mlp(784, 256, 10),
        optim.sgd(cosine(10), momentum=0.9),
    ),
    Setting(
        "the same with Kaiming's initialiser",
        models.mlp(784, 256, 10, init=initializers.kaiming_normal()),
        optim.sgd(cosine(10), momentum=0.9),
    ),
    Setting(
        "mlp 784-512-256-10, dropout 0.2, Kaiming, momentum 0.9, cosine schedule",
        models.mlp(784, (512, 256), 10, dropout_rate=0.2, init=initializers.kaiming_normal()),
        optim.sgd(cosine(20), momentum=0.9),
        epochs=20,
        seeds=2,
    ),
]

LINE = np.array([2.0, -3.4]), 4.2
EXPECTED_MEAN, EXPECTED_SD = (0.109, -0.189, 0.230), (0.031, 0.036, 0.022)
"""Error (true - found) of w1, w2 and b after 3 epochs, batch 32, lr 0.03: what to expect over 64 seeds.

The mean is nearly the true value times 0.97^96: SGD has not converged, whatever the seed.
"""


def train_jax(setting: Setting, dataset: Dataset) -> list[float]:
    """Final test accuracy by seed."""
    runs = (
        train.fit(
            setting.model,
            losses.cross_entropy,
            setting.tx,
            dataset,
            key=jax.random.key(seed),
            epochs=setting.epochs,
            batch_size=BATCH_SIZE,
        )
        for seed in range(setting.seeds)
    )
    return [float(history.test_accuracy[-1]) for _, history in runs]


def train_torch(make: Callable[[], Any], dataset: Dataset, seeds: int = 2, epochs: int = 10) -> list[float]:
    """Final test accuracy by seed of the book's class, trained eagerly with the data in memory, lr 0.1."""
    examples, test = book_torch.in_memory(*dataset.train), book_torch.in_memory(*dataset.test)
    accuracies = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        net = make()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(epochs):
            batches = book_torch.random_batches(len(examples.inputs), BATCH_SIZE)
            book_torch.train_eager(net, torch.nn.functional.cross_entropy, optimizer, examples, batches)
        _, accuracy = book_torch.evaluate(net, torch.nn.functional.cross_entropy, test)
        accuracies.append(accuracy)
    return accuracies


def accuracies(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """One line for each setting: name, epochs, accuracy by seed, seconds."""

    def line(name: str, epochs: int, trained: Callable[[], list[float]]) -> dict[str, Any]:
        begin = time.perf_counter()
        values = trained()
        return {"name": name, "epochs": epochs, "accuracy": values, "seconds": time.perf_counter() - begin}

    for setting in BOOK + BETTER:
        yield line(setting.name, setting.epochs, lambda setting=setting: train_jax(setting, dataset))
    if torch:
        for name, make in (
            ("softmax", lambda: book_torch.SoftmaxRegression(784, 10)),
            ("mlp", lambda: book_torch.MLP(784, 256, 10)),
        ):
            yield line(f"torch, the book's {name}", 10, lambda make=make: train_torch(make, dataset))


def regression_errors(seeds: int = 64) -> np.ndarray:
    """True minus found w1, w2 and b of linear regression by seed, (seeds, 3). D2L 3.4.4."""
    model, tx, (w, b) = models.linear_regression(2), optax.sgd(0.03), LINE
    errors = []
    for seed in range(seeds):
        data_key, key = jax.random.split(jax.random.key(seed))
        dataset = data.synthetic_regression(data_key, w, b)
        state, _ = train.fit(model, losses.squared_loss, tx, dataset, key=key, epochs=3, batch_size=32)
        errors.append([*(w - np.ravel(state.params["kernel"])), b - float(state.params["bias"][0])])
    return np.array(errors)


def page(lines: list[dict[str, Any]], errors: np.ndarray) -> str:
    """Everything measured, as Markdown."""
    text = [
        "# What accuracy the settings reach",
        "",
        "Made by `python -m bench.accuracy --markdown bench/accuracy.md`: Fashion-MNIST, batches of 256, accuracy over "
        "the 10000 test images after the last epoch.",
        "",
        "| setting | epochs | mean | sd | by seed | seconds per run |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for line in lines:
        values = line["accuracy"]
        cells = (
            line["name"],
            str(line["epochs"]),
            f"{np.mean(values):.4f}",
            f"{np.std(values, ddof=1):.4f}",
            " ".join(f"{value:.4f}" for value in values),
            f"{line['seconds'] / len(values):.1f}",
        )
        text.append(f"| {' | '.join(cells)} |")
    text += [
        "",
        f"Linear regression, 3 epochs, batch 32, lr 0.03, {len(errors)} seeds: what is true minus what was found.",
        "",
        "| | mean | expected | sd | expected |",
        "| --- | --- | --- | --- | --- |",
    ]
    for i, name in enumerate(("w1", "w2", "b")):
        mean, sd = errors[:, i].mean(), errors[:, i].std(ddof=1)
        text.append(f"| {name} | {mean:.4f} | {EXPECTED_MEAN[i]:.3f} | {sd:.4f} | {EXPECTED_SD[i]:.3f} |")
    device = jax.devices()[0].device_kind
    text += ["", f"On {os.cpu_count()} cores, JAX on {device}; jax {jax.__version__}, optax {optax.__version__}."]
    if not torch:
        text.append("torch is not installed (`pip install 'jaxd2l[parity]'`): the book's own classes are not here.")
    return "\n".join(text) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args()
    lines = []
    with Console(stderr=True).status("training") as status:
        for line in accuracies(data.fashion_mnist()):
            lines.append(line)
            status.update(f"done: {line['name']}")
        errors = regression_errors()
    text = page(lines, errors)
    print(text, end="")
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
