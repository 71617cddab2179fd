"""What the command line can train: datasets with settings that suit them, and models that fit a dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxd2l import data, losses, models
from jaxd2l.models import Precision
from jaxd2l.types import Dataset, Loss, Model

TRUE_W, TRUE_B = np.array([2.0, -3.4], np.float32), 4.2
"""The line behind the synthetic data, D2L 3.3."""


class Settings(NamedTuple):
    """How to train: by default the book's choices, and for digits what suits 1500 images."""

    epochs: int
    batch_size: int
    lr: float


class Setup(NamedTuple):
    """What a command trains.

    dataset_name: the one given, or the model's default.
    settings: the ones given, or the dataset's defaults.
    dataset, model, loss: ready to use.
    """

    dataset_name: str
    settings: Settings
    dataset: Dataset
    model: Model
    loss: Loss


SETTINGS = {
    "digits": Settings(epochs=15, batch_size=32, lr=0.5),
    "fashion_mnist": Settings(epochs=10, batch_size=256, lr=0.1),
    "synthetic": Settings(epochs=3, batch_size=32, lr=0.03),
}


WITH_HIDDEN_LAYERS = ("mlp", "flax-mlp")
HIDDEN = (256,)
"""The hidden layers of an MLP by default, D2L 5.2."""


def chosen(options: argparse.Namespace) -> Setup:
    """What the options of `train` or `sweep` describe.

    Raises:
      ValueError: a model that does not suit the dataset, or options that do not suit the model.
    """
    name = options.dataset or ("synthetic" if options.model == "linear" else "digits")
    given = {field: getattr(options, field) for field in ("epochs", "batch_size")}
    settings = SETTINGS[name]._replace(**{field: value for field, value in given.items() if value is not None})
    dataset = load(name, options.data_dir)
    return Setup(name, settings, dataset, *build(options.model, options.hidden, dataset, options.precision))


def load(dataset: str, data_dir: Path | None) -> Dataset:
    """The dataset of that name. Synthetic data are the same in every run: a run's seed decides the training alone.

    Raises:
      ValueError: a folder given for a dataset that is not read from files.
    """
    if data_dir is not None and dataset != "fashion_mnist":
        raise ValueError(f"--data-dir says where the files of fashion_mnist are; {dataset} has none")
    if dataset == "digits":
        return data.digits()
    if dataset == "fashion_mnist":
        return data.fashion_mnist(data_dir=data_dir)
    return data.synthetic_regression(jax.random.fold_in(jax.random.key(0), 33), TRUE_W, TRUE_B)


def build(
    model: str, hidden: Sequence[int] | None, dataset: Dataset, precision: Precision = "float32"
) -> tuple[Model, Loss]:
    """The model of that name in the sizes that the dataset needs, and its loss.

    Raises:
      ValueError: a regression on classes, a classifier on numbers, hidden layers for a model without any, or a
        regression in another precision than float32.
    """
    num_inputs, num_classes = int(np.prod(dataset.train.inputs.shape[1:])), len(dataset.class_names)
    if (model == "linear") != (num_classes == 0):
        raise ValueError(
            "linear regression predicts numbers: use it with --dataset synthetic"
            if model == "linear"
            else f"{model} predicts classes: use it with --dataset digits or fashion_mnist"
        )
    if model in ("linear", "softmax"):
        if hidden is not None:
            raise ValueError(f"{model} regression has no hidden layers: --hidden is for mlp and flax-mlp")
        if model == "linear":
            if precision != "float32":
                raise ValueError("linear regression computes in float32: --precision is for softmax, mlp and flax-mlp")
            return models.linear_regression(num_inputs), losses.squared_loss
        return models.softmax_regression(num_inputs, num_classes, precision=precision), losses.cross_entropy
    make = models.mlp if model == "mlp" else models.flax_mlp
    return make(num_inputs, tuple(hidden or HIDDEN), num_classes, precision=precision), losses.cross_entropy
