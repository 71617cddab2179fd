"""What the command line can train: datasets with settings that suit them, and models that fit a dataset."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l import activations, data, initializers, losses, models
from jaxd2l.cli.networks import NETWORKS
from jaxd2l.models import Precision
from jaxd2l.types import Batch, Dataset, Loss, Model, StatefulModel

TRUE_W, TRUE_B = np.array([2.0, -3.4], np.float32), 4.2
"""The line behind the synthetic data, D2L 3.3."""


class Settings(NamedTuple):
    """How to train: by default the book's choices, and for digits what suits 1500 images. The fields are options.

    validation: the fraction of the training set that is held out to measure each epoch; 0 for the test set instead.
    early_stopping: after how many epochs without a smaller validation loss to stop; None for never.
    """

    epochs: int
    batch_size: int
    lr: float
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    dropout: float = 0.0
    activation: str = "relu"
    init: str = "normal"
    validation: float = 0.0
    early_stopping: int | None = None


class Setup(NamedTuple):
    """What a command trains.

    dataset_name: the one given, or the model's default.
    settings: the ones given, or the dataset's defaults.
    dataset, model, loss: ready to use; with a validation set in the place of the test set if there shall be one.
    test: the test set.
    """

    dataset_name: str
    settings: Settings
    dataset: Dataset
    model: Model | StatefulModel
    loss: Loss
    test: Batch


SETTINGS = {
    "digits": Settings(epochs=15, batch_size=32, lr=0.5),
    "fashion_mnist": Settings(epochs=10, batch_size=256, lr=0.1),
    "synthetic": Settings(epochs=3, batch_size=32, lr=0.03),
    "table": Settings(epochs=20, batch_size=32, lr=0.1),
}


RATES = {"adagrad": 0.01, "adadelta": 1.0, "adamax": 0.002, "nadam": 0.002}
"""Learning rates of optimisers for which neither sgd's nor 0.001 is the usual one: torch's defaults."""

DECAYS = {"adamw": 0.01}
"""Weight decays of optimisers that have some by default, as in torch."""

INITS = {
    "normal": initializers.normal(0.01),
    "kaiming": initializers.kaiming_normal(),
    "xavier": initializers.xavier_normal(),
    "torch": initializers.torch_linear(),
    "flax": initializers.flax_linear(),
    "book": initializers.normal(0.01),
}
"""The initialisers of `--init`; what "book" means for networks of images, they know themselves."""

WITH_HIDDEN_LAYERS = ("mlp", "flax-mlp")
HIDDEN = (256,)
"""The hidden layers of an MLP by default, D2L 5.2."""


def chosen(options: argparse.Namespace) -> Setup:
    """What the options of `train` or `sweep` describe.

    Raises:
      ValueError: a model that does not suit the dataset, or options that do not suit the model.
    """
    if (options.data is None) != (options.target is None) or (options.data and options.dataset):
        raise ValueError("a table of your own needs --data FILE.csv and --target NAME, and no --dataset")
    usual = "synthetic" if options.model == "linear" else "fashion_mnist" if options.model in NETWORKS else "digits"
    name = "table" if options.data else options.dataset or usual
    settings = _settings(name, options)
    dataset = (
        table(options.data, options.target, options.model, options.kind)
        if options.data
        else load(name, options.data_dir, options.model)
    )
    built = build(options.model, options.hidden, dataset, options.precision, settings)
    test = dataset.test
    if settings.validation:
        dataset = dataset._replace(**_split(dataset.train, settings.validation)._asdict())
    return Setup(name, settings, dataset, *built, test)


def _settings(dataset: str, options: argparse.Namespace) -> Settings:
    """The given options, and defaults for the others; a list of values, as a sweep has them, is not for here."""
    given: dict[str, Any] = {name: getattr(options, name, None) for name in Settings._fields}
    given = {name: value for name, value in given.items() if value is not None and not isinstance(value, tuple)}
    settings, optimizer = SETTINGS[dataset], given.get("optimizer", "sgd")
    if options.model in NETWORKS:
        settings = settings._replace(lr=NETWORKS[options.model].lr, init="book")
    if optimizer != "sgd":
        settings = settings._replace(lr=RATES.get(optimizer, 0.001), weight_decay=DECAYS.get(optimizer, 0.0))
    if len(options.hidden or ()) > 1:
        settings = settings._replace(init="kaiming")
    settings = settings._replace(**given)
    for name in ("dropout", "activation"):
        if name in given and options.model not in WITH_HIDDEN_LAYERS:
            kind = "has its own layers" if options.model in NETWORKS else "regression has no hidden layers"
            raise ValueError(f"{options.model} {kind}: --{name} is for mlp and flax-mlp")
    if settings.early_stopping and not settings.validation:
        raise ValueError("--early-stopping looks at a validation set: give --validation FRACTION, such as 0.1")
    return settings


class _Split(NamedTuple):
    train: Batch
    test: Batch


def _split(train: Batch, fraction: float) -> _Split:
    """The training set in two; which examples are held out is the same in every run."""
    n = len(train.inputs)
    held_out = max(1, round(fraction * n))
    if held_out >= n:
        raise ValueError(f"--validation {fraction:g} leaves nothing to train on: there are {n} examples")
    order = np.asarray(data.shuffle(jax.random.fold_in(jax.random.key(0), 36), n))
    chosen = np.isin(np.arange(n), order[:held_out])
    inputs, labels = np.asarray(train.inputs), np.asarray(train.labels)
    return _Split(Batch(inputs[~chosen], labels[~chosen]), Batch(inputs[chosen], labels[chosen]))


def load(dataset: str, data_dir: Path | None, model: str = "") -> Dataset:
    """The dataset of that name, with images as large as the model needs.

    Synthetic data are the same in every run: a run's seed decides the training alone.

    Raises:
      ValueError: a folder given for a dataset that is not read from files.
    """
    if data_dir is not None and dataset != "fashion_mnist":
        raise ValueError(f"--data-dir says where the files of fashion_mnist are; {dataset} has none")
    if dataset == "digits":
        return data.digits()
    if dataset == "fashion_mnist":
        return data.fashion_mnist(data_dir=data_dir, resize=NETWORKS[model].size if model in NETWORKS else None)
    return data.synthetic_regression(jax.random.fold_in(jax.random.key(0), 33), TRUE_W, TRUE_B)


def table(path: Path, target: str, model: str, kind: Any = None) -> Dataset:
    """A table of someone's own; which lines are in the test set is the same in every run.

    Raises:
      ValueError: a column that an MLP could take for classes as well as for numbers, and no `kind`.
    """
    key = jax.random.fold_in(jax.random.key(0), 22)
    kind = {"linear": "numbers", "softmax": "classes"}.get(model, kind)
    return data.from_csv(path, target=target, key=key, kind=kind)


def build(
    model: str,
    hidden: Sequence[int] | None,
    dataset: Dataset,
    precision: Precision = "float32",
    settings: Settings | None = None,
) -> tuple[Model | StatefulModel, Loss]:
    """The model of that name in the sizes that the dataset needs, and its loss.

    Raises:
      ValueError: a regression on classes, a classifier on numbers, hidden layers for a model without any, or a
        regression in another precision than float32.
    """
    settings = settings or SETTINGS["digits"]
    if model in NETWORKS:
        return _network(model, hidden, dataset, precision, settings), losses.cross_entropy
    init = INITS[settings.init]
    num_inputs, num_classes = int(np.prod(dataset.train.inputs.shape[1:])), len(dataset.class_names)
    if model == "linear" and num_classes:
        raise ValueError("linear regression predicts numbers: use it with --dataset synthetic")
    if model == "softmax" and not num_classes:
        raise ValueError("softmax predicts classes: use it with --dataset digits or fashion_mnist")
    if model in ("linear", "softmax"):
        if hidden is not None:
            raise ValueError(f"{model} regression has no hidden layers: --hidden is for mlp and flax-mlp")
        if model == "linear":
            if precision != "float32":
                raise ValueError("linear regression computes in float32: --precision is for softmax, mlp and flax-mlp")
            return models.linear_regression(num_inputs, init=init), losses.squared_loss
        return models.softmax_regression(num_inputs, num_classes, init=init, precision=precision), losses.cross_entropy
    make = models.mlp if model == "mlp" else models.flax_mlp
    sizes = (num_inputs, tuple(hidden or HIDDEN), num_classes or 1)
    activation = getattr(activations, settings.activation)
    options = {"activation": activation, "dropout_rate": settings.dropout, "init": init, "precision": precision}
    return make(*sizes, **options), losses.cross_entropy if num_classes else losses.squared_loss


def _network(
    name: str, hidden: Sequence[int] | None, dataset: Dataset, precision: Precision, settings: Settings
) -> Model | StatefulModel:
    """A network for images of this size.

    Raises:
      ValueError: anything but images, images that are too small, or options of an MLP.
    """
    shape = dataset.train.inputs.shape[1:]
    if len(shape) != 3:
        raise ValueError(f"{name} takes images: use it with --dataset fashion_mnist or digits")
    if hidden is not None:
        raise ValueError(f"{name} has its own layers: --hidden is for mlp and flax-mlp")
    if precision != "float32":
        raise ValueError(f"{name} computes in float32: --precision is for softmax, mlp and flax-mlp")
    smallest = NETWORKS[name].smallest
    if min(shape[:2]) < smallest:
        raise ValueError(
            f"{name} needs images of at least {smallest} x {smallest}, and these have {shape[0]} x {shape[1]}: use it "
            "with --dataset fashion_mnist"
        )
    init = {} if settings.init == "book" else {"init": INITS[settings.init]}
    return NETWORKS[name].make(shape, num_classes=len(dataset.class_names), **init)
