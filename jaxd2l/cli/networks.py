"""The networks of chapters 7 and 8 that the command line trains."""

from collections.abc import Callable
from typing import NamedTuple

from jaxd2l import models
from jaxd2l.types import Model, StatefulModel


class Network(NamedTuple):
    """make: the function of an image's shape. lr: the book's learning rate. size: of images, if 28 are too few.

    smallest: the fewest pixels, where `make` names a layer that does not fit instead.
    """

    make: Callable[..., Model | StatefulModel]
    lr: float
    size: int | None = None
    smallest: int = 1


NETWORKS = {
    "lenet": Network(models.lenet, 0.1, smallest=12),
    "alexnet": Network(models.alexnet, 0.01, 96),
    "vgg": Network(models.vgg, 0.01, 32),
    "nin": Network(models.nin, 0.05, 96),
    "googlenet": Network(models.googlenet, 0.01),
    "batch-norm-lenet": Network(models.batch_norm_lenet, 0.1),
    "resnet18": Network(models.resnet18, 0.01),
    "densenet": Network(models.densenet, 0.01, 32),
    "regnet": Network(models.regnet_x32, 0.05),
}
