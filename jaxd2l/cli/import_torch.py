"""`jaxd2l import`: a torch module's parameters become a run for `evaluate`, `predict` and `export`."""

import argparse
import shlex

import numpy as np

from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import runs
from jaxd2l.cli.folders import PARAMS, new_folder, whole
from jaxd2l.cli.output import say
from jaxd2l.train.checkpoint import from_state_dict, layers_to_params, read_tensors, save_params

_DATASETS = {784: "fashion_mnist", 64: "digits", 2: "synthetic"}


def run(options: argparse.Namespace) -> ExitCode:
    """Reads a state_dict in safetensors, recognises the model, and makes a run folder."""
    try:
        tensors = read_tensors(options.file)
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                raise ValueError(f"{name!r} has numbers that are not finite")
        layers = from_state_dict(tensors)
    except ValueError as error:
        raise ValueError(
            f"{options.file} does not hold a state_dict that can be imported: {error}; in torch, write one with "
            "safetensors.torch.save_file(net.state_dict(), PATH)"
        ) from error
    num_inputs, num_outputs = layers[0].weight.shape[1], layers[-1].weight.shape[0]
    dataset = _DATASETS.get(num_inputs)
    expected = 1 if dataset == "synthetic" else 10
    if dataset is None or num_outputs != expected:
        known = ", ".join(f"{name} ({size} to {1 if size == 2 else 10})" for size, name in _DATASETS.items())
        raise ValueError(
            f"{options.file} maps {num_inputs} inputs to {num_outputs} outputs; the datasets here are {known}"
        )
    if dataset == "synthetic" and len(layers) > 1:
        raise ValueError(f"{options.file} holds an MLP on 2 inputs; synthetic data are for linear regression only")
    hidden = tuple(layer.weight.shape[0] for layer in layers[:-1]) or None
    model = "mlp" if hidden else "linear" if dataset == "synthetic" else "softmax"
    params = layers_to_params(layers)
    with new_folder(options.out, model, dataset) as folder:
        record = {
            "command": shlex.join(["jaxd2l", "import", str(options.file), "--out", str(folder)]),
            "arguments": {"model": model, "dataset": dataset, "hidden": hidden, "data_dir": None},
            "imported_from": options.file.absolute(),
            **runs.made_with(),
        }
        with whole(folder) as new:
            save_params(new / PARAMS, params)
            runs.save_record(new, record)
    sizes = "-".join(str(size) for size in (num_inputs, *(hidden or ()), num_outputs))
    say(f"{folder}: {model} {sizes} for {dataset}; try `jaxd2l evaluate {folder}`")
    return ExitCode.OK
