"""`jaxd2l export`: a trained model's parameters for the book's torch module."""

import argparse

import safetensors.numpy

from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import networks, runs
from jaxd2l.cli.folders import PARAMS
from jaxd2l.cli.output import say
from jaxd2l.train.checkpoint import read_tensors, to_state_dict
from jaxd2l.train.checkpoint._torch_networks import network_state_dict


def run(options: argparse.Namespace) -> ExitCode:
    """Writes a state_dict as safetensors, and shows how to load it in torch."""
    record, tensors = runs.load_record(options.run_dir), read_tensors(options.run_dir / PARAMS)
    model = record["arguments"]["model"]
    if model in networks.NETWORKS:
        state_dict = network_state_dict(model, tensors)
    else:
        state_dict = to_state_dict(tensors, is_regression=model == "linear")
    write_file(options.to, safetensors.numpy.save(state_dict))
    say(f"{options.to}: {', '.join(state_dict)}")
    say(f'in torch: net.load_state_dict(safetensors.torch.load_file("{options.to}"))')
    return ExitCode.OK
