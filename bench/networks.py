"""Which accuracy LeNet and ResNet-18 reach, beside the book's classes in torch from the same weights and batches.

    python -m bench.networks [--markdown PATH]

D2L 7.6, 8.6, with the book's rates and batches of 128 images of Fashion-MNIST as they are, 28 x 28: the book enlarges
them to 96 x 96 for its ResNet, which two cores cannot train in reasonable time. The ResNet sees EXAMPLES of them.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import optax
import torch
from rich.console import Console

from bench.page import measured_on, publish
from jaxd2l import data, losses, models, train
from jaxd2l._tables import markdown_table
from jaxd2l.bench import torch_loops
from jaxd2l.bench.suite import environment
from jaxd2l.bench.torch_models import load_network
from jaxd2l.bench.torch_networks import LeNet, ResNet
from jaxd2l.parity.bridge import to_tensor
from jaxd2l.types import Batch, Dataset, Model, StatefulModel, TrainState

SEEDS, BATCH_SIZE, EXAMPLES = (0, 1, 2), 128, 6000


class Setting(NamedTuple):
    """A network here and in torch, and how to train it. examples: of the training set."""

    name: str
    model: Callable[[], Model | StatefulModel]
    net: type[LeNet | ResNet]
    lr: float
    epochs: int
    examples: int = 60000


SETTINGS = (
    Setting("LeNet", models.lenet, LeNet, 0.1, 10),
    Setting("ResNet-18", models.resnet18, ResNet, 0.01, 3, EXAMPLES),
)


def both(setting: Setting, seed: int) -> tuple[float, float]:
    """Test accuracy in JAX and in torch, from the same weights, on the same batches in the same order."""
    whole = data.fashion_mnist()
    dataset = whole._replace(train=Batch(*(x[: setting.examples] for x in whole.train)))
    model, tx, key = setting.model(), optax.sgd(setting.lr), jax.random.key(seed)
    start = train.create_state(jax.random.split(key)[0], model, tx)
    _, history = train.fit(
        model, losses.cross_entropy, tx, dataset, key=key, epochs=setting.epochs, batch_size=BATCH_SIZE, state=start
    )
    return float(history.test_accuracy[-1]), in_torch(setting, dataset, start, key)


def in_torch(setting: Setting, dataset: Dataset, start: TrainState, key: jax.Array) -> float:
    """The book's class, eager."""
    net = load_network(setting.net(), dataset.train.inputs.shape[1:], start)
    optimizer = torch.optim.SGD(net.parameters(), setting.lr)
    sets = [torch_loops.in_memory(*part) for part in (dataset.train, dataset.test)]
    for epoch in range(setting.epochs):
        order = data.epoch_indices(key, epoch, setting.examples, BATCH_SIZE)
        batches = [to_tensor(indices).long() for indices in order]
        torch_loops.train_eager(net, torch.nn.functional.cross_entropy, optimizer, sets[0], batches)
    _, accuracy = torch_loops.evaluate(net.eval(), torch.nn.functional.cross_entropy, sets[1])
    return accuracy


def page(found: dict[Setting, list[tuple[float, float]]]) -> str:
    """The table, and where it was measured."""
    rows = [
        [f"{setting.name}, {setting.examples} images, {setting.epochs} epochs", library]
        + [f"{100 * accuracy:.2f}%" for accuracy in accuracies]
        for setting, seeds in found.items()
        for library, accuracies in zip(("jaxd2l", "torch, the book's class"), zip(*seeds, strict=True), strict=True)
    ]
    headings = ["network", "library", *(f"seed {seed}" for seed in SEEDS)]
    return (
        "# LeNet and ResNet-18 beside the book's classes\n\n<!-- Written by `python -m bench.networks --markdown ...`. "
        "-->\n\nAccuracy over the 10000 test images of Fashion-MNIST after the last epoch; plain SGD, batches of "
        f"{BATCH_SIZE}.\nBoth begin with the same weights and see the same batches in the same order. On\n"
        f"{measured_on(environment())}.\n\n" + markdown_table(headings, rows, "ll" + "r" * len(SEEDS)) + "\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, metavar="PATH")
    options = parser.parse_args(arguments)
    found: dict[Setting, list[tuple[float, float]]] = {}
    with Console(stderr=True).status("") as status:
        for setting in SETTINGS:
            for seed in SEEDS:
                status.update(f"{setting.name}, seed {seed}")
                found.setdefault(setting, []).append(both(setting, seed))
    publish(page(found), options.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
