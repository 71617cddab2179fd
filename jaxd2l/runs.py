"""Runs of the command line in Python, and models trained in Python for the command line (D2L 4.4, 5.2)."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array

from jaxd2l._checks.numbers import require_all_whole, require_choice
from jaxd2l.cli import runs, setups
from jaxd2l.cli.folders import PARAMS, new_folder, whole
from jaxd2l.cli.grammar import ACTIVATIONS, IMAGE_DATASETS, NETWORKS
from jaxd2l.cli.runs import Run
from jaxd2l.train.checkpoint import save_params
from jaxd2l.types import ModelState, Params, StatefulModel

__all__ = ["Run", "load", "save"]


def __dir__() -> list[str]:
    return __all__


def load(folder: str | os.PathLike[str], *, best: bool = False) -> Run:
    """The model of a run that `jaxd2l train`, `jaxd2l import` or `save` made, ready to use.

    Args:
      folder: with run.json and params.safetensors.
      best: takes the parameters of the best epoch instead of the last.

    Raises:
      FileNotFoundError: no run, or no best epoch in it.
      ValueError: damaged files, or files of different models.

    >>> import tempfile
    >>> from jaxd2l import data
    >>> params = models.mlp(64, 8, 10).init(jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/mine", params, model="mlp", dataset="digits", hidden=(8,))
    ...     run = load(f"{folder}/mine")
    >>> run.model.apply(run.params, data.to_float(run.dataset.test.inputs[:2])).shape
    (2, 10)
    """
    return runs.load_run(Path(folder), None, best=best)


def save(
    folder: str | os.PathLike[str],
    params: Params,
    *,
    model: str,
    dataset: str,
    model_state: ModelState = (),
    hidden: Sequence[int] = (),
    activation: str | Callable[[Array], Array] = "relu",
) -> None:
    """A run for `jaxd2l evaluate`, `predict` and `export` of parameters that were trained in Python.

    Args:
      folder: a new one.
      params: of `models.softmax_regression`, of `models.mlp` with a bias in each layer, or of one of the networks that
        `jaxd2l train` offers, such as `models.lenet()`.
      model: "softmax", "mlp", or the network's name there.
      dataset: "digits" or "fashion_mnist", on which the run is looked at.
      model_state: the running averages, of a network that has some.
      hidden: the sizes of an MLP's hidden layers.
      activation: between its layers, one of `jaxd2l.activations` or its name.

    Raises:
      TypeError: sizes that are not whole numbers.
      ValueError: a folder with something in it, parameters of another model, or an unknown name.
      OSError: the folder cannot be written.
    """
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", repr(activation))
    require_choice(("softmax", "mlp", *NETWORKS), model=model)
    require_all_whole(1, hidden=hidden)
    require_choice(IMAGE_DATASETS, dataset=dataset)
    require_choice(ACTIVATIONS, activation=name)
    settings = setups.SETTINGS[dataset]._replace(activation=name)
    layers = tuple(hidden) or None
    built, _ = setups.build(model, layers, setups.load(dataset, None, model), settings=settings)
    own = jax.eval_shape(built.init, jax.random.key(0))
    given, wanted = (params, model_state), own if isinstance(built, StatefulModel) else (own, ())
    theirs, expected = (jax.tree.map(np.shape, tree) for tree in (given, wanted))
    if theirs != expected:
        raise ValueError(
            f"params and model_state are not those of this {model} for {dataset}: their shapes are {theirs}, and must "
            f"be {expected}"
        )
    with new_folder(Path(folder), model, dataset) as made, whole(made) as new:
        save_params(new / PARAMS, runs.variables(params, model_state))
        arguments = {"model": model, "dataset": dataset, "hidden": layers, "activation": name, "data_dir": None}
        runs.save_record(new, {"arguments": arguments, **runs.made_with()})
