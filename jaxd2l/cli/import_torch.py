"""`jaxd2l import`: a torch module's parameters become a run for `evaluate`, `predict` and `export`."""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l._files import named_leaves
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import runs
from jaxd2l.cli.folders import PARAMS, new_folder, whole
from jaxd2l.cli.networks import NETWORKS
from jaxd2l.cli.output import say
from jaxd2l.train.checkpoint import from_state_dict, layers_to_params, read_tensors, save_params
from jaxd2l.train.checkpoint._torch_names import Layer
from jaxd2l.train.checkpoint._torch_networks import COUNTER, network_tensors, torch_name_of
from jaxd2l.types import StatefulModel

_DATASETS = {784: "fashion_mnist", 64: "digits", 2: "synthetic"}
_SIDE, _CLASSES = 28, 10
"""Of an image of Fashion-MNIST, which networks are for."""


class _Imported(NamedTuple):
    """What was recognised. title: what to call it."""

    model: str
    dataset: str
    hidden: tuple[int, ...] | None
    variables: Any
    title: str


def run(options: argparse.Namespace) -> ExitCode:
    """Reads a state_dict in safetensors, recognises the model, and makes a run folder."""
    try:
        tensors = read_tensors(options.file)
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                raise ValueError(f"{name!r} has numbers that are not finite")
        is_network = any(tensor.ndim == 4 for tensor in tensors.values())
        recognised = _network(tensors) if is_network else from_state_dict(tensors)
    except ValueError as error:
        raise ValueError(
            f"{options.file} does not hold a state_dict that can be imported: {error}; in torch, write one with "
            "safetensors.torch.save_file(net.state_dict(), PATH)"
        ) from error
    found = recognised if isinstance(recognised, _Imported) else _of_layers(recognised, options.file)
    with new_folder(options.out, found.model, found.dataset) as folder:
        record = {
            "command": shlex.join(["jaxd2l", "import", str(options.file), "--out", str(folder)]),
            "arguments": {"model": found.model, "dataset": found.dataset, "hidden": found.hidden, "data_dir": None},
            "imported_from": options.file.absolute(),
            **runs.made_with(),
        }
        with whole(folder) as new:
            save_params(new / PARAMS, found.variables)
            runs.save_record(new, record)
    say(f"{folder}: {found.title} for {found.dataset}; try `jaxd2l evaluate {folder}`")
    return ExitCode.OK


def _of_layers(layers: list[Layer], file: Path) -> _Imported:
    """A fully connected model, for the dataset that its sizes suit."""
    num_inputs, num_outputs = layers[0].weight.shape[1], layers[-1].weight.shape[0]
    dataset = _DATASETS.get(num_inputs)
    expected = 1 if dataset == "synthetic" else _CLASSES
    if dataset is None or num_outputs != expected:
        known = ", ".join(f"{name} ({size} to {1 if size == 2 else _CLASSES})" for size, name in _DATASETS.items())
        raise ValueError(f"{file} maps {num_inputs} inputs to {num_outputs} outputs; the datasets here are {known}")
    if dataset == "synthetic" and len(layers) > 1:
        raise ValueError(f"{file} holds an MLP on 2 inputs; synthetic data are for linear regression only")
    hidden = tuple(layer.weight.shape[0] for layer in layers[:-1]) or None
    model = "mlp" if hidden else "linear" if dataset == "synthetic" else "softmax"
    sizes = "-".join(str(size) for size in (num_inputs, *(hidden or ()), num_outputs))
    return _Imported(model, dataset, hidden, layers_to_params(layers), f"{model} {sizes}")


def _network(tensors: Mapping[str, np.ndarray]) -> _Imported:
    """One of the book's networks, recognised by the names of its arrays."""
    names = {name for name in tensors if not name.endswith(COUNTER)}
    for network in sorted(NETWORKS, key=lambda name: name == "googlenet"):  # last, since its shapes take longest
        make, _, _, size = NETWORKS[network]
        side = size or _SIDE
        model = make((side, side, 1), num_classes=_CLASSES)
        own = jax.eval_shape(model.init, jax.random.key(0))
        like = runs.variables(*own) if isinstance(model, StatefulModel) else own
        shapes = {name: leaf.shape for name, leaf in named_leaves(like).items()}
        if names == {torch_name_of(network, name) for name in shapes}:
            arrays = network_tensors(network, shapes, tensors)
            variables = jax.tree.unflatten(jax.tree.structure(like), arrays.values())
            return _Imported(network, "fashion_mnist", None, variables, f"{network} for images of {side} x {side}")
    raise ValueError(f"its names are not those of one of the book's classes for {', '.join(NETWORKS)}")
