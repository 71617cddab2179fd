"""The networks of chapters 7 and 8 that the command line trains."""

from collections.abc import Callable
from typing import NamedTuple

from jaxd2l import models
from jaxd2l.types import Model, StatefulModel


class Network(NamedTuple):
    """make: the function of an image's shape. lr: the book's learning rate.

    smallest: how many pixels an image must have in height and width.
    size: to which Fashion-MNIST's images are enlarged, if their 28 are too few.
    """

    make: Callable[..., Model | StatefulModel]
    lr: float
    smallest: int = 1
    size: int | None = None


NETWORKS = {
    "lenet": Network(models.lenet, 0.1, smallest=12),
    "alexnet": Network(models.alexnet, 0.01, smallest=65, size=96),
    "vgg": Network(models.vgg, 0.01, smallest=32, size=32),
    "nin": Network(models.nin, 0.05, smallest=67, size=96),
    "googlenet": Network(models.googlenet, 0.01),
    "batch-norm-lenet": Network(models.batch_norm_lenet, 0.1, smallest=16),
    "resnet18": Network(models.resnet18, 0.01),
    "densenet": Network(models.densenet, 0.01, smallest=29, size=32),
    "regnet": Network(models.regnet_x32, 0.05),
}
