"""What is timed: a model, data and settings; and the ways in which an epoch of it can be run."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import jax
import numpy as np

from jaxd2l import data, losses, models
from jaxd2l.models import Precision
from jaxd2l.models.layers import summary
from jaxd2l.types import Batch, Dataset, Loss, Model, StatefulModel

Network = Literal["lenet", "resnet"]
Family = Literal["JAX", "torch", "the book", "others"]

ORDER_SEED, WEIGHTS_SEED = 0, 2
"""They decide the order of the examples, and the weights that every way starts from."""


class Case(NamedTuple):
    """What to train.

    sizes: units from inputs to outputs; two are a linear model, and one output a regression.
    network: the network of images between them; none: fully connected layers.
    alike: how many steps of a first epoch have the same losses in every way; None: all. With batch normalisation what
      torch rounds grows from step to step, and only the mean over the epoch stays close.
    """

    name: str
    sizes: tuple[int, ...]
    dataset: Dataset
    batch_size: int
    lr: float
    network: Network | None = None
    alike: int | None = None


class Loop(NamedTuple):
    """A training loop made ready for one case. Every loop of a case starts from the same weights.

    first_losses: the loss of every step of a first epoch, on the first of `data.epoch_indices` (ORDER_SEED).
    epoch: runs one epoch to its very end.
    """

    first_losses: Callable[[], np.ndarray]
    epoch: Callable[[], object]


class Way(NamedTuple):
    """One way to run an epoch.

    name: what tables and pictures call it.
    family: whose code it is.
    precision: of its matrix products.
    prepare: makes its loop ready for a case.
    """

    name: str
    family: Family
    precision: Precision
    prepare: Callable[[Case], Loop]


RESNET = ((1, 16), (1, 32), (1, 64))
"""A ResNet that two cores can train: a block of each of three widths."""


def model(case: Case, precision: Precision = "float32") -> Model | StatefulModel:
    """The case's model, with the book's N(0, 0.01^2); a network of images as the book begins it."""
    shape = case.dataset.train.inputs.shape[1:]
    if case.network == "lenet":
        return models.lenet(shape, num_classes=case.sizes[-1])
    if case.network == "resnet":
        return models.resnet(RESNET, shape, num_classes=case.sizes[-1])
    first, *hidden, last = case.sizes
    if hidden:
        return models.mlp(first, hidden, last, precision=precision)
    if last == 1:
        return models.linear_regression(first)
    return models.softmax_regression(first, last, precision=precision)


def loss(case: Case) -> Loss:
    """The squared loss for one output, else cross-entropy."""
    return losses.squared_loss if case.sizes[-1] == 1 else losses.cross_entropy


def flops(case: Case) -> float:
    """Floating-point operations of an epoch's matrix products: the forward pass and the gradients.

    The first layer's inputs need no gradient.
    """
    if case.network:
        network = summary(model(case))
        return float(len(case.dataset.train.labels) * (6 * network.multiply_adds - 2 * network.rows[0].multiply_adds))
    products = [6 * a * b for a, b in zip(case.sizes[:-1], case.sizes[1:], strict=True)]
    return float(len(case.dataset.train.labels) * (sum(products) - 2 * case.sizes[0] * case.sizes[1]))


def books_models(names: Sequence[str]) -> Iterator[Case]:
    """The book's models with the book's settings, and a larger one.

    Names: linear, softmax, mlp, mlp-3x512, lenet, resnet.
    """
    networks: dict[str, tuple[str, Network]] = {"lenet": ("LeNet", "lenet"), "resnet": ("ResNet 16-32-64", "resnet")}
    for name in names:
        if name in networks:
            title, network = networks[name]
            lr, alike = {"lenet": (0.1, None), "resnet": (0.01, 2)}[network]
            yield Case(title, (784, 10), data.fashion_mnist(), 256, lr, network, alike)
            continue
        if name == "linear":
            line = data.synthetic_regression(jax.random.key(1), np.array([2.0, -3.4]), 4.2)
            yield Case("linear regression", (2, 1), line, 32, 0.03)
            continue
        sizes = {"softmax": (784, 10), "mlp": (784, 256, 10), "mlp-3x512": (784, 512, 512, 512, 10)}[name]
        title = "softmax regression" if name == "softmax" else "MLP " + "-".join(map(str, sizes))
        yield Case(title, sizes, data.fashion_mnist(), 256, 0.1)


def growth(axis: str, n: int) -> Iterator[tuple[int, Case]]:
    """The MLP on n images while one thing grows: batch size, width, depth, or examples (then n does not count)."""
    dataset = data.fashion_mnist()

    def case(hidden: tuple[int, ...] = (256,), batch_size: int = 256, examples: int = n) -> Case:
        train, test = (Batch(b.inputs[:examples], b.labels[:examples]) for b in (dataset.train, dataset.test))
        return Case(axis, (784, *hidden, 10), dataset._replace(train=train, test=test), batch_size, 0.1)

    if axis == "batch size":
        yield from ((size, case(batch_size=size)) for size in (32, 128, 512, 4096))
    elif axis == "width":
        yield from ((width, case(hidden=(width,))) for width in (64, 256, 1024))
    elif axis == "depth":
        yield from ((depth, case(hidden=(256,) * depth)) for depth in (1, 2, 4))
    elif axis == "examples":
        yield from ((examples, case(examples=examples)) for examples in (1000, 8000, 60000))
    else:
        raise ValueError(f"batch size, width, depth or examples can grow; got {axis!r}")
